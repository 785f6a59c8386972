//! One router is standfast, the other keepalived, both ways round: takeover, preemption, farewell, script weight.
//!
//! Six pairs at the same time: version 2 with a password, version 3 over IPv4, version 3 over IPv6, and each with
//! standfast as the preferred router and as the other one.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::node::{Kind, replace_check};
use standfast::lab::now_us;
use standfast::lab::stats::human;
use std::net::IpAddr;
use std::time::Duration;
use system_tests::{BROKEN, Bench, HEALTHY, VIP, bench, checked_router};

/// Skew of priority 100 and patience.
const FAREWELL: Duration = Duration::from_millis(610 + 400);
/// Master-down time of priority 100 and patience.
const LOSS: Duration = Duration::from_millis(3610 + 500);
const SETTLED: Duration = Duration::from_secs(12);

#[derive(Clone, Copy)]
struct Dialect {
    name: &'static str,
    lines: &'static str,
    vip: &'static str,
}

const DIALECTS: [Dialect; 3] = [
    Dialect {
        name: "v2 PASS",
        lines: "    version 2\n    authentication {\n        auth_type PASS\n        auth_pass secret\n    }",
        vip: "192.0.2.100",
    },
    Dialect { name: "v3 IPv4", lines: "    version 3", vip: "192.0.2.100" },
    Dialect { name: "v3 IPv6", lines: "    version 3", vip: "2001:db8::100" },
];

#[test]
fn standfast_and_keepalived_take_turns_as_two_keepalived_do() {
    let bench = bench!("mixed",);
    std::thread::scope(|scope| {
        for dialect in &DIALECTS {
            for preferred in [bench.standfast(), Kind::Pair] {
                let bench = &bench;
                scope.spawn(move || pair(bench, dialect, &preferred));
            }
        }
    });
}

fn pair(bench: &Bench, dialect: &Dialect, preferred: &Kind) {
    let other = if *preferred == Kind::Pair { bench.standfast() } else { Kind::Pair };
    let files = |priority: u8| -> Files {
        checked_router(&format!(
            "    virtual_router_id 51\n    priority {priority}\n    advert_int 1\n{}\n    virtual_ipaddress {{\n        \
             {}\n    }}",
            dialect.lines, dialect.vip
        ))
    };
    let vip: IpAddr = dialect.vip.parse().unwrap_or(VIP);
    let nodes = vec![(preferred.clone(), files(110)), (other, files(100))];
    let mut cluster = Cluster::start(&bench.plan(), vip, nodes).unwrap();
    let told = |what: &str, at: u64, since: u64| {
        let took = Duration::from_micros(at.saturating_sub(since));
        bench.figure(preferred, &format!("preferred, {}: {what}", dialect.name), human(took));
        took
    };
    std::thread::sleep(Duration::from_secs(2));

    let stopped = cluster.stop_node(1).unwrap();
    let took = told("farewell", cluster_moved(&cluster), stopped);
    assert!(took <= FAREWELL, "{} {took:?}\n{}", dialect.name, cluster.said());
    cluster.start_node(1).unwrap();
    expect(&cluster, "cp1", "preemption after a clean stop");
    stable(&cluster, dialect);

    let lost = cluster.power_off(1).unwrap();
    let took = told("power loss", cluster_moved(&cluster), lost);
    assert!(took <= LOSS, "{} {took:?}\n{}", dialect.name, cluster.said());
    cluster.power_on(1).unwrap();
    expect(&cluster, "cp1", "preemption after power loss");
    stable(&cluster, dialect);

    let broken = now_us();
    replace_check(cluster.lab().node(1), BROKEN).unwrap();
    told("script weight", cluster_moved(&cluster), broken);
    stable(&cluster, dialect);
    replace_check(cluster.lab().node(1), HEALTHY).unwrap();
    expect(&cluster, "cp1", "script well again");
    stable(&cluster, dialect);
}

fn cluster_moved(cluster: &Cluster) -> u64 {
    match cluster.watch().wait_until_others_hold("cp1", SETTLED) {
        Ok(at) => at,
        Err(trouble) => panic!("{trouble}\n{}", cluster.said()),
    }
}

fn expect(cluster: &Cluster, host: &str, what: &str) {
    if let Err(trouble) = cluster.watch().wait_for(host, SETTLED) {
        panic!("{what}: {trouble}\n{}", cluster.said());
    }
}

/// Nothing moves for two advertisements, and nobody ever held the address beside the other for long.
fn stable(cluster: &Cluster, dialect: &Dialect) {
    let since = now_us();
    let before = cluster.watch().holders();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(cluster.watch().holders(), before, "{}\n{}", dialect.name, cluster.said());
    assert!(
        cluster.watch().holds().iter().all(|hold| hold.from < since),
        "{}: it moved\n{}",
        dialect.name,
        cluster.said()
    );
}
