//! Scripted stories on real configurations: what happens to whom, when, and what comes of it.
//!
//! The same world and the same faults as in random runs, but with names, a client that tries often, and a
//! [`Timeline`] instead of invariants.

use super::client::{MAX_TARGETS, Target};
use super::fault::Fault;
use super::timeline::{Story, Timeline, seconds};
use super::world::{Event, Setting, Spec, World, own_prefix};
use ipnet::IpNet;
use standfast_core::config::model::{Config, Destination, Family, InstanceConfig};
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// A story before it is told: what happens when, and how long to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is about, in words; `{2}` stands for the name of node number 2.
    pub title: String,
    /// What happens.
    pub steps: Vec<(Time, Fault)>,
    /// Nodes that are switched on later than the others.
    pub joins: Vec<Join>,
    /// How long to watch.
    pub length: Duration,
    /// How often the client tries.
    pub client_every: Duration,
    /// How many connections the client holds open.
    pub held: usize,
    /// All the randomness.
    pub seed: u64,
}

/// A node that is switched on later than the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// When.
    pub at: Time,
    /// Its name.
    pub name: String,
    /// Its configuration.
    pub config: Config,
}

impl Scenario {
    /// A scenario in which nothing happens yet.
    #[must_use]
    pub fn new(name: &str, length: Duration) -> Scenario {
        Scenario {
            name: name.into(),
            title: name.into(),
            steps: Vec::new(),
            joins: Vec::new(),
            length,
            client_every: Duration::from_millis(10),
            held: 12,
            seed: 1,
        }
    }

    /// The same, with `fault` at `seconds`.
    #[must_use]
    pub fn at(self, seconds: u64, fault: Fault) -> Scenario {
        self.when(Time::from_millis(seconds.saturating_mul(1_000)), fault)
    }

    /// The same, with `fault` at `at`.
    #[must_use]
    pub fn when(mut self, at: Time, fault: Fault) -> Scenario {
        self.steps.push((at, fault));
        self
    }

    /// The same with all the randomness from `seed`: what happens comes up to a second later, at another moment
    /// between two advertisements and two checks.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Scenario {
        let later = Duration::from_nanos(Rng::new(Seed(seed)).below(1_000_000_000));
        for (at, _) in &mut self.steps {
            *at = *at + later;
        }
        for join in &mut self.joins {
            join.at = join.at + later;
        }
        self.seed = seed;
        self.length += later;
        self
    }

    /// When the first thing happens.
    #[must_use]
    pub fn began(&self) -> Time {
        let steps =
            self.steps.iter().filter(|(_, fault)| !matches!(fault, Fault::Note(_))).map(|(at, _)| *at);
        steps.chain(self.joins.iter().map(|join| join.at)).min().unwrap_or_default()
    }
}

/// Runs `scenario` on nodes with these names and configurations.
#[must_use]
pub fn run(configs: &[(String, Config)], scenario: &Scenario) -> Timeline {
    run_prepared(configs, scenario, |_| {})
}

/// The same in a world that `prepare` has changed before anything happens.
pub(crate) fn run_prepared(
    configs: &[(String, Config)],
    scenario: &Scenario,
    prepare: impl FnOnce(&mut World),
) -> Timeline {
    let late = scenario.joins.iter().map(|join| (join.name.clone(), join.config.clone()));
    let all: Vec<(String, Config)> = configs.iter().cloned().chain(late).collect();
    let own = all_own_addresses(&all);
    let specs: Vec<Spec> = all
        .iter()
        .zip(own)
        .map(|((name, config), own)| Spec { name: name.clone(), own, config: Arc::new(config.clone()) })
        .collect();
    let setting = Setting {
        seed: scenario.seed,
        delay: (Duration::from_micros(60), Duration::from_micros(400)),
        apply: Duration::from_millis(1),
        clients: 1,
        probe: scenario.client_every,
        words: false,
        echo: false,
        canary: None,
        shuffled: false,
    };
    let targets = targets(configs, &specs);
    let mut world = World::new(&specs, setting);
    world.clients[0].targets.clone_from(&targets);
    world.clients[0].hold(scenario.held);
    world.story = Story::told_from_now();
    prepare(&mut world);
    for (host, join) in (configs.len()..).zip(&scenario.joins) {
        world.power_loss(host);
        world.queue.push(join.at, Event::Undo(Box::new(Fault::PowerLoss { host, back: Duration::ZERO })));
    }
    for (at, fault) in &scenario.steps {
        world.plan(*at, fault.clone());
    }
    world.run_until(Time::from_duration(scenario.length));
    let names = all.iter().map(|(name, _)| name.clone()).collect();
    world.story.finish(names, &targets, scenario.length)
}

/// What a client of these nodes connects to: each listening side on the first address of each virtual router; the
/// nodes' own addresses where there is none.
#[must_use]
pub fn targets(configs: &[(String, Config)], specs: &[Spec]) -> Vec<Target> {
    let routers = super::shape::routers(configs.iter().map(|(_, config)| config));
    let mut addresses: Vec<IpNet> =
        routers.values().filter_map(|addresses| addresses.first()).copied().collect();
    if addresses.is_empty() {
        let own = specs.iter().flat_map(|spec| &spec.own);
        addresses.extend(own.filter_map(|own| IpNet::new(*own, own_prefix(*own)).ok()));
    }
    let mut found = Vec::new();
    for address in addresses {
        let binds = configs.iter().flat_map(|(_, config)| config.frontends.values()).flat_map(|f| &f.binds);
        let fits = binds.filter(|bind| bind.at.ip() == address.addr() || bind.at.ip().is_unspecified());
        let mut ports: Vec<Option<u16>> = fits.map(|bind| Some(bind.at.port())).collect();
        if configs.iter().all(|(_, config)| config.frontends.is_empty()) {
            ports.push(None);
        }
        ports.sort_unstable();
        ports.dedup();
        found.extend(ports.into_iter().map(|port| Target { address, port }));
    }
    found.truncate(MAX_TARGETS);
    found
}

/// The addresses that each node has of its own: its configured sources, else that of a server which bears the node's
/// name, else what its peers send to that no other node claims, else one made up beside its virtual addresses.
#[must_use]
pub fn all_own_addresses(configs: &[(String, Config)]) -> Vec<Vec<IpAddr>> {
    let sources = |config: &Config| -> Vec<IpAddr> {
        config.instances.values().filter_map(|instance| instance.transport.source).collect()
    };
    let mut all: Vec<Vec<IpAddr>> = configs.iter().map(|(_, config)| sources(config)).collect();
    for (nth, (name, config)) in configs.iter().enumerate() {
        for instance in config.instances.values() {
            let family = |address: &IpAddr| address.is_ipv6() == (instance.router.family == Family::V6);
            if all[nth].iter().any(&family) {
                continue;
            }
            let taken: Vec<IpAddr> = all.iter().flatten().copied().collect();
            let free = |address: &IpAddr| !taken.contains(address);
            let named = named_server(config, name).filter(|address| family(address) && free(address));
            let sent_to = || unclaimed_peer(nth, configs, instance).filter(free);
            all[nth].extend(named.or_else(sent_to).or_else(|| made_up(nth, instance, &taken)));
        }
        if config.instances.is_empty() && all[nth].is_empty() {
            all[nth].extend(named_server(config, name).or(Some(super::shape::host_address(nth, Family::V4))));
        }
    }
    for own in &mut all {
        own.sort_unstable();
        own.dedup();
    }
    all
}

/// The address of the first server called `name`.
fn named_server(config: &Config, name: &str) -> Option<IpAddr> {
    let mut servers = config.pools.values().flat_map(|pool| &pool.servers);
    servers.find(|server| *server.name == *name).map(|server| server.address.ip())
}

/// The address that every other member sends to, and this one does not.
fn unclaimed_peer(nth: usize, configs: &[(String, Config)], mine: &InstanceConfig) -> Option<IpAddr> {
    let peers = |instance: &InstanceConfig| match &instance.transport.to {
        Destination::Unicast(peers) => peers.iter().map(|peer| peer.address).collect(),
        Destination::Multicast(_) => Vec::new(),
    };
    let not_me = peers(mine);
    let others = configs.iter().enumerate().filter(|(other, _)| *other != nth);
    let theirs = others.flat_map(|(_, (_, config))| config.instances.values());
    let same = theirs.filter(|theirs| {
        theirs.router.vrid == mine.router.vrid && theirs.router.family == mine.router.family
    });
    same.flat_map(|theirs| peers(theirs)).find(|address| !not_me.contains(address))
}

/// An address in the /24 of the first virtual address, from .11 on (IPv6: link-local, from ::11 on), that nobody has.
fn made_up(nth: usize, instance: &InstanceConfig, taken: &[IpAddr]) -> Option<IpAddr> {
    let mut all = (nth..).map_while(|nth| {
        let last = u8::try_from(nth + 11).ok()?;
        match (instance.router.family, instance.addresses.first()?.address.addr()) {
            (Family::V4, IpAddr::V4(vip)) => {
                let [a, b, c, _] = vip.octets();
                Some(IpAddr::V4(Ipv4Addr::new(a, b, c, last)))
            }
            (Family::V4, IpAddr::V6(_)) => Some(super::shape::host_address(nth, Family::V4)),
            (Family::V6, _) => Some(super::shape::host_address(nth, Family::V6)),
        }
    });
    let virtual_one =
        |address: &IpAddr| instance.addresses.iter().any(|held| held.address.addr() == *address);
    all.find(|address| !taken.contains(address) && !virtual_one(address))
}

/// The active node loses power at 20 s and returns at 40 s; its check fails from 70 s to 130 s.
#[must_use]
pub fn demo_scenario(active: usize) -> Scenario {
    let note = |text: &str| Fault::Note(text.into());
    Scenario::new("demo", Duration::from_secs(170))
        .at(20, note("-- 1. power loss of the active node"))
        .at(20, Fault::PowerLoss { host: active, back: Duration::from_secs(20) })
        .at(40, note("-- 2. it returns"))
        .at(70, note("-- 3. its check begins to fail"))
        .at(70, Fault::ScriptFails { host: active, lasts: Duration::from_secs(60) })
        .at(130, note("-- 4. its check passes again"))
}

/// The simulated run of `standfast demo`: the active node loses power, returns, and its check fails; the timeline,
/// and what the client missed in each part.
#[must_use]
pub fn demo(configs: &[(String, Config)]) -> String {
    let active = highest(configs);
    let timeline = run(configs, &demo_scenario(active));
    let mut text = timeline.to_text();
    let parts =
        [("power loss", 20, 40), ("return", 40, 70), ("failing check", 70, 130), ("recovery", 130, 170)];
    for (what, from, until) in parts {
        let found =
            timeline.longest_outage(Time::from_millis(from * 1_000), Time::from_millis(until * 1_000));
        let said = match found {
            Some(outage) => format!("the client was without service for {} s", seconds(outage.lasted())),
            None => String::from("the client noticed nothing"),
        };
        let _ = writeln!(text, "{what}: {said}");
    }
    text
}

/// The node with the highest priority: the one that becomes active.
fn highest(configs: &[(String, Config)]) -> usize {
    let priority =
        |config: &Config| config.instances.values().map(|i| i.election.priority).max().unwrap_or(0);
    let best = configs.iter().map(|(_, config)| priority(config)).max().unwrap_or(0);
    configs.iter().position(|(_, config)| priority(config) == best).unwrap_or(0)
}
