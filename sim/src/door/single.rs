//! `replay` and `shrink`: one seed, looked at closely.
//!
//! Replaying a seed makes the same run again, event for event; the hash says so. `--shrunk` replays what shrinking
//! found, which is as reproducible: it is bounded by events, not by time.

use crate::Ended;
use crate::args::{ReplayOrder, ShrinkOrder};
use crate::say::{json, say};
use serde_json::json;
use sim::des::invariant::{Violation, sentence};
use sim::des::plan::Plan;
use sim::des::report::{self, Failure, LAST_LINES};
use sim::des::run::run;
use sim::net::{self, storm};
use std::fmt::Write;

/// `cargo sim replay`.
pub(crate) fn replay(order: &ReplayOrder) -> Ended {
    let seed = order.seed;
    if order.tier == 2 {
        return replay_storm(order);
    }
    let mut plan = Plan::draw(seed);
    if order.shrunk {
        match report::investigate(&plan) {
            Some(failure) => plan = failure.shrunk.plan,
            None => {
                return Err(format!("seed {seed} passes, so there is nothing to shrink; leave --shrunk out"));
            }
        }
    }
    let report = run(&plan, true);
    let good = report.violation.is_none();
    // Without being asked for everything, a failure shows its last lines.
    let shown = match (order.trace, good) {
        (true, _) => report.trace.len(),
        (false, true) => 0,
        (false, false) => LAST_LINES,
    };
    let trace = &report.trace[report.trace.len().saturating_sub(shown)..];
    if order.json {
        json(&json!({
            "seed": seed,
            "hash": format!("{:016x}", report.hash),
            "events": report.events,
            "simulated_seconds": report.simulated.as_secs(),
            "plan": report::describe(&plan),
            "violation": report.violation.as_ref().map(violation),
            "trace": trace,
        }));
        return Ok(good);
    }
    let mut text = report::describe(&plan);
    for line in trace {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{}", report::passed(seed, &report));
    if let Some(violation) = &report.violation {
        let _ = writeln!(text, "BROKEN {violation}");
    }
    say(&text);
    Ok(good)
}

/// A storm of tier 2: its plan, the role changes and what it came to.
fn replay_storm(order: &ReplayOrder) -> Ended {
    if order.shrunk {
        return Err(String::from("only tier 1 shrinks; leave --shrunk or --tier 2 out"));
    }
    let report = storm::run(order.seed);
    let good = report.violation.is_none();
    if order.json {
        let broken = report.violation.map(|(at, name, what)| violation(&Violation { name, at, what }));
        json(&json!({
            "seed": report.seed,
            "tier": 2,
            "hash": format!("{:016x}", report.hash),
            "served": report.served,
            "simulated_seconds": report.simulated.as_secs(),
            "plan": report.plan,
            "violation": broken,
            "trace": report.roles,
        }));
        return Ok(good);
    }
    let mut text = String::new();
    if good && order.trace {
        for line in report.plan.lines().chain(report.roles.iter().map(String::as_str)) {
            let _ = writeln!(text, "  {line}");
        }
    }
    say(&format!("{text}{report}\n"));
    Ok(good)
}

/// `cargo sim shrink`. A seed that passes is no failure.
pub(crate) fn shrink(order: &ShrinkOrder) -> Ended {
    let seed = order.seed;
    if order.tier == 2 {
        return Ok(shrink_storm(order));
    }
    let Some(failure) = report::investigate(&Plan::draw(seed)) else {
        if order.json {
            json(&json!({ "seed": seed, "violation": null }));
        } else {
            say(&format!("seed {seed} passes: there is nothing to shrink\n"));
        }
        return Ok(true);
    };
    let folder = report::folder();
    let files = failure
        .write_traces(&folder)
        .map_err(|error| format!("cannot write traces below {}: {error}", folder.display()))?;
    if order.json {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        json(&as_json(&failure, &names));
    } else {
        say(&failure.text());
        say(&report::told(&files));
    }
    Ok(false)
}

/// The same for a storm of tier 2: the smallest plan found, and what it comes to.
fn shrink_storm(order: &ShrinkOrder) -> bool {
    let seed = order.seed;
    let plan = net::plan::Plan::draw(seed);
    let Some(shrunk) = net::shrink::shrink(&plan, storm::run_plan(&plan)) else {
        if order.json {
            json(&json!({ "seed": seed, "tier": 2, "violation": null }));
        } else {
            say(&format!("seed {seed} passes: there is nothing to shrink\n"));
        }
        return true;
    };
    let (before, after) = (plan.faults.len(), shrunk.plan.faults.len());
    if order.json {
        let broken = shrunk.report.violation.as_ref();
        let broken =
            broken.map(|(at, name, what)| violation(&Violation { name, at: *at, what: what.clone() }));
        json(&json!({
            "seed": seed,
            "tier": 2,
            "violation": broken,
            "faults_before": before,
            "faults": after,
            "runs": shrunk.runs,
            "plan": shrunk.report.plan,
            "replay": format!("cargo sim replay {seed} --tier 2"),
        }));
    } else {
        say(&format!("{}\n{before} faults, shrunk to {after} in {} runs\n", shrunk.report, shrunk.runs));
    }
    false
}

fn violation(violation: &Violation) -> serde_json::Value {
    json!({
        "invariant": violation.name,
        "sentence": sentence(violation.name),
        "at": violation.at.to_string(),
        "what": violation.what,
    })
}

fn as_json(failure: &Failure, files: &[String]) -> serde_json::Value {
    let shrunk = &failure.shrunk;
    let faults = shrunk.plan.faults.iter().map(|(at, fault)| json!([at.to_string(), fault.to_string()]));
    json!({
        "seed": failure.seed,
        "violation": violation(&failure.violation),
        "faults_before": failure.faults,
        "faults": faults.collect::<Vec<_>>(),
        "runs": shrunk.runs,
        "events": shrunk.events,
        "plan": report::describe(&shrunk.plan),
        "replay": failure.replay(),
        "traces": files,
    })
}
