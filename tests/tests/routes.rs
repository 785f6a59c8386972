//! Routes and rules move with the address, beside keepalived; static ones stay; what somebody else removes, what a
//! killed run leaves and what a reload changes ends in the right state.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::host::Host;
use standfast::lab::node::Kind;
use std::time::{Duration, Instant};
use system_tests::{Bench, VIP, all, bench, side_by_side};

const SETTLED: Duration = Duration::from_secs(12);

const ITEMS: &str = "    virtual_routes {
        src 192.0.2.100 to 203.0.113.0/24 via 192.0.2.13 dev eth0
        blackhole 203.0.113.128/25
        198.51.100.0/24 dev eth0 scope link table 100 metric 5 mtu 1400
    }
    virtual_rules {
        from 192.0.2.100/32 table 100 priority 50
        to 203.0.113.9/32 iif eth0 fwmark 24/12 table 100 priority 51
        from 198.51.100.0/24 table 100
    }";
const STATICS: &str = "static_ipaddress {
    198.51.100.77/32 dev eth0
}
static_routes {
    203.0.113.64/26 via 192.0.2.13 dev eth0
}
static_rules {
    from 198.51.100.77/32 table 101 priority 60
}
vrrp_instance";

fn files(node: usize) -> Files {
    let priority = [110, 100, 90][node - 1];
    Files::router(&format!(
        "    virtual_router_id 51\n    priority {priority}\n    advert_int 1\n    virtual_ipaddress {{\n        \
         {VIP}/32 dev eth0\n    }}\n{ITEMS}"
    ))
    .with("vrrp_instance", STATICS)
}

/// What carries the mark of a VRRP daemon: routes of all tables, rules.
fn marked(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for words in ["route show table all proto 18", "rule show"] {
        let text = host.ip(words).unwrap();
        let kept = |line: &&str| words.starts_with("route") || line.contains("proto keepalived");
        lines.extend(
            text.lines().filter(kept).map(|line| line.replace(" proto keepalived", "").trim().to_owned()),
        );
    }
    lines.sort();
    lines
}

fn wait(what: &str, cluster: &Cluster, mut is: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while begin.elapsed() < SETTLED {
        if is() {
            return begin.elapsed();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not within {SETTLED:?}\n{}", cluster.said());
}

#[test]
fn routes_and_rules_move_with_the_address_as_with_keepalived() {
    let bench = bench!("routes",);
    let found = side_by_side(&bench.kinds(), |kind| moved(&bench, kind));
    if let [theirs, ours] = &found[..] {
        assert_eq!(theirs, ours, "keepalived's items and ours");
    }
}

/// What the active and the backup node have, and what the new active one has after a stop of the first.
fn moved(bench: &Bench, kind: &Kind) -> [Vec<String>; 3] {
    let mut cluster = Cluster::start(&bench.plan(), VIP, all(kind, files)).unwrap();
    if let Err(trouble) = cluster.watch().wait_for("cp1", SETTLED) {
        panic!("{}: {trouble}\n{}", kind.name(), cluster.said());
    }
    std::thread::sleep(Duration::from_secs(1));
    let active = marked(cluster.lab().node(1));
    let backup = marked(cluster.lab().node(2));
    assert!(cluster.lab().node(2).holds("198.51.100.77".parse().unwrap()), "a static address");
    cluster.stop_node(1).unwrap();
    cluster.watch().wait_for("cp2", SETTLED).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(marked(cluster.lab().node(1)), Vec::<String>::new(), "{}: after the stop", kind.name());
    [active, backup, marked(cluster.lab().node(2))]
}

#[test]
fn what_somebody_else_removes_is_put_back_and_what_a_killed_run_left_is_removed() {
    let bench = bench!("routes",);
    let kind = bench.standfast();
    let mut cluster = Cluster::start(&bench.plan(), VIP, all(&kind, files)).unwrap();
    cluster.watch().wait_for("cp1", SETTLED).unwrap();
    wait("the start", &cluster, || marked(cluster.lab().node(1)).len() == 8);
    let whole = marked(cluster.lab().node(1));
    let said = cluster.service(1).holder().said().len();
    for words in [
        "route del 203.0.113.0/24 via 192.0.2.13",
        "rule del priority 50",
        "rule del priority 60",
        "address del 198.51.100.77/32 dev eth0",
        "route flush table 100",
    ] {
        cluster.lab().node(1).ip(words).unwrap();
        let node = || cluster.lab().node(1);
        let back = wait(words, &cluster, || {
            marked(node()) == whole && node().holds("198.51.100.77".parse().unwrap())
        });
        bench.figure(&kind, &format!("{words}: back after"), format!("{} ms", back.as_millis()));
        assert!(back < Duration::from_millis(1500), "{words}: {back:?}");
    }
    let new = cluster.service(1).holder().said().split_off(said);
    assert!(new.contains("Somebody else removed route 203.0.113.0/24"), "{new}");
    assert!(!new.contains("Entering"), "no change of role\n{new}");

    cluster.service(1).signal("KILL");
    cluster.watch().wait_for("cp2", SETTLED).unwrap();
    // The kernel took the address when its lease ended, and with it the route that has it as source.
    let left: Vec<&String> = whole.iter().filter(|line| !line.contains("src 192.0.2.100")).collect();
    wait("the end of the lease", &cluster, || {
        marked(cluster.lab().node(1)).iter().collect::<Vec<_>>() == left
    });
    cluster.start_node(1).unwrap();
    wait("the start after the kill", &cluster, || marked(cluster.lab().node(1)).len() == 2);
}
