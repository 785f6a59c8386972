//! `bench`: how fast the simulator is on this machine, on one core, with every invariant looked at.
//!
//! The only place of the simulator that looks at the wall clock. Each figure is the median of [`ROUNDS`] rounds, with
//! the slowest and the fastest beside it: on a busy machine they lie far apart, and then the median says little.

use crate::Ended;
use crate::say::{json, say};
use serde_json::json;
use sim::des::plan::{Drill, Plan};
use sim::des::run::{run as run_plan, run_seed};
use sim::des::shape::Shape;
use sim::net::bench::{Idle, Requests};
use standfast_core::config::model::Version;
use std::fmt::Write;
use std::time::Duration;

/// Rounds of each measurement.
const ROUNDS: u64 = 5;
/// Random runs of a round.
const RUNS: u64 = 100;
/// Three quiet nodes are watched for so long at advertisements every second, and every 10 ms.
const QUIET: [(&str, Duration, Duration); 2] = [
    ("1 s", Duration::from_secs(1), Duration::from_secs(20_000)),
    ("10 ms", Duration::from_millis(10), Duration::from_secs(200)),
];
/// Simulated time of a round of idle hosts on turmoil.
const IDLE: Duration = Duration::from_secs(60);
/// Simulated time of a round of requests.
const LOADED: Duration = Duration::from_secs(2);

/// One figure.
#[derive(Debug)]
struct Figure {
    name: String,
    unit: &'static str,
    /// One per round, in ascending order.
    rounds: Vec<u128>,
}

impl Figure {
    fn median(&self) -> u128 {
        self.rounds[self.rounds.len() / 2]
    }
}

/// `cargo sim bench`.
pub(crate) fn run(as_json: bool) -> Ended {
    let mut figures = random_runs().into_iter().collect::<Vec<_>>();
    figures.extend(QUIET.map(|(name, interval, watched)| quiet(name, interval, watched)));
    figures.extend(turmoil());
    if as_json {
        let one = |figure: &Figure| {
            let (least, most) = (figure.rounds.first(), figure.rounds.last());
            json!({ "name": figure.name, "unit": figure.unit, "median": figure.median(), "least": least, "most": most })
        };
        json(&json!({ "rounds": ROUNDS, "figures": figures.iter().map(one).collect::<Vec<_>>() }));
    } else {
        say(&in_words(&figures));
    }
    Ok(true)
}

fn in_words(figures: &[Figure]) -> String {
    let mut text =
        format!("{:58} {:>10}  {:>10} .. {}\n", "one core, invariants on", "median", "least", "most");
    for figure in figures {
        let (least, most) = (figure.rounds[0], figure.rounds[figure.rounds.len() - 1]);
        let name = format!("{} ({})", figure.name, figure.unit);
        let _ = writeln!(text, "{name:58} {:>10}  {least:>10} .. {most}", figure.median());
    }
    text
}

/// How often `amount` goes into a second, when it took `time`.
fn per_second(amount: u128, time: Duration) -> u128 {
    amount * 1_000_000_000 / time.as_nanos().max(1)
}

#[expect(clippy::disallowed_methods, reason = "a bench is about the wall clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = std::time::Instant::now();
    let done = work();
    (done, began.elapsed())
}

fn figure(name: String, unit: &'static str, mut rounds: Vec<u128>) -> Figure {
    rounds.sort_unstable();
    Figure { name, unit, rounds }
}

/// Random runs, storm to drill.
fn random_runs() -> [Figure; 2] {
    let (mut events, mut runs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let seeds = round * RUNS..(round + 1) * RUNS;
        let (happened, time) = timed(|| seeds.map(|seed| u128::from(run_seed(seed).events)).sum::<u128>());
        events.push(per_second(happened, time));
        runs.push(per_second(u128::from(RUNS), time));
    }
    [
        figure(String::from("tier 1: random runs"), "events/s", events),
        figure(String::from("tier 1: random runs"), "runs/s", runs),
    ]
}

/// Three nodes to which nothing happens, with a script and three servers to check.
fn quiet(name: &str, interval: Duration, watched: Duration) -> Figure {
    let mut shape = Shape::three(Version::V3, false);
    for router in &mut shape.routers {
        router.members.iter_mut().for_each(|member| member.1 = interval);
    }
    let plan = Plan {
        shape,
        faults: Vec::new(),
        storm: watched,
        left: Vec::new(),
        failing: Vec::new(),
        drill: Drill::Nothing,
        noise: false,
        clients: 1,
        ..Plan::draw(0)
    };
    let round = |_| {
        let (report, time) = timed(|| run_plan(&plan, false));
        per_second(report.simulated.as_nanos(), time) / 1_000_000_000
    };
    let name = format!("tier 1: 3 nodes, advertisements every {name}");
    figure(name, "simulated s per s", (0..ROUNDS).map(round).collect())
}

/// The real driver, and the real proxy, on turmoil.
fn turmoil() -> [Figure; 2] {
    let (mut pace, mut served) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut idle = Idle::ready();
        let (_, time) = timed(|| idle.run(IDLE));
        pace.push(per_second(IDLE.as_nanos(), time) / 1_000_000_000);
        let mut requests = Requests::ready();
        let (count, time) = timed(|| requests.run(LOADED));
        served.push(per_second(u128::from(count), time));
    }
    [
        figure(String::from("tier 2: 3 idle hosts"), "simulated s per s", pace),
        figure(String::from("tier 2: through the proxy"), "requests/s", served),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_an_amount_by_its_time_and_the_middle_round_counts() {
        assert_eq!(per_second(3_000, Duration::from_millis(500)), 6_000);
        let figure = figure(String::from("x"), "y", vec![9, 1, 5]);
        assert_eq!((figure.median(), figure.rounds), (5, vec![1, 5, 9]));
    }
}
