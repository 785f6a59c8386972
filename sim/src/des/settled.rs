//! Invariants of a settled cluster: looked at when nothing has been wrong for long enough.
//!
//! What is expected comes from the configurations and from what is true of scripts and links, never from the nodes'
//! own idea of their priority.

use super::invariant;
use super::shape::RouterKey;
use super::world::World;
use standfast_core::config::model::{Config, InstanceConfig, Probe, Tracked, Tracker};
use standfast_core::event::Role;
use standfast_core::id::InstanceId;

/// A set of hosts that hear each other and nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its hosts.
    pub hosts: Vec<usize>,
    /// The clients hear it, too.
    pub with_clients: bool,
}

/// Everything that a settled component must fulfil.
pub fn check(world: &mut World, component: &Component) {
    let keys: Vec<RouterKey> = world.routers.keys().cloned().collect();
    for key in keys {
        let found = invariant::one_master(world, component, &key)
            .or_else(|| invariant::best_is_master(world, component, &key))
            .or_else(|| invariant::neighbours_know(world, component, &key));
        if let Some((name, what)) = found {
            return world.fail(name, format!("vrid {}: {what}", key.vrid));
        }
    }
    let found = invariant::kernel_follows_role(world, component)
        .or_else(|| invariant::groups_agree(world, component))
        .or_else(|| invariant::pools_follow_servers(world, component))
        .or_else(|| invariant::runs_are_given_up(world, component))
        .or_else(|| invariant::absent_hold_nothing(world));
    if let Some((name, what)) = found {
        world.fail(name, what);
    }
}

/// The effective priority that `host` ought to have for `key`; `None` when it, or another member of its sync group,
/// may not take part.
#[must_use]
pub fn expected(world: &World, host: usize, key: &RouterKey) -> Option<u8> {
    let h = &world.hosts[host];
    let (id, instance) = h.instance(key)?;
    if let Some(group) = h.config.groups.values().find(|group| group.members.contains(&id)) {
        let others = group.members.iter().filter(|member| **member != id);
        let mut others = others.filter_map(|member| h.config.instances.get(member).map(|i| (*member, &**i)));
        if others.any(|(member, config)| alone(world, host, member, config).is_none()) {
            return None;
        }
    }
    alone(world, host, id, instance)
}

/// The same, as if it were in no sync group.
fn alone(world: &World, host: usize, id: InstanceId, instance: &InstanceConfig) -> Option<u8> {
    let h = &world.hosts[host];
    let process = h.awake()?;
    if process.stopping || h.unplugged > 0 || process.seen.orders.resigned.contains(&id) {
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
        Tracked::Session(id) => config.sessions.get(id).is_some_and(|session| {
            let other = world.hosts.iter().position(|h| h.own.iter().any(|(_, own)| *own == session.to));
            other.is_some_and(|other| {
                let heard = world.lan.open(host, other) && world.lan.open(other, host);
                let plugged = [host, other].iter().all(|at| world.hosts[*at].unplugged == 0);
                heard && plugged && world.hosts[other].awake().is_some()
            })
        }),
        Tracked::Check(id) => config.checks.get(id).is_some_and(|check| match &*check.probe {
            Probe::Script { broken, .. } => broken.is_none() && world.truth.script_passes(host),
            Probe::Watch(_) => world.truth.script_passes(host),
            Probe::Tcp { to, .. } | Probe::SslHello { to, .. } | Probe::Tls { to, .. } => {
                world.truth.server_lives(*to)
            }
            Probe::Http(http) => world.truth.server_lives(http.to),
            Probe::Talk(talk) => world.truth.server_lives(talk.first.to),
        }),
    }
}

/// The masters of `key` among `hosts`.
#[must_use]
pub fn masters(world: &World, hosts: &[usize], key: &RouterKey) -> Vec<usize> {
    hosts.iter().copied().filter(|host| world.hosts[*host].role(key) == Some(Role::Master)).collect()
}
