//! The active node of three fails, with the guide's files unchanged: how long a client is without an answer.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::Kind;
use standfast::lab::stats::{Sample, human};
use std::time::Duration;
use system_tests::{Bench, VIP, all, bench, side_by_side};

const EVERY: Duration = Duration::from_millis(2);

/// 3 x 1 s and the skew of priority 100 (156/256 s), and 100 ms.
const AFTER_POWER_LOSS: Duration = Duration::from_micros(3_000_000 + 609_375 + 100_000);

#[test]
fn after_power_loss_a_client_is_answered_within_the_master_down_time() {
    let bench = bench!("power loss",);
    for edition in [Edition::Classic, Edition::Current] {
        side_by_side(&bench.kinds(), |kind| {
            let outage = power_loss(&bench, kind, edition);
            bench.figure(kind, &format!("{edition:?} files: outage"), human(outage));
            if *kind != Kind::Pair {
                assert!(outage <= AFTER_POWER_LOSS, "{edition:?}: {outage:?} > {AFTER_POWER_LOSS:?}");
            }
        });
    }
}

fn power_loss(bench: &Bench, kind: &Kind, edition: Edition) -> Duration {
    let files = all(kind, |number| Files::guide(edition, number));
    let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
    cluster.start_client(EVERY).unwrap();
    let at = cluster.power_off(1).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let outage = cluster.outage(at).length();
    println!("{} {:?} {}", kind.name(), cluster.watch().holds(), cluster.report().to_json());
    outage
}

#[test]
fn a_clean_stop_is_hardly_noticed() {
    let bench = bench!("clean stop",);
    side_by_side(&bench.kinds(), |kind| {
        let files = all(kind, |number| Files::guide(Edition::Current, number));
        let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
        cluster.start_client(EVERY).unwrap();
        let mut sample = Sample::default();
        for _ in 0..3 {
            let at = cluster.stop_node(1).unwrap();
            std::thread::sleep(Duration::from_millis(1500));
            sample.add(cluster.outage(at).length());
            cluster.start_node(1).unwrap();
            cluster.watch().wait_for("cp1", Duration::from_secs(10)).unwrap();
            std::thread::sleep(Duration::from_millis(500));
        }
        println!("{} {}", kind.name(), cluster.report().to_json());
        bench.figure(kind, "outage by SIGTERM of the active node", &sample);
    });
}
