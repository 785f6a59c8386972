//! Names of things, as small ordered numbers.
//!
//! An id is given by the configuration when a name is first seen and kept over reloads as long as the name stays
//! (`config::Names`), so that timers, tickets and metrics of an unchanged object need no translation.

use core::fmt;
use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}

ids! {
    /// One virtual router (`vrrp_instance`) of this node.
    InstanceId(u32), "instance#";
    /// One sync group (`vrrp_sync_group`).
    GroupId(u32), "group#";
    /// One health check: a `vrrp_script`, or the check of one server.
    CheckId(u32), "check#";
    /// One listening side (`frontend` or `listen`).
    FrontendId(u32), "frontend#";
    /// One pool of servers (`backend` or `listen`).
    PoolId(u32), "pool#";
    /// One server of a pool; unique over all pools.
    ServerId(u32), "server#";
    /// One BFD session (`bfd_instance`).
    BfdId(u32), "bfd#";
    /// A network interface, by the kernel's index.
    Interface(u32), "if#";
    /// One request to the outside whose answer may come, late, or never.
    Ticket(u64), "ticket#";
}
