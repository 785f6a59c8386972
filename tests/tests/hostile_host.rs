//! A host that does not do what the files suppose: an interface that is not there yet, vanishes or comes back under
//! another number, an own address that changes, a port that somebody else has, no right to open raw sockets.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::host::{View, words};
use standfast::lab::process::{Process, wait_until};
use std::net::IpAddr;
use std::time::Duration;
use system_tests::{VIP, bench};

const PATIENCE: Duration = Duration::from_secs(8);
const LISTENING: [&str; 5] = ["ss", "-Hltn", "sport", "=", ":8443"];

/// `VI_1` on `eth0`, and `VI_2` on `eth9`, which nobody has made yet.
fn two_instances() -> Files {
    let second = "vrrp_instance VI_2 {\n    interface eth9\n    virtual_router_id 52\n    priority 150\n    version 3\n    \
                  advert_int 0.1\n    virtual_ipaddress {\n        198.51.100.100\n    }\n}\n";
    let mut files = Files::router(
        "    virtual_router_id 51\n    priority 150\n    version 3\n    advert_int 0.1\n    virtual_ipaddress {\n        \
         192.0.2.100\n    }",
    );
    files.keepalived.push_str(second);
    files
}

fn said(cluster: &Cluster, text: &str) -> bool {
    wait_until(PATIENCE, || cluster.service(1).holder().said().contains(text))
}

#[test]
fn an_interface_that_comes_late_vanishes_and_returns_under_another_number_concerns_its_own_instance_only() {
    let bench = bench!("hostile host",);
    let second: IpAddr = "198.51.100.100".parse().unwrap();
    let mut cluster = Cluster::new(&bench.plan(), VIP, vec![(bench.standfast(), two_instances())]).unwrap();
    cluster.start_node(1).unwrap();
    cluster.watch().wait_for("cp1", PATIENCE).unwrap();
    assert!(said(&cluster, "(VI_2)"), "{}", cluster.said());
    assert!(cluster.said().contains("eth9"), "the missing interface is named\n{}", cluster.said());
    let node = cluster.lab().node(1);
    for round in 0..2 {
        node.ip("link add eth9 type veth peer name far9").unwrap();
        node.ip("address add 198.51.100.11/24 dev eth9").unwrap();
        node.ip("link set far9 up").unwrap();
        node.ip("link set eth9 up").unwrap();
        assert!(wait_until(PATIENCE, || node.holds(second)), "round {round}\n{}", cluster.said());
        let before = cluster.service(1).holder().said().len();
        node.ip("link del eth9").unwrap();
        let told = wait_until(PATIENCE, || {
            let new = cluster.service(1).holder().said().split_off(before);
            new.contains("(VI_2)") && new.contains("FAULT")
        });
        assert!(told, "round {round}: no FAULT of VI_2\n{}", cluster.said());
    }
    let holds = cluster.watch().holds();
    assert_eq!(holds.len(), 1, "VI_1 has held its address all the time: {holds:?}\n{}", cluster.said());
}

#[test]
fn a_renumbered_node_advertises_from_its_new_address() {
    let bench = bench!("hostile host", "tcpdump");
    let mut cluster = Cluster::new(&bench.plan(), VIP, vec![(bench.standfast(), two_instances())]).unwrap();
    let dump = words("tcpdump -l -n -i eth0 ip proto 112");
    let capture = cluster.lab().client().spawn("tcpdump", &dump, &View::default()).unwrap();
    cluster.start_node(1).unwrap();
    cluster.watch().wait_for("cp1", PATIENCE).unwrap();
    assert!(
        wait_until(PATIENCE, || capture.said().contains("192.0.2.11 > 224.0.0.18")),
        "{}",
        capture.said()
    );
    let node = cluster.lab().node(1);
    // Without a source address it cannot advertise: FAULT, until there is one again.
    node.ip("address del 192.0.2.11/24 dev eth0").unwrap();
    assert!(said(&cluster, "no source address on eth0"), "{}", cluster.said());
    assert!(wait_until(PATIENCE, || cluster.watch().holders().is_empty()), "{}", cluster.said());
    node.ip("address add 192.0.2.77/24 dev eth0").unwrap();
    let heard = wait_until(PATIENCE, || capture.said().contains("192.0.2.77 > 224.0.0.18"));
    assert!(heard, "{}\n{}", capture.said(), cluster.said());
    cluster.watch().wait_for("cp1", PATIENCE).unwrap();
}

#[test]
fn without_the_right_to_raw_sockets_it_says_which_capability_is_missing_and_ends() {
    let bench = bench!("hostile host",);
    let cluster = Cluster::new(&bench.plan(), VIP, vec![(bench.standfast(), two_instances())]).unwrap();
    let node = cluster.lab().node(1);
    let file = node.dir().join("keepalived.conf");
    std::fs::write(&file, two_instances().keepalived).unwrap();
    let mut argv = words("setpriv --bounding-set -net_raw --inh-caps -net_raw --");
    argv.push(env!("CARGO_BIN_EXE_standfast-for-tests").to_owned());
    argv.extend(words(&format!("run --record off --keepalived {}", file.display())));
    let mut powerless: Process = node.spawn("powerless", &argv, &View::default()).unwrap();
    let ended = powerless.wait(PATIENCE);
    let said = powerless.said();
    assert!(ended.is_some(), "it goes on without advertising: {said}");
    assert!(said.contains("CAP_NET_RAW"), "{said}");
    assert!(!node.holds(VIP), "no address without advertisements\n{said}");
}

#[test]
fn a_port_that_somebody_else_has_is_told_and_taken_once_it_is_free() {
    let bench = bench!("hostile host",);
    let mut files = two_instances();
    files.haproxy = Some(
        "defaults\n    mode tcp\n    timeout connect 1s\n    timeout client 5s\n    timeout server 5s\nfrontend api\n    \
         bind :8443\n    default_backend api\nbackend api\n    server a 192.0.2.11:6443\n"
            .to_owned(),
    );
    let mut cluster = Cluster::new(&bench.plan(), VIP, vec![(bench.standfast(), files)]).unwrap();
    let argv = cluster.lab().helper("backend --name squatter --listen 0.0.0.0:8443");
    let mut squatter = cluster.lab().node(1).spawn("squatter", &argv, &View::default()).unwrap();
    let listens = || cluster.lab().node(1).run(&LISTENING).is_ok_and(|shown| shown.contains(":8443"));
    assert!(wait_until(PATIENCE, listens), "{}", squatter.said());
    cluster.start_node(1).unwrap();
    cluster.watch().wait_for("cp1", PATIENCE).unwrap();
    assert!(said(&cluster, "8443"), "the port is named\n{}", cluster.said());
    squatter.signal("KILL");
    assert!(squatter.wait(PATIENCE).is_some());
    let listens = || cluster.lab().node(1).run(&LISTENING).is_ok_and(|shown| shown.contains(":8443"));
    assert!(wait_until(PATIENCE, listens), "{}", cluster.said());
}
