//! Everything that a node can ask of the outside. Data only: the sole way back is an `Input`.
//!
//! Every `match` on [`Action`] is exhaustive, so that a new action does not compile until Linux, the turmoil tier
//! and the discrete-event tier all know it.

use crate::balance::view::PoolView;
use crate::config::item::Item;
use crate::config::model::{FrontendConfig, Probe, Scope};
use crate::event::Event;
use crate::id::{BfdId, CheckId, Interface, PoolId, Ticket};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One request to the outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Put an advertisement on the wire, now. IP protocol 112, no fragmentation, traffic class 0xC0.
    Advertise {
        /// By which interface.
        on: Interface,
        /// Source address.
        from: IpAddr,
        /// Group or peer.
        to: IpAddr,
        /// TTL or hop limit.
        hops: u8,
        /// VRRP header and what follows; the IPv6 checksum is left to the kernel.
        payload: Vec<u8>,
    },
    /// Take part in, or leave, the reception of advertisements; answered by `Input::Done`.
    Receive {
        /// For the answer.
        ticket: Ticket,
        /// By which interface.
        on: Interface,
        /// The multicast group, or our own unicast address.
        at: IpAddr,
        /// Open or close.
        open: bool,
    },
    /// Make the kernel own, or give up, an address; answered by `Input::Done`. Owning one again renews its lease.
    Address {
        /// For the answer.
        ticket: Ticket,
        /// Where.
        on: Interface,
        /// Address and prefix length.
        address: IpNet,
        /// Own it, or give it up.
        own: bool,
        /// The kernel drops it by itself after this time; `None` is for ever.
        lease: Option<Duration>,
        /// Label, scope, broadcast, flags.
        how: Arc<AddressOptions>,
    },
    /// Add or remove a route, a rule or a static address; answered by `Input::Done`. An addition of what is there is
    /// answered by `EEXIST`.
    Item {
        /// For the answer.
        ticket: Ticket,
        /// What.
        item: Arc<Item>,
        /// Add, or remove.
        own: bool,
    },
    /// Tell the neighbours who owns an address: gratuitous ARP request, or unsolicited neighbour advertisement.
    Announce {
        /// By which interface.
        on: Interface,
        /// The address.
        address: IpAddr,
    },
    /// Start one health check; answered by `Input::Checked`, at the latest after `within`.
    Check {
        /// Which.
        check: CheckId,
        /// For the answer.
        ticket: Ticket,
        /// What to do.
        probe: Arc<Probe>,
        /// The longest it may take.
        within: Duration,
    },
    /// Give up on a check or script that is still running; its answer no longer counts.
    Cancel {
        /// The ticket it was started with.
        ticket: Ticket,
    },
    /// Run an operator's notify script; answered by `Input::Done`.
    Script {
        /// For the answer.
        ticket: Ticket,
        /// Command and arguments.
        argv: Arc<[String]>,
        /// `user[:group]`, when not the daemon's own.
        user: Option<Arc<str>>,
    },
    /// Write a line to every notify pipe; there is no answer.
    Tell {
        /// The line, with its line feed.
        line: String,
    },
    /// Open or close a listening side for the data plane; answered by `Input::Done`.
    Listen {
        /// For the answer.
        ticket: Ticket,
        /// The listening side, whole.
        frontend: Arc<FrontendConfig>,
        /// Open or close.
        open: bool,
    },
    /// Give the data plane a new view of a pool; replaces the last one whole.
    Publish {
        /// The pool.
        pool: PoolId,
        /// Who is usable, how much, and by which rule to pick; `None` when the pool is gone.
        view: Option<Arc<PoolView>>,
    },
    /// Open the sockets of a BFD session (RFC 5881: UDP, heard at port 3784), or close them; answered by `Input::Done`.
    Bfd {
        /// For the answer.
        ticket: Ticket,
        /// Which session.
        session: BfdId,
        /// From where to where; `None` closes.
        open: Option<BfdPath>,
    },
    /// Send a BFD control packet over an open session, now; a failure is like a loss on the wire.
    BfdSend {
        /// Which session.
        session: BfdId,
        /// The control packet.
        payload: Vec<u8>,
    },
    /// Something worth telling an operator.
    Event(Event),
    /// The clean stop is complete: nothing is held any more.
    Stopped,
}

/// How an address is put on its interface (`virtual_ipaddress` line options).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressOptions {
    /// `label`, at most 15 characters.
    pub label: Option<String>,
    /// `scope`.
    pub scope: Scope,
    /// `brd` / `broadcast`.
    pub broadcast: Option<core::net::Ipv4Addr>,
    /// IPv6 with duplicate address detection (`-nodad` switches it *on*: keepalived's word).
    pub dad: bool,
    /// Never chosen as a source for new connections (`preferred_lft 0`).
    pub deprecated: bool,
}

/// From where to where the packets of a BFD session go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdPath {
    /// Source address; `None` lets the kernel choose.
    pub from: Option<IpAddr>,
    /// Source port, 49152..=65535, the same for all packets of a session.
    pub port: u16,
    /// The neighbour.
    pub to: IpAddr,
    /// TTL or hop limit of what we send.
    pub hops: u8,
}
