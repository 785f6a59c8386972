//! A simulated kernel: links, addresses with lifetimes, requests carried out in order, some of them badly.
//!
//! Lifetimes end at the kernel's grain: whole seconds, and up to a quarter of a second late, where the kernel rounds its
//! timer (Linux, `check_lifetime`; measured: 0.97 to 1.25 s for 1 s). What a kernel holds outlives the process that asked
//! for it, never a power loss. Not modelled: after any change of an address with a lifetime Linux looks for ended ones
//! only a second later, so that addresses that are not renewed together may outlive theirs by another second.

use ipnet::IpNet;
use standfast_core::config::item::Item;
use standfast_core::id::{Interface, Ticket};
use standfast_core::input::{Errno, KernelNotice, Link};
use standfast_core::rng::Rng;
use standfast_core::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A lifetime ends at the earliest so long before its whole seconds are over.
const EARLY: Duration = Duration::from_millis(70);
/// A lifetime's end varies by so much.
const GRAIN: Duration = Duration::from_millis(320);
/// A notice of a slow kernel is read so late at most, in nanoseconds: less than a daemon waits for those of its own doing.
const LATE_NOTICE: u64 = 500_000_000;
/// A notice needs this time at least.
const PROMPT: Duration = Duration::from_micros(50);
/// The latest that an address outlives its lifetime.
pub const LATEST: Duration = Duration::from_millis(250);

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Its name.
    pub name: Arc<str>,
    /// It has carrier.
    pub running: bool,
}

/// One address that the kernel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// It carries the mark of a VRRP daemon.
    pub marked: bool,
    /// When its lifetime ends.
    pub ends: Option<Time>,
    /// Grows with every renewal, so that the end of an older lifetime is known as such.
    pub renewal: u64,
}

/// A request as it waits to be carried out.
#[derive(Clone, Debug)]
pub struct Request {
    /// For the answer.
    pub ticket: Ticket,
    /// Where.
    pub on: Interface,
    /// Which.
    pub address: IpNet,
    /// Own it, or give it up.
    pub own: bool,
    /// Lifetime.
    pub lease: Option<Duration>,
}

/// How a kernel misbehaves at the moment; each is a count of overlapping faults.
#[derive(Clone, Debug, Default)]
pub struct Mood {
    /// Refuses address requests with this number.
    pub refuses: Vec<Errno>,
    /// Answers late.
    pub slow: u32,
    /// Carries out, but the answer is lost.
    pub mute: u32,
    /// Notices are lost; a dump follows when the last of these faults ends.
    pub blind: u32,
    /// Somebody else has the host's own IPv6 addresses: duplicate address detection fails, they stay tentative.
    pub doubled: u32,
}

/// A kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its links.
    pub links: BTreeMap<Interface, LinkState>,
    /// Its addresses.
    pub addresses: BTreeMap<(Interface, IpNet), Held>,
    /// How it misbehaves.
    pub mood: Mood,
    /// Its random stream.
    pub rng: Rng,
    /// Routes, rules and static addresses that were added.
    items: BTreeSet<Item>,
    busy_until: Time,
    said_until: Time,
    renewals: u64,
}

impl Kernel {
    /// A kernel with `links` and its own `addresses`.
    #[must_use]
    pub fn new(links: BTreeMap<Interface, LinkState>, addresses: &[(Interface, IpNet)], rng: Rng) -> Kernel {
        let own = Held { marked: false, ends: None, renewal: 0 };
        let addresses = addresses.iter().map(|at| (*at, own)).collect();
        let (busy_until, said_until, items) = (Time::ZERO, Time::ZERO, BTreeSet::new());
        Kernel { links, addresses, mood: Mood::default(), rng, items, busy_until, said_until, renewals: 0 }
    }

    /// When a request made at `now` is carried out: in order, after at most `apply`, or 20 times that when slow.
    pub fn turn(&mut self, now: Time, apply: Duration) -> Time {
        let span = u64::try_from(apply.as_nanos()).unwrap_or(u64::MAX);
        let span = if self.mood.slow > 0 { span.saturating_mul(20) } else { span };
        let at = now + Duration::from_nanos(self.rng.below(span.max(1)));
        self.busy_until = self.busy_until.max(at);
        self.busy_until
    }

    /// When a notice of what happens at `now` is read: in order, by a socket of its own, so that with a slow kernel it may
    /// come long after the answer to the request that caused it.
    pub fn notice_turn(&mut self, now: Time) -> Time {
        let late = if self.mood.slow > 0 { self.rng.below(LATE_NOTICE) } else { 0 };
        self.said_until = self.said_until.max(now + PROMPT + Duration::from_nanos(late));
        self.said_until
    }

    /// Carries out `request`; gives the answer, and the notice when something changed.
    pub fn apply(&mut self, now: Time, request: &Request) -> (Result<(), Errno>, Option<KernelNotice>) {
        if let Some(errno) = self.mood.refuses.last() {
            return (Err(*errno), None);
        }
        let (on, address) = (request.on, request.address);
        if !self.links.contains_key(&on) {
            return (Err(Errno::ENODEV), None);
        }
        if !request.own {
            return match self.addresses.remove(&(on, address)) {
                Some(_) => (Ok(()), Some(KernelNotice::AddressGone { on, address })),
                None => (Err(Errno::EADDRNOTAVAIL), None),
            };
        }
        self.renewals += 1;
        let ends = request.lease.map(|lease| {
            let whole = Duration::from_secs(lease.as_secs() + u64::from(lease.subsec_nanos() > 0));
            let grain = self.rng.below(u64::try_from(GRAIN.as_nanos()).unwrap_or(0));
            now + (whole.saturating_sub(EARLY) + Duration::from_nanos(grain))
        });
        self.addresses.insert((on, address), Held { marked: true, ends, renewal: self.renewals });
        (Ok(()), Some(KernelNotice::Address { on, address, marked: true, tentative: false }))
    }

    /// It has this route, rule or static address.
    #[must_use]
    pub fn has(&self, item: &Item) -> bool {
        self.items.contains(item)
    }

    /// Adds or removes a route, a rule or a static address, in an instant.
    ///
    /// # Errors
    /// `EEXIST` for what is there, `ESRCH` for what is not, or what the kernel refuses everything with.
    pub fn item(&mut self, item: &Item, own: bool) -> Result<(), Errno> {
        if let Some(errno) = self.mood.refuses.last() {
            return Err(*errno);
        }
        match (own, self.items.contains(item)) {
            (true, true) => Err(Errno::EEXIST),
            (false, false) => Err(Errno::ESRCH),
            (true, false) => {
                self.items.insert(item.clone());
                Ok(())
            }
            (false, true) => {
                self.items.remove(item);
                Ok(())
            }
        }
    }

    /// Takes `address` away: an operator, or the end of a lifetime.
    pub fn take_away(&mut self, on: Interface, address: IpNet) -> Option<KernelNotice> {
        self.addresses.remove(&(on, address)).map(|_| KernelNotice::AddressGone { on, address })
    }

    /// Loses everything that a power loss loses.
    pub fn power_loss(&mut self) {
        self.addresses.retain(|_, held| !held.marked);
        self.items.clear();
        self.mood = Mood::default();
    }

    /// It holds `address` on some link.
    #[must_use]
    pub fn owns(&self, address: IpNet) -> bool {
        self.addresses.keys().any(|(_, held)| *held == address)
    }

    /// `address`, so held, cannot be used: it is an IPv6 one of the host's own (virtual ones are not asked about), and
    /// somebody else has it, too.
    #[must_use]
    pub fn tentative(&self, address: IpNet, held: Held) -> bool {
        self.mood.doubled > 0 && !held.marked && address.addr().is_ipv6()
    }

    /// Everything there is, as a dump says it.
    #[must_use]
    pub fn dump(&self) -> Vec<KernelNotice> {
        let mut dump = vec![KernelNotice::ResyncBegin];
        dump.extend(self.links.iter().map(|(on, link)| notice(*on, link)));
        dump.extend(self.addresses.iter().map(|((on, address), held)| KernelNotice::Address {
            on: *on,
            address: *address,
            marked: held.marked,
            tentative: self.tentative(*address, *held),
        }));
        dump.push(KernelNotice::ResyncEnd);
        dump
    }
}

/// How `link` stands, as the kernel says it.
#[must_use]
pub fn notice(on: Interface, link: &LinkState) -> KernelNotice {
    let last = u8::try_from(on.0 & 0xff).unwrap_or(0);
    KernelNotice::Link(Link {
        interface: on,
        name: link.name.clone(),
        up: true,
        running: link.running,
        multicast: true,
        no_arp: false,
        mtu: 1500,
        mac: Some([2, 0, 0, 0, 0, last]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::rng::Seed;

    fn request(lease: u64) -> Request {
        let address = "192.0.2.100/32".parse().unwrap();
        let lease = Some(Duration::from_secs(lease));
        Request { ticket: Ticket(1), on: Interface(2), address, own: true, lease }
    }

    fn kernel() -> Kernel {
        let link = LinkState { name: "eth0".into(), running: true };
        Kernel::new([(Interface(2), link)].into(), &[], Rng::new(Seed(1)))
    }

    #[test]
    fn a_lifetime_of_one_second_ends_as_measured_on_linux() {
        let mut kernel = kernel();
        for _ in 0..100 {
            assert_eq!(kernel.apply(Time::ZERO, &request(1)).0, Ok(()));
            let ends = kernel.addresses.values().next().unwrap().ends.unwrap();
            assert!(ends >= Time::from_millis(930) && ends <= Time::from_millis(1_250), "{ends}");
        }
    }

    #[test]
    fn requests_are_carried_out_in_order() {
        let mut kernel = kernel();
        let mut last = Time::ZERO;
        for _ in 0..100 {
            let at = kernel.turn(Time::ZERO, Duration::from_millis(5));
            assert!(at >= last);
            last = at;
        }
    }
}
