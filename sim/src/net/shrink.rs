//! Makes a failing storm small: delta debugging over its faults, then over what stays broken in the calm.
//!
//! As in tier 1 a smaller plan counts only if it breaks the same invariant, and the work is bounded by a count, never by
//! the clock. Hosts share a scheduler and a network here, so leaving a fault out may shift others a little: what is
//! found does fail, but need not be the smallest.

use super::plan::Plan;
use super::storm::{Report, run_plan};
use crate::des::shrink::minimal;

/// The most runs that shrinking may spend; one takes a tenth of a second or two, optimised.
pub const MAX_RUNS: u32 = 80;

/// A failing storm, made small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest plan found.
    pub plan: Plan,
    /// How many runs that took.
    pub runs: u32,
    /// What the smallest plan comes to.
    pub report: Report,
}

/// The smallest plan found that breaks the same invariant as `report`, which `plan` came to; `None` when none broke.
#[must_use]
pub fn shrink(plan: &Plan, report: Report) -> Option<Shrunk> {
    let (_, name, _) = *report.violation.as_ref()?;
    let (mut runs, mut last) = (0, report);
    let mut fails = |candidate: &Plan| {
        if runs >= MAX_RUNS {
            return false;
        }
        runs += 1;
        let report = run_plan(candidate);
        let same = report.violation.as_ref().is_some_and(|violation| violation.1 == name);
        if same {
            last = report;
        }
        same
    };
    let mut best = plan.clone();
    // The large cuts first: they make every further run short.
    let cuts: [fn(&mut Plan); 4] = [
        |plan| plan.faults.clear(),
        |plan| plan.left.clear(),
        |plan| plan.failing.clear(),
        |plan| plan.dead.clear(),
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
    best.dead = minimal(&best.dead, |dead| fails(&Plan { dead: dead.to_vec(), ..best.clone() }));
    Some(Shrunk { plan: best, runs, report: last })
}
