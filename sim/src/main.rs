//! `cargo sim`: runs, replays and shrinks random runs of the discrete-event tier.
//!
//! `run --seeds A..B`, `replay SEED [--trace]`, `shrink SEED`, `table` (the page docs/failover.md). Exit status 1 when an invariant broke, 2 for a bad
//! command line.

use sim::des::plan::Plan;
use sim::des::report;
use sim::des::run::{Report, run, run_seed};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

const USAGE: &str = "usage: cargo sim run --seeds A..B | replay SEED [--trace] | shrink SEED | table";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["run", "--seeds", range] => seeds(range).map(|(from, until)| run_all(from, until)),
        ["replay", seed] => seed.parse().ok().map(|seed| replay(seed, false)),
        ["replay", seed, "--trace"] => seed.parse().ok().map(|seed| replay(seed, true)),
        ["shrink", seed] => seed.parse().ok().map(shrink),
        ["table"] => {
            print!("{}", sim::des::table::table().page());
            Some(true)
        }
        _ => None,
    };
    match done {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn seeds(range: &str) -> Option<(u64, u64)> {
    let (from, until) = range.split_once("..")?;
    let range = (from.parse().ok()?, until.parse().ok()?);
    (range.0 < range.1).then_some(range)
}

fn run_all(from: u64, until: u64) -> bool {
    let next = AtomicU64::new(from);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut mine = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= until {
                return mine;
            }
            mine.push((seed, run_seed(seed)));
        }
    };
    let mut all: Vec<(u64, Report)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    let mut good = true;
    for (seed, report) in &all {
        if let Some(violation) = &report.violation {
            println!("seed {seed}: {violation}");
            println!("  replay: cargo sim replay {seed}");
            good = false;
        }
    }
    let events: u64 = all.iter().map(|(_, report)| report.events).sum();
    let simulated: u64 = all.iter().map(|(_, report)| report.simulated.as_secs()).sum();
    let failed = all.iter().filter(|(_, report)| report.violation.is_some()).count();
    println!("{} seeds, {failed} failed, {events} events, {simulated} simulated seconds", all.len());
    good
}

fn replay(seed: u64, trace: bool) -> bool {
    let plan = Plan::draw(seed);
    print!("{}", report::describe(&plan));
    let report = run(&plan, trace || run_seed(seed).violation.is_some());
    let skip = if trace { 0 } else { report.trace.len().saturating_sub(report::LAST_LINES) };
    for line in &report.trace[skip..] {
        println!("{line}");
    }
    println!("{}", report::passed(seed, &report));
    if let Some(violation) = &report.violation {
        println!("BROKEN {violation}");
    }
    report.violation.is_none()
}

fn shrink(seed: u64) -> bool {
    let text = report::failure(&Plan::draw(seed));
    if text.is_empty() {
        println!("seed {seed} passes");
    }
    print!("{text}");
    text.is_empty()
}
