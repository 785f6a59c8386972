//! The check script of the active node fails and recovers, with the guide's files unchanged: 10 times every 3 s.

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::{Kind, replace_check};
use standfast::lab::now_us;
use standfast::lab::stats::human;
use std::time::Duration;
use system_tests::{BROKEN, VIP, all, bench, side_by_side};

#[test]
fn the_address_moves_after_ten_failures_three_seconds_apart_and_returns_after_two_successes() {
    let bench = bench!("check fails",);
    side_by_side(&bench.kinds(), |kind| {
        let files = all(kind, |number| Files::guide(Edition::Current, number));
        let script = files[0].1.check.clone().unwrap();
        let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
        cluster.start_client(Duration::from_millis(10)).unwrap();
        // The first answer of the check is in, and the client has the proxy's usual way.
        std::thread::sleep(Duration::from_secs(2));

        let broken = now_us();
        replace_check(cluster.lab().node(1), BROKEN).unwrap();
        let moved = cluster.watch().wait_until_others_hold("cp1", Duration::from_secs(45)).unwrap();
        let after = Duration::from_micros(moved.saturating_sub(broken));
        let outage = cluster.outage(broken).length();
        bench.figure(kind, "address moved after", human(after));
        bench.figure(kind, "longest outage of a client meanwhile", human(outage));
        // 9 intervals at least; 10, one run and the master-down time at most, and a second of patience.
        assert!(after >= Duration::from_secs(27), "{}: {after:?}\n{}", kind.name(), cluster.said());
        assert!(after <= Duration::from_millis(35_700), "{}: {after:?}\n{}", kind.name(), cluster.said());

        let healed = now_us();
        replace_check(cluster.lab().node(1), &script).unwrap();
        cluster.watch().wait_for("cp1", Duration::from_secs(20)).unwrap();
        let back = Duration::from_micros(now_us() - healed);
        bench.figure(kind, "address back after", human(back));
        assert!(back <= Duration::from_secs(12), "{}: {back:?}\n{}", kind.name(), cluster.said());
        if *kind != Kind::Pair {
            assert!(outage <= Duration::from_millis(150), "{outage:?}\n{}", cluster.said());
        }
    });
}
