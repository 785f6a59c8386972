//! The proxy at its edges: every form of listening address, and a process that has no descriptors left.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::client::Client;
use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::host::{Host, View};
use standfast::lab::now_us;
use standfast::lab::process::{run, wait_until};
use std::net::SocketAddr;
use std::time::Duration;
use system_tests::{Bench, VIP, bench};

const PATIENCE: Duration = Duration::from_secs(8);
/// Descriptors left to a process that needs some 40 for itself.
const FEW: usize = 80;

fn files(binds: &str) -> Files {
    let mut files = Files::router(
        "    virtual_router_id 51\n    priority 150\n    version 3\n    advert_int 0.1\n    virtual_ipaddress {\n        \
         192.0.2.100\n    }",
    );
    files.haproxy = Some(format!(
        "global\n    maxconn 1000\ndefaults\n    mode tcp\n    timeout connect 1s\n    timeout client 60s\n    timeout server 60s\n\
         frontend api\n{binds}    default_backend api\nbackend api\n    server a 192.0.2.11:6443\n"
    ));
    files
}

fn cluster(bench: &Bench, binds: &str) -> Cluster {
    let mut cluster = Cluster::new(&bench.plan(), VIP, vec![(bench.standfast(), files(binds))]).unwrap();
    cluster.start_node(1).unwrap();
    cluster.watch().wait_for("cp1", PATIENCE).unwrap();
    cluster
}

/// Answered and failed tries at `to`, once there are `enough` of both together.
fn tries(cluster: &Cluster, to: &str, enough: usize) -> (usize, usize) {
    let (since, to): (u64, SocketAddr) = (now_us(), to.parse().unwrap());
    let client = Client::start(cluster.lab(), to, Duration::from_millis(20)).unwrap();
    let mut seen = (0, 0);
    wait_until(PATIENCE, || {
        let report = client.report().between(since, u64::MAX);
        seen = (report.answered(), report.failures().values().sum());
        seen.0 + seen.1 >= enough
    });
    seen
}

fn answers(cluster: &Cluster, to: &str) -> bool {
    wait_until(PATIENCE, || tries(cluster, to, 5).0 >= 5)
}

#[test]
fn listening_addresses_of_both_families_one_family_one_interface_and_a_virtual_address_are_served() {
    let bench = bench!("proxy edges",);
    let binds = "    bind :::8001 v4v6\n    bind [2001:db8::11]:8002\n    bind 192.0.2.11:8003 interface eth0\n    \
                 bind 192.0.2.100:8004 transparent\n    bind [::]:8005 v6only\n";
    let cluster = cluster(&bench, binds);
    for to in [
        "192.0.2.100:8001",
        "[2001:db8::11]:8001",
        "[2001:db8::11]:8002",
        "192.0.2.11:8003",
        "192.0.2.100:8004",
        "[2001:db8::11]:8005",
    ] {
        assert!(answers(&cluster, to), "{to}\n{}", cluster.said());
    }
    assert_eq!(tries(&cluster, "192.0.2.11:8005", 5).0, 0, "v6only takes no IPv4");
}

#[test]
fn without_descriptors_the_proxy_waits_says_so_once_and_the_virtual_address_stays() {
    let bench = bench!("proxy edges", "bash", "prlimit");
    let cluster = cluster(&bench, "    bind :::8443 v4v6\n");
    assert!(answers(&cluster, "192.0.2.100:8443"), "{}", cluster.said());
    let pid = cluster.service(1).holder().pid();
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    assert!(descriptors() < FEW, "the daemon alone needs {}", descriptors());
    run(&["prlimit", "--pid", &pid.to_string(), &format!("--nofile={FEW}:{FEW}")]).unwrap();
    let mut crowd = hold(cluster.lab().client(), 100);
    let tells = || cluster.service(1).holder().said().matches(": Too many open files").count();
    assert!(wait_until(PATIENCE, || tells() > 0), "{}", cluster.said());
    let before = ticks(pid);
    std::thread::sleep(Duration::from_secs(2));
    let spent = ticks(pid) - before;
    assert!(spent < 50, "it spins: {spent} of 200 ticks in 2 s");
    assert!(tells() <= 4, "told once per thread and burst, not {} times\n{}", tells(), cluster.said());
    crowd.signal("KILL");
    assert!(crowd.wait(PATIENCE).is_some());
    assert!(answers(&cluster, "192.0.2.100:8443"), "served again\n{}", cluster.said());
    assert_eq!(cluster.watch().holds().len(), 1, "the address stayed\n{}", cluster.said());
}

/// A process that opens `count` connections and keeps them.
fn hold(host: &Host, count: usize) -> standfast::lab::process::Process {
    let code = format!(
        "for i in $(seq {count}); do exec {{fd}}<>/dev/tcp/192.0.2.100/8443; done; echo held; sleep 60"
    );
    let argv = ["bash".to_owned(), "-c".to_owned(), code];
    let crowd = host.spawn("crowd", &argv, &View::default()).unwrap();
    assert!(wait_until(PATIENCE, || crowd.said().contains("held")), "{}", crowd.said());
    crowd
}

/// The processor time that a process has used, in hundredths of a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let rest = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap();
    let fields: Vec<u64> = rest.split(' ').map(|word| word.parse().unwrap_or(0)).collect();
    fields[11] + fields[12]
}
