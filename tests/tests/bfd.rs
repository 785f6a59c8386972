//! BFD beside FRR's bfdd and keepalived's: sessions come up, silence is seen within the detection time, and a virtual
//! router follows by `track_bfd`.
//!
//! Node 1 runs standfast with a session to node 2, node 3 a standfast that takes over when node 1's session is down.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::guide::Files;
use standfast::lab::host::{Host, View, words};
use standfast::lab::net::{Lab, Plan};
use standfast::lab::node::Service;
use standfast::lab::process::{Process, wait_until};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use system_tests::{Bench, VIP, bench};

const SETTLED: Duration = Duration::from_secs(20);
/// Three lost packets of 100 ms.
const DETECTION: Duration = Duration::from_millis(300);

/// Whose BFD is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Frr,
    FrrV6,
    Keepalived,
    Standfast,
}

impl Peer {
    /// Addresses of node 1 and node 2.
    fn ends(self) -> (IpAddr, IpAddr) {
        let ends = match self {
            Peer::FrrV6 => ["2001:db8::11", "2001:db8::12"],
            Peer::Frr | Peer::Keepalived | Peer::Standfast => ["192.0.2.11", "192.0.2.12"],
        };
        let [ours, theirs] = ends.map(|text| text.parse().unwrap());
        (ours, theirs)
    }

    fn start(self, bench: &Bench, host: &Host) -> Neighbour {
        let (one, two) = self.ends();
        match self {
            Peer::Frr | Peer::FrrV6 => frr(host, one, two),
            Peer::Keepalived => {
                let path = host.dir().join("bfd.conf");
                std::fs::write(&path, instance(two, one)).unwrap();
                let line =
                    format!("keepalived -n -l -D -f {} -p {}/k.pid", path.display(), host.dir().display());
                Neighbour {
                    processes: vec![host.spawn("keepalived", &words(&line), &View::default()).unwrap()],
                }
            }
            Peer::Standfast => {
                let path = host.dir().join("bfd.conf");
                let router = "vrrp_instance OTHER {\n interface eth0\n virtual_router_id 9\n priority 10\n \
                              virtual_ipaddress {\n  192.0.2.109\n }\n}\n";
                std::fs::write(&path, instance(two, one) + router).unwrap();
                let standfast::lab::node::Kind::Standfast(mut argv) = bench.standfast() else {
                    panic!("not with PEER_ONLY")
                };
                argv.extend(words(&format!("run --keepalived {} --record off", path.display())));
                Neighbour { processes: vec![host.spawn("standfast", &argv, &View::default()).unwrap()] }
            }
        }
    }
}

/// The program on the other side.
struct Neighbour {
    processes: Vec<Process>,
}

impl Neighbour {
    /// Signals it and its children.
    fn signal(&self, host: &Host, name: &str) {
        // keepalived's BFD is a child; every process of this machine is its own or the neighbour's.
        let pids: Vec<String> = host.pids().unwrap().iter().map(u32::to_string).collect();
        let flag = format!("-{name}");
        let mut argv = vec!["kill", &flag];
        argv.extend(pids.iter().map(String::as_str));
        host.run(&argv).unwrap();
    }

    fn said(&self) -> String {
        self.processes.iter().map(Process::said).collect()
    }
}

/// One `bfd_instance` of keepalived.conf.
fn instance(from: IpAddr, to: IpAddr) -> String {
    let hops = if to.is_ipv6() { "\n  hoplimit 255" } else { "" };
    format!(
        "bfd_instance PEER {{\n  neighbor_ip {to}\n  source_ip {from}\n  min_rx 100\n  min_tx 100\n  multiplier 3{hops}\n}}\n"
    )
}

fn frr(host: &Host, one: IpAddr, two: IpAddr) -> Neighbour {
    let dir = host.dir().display().to_string();
    // FRR's daemons insist on a user of their own, who must be able to write here.
    std::fs::set_permissions(host.dir(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let peer = format!(
        "bfd\n peer {one} local-address {two} interface eth0\n  detect-multiplier 3\n  receive-interval 100\n  \
         transmit-interval 100\n  no shutdown\n !\n!\n"
    );
    let daemon = |name: &str, config: &str, more: &str| {
        std::fs::write(host.dir().join(format!("{name}.conf")), config).unwrap();
        let line = format!(
            "/usr/lib/frr/{name} -u frr -g frr -P 0 -f {dir}/{name}.conf -i {dir}/{name}.pid -z {dir}/zserv.api \
             --vty_socket {dir} --log stdout{more}"
        );
        host.spawn(name, &words(&line), &View::default()).unwrap()
    };
    let zebra = daemon("zebra", "", "");
    wait_until(Duration::from_secs(5), || host.dir().join("zserv.api").exists());
    let bfdd = daemon("bfdd", &peer, &format!(" --bfdctl {dir}/bfdd.sock"));
    Neighbour { processes: vec![bfdd, zebra] }
}

/// The files of a node with priority 110 that loses 20 while its session is down, or of one with 100.
fn files(session: Option<(IpAddr, IpAddr)>) -> Files {
    let priority = if session.is_some() { 110 } else { 100 };
    let files = Files::router(&format!(
        "    virtual_router_id 51\n    priority {priority}\n    version 3\n    advert_int 0.2\n    \
         virtual_ipaddress {{\n        {VIP}\n    }}"
    ));
    match session {
        None => files,
        Some((from, to)) => files
            .with("vrrp_instance", &format!("{}vrrp_instance", instance(from, to)))
            .instance("track_bfd {\n        PEER weight -20\n    }"),
    }
}

fn follows(bench: &Bench, peer: Peer) {
    let lab = Lab::new(&Plan { nodes: 3, ..bench.plan() }).unwrap();
    let (one, two, three) = (lab.node(1), lab.node(2), lab.node(3));
    let neighbour = peer.start(bench, two);
    let ours = Service::start(one, &bench.standfast(), &files(Some(peer.ends()))).unwrap();
    let other = Service::start(three, &bench.standfast(), &files(None)).unwrap();
    let tell =
        |what: &str| format!("{peer:?}: {what}\n{}\n{}\n{}", ours.said(), other.said(), neighbour.said());
    let count = |what: &str| ours.said().matches(what).count();
    let up = wait_until(SETTLED, || count("Entering Up state") == 1 && one.holds(VIP) && !three.holds(VIP));
    assert!(up, "{}", tell("the session does not come up, or the role does not follow"));
    let mut seen = Vec::new();
    for round in 1..=3 {
        let (begun, downs) = (Instant::now(), count("Entering Down state"));
        neighbour.signal(two, "STOP");
        let down = wait_until(SETTLED, || count("Entering Down state") > downs);
        seen.push(begun.elapsed());
        assert!(down, "{}", tell("the silence is not seen"));
        let moved = wait_until(SETTLED, || three.holds(VIP) && !one.holds(VIP));
        assert!(moved, "{}", tell("the role does not follow the session down"));
        neighbour.signal(two, "CONT");
        let again = wait_until(SETTLED, || count("Entering Up state") == round + 1 && one.holds(VIP));
        assert!(again, "{}", tell("the session does not come back"));
    }
    seen.sort();
    println!(
        "FIGURE bfd with {peer:?}: silence seen after {} ms (of {} to {}), detection time {} ms",
        seen[1].as_millis(),
        seen[0].as_millis(),
        seen[2].as_millis(),
        DETECTION.as_millis()
    );
    assert!(seen[1] < DETECTION * 4, "{}", tell("seen late"));
    // A clean stop is told: the neighbour need not wait.
    drop(other);
    let mut ours = ours;
    assert!(ours.stop(Duration::from_secs(5)), "{peer:?}: it does not end");
}

#[test]
fn sessions_with_frr_come_up_go_down_and_the_role_follows() {
    let bench = bench!("bfd with FRR", "zebra", "bfdd");
    std::thread::scope(|scope| {
        let bench = &bench;
        for peer in [Peer::Frr, Peer::FrrV6] {
            scope.spawn(move || follows(bench, peer));
        }
    });
}

#[test]
fn sessions_with_keepalived_and_with_standfast_come_up_go_down_and_the_role_follows() {
    let bench = bench!("bfd with keepalived", "keepalived");
    std::thread::scope(|scope| {
        let bench = &bench;
        for peer in [Peer::Keepalived, Peer::Standfast] {
            scope.spawn(move || follows(bench, peer));
        }
    });
}
