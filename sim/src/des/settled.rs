//! Invariants of a settled cluster: looked at when nothing has been wrong for long enough.
//!
//! What is expected comes from the configurations and from what is true of scripts and links, never from the nodes'
//! own idea of their priority.

use super::host::Host;
use super::shape::RouterKey;
use super::world::World;
use standfast_core::config::model::{Config, InstanceConfig, Probe, Tracked, Tracker};
use standfast_core::event::Role;

/// A set of hosts that hear each other and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its hosts.
    pub hosts: Vec<usize>,
    /// The clients hear it, too.
    pub with_clients: bool,
}

/// Everything that a settled component must fulfil; the neighbours only when `refreshed`.
pub fn check(world: &mut World, component: &Component, refreshed: bool) {
    let keys: Vec<RouterKey> = world.routers.keys().cloned().collect();
    for key in keys {
        let found = one_master(world, component, &key)
            .or_else(|| kernel_follows_role(world, component, &key))
            .or_else(|| best_is_master(world, component, &key))
            .or_else(|| if refreshed { neighbours_know(world, component, &key) } else { None });
        if let Some((name, what)) = found {
            return world.fail(name, format!("vrid {}: {what}", key.vrid));
        }
    }
    let found = pools_follow_servers(world, component).or_else(|| absent_hold_nothing(world));
    if let Some((name, what)) = found {
        world.fail(name, what);
    }
}

type Broken = Option<(&'static str, String)>;

/// The effective priority that `host` ought to have for `key`; `None` when it may not take part.
#[must_use]
pub fn expected(world: &World, host: usize, key: &RouterKey) -> Option<u8> {
    let h = &world.hosts[host];
    let (id, instance) = h.instance(key)?;
    let process = h.awake()?;
    if process.stopping || h.unplugged > 0 || process.seen.resigned.contains(&id) {
        return None;
    }
    let base = instance.election.priority;
    let mut total = i32::from(base);
    for tracker in &instance.trackers {
        let good = tracked_is_good(world, host, &h.config, tracker);
        if tracker.weight == 0 {
            if good == tracker.reverse {
                return None;
            }
            continue;
        }
        total += contribution(tracker, good);
    }
    if base == 255 {
        return Some(255);
    }
    u8::try_from(total.clamp(1, 254)).ok()
}

fn contribution(tracker: &Tracker, good: bool) -> i32 {
    let weight = i32::from(tracker.weight);
    let value = match (weight > 0, good) {
        (true, true) | (false, false) => weight,
        (true, false) | (false, true) => 0,
    };
    if tracker.reverse { -value } else { value }
}

fn tracked_is_good(world: &World, host: usize, config: &Config, tracker: &Tracker) -> bool {
    match &tracker.what {
        Tracked::Interface(_) => world.hosts[host].unplugged == 0,
        Tracked::Check(id) => config.checks.get(id).is_some_and(|check| match &*check.probe {
            Probe::Script { broken, .. } => broken.is_none() && world.truth.script_passes(host),
            Probe::Watch(_) => world.truth.script_passes(host),
            Probe::Tcp { to, .. } | Probe::SslHello { to, .. } | Probe::Tls { to, .. } => {
                world.truth.server_lives(*to)
            }
            Probe::Http(http) => world.truth.server_lives(http.to),
        }),
    }
}

/// The masters of `key` among `hosts`.
#[must_use]
pub fn masters(world: &World, hosts: &[usize], key: &RouterKey) -> Vec<usize> {
    hosts.iter().copied().filter(|host| world.hosts[*host].role(key) == Some(Role::Master)).collect()
}

fn names(hosts: &[usize]) -> String {
    let names: Vec<String> = hosts.iter().map(|host| format!("n{}", host + 1)).collect();
    if names.is_empty() { String::from("nobody") } else { names.join(", ") }
}

/// A1: exactly one master, if anybody may be master at all, and everybody else backup or in fault.
fn one_master(world: &World, component: &Component, key: &RouterKey) -> Broken {
    let masters = masters(world, &component.hosts, key);
    let able: Vec<usize> =
        component.hosts.iter().copied().filter(|host| expected(world, *host, key).is_some()).collect();
    if masters.len() != usize::from(!able.is_empty()) {
        return Some(("A1", format!("master is {}, of {}", names(&masters), names(&able))));
    }
    let wrong = component.hosts.iter().find(|host| {
        let resigned = world.hosts[**host].awake().is_some_and(|process| !process.seen.resigned.is_empty());
        let fault = world.hosts[**host].role(key) == Some(Role::Fault);
        world.hosts[**host].awake().is_some() && !resigned && fault == able.contains(host)
    });
    wrong.map(|host| ("A1", format!("n{} has role {:?}", host + 1, world.hosts[*host].role(key))))
}

fn addresses(host: &Host, key: &RouterKey) -> Vec<ipnet::IpNet> {
    let of = |instance: &InstanceConfig| instance.addresses.iter().map(|held| held.address).collect();
    host.instance(key).map(|(_, instance)| of(instance)).unwrap_or_default()
}

/// A2: a kernel holds the addresses if and only if its live process is master.
fn kernel_follows_role(world: &World, component: &Component, key: &RouterKey) -> Broken {
    for host in &component.hosts {
        let h = &world.hosts[*host];
        if h.awake().is_none() {
            continue;
        }
        let master = h.role(key) == Some(Role::Master);
        for address in world.routers.get(key).into_iter().flatten().copied().chain(addresses(h, key)) {
            let wanted = master && addresses(h, key).contains(&address);
            if h.kernel.owns(address) != wanted {
                let does = if wanted { "does not hold" } else { "holds" };
                return Some(("A2", format!("n{} is {:?} and {does} {address}", host + 1, h.role(key))));
            }
        }
    }
    None
}

/// A5: with preemption nobody who may be master has a higher priority than the master.
fn best_is_master(world: &World, component: &Component, key: &RouterKey) -> Broken {
    let master = *masters(world, &component.hosts, key).first()?;
    let preempts = |host: usize| {
        let instance = world.hosts[host].instance(key);
        instance.is_some_and(|(_, i)| i.election.preempt || i.election.priority == 255)
    };
    let mine = expected(world, master, key)?;
    let better = component
        .hosts
        .iter()
        .find(|host| preempts(**host) && expected(world, **host, key).is_some_and(|theirs| theirs > mine))?;
    let theirs = expected(world, *better, key)?;
    Some(("A5", format!("n{} with {mine} is master, not n{} with {theirs}", master + 1, better + 1)))
}

/// A8: every neighbour entry for an address names the master.
fn neighbours_know(world: &World, component: &Component, key: &RouterKey) -> Broken {
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

/// E3: a dead server is out of its pool and a living one in it.
fn pools_follow_servers(world: &World, component: &Component) -> Broken {
    for host in &component.hosts {
        let Some(process) = world.hosts[*host].awake().filter(|process| !process.stopping) else { continue };
        for server in process.seen.views.values().flat_map(|view| &view.servers) {
            let lives = world.truth.server_lives(server.address);
            if server.usable != lives {
                let (usable, lives) = (server.usable, if lives { "lives" } else { "is dead" });
                return Some((
                    "E3",
                    format!("n{} has {} usable: {usable}, but it {lives}", host + 1, server.name),
                ));
            }
        }
    }
    None
}

/// L1, settled: a host without a live daemon holds none of the leased addresses; one that stopped cleanly none at all.
fn absent_hold_nothing(world: &World) -> Broken {
    for (nth, host) in world.hosts.iter().enumerate().filter(|(_, host)| host.awake().is_none()) {
        let forgiven = !host.config.node.lease && (host.killed || host.process.is_some());
        let left = host.kernel.addresses.iter().find(|(_, held)| held.marked && !forgiven);
        if let Some(((_, address), _)) = left {
            let why = if host.process.is_some() { "is frozen" } else { "has no daemon" };
            return Some(("L1", format!("n{} {why} and holds {address}", nth + 1)));
        }
    }
    None
}
