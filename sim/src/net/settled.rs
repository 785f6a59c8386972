//! The invariants of a settled cluster on turmoil: masters, kernels, neighbours, pools, and what a client sees.
//!
//! What is expected comes from the configurations and from what is true of scripts and backends, never from the
//! nodes' own idea of their priority. The names are those of tier 1.

use super::board::{Backend, Board, NodeBoard, Try};
use super::cluster::Cluster;
use super::setup::Setup;
use ipnet::IpNet;
use standfast_core::config::model::{InstanceConfig, Tracked};
use standfast_core::event::Role;
use standfast_core::time::Time;
use std::sync::Arc;

/// An invariant that broke: its name, and what was seen.
pub type Broken = (&'static str, String);

/// What each invariant says, in a sentence.
#[must_use]
pub fn sentence(name: &str) -> &'static str {
    match name {
        "A1" => "once settled, nodes that hear each other have exactly one master per virtual router",
        "A2" => "a kernel holds an address if and only if its live process is master for it",
        "A5" => "with preemption nobody who may be master has a higher priority than the master",
        "A6" => "no role changes in the calm",
        "A8" => "the neighbours of the settled cluster know the master as the holder of the address",
        "A19" => "what a client gets back is its own, whole",
        "A22" => "a node does not spin",
        "A23" => "no software of a host panics or ends with an error",
        "E3" => "a dead server is out of its pool, and a living one in it, once settled",
        "E5" => "once settled, a client is served if a server lives, and refused at once if none does",
        "S1" => "a clean stop comes to its end",
        _ => "",
    }
}

/// The effective priority that `node` ought to have for `instance`; `None` when it may not take part.
fn expected(board: &Board, nth: usize, instance: &InstanceConfig) -> Option<i32> {
    let node = &board.nodes[nth];
    if !node.alive || node.stopping {
        return None;
    }
    let base = i32::from(instance.election.priority);
    let failing = board.failing.get(&nth).is_some_and(|count| *count > 0);
    let mut total = base;
    for tracker in instance.trackers.iter().filter(|tracker| matches!(tracker.what, Tracked::Check(_))) {
        match (tracker.weight, failing) {
            (0, true) => return None,
            (weight, false) if weight > 0 => total += i32::from(weight),
            (weight, true) if weight < 0 => total += i32::from(weight),
            _ => {}
        }
    }
    Some(if base == 255 { 255 } else { total.clamp(1, 254) })
}

fn role(node: &NodeBoard, instance: &InstanceConfig) -> Option<Role> {
    node.alive.then(|| node.roles.get(&instance.id).copied()).flatten()
}

fn addresses(instance: &InstanceConfig) -> impl Iterator<Item = IpNet> {
    instance.addresses.iter().map(|held| held.address)
}

/// Looks at everything, on a cluster without cuts whose clients' tries since `since` count.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(cluster: &Cluster, setup: &Setup, dead: &[usize], since: Time) -> Result<(), Broken> {
    let board = cluster.board().borrow();
    for nth in 0..setup.shape.routers.len() {
        let instances: Vec<Arc<InstanceConfig>> =
            board.nodes.iter().filter_map(|node| node.config.instances.values().nth(nth).cloned()).collect();
        let master = one_master(&board, &instances)?;
        kernel_follows_role(&board, &instances, master)?;
        if let Some(master) = master {
            best_is_master(&board, &instances, master)?;
            neighbours_know(&board, &instances[master], master)?;
        }
    }
    if let Some(nth) = board.nodes.iter().position(|node| node.stopping) {
        return Err(("S1", format!("n{} was told to stop and has not", nth + 1)));
    }
    pools_follow_servers(&board, setup, dead)?;
    clients_are_served(&board, setup, dead, since)
}

/// A1: exactly one master, if anybody may be master at all.
fn one_master(board: &Board, instances: &[Arc<InstanceConfig>]) -> Result<Option<usize>, Broken> {
    let nodes = || instances.iter().enumerate();
    let masters: Vec<usize> = nodes()
        .filter(|(nth, instance)| role(&board.nodes[*nth], instance) == Some(Role::Master))
        .map(|(nth, _)| nth)
        .collect();
    let able: Vec<usize> = nodes()
        .filter(|(nth, instance)| expected(board, *nth, instance).is_some())
        .map(|(nth, _)| nth)
        .collect();
    if masters.len() == usize::from(!able.is_empty()) && masters.iter().all(|nth| able.contains(nth)) {
        Ok(masters.first().copied())
    } else {
        Err(("A1", format!("of {able:?} (counted from 0) {masters:?} are master")))
    }
}

/// A2: kernels hold the addresses of the master, and of nobody else.
fn kernel_follows_role(
    board: &Board,
    instances: &[Arc<InstanceConfig>],
    master: Option<usize>,
) -> Result<(), Broken> {
    for (nth, node) in board.nodes.iter().enumerate() {
        if !node.alive && !node.config.node.lease {
            continue; // without a lease a killed daemon's addresses stay, until it is started again
        }
        for address in instances.iter().flat_map(|instance| addresses(instance)) {
            let wanted = master == Some(nth) && addresses(&instances[nth]).any(|own| own == address);
            if node.kernel.owns(address) != wanted {
                let does = if wanted { "does not hold" } else { "holds" };
                return Err(("A2", format!("n{} {does} {address}, master is {master:?} (from 0)", nth + 1)));
            }
        }
    }
    Ok(())
}

/// A5: nobody who preempts and may be master has a higher priority than the master.
fn best_is_master(board: &Board, instances: &[Arc<InstanceConfig>], master: usize) -> Result<(), Broken> {
    let mine = expected(board, master, &instances[master]);
    for (nth, instance) in instances.iter().enumerate() {
        let theirs = expected(board, nth, instance);
        if theirs > mine && instance.election.preempt {
            return Err((
                "A5",
                format!("n{} with {theirs:?} is not master, n{} with {mine:?} is", nth + 1, master + 1),
            ));
        }
    }
    Ok(())
}

/// A8: whoever knows a holder of the address knows the master.
fn neighbours_know(board: &Board, instance: &InstanceConfig, master: usize) -> Result<(), Broken> {
    let own = board.nodes[master].own;
    let nodes = board.nodes.iter().enumerate().filter(|(nth, node)| *nth != master && node.alive);
    let caches = nodes.map(|(nth, node)| (format!("n{}", nth + 1), &node.neighbours));
    let clients = board.clients.iter().map(|client| (String::from("the client"), &client.cache));
    for (who, cache) in caches.chain(clients) {
        for address in addresses(instance) {
            if let Some(owner) = cache.get(&address.addr()).filter(|owner| **owner != own) {
                return Err(("A8", format!("{who} has {address} at {owner}, not at {own}")));
            }
        }
    }
    Ok(())
}

/// E3: servers that live are published as usable, dead ones are not.
fn pools_follow_servers(board: &Board, setup: &Setup, dead: &[usize]) -> Result<(), Broken> {
    for (nth, node) in board.nodes.iter().enumerate().filter(|(_, node)| node.alive) {
        for server in 0..setup.shape.servers {
            let usable = node.servers.get(&setup.server(server)).copied();
            if usable != Some(!dead.contains(&server)) {
                return Err(("E3", format!("n{} has server {} usable: {usable:?}", nth + 1, server + 1)));
            }
        }
    }
    Ok(())
}

/// E5: every try of the settled time came to the same: served, refused where no server lives, silence without master.
fn clients_are_served(board: &Board, setup: &Setup, dead: &[usize], since: Time) -> Result<(), Broken> {
    let first = |node: &NodeBoard| node.config.instances.values().next().cloned();
    let held = board
        .nodes
        .iter()
        .any(|node| first(node).is_some_and(|instance| role(node, &instance) == Some(Role::Master)));
    let lives = board.backends.iter().any(|backend| backend.state == Backend::Up);
    let lives = lives && dead.len() < setup.shape.servers;
    let tries = board.clients[0].tries.iter().filter(|(at, _)| *at >= since);
    let wanted = match (held, lives) {
        (false, _) => Try::Silent,
        (true, true) => Try::Served,
        (true, false) => Try::Refused,
    };
    let wrong: Vec<_> = tries.clone().filter(|(_, answer)| *answer != wanted).collect();
    match wrong.first() {
        Some((at, answer)) => {
            let all = tries.count();
            Err((
                "E5",
                format!("{} of {all} tries, the first at {at}, were {answer:?}, not {wanted:?}", wrong.len()),
            ))
        }
        None => Ok(()),
    }
}
