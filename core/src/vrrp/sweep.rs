//! Addresses that are on a link and that nobody here wants: what a killed run left, what the kernel names later with a
//! VRRP daemon's mark, what a reload dropped before the kernel had removed it.
//!
//! Only configured addresses, and at the start those with the mark, are ever touched. A removal whose answer is late,
//! lost or an error is asked for again, with back-off, until the kernel says that the address is gone or a virtual
//! router wants it again. Invariant: a removal is never repeated for an address that is wanted.

use super::Routers;
use super::address::retry_after;
use super::instance::Instance;
use super::world::{Asked, Desk};
use crate::action::{Action, AddressOptions};
use crate::event::{Event, Role};
use crate::id::{InstanceId, Interface, Ticket};
use crate::input::{Errno, KernelNotice};
use crate::outbox::Context;
use crate::time::Time;
use crate::timers::TimerKey;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The most removals that are repeated; one more is asked for once.
pub(super) const MAX_LEFTOVERS: usize = 4096;

/// A removal that nobody but this list waits for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Removal {
    ticket: Ticket,
    attempts: u32,
    retry: Time,
}

/// All of them.
pub(super) type Leftovers = BTreeMap<(Interface, IpNet), Removal>;

/// A removal under way whose virtual router no longer has the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orphan {
    pub(super) ticket: Ticket,
    pub(super) on: Interface,
    pub(super) address: IpNet,
}

impl Routers {
    /// Deals with addresses that a killed run left: what is about to be ours is adopted, the rest removed before
    /// anything is sent.
    pub(super) fn sweep(&mut self, cx: &mut Context<'_>) {
        let found: Vec<(Interface, Arc<str>, IpNet, bool)> =
            self.world.links.all().map(|(on, name, a)| (on, name.clone(), a.address, a.marked)).collect();
        for (on, name, address, marked) in found {
            match self.configured(&name, address) {
                Some(id) => {
                    let adopted = self.starts_at_once(cx.now, id);
                    cx.out.tell(Event::Leftover { on, address, adopted });
                    self.at_desk(cx, id, |instance, desk| instance.sweep(desk, address, &name, adopted));
                }
                None if marked && !self.items.has_address(&name, address) => {
                    cx.out.tell(Event::Leftover { on, address, adopted: false });
                    self.remove_leftover(cx, on, address, 0);
                }
                None => {}
            }
        }
    }

    /// The kernel names an address with the mark, in a dump or by itself: a leftover, when it is one of ours and
    /// nobody wants it. Its link may have come late, or been believed gone with all its addresses.
    pub(super) fn sweep_named(&mut self, cx: &mut Context<'_>, notice: &KernelNotice) {
        let KernelNotice::Address { on, address, marked: true, .. } = *notice else { return };
        let Some(name) = self.world.links.link(on).map(|link| link.name.clone()) else { return };
        let Some(id) = self.configured(&name, address).filter(|_| !self.stage.left) else { return };
        let busy = |instance: &Instance| {
            let mut holds = instance.holds.iter().filter(|h| h.is_at(&name, address));
            holds.any(|hold| hold.wanted || hold.is_removing(cx.now))
        };
        if !self.instances.values().any(busy) {
            cx.out.tell(Event::Leftover { on, address, adopted: false });
            self.at_desk(cx, id, |instance, desk| instance.sweep(desk, address, &name, false));
        }
    }

    /// The first virtual router that has this address in its configuration.
    fn configured(&self, interface: &str, address: IpNet) -> Option<InstanceId> {
        let has = |i: &&Instance| i.holds.iter().any(|hold| hold.is_at(interface, address));
        self.instances.values().find(has).map(Instance::id)
    }

    /// It becomes master within this very input.
    pub(super) fn starts_at_once(&self, now: Time, id: InstanceId) -> bool {
        self.world.quiet_until <= now
            && self.together(id).iter().filter_map(|member| self.instances.get(member)).all(|member| {
                member.starts_as_master() && member.standing.faults.is_empty() && !member.standing.held
            })
    }

    fn remove_leftover(&mut self, cx: &mut Context<'_>, on: Interface, address: IpNet, attempts: u32) {
        let ticket = cx.out.ticket();
        self.watch(cx, Orphan { ticket, on, address }, attempts);
        let how = Arc::new(AddressOptions::default());
        cx.out.act(Action::Address { ticket, on, address, own: false, lease: None, how });
    }

    fn watch(&mut self, cx: &mut Context<'_>, orphan: Orphan, attempts: u32) {
        let Orphan { ticket, on, address } = orphan;
        let retry = cx.now + retry_after(attempts);
        self.tickets.give(ticket, Asked::Leftover(on, address));
        if self.leftovers.len() < MAX_LEFTOVERS || self.leftovers.contains_key(&(on, address)) {
            self.leftovers.insert((on, address), Removal { ticket, attempts, retry });
        }
        self.arm_leftovers(cx);
    }

    /// Goes on with removals whose virtual router was changed or taken away by a reload. What another virtual router
    /// has gained by the same reload is asked for once more, since the removal may have been asked for last.
    pub(super) fn adopt(&mut self, cx: &mut Context<'_>, orphans: Vec<Orphan>) {
        for orphan in orphans {
            if !self.is_wanted(orphan.on, orphan.address) {
                self.watch(cx, orphan, 0);
                continue;
            }
            let Some(name) = self.world.links.link(orphan.on).map(|link| link.name.clone()) else { continue };
            self.everyone(cx, |instance, desk| {
                let id = instance.id();
                let mut holds = instance.holds.iter_mut();
                if let Some(hold) = holds.find(|hold| hold.wanted && hold.is_at(&name, orphan.address)) {
                    hold.reclaim(desk, id);
                }
                instance.arm_retry(desk);
            });
        }
    }

    /// The kernel's answer.
    pub(super) fn on_leftover_done(
        &mut self,
        cx: &mut Context<'_>,
        key: (Interface, IpNet),
        ticket: Ticket,
        result: Result<(), Errno>,
    ) {
        let removal = self.leftovers.get(&key).filter(|removal| removal.ticket == ticket);
        match result {
            Ok(()) | Err(Errno::EADDRNOTAVAIL | Errno::ENODEV) => {
                if removal.is_some() {
                    self.leftovers.remove(&key);
                }
            }
            Err(errno) => {
                if removal.is_none_or(|removal| removal.attempts == 0) {
                    cx.out.tell(Event::Refused { what: format!("remove address {}", key.1), errno });
                }
            }
        }
        self.arm_leftovers(cx);
    }

    /// Asks again where the time has come.
    pub(crate) fn on_leftover_timer(&mut self, cx: &mut Context<'_>) {
        self.wake(cx);
        let due: Vec<(Interface, IpNet, u32)> = self
            .leftovers
            .iter()
            .filter(|(_, removal)| removal.retry <= cx.now)
            .map(|((on, address), removal)| (*on, *address, removal.attempts))
            .collect();
        for (on, address, attempts) in due {
            if let Some(old) = self.leftovers.remove(&(on, address)) {
                self.tickets.take(old.ticket);
            }
            if !self.is_wanted(on, address) {
                self.remove_leftover(cx, on, address, attempts.saturating_add(1));
            }
        }
        self.arm_leftovers(cx);
    }

    fn is_wanted(&self, on: Interface, address: IpNet) -> bool {
        let Some(link) = self.world.links.link(on) else { return false };
        let mut holds = self.instances.values().flat_map(|instance| &instance.holds);
        holds.any(|hold| hold.wanted && hold.is_at(&link.name, address))
    }

    fn arm_leftovers(&self, cx: &mut Context<'_>) {
        match self.leftovers.values().map(|removal| removal.retry).min() {
            Some(at) => cx.timers.arm(TimerKey::Leftover, at),
            None => cx.timers.disarm(TimerKey::Leftover),
        }
    }
}

impl Instance {
    fn sweep(&mut self, desk: &mut Desk<'_, '_>, address: IpNet, interface: &str, adopted: bool) {
        debug_assert!(adopted || self.role != Role::Master, "a master sweeps nothing of its own");
        let id = self.id();
        let hold = self.holds.iter_mut().find(|hold| hold.is_at(interface, address));
        if let Some(hold) = hold.filter(|_| !adopted) {
            hold.sweep(desk, id);
        }
        self.arm_retry(desk);
    }
}
