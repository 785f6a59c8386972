//! Which instances of the nodes mean the same virtual router, and what can be said of that alone.
//!
//! Nodes that share an address belong together whatever their VRID; else those with the same VRID and family do, on
//! the same interface first. Two groups that share a VRID and no address, with two nodes or more each, are two
//! clusters: they are told apart again, and told about. Names mean nothing: every tutorial says VI_1.

use super::finding::{Place, list};
use super::place::Key;
use super::{Node, Report, codes};
use crate::config::finding::Severity;
use crate::config::model::{Destination, Family, InstanceConfig};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

/// A node's part in a virtual router.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) node: &'a Node,
    pub(super) instance: &'a InstanceConfig,
}

impl Member<'_> {
    /// The node's name.
    pub(super) fn name(&self) -> &str {
        &self.node.name
    }

    /// Where `key` stands in its files.
    pub(super) fn at(&self, key: Key) -> Place {
        self.node.at(self.node.places.router(&self.instance.name, key))
    }

    /// Its addresses without prefix length.
    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        self.instance.addresses.iter().map(|address| address.address.addr()).collect()
    }
}

/// A virtual router: its members in the order of the nodes, at most one of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Router<'a> {
    pub(super) members: Vec<Member<'a>>,
}

impl Router<'_> {
    /// What it is called: name and VRID of its first member.
    pub(super) fn title(&self) -> String {
        match self.members.first() {
            Some(first) => {
                format!("virtual router {} (VRID {})", first.instance.name, first.instance.router.vrid)
            }
            None => String::from("virtual router"),
        }
    }

    fn has(&self, node: &Node) -> bool {
        self.members.iter().any(|member| core::ptr::eq(member.node, node))
    }
}

/// The virtual routers of `nodes`.
pub(super) fn routers<'a>(nodes: &'a [Node], report: &mut Report) -> Vec<Router<'a>> {
    let mut found: Vec<Router<'a>> = Vec::new();
    let mut by_address: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    let mut by_vrid: BTreeMap<(Family, u8), Vec<usize>> = BTreeMap::new();
    for node in nodes {
        let instances = node.config.iter().flat_map(|config| config.instances.values());
        for instance in instances {
            let member = Member { node, instance };
            let free = |at: &&usize| !found[**at].has(node);
            let shared = member.addresses();
            let shared = shared.iter().filter_map(|address| by_address.get(address)).flatten().find(free);
            let key = (instance.router.family, instance.router.vrid);
            let same = by_vrid.get(&key).map_or(&[][..], Vec::as_slice);
            let beside = |at: &&usize| {
                let first = found[**at].members.first();
                first.is_some_and(|first| first.instance.router.interface == instance.router.interface)
            };
            let alike = same.iter().filter(free).find(beside).or_else(|| same.iter().find(free));
            let at = shared.or(alike).copied().unwrap_or(found.len());
            if at == found.len() {
                found.push(Router::default());
            }
            for address in member.addresses() {
                let places = by_address.entry(address).or_default();
                if !places.contains(&at) {
                    places.push(at);
                }
            }
            let places = by_vrid.entry(key).or_default();
            if !places.contains(&at) {
                places.push(at);
            }
            found[at].members.push(member);
        }
    }
    found.into_iter().flat_map(|router| clusters(router, report)).collect()
}

/// The router as it is, or the clusters that it turns out to be.
fn clusters<'a>(router: Router<'a>, report: &mut Report) -> Vec<Router<'a>> {
    let mut parts: Vec<(BTreeSet<IpAddr>, Router<'a>)> = Vec::new();
    for member in &router.members {
        let own = member.addresses();
        let (near, far): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(all, _)| !all.is_disjoint(&own));
        let mut joined = (own, Router::default());
        for (addresses, part) in near {
            joined.0.extend(addresses);
            joined.1.members.extend(part.members);
        }
        joined.1.members.push(*member);
        parts = far;
        parts.push(joined);
    }
    if parts.len() < 2 || parts.iter().any(|(_, part)| part.members.len() < 2) {
        return alloc::vec![router];
    }
    if hear_each_other(&parts) {
        let said: Vec<String> = parts
            .iter()
            .map(|(addresses, part)| {
                let names: Vec<&str> = part.members.iter().map(Member::name).collect();
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                format!("{} with {}", list(&names), list(&addresses))
            })
            .collect();
        let vrid = router.members.first().map_or(0, |first| first.instance.router.vrid);
        let message = format!("two clusters use virtual router id {vrid}: {}", said.join("; "));
        let places = parts.iter().filter_map(|(_, part)| Some(part.members.first()?.at(Key::Vrid))).collect();
        let help = "give each cluster of a network an id of its own: on one network only one of all these nodes is active, and the other addresses are nowhere";
        report.say(Severity::Warning, codes::TWO_CLUSTERS, places, message, help);
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// Can a node of one part be heard in another? Groups are heard by all; peers only by whom they name.
fn hear_each_other(parts: &[(BTreeSet<IpAddr>, Router<'_>)]) -> bool {
    let groups: Vec<BTreeSet<Option<IpAddr>>> = parts
        .iter()
        .map(|(_, part)| {
            let to = |member: &Member<'_>| match &member.instance.transport.to {
                Destination::Multicast(group) => Some(*group),
                Destination::Unicast(_) => None,
            };
            part.members.iter().map(to).collect()
        })
        .collect();
    groups
        .iter()
        .enumerate()
        .any(|(nth, one)| groups[nth + 1..].iter().any(|other| one.intersection(other).any(Option::is_some)))
}

/// A virtual router that only one of several nodes has.
pub(super) fn alone(router: &Router<'_>, report: &mut Report) {
    let Some(member) = router.members.first() else { return };
    let message = format!("only {} has {}: nobody takes over from it", member.name(), router.title());
    let help = "give another node the same virtual_router_id and addresses, or remove it";
    report.say(Severity::Warning, codes::ALONE, alloc::vec![member.at(Key::Vrid)], message, help);
}
