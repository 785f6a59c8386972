//! The validated model: what all three languages become, and all that the node knows of the operator's wishes.
//!
//! Nothing in here needs another look at a file; every number is in range, every name resolved.

pub use super::algorithm::{Algorithm, HashType};
pub use super::bfd::{BfdConfig, BfdTiming};
use super::item::{Item, StaticItem};
use super::names::Names;
pub use super::node::{AnnounceGap, Debounce, GapGroup, LinksConfig, NodeConfig, StartDelay};
pub use super::notify::{Command, Deleted, NotifyConfig, Pipe};
pub use super::process::{DumpConfig, ProcessConfig};
use crate::action::AddressOptions;
use crate::id::{BfdId, CheckId, FrontendId, GroupId, InstanceId, PoolId, ServerId};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// What concerns the node as a whole.
    pub node: NodeConfig,
    /// Virtual routers.
    pub instances: BTreeMap<InstanceId, Arc<InstanceConfig>>,
    /// Sync groups.
    pub groups: BTreeMap<GroupId, Arc<GroupConfig>>,
    /// Checks: scripts and servers.
    pub checks: BTreeMap<CheckId, Arc<CheckConfig>>,
    /// BFD sessions.
    #[serde(default)]
    pub sessions: BTreeMap<BfdId, Arc<BfdConfig>>,
    /// Listening sides.
    pub frontends: BTreeMap<FrontendId, Arc<FrontendConfig>>,
    /// Pools.
    pub pools: BTreeMap<PoolId, Arc<PoolConfig>>,
    /// Addresses, routes and rules that are there as long as the daemon runs.
    #[serde(default)]
    pub items: Vec<StaticItem>,
    /// Ids given so far.
    pub names: Names,
}

impl Config {
    /// The most virtual routers of a configuration: one per VRID, address family and interface of a large host.
    pub const MAX_INSTANCES: usize = 4096;
    /// The most servers of a configuration.
    pub const MAX_SERVERS: usize = 16_384;
    /// The most addresses of one virtual router that fit its advertisement.
    pub const MAX_ADDRESSES: usize = 255;
}

/// A virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceConfig {
    /// Its id.
    pub id: InstanceId,
    /// `vrrp_instance NAME`.
    pub name: Arc<str>,
    /// What identifies it on the wire.
    pub router: RouterConfig,
    /// How it is elected.
    pub election: ElectionConfig,
    /// How its packets travel.
    pub transport: TransportConfig,
    /// Its addresses, advertised ones first, in the file's order.
    pub addresses: Vec<VirtualAddress>,
    /// Its routes, then its rules (`virtual_routes`, `virtual_rules`), in the file's order.
    #[serde(default)]
    pub items: Vec<Arc<Item>>,
    /// Password, if any.
    pub authentication: Authentication,
    /// How it tells the neighbours.
    pub announce: AnnounceConfig,
    /// What raises or lowers its priority.
    pub trackers: Vec<Tracker>,
    /// Commands run at a transition.
    pub notify: NotifyConfig,
}

/// What identifies a virtual router on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterConfig {
    /// `interface`.
    pub interface: Arc<str>,
    /// `virtual_router_id`, 1..=255.
    pub vrid: u8,
    /// Protocol version.
    pub version: Version,
    /// Address family.
    pub family: Family,
}

/// VRRP version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// RFC 3768.
    #[default]
    V2,
    /// RFC 5798 and RFC 9568.
    V3,
}

/// Address family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

/// How a virtual router is elected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionConfig {
    /// `priority`, 1..=255; 255 is the owner.
    pub priority: u8,
    /// `state MASTER`: an owner starts at once; for anybody else a wish that only matters in a sync group.
    pub wish_master: bool,
    /// `advert_int`: v2 whole seconds 1..=255, v3 a multiple of 10 ms up to 40.95 s.
    pub interval: Duration,
    /// `down_timer_adverts`, 1..=100.
    pub down_adverts: u8,
    /// Take over from a lower router (false = `nopreempt`).
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// `lower_prio_no_advert`: do not answer a lower advertisement at once.
    pub lower_no_advert: bool,
    /// Send one more advertisement before yielding to a better router (`higher_prio_send_advert`). keepalived's
    /// default is off; ours is on, since without it a healed split leaves neighbours at the wrong router.
    pub last_advert: bool,
    /// `owner_ignore_adverts`.
    pub owner_ignores: bool,
    /// `timer_expired_backup`: a master that was not scheduled for so long that a peer of this priority could have taken
    /// over becomes backup; `None` reckons with a peer of its own priority.
    pub oversleep_priority: Option<u8>,
    /// `strict_mode`.
    pub strict: bool,
}

/// How packets travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportConfig {
    /// `mcast_src_ip` / `unicast_src_ip`; `None` is the interface's primary address (IPv6: link-local).
    pub source: Option<IpAddr>,
    /// `track_src_ip`.
    pub track_source: bool,
    /// Where advertisements go.
    pub to: Destination,
    /// TTL or hop limit of what we send (`unicast_ttl`, else 255).
    pub hops: u8,
    /// `check_unicast_src`: only peers are heard.
    pub check_source: bool,
    /// `skip_check_adv_addr`: compare address lists only when the sender changes.
    pub skip_address_check: bool,
    /// VRRPv3 over IPv4 without the pseudo header in the checksum (RFC 9568; `v3_checksum_as_v2`).
    pub plain_checksum: bool,
    /// The checksum of keepalived up to 1.3.6, in VRRPv3 over IPv4 by unicast.
    pub old_checksum: OldChecksum,
}

/// `old_unicast_checksum`: the pseudo header names the multicast group, though the packet goes to a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldChecksum {
    /// Taken from a peer that sends it, and sent from then on.
    #[default]
    Detect,
    /// Neither taken nor sent.
    Never,
    /// Taken, and sent from the start.
    Always,
}

/// Where advertisements go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// To a multicast group: 224.0.0.18 or ff02::12 unless told otherwise.
    Multicast(IpAddr),
    /// To each peer (`unicast_peer`). Without any it is in FAULT (`unicast_fault_no_peer`).
    Unicast(Vec<Peer>),
}

/// A unicast peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// `min_ttl`.
    pub min_ttl: u8,
    /// `max_ttl`.
    pub max_ttl: u8,
}

/// One virtual address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// Address and prefix length.
    pub address: IpNet,
    /// `dev`; the virtual router's own interface unless told otherwise.
    pub interface: Arc<str>,
    /// Part of the advertisement (`virtual_ipaddress`), or only held (`virtual_ipaddress_excluded`).
    pub advertised: bool,
    /// A deletion by somebody else is reacted upon, and its interface is tracked (not `no_track`).
    pub tracked: bool,
    /// Label, scope, broadcast, flags.
    pub how: Arc<AddressOptions>,
}

/// `scope` of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(pub u8);

/// `authentication`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authentication {
    /// None.
    #[default]
    None,
    /// `auth_type PASS`: the password's first 8 bytes, zero padded.
    Pass([u8; 8]),
}

/// How a virtual router tells the neighbours (`garp_*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceConfig {
    /// `garp_master_repeat`: announcements per address and block.
    pub repeat: u32,
    /// `garp_master_delay`: the second block comes after this time; zero is none.
    pub delay: Duration,
    /// `garp_master_refresh`: period while master; zero is none. keepalived's default is none, ours 60 s.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_repeat`.
    pub lower_repeat: u32,
    /// `garp_lower_prio_delay`.
    pub lower_delay: Duration,
    /// `garp_extra_if`: period while master for addresses on other interfaces than the router's own; zero is none.
    pub extra: Duration,
}

/// What raises or lowers a priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    /// What is tracked.
    pub what: Tracked,
    /// -253..=253; zero: its failure is a fault.
    pub weight: i16,
    /// `reverse`.
    pub reverse: bool,
}

/// What is tracked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tracked {
    /// A link, up and running (`track_interface`; the own interface and those of tracked addresses with weight 0).
    Interface(Arc<str>),
    /// A check (`track_script`, `track_file`, `track_process`).
    Check(CheckId),
    /// A BFD session (`track_bfd`).
    Session(BfdId),
}

/// A sync group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupConfig {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: Arc<str>,
    /// Its members.
    pub members: Vec<InstanceId>,
    /// Commands run at a transition.
    pub notify: NotifyConfig,
}

/// A health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckConfig {
    /// Its id.
    pub id: CheckId,
    /// `vrrp_script NAME`, or `pool/server`.
    pub name: Arc<str>,
    /// What is done.
    pub probe: Arc<Probe>,
    /// When.
    pub schedule: Schedule,
    /// Which counter, with how many runs to flip.
    pub counter: Counter,
    /// Successes to go up, at least 1.
    pub rise: u32,
    /// Failures to go down, at least 1.
    pub fall: u32,
}

/// When a check runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Between two runs while stable and up (`interval`, `inter`).
    pub interval: Duration,
    /// While on the way up or down (`fastinter`).
    pub fast: Duration,
    /// While down (`downinter`).
    pub down: Duration,
    /// The longest one run may take, all steps together.
    pub timeout: Duration,
}

/// Which counter turns runs into verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counter {
    /// keepalived's: runs from start to start, the first answer decides alone.
    Script {
        /// `init_fail`: starts as failed and needs `rise` successes (as keepalived's manual promises).
        init_fail: bool,
    },
    /// haproxy's: pauses from end to start, starts as up with one strike left; first runs are spread.
    Server,
}

/// What one run of a check does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// Run a command; status 0 is good.
    Script {
        /// The command.
        command: Command,
        /// Why it cannot run, known when the file was read; such a script fails at each run.
        broken: Option<String>,
    },
    /// Connect and close.
    Tcp {
        /// Where.
        to: SocketAddr,
        /// `timeout connect` and the like: the longest a connect may take.
        connect: Duration,
    },
    /// Send the old 126-byte SSL 3.0 hello; 5 bytes of alert or handshake are good (`option ssl-hello-chk`).
    SslHello {
        /// Where.
        to: SocketAddr,
        /// The longest a connect may take.
        connect: Duration,
    },
    /// One HTTP request.
    Http(HttpProbe),
    /// A conversation (`option tcp-check` with rules, and the checks of protocols).
    Talk(super::talk::Talk),
    /// A look at a file or at the processes of this host.
    Watch(Arc<super::watch::Watch>),
    /// A TLS handshake.
    Tls {
        /// Where.
        to: SocketAddr,
        /// The longest a connect may take.
        connect: Duration,
        /// How the peer is verified.
        tls: TlsProbe,
    },
}

/// One HTTP request (`option httpchk`, `http-check`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpProbe {
    /// Where.
    pub to: SocketAddr,
    /// The longest a connect may take.
    pub connect: Duration,
    /// Over TLS.
    pub tls: Option<TlsProbe>,
    /// `OPTIONS` unless told otherwise.
    pub method: String,
    /// `/` unless told otherwise.
    pub uri: String,
    /// `HTTP/1.0` unless told otherwise.
    pub version: String,
    /// Names and values, in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
    /// What is a good answer.
    pub expect: Expect,
}

/// How a TLS peer is verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsProbe {
    /// `verify none` (false), or `verify required`.
    pub verify: bool,
    /// `ca-file`, its PEM text as read with the configuration.
    pub roots: Option<Arc<str>>,
    /// `check-sni`, `sni`.
    pub name: Option<String>,
    /// `check-alpn`, `alpn`.
    pub alpn: Vec<String>,
}

/// What is a good answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// 200..=399: haproxy's default.
    Default,
    /// `expect [!] status`: ranges, both ends included.
    Status {
        /// The ranges.
        ranges: Vec<(u16, u16)>,
        /// `!`.
        negated: bool,
    },
    /// `expect [!] string`: in the body.
    Body {
        /// The text.
        text: String,
        /// `!`.
        negated: bool,
    },
}

/// A listening side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendConfig {
    /// Its id.
    pub id: FrontendId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it listens.
    pub binds: Vec<Bind>,
    /// Where its connections go; `None`: closed at once with code `SC`.
    pub pool: Option<PoolId>,
    /// `timeout client`; `None` is for ever.
    pub client: Option<Duration>,
    /// `maxconn`; zero is the process' limit.
    pub max_connections: u32,
    /// `option tcplog`.
    pub tcplog: bool,
    /// `option dontlognull`.
    pub dont_log_null: bool,
    /// Where its lines go.
    pub log: Vec<LogTarget>,
}

/// One listening address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Address and port.
    pub at: SocketAddr,
    /// `transparent`: bind even if the host does not hold the address yet.
    pub free: bool,
    /// `interface`.
    pub interface: Option<String>,
    /// `v4v6`: an IPv6 wildcard that takes IPv4 too.
    pub both_families: bool,
}

/// A pool of servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolConfig {
    /// Its id.
    pub id: PoolId,
    /// Its name.
    pub name: Arc<str>,
    /// `balance`.
    pub algorithm: Algorithm,
    /// `option allbackups`.
    pub all_backups: bool,
    /// Its servers, in the file's order.
    pub servers: Vec<ServerConfig>,
    /// `retries`.
    pub retries: u32,
    /// `option redispatch`.
    pub redispatch: Redispatch,
    /// `timeout connect`.
    pub connect: Option<Duration>,
    /// `timeout server`.
    pub server: Option<Duration>,
    /// Where the lines about its servers go.
    pub log: Vec<LogTarget>,
    /// It came from a `listen` section (haproxy then says "proxy", not "backend").
    pub listen: bool,
}

/// `option redispatch [interval]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Redispatch {
    /// Off: retries go to the same server.
    #[default]
    Never,
    /// `-1`, the default of the option: before the last retry (and, with round robin, at once: haproxy 3.8).
    Last,
    /// Every so many retries.
    Every(u32),
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerConfig {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// `weight`, 0..=256.
    pub weight: u16,
    /// `backup`.
    pub backup: bool,
    /// `disabled`.
    pub disabled: bool,
    /// `check`; `None`: always up.
    pub check: Option<CheckId>,
    /// `on-marked-down shutdown-sessions`.
    pub shutdown_when_down: bool,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogTarget {
    /// Where.
    pub to: LogTo,
    /// How a line is framed.
    pub format: LogFormat,
    /// Syslog facility, 0..=23.
    pub facility: u8,
    /// Lines less urgent than this level are not sent; 7 is all.
    pub level: u8,
    /// Longest line, in bytes, 80..=65535.
    pub length: u16,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogTo {
    /// A unix datagram socket.
    Unix(String),
    /// UDP.
    Udp(SocketAddr),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a log line is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogFormat {
    /// RFC 3164 without a host name: haproxy's default.
    #[default]
    Local,
    /// RFC 3164.
    Rfc3164,
    /// RFC 5424.
    Rfc5424,
    /// `<level>text`.
    Short,
    /// Text only.
    Raw,
}
