//! Pools and pickers: A15, A16, A17, A18.

use super::Broken;
use super::health::disturb;
use crate::des::traffic::WINDOW;
use crate::des::world::World;
use standfast_core::balance::view::{PoolView, ServerView};
use standfast_core::config::model::{Algorithm, Config};
use standfast_core::id::{PoolId, ServerId};
use standfast_core::input::{Admin, Order};
use std::collections::BTreeSet;

fn takes(server: &ServerView) -> bool {
    server.usable && server.weight > 0
}

/// A15 and A17 at each connection.
pub fn on_pick(world: &mut World, host: usize, pool: PoolId, picked: Option<usize>) {
    let broken = usable_is_picked(world, host, pool, picked)
        .or_else(|| backups_step_in(world, host, pool, picked))
        .or_else(|| shares_are_exact(world, host, pool));
    if let Some((name, what)) = broken {
        world.fail(name, format!("n{}: {what}", host + 1));
    }
}

/// A15: no pick of an unusable server, and none refused, while the view has a usable one.
fn usable_is_picked(world: &World, host: usize, pool: PoolId, picked: Option<usize>) -> Broken {
    let plane = world.hosts[host].process.as_ref()?.seen.traffic.get(&pool)?;
    let any = plane.view.servers.iter().any(takes);
    match picked.map(|at| plane.view.servers.get(at)) {
        None if any => Some(("A15", format!("refuses a connection, although {pool} has a usable server"))),
        Some(server) if !server.is_some_and(takes) => {
            Some(("A15", format!("{pool}: gives a connection to {server:?}")))
        }
        None | Some(_) => None,
    }
}

/// A16: backups serve while no active server is usable, the first of them, and only then.
fn backups_step_in(world: &World, host: usize, pool: PoolId, picked: Option<usize>) -> Broken {
    let plane = world.hosts[host].process.as_ref()?.seen.traffic.get(&pool)?;
    let servers = &plane.view.servers;
    let server = servers.get(picked?)?;
    let active = servers.iter().find(|server| takes(server) && !server.backup);
    match active {
        Some(active) if server.backup => {
            let what = format!("{pool}: backup {} serves, although {} is usable", server.name, active.name);
            Some(("A16", what))
        }
        None if !plane.view.all_backups => {
            let first = servers.iter().find(|server| takes(server))?;
            (first.id != server.id)
                .then(|| ("A16", format!("{pool}: backup {} serves, not {}", server.name, first.name)))
        }
        Some(_) | None => None,
    }
}

/// A17: once a view has been stable for long enough, each server gets exactly its share of a whole round. Long enough is
/// two rounds, each with as many places as the servers weigh: who comes back waits for the end of the running one.
fn shares_are_exact(world: &World, host: usize, pool: PoolId) -> Broken {
    let plane = world.hosts[host].process.as_ref()?.seen.traffic.get(&pool)?;
    let share = |server: &ServerView| {
        if takes(server) && !server.backup { usize::try_from(server.weight).unwrap_or(0) } else { 0 }
    };
    let round: usize = plane.view.servers.iter().map(share).sum();
    let picks = &plane.picks;
    let turns = matches!(plane.view.algorithm, Algorithm::RoundRobin | Algorithm::StaticRr);
    if !turns
        || round == 0
        || picks.len() < round * 3
        || picks.len() == WINDOW
        || !picks.len().is_multiple_of(round)
    {
        return None;
    }
    let last = &picks[picks.len() - round..];
    for (at, server) in plane.view.servers.iter().enumerate() {
        let got = last.iter().filter(|pick| usize::try_from(**pick) == Ok(at)).count();
        if got != share(server) {
            let (name, due) = (&server.name, share(server));
            return Some(("A17", format!("{name} got {got} of {round} connections, not {due}")));
        }
    }
    None
}

/// A17: with consistent hashing a client changes its server only when that one, or its new one, has changed.
#[must_use]
pub fn keys_stay(
    old: &PoolView,
    new: &PoolView,
    before: &[Option<ServerId>],
    after: &[Option<ServerId>],
) -> Broken {
    let weight = |view: &PoolView, id: ServerId| {
        let active = view.servers.iter().any(|server| takes(server) && !server.backup);
        let part = |server: &&ServerView| takes(server) && server.backup != active;
        view.servers.iter().filter(part).find(|server| server.id == id).map(|server| server.weight)
    };
    let unchanged = |id: ServerId| weight(old, id).is_some() && weight(old, id) == weight(new, id);
    let pairs = before.iter().zip(after).filter_map(|(before, after)| Some(((*before)?, (*after)?)));
    let (from, to) = pairs.into_iter().find(|(from, to)| from != to && unchanged(*from) && unchanged(*to))?;
    Some(("A17", format!("{}: a client moves from {from} to {to}, and neither has changed", new.name)))
}

/// Remembers what an operator ordered.
pub(super) fn note_order(world: &mut World, host: usize, order: &Order) -> Broken {
    let process = world.hosts[host].process.as_mut()?;
    if let Order::Server { server, admin, .. } = order {
        process.seen.orders.admin.insert(*server, *admin);
        disturb(&mut process.seen);
    }
    None
}

/// A reload that drops a server drops the orders about it: when it comes back it is another one.
pub(super) fn note_reload(world: &mut World, host: usize, config: &Config) {
    let named: BTreeSet<ServerId> =
        config.pools.values().flat_map(|pool| pool.servers.iter().map(|server| server.id)).collect();
    if let Some(process) = &mut world.hosts[host].process {
        process.seen.orders.admin.retain(|server, _| named.contains(server));
    }
}

/// A18: a server that an operator has drained, or taken out, is in no view as usable.
pub(super) fn drained_take_nothing(
    world: &World,
    host: usize,
    pool: PoolId,
    view: Option<&PoolView>,
) -> Broken {
    let admin = &world.hosts[host].process.as_ref()?.seen.orders.admin;
    let mut servers = view?.servers.iter().filter(|server| takes(server));
    let server = servers.find(|server| admin.get(&server.id).is_some_and(|admin| *admin != Admin::Ready))?;
    Some(("A18", format!("{pool} publishes {} as usable against an operator's order", server.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::config::model::{HashType, Redispatch};

    fn view(weights: &[u32]) -> PoolView {
        let server = |(nth, weight): (u32, &u32)| ServerView {
            id: ServerId(nth),
            name: "s".into(),
            address: "198.51.100.1:6443".parse().expect("an address"),
            weight: *weight,
            usable: true,
            backup: false,
            shutdown: false,
        };
        PoolView {
            pool: PoolId(1),
            name: "p".into(),
            version: 1,
            algorithm: Algorithm::Source(HashType::Consistent),
            all_backups: false,
            servers: (0..).zip(weights).map(server).collect(),
            retries: 3,
            redispatch: Redispatch::Last,
            connect: None,
            server: None,
        }
    }

    #[test]
    fn a_hashed_client_may_leave_a_server_that_changed_and_no_other() {
        let (old, new) = (view(&[16, 16, 16]), view(&[16, 16, 0]));
        let at = |id| vec![Some(ServerId(id))];
        assert_eq!(keys_stay(&old, &new, &at(2), &at(0)), None);
        assert!(keys_stay(&old, &new, &at(1), &at(0)).is_some());
        assert_eq!(keys_stay(&old, &new, &at(1), &at(1)), None);
    }
}
