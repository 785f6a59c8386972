//! How a master ceases to be one: A5 (it yields to a better one only), A7 (a failed script is followed by a farewell),
//! E4 (a planned departure makes before it breaks), S1 (a stopped node leaves nothing open).
//!
//! Looked at when a node tells of its role, gives an address up, or says that it has stopped.

use super::Broken;
use crate::des::host::{Parting, Process};
use crate::des::lan::{Body, Frame};
use crate::des::shape::RouterKey;
use crate::des::world::World;
use ipnet::IpNet;
use standfast_core::config::model::Family;
use standfast_core::event::{Event, Role, Why};
use standfast_core::id::InstanceId;
use standfast_core::time::Time;
use standfast_core::vrrp::election::skew;
use standfast_core::vrrp::{HANDOVER_GRACE, LEAVE_AT_MOST};
use std::time::Duration;

/// What a timer may be late by, on a machine that is not slow.
const LATE: Duration = Duration::from_millis(2);

/// What a change of role says about parting.
pub(super) fn role(world: &mut World, host: usize, event: &Event) -> Broken {
    let Event::Role { instance, from: Role::Master, to, why, priority, .. } = event else { return None };
    let h = &mut world.hosts[host];
    let config = h.config.instances.get(instance)?.clone();
    let v6 = config.router.family == Family::V6;
    match why {
        Why::Better { from, priority: theirs } => {
            let own = h.own.iter().map(|(_, own)| *own).find(|own| own.is_ipv6() == v6)?;
            // Addresses of one family compare as the numbers that they are.
            ((*theirs, *from) <= (*priority, own))
                .then(|| ("A5", format!("{} yields with {priority} to {from} with {theirs}", config.name)))
        }
        Why::Tracked { what } if *to == Role::Fault && what.starts_with("script ") => {
            let said = h.process.as_ref()?.seen.farewells.said.contains(&(config.router.vrid, v6));
            (!said).then(|| ("A7", format!("{} goes into fault without a farewell", config.name)))
        }
        Why::Order | Why::Stop if *to == Role::Init => {
            let since = h.read(world.now);
            h.process
                .as_mut()?
                .seen
                .farewells
                .parting
                .insert(*instance, Parting { since, heard: None, late: false });
            None
        }
        Why::Start
        | Why::Owner
        | Why::MasterDown { .. }
        | Why::Farewell { .. }
        | Why::Tracked { .. }
        | Why::Recovered
        | Why::Group
        | Why::AddressLost { .. }
        | Why::Order
        | Why::Stop
        | Why::Reload => None,
    }
}

/// Remembers when a parting node first heard its successor.
pub(super) fn successor_heard(world: &mut World, host: usize, frame: &Frame, id: InstanceId) {
    let is_parting = |process: &Process| process.seen.farewells.parting.contains_key(&id);
    let Body::Advert { payload, .. } = &frame.body else { return };
    // An echo is no successor.
    if frame.sender == host || !world.hosts[host].process.as_ref().is_some_and(is_parting) {
        return;
    }
    let now = world.hosts[host].read(world.now);
    let reloaded = |of: usize| world.hosts[of].machine.reloaded.is_some_and(|at| at > Time::ZERO);
    // Whose configuration was changed may not be understood.
    let unsure = frame.sender >= world.hosts.len() || reloaded(frame.sender) || reloaded(host);
    let Some(process) = &mut world.hosts[host].process else { return };
    if unsure {
        process.seen.farewells.parting.remove(&id);
    } else if let Some(parting) =
        process.seen.farewells.parting.get_mut(&id).filter(|_| payload.get(2) != Some(&0))
    {
        parting.heard.get_or_insert(now);
    }
}

/// A new configuration or another order: what parts may do so at once.
pub(super) fn forget(world: &mut World, host: usize) {
    if let Some(process) = &mut world.hosts[host].process {
        process.seen.farewells.parting.clear();
    }
}

/// E4: the address stays until a peer was heard and its announcements had their time, or nobody came; and no longer.
pub(super) fn make_before_break(world: &mut World, host: usize, address: IpNet) -> Broken {
    let h = &mut world.hosts[host];
    let now = h.read(world.now);
    let mut instances = h.config.instances.iter();
    let (id, config) = instances.find(|(_, i)| i.addresses.iter().any(|held| held.address == address))?;
    let key = RouterKey::of(config);
    let slowest = skew(config.router.version, 1, config.election.interval);
    let seen = &mut h.process.as_mut()?.seen;
    let Parting { since, heard, late } = seen.farewells.parting.remove(id)?;
    let patience = (slowest + HANDOVER_GRACE).min(LEAVE_AT_MOST);
    let graced = heard.map(|at| now.since(at));
    if now.since(since) < patience && graced.is_none_or(|grace| grace < HANDOVER_GRACE) {
        let what = format!("vrid {}: gives {address} up before a peer has it", key.vrid);
        return Some(("E4", what));
    }
    let kept = graced.filter(|grace| *grace > HANDOVER_GRACE + LATE && !late && seen.thawed.is_none())?;
    Some(("E4", format!("vrid {}: keeps {address} {kept:?} after its successor was heard", key.vrid)))
}

/// S1: a node that says it has stopped listens nowhere any more.
pub(super) fn stopped_leaves_nothing(world: &World, host: usize) -> Broken {
    let seen = &world.hosts[host].process.as_ref()?.seen;
    let open = seen.open.listening.len() + seen.open.receives.len();
    (open > 0).then(|| ("S1", format!("has stopped and leaves {open} sockets open")))
}
