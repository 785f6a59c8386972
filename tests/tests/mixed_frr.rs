//! standfast beside FRR's vrrpd, version 3, both families, each of them preferred once.
//!
//! FRR's state is asked by `vtysh`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::guide::Files;
use standfast::lab::host::Host;
use standfast::lab::net::{Lab, Plan};
use standfast::lab::node::Service;
use standfast::lab::process::wait_until;
use std::net::IpAddr;
use std::time::Duration;
use system_tests::frr::{Family, Frr, V4, V6};
use system_tests::{Bench, bench};

const SETTLED: Duration = Duration::from_secs(15);

#[test]
fn standfast_and_frr_take_turns() {
    let bench = bench!("mixed with FRR", "zebra", "vrrpd", "vtysh");
    std::thread::scope(|scope| {
        for family in &[V4, V6] {
            let bench = &bench;
            scope.spawn(move || frr_preferred(bench, family));
            scope.spawn(move || standfast_preferred(bench, family));
        }
    });
}

fn frr_preferred(bench: &Bench, family: &Family) {
    let (lab, vip) = laboratory(bench, family);
    let mut frr = Frr::start(lab.node(2), *family, "priority 200\nadvertisement-interval 1000").unwrap();
    expect(&frr, lab.node(2), "Master");
    let ours = Service::start(lab.node(1), &bench.standfast(), &files(family, 100)).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert!(!lab.node(1).holds(vip), "{}: it must stay backup\n{}", family.name, ours.said());
    frr.vrrpd.signal("KILL");
    let took = wait_until(SETTLED, || lab.node(1).holds(vip));
    assert!(took, "{}: no takeover from FRR\n{}", family.name, ours.said());
    drop(frr);
    frr = Frr::start(lab.node(2), *family, "priority 200\nadvertisement-interval 1000").unwrap();
    expect(&frr, lab.node(2), "Master");
    let gave = wait_until(SETTLED, || !lab.node(1).holds(vip));
    assert!(gave, "{}: it does not yield to FRR\n{}", family.name, ours.said());
    println!("FIGURE mixed with FRR {}: FRR preferred: held back, took over, yielded", family.name);
}

fn standfast_preferred(bench: &Bench, family: &Family) {
    let (lab, vip) = laboratory(bench, family);
    let frr = Frr::start(lab.node(2), *family, "priority 100\nadvertisement-interval 1000").unwrap();
    expect(&frr, lab.node(2), "Master");
    let mut ours = Service::start(lab.node(1), &bench.standfast(), &files(family, 200)).unwrap();
    let took = wait_until(SETTLED, || lab.node(1).holds(vip));
    assert!(took, "{}: no preemption of FRR\n{}", family.name, ours.said());
    expect(&frr, lab.node(2), "Backup");
    std::thread::sleep(Duration::from_secs(4));
    expect(&frr, lab.node(2), "Backup");
    assert!(ours.stop(Duration::from_secs(5)), "{}: it does not end", family.name);
    expect(&frr, lab.node(2), "Master");
    println!("FIGURE mixed with FRR {}: standfast preferred: took over, held, left", family.name);
}

fn laboratory(bench: &Bench, family: &Family) -> (Lab, IpAddr) {
    (Lab::new(&Plan { nodes: 2, ..bench.plan() }).unwrap(), family.vip.parse().unwrap())
}

fn files(family: &Family, priority: u8) -> Files {
    Files::router(&format!(
        "    version 3\n    virtual_router_id 51\n    priority {priority}\n    advert_int 1\n    \
         virtual_ipaddress {{\n        {}\n    }}",
        family.vip
    ))
}

fn expect(frr: &Frr, host: &Host, state: &str) {
    let reached = wait_until(SETTLED, || frr.state(host) == state);
    assert!(reached, "FRR: {} instead of {state}\n{}", frr.state(host), frr.vrrpd.said());
}
