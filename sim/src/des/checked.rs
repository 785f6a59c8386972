//! What a drawn cluster checks: the tracked script, the servers of the one pool, and how it balances.
//!
//! Part of the cluster's shape: drawn once per seed, before any fault.

use super::shape::{SCRIPT, one_of};
use standfast_core::config::model::{Algorithm, CheckConfig, Command, Counter, HashType, Probe, Schedule};
use standfast_core::id::CheckId;
use standfast_core::rng::Rng;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How servers are checked and weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceShape {
    /// From the end of a run to the next one, and the longest run.
    pub interval: Duration,
    /// Failures to go down.
    pub fall: u32,
    /// Successes to go up.
    pub rise: u32,
    /// Weights 1, 2, 3, 1, ... instead of 1.
    pub mixed: bool,
    /// So many of the last servers are backups; the first one never is.
    pub backups: usize,
    /// Who gets the next connection.
    pub algorithm: Algorithm,
}

impl BalanceShape {
    /// The longest from a server's change to the verdict.
    #[must_use]
    pub fn detection(&self) -> Duration {
        self.interval * 2 * (self.fall.max(self.rise) + 1)
    }
}

/// A tracked script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptShape {
    /// Weight; zero makes its failure a fault.
    pub weight: i16,
    /// Between two starts.
    pub interval: Duration,
    /// Failures to go down.
    pub fall: u32,
    /// Successes to go up.
    pub rise: u32,
}

impl ScriptShape {
    /// The longest from the script's change to the verdict.
    #[must_use]
    pub fn detection(&self) -> Duration {
        self.interval * (self.fall.max(self.rise) + 2)
    }
}

impl ScriptShape {
    /// Draws a script for a cluster whose slowest interval is `slowest`.
    pub(super) fn draw(rng: &mut Rng, slowest: Duration) -> ScriptShape {
        let interval = slowest.clamp(Duration::from_millis(100), Duration::from_secs(3));
        ScriptShape {
            weight: one_of(rng, &[0, 0, -2, -20, -60, -253, 5, 40, 253]),
            interval: interval * one_of(rng, &[1, 1, 2]),
            fall: one_of(rng, &[1, 2, 3, 10]),
            rise: one_of(rng, &[1, 2, 3]),
        }
    }
}

/// Round robin more often than the others: it is what configurations say.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RoundRobin,
    Algorithm::RoundRobin,
    Algorithm::RoundRobin,
    Algorithm::StaticRr,
    Algorithm::LeastConn,
    Algorithm::Source(HashType::MapBased),
    Algorithm::Source(HashType::Consistent),
    Algorithm::Random { draws: 2 },
];

impl BalanceShape {
    /// Draws how servers are checked, for a cluster whose slowest interval is `slowest`.
    pub(super) fn draw(rng: &mut Rng, slowest: Duration) -> BalanceShape {
        BalanceShape {
            interval: slowest.clamp(Duration::from_millis(200), Duration::from_secs(5)),
            fall: one_of(rng, &[1, 2, 3, 3]),
            rise: one_of(rng, &[1, 2, 2, 3]),
            mixed: rng.chance(400),
            backups: one_of(rng, &[0, 0, 0, 1, 1, 2]),
            algorithm: one_of(rng, &ALGORITHMS),
        }
    }
}

/// The check of the tracked script.
pub(super) fn script_check(id: CheckId, script: ScriptShape) -> CheckConfig {
    let argv: Arc<[String]> = vec![String::from("/usr/bin/probe")].into();
    CheckConfig {
        id,
        name: SCRIPT.into(),
        probe: Arc::new(Probe::Script { command: Command { argv, user: None }, broken: None }),
        schedule: Schedule {
            interval: script.interval,
            fast: script.interval,
            down: script.interval,
            timeout: script.interval,
        },
        counter: Counter::Script { init_fail: false },
        rise: script.rise,
        fall: script.fall,
    }
}

/// The check of a server.
pub(super) fn server_check(id: CheckId, name: &str, to: SocketAddr, how: BalanceShape) -> CheckConfig {
    let interval = how.interval;
    CheckConfig {
        id,
        name: name.into(),
        probe: Arc::new(Probe::Tcp { to, connect: interval }),
        schedule: Schedule { interval, fast: interval, down: interval, timeout: interval },
        counter: Counter::Server,
        rise: how.rise,
        fall: how.fall,
    }
}
