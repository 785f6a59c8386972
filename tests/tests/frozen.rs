//! The daemon that holds the address is frozen or killed while its host lives on: who holds the address meanwhile.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::node::Kind;
use standfast::lab::now_us;
use standfast::lab::stats::human;
use standfast::lab::watch::{Hold, overlap};
use std::time::Duration;
use system_tests::{Bench, VIP, bench, side_by_side};

/// At an ordinary preemption the old holder lets go when it hears the new one: a moment in which both hold.
const HANDOVER: Duration = Duration::from_millis(50);

#[test]
fn a_frozen_or_killed_daemon_loses_its_address_before_another_takes_it() {
    let bench = bench!("frozen",);
    side_by_side(&bench.kinds(), |kind| {
        std::thread::scope(|scope| {
            for (fast, limit) in [(false, Duration::ZERO), (true, Duration::from_secs(1))] {
                let bench = &bench;
                scope.spawn(move || freeze(bench, kind, fast, limit));
                scope.spawn(move || kill(bench, kind, fast, limit));
            }
        });
    });
}

fn cluster(bench: &Bench, kind: &Kind, fast: bool) -> Cluster {
    let interval = if fast { "0.1" } else { "1" };
    let files = |priority: u8| {
        Files::router(&format!(
            "    version 3\n    virtual_router_id 51\n    priority {priority}\n    advert_int {interval}\n    \
             virtual_ipaddress {{\n        192.0.2.100\n    }}"
        ))
    };
    let nodes = [101, 100, 90].map(|priority| (kind.clone(), files(priority)));
    Cluster::start(&bench.plan(), VIP, nodes.to_vec()).unwrap()
}

fn freeze(bench: &Bench, kind: &Kind, fast: bool, limit: Duration) {
    let mut cluster = cluster(bench, kind, fast);
    // Once more alone for a while: the lease is being renewed.
    std::thread::sleep(Duration::from_secs(2));
    let at = now_us();
    cluster.service(1).signal("STOP");
    std::thread::sleep(Duration::from_secs(7));
    cluster.service(1).signal("CONT");
    std::thread::sleep(Duration::from_secs(2));
    judge(bench, kind, &mut cluster, at, limit, &format!("SIGSTOP 7 s, {}", pace(fast)));
    cluster.watch().wait_for("cp1", Duration::from_secs(10)).unwrap();
}

fn kill(bench: &Bench, kind: &Kind, fast: bool, limit: Duration) {
    let mut cluster = cluster(bench, kind, fast);
    std::thread::sleep(Duration::from_secs(2));
    let at = now_us();
    cluster.service(1).signal("KILL");
    std::thread::sleep(Duration::from_secs(9));
    judge(bench, kind, &mut cluster, at, limit, &format!("kill -9, {}", pace(fast)));
}

fn pace(fast: bool) -> &'static str {
    if fast { "adverts every 100 ms" } else { "adverts every 1 s" }
}

fn judge(bench: &Bench, kind: &Kind, cluster: &mut Cluster, at: u64, limit: Duration, what: &str) {
    let holds = cluster.watch().holds();
    // A thawed node of a higher priority takes the address back: an ordinary preemption, judged by itself.
    let back = holds.iter().find(|hold| hold.host == "cp1" && hold.from > at).map(|hold| hold.from);
    let end = back.unwrap_or_else(now_us);
    let overlap = overlap(&until(&holds, end), at, end);
    bench.figure(kind, &format!("{what}: two holders for"), human(overlap));
    let taken = holds.iter().any(|hold| hold.host != "cp1" && hold.from > at);
    assert!(taken, "{} {what}: nobody took over\n{}", kind.name(), cluster.said());
    if *kind == Kind::Pair {
        return;
    }
    assert!(overlap <= limit, "{what}: {overlap:?} {holds:?}\n{}", cluster.said());
    if let Some(back) = back {
        let handover = cluster.watch().overlap(back);
        bench.figure(kind, &format!("{what}: two holders when it takes over again"), human(handover));
        assert!(handover <= limit.max(HANDOVER), "{what}: {handover:?} {holds:?}\n{}", cluster.said());
    }
}

/// `holds` as they were until `end`.
fn until(holds: &[Hold], end: u64) -> Vec<Hold> {
    let before = holds.iter().filter(|hold| hold.from < end).cloned();
    before.map(|hold| Hold { to: Some(hold.to.map_or(end, |to| to.min(end))), ..hold }).collect()
}
