//! What is worth telling an operator. Data; the words are made where they are printed (`Display` here, so that
//! every face of the product says the same).

use crate::config::item::Item;
use crate::id::{BfdId, CheckId, FrontendId, InstanceId, Interface, PoolId, ServerId};
use crate::input::{Errno, Outcome};
use crate::wire::bfd::{BfdError, Diagnostic, State};
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The role of a virtual router. RFC 9568 says Active and Backup; keepalived's words are kept for people's greps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Not started.
    #[default]
    Init,
    /// Listens.
    Backup,
    /// Holds the addresses and advertises.
    Master,
    /// May not take part: a tracked thing has failed.
    Fault,
}

impl Role {
    /// keepalived's word: `MASTER`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Init => "INIT",
            Role::Backup => "BACKUP",
            Role::Master => "MASTER",
            Role::Fault => "FAULT",
        }
    }
}

/// Why a role changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The node started.
    Start,
    /// Owner of the addresses (priority 255).
    Owner,
    /// Nothing was heard from the master for so long.
    MasterDown {
        /// Who was heard last.
        last: Option<IpAddr>,
        /// How long ago.
        silent: Duration,
    },
    /// The master said farewell (priority 0).
    Farewell {
        /// Who.
        from: IpAddr,
    },
    /// A better router was heard.
    Better {
        /// Who.
        from: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// A tracked thing failed; its name.
    Tracked {
        /// Interface, script or reason.
        what: String,
    },
    /// The fault is gone.
    Recovered,
    /// Another member of the sync group asked for it.
    Group,
    /// Somebody else took one of the addresses away.
    AddressLost {
        /// Which.
        address: IpNet,
    },
    /// An operator's order.
    Order,
    /// The daemon stops.
    Stop,
    /// A reload removed or changed it.
    Reload,
}

/// Why a packet was rejected; one variant per receive check, in order (RFC 9568 section 7.1; keepalived's names in the counters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PacketError {
    /// Shorter than the header says, or longer than it may be (`packet_len_err`).
    Length,
    /// TTL or hop limit is not 255, or outside a unicast peer's range (`ip_ttl_err`).
    Ttl,
    /// Not the version of this virtual router (`vers_err`).
    Version,
    /// Authentication type is none of the known ones (`invalid_authtype`).
    AuthType,
    /// Authentication type is not ours (`authtype_mismatch`).
    AuthMismatch,
    /// Wrong password (`auth_failure`).
    AuthFailure,
    /// VRRPv2 interval is not ours (`advert_interval_err`).
    Interval,
    /// Not an advertisement (`invalid_type_rcvd`).
    Type,
    /// Wrong checksum (`chk_err`).
    Checksum,
    /// Multicast to a unicast router, or the reverse (`addr_list_err`).
    Destination,
    /// From somebody who is not a configured peer.
    NotAPeer,
    /// VRID is none of ours on this interface.
    UnknownVrid,
}

impl PacketError {
    /// All of them, in the order of the receive checks.
    pub const ALL: [PacketError; 12] = [
        PacketError::UnknownVrid,
        PacketError::Length,
        PacketError::Ttl,
        PacketError::Version,
        PacketError::AuthType,
        PacketError::AuthMismatch,
        PacketError::AuthFailure,
        PacketError::Interval,
        PacketError::Type,
        PacketError::Checksum,
        PacketError::Destination,
        PacketError::NotAPeer,
    ];

    /// The counter's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PacketError::Length => "packet_len_err",
            PacketError::Ttl => "ip_ttl_err",
            PacketError::Version => "vers_err",
            PacketError::AuthType => "invalid_authtype",
            PacketError::AuthMismatch => "authtype_mismatch",
            PacketError::AuthFailure => "auth_failure",
            PacketError::Interval => "advert_interval_err",
            PacketError::Type => "invalid_type_rcvd",
            PacketError::Checksum => "chk_err",
            PacketError::Destination => "addr_list_err",
            PacketError::NotAPeer => "not_a_peer",
            PacketError::UnknownVrid => "unknown_vrid",
        }
    }
}

/// How a server stands (haproxy's operational state).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServerState {
    /// Usable.
    #[default]
    Up,
    /// Usable, but its last checks failed.
    GoingDown,
    /// Not usable.
    Down,
    /// Not usable, but its last checks passed.
    GoingUp,
    /// Administratively out.
    Maintenance,
    /// No new connections.
    Drain,
}

/// What became of a route, a rule or a static address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemNews {
    /// It was added at our request.
    Added,
    /// It was removed at our request.
    Removed,
    /// Somebody else had taken it, and it was put back; said once per burst of losses.
    Restored,
}

/// One thing worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A virtual router changed its role.
    Role {
        /// Which.
        instance: InstanceId,
        /// Its name.
        name: Arc<str>,
        /// Before.
        from: Role,
        /// Now.
        to: Role,
        /// Why.
        why: Why,
        /// Effective priority.
        priority: u8,
    },
    /// A sync group changed its role.
    GroupRole {
        /// Its name.
        name: Arc<str>,
        /// Now.
        to: Role,
    },
    /// The effective priority changed.
    Priority {
        /// Whose.
        instance: InstanceId,
        /// Its name.
        name: Arc<str>,
        /// Before.
        from: u8,
        /// Now.
        to: u8,
    },
    /// A packet was dropped; told once per sender and kind until something changes.
    Rejected {
        /// For which virtual router.
        instance: Option<InstanceId>,
        /// Its name, or empty.
        name: Arc<str>,
        /// The sender.
        from: IpAddr,
        /// Why.
        error: PacketError,
    },
    /// A lower advertisement made an active router assert itself.
    LowerHeard {
        /// Which.
        name: Arc<str>,
        /// The sender.
        from: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// An accepted advertisement differs in something that should be looked at: interval, address list, own address.
    Odd {
        /// Which.
        name: Arc<str>,
        /// The sender.
        from: IpAddr,
        /// What is odd, in words.
        what: String,
    },
    /// An address was added or removed at our request.
    Address {
        /// For which virtual router.
        name: Arc<str>,
        /// Where.
        on: Interface,
        /// Which.
        address: IpNet,
        /// It is there now.
        owned: bool,
    },
    /// Somebody else took an address away.
    AddressLost {
        /// For which virtual router.
        name: Arc<str>,
        /// Where.
        on: Interface,
        /// Which.
        address: IpNet,
        /// What is done about it, in words.
        then: String,
    },
    /// A route, a rule or a static address.
    Item {
        /// Of which virtual router, or `static`.
        name: Arc<str>,
        /// Which.
        item: Arc<Item>,
        /// What became of it.
        news: ItemNews,
    },
    /// What a killed run left behind was found.
    Leftover {
        /// Where.
        on: Interface,
        /// Which.
        address: IpNet,
        /// Kept, since this node becomes master; else removed.
        adopted: bool,
    },
    /// The kernel refused something.
    Refused {
        /// What was asked, in words.
        what: String,
        /// What it said.
        errno: Errno,
    },
    /// A link changed.
    Link {
        /// Its name.
        name: Arc<str>,
        /// Up and running.
        usable: bool,
        /// It exists.
        exists: bool,
    },
    /// A script's or a server's check flipped, or gave its first answer.
    Verdict {
        /// Which.
        check: CheckId,
        /// Its name.
        name: Arc<str>,
        /// Now.
        up: bool,
        /// The run that decided.
        outcome: Outcome,
    },
    /// One run of a check changed the state of the counter without flipping it.
    Checked {
        /// Which.
        check: CheckId,
        /// Its name.
        name: Arc<str>,
        /// Runs counted towards the flip.
        count: u32,
        /// Runs needed.
        of: u32,
        /// Counting towards up.
        rising: bool,
        /// The run.
        outcome: Outcome,
    },
    /// A script was still running when its next turn came.
    Overrun {
        /// Its name.
        name: Arc<str>,
    },
    /// A server changed its state.
    Server {
        /// The pool.
        pool: PoolId,
        /// The server.
        server: ServerId,
        /// `pool/server`.
        name: Arc<str>,
        /// Now.
        state: ServerState,
        /// The check that decided, when one did.
        outcome: Option<Outcome>,
        /// Usable active servers left.
        active: u32,
        /// Usable backup servers left.
        backup: u32,
        /// Connections it has open, as last observed.
        sessions: u32,
    },
    /// A pool has no usable server left.
    PoolEmpty {
        /// The pool.
        pool: PoolId,
        /// Its name.
        name: Arc<str>,
    },
    /// A listening side opened or closed.
    Listening {
        /// Which.
        frontend: FrontendId,
        /// Its name.
        name: Arc<str>,
        /// Open.
        open: bool,
    },
    /// A reload was applied; what changed, in words.
    Reloaded {
        /// One line per change; empty for a reload without effect.
        changes: alloc::vec::Vec<String>,
    },
    /// A BFD session changed its state.
    Session {
        /// Which.
        session: BfdId,
        /// Its name.
        name: Arc<str>,
        /// Its neighbour.
        neighbor: IpAddr,
        /// Before.
        from: State,
        /// Now.
        to: State,
        /// Why, when it is not up.
        why: Diagnostic,
    },
    /// A BFD packet was dropped; told once per sender and kind until the session changes.
    BfdRejected {
        /// For which session; empty when for none.
        name: Arc<str>,
        /// The sender.
        from: IpAddr,
        /// Why.
        error: BfdError,
    },
    /// An operator ordered something; what follows from it is told by other events.
    Ordered {
        /// What, in words.
        what: String,
    },
    /// The clean stop waits for a peer, or goes on.
    Leaving {
        /// Which.
        name: Arc<str>,
        /// The peer that was heard, or `None` when the wait ended without one.
        heard: Option<IpAddr>,
    },
}
