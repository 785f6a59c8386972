//! Random runs reach every rare state, or the generator is weak.
//!
//! `SIM_SEEDS` says how many seeds; without it, 2,000.

use sim::des::marks::{Mark, Marks};
use sim::des::run::run_seed;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds without `SIM_SEEDS`.
const SEEDS: u64 = 2_000;

#[test]
fn two_thousand_seeds_reach_every_rare_state() {
    let count = std::env::var("SIM_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut reached = Marks::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count || reached.len() == Mark::ALL.len() {
                return reached;
            }
            reached.extend(run_seed(seed).marks);
        }
    };
    let reached: Marks = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a run does not panic")).collect()
    });
    let missing: Vec<&str> =
        Mark::ALL.iter().filter(|mark| !reached.contains(mark)).map(|mark| mark.as_str()).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
