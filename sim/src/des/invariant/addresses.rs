//! Who holds what, and who knows it: A2, A7, A8, E4, L1, L2.

use super::Broken;
use super::election::advert;
use crate::des::client::Client;
use crate::des::host::Host;
use crate::des::settled::{Component, masters};
use crate::des::shape::RouterKey;
use crate::des::world::World;
use ipnet::IpNet;
use standfast_core::action::Action;
use standfast_core::config::model::InstanceConfig;
use standfast_core::event::{Event, Role};
use standfast_core::input::KernelNotice;

fn addresses(host: &Host, key: &RouterKey) -> Vec<IpNet> {
    let of = |instance: &InstanceConfig| instance.addresses.iter().map(|held| held.address).collect();
    host.instance(key).map(|(_, instance)| of(instance)).unwrap_or_default()
}

/// The virtual router of `host` that has an address which fits.
pub(super) fn holder_of(host: &Host, fits: impl Fn(&IpNet) -> bool) -> Option<&InstanceConfig> {
    let has = |instance: &&std::sync::Arc<InstanceConfig>| {
        instance.addresses.iter().any(|held| fits(&held.address))
    };
    host.config.instances.values().find(has).map(|instance| &**instance)
}

/// A2: a kernel holds the addresses if and only if its live process is master; no other virtual address at all.
pub fn kernel_follows_role(world: &World, component: &Component) -> Broken {
    for host in &component.hosts {
        let h = &world.hosts[*host];
        if h.awake().is_none() {
            continue;
        }
        let held = |key: &&RouterKey| h.role(key) == Some(Role::Master);
        let wanted: Vec<IpNet> =
            world.routers.keys().filter(held).flat_map(|key| addresses(h, key)).collect();
        if let Some(missing) = wanted.iter().find(|address| !h.kernel.owns(**address)) {
            return Some(("A2", format!("n{} is master and does not hold {missing}", host + 1)));
        }
        let extra = |address: &&IpNet| h.kernel.owns(**address) && !wanted.contains(address);
        if let Some(extra) = world.watch.addresses.iter().find(extra) {
            return Some(("A2", format!("n{} is not master and holds {extra}", host + 1)));
        }
        for (key, (_, instance)) in world.routers.keys().filter_map(|key| Some((key, h.instance(key)?))) {
            let master = h.role(key) == Some(Role::Master);
            if let Some(item) = instance.items.iter().find(|item| h.kernel.has(item) != master) {
                let how = if master { "is master and lacks" } else { "is not master and has" };
                return Some(("A2", format!("n{} {how} {item}", host + 1)));
            }
        }
    }
    None
}

/// Remembers what the kernel held before the process came.
pub(super) fn note_leftovers(world: &mut World, host: usize, notice: &KernelNotice) -> Broken {
    if *notice == KernelNotice::ResyncBegin {
        let h = &mut world.hosts[host];
        let marked =
            h.kernel.addresses.iter().filter(|(_, held)| held.marked).map(|((_, address), _)| *address);
        let marked = marked.collect();
        h.process.as_mut()?.seen.leftovers.get_or_insert(marked);
    }
    None
}

/// What is adopted is dealt with, too.
pub(super) fn note_adopted(world: &mut World, host: usize, event: &Event) -> Broken {
    if let Event::Leftover { address, adopted: true, .. } = event {
        world.hosts[host].process.as_mut()?.seen.leftovers.as_mut()?.remove(address);
    }
    None
}

/// A2: a start adopts or removes what a killed predecessor left before its first advertisement.
pub(super) fn leftovers_come_first(world: &World, host: usize) -> Broken {
    let left = world.hosts[host].process.as_ref()?.seen.leftovers.as_ref()?.first()?;
    Some(("A2", format!("advertises before it has dealt with {left}, which was left behind")))
}

/// A7: nothing but farewells while stopping, and no advertisement in fault.
pub(super) fn farewell_is_the_last_word(world: &mut World, host: usize, action: &Action) -> Broken {
    let (vrid, priority, v6) = advert(action)?;
    let id = world.hosts[host].by_vrid(vrid, v6).map(|(id, _, _)| id);
    let process = world.hosts[host].process.as_mut()?;
    if priority == 0 {
        process.seen.farewells.said.insert((vrid, v6));
        return None;
    }
    process.seen.farewells.said.remove(&(vrid, v6));
    let fault = process.seen.roles.get(&id?) == Some(&Role::Fault);
    if !process.stopping && !fault {
        return None;
    }
    let when = if fault { "in fault" } else { "while stopping" };
    Some(("A7", format!("VRID {vrid} advertises priority {priority} {when}")))
}

/// A7: when a node stops, the farewell goes out before its addresses are given up.
pub(super) fn farewell_before_give_up(world: &mut World, host: usize, action: &Action) -> Broken {
    let Action::Address { address, own, .. } = action else { return None };
    let process = world.hosts[host].process.as_mut()?;
    if let Some(left) = &mut process.seen.leftovers {
        left.remove(address);
    }
    if !process.stopping || *own {
        return None;
    }
    let process = world.hosts[host].process.as_ref()?;
    let mut holding = world.hosts[host].config.instances.iter().filter(|(id, instance)| {
        let master = process.seen.roles.get(id) == Some(&Role::Master);
        master && instance.addresses.iter().any(|held| held.address == *address)
    });
    let said = |instance: &InstanceConfig| {
        let v6 = instance.router.family == standfast_core::config::model::Family::V6;
        process.seen.farewells.said.contains(&(instance.router.vrid, v6))
    };
    let (_, instance) = holding.find(|(_, instance)| !said(instance))?;
    Some(("A7", format!("{} gives {address} up without a farewell", instance.name)))
}

/// A8: every neighbour entry for an address names the master.
pub fn neighbours_know(world: &World, component: &Component, key: &RouterKey) -> Broken {
    let master = *masters(world, &component.hosts, key).first()?;
    for address in addresses(&world.hosts[master], key) {
        for client in world.clients.iter().filter(|_| component.with_clients) {
            let entry = client.cache.get(&address.addr());
            if let Some((owner, _)) = entry.filter(|(owner, _)| *owner != master) {
                let what = format!("a client has {address} at n{}, the master is n{}", owner + 1, master + 1);
                return Some(("A8", what));
            }
        }
        for host in component.hosts.iter().filter(|host| **host != master) {
            let entry = world.hosts[*host].neighbours.get(&address.addr());
            if let Some(owner) = entry.filter(|owner| **owner != master) {
                let what =
                    format!("n{} has {address} at n{}, the master is n{}", host + 1, owner + 1, master + 1);
                return Some(("A8", what));
            }
        }
    }
    None
}

/// A8, right at a takeover: no client still has an address at the host that was hit and no longer holds it.
pub fn neighbours_follow(world: &World, key: &RouterKey, hit: usize) -> Broken {
    let given = world.routers.get(key).into_iter().flatten();
    let mut gone = given.filter(|address| !world.hosts[hit].serves(**address));
    let stale = gone.find(|address| {
        let owner = |client: &Client| client.cache.get(&address.addr()).map(|(owner, _)| *owner);
        world.clients.iter().any(|client| owner(client) == Some(hit))
    })?;
    Some(("A8", format!("vrid {}: after the takeover a client has {stale} at n{}", key.vrid, hit + 1)))
}

/// E4: after a planned failover every client that knows an address finds a host that has it.
pub fn clients_are_served(world: &World, key: &RouterKey) -> Broken {
    for address in world.routers.get(key)? {
        for client in &world.clients {
            let Some((owner, _)) = client.cache.get(&address.addr()) else { continue };
            if !world.hosts.get(*owner).is_some_and(|host| host.serves(*address)) {
                let what = format!("a client looks for {address} at n{}, which does not have it", owner + 1);
                return Some(("E4", format!("vrid {}: {what}", key.vrid)));
            }
        }
    }
    None
}

/// L1 and A2, settled: a host without a live daemon holds none of the leased addresses; after a clean stop none at all.
pub fn absent_hold_nothing(world: &World) -> Broken {
    for (nth, host) in world.hosts.iter().enumerate().filter(|(_, host)| host.awake().is_none()) {
        let gone = host.process.is_none() && !host.machine.killed;
        let forgiven = !host.config.node.lease && !gone;
        let left = host.kernel.addresses.iter().find(|(_, held)| held.marked && !forgiven);
        if let Some(((_, address), _)) = left {
            let why = if host.process.is_some() { "is frozen" } else { "has no daemon" };
            return Some((if gone { "A2" } else { "L1" }, format!("n{} {why} and holds {address}", nth + 1)));
        }
    }
    None
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
