//! The built-in scenarios, fitted to the configuration at hand: which node is hit, how long to wait, how long to watch.
//!
//! Times follow from the configuration: nothing happens before the cluster has settled, and every phase lasts long
//! enough for a takeover, or for a check to be believed, at the configured intervals.

use crate::des::fault::Fault;
use crate::des::scenario::{Join, Scenario};
use crate::des::shape::{Tweak, virtual_address};
use ipnet::IpNet;
use standfast_core::config::model::{Config, Counter, InstanceConfig, Tracked, Version};
use standfast_core::time::Time;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A built-in scenario.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    build: fn(&Stage<'_>) -> Result<Scenario, &'static str>,
}

/// All of them, in the order in which they are run.
pub const BUILTINS: [Builtin; 18] = [
    Builtin { name: "power-loss", about: "the active node loses power and returns", build: power_loss },
    Builtin {
        name: "clean-stop",
        about: "the daemon of the active node is stopped, as for an update",
        build: clean_stop,
    },
    Builtin {
        name: "daemon-killed",
        about: "the daemon of the active node is killed (signal 9)",
        build: killed,
    },
    Builtin {
        name: "daemon-frozen",
        about: "the daemon of the active node stands still, its host goes on",
        build: frozen,
    },
    Builtin { name: "link-down", about: "the active node loses its link", build: link_down },
    Builtin {
        name: "split",
        about: "the active node is cut off from all others, with its link up, and comes back",
        build: split,
    },
    Builtin {
        name: "one-way-split",
        about: "the other nodes do not hear the active node, which hears them",
        build: one_way,
    },
    Builtin {
        name: "check-fails",
        about: "the check script of the active node fails, then passes",
        build: check_fails,
    },
    Builtin {
        name: "check-fails-everywhere",
        about: "the check scripts of all nodes fail, then pass",
        build: checks_fail,
    },
    Builtin {
        name: "backend-dies",
        about: "one server refuses connections, then comes back",
        build: backend_dies,
    },
    Builtin {
        name: "backend-hangs",
        about: "one server accepts connections and says nothing",
        build: backend_hangs,
    },
    Builtin {
        name: "backends-die",
        about: "all servers refuse connections, then come back",
        build: backends_die,
    },
    Builtin {
        name: "reload",
        about: "a reload that changes nothing, then one that lowers the active node's priority",
        build: reload,
    },
    Builtin {
        name: "rolling-restart",
        about: "all nodes are restarted in turn, the active one last",
        build: rolling,
    },
    Builtin {
        name: "address-deleted",
        about: "other network software deletes the virtual address, twice",
        build: deleted,
    },
    Builtin {
        name: "second-cluster",
        about: "another cluster with the same VRID appears on the network",
        build: second,
    },
    Builtin {
        name: "cpu-starvation",
        about: "the active node's daemon gets the processor late, and later each time",
        build: starved,
    },
    Builtin {
        name: "lossy-network",
        about: "a third of the frames from and to the active node is lost",
        build: lossy,
    },
];

/// The scenario called `name` on `nodes`; `None`: no such one, an error: why it has no place here.
#[must_use]
pub fn build(name: &str, nodes: &[(String, Config)]) -> Option<Result<Scenario, &'static str>> {
    let builtin = BUILTINS.iter().find(|builtin| builtin.name == name)?;
    let built = (builtin.build)(&Stage::new(nodes));
    Some(built.map(|mut scenario| {
        scenario.name = name.into();
        scenario
    }))
}

/// What the scenarios need to know of the nodes.
pub(super) struct Stage<'a> {
    nodes: &'a [(String, Config)],
    /// The node that becomes active.
    active: usize,
    /// When everything has settled.
    pub(super) settled: Duration,
    /// Long enough for a takeover.
    pub(super) window: Duration,
    /// Long enough for a tracked check to be believed.
    pub(super) script: Duration,
    /// Long enough for a server's check to be believed.
    pub(super) server: Duration,
}

impl<'a> Stage<'a> {
    pub(super) fn new(nodes: &'a [(String, Config)]) -> Stage<'a> {
        let instances = || nodes.iter().flat_map(|(_, config)| config.instances.values());
        let down = instances().map(|instance| master_down(instance)).max().unwrap_or_default();
        let wait = instances().map(|instance| instance.election.preempt_delay).max().unwrap_or_default();
        let startup = nodes
            .iter()
            .map(|(_, config)| config.node.start.daemon.max(config.node.start.boot))
            .max()
            .unwrap_or_default();
        let believed = |scripts: bool| {
            let checks = nodes.iter().flat_map(|(_, config)| config.checks.values());
            let mine = checks.filter(|check| matches!(check.counter, Counter::Script { .. }) == scripts);
            let longest = mine.map(|check| {
                let schedule = &check.schedule;
                let slowest = schedule.interval.max(schedule.down).max(schedule.fast);
                (slowest + schedule.timeout.min(slowest)) * (check.fall.max(check.rise) + 1)
            });
            longest.max().unwrap_or_default()
        };
        let (script, server) = (believed(true), believed(false));
        Stage {
            nodes,
            active: active(nodes),
            settled: rounded(down * 2 + startup + wait + Duration::from_secs(2)),
            window: rounded(down * 3 + wait + Duration::from_secs(8)),
            script: rounded(script),
            server: rounded(server),
        }
    }

    /// A scenario with this title, in which something happens for `lasts` and is then watched for as long again.
    fn scenario(&self, title: String, lasts: Duration) -> Scenario {
        let mut scenario = Scenario::new("", self.settled + lasts + self.window);
        scenario.title = title;
        scenario
    }

    /// The same, with `fault` from the settled time on.
    fn one(&self, title: &str, lasts: Duration, fault: Fault) -> Scenario {
        let title = format!("{title} {{{}}}", self.active);
        self.scenario(title, lasts).when(self.at(Duration::ZERO), fault)
    }

    fn at(&self, after: Duration) -> Time {
        Time::from_duration(self.settled + after)
    }

    fn routed(&self) -> Result<(), &'static str> {
        let any = self.nodes.iter().any(|(_, config)| !config.instances.is_empty());
        if any { Ok(()) } else { Err("there is no virtual router") }
    }

    fn clustered(&self) -> Result<(), &'static str> {
        self.routed()?;
        if self.nodes.len() > 1 { Ok(()) } else { Err("there is only one node") }
    }

    fn tracked(&self) -> Result<(), &'static str> {
        let instances = self.nodes.iter().flat_map(|(_, config)| config.instances.values());
        let mut trackers = instances.flat_map(|instance| &instance.trackers);
        let any = trackers.any(|tracker| matches!(tracker.what, Tracked::Check(_)));
        if any { Ok(()) } else { Err("no virtual router tracks a check") }
    }

    /// All servers, each once.
    pub(super) fn servers(&self) -> Result<Vec<SocketAddr>, &'static str> {
        let pools = self.nodes.iter().flat_map(|(_, config)| config.pools.values());
        let mut all: Vec<SocketAddr> =
            pools.flat_map(|pool| &pool.servers).map(|server| server.address).collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() { Err("there is no pool of servers") } else { Ok(all) }
    }

    /// `lasts` for a fault of the network or of a node: long enough for two takeovers.
    fn lasts(&self) -> Duration {
        self.window.max(Duration::from_secs(20))
    }
}

/// So long after the start of these nodes the first fault of a built-in scenario comes.
#[must_use]
pub fn settled(nodes: &[(String, Config)]) -> Duration {
    Stage::new(nodes).settled
}

/// The node that becomes active: the highest priority, the highest address among equals.
#[must_use]
pub fn active(nodes: &[(String, Config)]) -> usize {
    let own = crate::des::scenario::all_own_addresses(nodes);
    let first = nodes.iter().find_map(|(_, config)| config.instances.values().next());
    let Some(first) = first else { return 0 };
    let rank = |(nth, (_, config)): (usize, &(String, Config))| {
        let mut same = config.instances.values().filter(|i| i.router.vrid == first.router.vrid);
        let own: Option<&IpAddr> = own[nth].iter().max();
        (same.next().map(|instance| instance.election.priority), own.copied())
    };
    (0..nodes.len()).max_by_key(|nth| rank((*nth, &nodes[*nth]))).unwrap_or(0)
}

/// How long a backup waits for a silent master (RFC 3768 and RFC 9568, 6.1), at most.
fn master_down(instance: &InstanceConfig) -> Duration {
    let election = &instance.election;
    let skew = match instance.router.version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => election.interval,
    };
    election.interval * u32::from(election.down_adverts) + skew
}

/// Up to the next 5 s.
fn rounded(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().saturating_add(5) / 5 * 5)
}

type Built = Result<Scenario, &'static str>;

fn power_loss(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let back = stage.lasts();
    Ok(stage.one("power loss of", back, Fault::PowerLoss { host: stage.active, back }))
}

fn clean_stop(stage: &Stage<'_>) -> Built {
    stage.routed()?;
    let back = stage.lasts();
    Ok(stage.one("clean stop of", back, Fault::Stop { host: stage.active, back }))
}

fn killed(stage: &Stage<'_>) -> Built {
    stage.routed()?;
    let back = stage.lasts();
    Ok(stage.one("daemon killed on", back, Fault::Kill { host: stage.active, back }))
}

fn frozen(stage: &Stage<'_>) -> Built {
    stage.routed()?;
    let lasts = stage.lasts();
    Ok(stage.one("daemon frozen on", lasts, Fault::Pause { host: stage.active, lasts }))
}

fn link_down(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let lasts = stage.lasts();
    Ok(stage.one("link down on", lasts, Fault::LinkDown { host: stage.active, lasts }))
}

fn split(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let lasts = stage.lasts();
    Ok(stage.one("network split around", lasts, Fault::Isolate { port: stage.active, lasts }))
}

fn one_way(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let lasts = stage.lasts();
    let mut scenario = stage.scenario(format!("one-way split: nobody hears {{{}}}", stage.active), lasts);
    for to in (0..stage.nodes.len()).filter(|to| *to != stage.active) {
        scenario = scenario.when(stage.at(Duration::ZERO), Fault::OneWay { from: stage.active, to, lasts });
    }
    Ok(scenario)
}

fn check_fails(stage: &Stage<'_>) -> Built {
    stage.tracked()?;
    let lasts = stage.script + stage.window;
    let mut scenario = stage.one("failing check on", lasts, Fault::ScriptFails { host: stage.active, lasts });
    scenario.length += stage.script;
    Ok(scenario)
}

fn checks_fail(stage: &Stage<'_>) -> Built {
    stage.tracked()?;
    let lasts = stage.script + stage.window;
    let mut scenario = stage.scenario(String::from("check failing on all nodes"), lasts + stage.script);
    for host in 0..stage.nodes.len() {
        scenario = scenario.when(stage.at(Duration::ZERO), Fault::ScriptFails { host, lasts });
    }
    Ok(scenario)
}

fn backend_dies(stage: &Stage<'_>) -> Built {
    let server = stage.servers()?[0];
    let lasts = stage.server + Duration::from_secs(10);
    let scenario = stage.scenario(format!("server {server} dies"), lasts + stage.server);
    Ok(scenario.when(stage.at(Duration::ZERO), Fault::ServerDies { server, lasts }))
}

fn backend_hangs(stage: &Stage<'_>) -> Built {
    let server = stage.servers()?[0];
    let lasts = stage.server + Duration::from_secs(10);
    let scenario = stage.scenario(format!("server {server} hangs"), lasts + stage.server);
    Ok(scenario.when(stage.at(Duration::ZERO), Fault::ServerHangs { server, lasts }))
}

fn backends_die(stage: &Stage<'_>) -> Built {
    let lasts = stage.server + Duration::from_secs(10);
    let mut scenario = stage.scenario(String::from("all servers die"), lasts + stage.server);
    for server in stage.servers()? {
        scenario = scenario.when(stage.at(Duration::ZERO), Fault::ServerDies { server, lasts });
    }
    Ok(scenario)
}

fn reload(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let priorities: Vec<u8> = stage
        .nodes
        .iter()
        .filter_map(|(_, config)| Some(config.instances.values().next()?.election.priority))
        .collect();
    let (lowest, highest) = (priorities.iter().min(), priorities.iter().max());
    let (Some(lowest), Some(highest)) = (lowest, highest) else { return Err("there is no virtual router") };
    let by = i16::from(*lowest) - i16::from(*highest) - 10;
    let (active, pause) = (stage.active, Duration::from_secs(10));
    let back = pause + stage.lasts();
    let mut scenario =
        stage.scenario(format!("reloads, one of which lowers the priority of {{{active}}}"), back);
    for host in 0..stage.nodes.len() {
        scenario = scenario.when(stage.at(Duration::ZERO), Fault::Reload { host, to: Tweak::First });
    }
    let lower = Fault::Reload { host: active, to: Tweak::Priority(by) };
    let again = Fault::Reload { host: active, to: Tweak::First };
    Ok(scenario.when(stage.at(pause), lower).when(stage.at(back), again))
}

fn rolling(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let others = (0..stage.nodes.len()).filter(|host| *host != stage.active);
    let order: Vec<usize> = others.chain([stage.active]).collect();
    let turns = u32::try_from(order.len()).unwrap_or(1);
    let mut scenario = stage.scenario(String::from("rolling restart of all nodes"), stage.window * turns);
    for (nth, host) in (0..).zip(order) {
        let back = Duration::from_secs(5);
        scenario = scenario.when(stage.at(stage.window * nth), Fault::Stop { host, back });
    }
    Ok(scenario)
}

fn deleted(stage: &Stage<'_>) -> Built {
    stage.routed()?;
    let (host, pause) = (stage.active, Duration::from_secs(10));
    let scenario = stage.one("address deleted by other software on", pause, Fault::TakeAddresses { host });
    Ok(scenario.when(stage.at(pause), Fault::TakeAddresses { host }))
}

/// The other cluster is one node with another address, the same VRID and a higher priority.
fn second(stage: &Stage<'_>) -> Built {
    stage.routed()?;
    let (_, ours) = &stage.nodes[stage.active];
    let mut config = ours.clone();
    config.checks.clear();
    config.pools.clear();
    config.frontends.clear();
    let (mut vrid, mut priority) = (0, 0);
    for instance in config.instances.values_mut() {
        let mut new = InstanceConfig::clone(instance);
        new.trackers.retain(|tracker| matches!(tracker.what, Tracked::Interface(_)));
        new.transport.source = None;
        let addresses = new.addresses.iter().filter_map(|held| other_address(held.address));
        new.addresses = addresses
            .map(|address| {
                let interface = new.router.interface.clone();
                standfast_core::config::model::VirtualAddress { interface, ..virtual_address(address) }
            })
            .collect();
        new.election.priority = new.election.priority.saturating_add(50).min(254);
        (vrid, priority) = (new.router.vrid, new.election.priority);
        *instance = Arc::new(new);
    }
    let title = format!("a second cluster with VRID {vrid} and priority {priority} appears");
    let mut scenario = stage.scenario(title, stage.lasts());
    scenario.joins.push(Join { at: stage.at(Duration::ZERO), name: String::from("stranger"), config });
    Ok(scenario)
}

/// An address in the same network that is not this one: the last byte, turned over in its highest bit.
fn other_address(address: IpNet) -> Option<IpNet> {
    let other = match address.addr() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            IpAddr::from([a, b, c, d ^ 0x80])
        }
        IpAddr::V6(v6) => {
            let mut bytes = v6.octets();
            bytes[15] ^= 0x80;
            IpAddr::from(bytes)
        }
    };
    IpNet::new(other, address.prefix_len()).ok()
}

fn starved(stage: &Stage<'_>) -> Built {
    stage.routed()?;
    let host = stage.active;
    let instances = stage.nodes[host].1.instances.values();
    let interval = instances.map(|instance| instance.election.interval).max().unwrap_or_default();
    let mut scenario = stage.scenario(format!("processor starved on {{{host}}}"), Duration::ZERO);
    let mut after = Duration::ZERO;
    for halves in 1..=8_u32 {
        let lasts = interval * halves / 2;
        scenario = scenario.when(stage.at(after), Fault::Pause { host, lasts });
        after += lasts + interval / 10;
    }
    scenario.length = rounded(scenario.length + after);
    Ok(scenario)
}

fn lossy(stage: &Stage<'_>) -> Built {
    stage.clustered()?;
    let lasts = stage.lasts() * 3;
    let trouble = crate::des::lan::Trouble::Loss(333);
    Ok(stage.one(
        "a third of the frames lost at",
        lasts,
        Fault::Trouble { port: stage.active, trouble, lasts },
    ))
}
