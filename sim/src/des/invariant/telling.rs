//! What the neighbours and the other members are told: A3 (the last word of a yielding master), A8 (a master that hears a
//! lower one tells the neighbours again), A12 (nothing is announced before the frontends are open).
//!
//! Looked at when something is sent, and at the next input when something should have been.

use super::Broken;
use super::addresses::holder_of;
use super::election::{Arrived, advert};
use crate::des::host::Believed;
use crate::des::world::World;
use standfast_core::action::Action;
use standfast_core::config::model::Version;
use standfast_core::event::{Event, Role, Why};
use std::net::IpAddr;
use std::time::Duration;

/// Announcements after lower advertisements are put off by at most this time.
pub const PUT_OFF: Duration = Duration::from_millis(700);

/// The interval that an advertisement names: whole seconds in version 2, hundredths in version 3.
fn interval_of(payload: &[u8]) -> Option<Duration> {
    let (version, high, low) = (payload.first()? >> 4, *payload.get(4)?, *payload.get(5)?);
    Some(match version {
        2 => Duration::from_secs(low.into()),
        _ => Duration::from_millis(u64::from(u16::from_be_bytes([high & 0x0f, low])) * 10),
    })
}

/// Remembers what was sent last.
pub(super) fn note_sent(world: &mut World, host: usize, action: &Action) -> Broken {
    let (vrid, priority, v6) = advert(action)?;
    let Action::Advertise { payload, .. } = action else { return None };
    let interval = interval_of(payload)?;
    let h = &mut world.hosts[host];
    let at = h.read(world.now);
    h.process.as_mut()?.seen.farewells.sent.insert((vrid, v6), Believed { at, priority, interval });
    None
}

/// Remembers a lower advertisement that a master must answer, and the interval of whatever is being handled.
pub(super) fn lower_heard(world: &mut World, host: usize, arrived: &Arrived) {
    let Arrived { id, vrid, v6, role: Some(Role::Master), sure: Some(theirs) } = *arrived else { return };
    let now = world.hosts[host].read(world.now);
    let h = &mut world.hosts[host];
    let Some(config) = h.config.instances.get(&id) else { return };
    let Some(process) = &mut h.process else { return };
    process.seen.heard.interval = Some(theirs.interval);
    let mine = process.seen.farewells.sent.get(&(vrid, v6)).map_or(0, |sent| sent.priority);
    let granted = |address| {
        let there = |at| h.kernel.addresses.contains_key(at);
        let mut asked = process.seen.asked.iter().filter(|(at, _)| at.1 == address && there(at));
        asked.any(|(_, asked)| asked.own && asked.granted)
    };
    let whole = config.addresses.iter().all(|held| granted(held.address));
    if (1..mine).contains(&theirs.priority) && whole && !process.stopping {
        process.seen.heard.lower.entry(id).or_insert(now);
    }
}

/// The frame has been handled.
pub fn frame_handled(world: &mut World, host: usize) {
    if let Some(process) = &mut world.hosts[host].process {
        process.seen.heard.interval = None;
    }
}

/// A change of role, or another configuration: whoever is no longer master owes nobody an announcement.
pub(super) fn forget_lower(world: &mut World, host: usize, event: &Event) -> Broken {
    let Event::Role { instance, .. } = event else { return None };
    world.hosts[host].process.as_mut()?.seen.heard.lower.remove(instance);
    None
}

/// A8: a master that hears a lower one announces its addresses again, at once or a little later.
pub(super) fn lower_is_answered(world: &mut World, host: usize) -> Broken {
    let h = &mut world.hosts[host];
    let lower = &mut h.process.as_mut()?.seen.heard.lower;
    let (id, since) = lower.first_key_value().map(|(id, since)| (*id, *since))?;
    let waited = h.machine.clock.read(world.now).since(since);
    if waited <= PUT_OFF * 2 || world.watch.sleepy {
        return None;
    }
    lower.remove(&id);
    let name = h.config.instances.get(&id).map(|instance| instance.name.clone())?;
    Some(("A8", format!("{name} heard a lower one {waited:?} ago and has told the neighbours nothing")))
}

/// Remembers that the neighbours were told; and A12: whoever announces an address has opened its frontends.
pub(super) fn announced(world: &mut World, host: usize, address: IpAddr) -> Broken {
    let h = &mut world.hosts[host];
    let id = holder_of(h, |held| held.addr() == address).map(|instance| instance.id);
    let process = h.process.as_mut()?;
    if let Some(id) = id {
        process.seen.heard.lower.remove(&id);
    }
    if process.stopping {
        return None;
    }
    let closed = h.config.frontends.values().find(|one| !process.seen.open.listening.contains(&one.id))?;
    Some(("A12", format!("announces {address} before {} listens", closed.name)))
}

/// A3: the last advertisement of a yielding master names the winner's interval, since all others go on to count by it.
pub(super) fn last_word_fits(world: &mut World, host: usize, event: &Event) -> Broken {
    let Event::Role { instance, from: Role::Master, why: Why::Better { .. }, .. } = event else {
        return None;
    };
    let h = &world.hosts[host];
    let now = h.read(world.now);
    let config = h.config.instances.get(instance)?;
    let seen = &h.process.as_ref()?.seen;
    let winner = seen.heard.interval.filter(|_| config.router.version == Version::V3)?;
    let v6 = config.router.family == standfast_core::config::model::Family::V6;
    let last = seen.farewells.sent.get(&(config.router.vrid, v6))?;
    (last.at == now && last.priority > 0 && last.interval != winner).then(|| {
        (
            "A3",
            format!(
                "{} yields with {:?} as its interval, not the winner's {winner:?}",
                config.name, last.interval
            ),
        )
    })
}
