//! `run` and `marks`: every seed of a range on all processors, in constant memory.
//!
//! What is kept of a run that passed is its share of the sums. Of failing ones the lowest [`MAX_KEPT`] seeds are kept;
//! further ones are counted. Stopping at the first failure means the lowest failing seed, whichever thread met it.

use crate::Ended;
use crate::args::{MarksOrder, RunOrder, Seeds};
use crate::say::{json, say};
use serde_json::json;
use sim::des::invariant::{Violation, sentence};
use sim::des::marks::{Mark, Marks};
use sim::des::plan::Plan;
use sim::des::report;
use sim::des::run::run_seed;
use sim::net::storm;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most failures kept.
pub(crate) const MAX_KEPT: usize = 1_000;
/// The most failures printed in words.
const MAX_TOLD: usize = 20;

/// What is kept of one run.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// What broke, if anything.
    pub(crate) violation: Option<Violation>,
    /// Events; tier 2 counts none.
    pub(crate) events: u64,
    /// Simulated time.
    pub(crate) simulated: Duration,
    /// Rare states reached; tier 2 knows none.
    pub(crate) marks: Marks,
}

/// Runs `seed` on `tier`.
fn one(tier: u8, seed: u64) -> Ran {
    if tier == 1 {
        let report = run_seed(seed);
        let (events, simulated, marks) = (report.events, report.simulated, report.marks);
        return Ran { violation: report.violation, events, simulated, marks };
    }
    let report = storm::run(seed);
    let violation = report.violation.map(|(at, name, what)| Violation { name, at, what });
    Ran { violation, events: 0, simulated: report.simulated, marks: Marks::new() }
}

/// What a range came to.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) runs: u64,
    pub(crate) failed: u64,
    pub(crate) events: u64,
    pub(crate) simulated: Duration,
    /// The lowest failing seeds.
    pub(crate) failures: BTreeMap<u64, Violation>,
    /// How many seeds reached each mark.
    pub(crate) marks: BTreeMap<Mark, u64>,
}

impl Sums {
    fn take(&mut self, seed: u64, report: Ran) {
        self.runs += 1;
        self.events += report.events;
        self.simulated += report.simulated;
        for mark in report.marks {
            *self.marks.entry(mark).or_default() += 1;
        }
        if let Some(violation) = report.violation {
            self.failed += 1;
            self.failures.insert(seed, violation);
            if self.failures.len() > MAX_KEPT {
                self.failures.pop_last();
            }
        }
    }
}

/// Runs `seeds` on `threads` threads; `until_failure` stops at the lowest failing one.
pub(crate) fn sums(
    seeds: Seeds,
    threads: usize,
    until_failure: bool,
    one: impl Fn(u64) -> Ran + Sync,
) -> Sums {
    let next = AtomicU64::new(seeds.from);
    let end = AtomicU64::new(seeds.until);
    let all = Mutex::new(Sums::default());
    let work = || {
        let step = |seed: u64| (seed < end.load(Ordering::Relaxed)).then(|| seed + 1);
        while let Ok(seed) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            let report = one(seed);
            if until_failure && report.violation.is_some() {
                end.fetch_min(seed, Ordering::Relaxed);
            }
            all.lock().expect("no thread panics while it adds up").take(seed, report);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut sums = all.into_inner().expect("no thread panics while it adds up");
    if until_failure && let Some((seed, violation)) = sums.failures.pop_first() {
        // Another thread may have met a higher one.
        sums.failures = BTreeMap::from([(seed, violation)]);
        sums.failed = 1;
    }
    sums
}

/// One thread per processor, unless told otherwise.
pub(crate) fn threads(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// `cargo sim run`.
pub(crate) fn run(order: &RunOrder) -> Ended {
    let tier = order.tier;
    let sums = sums(order.seeds, threads(order.threads), order.until_failure, |seed| one(tier, seed));
    if order.json {
        json(&as_json(order.seeds, tier, &sums));
    } else {
        say(&in_words(&sums, tier));
    }
    Ok(sums.failed == 0)
}

/// `cargo sim marks`.
pub(crate) fn marks(order: &MarksOrder) -> Ended {
    let sums = sums(order.seeds, threads(None), false, |seed| one(1, seed));
    let counts = Mark::ALL.map(|mark| (mark, sums.marks.get(&mark).copied().unwrap_or(0)));
    let missing = counts.iter().filter(|(_, count)| *count == 0).count();
    if order.json {
        let one = |(mark, seeds): &(Mark, u64)| json!({ "mark": mark.as_str(), "seeds": seeds });
        json(&json!({
            "seeds": [order.seeds.from, order.seeds.until],
            "missing": missing,
            "marks": counts.iter().map(one).collect::<Vec<_>>(),
        }));
    } else {
        let mut text = format!("{:>8}  of {} seeds reached\n", "seeds", sums.runs);
        for (mark, count) in counts {
            let never = if count == 0 { "   NEVER" } else { "" };
            let _ = writeln!(text, "{count:>8}  {}{never}", mark.as_str());
        }
        say(&text);
    }
    Ok(missing == 0)
}

fn replays(seed: u64, tier: u8) -> String {
    let tier = if tier == 1 { "" } else { " --tier 2" };
    format!("cargo sim replay {seed}{tier}")
}

fn as_json(seeds: Seeds, tier: u8, sums: &Sums) -> serde_json::Value {
    let failure = |(seed, violation): (&u64, &Violation)| {
        json!({
            "seed": seed,
            "invariant": violation.name,
            "sentence": sentence(violation.name),
            "at": violation.at.to_string(),
            "what": violation.what,
            "replay": replays(*seed, tier),
        })
    };
    json!({
        "tier": tier,
        "seeds": [seeds.from, seeds.until],
        "runs": sums.runs,
        "failed": sums.failed,
        "events": sums.events,
        "simulated_seconds": sums.simulated.as_secs(),
        "failures": sums.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn in_words(sums: &Sums, tier: u8) -> String {
    let mut text = String::new();
    for (seed, violation) in sums.failures.iter().take(MAX_TOLD) {
        let _ = writeln!(text, "seed {seed}: {violation}\n  replay: {}", replays(*seed, tier));
    }
    if sums.failed > MAX_TOLD as u64 {
        let _ = writeln!(text, "and {} more", sums.failed - MAX_TOLD as u64);
    }
    if let Some(lowest) = sums.failures.keys().next() {
        let _ = writeln!(text, "\nthe lowest failing seed, looked into:");
        text.push_str(&match tier {
            1 => report::failure(&Plan::draw(*lowest)),
            _ => format!("{}\n", storm::run(*lowest)),
        });
        text.push('\n');
    }
    let (runs, failed, simulated) = (sums.runs, sums.failed, sums.simulated.as_secs());
    let _ = write!(text, "{runs} seeds, {failed} failed, {simulated} simulated seconds");
    let events = if tier == 1 { format!(", {} events", sums.events) } else { String::new() };
    let _ = writeln!(text, "{events}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::time::Time;

    fn report(fails: bool) -> Ran {
        let violation = fails.then(|| Violation { name: "A1", at: Time::ZERO, what: String::new() });
        Ran { violation, events: 10, simulated: Duration::ZERO, marks: Marks::new() }
    }

    #[test]
    fn one_failure_more_than_the_limit_is_counted_but_not_kept() {
        let (good, bad) = (report(false), report(true));
        let until = MAX_KEPT as u64 + 2;
        let one = |seed| if seed == 0 { good.clone() } else { bad.clone() };
        let sums = sums(Seeds { from: 0, until }, 2, false, one);
        assert_eq!((sums.runs, sums.failed, sums.events), (until, MAX_KEPT as u64 + 1, until * 10));
        assert_eq!(sums.failures.len(), MAX_KEPT);
        assert_eq!(sums.failures.keys().next_back(), Some(&(MAX_KEPT as u64)));
    }

    #[test]
    fn stopping_at_a_failure_finds_the_lowest_failing_seed_with_any_number_of_threads() {
        let (good, bad) = (report(false), report(true));
        for threads in [1, 2, 7] {
            let one = |seed| if seed >= 40 { bad.clone() } else { good.clone() };
            let sums = sums(Seeds { from: 0, until: 10_000 }, threads, true, one);
            assert_eq!(sums.failures.keys().copied().collect::<Vec<_>>(), [40]);
            assert!(sums.runs < 60, "{}", sums.runs);
        }
    }
}
