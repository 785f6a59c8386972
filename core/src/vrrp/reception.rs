//! Where advertisements are received: one reception per interface and group or own address, shared by all virtual
//! routers that need it, open as long as one does. A refused one is tried again, and whoever depends on it is in
//! FAULT meanwhile: a router that cannot hear must not believe the silence.

use super::Routers;
use super::address::retry_after;
use super::instance::Instance;
use super::start::reception_words;
use super::world::{Asked, Tickets};
use crate::action::Action;
use crate::event::{Event, Role};
use crate::id::{InstanceId, Interface, Ticket};
use crate::input::Errno;
use crate::outbox::Context;
use crate::time::Time;
use crate::timers::{RouterTimer, TimerKey};
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;

/// What was asked for, and how it went.
#[derive(Debug, Default)]
pub(super) struct Receptions {
    open: BTreeMap<(Interface, IpAddr), Reception>,
}

#[derive(Debug)]
struct Reception {
    ticket: Option<Ticket>,
    attempts: u32,
    retry: Option<Time>,
}

impl Receptions {
    /// A link is gone; the kernel has closed what was open on it.
    pub(super) fn forget_link(&mut self, on: Interface) {
        for ((_, _), reception) in self.open.iter_mut().filter(|((link, _), _)| *link == on) {
            reception.retry = None;
        }
    }
}

fn ask(cx: &mut Context<'_>, tickets: &mut Tickets, on: Interface, at: IpAddr, open: bool) -> Ticket {
    let ticket = cx.out.ticket();
    if open {
        tickets.give(ticket, Asked::Receive(on, at));
    } else {
        tickets.give(ticket, Asked::Script); // nobody waits for a closing
    }
    cx.out.act(Action::Receive { ticket, on, at, open });
    ticket
}

impl Routers {
    /// Opens what is needed, closes what is not.
    pub(super) fn sync_receptions(&mut self, cx: &mut Context<'_>) {
        let needs = |instance: &&Instance| instance.role != Role::Init || instance.standing.leaving.is_some();
        let needed: BTreeSet<(Interface, IpAddr)> = self
            .instances
            .values()
            .filter(needs)
            .filter_map(|instance| self.world.listens_at(&instance.config))
            .collect();
        let unneeded: BTreeSet<(Interface, IpAddr)> =
            self.receptions.open.keys().copied().filter(|key| !needed.contains(key)).collect();
        for key in unneeded {
            self.close(cx, key);
        }
        for (on, at) in needed {
            if self.receptions.open.contains_key(&(on, at)) {
                continue;
            }
            let ticket = Some(ask(cx, &mut self.tickets, on, at, true));
            self.receptions.open.insert((on, at), Reception { ticket, attempts: 0, retry: None });
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, key: (Interface, IpAddr)) {
        if let Some(reception) = self.receptions.open.remove(&key) {
            if let Some(ticket) = reception.ticket {
                self.tickets.take(ticket);
            }
            self.world.deaf.remove(&key);
            ask(cx, &mut self.tickets, key.0, key.1, false);
        }
    }

    /// Closes everything: the node leaves.
    pub(super) fn close_receptions(&mut self, cx: &mut Context<'_>) {
        let all: BTreeSet<(Interface, IpAddr)> = self.receptions.open.keys().copied().collect();
        for key in all {
            self.close(cx, key);
        }
    }

    /// The kernel's answer.
    pub(super) fn on_received(
        &mut self,
        cx: &mut Context<'_>,
        on: Interface,
        at: IpAddr,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) {
        let Some(reception) = self.receptions.open.get_mut(&(on, at)).filter(|r| r.ticket == Some(ticket)) else {
            return;
        };
        reception.ticket = None;
        match result {
            Ok(()) => {
                reception.attempts = 0;
                if self.world.deaf.remove(&(on, at)) {
                    self.settle(cx);
                }
            }
            Err(errno) => {
                let is_first = reception.attempts == 0;
                reception.retry = Some(cx.now + retry_after(reception.attempts));
                reception.attempts = reception.attempts.saturating_add(1);
                if is_first {
                    let name = self.world.links.link(on).map_or("?", |link| &*link.name);
                    cx.out.tell(Event::Refused { what: reception_words(name), errno });
                    self.world.deaf.insert((on, at));
                    self.settle(cx);
                }
                self.arm_reception_retry(cx);
            }
        }
    }

    /// Uses the address retry of one instance that needs the reception.
    fn arm_reception_retry(&mut self, cx: &mut Context<'_>) {
        let Routers { receptions, instances, world, .. } = self;
        for (key, reception) in &receptions.open {
            let user: Option<InstanceId> =
                instances.values().find(|i| world.listens_at(&i.config) == Some(*key)).map(Instance::id);
            if let (Some(retry), Some(user)) = (reception.retry, user) {
                let timer = TimerKey::Router(user, RouterTimer::AddressRetry);
                if cx.timers.at(timer).is_none_or(|at| at > retry) {
                    cx.timers.arm(timer, retry);
                }
            }
        }
    }

    /// Tries again what was refused, when its time has come.
    pub(super) fn retry_receptions(&mut self, cx: &mut Context<'_>) {
        let Routers { receptions, tickets, .. } = self;
        for ((on, at), reception) in &mut receptions.open {
            if reception.retry.take_if(|retry| *retry <= cx.now).is_some() {
                reception.ticket = Some(ask(cx, tickets, *on, *at, true));
            }
        }
        self.arm_reception_retry(cx);
    }
}
