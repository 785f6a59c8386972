//! What is asked of the kernel, and believed of it: A2 (a reload, a dump, an address lost), L1 (leases).
//!
//! Looked at when a request is made and after the inputs that may demand one.

use super::Broken;
use super::addresses::holder_of;
use crate::des::world::World;
use ipnet::IpNet;
use standfast_core::action::Action;
use standfast_core::config::model::{Config, Family, InstanceConfig};
use standfast_core::event::{Event, Role};
use standfast_core::id::{InstanceId, Interface, Ticket};
use std::sync::Arc;
use std::time::Duration;

/// The grain of leases.
const GRAIN: Duration = Duration::from_secs(1);

/// The kernel has said yes to a request, or no.
pub(super) fn note_answer(world: &mut World, host: usize, ticket: Ticket, granted: bool) -> Broken {
    let seen = &mut world.hosts[host].process.as_mut()?.seen;
    seen.asked.values_mut().find(|asked| asked.ticket == ticket)?.granted = granted;
    None
}

/// A2: what a reload takes out of the configuration is given up at once, not when its lease is over; what it adds is asked
/// for at once.
pub fn reload_leaves_nothing(world: &mut World, host: usize, new: &Config) {
    let h = &world.hosts[host];
    let Some(process) = h.awake().filter(|process| !process.stopping) else { return };
    let named = |address: IpNet| {
        new.instances.values().any(|instance| instance.addresses.iter().any(|held| held.address == address))
    };
    let held = |at: &(Interface, IpNet)| h.kernel.addresses.get(at).is_some_and(|held| held.marked);
    let left = process.seen.asked.iter().find(|(at, asked)| asked.own && !named(at.1) && held(at));
    if let Some(((_, address), _)) = left {
        return world
            .fail("A2", format!("n{}: a reload drops {address} and leaves it with the kernel", host + 1));
    }
    let master =
        |instance: &&Arc<InstanceConfig>| process.seen.roles.get(&instance.id) == Some(&Role::Master);
    let wanted = new.instances.values().filter(master).flat_map(|instance| &instance.addresses);
    let asked =
        |address: IpNet| process.seen.asked.iter().any(|((_, of), asked)| *of == address && asked.own);
    if let Some(held) = wanted.into_iter().find(|held| !asked(held.address)) {
        world.fail("A2", format!("n{}: a reload adds {} and does not ask for it", host + 1, held.address));
    }
}

/// The addresses of masters that the kernel once granted and does not have now: the links are there, nothing is under
/// way.
pub fn missing_addresses(world: &World, host: usize) -> Vec<(InstanceId, Interface, IpNet)> {
    let h = &world.hosts[host];
    let Some(process) = h.awake() else { return Vec::new() };
    let mut missing = Vec::new();
    for ((on, address), asked) in &process.seen.asked {
        let there = h.kernel.addresses.contains_key(&(*on, *address)) || !h.kernel.links.contains_key(on);
        if !asked.own || !asked.granted || there {
            continue;
        }
        let instance = holder_of(h, |held| *held == *address);
        let master = |id: &InstanceId| process.seen.roles.get(id) == Some(&Role::Master);
        missing.extend(instance.map(|i| i.id).filter(master).map(|id| (id, *on, *address)));
    }
    missing
}

/// A2: a master whose address is not in a dump asks for it again, or ceases to be master, at once.
pub fn dump_is_believed(world: &mut World, host: usize, missing: &[(InstanceId, Interface, IpNet)]) {
    let Some(process) = world.hosts[host].awake() else { return };
    let ignored = missing.iter().find(|(id, on, address)| {
        let granted =
            process.seen.asked.get(&(*on, *address)).is_some_and(|asked| asked.own && asked.granted);
        granted && process.seen.roles.get(id) == Some(&Role::Master)
    });
    if let Some((_, _, address)) = ignored {
        world.fail("A2", format!("n{}: a dump lacks {address}, and its master goes on", host + 1));
    }
}

/// A2: who says that somebody else took its address away has not merely heard late of its own removal.
pub(super) fn somebody_took_it(world: &World, host: usize, event: &Event) -> Broken {
    let Event::AddressLost { address, .. } = event else { return None };
    let h = &world.hosts[host];
    (!h.machine.taken.contains(address) && h.kernel.owns(*address))
        .then(|| ("A2", format!("says that somebody took {address} away, and nobody did")))
}

/// L1: an address is leased for no longer than until the first moment at which a backup may take over, where leases of
/// whole seconds allow for that at all.
pub(super) fn lease_ends_in_time(world: &World, host: usize, action: &Action) -> Broken {
    let Action::Address { on, address, own: true, lease: Some(lease), .. } = action else { return None };
    let h = &world.hosts[host];
    let process = h.process.as_ref()?;
    let renewed = process.seen.asked.get(&(*on, *address)).is_some_and(|asked| asked.own && asked.granted);
    if !renewed || world.watch.sleepy || h.machine.unwilling || h.machine.reloaded.is_some() {
        return None;
    }
    let config = holder_of(h, |held| held == address)?;
    let interval = config.election.interval;
    let down = interval * u32::from(config.election.down_adverts);
    let v6 = config.router.family == Family::V6;
    let sent = process.seen.farewells.sent.get(&(config.router.vrid, v6))?;
    // Renewals of short intervals go out with the advertisements, others up to an interval later.
    let apart = if interval * 2 < *lease { Duration::ZERO } else { interval };
    let most = down.max(GRAIN + apart);
    let ends = h.read(world.now).since(sent.at) + *lease;
    let is_master = process.seen.roles.get(&config.id) == Some(&Role::Master) && sent.priority > 0;
    (is_master && ends > most).then(|| {
        (
            "L1",
            format!(
                "{}: the lease of {address} ends {ends:?} after the last advertisement, not {most:?}",
                config.name
            ),
        )
    })
}
