//! Which server a connection gets, beside haproxy: by the client's address to the same one, by turns as often.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::client::Client;
use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::node::Kind;
use standfast::lab::process::wait_until;
use std::collections::BTreeMap;
use std::time::Duration;
use system_tests::{VIP, bench, side_by_side};

const WEIGHTS: [u32; 3] = [1, 2, 3];
/// Port and the lines of its backend.
const POOLS: [(u16, &str); 5] = [
    (8001, "balance source"),
    (8002, "balance source\n    hash-type consistent"),
    (8003, "balance roundrobin"),
    (8004, "balance static-rr"),
    (8005, "balance leastconn"),
];
/// A multiple of the weights' sum.
const TRIES: usize = 60;

fn files() -> Files {
    let mut files = Files::router(
        "    virtual_router_id 51\n    priority 150\n    virtual_ipaddress {\n        192.0.2.100\n    }",
    );
    let mut text = String::from(
        "global\n    maxconn 1000\ndefaults\n    mode tcp\n    timeout connect 2s\n    timeout client 5s\n    timeout server 5s\n",
    );
    for (port, lines) in POOLS {
        text.push_str(&format!(
            "frontend f{port}\n    bind 192.0.2.11:{port}\n    default_backend b{port}\nbackend b{port}\n    {lines}\n"
        ));
        for (number, weight) in (1..).zip(WEIGHTS) {
            text.push_str(&format!("    server s{number} 192.0.2.1{number}:6443 weight {weight}\n"));
        }
    }
    files.haproxy = Some(text);
    files
}

/// How often which backend answered, for each pool and each client.
fn counts(cluster: &Cluster) -> BTreeMap<(u16, String), BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for (port, _) in POOLS {
        for host in cluster.lab().hosts() {
            let to = format!("192.0.2.11:{port}").parse().unwrap();
            let since = standfast::lab::now_us();
            let client = Client::start_on(cluster.lab(), host, to, Duration::from_millis(8)).unwrap();
            let report = || client.report().between(since, u64::MAX);
            assert!(wait_until(Duration::from_secs(20), || report().answered() >= TRIES), "{port}");
            let answers = report().attempts.into_iter().filter_map(|attempt| attempt.result.ok()).take(TRIES);
            let of: &mut BTreeMap<String, usize> = counts.entry((port, host.name().to_owned())).or_default();
            for answer in answers {
                *of.entry(answer.split(' ').next().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

#[test]
fn each_algorithm_gives_connections_to_the_servers_that_haproxy_gives_them_to() {
    let bench = bench!("balance",);
    let all = side_by_side(&bench.kinds(), |kind: &Kind| {
        let nodes = vec![(kind.clone(), files()); 3];
        let mut cluster = Cluster::new(&bench.plan(), VIP, nodes).unwrap();
        cluster.start_node(1).unwrap();
        cluster.start_backend(2).unwrap();
        cluster.start_backend(3).unwrap();
        cluster.watch().wait_for("cp1", Duration::from_secs(10)).unwrap();
        counts(&cluster)
    });
    let [peer, ours] = &all[..] else { return };
    for ((port, client), theirs) in peer {
        let own = &ours[&(*port, client.clone())];
        if client == "client" {
            println!("FIGURE balance at {port}: haproxy {theirs:?}, standfast {own:?}");
        }
        match port {
            // By the client's address: the very same server.
            8001 => assert_eq!(own, theirs, "{port} {client}"),
            // One server per client; which one hangs on the hash of the ring.
            8002 => assert_eq!((own.len(), theirs.len()), (1, 1), "{port} {client}: {own:?} {theirs:?}"),
            // By turns: as often, but for the workers that each have a round of their own.
            _turns => {
                for (name, count) in theirs {
                    let given = own.get(name).copied().unwrap_or(0);
                    assert!(given.abs_diff(*count) <= TRIES / 6, "{port} {name}: {own:?} {theirs:?}");
                }
            }
        }
    }
}
