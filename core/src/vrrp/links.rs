//! What the kernel has reported: links, their addresses, and what a dump did not name.
//!
//! Facts only; nothing is requested here. Addresses keep the kernel's order, since the first one is the primary.
//! During a dump (`ResyncBegin` .. `ResyncEnd`) everything named is marked as seen; what is not seen by the end is
//! gone, and is handed out as if the kernel had said so.

use super::status::LinkStatus;
use crate::id::Interface;
use crate::input::{KernelNotice, Link};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The most addresses remembered per link; a host with more has no use for VRRP on that link.
pub(super) const MAX_ADDRESSES: usize = 4096;

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reported {
    pub(super) address: IpNet,
    pub(super) marked: bool,
    pub(super) tentative: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    link: Link,
    addresses: Vec<Reported>,
}

/// What a dump has named so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dump {
    pub(super) began: Time,
    links: BTreeSet<Interface>,
    pub(super) addresses: BTreeSet<(Interface, IpNet)>,
}

/// What a notice changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Links that are gone, by index.
    pub(super) links_gone: Vec<Interface>,
    /// Addresses that are gone.
    pub(super) gone: Vec<(Interface, IpNet)>,
    /// A link that is new or stands otherwise.
    pub(super) link: Option<Interface>,
    /// Something that sources, faults or receptions depend on differs.
    pub(super) relevant: bool,
    /// A dump is over, and has named this.
    pub(super) complete: Option<Dump>,
}

/// All links of the host.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Links {
    known: BTreeMap<Interface, Known>,
    by_name: BTreeMap<Arc<str>, Interface>,
    dump: Option<Dump>,
}

impl Links {
    /// The index of the link `name`.
    pub(super) fn index(&self, name: &str) -> Option<Interface> {
        self.by_name.get(name).copied()
    }

    /// The link at `index`.
    pub(super) fn link(&self, index: Interface) -> Option<&Link> {
        self.known.get(&index).map(|known| &known.link)
    }

    /// Up and running, as reported.
    pub(super) fn is_up(&self, name: &str) -> bool {
        self.index(name).and_then(|i| self.link(i)).is_some_and(|link| link.up && link.running)
    }

    /// The addresses of the link at `index`, in the kernel's order.
    pub(super) fn addresses(&self, index: Interface) -> &[Reported] {
        self.known.get(&index).map_or(&[], |known| &known.addresses)
    }

    /// Every address of every link.
    pub(super) fn all(&self) -> impl Iterator<Item = (Interface, &Arc<str>, Reported)> {
        self.known.iter().flat_map(|(i, k)| k.addresses.iter().map(|a| (*i, &k.link.name, *a)))
    }

    /// Every link.
    pub(super) fn every(&self) -> impl Iterator<Item = &Link> {
        self.known.values().map(|known| &known.link)
    }

    /// All links with their addresses, by index.
    pub(super) fn status(&self) -> Vec<LinkStatus> {
        let status = |known: &Known| LinkStatus {
            link: known.link.clone(),
            addresses: known.addresses.iter().map(|reported| reported.address).collect(),
        };
        self.known.values().map(status).collect()
    }

    /// When the running dump began.
    pub(super) fn dump_began(&self) -> Option<Time> {
        self.dump.as_ref().map(|dump| dump.began)
    }

    /// Takes in what the kernel says.
    pub(super) fn learn(&mut self, now: Time, notice: &KernelNotice) -> Change {
        match notice {
            KernelNotice::Link(link) => self.learn_link(link),
            KernelNotice::LinkGone(index) => self.forget_link(*index),
            KernelNotice::Address { on, address, marked, tentative } => self
                .learn_address(*on, Reported { address: *address, marked: *marked, tentative: *tentative }),
            KernelNotice::AddressGone { on, address } => self.forget_address(*on, *address),
            KernelNotice::ResyncBegin => {
                self.dump = Some(Dump { began: now, ..Dump::default() });
                Change::default()
            }
            KernelNotice::ResyncEnd => self.end_dump(),
            KernelNotice::ItemsTouched | KernelNotice::Unsent { .. } => Change::default(),
        }
    }

    fn learn_link(&mut self, link: &Link) -> Change {
        if let Some(dump) = &mut self.dump {
            dump.links.insert(link.interface);
        }
        let mut change = Change::default();
        // Renumbered: the name stands for another link now, and what the old one had is gone with it.
        if let Some(old) = self.index(&link.name).filter(|old| *old != link.interface) {
            change = self.forget_link(old);
        }
        let old = self.known.get(&link.interface).map(|known| known.link.clone());
        if old.as_ref() == Some(link) {
            return change;
        }
        if let Some(old) = old {
            self.by_name.remove(&old.name);
        }
        self.by_name.insert(link.name.clone(), link.interface);
        let addresses = self.known.remove(&link.interface).map(|known| known.addresses).unwrap_or_default();
        self.known.insert(link.interface, Known { link: link.clone(), addresses });
        change.link = Some(link.interface);
        change.relevant = true;
        change
    }

    fn forget_link(&mut self, index: Interface) -> Change {
        let Some(known) = self.known.remove(&index) else { return Change::default() };
        self.by_name.remove(&known.link.name);
        Change { links_gone: Vec::from([index]), relevant: true, ..Change::default() }
    }

    fn learn_address(&mut self, on: Interface, new: Reported) -> Change {
        if let Some(dump) = &mut self.dump {
            dump.addresses.insert((on, new.address));
        }
        let Some(known) = self.known.get_mut(&on) else { return Change::default() };
        let has_room = known.addresses.len() < MAX_ADDRESSES;
        let relevant = match known.addresses.iter_mut().find(|old| old.address == new.address) {
            Some(old) if *old == new => false,
            Some(old) => {
                *old = new;
                true
            }
            None if has_room => {
                known.addresses.push(new);
                true
            }
            None => false,
        };
        Change { relevant, ..Change::default() }
    }

    fn forget_address(&mut self, on: Interface, address: IpNet) -> Change {
        if let Some(dump) = &mut self.dump {
            dump.addresses.remove(&(on, address));
        }
        let Some(known) = self.known.get_mut(&on) else { return Change::default() };
        let before = known.addresses.len();
        known.addresses.retain(|old| old.address != address);
        let relevant = known.addresses.len() != before;
        Change { gone: Vec::from([(on, address)]), relevant, ..Change::default() }
    }

    fn end_dump(&mut self) -> Change {
        // The end of what never began names nothing, which must not be taken for a host without links.
        let Some(dump) = self.dump.take() else { return Change::default() };
        let links_gone: Vec<Interface> =
            self.known.keys().copied().filter(|index| !dump.links.contains(index)).collect();
        for index in &links_gone {
            self.forget_link(*index);
        }
        let mut gone = Vec::new();
        for (index, known) in &mut self.known {
            known.addresses.retain(|old| {
                let kept = dump.addresses.contains(&(*index, old.address));
                if !kept {
                    gone.push((*index, old.address));
                }
                kept
            });
        }
        Change { links_gone, gone, link: None, relevant: true, complete: Some(dump) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn link(index: u32, name: &str) -> KernelNotice {
        KernelNotice::Link(Link {
            interface: Interface(index),
            name: name.into(),
            up: true,
            running: true,
            multicast: true,
            no_arp: false,
            mtu: 1500,
            mac: None,
        })
    }

    fn address(index: u32, address: &str) -> KernelNotice {
        KernelNotice::Address {
            on: Interface(index),
            address: address.parse().unwrap(),
            marked: false,
            tentative: false,
        }
    }

    #[test]
    fn what_a_dump_does_not_name_is_gone() {
        let mut links = Links::default();
        for notice in [link(1, "a"), link(2, "b"), address(1, "192.0.2.1/24"), address(1, "192.0.2.2/24")] {
            links.learn(Time::ZERO, &notice);
        }
        links.learn(Time::ZERO, &KernelNotice::ResyncBegin);
        links.learn(Time::ZERO, &link(1, "a"));
        links.learn(Time::ZERO, &address(1, "192.0.2.2/24"));
        let change = links.learn(Time::ZERO, &KernelNotice::ResyncEnd);
        assert_eq!(change.links_gone, vec![Interface(2)]);
        assert_eq!(change.gone, vec![(Interface(1), "192.0.2.1/24".parse().unwrap())]);
        assert!(change.complete.is_some());
        assert_eq!(links.index("b"), None);
    }

    #[test]
    fn the_end_of_a_dump_that_never_began_changes_nothing() {
        let mut links = Links::default();
        links.learn(Time::ZERO, &link(1, "a"));
        links.learn(Time::ZERO, &address(1, "192.0.2.1/24"));
        assert_eq!(links.learn(Time::ZERO, &KernelNotice::ResyncEnd), Change::default());
        assert_eq!(links.addresses(Interface(1)).len(), 1);
    }

    #[test]
    fn a_dump_that_is_begun_anew_forgets_what_the_broken_off_one_named() {
        let mut links = Links::default();
        links.learn(Time::ZERO, &link(1, "a"));
        links.learn(Time::ZERO, &link(2, "b"));
        for notice in [KernelNotice::ResyncBegin, link(1, "a"), KernelNotice::ResyncBegin, link(2, "b")] {
            links.learn(Time::ZERO, &notice);
        }
        let change = links.learn(Time::ZERO, &KernelNotice::ResyncEnd);
        assert_eq!((change.links_gone, change.complete.is_some()), (vec![Interface(1)], true));
    }

    #[test]
    fn a_renumbered_link_loses_its_old_index_and_addresses() {
        let mut links = Links::default();
        links.learn(Time::ZERO, &link(1, "a"));
        links.learn(Time::ZERO, &address(1, "192.0.2.1/24"));
        let change = links.learn(Time::ZERO, &link(9, "a"));
        assert_eq!(change.links_gone, vec![Interface(1)]);
        assert_eq!(links.index("a"), Some(Interface(9)));
        assert!(links.addresses(Interface(9)).is_empty());
    }

    #[test]
    fn a_renewed_address_is_no_change() {
        let mut links = Links::default();
        links.learn(Time::ZERO, &link(1, "a"));
        assert!(links.learn(Time::ZERO, &address(1, "192.0.2.1/24")).relevant);
        assert!(!links.learn(Time::ZERO, &address(1, "192.0.2.1/24")).relevant);
    }

    #[test]
    fn one_address_more_than_the_limit_is_not_remembered() {
        let mut links = Links::default();
        links.learn(Time::ZERO, &link(1, "a"));
        for n in 0..=u32::try_from(MAX_ADDRESSES).unwrap() {
            let ip = core::net::Ipv4Addr::from(0xc633_6400 + n);
            links.learn(Time::ZERO, &address(1, &std::format!("{ip}/32")));
        }
        assert_eq!(links.addresses(Interface(1)).len(), MAX_ADDRESSES);
    }
}
