//! What a virtual router, or the node for good, has in the kernel besides virtual addresses: routes, rules, static
//! addresses. Data, and its text in the words of `ip route` and `ip rule`, which keepalived.conf and the native file
//! share (keepalived.conf(5), "Static routes/addresses/rules").
//!
//! Decides what a line means and what of it is served; not when the kernel is asked. Invariant: the text of an item,
//! read again, is the same item.

mod route;
mod rule;
mod words;

pub use route::{MAX_HOPS, Metric, NextHop, Route, RouteKind};
pub use rule::{FIRST_PRIORITY, Matches, Ports, Rule, RuleAction};
pub use words::Wrong;

use super::model::VirtualAddress;
use crate::id::InstanceId;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The protocol number that marks what a VRRP daemon has put into the kernel (`keepalived` in
/// `/etc/iproute2/rt_protos`).
pub const PROTOCOL: u8 = 18;
/// The routing table that is meant when none is named.
pub const MAIN_TABLE: u32 = 254;
/// The most routes and rules of one virtual router, and of the node itself.
pub const MAX_ITEMS: usize = 1024;

/// One thing in the kernel that is there or is not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Item {
    /// A static address (`static_ipaddress`); a virtual router's own are `VirtualAddress`es with a lease.
    Address(VirtualAddress),
    /// A line of `virtual_routes` or `static_routes`.
    Route(Route),
    /// A line of `virtual_rules` or `static_rules`.
    Rule(Rule),
}

impl Item {
    /// The interfaces it leads to.
    #[must_use]
    pub fn interfaces(&self) -> Vec<Arc<str>> {
        match self {
            Item::Address(address) => Vec::from([address.interface.clone()]),
            Item::Route(route) => route.hops.iter().filter_map(|hop| hop.interface.clone()).collect(),
            // A rule is there whether or not its interface is.
            Item::Rule(_) => Vec::new(),
        }
    }

    /// Somebody who removes it is told of, and a router depends on its interfaces (not `no_track`).
    #[must_use]
    pub fn tracked(&self) -> bool {
        match self {
            Item::Address(address) => address.tracked,
            Item::Route(route) => route.tracked,
            Item::Rule(rule) => rule.tracked,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Address(address) => write!(f, "address {} on {}", address.address, address.interface),
            Item::Route(route) => write!(f, "route {route}"),
            Item::Rule(rule) => write!(f, "rule {rule}"),
        }
    }
}

/// Something that is in the kernel as long as the daemon runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticItem {
    /// What.
    pub item: Arc<Item>,
    /// The virtual routers that are in FAULT while it cannot be there (`track_group`).
    pub routers: Vec<InstanceId>,
}
