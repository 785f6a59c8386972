//! Scripted stories on real configurations: what happens to whom, when, and what comes of it.
//!
//! The same world and the same faults as in random runs, but with names, a client that tries often, and a
//! [`Timeline`] instead of invariants.

use super::fault::Fault;
use super::timeline::{Story, Timeline, seconds};
use super::world::{Setting, Spec, World};
use standfast_core::config::model::{Config, Destination, Family, InstanceConfig};
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
    /// What happens.
    pub steps: Vec<(Time, Fault)>,
    /// How long to watch.
    pub length: Duration,
    /// How often the client tries.
    pub client_every: Duration,
    /// All the randomness.
    pub seed: u64,
}

impl Scenario {
    /// A scenario in which nothing happens yet.
    #[must_use]
    pub fn new(name: &str, length: Duration) -> Scenario {
        Scenario {
            name: name.into(),
            steps: Vec::new(),
            length,
            client_every: Duration::from_millis(10),
            seed: 1,
        }
    }

    /// The same, with `fault` at `seconds`.
    #[must_use]
    pub fn at(mut self, seconds: u64, fault: Fault) -> Scenario {
        self.steps.push((Time::from_millis(seconds * 1_000), fault));
        self
    }
}

/// Runs `scenario` on nodes with these names and configurations.
#[must_use]
pub fn run(configs: &[(String, Config)], scenario: &Scenario) -> Timeline {
    let specs: Vec<Spec> = configs
        .iter()
        .enumerate()
        .map(|(nth, (name, config))| Spec {
            name: name.clone(),
            own: own_addresses(nth, configs),
            config: Arc::new(config.clone()),
        })
        .collect();
    let setting = Setting {
        seed: scenario.seed,
        delay: (Duration::from_micros(60), Duration::from_micros(400)),
        apply: Duration::from_millis(1),
        clients: 1,
        probe: scenario.client_every,
        words: false,
        canary: None,
    };
    let mut world = World::new(&specs, setting);
    world.story = Story::told_from_now();
    for (at, fault) in &scenario.steps {
        world.plan(*at, fault.clone());
    }
    world.run_until(Time::from_duration(scenario.length));
    let names = configs.iter().map(|(name, _)| name.clone()).collect();
    world.story.finish(names, scenario.length)
}

/// The addresses that node number `nth` has of its own: its configured sources, else what its peers send to that no
/// other node claims, else one made up beside its servers or virtual addresses.
#[must_use]
pub fn own_addresses(nth: usize, configs: &[(String, Config)]) -> Vec<IpAddr> {
    let config = &configs[nth].1;
    let mut own: Vec<IpAddr> =
        config.instances.values().filter_map(|instance| instance.transport.source).collect();
    for instance in config.instances.values() {
        if own.iter().all(|address| address.is_ipv6() != (instance.router.family == Family::V6)) {
            own.extend(unclaimed_peer(nth, configs, instance).or_else(|| made_up(nth, instance)));
        }
    }
    own.sort_unstable();
    own.dedup();
    own
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

/// An address in the /24 of the first virtual address, from .11 on (IPv6: link-local, from ::11 on).
fn made_up(nth: usize, instance: &InstanceConfig) -> Option<IpAddr> {
    let last = u8::try_from(nth + 11).ok()?;
    match (instance.router.family, instance.addresses.first()?.address.addr()) {
        (Family::V4, IpAddr::V4(vip)) => {
            let [a, b, c, _] = vip.octets();
            Some(IpAddr::V4(Ipv4Addr::new(a, b, c, last)))
        }
        (Family::V4, IpAddr::V6(_)) => Some(super::shape::host_address(nth, Family::V4)),
        (Family::V6, _) => Some(super::shape::host_address(nth, Family::V6)),
    }
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
