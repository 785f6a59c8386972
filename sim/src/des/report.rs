//! What a failed run prints: the invariant, the time, the seed, the shrunk plan and the line that replays it.

use super::plan::Plan;
use super::run::{Report, run};
use super::shrink::shrink;
use std::fmt::Write;

/// The lines of trace that a failure shows.
pub const LAST_LINES: usize = 200;

/// Everything worth knowing about the failure of `plan`; empty when it does not fail.
#[must_use]
pub fn failure(plan: &Plan) -> String {
    let Some(violation) = run(plan, false).violation else { return String::new() };
    let (small, runs) = shrink(plan, violation.name);
    let report = run(&small, false);
    let mut text = String::new();
    let _ = writeln!(text, "seed {}: {violation}", plan.seed);
    let faults = (plan.faults.len(), small.faults.len());
    let _ = writeln!(text, "shrunk from {} faults to {} in {runs} runs:", faults.0, faults.1);
    text.push_str(&describe(&small));
    if let Some(violation) = report.violation {
        let _ = writeln!(text, "shrunk: {violation}");
    }
    let _ = writeln!(text, "replay: cargo sim replay {}", plan.seed);
    text
}

/// A plan in words.
#[must_use]
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    let shape = &plan.shape;
    let _ = writeln!(
        text,
        "  {} nodes, {} clients, delay {:?}, kernel {:?}, lease {}, refresh {:?}, {} servers, script {:?}, noise {}",
        shape.nodes,
        plan.clients,
        shape.delay,
        shape.apply,
        shape.lease,
        shape.refresh,
        shape.servers,
        shape.script,
        plan.noise
    );
    for router in &shape.routers {
        let _ = writeln!(text, "  {router:?}");
    }
    for (at, fault) in &plan.faults {
        let _ = writeln!(text, "  at {at} s {fault}");
    }
    let _ = writeln!(
        text,
        "  storm {:?}; left {:?}; scripts failing {:?}; drill {:?}",
        plan.storm, plan.left, plan.failing, plan.drill
    );
    text
}

/// One line about a run that passed.
#[must_use]
pub fn passed(seed: u64, report: &Report) -> String {
    format!(
        "seed {seed}: hash {:016x}, {} events, {:?} simulated",
        report.hash, report.events, report.simulated
    )
}
