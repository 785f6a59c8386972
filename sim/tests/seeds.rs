//! Random runs of the discrete-event tier: known seeds first, then a range of new ones, in parallel.
//!
//! `SIM_SEEDS` says how many; without it, as many as take a few seconds in an unoptimised build.

use sim::des::plan::Plan;
use sim::des::{report, run};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds without `SIM_SEEDS`.
const FEW: u64 = 200;

#[test]
fn every_seed_that_ever_failed_passes() {
    let known = include_str!("../seeds.txt").lines().map(str::trim);
    let known = known.filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in known {
        let seed = line.parse().expect("seeds.txt holds one seed per line");
        let text = report::failure(&Plan::draw(seed));
        assert!(text.is_empty(), "{text}");
    }
}

#[test]
fn random_faults_break_no_invariant() {
    let count = std::env::var("SIM_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(FEW);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return failed;
            }
            if run::run_seed(seed).violation.is_some() {
                failed.push(seed);
            }
        }
    };
    let mut failed: Vec<u64> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    failed.sort_unstable();
    let text = failed.first().map(|seed| report::failure(&Plan::draw(*seed))).unwrap_or_default();
    assert!(failed.is_empty(), "{} of {count} seeds failed: {failed:?}\n{text}", failed.len());
}
