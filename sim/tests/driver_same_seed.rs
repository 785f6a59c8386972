//! The real driver on turmoil: the same seed gives the same trace hash, twice in a process and in another process.

use sim::des::shape::Shape;
use sim::net::cluster::Cluster;
use sim::net::storm;
use standfast_core::config::model::Version;
use standfast_core::input::Input;
use std::process::Command;
use std::time::Duration;

/// Set for the child, which only prints its hashes.
const CHILD: &str = "SIM_HASHES_ONLY";

fn hash(seed: u64, shuffled: bool) -> u64 {
    let mut cluster = Cluster::new(&Shape::three(Version::V3, seed.is_multiple_of(2)), seed, shuffled);
    cluster.pass(Duration::from_secs(6));
    cluster.isolate(0);
    cluster.pass(Duration::from_secs(5));
    cluster.rejoin(0);
    cluster.pass(Duration::from_secs(3));
    cluster.power_loss(1);
    cluster.order(2, Input::Stop);
    cluster.pass(Duration::from_secs(3));
    cluster.start(1);
    cluster.pass(Duration::from_secs(3));
    cluster.hash()
}

fn hashes() -> String {
    let scripted = (0..4).map(|seed| hash(seed, seed > 1));
    // Storms with TLS (its bytes are random), both families, hosts in fixed and in random order.
    let storms = (0..6).map(|seed| storm::run(seed).hash);
    let words = scripted.chain(storms).map(|hash| format!("{hash:016x}"));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_same_seed_gives_the_same_trace_in_another_process_and_other_seeds_others() {
    let ours = hashes();
    if std::env::var_os(CHILD).is_some() {
        println!("hashes: {ours}");
        return;
    }
    assert_eq!(ours, hashes(), "twice in one process");
    let mut different: Vec<&str> = ours.split(' ').collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 10);
    let this = std::env::current_exe().expect("a test has a file");
    let name = "the_same_seed_gives_the_same_trace_in_another_process_and_other_seeds_others";
    let child = Command::new(this).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output();
    let output = String::from_utf8(child.expect("the test starts itself").stdout).expect("hashes are text");
    let theirs = output.split("hashes: ").nth(1).and_then(|rest| rest.lines().next());
    assert_eq!(theirs, Some(ours.as_str()), "in another process:\n{output}");
}
