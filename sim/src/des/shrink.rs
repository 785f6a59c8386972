//! Makes a failing plan small: delta debugging over its faults, then over what stays broken in the calm.
//!
//! Every entity draws from its own random stream, so leaving out a fault changes nothing but what it caused. A
//! smaller plan counts only if it breaks the same invariant.

use super::plan::Plan;
use super::run::run;

/// The most runs that shrinking may take.
pub const MAX_RUNS: u32 = 400;

/// The smallest plan found that breaks the invariant `name`, and how many runs that took.
#[must_use]
pub fn shrink(plan: &Plan, name: &str) -> (Plan, u32) {
    let mut runs = 0;
    let mut fails = |candidate: &Plan| {
        runs += 1;
        runs <= MAX_RUNS && run(candidate, false).violation.is_some_and(|violation| violation.name == name)
    };
    let mut best = plan.clone();
    best.faults = minimal(&best.faults, |faults| fails(&Plan { faults: faults.to_vec(), ..best.clone() }));
    best.left = minimal(&best.left, |left| fails(&Plan { left: left.to_vec(), ..best.clone() }));
    best.failing =
        minimal(&best.failing, |failing| fails(&Plan { failing: failing.to_vec(), ..best.clone() }));
    let quiet = Plan { noise: false, ..best.clone() };
    if best.noise && fails(&quiet) {
        best = quiet;
    }
    (best, runs.min(MAX_RUNS))
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
