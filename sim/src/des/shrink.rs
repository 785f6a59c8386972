//! Makes a failing plan small: delta debugging over its faults, then over what stays broken in the calm.
//!
//! Every entity draws from its own random stream, so leaving out a fault changes nothing but what it caused. A
//! smaller plan counts only if it breaks the same invariant. The work is bounded by simulated events, never by the
//! clock: the same failure shrinks to the same plan on every machine.

use super::plan::{Drill, Plan};
use super::run::run;

/// The events that shrinking may spend: well under a second of an optimised build.
pub const MAX_EVENTS: u64 = 1_000_000;

/// A failing plan, made small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// How many runs that took.
    pub runs: u32,
    /// How many events those had; more than [`MAX_EVENTS`] only by the last run.
    pub events: u64,
}

/// The smallest plan found that breaks the invariant `name`.
#[must_use]
pub fn shrink(plan: &Plan, name: &str) -> Shrunk {
    let (mut runs, mut events) = (0, 0);
    let mut fails = |candidate: &Plan| {
        if events >= MAX_EVENTS {
            return false;
        }
        let report = run(candidate, false);
        runs += 1;
        events += report.events;
        report.violation.is_some_and(|violation| violation.name == name)
    };
    let mut best = plan.clone();
    // The large cuts first: they make every further run short.
    let cuts: [fn(&mut Plan); 4] = [
        |plan| plan.drill = Drill::Nothing,
        |plan| plan.noise = false,
        |plan| plan.clients = plan.clients.min(1),
        |plan| plan.faults.clear(),
    ];
    for cut in cuts {
        let mut smaller = best.clone();
        cut(&mut smaller);
        if smaller != best && fails(&smaller) {
            best = smaller;
        }
    }
    best.faults = minimal(&best.faults, |faults| fails(&Plan { faults: faults.to_vec(), ..best.clone() }));
    best.left = minimal(&best.left, |left| fails(&Plan { left: left.to_vec(), ..best.clone() }));
    best.failing =
        minimal(&best.failing, |failing| fails(&Plan { failing: failing.to_vec(), ..best.clone() }));
    Shrunk { plan: best, runs, events }
}

/// Delta debugging (Zeller and Hildebrandt 2002): a subset of `all` that still `fails` and of which no single
/// element can be left out.
pub fn minimal<T: Clone>(all: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut best = all.to_vec();
    let mut parts = 2;
    while !best.is_empty() {
        let size = best.len().div_ceil(parts);
        let smaller = (0..best.len()).step_by(size).find_map(|from| {
            let mut rest = best.clone();
            rest.drain(from..(from + size).min(best.len()));
            fails(&rest).then_some(rest)
        });
        match smaller {
            Some(rest) => {
                best = rest;
                parts = parts.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(best.len()),
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delta_debugging_keeps_exactly_what_is_needed() {
        let all: Vec<u32> = (0..200).collect();
        let mut runs = 0;
        let found = minimal(&all, |some| {
            runs += 1;
            some.contains(&17) && some.contains(&160)
        });
        assert_eq!(found, [17, 160]);
        assert!(runs < 100, "{runs}");
    }

    #[test]
    fn a_failure_that_needs_nothing_shrinks_to_nothing() {
        assert!(minimal(&[1, 2, 3], |_| true).is_empty());
    }
}
