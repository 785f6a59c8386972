//! The plan of a run: everything that will go wrong, made up front from the seed.
//!
//! Swarm testing: each plan draws a random subset of the fault kinds and a weight from 1 to 100 for each, so that
//! rare combinations are common in some runs. Durations are drawn around the cluster's own times.

use super::fault::Fault;
use super::lan::Trouble;
use super::shape::{Shape, Tweak};
use super::world::Canary;
use standfast_core::input::Errno;
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::time::Duration;

/// The most faults of a plan.
pub const MAX_FAULTS: u64 = 48;

/// A run, before it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// The cluster.
    pub shape: Shape,
    /// What goes wrong, in order of time.
    pub faults: Vec<(Time, Fault)>,
    /// How long things go wrong.
    pub storm: Duration,
    /// Hosts that stay out in the calm.
    pub left: Vec<(usize, Left)>,
    /// Hosts whose scripts fail in the calm.
    pub failing: Vec<usize>,
    /// What happens to the master after the calm.
    pub drill: Drill,
    /// Somebody replays changed advertisements all the time.
    pub noise: bool,
    /// Clients.
    pub clients: usize,
    /// A deliberate mistake of the world.
    pub canary: Option<Canary>,
}

/// How a host stays out in the calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Without power.
    Off,
    /// Its daemon was killed.
    Killed,
    /// Its daemon has stopped.
    Stopped,
    /// Its daemon is frozen.
    Frozen,
    /// Nobody hears it, and it hears nobody.
    Isolated,
}

/// What happens to the master after the calm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drill {
    /// Power loss.
    PowerLoss,
    /// Signal 9.
    Kill,
    /// A clean stop.
    Stop,
    /// A freeze.
    Freeze,
    /// Carrier loss.
    LinkDown,
    /// Its script fails.
    ScriptFails,
    /// Other software takes its addresses away.
    TakeAddresses,
    /// A restart of the better half: nothing at first.
    Nothing,
}

const DRILLS: [Drill; 8] = [
    Drill::PowerLoss,
    Drill::Kill,
    Drill::Stop,
    Drill::Freeze,
    Drill::LinkDown,
    Drill::ScriptFails,
    Drill::TakeAddresses,
    Drill::Nothing,
];

const KINDS: usize = 23;

impl Plan {
    /// The plan of `seed`.
    #[must_use]
    pub fn draw(seed: u64) -> Plan {
        let root = Rng::new(Seed(seed));
        let shape = Shape::draw(&mut root.fork(1));
        let mut rng = root.fork(2);
        let slowest = shape.routers.iter().map(super::shape::RouterShape::slowest).max().unwrap_or_default();
        let storm = (slowest * 60).clamp(Duration::from_secs(15), Duration::from_secs(200));
        let weights = weights(&mut rng);
        let clients = 1 + usize::from(rng.chance(500));
        let count = rng.below(MAX_FAULTS);
        let mut faults: Vec<(Time, Fault)> = (0..count)
            .map(|nth| {
                let mut own = root.fork(1_000 + nth);
                let at = Time(own.below(u64::try_from(storm.as_nanos()).unwrap_or(0)));
                (at, draw_fault(&mut own, &weights, &shape, clients, slowest))
            })
            .collect();
        faults.sort_by_key(|fault| fault.0);
        let mut calm = root.fork(3);
        let mut left = Vec::new();
        if calm.chance(400) {
            // Somebody must stay in: host `keeper` does.
            let keeper = index(&mut calm, shape.nodes);
            for host in (0..shape.nodes).filter(|host| *host != keeper) {
                if calm.chance(400) {
                    let kinds = [Left::Off, Left::Killed, Left::Stopped, Left::Frozen, Left::Isolated];
                    left.push((host, kinds[index(&mut calm, kinds.len())]));
                }
            }
        }
        let failing = (0..shape.nodes).filter(|_| calm.chance(200)).collect();
        let drill = DRILLS[index(&mut calm, DRILLS.len())];
        let noise = calm.chance(500);
        Plan { seed, shape, faults, storm, left, failing, drill, noise, clients, canary: None }
    }
}

fn index(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(len as u64)).unwrap_or(0)
}

/// A random subset of the kinds, each with a weight from 1 to 100, the others 0.
fn weights(rng: &mut Rng) -> [u64; KINDS] {
    let mut weights = [0; KINDS];
    let share = 150 + 200 * rng.below(4);
    for weight in &mut weights {
        if rng.chance(share) {
            *weight = 1 + rng.below(100);
        }
    }
    if weights.iter().all(|weight| *weight == 0) {
        weights[index(rng, KINDS)] = 1;
    }
    weights
}

/// A duration around the cluster's own times: far below an interval, around master-down, or long.
fn lasting(rng: &mut Rng, slowest: Duration) -> Duration {
    let part = |rng: &mut Rng, of: Duration| {
        Duration::from_nanos(rng.below(u64::try_from(of.as_nanos()).unwrap_or(0)))
    };
    match rng.below(5) {
        0 => part(rng, slowest),
        1 => slowest * 3 + part(rng, slowest),
        2 => slowest * 4 + part(rng, slowest * 4),
        3 => Duration::from_millis(1 + rng.below(50)),
        _ => part(rng, slowest * 12),
    }
}

fn draw_fault(
    rng: &mut Rng,
    weights: &[u64; KINDS],
    shape: &Shape,
    clients: usize,
    slowest: Duration,
) -> Fault {
    let total: u64 = weights.iter().sum();
    let mut at = rng.below(total);
    let kind = weights.iter().position(|weight| {
        let here = at < *weight;
        at = at.saturating_sub(*weight);
        here
    });
    let lasts = lasting(rng, slowest);
    let host = index(rng, shape.nodes);
    let port = index(rng, shape.nodes + clients);
    let other = (host + 1 + index(rng, shape.nodes.max(2) - 1)) % shape.nodes;
    // EPERM, ENOMEM, EBUSY, ENOBUFS: the kernel would not, although the link is there.
    let errnos = [Errno::EPERM, Errno(12), Errno(16), Errno(105)];
    match kind.unwrap_or(0) {
        0 => Fault::OneWay { from: host, to: other, lasts },
        1 => Fault::Cut { a: host, b: other, lasts },
        2 => Fault::Isolate { port, lasts },
        3 => Fault::Mute { port, lasts },
        4 => Fault::Deafen { port, lasts },
        5 => Fault::Split { side: u16::try_from(1 + rng.below(126)).unwrap_or(1), lasts },
        6 => Fault::Trouble { port, trouble: Trouble::Loss(50 + 50 * rng.below(10)), lasts: lasts * 3 },
        7 => {
            Fault::Trouble { port, trouble: Trouble::Duplicates(100 + 300 * rng.below(3)), lasts: lasts * 3 }
        }
        8 => Fault::Trouble {
            port,
            trouble: Trouble::Extra(slowest / u32::try_from(1 + rng.below(20)).unwrap_or(1)),
            lasts,
        },
        9 => Fault::LinkDown { host, lasts },
        10 => Fault::PowerLoss { host, back: lasts },
        11 => Fault::Kill { host, back: lasts },
        12 => Fault::Stop { host, back: lasts },
        13 => Fault::Pause { host, lasts },
        14 => Fault::Reload { host, to: tweak(rng) },
        15 => Fault::TakeAddresses { host },
        16 => Fault::Refuse { host, errno: errnos[index(rng, errnos.len())], lasts },
        17 => Fault::SlowKernel { host, lasts },
        18 => Fault::MuteKernel { host, lasts },
        19 => Fault::BlindKernel { host, lasts },
        20 => Fault::ScriptFails { host, lasts: lasts * 3 },
        21 if shape.servers > 0 => Fault::server_dies(index(rng, shape.servers), lasts * 3),
        21 => Fault::ScriptFails { host, lasts },
        _ => Fault::Resign { host, back: lasts },
    }
}

fn tweak(rng: &mut Rng) -> Tweak {
    match rng.below(4) {
        0 => Tweak::First,
        1 => Tweak::ExtraAddress,
        _ => Tweak::Priority(i16::try_from(rng.below(101)).unwrap_or(0) - 50),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        assert_eq!(Plan::draw(12), Plan::draw(12));
        assert_ne!(Plan::draw(12).faults, Plan::draw(13).faults);
    }

    #[test]
    fn two_thousand_seeds_draw_every_fault_and_every_drill() {
        let mut kinds = BTreeSet::new();
        let mut drills = BTreeSet::new();
        for seed in 0..2_000 {
            let plan = Plan::draw(seed);
            assert!(plan.faults.len() as u64 <= MAX_FAULTS);
            let words = plan.faults.iter().map(|(_, fault)| format!("{fault:?}"));
            kinds.extend(words.map(|word| word.split(' ').next().unwrap_or_default().to_owned()));
            drills.insert(format!("{:?}", plan.drill));
        }
        assert_eq!(kinds.len(), 21, "{kinds:?}");
        assert_eq!(drills.len(), DRILLS.len());
    }
}
