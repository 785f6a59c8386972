//! Seeded storms on turmoil: known seeds first, then a range, in parallel.
//!
//! `SIM_NET_SEEDS` says how many; without it, as many as take a few seconds in an unoptimised build.

use sim::net::plan::{Canary, Plan};
use sim::net::{shrink, storm};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds without `SIM_NET_SEEDS`.
const FEW: u64 = 6;

#[test]
fn storms_break_no_invariant_of_the_real_driver_checks_and_proxy() {
    let count = std::env::var("SIM_NET_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(FEW);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return failed;
            }
            let report = storm::run(seed);
            if report.violation.is_some() {
                failed.push(report.to_string());
            }
        }
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a storm does not panic")).collect()
    });
    assert!(failed.is_empty(), "{} of {count} failed\n{}", failed.len(), failed.join("\n\n"));
}

/// How many of the first seeds fail with `canary`, and by which invariants.
fn failures(canary: Canary) -> Vec<&'static str> {
    let plans = (0..8).map(|seed| Plan { canary: Some(canary), ..Plan::draw(seed) });
    plans.filter_map(|plan| storm::run_plan(&plan).violation).map(|(_, name, _)| name).collect()
}

#[test]
fn deliberate_mistakes_of_the_simulation_are_noticed() {
    let noticed = [
        (Canary::DeafNode, "A1"),
        (Canary::NoAnnouncements, "A8"),
        (Canary::DeadServer, "E3"),
        (Canary::SecretReload, "A5"),
        (Canary::Babble, "A19"),
    ];
    std::thread::scope(|scope| {
        for (canary, name) in noticed {
            scope.spawn(move || {
                let found = failures(canary);
                assert!(found.contains(&name), "{canary:?}: {found:?}");
            });
        }
    });
}

#[test]
fn a_failure_names_invariant_time_seed_and_plan_and_the_line_that_replays_it() {
    let plan = Plan { canary: Some(Canary::DeadServer), dead: Vec::new(), ..Plan::draw(1) };
    let text = storm::run_plan(&plan).to_string();
    assert!(text.starts_with("seed 1: E"), "{text}");
    assert!(text.contains("servers checked by"), "{text}");
    assert!(text.ends_with("replay: cargo sim replay 1 --tier 2"), "{text}");
}

#[test]
fn a_failing_storm_shrinks_to_what_its_failure_needs() {
    let plan = Plan { canary: Some(Canary::DeadServer), ..Plan::draw(1) };
    let report = storm::run_plan(&plan);
    let name = report.violation.as_ref().map(|violation| violation.1);
    let shrunk = shrink::shrink(&plan, report).expect("a dead server is noticed");
    assert!(!plan.faults.is_empty() && shrunk.plan.faults.is_empty(), "{:?}", shrunk.plan.faults);
    assert_eq!(shrunk.report.violation.map(|violation| violation.1), name);
    assert!(shrunk.runs <= shrink::MAX_RUNS);
    let healthy = storm::run(1);
    assert_eq!(shrink::shrink(&plan, healthy), None, "what passes is not shrunk");
}
