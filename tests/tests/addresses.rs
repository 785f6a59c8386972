//! Somebody else touches the address or the link: the state afterwards is right, and the log says what happened.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::Kind;
use standfast::lab::now_us;
use standfast::lab::stats::human;
use std::time::Duration;
use system_tests::{Bench, VIP, all, bench, side_by_side};

const SETTLED: Duration = Duration::from_secs(12);

#[test]
fn deleted_addresses_and_links_that_go_and_come_end_in_the_right_state() {
    let bench = bench!("addresses",);
    side_by_side(&bench.kinds(), |kind| {
        let files = all(kind, |number| Files::guide(Edition::Current, number));
        let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
        cluster.start_client(Duration::from_millis(5)).unwrap();
        deleted(&bench, kind, &cluster);
        link(&bench, kind, &cluster);
        deleted_in_a_split(&bench, kind, &mut cluster);
    });
}

fn deleted(bench: &Bench, kind: &Kind, cluster: &Cluster) {
    let said = cluster.service(1).holder().said().len();
    let at = now_us();
    cluster.lab().node(1).ip("address del 192.0.2.100/32 dev eth0").unwrap();
    settled(bench, kind, cluster, at, "ip addr del");
    let new = cluster.service(1).holder().said().split_off(said);
    let told = new.lines().any(|line| line.contains("192.0.2.100") || line.contains("VI_1"));
    assert!(told, "{}: not a word about the deleted address\n{new}", kind.name());
}

fn link(bench: &Bench, kind: &Kind, cluster: &Cluster) {
    let said = cluster.service(1).holder().said().len();
    let at = now_us();
    cluster.lab().node(1).ip("link set eth0 down").unwrap();
    cluster.watch().wait_until_others_hold("cp1", Duration::from_secs(6)).unwrap();
    bench.figure(kind, "link down: outage of a client so far", human(cluster.outage(at).length()));
    let new = cluster.service(1).holder().said().split_off(said);
    assert!(new.contains("FAULT"), "{}: no FAULT in the log\n{new}", kind.name());
    let at = now_us();
    cluster.lab().node(1).ip("link set eth0 up").unwrap();
    settled(bench, kind, cluster, at, "link up");
}

fn deleted_in_a_split(bench: &Bench, kind: &Kind, cluster: &mut Cluster) {
    cluster.lab_mut().split(&[&["cp1"], &["cp2", "cp3", "client"]]).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    cluster.lab().node(1).ip("address del 192.0.2.100/32 dev eth0").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let at = now_us();
    cluster.lab_mut().heal().unwrap();
    settled(bench, kind, cluster, at, "deleted in a split, healed");
}

/// `cp1` alone holds the address, and stays alone, and the client is answered.
fn settled(bench: &Bench, kind: &Kind, cluster: &Cluster, at: u64, what: &str) {
    std::thread::sleep(Duration::from_secs(1));
    if let Err(trouble) = cluster.watch().wait_for("cp1", SETTLED) {
        panic!("{} {what}: {trouble}\n{}", kind.name(), cluster.said());
    }
    bench.figure(kind, &format!("{what}: right again within"), human(Duration::from_micros(now_us() - at)));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(cluster.watch().holders(), ["cp1"], "{} {what}\n{}", kind.name(), cluster.said());
    let outage = cluster.outage(at);
    bench.figure(kind, &format!("{what}: outage of a client"), human(outage.length()));
    if *kind == Kind::Pair {
        cluster.lab().client().ip("neighbour flush dev eth0").unwrap();
        std::thread::sleep(Duration::from_millis(200));
    } else {
        assert!(outage.end.is_some(), "{what}: the client is lost\n{}", cluster.said());
    }
}
