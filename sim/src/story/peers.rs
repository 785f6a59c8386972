//! The peers that one node's files imply, where nobody gave us theirs; and what was assumed, in words.
//!
//! Unicast: the peers are the addresses in `unicast_peer`. Multicast: the servers that the node balances over, where they
//! are few and stand beside the virtual address (so it is with a kubeadm control plane), else two more nodes. Peers
//! are copies of the node with the priority of the other role: below a node that is meant to be active, and one of them
//! above a node that is meant to be backup.

use standfast_core::config::model::{Config, Destination, Family, InstanceConfig, Peer, Probe};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A cluster whose nodes stand beside each other: at most so many are taken for nodes.
pub const MAX_PEERS: usize = 6;

/// Nodes and what was assumed about them, a sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Implied {
    /// Names and configurations, the given node first unless its name says otherwise.
    pub nodes: Vec<(String, Config)>,
    /// What was assumed.
    pub assumed: Vec<String>,
}

/// The node `name` with the peers that `config` implies.
#[must_use]
pub fn implied(name: &str, config: &Config) -> Implied {
    let Some(first) = config.instances.values().next() else {
        let assumed = vec![String::from(
            "there is no virtual router in these files: clients connect to the node's own address",
        )];
        return Implied { nodes: vec![(name.into(), config.clone())], assumed };
    };
    let (peers, whence) = places(name, config, first);
    let own = own_place(name, config, first, &peers);
    let leads = first.election.priority > 100 || first.election.wish_master;
    let mut nodes = vec![(name.to_owned(), placed(config, own, &peers, None))];
    let mut told = Vec::new();
    for (nth, (peer, address)) in peers.iter().enumerate() {
        let mut others: Vec<(String, Option<IpAddr>)> = vec![(name.into(), own)];
        others.extend(peers.iter().filter(|(other, _)| other != peer).cloned());
        let active = !leads && nth == 0;
        let role = Role { leads, active };
        let theirs = placed(config, *address, &others, Some(role));
        let priority = theirs.instances.values().next().map_or(0, |instance| instance.election.priority);
        let at = address.map(|address| format!(" at {address}")).unwrap_or_default();
        told.push(format!("{peer}{at} with priority {priority}"));
        nodes.push((peer.clone(), theirs));
    }
    nodes.sort_by(|a, b| a.0.cmp(&b.0));
    let role = if leads { "is meant to be active" } else { "is meant to be backup" };
    let assumed = vec![
        format!("{name} (priority {}) {role}", first.election.priority),
        format!("its peers are copies of it, {whence}: {}", told.join(", ")),
    ];
    Implied { nodes, assumed }
}

/// What every simulation assumes about `nodes`, a sentence each.
#[must_use]
pub fn common(nodes: &[(String, Config)]) -> Vec<String> {
    let mut assumed = Vec::new();
    let own = crate::des::scenario::all_own_addresses(nodes);
    let places: Vec<String> = nodes
        .iter()
        .zip(&own)
        .map(|((name, _), own)| {
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            format!("{name} {}", own.join(" "))
        })
        .collect();
    assumed.push(format!("own addresses: {}", places.join(", ")));
    let mut scripts = BTreeSet::new();
    let mut broken = BTreeSet::new();
    for check in nodes.iter().flat_map(|(_, config)| config.checks.values()) {
        if let Probe::Script { broken: why, .. } = &*check.probe {
            scripts.insert(check.name.to_string());
            broken.extend(why.iter().map(|why| format!("check {} fails at each run: {why}", check.name)));
        }
    }
    if !scripts.is_empty() {
        let scripts: Vec<String> = scripts.into_iter().collect();
        assumed.push(format!(
            "scripts are not run: {} passes unless a scenario makes it fail",
            scripts.join(", ")
        ));
    }
    assumed.extend(broken);
    let servers = nodes.iter().flat_map(|(_, config)| config.pools.values()).flat_map(|pool| &pool.servers);
    let mut shared = BTreeSet::new();
    for server in servers {
        if let Some(at) = own.iter().position(|own| own.contains(&server.address.ip())) {
            shared.insert(format!("server {} runs on {}", server.name, nodes[at].0));
        }
    }
    if !shared.is_empty() {
        let shared: Vec<String> = shared.into_iter().take(MAX_PEERS + 1).collect();
        assumed.push(format!("{} and fails with it", shared.join(", ")));
    }
    assumed
}

/// Names and addresses of the peers, and where they are from.
fn places(
    name: &str,
    config: &Config,
    first: &InstanceConfig,
) -> (Vec<(String, Option<IpAddr>)>, &'static str) {
    if let Destination::Unicast(peers) = &first.transport.to {
        let named = |(nth, peer): (usize, &Peer)| {
            let known = server_at(config, peer.address).filter(|known| known != name);
            (known.unwrap_or_else(|| format!("peer{}", nth + 1)), Some(peer.address))
        };
        return (peers.iter().take(MAX_PEERS).enumerate().map(named).collect(), "from unicast_peer");
    }
    let beside = servers_beside(config, first);
    if beside.iter().any(|(server, _)| server == name) {
        let peers = beside.into_iter().filter(|(server, _)| server != name);
        return (
            peers.map(|(server, at)| (server, Some(at))).collect(),
            "named as the servers it balances over",
        );
    }
    if !beside.is_empty() {
        let peers = beside.into_iter().skip(1).map(|(server, at)| (server, Some(at)));
        return (
            peers.collect(),
            "named as the servers it balances over but the first, which is taken for itself",
        );
    }
    let two = ["peer1", "peer2"].map(|peer| (String::from(peer), None));
    (two.to_vec(), "two because multicast does not say how many")
}

/// The servers of the first pool, if they are few and stand in the network of the virtual address.
fn servers_beside(config: &Config, first: &InstanceConfig) -> Vec<(String, IpAddr)> {
    let Some(vip) = first.addresses.first().map(|address| address.address.addr()) else { return Vec::new() };
    let Some(pool) = config.pools.values().next() else { return Vec::new() };
    let near = |address: IpAddr| match (address, vip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a.octets()[..3] == b.octets()[..3],
        (IpAddr::V6(a), IpAddr::V6(b)) => a.segments()[..4] == b.segments()[..4],
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    };
    let all: Vec<(String, IpAddr)> =
        pool.servers.iter().map(|server| (server.name.to_string(), server.address.ip())).collect();
    let distinct: BTreeSet<IpAddr> = all.iter().map(|(_, address)| *address).collect();
    let fits = (2..=MAX_PEERS + 1).contains(&all.len())
        && distinct.len() == all.len()
        && all.iter().all(|(_, address)| near(*address) && *address != vip);
    if fits { all } else { Vec::new() }
}

fn server_at(config: &Config, address: IpAddr) -> Option<String> {
    let mut servers = config.pools.values().flat_map(|pool| &pool.servers);
    servers.find(|server| server.address.ip() == address).map(|server| server.name.to_string())
}

/// The given node's own address, where the files tell it.
fn own_place(
    name: &str,
    config: &Config,
    first: &InstanceConfig,
    peers: &[(String, Option<IpAddr>)],
) -> Option<IpAddr> {
    if first.transport.source.is_some() {
        return first.transport.source;
    }
    let free = |address: &IpAddr| peers.iter().all(|(_, peer)| *peer != Some(*address));
    let beside = servers_beside(config, first);
    let mine = beside.iter().find(|(server, _)| server == name).or(beside.first());
    let mine = mine.map(|(_, address)| *address).filter(free);
    let Destination::Unicast(list) = &first.transport.to else { return mine };
    // The peers must know where to send: a place beside the first of them will do.
    let IpAddr::V4(peer) = list.first()?.address else { return mine };
    let [a, b, c, _] = peer.octets();
    mine.or_else(|| (11..=250).map(|last| IpAddr::V4(Ipv4Addr::new(a, b, c, last))).find(free))
}

/// What a peer is, compared with the given node.
#[derive(Clone, Copy)]
struct Role {
    /// The given node is meant to be active.
    leads: bool,
    /// This peer is meant to be active.
    active: bool,
}

/// `config` at `own`, with `peers` where it is unicast; as a peer's when there is a `role`.
fn placed(
    config: &Config,
    own: Option<IpAddr>,
    peers: &[(String, Option<IpAddr>)],
    role: Option<Role>,
) -> Config {
    let mut placed = config.clone();
    for instance in placed.instances.values_mut() {
        let mut new = InstanceConfig::clone(instance);
        let six = new.router.family == Family::V6;
        // IPv6 multicast comes from the link-local address, which the files do not tell.
        let multicast = matches!(new.transport.to, Destination::Multicast(_));
        let fits = |address: &IpAddr| address.is_ipv6() == six && !(six && multicast);
        if role.is_some() || new.transport.source.is_none() {
            new.transport.source = own.filter(fits);
        }
        if let Some(role) = role {
            let election = &mut new.election;
            election.wish_master = role.active;
            election.priority = match (role.leads, role.active, election.priority) {
                (true, _, own) => own.saturating_sub(1).max(1),
                (false, true, own) => own.saturating_add(1).min(254),
                (false, false, own) => own,
            };
            if let Destination::Unicast(list) = &mut new.transport.to {
                let ttl = list.first().map_or((0, 255), |peer| (peer.min_ttl, peer.max_ttl));
                let all = peers.iter().filter_map(|(_, address)| *address).filter(fits);
                *list = all.map(|address| Peer { address, min_ttl: ttl.0, max_ttl: ttl.1 }).collect();
            }
        }
        *instance = Arc::new(new);
    }
    placed
}
