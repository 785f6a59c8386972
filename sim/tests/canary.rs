//! A world with a deliberate mistake must be reported, or the invariants report nothing.

use sim::des::plan::{Drill, Plan};
use sim::des::report;
use sim::des::run::run;
use sim::des::shrink::shrink;
use sim::des::world::Canary;

/// How many of the first seeds fail with `canary`, and by which invariants.
fn failures(canary: Canary, drill: Drill) -> Vec<&'static str> {
    let plans = (0..40).map(|seed| Plan { canary: Some(canary), drill, ..Plan::draw(seed) });
    plans.filter_map(|plan| run(&plan, false).violation).map(|violation| violation.name).collect()
}

#[test]
fn neighbours_that_hear_no_announcement_are_noticed() {
    let found = failures(Canary::DeafNeighbours, Drill::PowerLoss);
    assert!(found.iter().filter(|name| **name == "A8").count() > 10, "{found:?}");
}

#[test]
fn a_host_that_stays_deaf_in_the_calm_is_noticed() {
    let found = failures(Canary::DeafHost, Drill::Nothing);
    assert!(found.contains(&"A1"), "{found:?}");
    assert!(found.len() > 20, "{found:?}");
}

#[test]
fn a_kernel_that_never_ends_a_lifetime_is_noticed() {
    let found = failures(Canary::EndlessLeases, Drill::Kill);
    assert!(found.iter().any(|name| *name == "L1" || *name == "L2"), "{found:?}");
}

#[test]
fn a_kernel_that_never_ends_a_lifetime_needs_no_fault_to_be_noticed() {
    let plans = (0..40).map(|seed| Plan {
        canary: Some(Canary::EndlessLeases),
        drill: Drill::Kill,
        ..Plan::draw(seed)
    });
    let fails = |plan: &Plan| run(plan, false).violation.is_some_and(|violation| violation.name == "L1");
    let plan = plans.filter(|plan| plan.faults.len() > 3).find(fails).expect("a canary fails");
    assert_eq!(shrink(&plan, "L1").plan.faults, []);
}

#[test]
fn a_failure_names_invariant_time_seed_and_shrunk_plan_and_the_line_that_replays_it() {
    let plans = (0..40).map(|seed| Plan { canary: Some(Canary::DeafHost), ..Plan::draw(seed) });
    let plan = plans.into_iter().find(|plan| run(plan, false).violation.is_some()).expect("a canary fails");
    let text = report::failure(&plan);
    let seed = plan.seed;
    assert!(text.starts_with(&format!("seed {seed}: A")), "{text}");
    assert!(text.contains("shrunk from"), "{text}");
    assert!(text.contains(&format!("replay: cargo sim replay {seed}")), "{text}");
}
