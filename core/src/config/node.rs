//! What concerns a node as a whole: its name, its delays, its links, its pipes, its limits.

use super::model::LogTarget;
use super::notify::Pipe;
use super::process::ProcessConfig;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What concerns the node as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeConfig {
    /// `router_id`: a name for mails and logs, not on the wire.
    pub router_id: Option<String>,
    /// Install addresses with a kernel lifetime and renew it (default), so that a killed or frozen daemon loses
    /// them by the kernel's hand.
    pub lease: bool,
    /// How long the virtual routers wait at the start.
    pub start: StartDelay,
    /// How links and announcements on them are treated.
    pub links: LinksConfig,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// Where `global` of haproxy.cfg sends process messages.
    pub log: Vec<LogTarget>,
    /// Most connections of the process (`maxconn` in `global`); zero is automatic.
    pub max_connections: u32,
    /// `spread-checks`, per cent of the interval.
    pub spread_checks: u8,
    /// Named pipes that are told of every transition.
    #[serde(default)]
    pub pipes: Vec<Pipe>,
    /// `fifo_write_vrrp_states_on_reload`: the pipes are told of every state after each reload.
    pub states_on_reload: bool,
    /// Where the flight recorder writes, or `off`; `None` is the default place. Taken up at the start only.
    pub record: Option<String>,
    /// How the process stands to its host.
    #[serde(default)]
    pub process: ProcessConfig,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            router_id: None,
            lease: true,
            start: StartDelay::default(),
            links: LinksConfig::default(),
            log_unknown_vrids: false,
            log: Vec::new(),
            max_connections: 0,
            spread_checks: 0,
            pipes: Vec::new(),
            states_on_reload: false,
            record: None,
            process: ProcessConfig::default(),
        }
    }
}

/// How long the virtual routers neither listen nor speak; the later of both ends counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartDelay {
    /// `vrrp_startup_delay`: from the start of the daemon.
    pub daemon: Duration,
    /// `vrrp_delay_after_boot`: from the start of the machine.
    pub boot: Duration,
}

/// How links and announcements on them are treated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksConfig {
    /// `vrrp_garp_interval`, `vrrp_gna_interval`: for each interface alone.
    pub gap: AnnounceGap,
    /// `garp_group`: interfaces that share one pace, in place of the above.
    pub groups: Vec<GapGroup>,
    /// `interface_up_down_delays`, by interface.
    pub debounce: BTreeMap<Arc<str>, Debounce>,
}

impl LinksConfig {
    /// The most interfaces with delays, and the most of all groups together.
    pub const MAX_INTERFACES: usize = 4096;
}

/// The shortest gap between two announcements; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceGap {
    /// Gratuitous ARP.
    pub arp: Duration,
    /// Unsolicited neighbour advertisements.
    pub na: Duration,
}

/// `garp_group`: interfaces whose announcements are paced together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapGroup {
    /// The interfaces.
    pub interfaces: Vec<Arc<str>>,
    /// Their common gap.
    pub gap: AnnounceGap,
}

/// How long a link must stand otherwise before it is believed; only once it has been seen up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debounce {
    /// Until it counts as down.
    pub down: Duration,
    /// Until it counts as up.
    pub up: Duration,
}
