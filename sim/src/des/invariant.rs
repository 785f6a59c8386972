//! Invariants that hold at every step, each a named function; those of a settled cluster are in `settled`.
//!
//! The names are those of the reference (A1 to A23, E1 to E4), and L1 and L2 for the lease of addresses. An invariant that
//! once fired is never deleted.

use super::world::World;
use standfast_core::action::Action;
use standfast_core::event::{Event, Role};
use standfast_core::time::Time;
use std::fmt;

/// An invariant that broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub name: &'static str,
    /// When, in simulated time.
    pub at: Time,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} s: {} ({})", self.name, self.at, self.what, sentence(self.name))
    }
}

/// What the invariant `name` says, in a sentence.
#[must_use]
pub fn sentence(name: &str) -> &'static str {
    match name {
        "A1" => "once settled, nodes that hear each other have exactly one master per virtual router",
        "A2" => "a kernel holds an address if and only if its live process is master for it",
        "A5" => "with preemption the master is the best; without, it stays as long as it lives",
        "A6" => "no role changes in the calm",
        "A7" => "the farewell goes out before an address is given up, and nothing but farewells after it",
        "A8" => "the neighbours of the settled cluster know the master as the holder of the address",
        "A10" => "the effective priority is 1 to 254, or 255 for the owner, or 0 for a farewell",
        "A11" => "after a long freeze a node first listens: at most one stale advertisement, no announcement",
        "A13" => "of each check at most one run is in flight",
        "A21" => "a reload without a difference has no effect",
        "A22" => {
            "a node does not ask to be woken at once again, and answers one input with a bounded number of actions"
        }
        "A23" => "no input makes a node panic",
        "E1" => "after the master is lost, somebody else holds its addresses within the promised time",
        "E3" => "a dead server is out of its pool, and a living one in it, once settled",
        "L1" => {
            "the address of a killed or frozen daemon is gone before a backup may take over, at most a second later"
        }
        "L2" => "at no time do two kernels hold an address because a daemon was killed or frozen",
        "S1" => "a clean stop comes to its end",
        _ => "",
    }
}

/// Everything that is checked at each action of a node.
pub fn on_action(world: &mut World, host: usize, action: &Action) {
    let broken = effective_priority_in_range(world, host, action)
        .or_else(|| farewell_before_give_up(world, host, action))
        .or_else(|| thawed_node_listens(world, host, action))
        .or_else(|| one_run_in_flight(world, host, action))
        .or_else(|| empty_reload(world, action));
    if let Some((name, what)) = broken {
        world.fail(name, format!("n{}: {what}", host + 1));
    }
    remember(world, host, action);
}

type Broken = Option<(&'static str, String)>;

/// VRID, priority and family of an advertisement.
fn advert(action: &Action) -> Option<(u8, u8, bool)> {
    if let Action::Advertise { to, payload, .. } = action {
        return Some((*payload.get(1)?, *payload.get(2)?, to.is_ipv6()));
    }
    None
}

/// A10: an advertised priority is 1 to 254, or 255 for the owner, or 0 for a farewell.
fn effective_priority_in_range(world: &World, host: usize, action: &Action) -> Broken {
    let (vrid, priority, v6) = advert(action)?;
    let Some((_, base, _)) = world.hosts[host].by_vrid(vrid, v6) else {
        // A reload that removed the virtual router still says farewell.
        return (priority != 0).then(|| ("A10", format!("advertises VRID {vrid}, which it does not have")));
    };
    (priority == 255 && base != 255)
        .then(|| ("A10", format!("VRID {vrid} advertises 255, its base is {base}")))
}

/// A7: when a node stops, the farewell comes first and nothing but farewells after it; no advertisement in fault.
fn farewell_before_give_up(world: &World, host: usize, action: &Action) -> Broken {
    let process = world.hosts[host].process.as_ref()?;
    if let Some((vrid, priority, v6)) = advert(action) {
        if priority == 0 {
            return None;
        }
        let (id, _, _) = world.hosts[host].by_vrid(vrid, v6)?;
        let fault = process.seen.roles.get(&id) == Some(&Role::Fault);
        if process.stopping || fault {
            let when = if fault { "in fault" } else { "while stopping" };
            return Some(("A7", format!("VRID {vrid} advertises priority {priority} {when}")));
        }
    }
    let Action::Address { address, own: false, .. } = action else { return None };
    if !process.stopping {
        return None;
    }
    let mut holding = world.hosts[host].config.instances.iter().filter(|(id, instance)| {
        let master = process.seen.roles.get(id) == Some(&Role::Master);
        master && instance.addresses.iter().any(|held| held.address == *address)
    });
    let (_, instance) =
        holding.find(|(_, instance)| !process.seen.farewell.contains(&instance.router.vrid))?;
    Some(("A7", format!("{} gives {address} up without a farewell", instance.name)))
}

/// A11: what was master when it was frozen for long sends at most one advertisement before it has listened.
fn thawed_node_listens(world: &mut World, host: usize, action: &Action) -> Broken {
    let h = &mut world.hosts[host];
    let named =
        advert(action).and_then(|(vrid, priority, v6)| Some((vrid, priority, h.by_vrid(vrid, v6)?.0)));
    let announced = if let Action::Announce { address, .. } = action {
        let holds = |instance: &&std::sync::Arc<standfast_core::config::model::InstanceConfig>| {
            instance.addresses.iter().any(|held| held.address.addr() == *address)
        };
        h.config.instances.values().find(holds).map(|instance| instance.id)
    } else {
        None
    };
    let thawed = h.process.as_mut()?.seen.thawed.as_mut()?;
    if let Some((vrid, priority, id)) = named
        && priority != 0
        && thawed.stale.contains(&id)
    {
        let sent = thawed.adverts.entry(vrid).or_insert(0);
        *sent += 1;
        return (*sent > 1)
            .then(|| ("A11", format!("VRID {vrid} advertises {sent} times before it listens")));
    }
    let id = announced?;
    thawed.stale.contains(&id).then(|| ("A11", format!("announces {action:?} before it listens")))
}

/// A13: of each check at most one run is in flight.
fn one_run_in_flight(world: &World, host: usize, action: &Action) -> Broken {
    let Action::Check { check, .. } = action else { return None };
    let running = &world.hosts[host].process.as_ref()?.seen.running;
    running.contains_key(check).then(|| ("A13", format!("starts {check} while it runs")))
}

/// A21: a reload without a difference has no effect.
fn empty_reload(world: &World, action: &Action) -> Broken {
    let harmless = matches!(action, Action::Event(Event::Reloaded { .. }));
    (world.expect_nothing && !harmless)
        .then(|| ("A21", format!("a reload without a difference asks for {action:?}")))
}

fn remember(world: &mut World, host: usize, action: &Action) {
    if let Some((vrid, priority, _)) = advert(action)
        && let Some(process) = &mut world.hosts[host].process
    {
        if priority == 0 {
            process.seen.farewell.insert(vrid);
        } else {
            process.seen.farewell.remove(&vrid);
        }
    }
}

/// L2: at no time do two kernels hold an address because a daemon was killed or frozen; looked at while
/// `Watch::sole` names the address.
pub fn sole_holder(world: &mut World, host: usize) {
    let doubled = world.watch.sole.iter().find(|(hit, address)| {
        let mut holders = world.holders(*address);
        holders.retain(|holder| !world.watch.apart.contains(holder));
        (*hit == host || world.hosts[host].serves(*address)) && holders.len() > 1 && holders.contains(hit)
    });
    if let Some((_, address)) = doubled.copied() {
        let holders: Vec<String> = world.holders(address).iter().map(|h| format!("n{}", h + 1)).collect();
        world.fail("L2", format!("{address} is held by {}", holders.join(" and ")));
    }
}
