//! The same seed gives the same trace hash: twice in a process, and in another process.

use sim::des::run::run_seed;
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
