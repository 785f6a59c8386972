//! Telling the neighbours: blocks of announcements, their repetition, their pace and their limit.
//!
//! A block is `repeat` announcements of each address that the kernel has confirmed. Blocks come when an address
//! arrives, again after `garp_master_delay`, periodically, and after a lower advertisement. The last kind is limited
//! (keepalived sends a block for every lower advertisement, so that a forged stream is amplified by addresses times
//! repeat): the first may be a whole block, those that follow closely are one announcement of each address, and when
//! [`LOWER_ROOM`] is used up they are put off, not dropped, since the last one is what heals a split.

use super::instance::Instance;
use super::world::{Desk, PaceKey, Sharer};
use crate::action::Action;
use crate::config::model::Family;
use crate::id::Interface;
use crate::time::Time;
use crate::timers::RouterTimer;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One announcement after a lower advertisement is paid for by so much time.
pub(super) const LOWER_COST: Duration = Duration::from_millis(100);
/// So much may be owed: ten announcements of an address at once. Two rivals that yield within milliseconds are heard four
/// times, each at its own takeover and once more when it steps down, and their announcements lie in between, so that only
/// what answers the last of them heals the neighbours.
pub(super) const LOWER_ROOM: Duration = Duration::from_secs(1);
/// The most announcements of one address that wait for their turn; more would only repeat them.
pub(super) const MAX_PENDING: u32 = 64;

/// What is still to be announced.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Announcing {
    pending: BTreeMap<(Interface, IpAddr), u32>,
    last: Option<(Interface, IpAddr)>,
    /// When all announcements sent so far after lower advertisements are paid for.
    lower_from: Time,
    /// The second block after a lower advertisement.
    lower_again: Option<Time>,
}

impl Announcing {
    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.pending.clear();
        self.lower_again = None;
    }
}

impl Instance {
    /// Announces every address held, `repeat` times.
    pub(super) fn announce_block(&mut self, desk: &mut Desk<'_, '_>, repeat: u32) {
        for hold in &self.holds {
            if let (true, true, Some(on)) = (hold.wanted && repeat > 0, hold.owned, hold.on()) {
                let left = self.announcing.pending.entry((on, hold.spec.address.addr())).or_default();
                *left = repeat.min(MAX_PENDING).max(*left);
            }
        }
        self.pump(desk);
    }

    /// Announces one address that has just arrived, or a source address.
    pub(super) fn announce_one(
        &mut self,
        desk: &mut Desk<'_, '_>,
        on: Interface,
        address: IpAddr,
        repeat: u32,
    ) {
        self.announcing.pending.insert((on, address), repeat.min(MAX_PENDING));
        self.pump(desk);
    }

    /// Sends what the pace allows, round robin, and waits for the rest.
    pub(super) fn pump(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        let wait = loop {
            let mut keys: Vec<(Interface, IpAddr)> = self.announcing.pending.keys().copied().collect();
            let first = keys.partition_point(|key| self.announcing.last.is_some_and(|last| *key <= last));
            keys.rotate_left(first);
            let (mut sent, mut wait) = (false, None);
            for (on, address) in keys {
                let (key, gap) = pace_of(desk, on, address);
                if let Some(free) = desk.pace.get(&key).copied().filter(|free| *free > now) {
                    wait = Some(wait.map_or(free, |at: Time| at.min(free)));
                    continue;
                }
                if !gap.is_zero() {
                    desk.pace.insert(key, now + gap);
                }
                self.send_pending(desk, on, address);
                sent = true;
            }
            if !sent {
                break wait;
            }
        };
        match wait {
            Some(at) => self.arm(desk, RouterTimer::AnnouncePaced, at),
            None => self.disarm(desk, RouterTimer::AnnouncePaced),
        }
    }

    fn send_pending(&mut self, desk: &mut Desk<'_, '_>, on: Interface, address: IpAddr) {
        self.announcing.last = Some((on, address));
        if let Some(left) = self.announcing.pending.get_mut(&(on, address)) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.announcing.pending.remove(&(on, address));
            }
        }
        // Nobody to tell on a link without ARP.
        if !(address.is_ipv4() && desk.world.links.link(on).is_some_and(|link| link.no_arp)) {
            desk.cx.out.act(Action::Announce { on, address });
        }
    }

    /// The blocks after becoming master: the first one comes with each address (see [`super::address`]).
    pub(super) fn plan_announcements(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        let announce = &self.config.announce;
        let (delay, refresh) = (announce.delay, announce.refresh);
        if !delay.is_zero() {
            self.arm(desk, RouterTimer::AnnounceAgain, now + delay);
        }
        if !refresh.is_zero() {
            self.arm(desk, RouterTimer::AnnounceRefresh, now + delay + refresh);
        }
        self.plan_extra(desk);
    }

    /// `garp_extra_if`. keepalived looks at virtual MACs only, unless told `all`; here every address on another interface
    /// than the router's own is announced.
    fn plan_extra(&mut self, desk: &mut Desk<'_, '_>) {
        let extra = self.config.announce.extra;
        let elsewhere = self.holds.iter().any(|hold| hold.spec.interface != self.config.router.interface);
        if elsewhere && !extra.is_zero() {
            let at = desk.now() + extra;
            self.arm(desk, RouterTimer::AnnounceExtra, at);
        }
    }

    /// Switches on the way to the other interfaces may have forgotten us.
    pub(super) fn on_announce_extra(&mut self, desk: &mut Desk<'_, '_>) {
        for hold in self.holds.iter().filter(|hold| hold.spec.interface != self.config.router.interface) {
            if let (true, true, Some(on)) = (hold.wanted, hold.owned, hold.on()) {
                self.announcing.pending.entry((on, hold.spec.address.addr())).or_insert(1);
            }
        }
        self.pump(desk);
        self.plan_extra(desk);
    }

    /// A lower advertisement was heard: whoever sent it may have told the neighbours of itself. Returns false when a
    /// block went out so recently that this one is put off.
    pub(super) fn announce_after_lower(&mut self, desk: &mut Desk<'_, '_>) -> bool {
        let now = desk.now();
        let (repeat, delay) = (self.config.announce.lower_repeat, self.config.announce.lower_delay);
        // One second block after the last of several, where keepalived has one for each.
        self.announcing.lower_again = (!delay.is_zero()).then(|| now + delay);
        let owed = self.announcing.lower_from.since(now);
        let repeat = if owed.is_zero() { repeat } else { repeat.min(1) };
        if owed + LOWER_COST > LOWER_ROOM {
            self.arm(desk, RouterTimer::AnnounceLower, now + (owed + LOWER_COST - LOWER_ROOM));
            return false;
        }
        self.announce_lower(desk, repeat);
        true
    }

    pub(super) fn on_announce_lower(&mut self, desk: &mut Desk<'_, '_>) {
        let again = self.announcing.lower_again.take_if(|at| *at <= desk.now());
        let repeat = self.config.announce.lower_repeat;
        self.announce_lower(desk, if again.is_some() { repeat } else { repeat.min(1) });
    }

    fn announce_lower(&mut self, desk: &mut Desk<'_, '_>, repeat: u32) {
        let cost = (LOWER_COST * repeat.min(MAX_PENDING)).min(LOWER_ROOM / 2);
        self.announcing.lower_from = self.announcing.lower_from.max(desk.now()) + cost;
        self.announce_block(desk, repeat);
        if let Some(again) = self.announcing.lower_again {
            self.arm(desk, RouterTimer::AnnounceLower, again);
        }
    }

    pub(super) fn on_announce_again(&mut self, desk: &mut Desk<'_, '_>) {
        let repeat = self.config.announce.repeat;
        self.announce_block(desk, repeat);
    }

    pub(super) fn on_announce_refresh(&mut self, desk: &mut Desk<'_, '_>) {
        let announce = &self.config.announce;
        let (repeat, refresh) = (announce.refresh_repeat, announce.refresh);
        self.announce_block(desk, repeat);
        if !refresh.is_zero() {
            let at = desk.now() + refresh;
            self.arm(desk, RouterTimer::AnnounceRefresh, at);
        }
    }
}

/// Who shares the pace of an address, and the gap to the next announcement.
fn pace_of(desk: &Desk<'_, '_>, on: Interface, address: IpAddr) -> (PaceKey, Duration) {
    let links = &desk.world.node.links;
    let name = desk.world.links.link(on).map(|link| &link.name);
    let group =
        links.groups.iter().position(|group| name.is_some_and(|name| group.interfaces.contains(name)));
    let gap = group.and_then(|nth| links.groups.get(nth)).map_or(links.gap, |group| group.gap);
    let shared = group.map_or(Sharer::Link(on), Sharer::Group);
    match address {
        IpAddr::V4(_) => ((shared, Family::V4), gap.arp),
        IpAddr::V6(_) => ((shared, Family::V6), gap.na),
    }
}
