//! What a node believes of its host: links, addresses, what it has open. For whoever builds a host around a recorded
//! node, which has lost the one that it had.

use crate::action::BfdPath;
use crate::balance::view::PoolView;
use crate::id::{BfdId, FrontendId, Interface, PoolId};
use crate::input::Link;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::IpNet;

/// What a node believes of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Links, by index.
    pub links: Vec<Link>,
    /// Where which address is, in the kernel's order; and whether it is marked as a VRRP daemon's.
    pub addresses: Vec<(Interface, IpNet, bool)>,
    /// Where advertisements are received.
    pub receives: BTreeSet<(Interface, IpAddr)>,
    /// The listening sides that are open, or about to be.
    pub listening: BTreeSet<FrontendId>,
    /// BFD sessions with open sockets.
    pub sessions: BTreeMap<BfdId, BfdPath>,
    /// The views that the data plane picks by.
    pub views: BTreeMap<PoolId, Arc<PoolView>>,
}
