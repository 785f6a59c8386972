//! The plan of a run: everything that will go wrong, made up front from the seed.
//!
//! Swarm testing: each plan draws a random subset of the fault kinds and a weight from 1 to 100 for each, so that
//! rare combinations are common in some runs. Durations are drawn around the cluster's own times.

use super::adversary::Forgery;
use super::fault::Fault;
use super::lan::Trouble;
use super::shape::{RouterShape, Shape, Tweak, server_address};
use super::truth::Flap;
use super::world::Canary;
use standfast_core::input::{Admin, Errno};
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
    /// Whoever sends to a group hears itself.
    pub echo: bool,
    /// Clients.
    pub clients: usize,
    /// A deliberate mistake of the world.
    pub canary: Option<Canary>,
    /// Hosts start, and act within an instant, in an order of chance, which must not matter.
    pub shuffled: bool,
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
    /// Other software takes one of them away, and its kernel's notices come late.
    TakeOne,
    /// A server dies, or hangs.
    ServerOutage,
    /// The scripts of all nodes fail.
    SharedOutage,
    /// It is cut off for long enough that another one takes over, and then no longer.
    Split,
    /// Power loss, and somebody repeats its farewell again and again.
    Farewells,
    /// Nothing.
    Nothing,
}

const DRILLS: [Drill; 13] = [
    Drill::TakeOne,
    Drill::Split,
    Drill::Farewells,
    Drill::PowerLoss,
    Drill::Kill,
    Drill::Stop,
    Drill::Freeze,
    Drill::LinkDown,
    Drill::ScriptFails,
    Drill::TakeAddresses,
    Drill::ServerOutage,
    Drill::SharedOutage,
    Drill::Nothing,
];

/// Clusters with more virtual routers than this have a shorter run.
const MANY: usize = 20;
/// Kinds of faults: of the wire, of hosts, of what checks see, of configurations and orders, attacks.
const WIRE: usize = 15;
const HOST: usize = 16;
const CHECKS: usize = 6;
const WORDS: usize = 5;
const ATTACKS: usize = 4;
const KINDS: usize = WIRE + HOST + CHECKS + WORDS + ATTACKS;

/// So many of a thousand plans have something rare besides.
const RARE: u64 = 150;

/// Most runs are short: about so many events of a storm.
const SHORT: u64 = 900;
/// Some are long.
const LONG: u64 = 8_000;

impl Plan {
    /// The plan of `seed`.
    #[must_use]
    pub fn draw(seed: u64) -> Plan {
        let root = Rng::new(Seed(seed));
        let shape = Shape::draw(&mut root.fork(1));
        let mut rng = root.fork(2);
        let slowest = shape.routers.iter().map(RouterShape::slowest).max().unwrap_or_default();
        let is_long = rng.chance(20);
        let weights = weights(&mut rng);
        let clients = 1 + usize::from(rng.chance(500));
        let storm = storm(&shape, slowest, if is_long { LONG } else { SHORT });
        let count = rng.below(if is_long { MAX_FAULTS } else { MAX_FAULTS / 3 });
        let mut faults: Vec<(Time, Fault)> = (0..count)
            .map(|nth| {
                let mut own = root.fork(1_000 + nth);
                let at = Time(own.below(u64::try_from(storm.as_nanos()).unwrap_or(0)));
                (at, Draw { rng: &mut own, shape: &shape, clients, slowest }.fault(&weights))
            })
            .collect();
        let mut rare = root.fork(4);
        if rare.chance(RARE) {
            let room = usize::try_from(MAX_FAULTS).unwrap_or(0) - faults.len();
            let more = Draw { rng: &mut rare, shape: &shape, clients, slowest }.rare(storm);
            faults.extend(more.into_iter().take(room));
        }
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
        // Every input looks at every virtual router, so that a run with many of them costs its square.
        let many = shape.routers.len() > MANY;
        let drill = DRILLS[index(&mut calm, DRILLS.len())];
        let drill = if many { Drill::Nothing } else { drill };
        let noise = calm.chance(500) && !many;
        let echo = calm.chance(500) && !many;
        Plan {
            seed,
            shape,
            faults,
            storm,
            left,
            failing,
            drill,
            noise,
            echo,
            clients,
            canary: None,
            shuffled: false,
        }
    }

    /// How long the longest fault lasts that makes a kernel refuse, or forget to answer.
    #[must_use]
    pub fn longest_refusal(&self) -> Duration {
        let refusals = self.faults.iter().filter_map(|(_, fault)| {
            if let Fault::Refuse { lasts, .. } | Fault::MuteKernel { lasts, .. } = fault {
                Some(*lasts)
            } else {
                matches!(fault, Fault::SlowKernel { .. }).then_some(self.shape.apply * 20)
            }
        });
        refusals.max().unwrap_or_default().min(self.storm)
    }
}

/// How long things go wrong: so long that about `budget` events happen, but for some intervals at least.
fn storm(shape: &Shape, slowest: Duration, budget: u64) -> Duration {
    let nodes = shape.nodes as u64;
    let per_second = |every: Duration| 1_000_000 / u64::try_from(every.as_micros()).unwrap_or(1).max(1);
    let routers: u64 =
        shape.routers.iter().map(|router| (nodes + 2) * (1 + per_second(router.fastest()))).sum();
    let checks = 3 * nodes * (shape.servers as u64) * (1 + per_second(shape.balance.interval));
    let millis = budget * 1_000 / (routers + checks + 10);
    Duration::from_millis(millis).clamp((slowest * 8).max(Duration::from_secs(1)), slowest.max(SOON) * 60)
}

/// A storm is no longer than sixty of these, however short the intervals.
const SOON: Duration = Duration::from_secs(1);

fn index(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(len as u64)).unwrap_or(0)
}

/// A random subset of the kinds, each with a weight from 1 to 100, the others 0.
fn weights(rng: &mut Rng) -> [u64; KINDS] {
    let mut weights = [0; KINDS];
    let share = 80 + 150 * rng.below(4);
    for weight in &mut weights {
        if rng.chance(share) {
            *weight = 1 + rng.below(100);
        }
    }
    // Attacks drown everything else, so they are rare.
    let attacks = rng.chance(120);
    for weight in &mut weights[KINDS - ATTACKS..] {
        *weight = if attacks { *weight } else { 0 };
    }
    if weights.iter().all(|weight| *weight == 0) {
        weights[index(rng, KINDS - ATTACKS)] = 1;
    }
    weights
}

/// Draws one fault.
struct Draw<'a> {
    rng: &'a mut Rng,
    shape: &'a Shape,
    clients: usize,
    slowest: Duration,
}

impl Draw<'_> {
    fn fault(mut self, weights: &[u64; KINDS]) -> Fault {
        let total: u64 = weights.iter().sum();
        let mut at = self.rng.below(total);
        let kind = weights.iter().position(|weight| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let kind = kind.unwrap_or(0);
        let lasts = self.lasting();
        if kind < WIRE {
            return self.wire(kind, lasts);
        }
        if kind < WIRE + HOST {
            return self.host(kind - WIRE, lasts);
        }
        if kind < WIRE + HOST + CHECKS {
            return self.checks(kind - WIRE - HOST, lasts);
        }
        if kind < WIRE + HOST + CHECKS + WORDS {
            return self.words(kind - WIRE - HOST - CHECKS, lasts);
        }
        self.attack(kind - WIRE - HOST - CHECKS - WORDS, lasts)
    }

    /// A duration around the cluster's own times: far below an interval, around master-down, or long.
    fn lasting(&mut self) -> Duration {
        let slowest = self.slowest;
        let part = |rng: &mut Rng, of: Duration| {
            Duration::from_nanos(rng.below(u64::try_from(of.as_nanos()).unwrap_or(0)))
        };
        match self.rng.below(5) {
            0 => part(self.rng, slowest),
            1 => slowest * 3 + part(self.rng, slowest),
            2 => slowest * 4 + part(self.rng, slowest * 4),
            3 => Duration::from_millis(1 + self.rng.below(50)),
            _ => part(self.rng, slowest * 12),
        }
    }

    fn one_host(&mut self) -> usize {
        index(self.rng, self.shape.nodes)
    }

    fn wire(&mut self, kind: usize, lasts: Duration) -> Fault {
        let host = self.one_host();
        let port = index(self.rng, self.shape.nodes + self.clients);
        let other = (host + 1 + index(self.rng, self.shape.nodes.max(2) - 1)) % self.shape.nodes;
        let part = self.slowest / u32::try_from(1 + self.rng.below(20)).unwrap_or(1);
        let trouble = |trouble: Trouble| Fault::Trouble { port, trouble, lasts: lasts * 3 };
        match kind {
            0 => Fault::OneWay { from: host, to: other, lasts },
            1 => Fault::Cut { a: host, b: other, lasts },
            2 => Fault::Isolate { port, lasts },
            3 => Fault::Mute { port, lasts },
            4 => Fault::Deafen { port, lasts },
            5 => Fault::Split { side: u16::try_from(1 + self.rng.below(126)).unwrap_or(1), lasts },
            6 => trouble(Trouble::Loss(50 + 50 * self.rng.below(20))),
            7 => trouble(Trouble::Bursts(20 + 40 * self.rng.below(10))),
            8 => trouble(Trouble::Duplicates(100 + 300 * self.rng.below(4))),
            9 => trouble(Trouble::Damage(50 + 150 * self.rng.below(6))),
            10 => trouble(Trouble::Reorder(part * 20)),
            11 => Fault::Trouble { port, trouble: Trouble::Extra(part), lasts },
            12 => trouble(Trouble::NoMulticast),
            13 => trouble(Trouble::NoAnnounce),
            _ => Fault::Clog { port, lasts },
        }
    }

    fn host(&mut self, kind: usize, lasts: Duration) -> Fault {
        let host = self.one_host();
        // EPERM, ENOMEM, EBUSY, ENOBUFS: the kernel would not, although the link is there.
        let errnos = [Errno::EPERM, Errno(12), Errno(16), Errno(105)];
        let drifts = [-100_000, -20_000, -100, 100, 20_000, 100_000];
        match kind {
            0 => Fault::LinkDown { host, lasts },
            1 => Fault::PowerLoss { host, back: lasts },
            2 => Fault::Kill { host, back: lasts },
            3 => Fault::Stop { host, back: lasts },
            4 => Fault::Pause { host, lasts },
            5 => Fault::TakeAddresses { host },
            6 => Fault::AddAddresses { host, lasts },
            7 => Fault::Renumber { host },
            8 => Fault::Drift { host, ppm: drifts[index(self.rng, drifts.len())], lasts: lasts * 3 },
            9 => Fault::SlowCpu { host, by: self.slowest / 2, lasts: lasts * 3 },
            10 => Fault::SlowCpu { host, by: self.slowest * 2, lasts },
            11 => Fault::SlowKernel { host, lasts },
            12 => Fault::MuteKernel { host, lasts },
            13 => Fault::BlindKernel { host, takes: self.rng.chance(500), lasts },
            _ => Fault::Refuse { host, errno: errnos[index(self.rng, errnos.len())], lasts },
        }
    }

    fn checks(&mut self, kind: usize, lasts: Duration) -> Fault {
        let host = self.one_host();
        let scripts = self.shape.script.map(|script| (script.fall, script.rise));
        if self.shape.servers == 0 {
            return match scripts {
                Some((fall, rise)) if kind < 2 => {
                    Fault::ScriptFlaps { host, flap: self.flap(fall, rise), lasts: lasts * 3 }
                }
                Some(_) if kind == 2 => Fault::SlowChecks { host, lasts: lasts * 3 },
                _ => Fault::ScriptFails { host, lasts: lasts * 3 },
            };
        }
        let server = server_address(index(self.rng, self.shape.servers));
        let lasts = lasts.max(self.shape.balance.interval) * 3;
        match kind {
            0 => Fault::ServerDies { server, lasts },
            1 => Fault::ServerHangs { server, lasts },
            2 => Fault::ServerTrickles { server, lasts },
            3 => {
                let flap = self.flap(self.shape.balance.fall, self.shape.balance.rise);
                Fault::ServerFlaps { server, flap, lasts: lasts * 3 }
            }
            4 => Fault::SlowChecks { host, lasts },
            _ => Fault::ScriptFails { host, lasts },
        }
    }

    /// Just enough failures or successes for a flip, or one too few.
    fn flap(&mut self, fall: u32, rise: u32) -> Flap {
        let edge = |rng: &mut Rng, runs: u32| (runs - u32::from(rng.chance(500))).max(1);
        Flap { fails: edge(self.rng, fall), passes: edge(self.rng, rise) }
    }

    fn words(&mut self, kind: usize, lasts: Duration) -> Fault {
        let host = self.one_host();
        let servers = self.shape.servers;
        match kind {
            0 if servers > 0 => {
                let server = server_address(index(self.rng, servers));
                let admin = if self.rng.chance(500) { Admin::Drain } else { Admin::Maintenance };
                Fault::Admin { host, server, admin, lasts: lasts * 3 }
            }
            1 if servers > 0 => {
                let server = server_address(index(self.rng, servers));
                let weights = [0, 1, 2, 255, 256, 300];
                let weight = weights[index(self.rng, weights.len())];
                Fault::Weight { host, server, weight, lasts: lasts * 3 }
            }
            0..=2 => Fault::Resign { host, back: lasts },
            _ => Fault::Reload { host, to: self.tweak() },
        }
    }

    fn tweak(&mut self) -> Tweak {
        match self.rng.below(10) {
            0 => Tweak::First,
            1..=3 => Tweak::ExtraAddress,
            4 => Tweak::As(self.one_host()),
            5 => Tweak::Interval,
            6 => Tweak::Password,
            7 if self.shape.servers > 0 => Tweak::HalfTheServers,
            8 if self.shape.servers > 0 => Tweak::NoServers,
            _ => Tweak::Priority(i16::try_from(self.rng.below(101)).unwrap_or(0) - 50),
        }
    }

    /// Something that no other fault is, each by a stream of its own.
    fn rare(mut self, storm: Duration) -> Vec<(Time, Fault)> {
        let at = Time(self.rng.below(u64::try_from(storm.as_nanos()).unwrap_or(0)));
        let lasts = self.lasting() * 3;
        let host = self.one_host();
        let fault = match self.rng.below(5) {
            0 => Fault::DuplicateAddress { host, lasts },
            1 => {
                // From less than any advertisement needs to more than most of them do.
                let trouble = Trouble::Mtu(8 + index(self.rng, 40));
                Fault::Trouble { port: host, trouble, lasts }
            }
            2 => {
                let priority = [1, 100, 254][index(self.rng, 3)];
                Fault::Attack { what: Forgery::Foreign(priority), every: self.slowest, lasts }
            }
            3 => Fault::Reload { host, to: Tweak::Version },
            _ => return self.swizzle(at),
        };
        vec![(at, fault)]
    }

    /// Ports are clogged one after the other, and released in another order.
    fn swizzle(&mut self, mut at: Time) -> Vec<(Time, Fault)> {
        let mut faults = Vec::new();
        for port in 0..self.shape.nodes + self.clients {
            if self.rng.chance(600) {
                faults.push((at, Fault::Clog { port, lasts: self.lasting() }));
                at = at
                    + Duration::from_nanos(
                        self.rng.below(u64::try_from(self.slowest.as_nanos()).unwrap_or(0)),
                    );
            }
        }
        faults
    }

    fn attack(&mut self, kind: usize, lasts: Duration) -> Fault {
        let every = self.slowest / u32::try_from(1 + self.rng.below(4)).unwrap_or(1);
        let what = match kind {
            0 => Forgery::Priority(255),
            1 => Forgery::Priority(0),
            2 => Forgery::Replay,
            _ => Forgery::Garbage,
        };
        Fault::Attack { what, every: every.max(Duration::from_millis(5)), lasts }
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
            for word in words {
                kinds.extend(
                    ["Mtu(", "Foreign(", "to: Version"]
                        .into_iter()
                        .filter(|rare| word.contains(rare))
                        .map(String::from),
                );
                kinds.insert(word.split(' ').next().unwrap_or_default().to_owned());
            }
            drills.insert(format!("{:?}", plan.drill));
        }
        assert_eq!(kinds.len(), 38, "{kinds:?}");
        assert_eq!(drills.len(), DRILLS.len());
    }
}
