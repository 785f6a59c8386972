//! Random scenarios on the user's own configuration: a few faults at random times, then calm.
//!
//! The faults are those of scenario files; hosts, servers, times and durations are drawn from the seed. Everything heals
//! before the end, with time enough to settle: whoever is not served then has found something.

use super::builtin::Stage;
use crate::des::fault::Fault;
use crate::des::lan::Trouble;
use crate::des::scenario::Scenario;
use standfast_core::config::model::Config;
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::time::Duration;

/// The most faults of a storm.
pub const MAX_FAULTS: u64 = 12;
/// How long things go wrong.
pub const LASTS: Duration = Duration::from_secs(60);
/// The most seeds of one command.
pub const MAX_SEEDS: u64 = 100_000;

/// The storm of `seed` on `nodes`.
#[must_use]
pub fn draw(seed: u64, nodes: &[(String, Config)]) -> Scenario {
    let stage = Stage::new(nodes);
    let root = Rng::new(Seed(seed));
    let mut rng = root.fork(1);
    let servers = stage.servers().unwrap_or_default();
    let count = 2 + rng.below(MAX_FAULTS - 1);
    let calm = stage.window.max(stage.script).max(stage.server);
    let mut scenario = Scenario::new(&format!("storm-{seed}"), stage.settled + LASTS + calm + calm);
    scenario.title = format!("storm {seed} of {count} faults");
    scenario.seed = seed;
    for nth in 0..count {
        let mut own = root.fork(100 + nth);
        let after = within(&mut own, LASTS / 4 * 3);
        let lasts = within(&mut own, LASTS / 4).max(Duration::from_millis(20));
        let host = pick(&mut own, nodes.len());
        let server = (!servers.is_empty()).then(|| servers[pick(&mut own, servers.len())]);
        let fault = fault(&mut own, nodes.len(), host, lasts, server);
        scenario = scenario.when(Time::from_duration(stage.settled + after), fault);
    }
    scenario.steps.sort_by_key(|(at, _)| *at);
    scenario
}

fn within(rng: &mut Rng, most: Duration) -> Duration {
    Duration::from_millis(rng.below(u64::try_from(most.as_millis()).unwrap_or(1)))
}

fn pick(rng: &mut Rng, of: usize) -> usize {
    usize::try_from(rng.below(of as u64)).unwrap_or(0)
}

fn fault(
    rng: &mut Rng,
    nodes: usize,
    host: usize,
    lasts: Duration,
    server: Option<std::net::SocketAddr>,
) -> Fault {
    let other = (host + 1 + pick(rng, nodes.max(2) - 1)) % nodes.max(1);
    let backend = |dies: bool| {
        server.map(|server| {
            if dies { Fault::ServerDies { server, lasts } } else { Fault::ServerHangs { server, lasts } }
        })
    };
    match rng.below(13) {
        0 => Fault::PowerLoss { host, back: lasts },
        1 => Fault::Stop { host, back: lasts },
        2 => Fault::Kill { host, back: lasts },
        3 => Fault::Pause { host, lasts },
        4 => Fault::LinkDown { host, lasts },
        5 => Fault::Isolate { port: host, lasts },
        6 if nodes > 1 => Fault::OneWay { from: host, to: other, lasts },
        7 => Fault::ScriptFails { host, lasts },
        8 => Fault::TakeAddresses { host },
        9 => Fault::Trouble { port: host, trouble: Trouble::Loss(100 * (1 + rng.below(5))), lasts },
        10 => Fault::Resign { host, back: lasts },
        11 => backend(true).unwrap_or(Fault::Kill { host, back: lasts }),
        _ => backend(false).unwrap_or(Fault::Mute { port: host, lasts }),
    }
}
