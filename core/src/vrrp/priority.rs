//! What trackers do: reasons for FAULT, and the effective priority.
//!
//! Everything is computed anew from the host and the verdicts as they stand, so that nothing can be counted twice.
//! A check without a verdict contributes nothing; one without weight holds a virtual router back until it has one,
//! but only before its start.

use super::election::{self, OWNER};
use super::instance::{Duel, Instance};
use super::world::{Desk, World};
use crate::config::model::{Destination, InstanceConfig, Tracked, Tracker};
use crate::event::{Event, Role};
use crate::timers::RouterTimer;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// A reason for FAULT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Fault {
    /// The interface does not exist.
    NoInterface(Arc<str>),
    /// A tracked link is down.
    Link(Arc<str>),
    /// No address to send from.
    NoSource(Arc<str>),
    /// The configured source is not on the interface (`track_src_ip`).
    SourceGone(IpAddr),
    /// The kernel refuses reception: the silence would prove nothing.
    Deaf(Arc<str>),
    /// A static item that it follows cannot be there; in words.
    Item(String),
    /// Unicast, and nobody to talk to (`unicast_fault_no_peer`).
    NoPeer,
    /// A tracked check or BFD session without weight has failed, or a tracked file asks for it; in words.
    Check(String),
}

impl Fault {
    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Fault::NoInterface(name) => format!("interface {name} does not exist"),
            Fault::Link(name) => format!("interface {name} is down"),
            Fault::NoSource(name) => format!("no source address on {name}"),
            Fault::SourceGone(source) => format!("source address {source} is gone"),
            Fault::Deaf(name) => format!("cannot receive advertisements on {name}"),
            Fault::Check(failure) | Fault::Item(failure) => failure.clone(),
            Fault::NoPeer => String::from("there is no unicast peer"),
        }
    }
}

/// Whether a tracker is healthy; `None` while unknown.
fn healthy(world: &World, tracker: &Tracker) -> Option<bool> {
    match &tracker.what {
        Tracked::Interface(name) => Some(world.usable(name)),
        Tracked::Check(check) => world.verdicts.get(check).copied(),
        // Never unknown: a session starts Down, and who depends on it waits for it (keepalived).
        Tracked::Session(session) => Some(world.session_is_up(*session)),
    }
}

/// All reasons for FAULT as things stand.
pub(super) fn faults(world: &World, config: &InstanceConfig) -> BTreeSet<Fault> {
    let mut faults = BTreeSet::new();
    let interface = &config.router.interface;
    if world.interface(config).is_none() {
        faults.insert(Fault::NoInterface(interface.clone()));
        return faults; // the rest would only repeat it
    }
    for tracker in config.trackers.iter().filter(|tracker| tracker.weight == 0) {
        if healthy(world, tracker) == Some(tracker.reverse) {
            faults.insert(match &tracker.what {
                Tracked::Interface(name) => Fault::Link(name.clone()),
                Tracked::Check(check) => Fault::Check(world.check_failure(*check)),
                Tracked::Session(session) => Fault::Check(world.session_failure(*session)),
            });
        }
    }
    for tracker in config.trackers.iter().filter(|tracker| tracker.weight != 0) {
        // keepalived: a file can ask for a fault by a product that no priority could pay.
        if let (Tracked::Check(check), Some(..=FAULT_PRODUCT)) = (&tracker.what, product(world, tracker)) {
            faults.insert(Fault::Check(world.check_failure(*check)));
        }
    }
    match (world.source(config), config.transport.source) {
        (None, _) => {
            faults.insert(Fault::NoSource(interface.clone()));
        }
        (Some(_), Some(source)) if config.transport.track_source && !world.holds_source(config, source) => {
            faults.insert(Fault::SourceGone(source));
        }
        (Some(_), _) => {}
    }
    faults.extend(
        world.missing.iter().filter(|(id, _)| *id == config.id).map(|(_, what)| Fault::Item(what.clone())),
    );
    if matches!(&config.transport.to, Destination::Unicast(peers) if peers.is_empty()) {
        faults.insert(Fault::NoPeer);
    }
    if world.listens_at(config).is_some_and(|at| world.deaf.contains_key(&at)) {
        faults.insert(Fault::Deaf(interface.clone()));
    }
    faults
}

/// At this product of a file's number and its weight, and below, the router is in FAULT.
const FAULT_PRODUCT: i32 = -254;

/// The number of a tracked file times its weight; `None` for any other tracker, and before the first look.
fn product(world: &World, tracker: &Tracker) -> Option<i32> {
    let Tracked::Check(check) = &tracker.what else { return None };
    let weight = i32::from(tracker.weight);
    let weight = if tracker.reverse { -weight } else { weight };
    world.numbers.get(check).map(|number| number.saturating_mul(weight))
}

/// Whether a first result is outstanding that decides over FAULT.
pub(super) fn is_held(world: &World, config: &InstanceConfig) -> bool {
    config.trackers.iter().any(|tracker| tracker.weight == 0 && healthy(world, tracker).is_none())
}

/// The effective priority: base plus contributions, within 1..=254; an owner's never changes.
pub(super) fn effective(world: &World, config: &InstanceConfig) -> u8 {
    let base = config.election.priority;
    if base == OWNER {
        return OWNER;
    }
    let total = config.trackers.iter().fold(i32::from(base), |sum, tracker| {
        if let Some(product) = product(world, tracker) {
            return sum.saturating_add(product.clamp(FAULT_PRODUCT, i32::from(election::HIGHEST) - 1));
        }
        let weight = i32::from(tracker.weight);
        let gain = match healthy(world, tracker) {
            Some(true) => weight.max(0),
            Some(false) => weight.min(0),
            None => 0,
        };
        sum.saturating_add(if tracker.reverse { -gain } else { gain })
    });
    u8::try_from(total.clamp(1, i32::from(election::HIGHEST))).unwrap_or(election::HIGHEST)
}

impl Instance {
    /// Takes a new effective priority; a running `Master_Down` is shifted by the difference it makes.
    pub(super) fn set_effective(&mut self, desk: &mut Desk<'_, '_>, to: u8) {
        if to == self.effective {
            return;
        }
        let (from, before) = (self.effective, self.master_down());
        self.effective = to;
        self.shift_down(desk, before);
        let (instance, name) = (self.id(), self.name().clone());
        let state = match self.role {
            Role::Master => Some("MASTER_PRIORITY"),
            Role::Backup => Some("BACKUP_PRIORITY"),
            Role::Init | Role::Fault => None,
        };
        if let Some(state) = state.filter(|_| self.config.notify.priorities) {
            desk.write("INSTANCE", &name, state, to);
        }
        desk.tell(Event::Priority { instance, name, from, to });
    }

    /// Shifts a running `Master_Down` by what it has grown since it was `before`.
    pub(super) fn shift_down(&mut self, desk: &mut Desk<'_, '_>, before: core::time::Duration) {
        if let (Some(at), Role::Backup) = (self.clock.down_at, self.role) {
            let at = at.shifted(self.master_down(), before).max(desk.now());
            self.arm(desk, RouterTimer::MasterDown, at);
        }
    }

    /// Computes faults and priority anew.
    pub(super) fn assess(&mut self, desk: &mut Desk<'_, '_>) {
        self.standing.faults = faults(desk.world, &self.config);
        self.standing.held = is_held(desk.world, &self.config);
        if self.duel != Some(Duel::SteppedAside) {
            let effective = effective(desk.world, &self.config);
            self.set_effective(desk, effective);
        }
    }

    /// After a fault in unicast mode: the master's neighbour cache must find us again, else it talks to nobody.
    pub(super) fn announce_source(&mut self, desk: &mut Desk<'_, '_>) {
        let config = self.config.clone();
        match &config.transport.to {
            Destination::Multicast(_) => {}
            Destination::Unicast(_) => {
                if let (Some(on), Some(source)) = (desk.world.interface(&config), desk.world.source(&config))
                {
                    self.announce_one(desk, on, source, 1);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/priority.rs"]
mod tests;
