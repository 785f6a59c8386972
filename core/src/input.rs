//! Everything that can happen to a node. Data only, serde both ways: a recording is a list of these.

use crate::config::model::Config;
use crate::id::{CheckId, InstanceId, Interface, PoolId, ServerId, Ticket};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input<'a> {
    /// The deadline that `Node::deadline` named may have passed; too early is harmless.
    Tick,
    /// A packet of IP protocol 112 came in. Addresses and hops are the socket's word; the payload, which starts
    /// with the VRRP header, is untrusted.
    Packet {
        /// The interface it came in by.
        on: Interface,
        /// The sender.
        from: IpAddr,
        /// The destination: the group, or one of our addresses.
        to: IpAddr,
        /// TTL or hop limit as received.
        hops: u8,
        /// VRRP header and what follows.
        payload: Cow<'a, [u8]>,
    },
    /// A BFD control packet came in at UDP port 3784. Addresses and hops are the socket's word; the payload is
    /// untrusted.
    Bfd {
        /// The sender.
        from: IpAddr,
        /// TTL or hop limit as received.
        hops: u8,
        /// The control packet.
        payload: Cow<'a, [u8]>,
    },
    /// A health check ended.
    Checked {
        /// Which.
        check: CheckId,
        /// The ticket of the `Action::Check` that started it; a stale one is ignored.
        ticket: Ticket,
        /// How it ended.
        outcome: Outcome,
    },
    /// What the data plane saw of a server since it last told us.
    Observed {
        /// The pool.
        pool: PoolId,
        /// The server.
        server: ServerId,
        /// What it saw.
        tally: Tally,
    },
    /// The kernel carried out an action, or would not; may be late or lost.
    Done {
        /// The ticket of the action.
        ticket: Ticket,
        /// What it said.
        result: Result<(), Errno>,
    },
    /// The kernel says how a link or its addresses stand now.
    Kernel(KernelNotice),
    /// A new, already validated configuration.
    Configure(Arc<Config>),
    /// An operator's order.
    Order(Order),
    /// Leave cleanly: farewell, then addresses and listeners.
    Stop,
}

/// A kernel error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errno(pub i32);

impl Errno {
    /// Operation not permitted.
    pub const EPERM: Errno = Errno(1);
    /// No such thing (a rule).
    pub const ENOENT: Errno = Errno(2);
    /// No such thing (a route).
    pub const ESRCH: Errno = Errno(3);
    /// No such device.
    pub const ENODEV: Errno = Errno(19);
    /// The address exists already.
    pub const EEXIST: Errno = Errno(17);
    /// The address is not there.
    pub const EADDRNOTAVAIL: Errno = Errno(99);
}

/// How the kernel stands. A dump is `ResyncBegin`, one notice per link and address, `ResyncEnd`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KernelNotice {
    /// A link exists and stands so.
    Link(Link),
    /// A link is gone.
    LinkGone(Interface),
    /// An address is on a link. Also said by the kernel when a lifetime is renewed.
    Address {
        /// The link.
        on: Interface,
        /// Address and prefix length.
        address: IpNet,
        /// It carries the protocol number that marks the addresses of a VRRP daemon (18, `keepalived`).
        marked: bool,
        /// Duplicate address detection is not over (IPv6), so it cannot be used as a source yet.
        tentative: bool,
    },
    /// An address is gone from a link, whoever took it away.
    AddressGone {
        /// The link.
        on: Interface,
        /// Address and prefix length.
        address: IpNet,
    },
    /// A dump of all links and addresses starts: at the start of the daemon, or after lost notices.
    ResyncBegin,
    /// The dump is over: what it did not name is gone.
    ResyncEnd,
    /// A route or rule with the mark of a VRRP daemon was removed, by whomever.
    ItemsTouched,
    /// An advertisement or announcement could not be sent.
    Unsent {
        /// By which interface.
        on: Interface,
        /// What the kernel said.
        errno: Errno,
    },
}

/// A network interface as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Kernel index.
    pub interface: Interface,
    /// Name.
    pub name: Arc<str>,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// Has carrier (`IFF_RUNNING` / operational state up or unknown).
    pub running: bool,
    /// Can multicast (`IFF_MULTICAST`).
    pub multicast: bool,
    /// Has no ARP (`IFF_NOARP`).
    pub no_arp: bool,
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// Hardware address, when it has one of six octets.
    pub mac: Option<[u8; 6]>,
}

/// How a health check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The verdict of this one run.
    pub passed: bool,
    /// What decided it.
    pub code: CheckCode,
    /// HTTP status, a script's exit status or signal, how many processes run, or a file's number (its 32 bits).
    pub status: Option<u32>,
    /// A few words for the operator, at most [`Outcome::MAX_INFO`] bytes; empty when there is nothing to add.
    pub info: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    /// The longest `info`, in bytes.
    pub const MAX_INFO: usize = 256;
}

/// What decided a check; the names are haproxy's (`check_status`), then those of scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CheckCode {
    /// Connected (layer 4).
    L4Ok,
    /// No answer to the connect in time.
    L4Timeout,
    /// Refused, unreachable or reset.
    L4Connection,
    /// TLS answered.
    L6Ok,
    /// TLS did not answer in time.
    L6Timeout,
    /// Something answered that is not TLS, or TLS failed.
    L6Response,
    /// The application answered as expected.
    L7Ok,
    /// The application did not answer in time.
    L7Timeout,
    /// The answer is not of the protocol.
    L7Response,
    /// The answer is of the protocol, but a wrong one.
    L7Status,
    /// We could not even try: out of descriptors and the like.
    SocketError,
    /// The script ended with status 0.
    ScriptOk,
    /// The script ended with another status.
    ScriptExit,
    /// The script died by a signal of somebody else.
    ScriptSignal,
    /// The script ran too long and was killed.
    ScriptTimeout,
    /// The script could not be started: missing, not executable, no such user.
    ScriptMissing,
    /// What is looked at stands as it should.
    WatchGood,
    /// It does not.
    WatchBad,
}

impl CheckCode {
    /// haproxy's short word (`L4OK`), or ours for scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckCode::L4Ok => "L4OK",
            CheckCode::L4Timeout => "L4TOUT",
            CheckCode::L4Connection => "L4CON",
            CheckCode::L6Ok => "L6OK",
            CheckCode::L6Timeout => "L6TOUT",
            CheckCode::L6Response => "L6RSP",
            CheckCode::L7Ok => "L7OK",
            CheckCode::L7Timeout => "L7TOUT",
            CheckCode::L7Response => "L7RSP",
            CheckCode::L7Status => "L7STS",
            CheckCode::SocketError => "SOCKERR",
            CheckCode::ScriptOk => "PROCOK",
            CheckCode::ScriptExit | CheckCode::ScriptSignal => "PROCERR",
            CheckCode::ScriptTimeout => "PROCTOUT",
            CheckCode::ScriptMissing => "PROCMISS",
            CheckCode::WatchGood => "WATCHOK",
            CheckCode::WatchBad => "WATCHBAD",
        }
    }
}

/// What the data plane saw of one server since it last told us; counts, not events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Connections established.
    pub connected: u32,
    /// Connects that failed.
    pub failed: u32,
    /// Failed connects since the last one that succeeded.
    pub failed_in_a_row: u32,
    /// Connections open now.
    pub open: u32,
}

/// An operator's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Hand the virtual router over to a peer and stay away until `Rejoin` (make before break).
    Resign(InstanceId),
    /// Take part in the election again.
    Rejoin(InstanceId),
    /// Set a server's administrative state.
    Server {
        /// The pool.
        pool: PoolId,
        /// The server.
        server: ServerId,
        /// The wanted state.
        admin: Admin,
    },
    /// Set a server's weight, 0..=256 (`set weight`).
    Weight {
        /// The pool.
        pool: PoolId,
        /// The server.
        server: ServerId,
        /// The new weight.
        weight: u16,
    },
}

/// A server's administrative state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Admin {
    /// As its checks say.
    #[default]
    Ready,
    /// No new connections; checks go on.
    Drain,
    /// No connections, no checks.
    Maintenance,
}
