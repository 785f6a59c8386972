//! The same seed gives the same trace hash: twice in a process, in another process, and whatever the order of hosts.
//! `tests/run` compares optimised and plain builds by what this test prints.

use sim::des::plan::Plan;
use sim::des::run::{Report, run, run_seed};
use std::collections::BTreeSet;
use std::process::Command;

/// Set for the child, which only prints its hashes.
const CHILD: &str = "SIM_HASHES_ONLY";
const SEEDS: std::ops::Range<u64> = 0..12;

fn hashes() -> String {
    let words: Vec<String> = SEEDS.map(|seed| format!("{:016x}", run_seed(seed).hash)).collect();
    words.join(" ")
}

#[test]
fn the_same_seed_gives_the_same_trace_hash_in_another_process() {
    let ours = hashes();
    if std::env::var_os(CHILD).is_some() {
        println!("hashes: {ours}");
        return;
    }
    assert_eq!(ours, hashes(), "twice in one process");
    let this = std::env::current_exe().expect("a test has a file");
    let name = "the_same_seed_gives_the_same_trace_hash_in_another_process";
    let child = Command::new(this).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output();
    let output = String::from_utf8(child.expect("the test starts itself").stdout).expect("hashes are text");
    let theirs = output.split("hashes: ").nth(1).and_then(|rest| rest.lines().next());
    assert_eq!(theirs, Some(ours.as_str()), "in another process:\n{output}");
}

#[test]
fn different_seeds_give_different_hashes() {
    let mut all: Vec<u64> = SEEDS.map(|seed| run_seed(seed).hash).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 12);
}

/// The lines that only one of two traces has.
fn apart(a: &Report, b: &Report) -> Vec<String> {
    let only = |a: &Report, b: &Report| {
        let theirs: BTreeSet<&String> = b.trace.iter().collect();
        a.trace.iter().filter(|line| !theirs.contains(line)).cloned().collect::<Vec<_>>()
    };
    [only(a, b), only(b, a)].concat()
}

#[test]
fn the_order_in_which_hosts_start_and_act_within_an_instant_does_not_matter() {
    let mut others = 0;
    for seed in 0..60 {
        let plan = Plan::draw(seed);
        let shuffled = Plan { shuffled: true, ..plan.clone() };
        let (plain, shuffled) = (run(&plan, true), run(&shuffled, true));
        let facts = |report: &Report| (report.hash, report.events, report.simulated, report.marks.clone());
        assert_eq!(apart(&plain, &shuffled), [""; 0], "seed {seed}");
        assert_eq!(facts(&plain), facts(&shuffled), "seed {seed}");
        others += usize::from(plain.trace != shuffled.trace);
    }
    assert!(others > 10, "only {others} runs had hosts in another order");
}
