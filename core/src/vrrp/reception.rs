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
use crate::id::{Interface, Ticket};
use crate::input::Errno;
use crate::outbox::Context;
use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// What was asked for, and how it went.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Receptions {
    open: BTreeMap<(Interface, IpAddr), Reception>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reception {
    ticket: Option<Ticket>,
    attempts: u32,
}

impl Receptions {
    /// Where something is open, or about to be.
    pub(super) fn places(&self) -> BTreeSet<(Interface, IpAddr)> {
        self.open.keys().copied().collect()
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
            self.receptions.open.insert((on, at), Reception { ticket, attempts: 0 });
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
        let Some(reception) = self.receptions.open.get_mut(&(on, at)).filter(|r| r.ticket == Some(ticket))
        else {
            return;
        };
        reception.ticket = None;
        match result {
            Ok(()) => {
                reception.attempts = 0;
                if self.world.deaf.remove(&(on, at)).is_some() {
                    self.settle(cx);
                }
            }
            Err(errno) => {
                let retry = cx.now + retry_after(reception.attempts);
                reception.attempts = reception.attempts.saturating_add(1);
                if self.world.deaf.insert((on, at), retry).is_none() {
                    let name = self.world.links.link(on).map_or("?", |link| &*link.name);
                    cx.out.tell(Event::Refused { what: reception_words(name), errno });
                    self.settle(cx);
                }
                self.everyone(cx, Instance::arm_retry);
            }
        }
    }

    /// Tries again what was refused, when its time has come.
    pub(super) fn retry_receptions(&mut self, cx: &mut Context<'_>) {
        let due: BTreeSet<(Interface, IpAddr)> =
            self.world.deaf.iter().filter(|(_, retry)| **retry <= cx.now).map(|(key, _)| *key).collect();
        for (on, at) in due {
            let Some(reception) = self.receptions.open.get_mut(&(on, at)) else { continue };
            self.world.deaf.insert((on, at), cx.now + retry_after(reception.attempts));
            if let Some(old) = reception.ticket.take() {
                self.tickets.take(old);
            }
            reception.ticket = Some(ask(cx, &mut self.tickets, on, at, true));
        }
        self.everyone(cx, Instance::arm_retry);
    }
}
