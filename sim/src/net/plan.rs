//! The plan of a storm on turmoil: the cluster and everything that will go wrong, made up front from the seed.
//!
//! One random stream per fault, so that removing one changes no other. A run draws its own weights of the fault
//! kinds. Shorter and smaller than the plans of tier 1: a second here costs a thousand times as much.

use super::setup::{PROBINGS, Setup};
use crate::des::shape::{RouterShape, ScriptShape, Shape, Tweak};
use standfast_core::config::model::{Family, Version};
use standfast_core::input::Errno;
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::fmt;
use std::time::Duration;

/// The most faults of a plan.
pub const MAX_FAULTS: u64 = 16;

/// One thing that goes wrong, or that somebody does. Ports: nodes first, then servers, then the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "nodes, servers and ports are numbers, `lasts` and `back` are times until the end; each variant is described"
)]
pub enum Fault {
    /// Frames from one port to another are lost.
    OneWay { from: usize, to: usize, lasts: Duration },
    /// Frames between two ports are lost.
    Cut { a: usize, b: usize, lasts: Duration },
    /// Nobody hears this port, and it hears nobody.
    Isolate { port: usize, lasts: Duration },
    /// Nobody hears this port, but it hears all.
    Mute { port: usize, lasts: Duration },
    /// It hears nobody, but all hear it.
    Deafen { port: usize, lasts: Duration },
    /// Frames between two ports wait, and arrive all at once.
    Hold { a: usize, b: usize, lasts: Duration },
    /// Frames of a port wait, and arrive all at once.
    Clog { port: usize, lasts: Duration },
    /// The node loses power; it boots again.
    PowerLoss { node: usize, back: Duration },
    /// The daemon is killed (signal 9), its kernel stays; it is started again.
    Kill { node: usize, back: Duration },
    /// The daemon is killed and started at once.
    Bounce { node: usize },
    /// The daemon is stopped cleanly; it is started again.
    Stop { node: usize, back: Duration },
    /// The configuration on disk changes, and the daemon reads it.
    Reload { node: usize, to: Tweak },
    /// An operator sends the node's virtual routers away, and calls them back.
    Resign { node: usize, back: Duration },
    /// The scripts of a node fail.
    ScriptFails { node: usize, lasts: Duration },
    /// Other software takes the addresses of the virtual routers away.
    TakeAddresses { node: usize },
    /// The kernel refuses address requests.
    Refuse { node: usize, errno: Errno, lasts: Duration },
    /// The kernel answers late.
    SlowKernel { node: usize, lasts: Duration },
    /// A server loses power.
    ServerOff { server: usize, back: Duration },
    /// A server refuses connections.
    ServerDies { server: usize, back: Duration },
    /// A server accepts and says nothing.
    ServerHangs { server: usize, back: Duration },
}

/// How many kinds of fault there are.
const KINDS: usize = 20;

impl Fault {
    /// How long until it undoes itself; `None` when there is nothing to undo.
    #[must_use]
    pub fn lasts(&self) -> Option<Duration> {
        match self {
            Fault::OneWay { lasts, .. }
            | Fault::Cut { lasts, .. }
            | Fault::Isolate { lasts, .. }
            | Fault::Mute { lasts, .. }
            | Fault::Deafen { lasts, .. }
            | Fault::Hold { lasts, .. }
            | Fault::Clog { lasts, .. }
            | Fault::ScriptFails { lasts, .. }
            | Fault::Refuse { lasts, .. }
            | Fault::SlowKernel { lasts, .. } => Some(*lasts),
            Fault::PowerLoss { back, .. }
            | Fault::Kill { back, .. }
            | Fault::Stop { back, .. }
            | Fault::Resign { back, .. }
            | Fault::ServerOff { back, .. }
            | Fault::ServerDies { back, .. }
            | Fault::ServerHangs { back, .. } => Some(*back),
            Fault::Bounce { .. } | Fault::Reload { .. } | Fault::TakeAddresses { .. } => None,
        }
    }
}

/// How a node stays out in the calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Without power.
    Off,
    /// Its daemon was killed.
    Killed,
    /// Its daemon has stopped.
    Stopped,
}

/// A deliberate mistake of the simulation: the invariants must notice it, or they notice nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Node 1 hears nobody, even in the calm.
    DeafNode,
    /// Announcements reach nobody.
    NoAnnouncements,
    /// Server 1 is dead in the calm, and nobody says so.
    DeadServer,
    /// A reload in the calm, of which nobody knows, gives node 1 the lowest priority.
    SecretReload,
    /// Server 1 answers with other words than the client's.
    Babble,
}

/// A storm, before it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The cluster.
    pub setup: Setup,
    /// What goes wrong, in order of time.
    pub faults: Vec<(Time, Fault)>,
    /// How long things go wrong.
    pub storm: Duration,
    /// Nodes that stay out in the calm.
    pub left: Vec<(usize, Left)>,
    /// Nodes whose scripts fail in the calm.
    pub failing: Vec<usize>,
    /// Servers that are dead in the calm.
    pub dead: Vec<usize>,
    /// A deliberate mistake.
    pub canary: Option<Canary>,
}

fn index(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(count as u64)).unwrap_or(0)
}

fn one_of<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[index(rng, choices.len())]
}

fn between(rng: &mut Rng, least: Duration, most: Duration) -> Duration {
    let span = u64::try_from(most.saturating_sub(least).as_millis()).unwrap_or(0);
    least + Duration::from_millis(rng.below(span + 1))
}

impl Plan {
    /// The plan of `seed`.
    #[must_use]
    pub fn draw(seed: u64) -> Plan {
        let root = Rng::new(Seed(seed));
        let mut rng = root.fork(1);
        let shape = shape(&mut rng);
        let setup = Setup {
            shuffled: rng.chance(500),
            probing: one_of(&mut rng, &PROBINGS),
            every: Duration::from_millis(one_of(&mut rng, &[300, 1_000])),
            ..Setup::new(&shape, seed)
        };
        let storm = (slowest(&shape) * 20).clamp(Duration::from_secs(6), Duration::from_secs(20));
        let mut weigh = root.fork(2);
        // A kind is left out of half of the runs; the others weigh 1 to 100.
        let weights: Vec<u64> =
            (0..KINDS).map(|_| if weigh.chance(500) { 0 } else { 1 + weigh.below(100) }).collect();
        let count = 1 + weigh.below(MAX_FAULTS);
        let mut faults: Vec<(Time, Fault)> = (0..count)
            .map(|nth| {
                let mut own = root.fork(1_000 + nth);
                let at = Time(own.below(u64::try_from(storm.as_nanos()).unwrap_or(0)));
                (at, fault(&mut own, &weights, &shape))
            })
            .collect();
        faults.sort_by_key(|fault| fault.0);
        let mut calm = root.fork(3);
        let mut left = Vec::new();
        if calm.chance(300) {
            let keeper = index(&mut calm, shape.nodes); // somebody must stay in
            for node in (0..shape.nodes).filter(|node| *node != keeper) {
                if calm.chance(400) {
                    left.push((node, one_of(&mut calm, &[Left::Off, Left::Killed, Left::Stopped])));
                }
            }
        }
        let scripts = shape.script.is_some() && calm.chance(300);
        let failing = (0..shape.nodes).filter(|_| scripts && calm.chance(400)).collect();
        let deaths = calm.chance(300);
        let dead = (0..shape.servers).filter(|_| deaths && calm.chance(500)).collect();
        Plan { setup, faults, storm, left, failing, dead, canary: None }
    }

    /// How long its cluster may take to settle.
    #[must_use]
    pub fn settling(&self) -> Duration {
        let shape = &self.setup.shape;
        let down = shape.routers.iter().map(RouterShape::master_down).max().unwrap_or_default();
        let delay = shape.routers.iter().map(|router| router.preempt_delay).max().unwrap_or_default();
        let script = shape.script.map(|script| script.detection()).unwrap_or_default();
        down * 3 + delay + script.max(self.setup.every * 8) + Duration::from_secs(3)
    }
}

fn slowest(shape: &Shape) -> Duration {
    shape.routers.iter().map(RouterShape::slowest).max().unwrap_or_default()
}

/// Two to four nodes; one or two virtual routers of one family.
fn shape(rng: &mut Rng) -> Shape {
    let nodes = one_of(rng, &[2, 3, 3, 4]);
    let version = one_of(rng, &[Version::V2, Version::V3, Version::V3]);
    let family = if version == Version::V3 && rng.chance(500) { Family::V6 } else { Family::V4 };
    let interval = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => Duration::from_millis(one_of(rng, &[100, 300, 1_000])),
    };
    let style = rng.below(3);
    let member = |node: usize| {
        let node = u8::try_from(node).unwrap_or(0);
        let priority = match style {
            0 => 100,
            1 => 101 - node,
            _ => 200 - 40 * node,
        };
        (priority, interval)
    };
    let routers = (0..one_of(rng, &[1, 1, 2])).map(|nth: u8| RouterShape {
        tracks: true,
        vrid: 51 + nth,
        version,
        family,
        unicast: rng.chance(500),
        preempt: !rng.chance(250),
        preempt_delay: Duration::from_secs(if rng.chance(150) { 2 } else { 0 }),
        down_adverts: 3,
        addresses: one_of(rng, &[1, 1, 2]),
        members: (0..nodes).map(member).collect(),
    });
    let routers = routers.collect();
    let Shape { balance, second_block, group, .. } = Shape::three(Version::V2, false);
    Shape {
        balance,
        second_block,
        group,
        nodes,
        routers,
        delay: (Duration::from_millis(1), Duration::from_millis(3)),
        apply: super::host::APPLY,
        lease: !rng.chance(200),
        refresh: Duration::from_secs(2),
        script: rng.chance(600).then(|| ScriptShape {
            weight: one_of(rng, &[0, -2, -60, 40]),
            interval: Duration::from_millis(500),
            fall: one_of(rng, &[1, 2]),
            rise: one_of(rng, &[1, 2]),
        }),
        servers: one_of(rng, &[1, 2, 3]),
    }
}

/// The number of the drawn kind.
fn kind(rng: &mut Rng, weights: &[u64]) -> usize {
    let mut rest = rng.below(weights.iter().sum());
    for (kind, weight) in weights.iter().enumerate() {
        if rest < *weight {
            return kind;
        }
        rest -= weight;
    }
    0
}

fn fault(rng: &mut Rng, weights: &[u64], shape: &Shape) -> Fault {
    let kind = kind(rng, weights);
    let down = shape.routers.iter().map(RouterShape::master_down).max().unwrap_or_default();
    let lasts = between(rng, Duration::from_millis(50), down * 2);
    let back = between(rng, Duration::from_millis(20), down * 2);
    let ports = shape.nodes + shape.servers + 1;
    let (node, server) = (index(rng, shape.nodes), index(rng, shape.servers));
    let port = if rng.chance(700) { node } else { index(rng, ports) };
    let from = index(rng, ports);
    let to = (from + 1 + index(rng, ports - 1)) % ports;
    match kind {
        0 => Fault::OneWay { from, to, lasts },
        1 => Fault::Cut { a: from, b: to, lasts },
        2 => Fault::Isolate { port, lasts },
        3 => Fault::Mute { port, lasts },
        4 => Fault::Deafen { port, lasts },
        5 => Fault::Hold { a: from, b: to, lasts },
        6 => Fault::Clog { port, lasts },
        7 => Fault::PowerLoss { node, back },
        8 => Fault::Kill { node, back },
        9 => Fault::Bounce { node },
        10 => Fault::Stop { node, back },
        11 => Fault::Reload { node, to: one_of(rng, &TWEAKS) },
        12 => Fault::Resign { node, back },
        13 => Fault::ScriptFails { node, lasts },
        14 => Fault::TakeAddresses { node },
        15 => Fault::Refuse { node, errno: one_of(rng, &[Errno::EPERM, Errno::EEXIST]), lasts },
        16 => Fault::SlowKernel { node, lasts },
        17 => Fault::ServerOff { server, back },
        18 => Fault::ServerDies { server, back },
        _ => Fault::ServerHangs { server, back },
    }
}

const TWEAKS: [Tweak; 4] = [Tweak::First, Tweak::Priority(-50), Tweak::Priority(30), Tweak::ExtraAddress];

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { shape, probing, shuffled, .. } = &self.setup;
        writeln!(f, "{} nodes, {} servers checked by {probing:?}", shape.nodes, shape.servers)?;
        writeln!(f, "hosts in {} order", if *shuffled { "random" } else { "fixed" })?;
        for router in &shape.routers {
            writeln!(f, "{router:?}")?;
        }
        writeln!(f, "script {:?}, lease {}", shape.script, shape.lease)?;
        for (at, fault) in &self.faults {
            writeln!(f, "{at} {fault:?}")?;
        }
        let Plan { left, failing, dead, storm, .. } = self;
        writeln!(f, "calm after {storm:?}: out {left:?}, failing scripts {failing:?}, dead servers {dead:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::setup::Probing;
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        assert_eq!(Plan::draw(4), Plan::draw(4));
        assert_ne!(Plan::draw(4), Plan::draw(5));
    }

    #[test]
    fn sixty_plans_hold_every_fault_both_families_and_every_way_of_checking() {
        let plans: Vec<Plan> = (0..60).map(Plan::draw).collect();
        let name = |fault: &Fault| format!("{fault:?}").split(' ').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> =
            plans.iter().flat_map(|plan| &plan.faults).map(|(_, fault)| name(fault)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS, "{names:?}");
        for family in [Family::V4, Family::V6] {
            assert!(plans.iter().any(|plan| plan.setup.family() == family));
        }
        for probing in [Probing::Tcp, Probing::SslHello, Probing::Tls, Probing::Https] {
            assert!(plans.iter().filter(|plan| plan.setup.probing == probing).count() > 5);
        }
    }
}
