//! The laboratory itself: faults do what they say, and what is measured is what happened.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::backend;
use standfast::lab::client::Client;
use standfast::lab::net::{Lab, Plan};
use standfast::lab::process::wait_until;
use standfast::lab::watch::Watch;
use std::net::SocketAddr;
use std::time::Duration;
use system_tests::{VIP, bench};

#[test]
fn an_outage_of_half_a_second_is_measured_as_half_a_second() {
    let bench = bench!("laboratory",);
    let mut lab = Lab::new(&Plan { nodes: 1, ..bench.plan() }).unwrap();
    let _backend = backend::start(&lab, lab.node(1)).unwrap();
    let to: SocketAddr = "192.0.2.11:6443".parse().unwrap();
    let client = Client::start(&lab, to, Duration::from_millis(2)).unwrap();
    assert!(wait_until(Duration::from_secs(5), || client.report().answered() > 50));
    lab.split(&[&["cp1"], &["client"]]).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let open = client.report().longest_outage();
    assert_eq!(open, Duration::MAX, "an outage that lasts has no length yet");
    lab.heal().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let outage = client.report().longest_outage();
    assert!(outage >= Duration::from_millis(480) && outage <= Duration::from_millis(700), "{outage:?}");
}

#[test]
fn splits_cables_and_one_way_losses_stop_what_they_say() {
    let bench = bench!("laboratory",);
    let mut lab = Lab::new(&Plan { nodes: 2, ..bench.plan() }).unwrap();
    let reaches = |lab: &Lab, from: usize, to: &str| {
        let script = format!("exec 3<>/dev/udp/{to}/9 && echo x >&3; ip neigh show {to} nud reachable");
        lab.node(from).ip("neighbour flush dev eth0").unwrap();
        wait_until(Duration::from_millis(300), || {
            lab.node(from).run(&["bash", "-c", &script]).is_ok_and(|shown| shown.contains("lladdr"))
        })
    };
    assert!(reaches(&lab, 1, "192.0.2.12"));
    lab.split(&[&["cp1"], &["cp2", "client"]]).unwrap();
    assert!(!reaches(&lab, 1, "192.0.2.12"));
    assert!(reaches(&lab, 2, "192.0.2.50"));
    lab.heal().unwrap();
    assert!(reaches(&lab, 1, "192.0.2.12"));
    lab.one_way("cp1", "cp2").unwrap();
    assert!(!reaches(&lab, 1, "192.0.2.12"), "no question gets there");
    lab.heal().unwrap();
    lab.deafen().unwrap();
    assert!(reaches(&lab, 1, "192.0.2.12"), "only advertisements are lost");
    lab.heal().unwrap();
    lab.cut("cp1").unwrap();
    assert!(lab.node(1).ip("-o link show eth0").unwrap().contains("NO-CARRIER"));
    lab.plug("cp1").unwrap();
    assert!(reaches(&lab, 1, "192.0.2.12"));
}

#[test]
fn the_watcher_sees_an_address_come_and_go_and_the_kernel_take_it_away() {
    let bench = bench!("laboratory",);
    let lab = Lab::new(&Plan { nodes: 2, ..bench.plan() }).unwrap();
    let watch = Watch::start(&lab, VIP).unwrap();
    lab.node(1).ip("address add 192.0.2.100/32 dev eth0 valid_lft 1 preferred_lft 1").unwrap();
    watch.wait_for("cp1", Duration::from_secs(1)).unwrap();
    lab.node(2).ip("address add 192.0.2.100/32 dev eth0").unwrap();
    watch.wait_for("cp2", Duration::from_secs(3)).unwrap();
    let overlap = watch.overlap(0);
    assert!(overlap > Duration::from_millis(500) && overlap < Duration::from_millis(2100), "{overlap:?}");
}

#[test]
fn nothing_is_left_of_a_laboratory() {
    let bench = bench!("laboratory",);
    let lab = Lab::new(&bench.plan()).unwrap();
    let (space, dir) = (lab.client().space().to_owned(), lab.dir().to_owned());
    let exists = || std::path::Path::new("/run/netns").join(&space).exists();
    assert!(exists());
    drop(lab);
    assert!(!exists());
    assert!(!dir.exists());
}
