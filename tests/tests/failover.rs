//! The active node of three fails, with the guide's files unchanged: how long a client is without an answer.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::client::Attempt;
use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::Kind;
use standfast::lab::stats::Sample;
use std::time::Duration;
use system_tests::{Bench, VIP, all, bench, side_by_side};

const EVERY: Duration = Duration::from_millis(2);

/// 3 x 1 s and the skew of priority 100 (156/256 s), and 100 ms.
const AFTER_POWER_LOSS: Duration = Duration::from_micros(3_000_000 + 609_375 + 100_000);

/// What a clean stop may cost a client; the median counts, for the machine may be busy.
const AFTER_CLEAN_STOP: Duration = Duration::from_millis(20);

#[test]
fn after_power_loss_a_client_is_answered_within_the_master_down_time() {
    let bench = bench!("power loss",);
    side_by_side(&bench.kinds(), |kind| {
        std::thread::scope(|scope| {
            scope.spawn(|| power_loss(&bench, kind, Edition::Classic));
            power_loss(&bench, kind, Edition::Current);
        });
    });
}

fn power_loss(bench: &Bench, kind: &Kind, edition: Edition) {
    let files = all(kind, |number| Files::guide(edition, number));
    let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
    let mut sample = Sample::default();
    for _ in 0..2 {
        cluster.start_client(Duration::from_millis(4)).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let at = cluster.power_off(1).unwrap();
        std::thread::sleep(Duration::from_millis(5500));
        sample.add(cluster.outage(at).length());
        cluster.stop_client();
        cluster.power_on(1).unwrap();
        if let Err(trouble) = cluster.watch().wait_for("cp1", Duration::from_secs(15)) {
            panic!("{} {edition:?}: {trouble}\n{}", kind.name(), cluster.said());
        }
        // What a stale neighbour entry does to the peer is measured elsewhere.
        cluster.lab().client().ip("neighbour flush dev eth0").unwrap();
        std::thread::sleep(Duration::from_secs(1));
    }
    bench.figure(kind, &format!("{edition:?} files: outage"), &sample);
    if *kind != Kind::Pair {
        assert!(sample.longest() <= AFTER_POWER_LOSS, "{edition:?}: {sample}\n{}", cluster.said());
    }
}

#[test]
fn a_clean_stop_is_hardly_noticed() {
    let bench = bench!("clean stop",);
    side_by_side(&bench.kinds(), |kind| {
        let files = all(kind, |number| Files::guide(Edition::Current, number));
        let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
        cluster.start_client(EVERY).unwrap();
        let (mut sample, mut stops) = (Sample::default(), Vec::new());
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(500));
            let at = cluster.stop_node(1).unwrap();
            std::thread::sleep(Duration::from_millis(1500));
            sample.add(cluster.outage(at).length());
            stops.push(at);
            cluster.start_node(1).unwrap();
            if let Err(trouble) = cluster.watch().wait_for("cp1", Duration::from_secs(15)) {
                panic!("{}: {trouble}\n{}", kind.name(), cluster.said());
            }
        }
        bench.figure(kind, "outage by SIGTERM of the active node", &sample);
        let report = cluster.report();
        let near = |start: u64| stops.iter().any(|at| start >= *at && start < at + 1_500_000);
        let hurt =
            |attempt: &&Attempt| near(attempt.start) && (attempt.result.is_err() || attempt.took > 100_000);
        let hurt = report.attempts.iter().filter(hurt).count();
        bench.figure(kind, "connections that failed or took over 100 ms meanwhile", hurt);
        if *kind != Kind::Pair {
            assert!(sample.median() <= AFTER_CLEAN_STOP, "{sample}\n{}", cluster.said());
        }
    });
}
