//! A real service: three etcd members behind address and balancer, written to and watched through a failover.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::host::{Host, View, words};
use standfast::lab::node::Kind;
use standfast::lab::now_us;
use standfast::lab::process::{Process, wait_until};
use standfast::lab::stats::human;
use std::collections::BTreeSet;
use std::time::Duration;
use system_tests::{Bench, VIP, bench, side_by_side};

/// From the power loss to the next accepted write: takeover, etcd's own election, a hanging connection given up.
const LONGEST: Duration = Duration::from_secs(12);

const HAPROXY: &str = "\
global
    log stdout format raw local0
defaults
    mode tcp
    log global
    option redispatch
    retries 2
    timeout connect 500ms
    timeout client 60s
    timeout server 60s
    timeout check 500ms
frontend etcd
    bind *:8443
    default_backend members
backend members
    balance roundrobin
    server cp1 192.0.2.11:2379 check inter 500ms fall 2 rise 1
    server cp2 192.0.2.12:2379 check inter 500ms fall 2 rise 1
    server cp3 192.0.2.13:2379 check inter 500ms fall 2 rise 1
";

#[test]
fn writes_to_etcd_go_on_after_a_failover_and_the_watch_misses_none() {
    let bench = bench!("etcd", "etcd", "etcdctl");
    side_by_side(&bench.kinds(), |kind| failover(&bench, kind));
}

fn failover(bench: &Bench, kind: &Kind) {
    let files = |number| Files {
        haproxy: Some(HAPROXY.to_owned()),
        ..Files::guide(Edition::Current, number).alone()
    };
    let nodes = (1..=3).map(|number| (kind.clone(), files(number))).collect();
    let mut cluster = Cluster::new(&bench.plan(), VIP, nodes).unwrap();
    let members: Vec<Process> = cluster.lab().nodes().iter().map(member).collect();
    for number in 1..=3 {
        cluster.start_node(number).unwrap();
    }
    cluster.watch().wait_for("cp1", Duration::from_secs(12)).unwrap();
    let client = cluster.lab().client();
    let ready = wait_until(Duration::from_secs(20), || {
        client.run(&["etcdctl", "--endpoints=http://192.0.2.100:8443", "get", "ready"]).is_ok()
    });
    assert!(ready, "{}: etcd does not answer\n{}", kind.name(), cluster.said());

    let watch = words(
        "etcdctl --endpoints=http://192.0.2.100:8443 --keepalive-time=1s --keepalive-timeout=1s watch --prefix key-",
    );
    let watch = client.spawn("watch", &watch, &View::default()).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let script = "i=0; while :; do i=$((i+1)); \
                  etcdctl --endpoints=http://192.0.2.100:8443 --dial-timeout=1s --command-timeout=2s put key-$i x \
                  >/dev/null 2>&1; echo $i $? $(date +%s%6N); done";
    let argv = ["sh", "-c", script].map(str::to_owned);
    let writer = client.spawn("writer", &argv, &View::default()).unwrap();
    let written = || writes(&writer.said());
    assert!(wait_until(Duration::from_secs(10), || written().len() >= 20), "{}", cluster.said());

    let lost = cluster.power_off(1).unwrap();
    let on = wait_until(Duration::from_secs(20), || {
        written().iter().filter(|(_, at)| *at > lost + 100_000).count() >= 20
    });
    assert!(on, "{}: no writes after the failover\n{}\n{}", kind.name(), writer.said(), cluster.said());
    let accepted = written();
    drop(writer);
    let gap = accepted.windows(2).map(|pair| pair[1].1 - pair[0].1).max().unwrap_or_default();
    let gap = Duration::from_micros(gap);
    bench.figure(kind, "longest time without an accepted write", human(gap));
    bench.figure(kind, "accepted writes", accepted.len());

    let missing = || -> Vec<u64> {
        let seen = seen(&watch.said());
        accepted.iter().map(|(key, _)| *key).filter(|key| !seen.contains(key)).collect()
    };
    let whole = wait_until(Duration::from_secs(15), || missing().is_empty());
    bench.figure(
        kind,
        "accepted writes that the watch saw within",
        human(Duration::from_micros(now_us() - lost)),
    );
    if *kind != Kind::Pair {
        assert!(whole, "the watch missed {:?}\n{}", missing(), cluster.said());
        assert!(gap <= LONGEST, "{gap:?}\n{}", cluster.said());
    }
    drop(members);
}

fn member(host: &Host) -> Process {
    let name = host.name();
    let own = format!("192.0.2.1{}", name.trim_start_matches("cp"));
    let line = format!(
        "etcd --name {name} --data-dir {}/etcd --unsafe-no-fsync --logger zap --log-level error \
         --listen-client-urls http://{own}:2379 --advertise-client-urls http://{own}:2379 \
         --listen-peer-urls http://{own}:2380 --initial-advertise-peer-urls http://{own}:2380 \
         --initial-cluster cp1=http://192.0.2.11:2380,cp2=http://192.0.2.12:2380,cp3=http://192.0.2.13:2380",
        host.dir().display()
    );
    host.spawn("etcd", &words(&line), &View::default()).unwrap()
}

/// Number and time of the accepted writes.
fn writes(text: &str) -> Vec<(u64, u64)> {
    let line = |line: &str| -> Option<(u64, u64)> {
        let mut parts = line.split_whitespace();
        let (key, code, at) = (parts.next()?, parts.next()?, parts.next()?);
        (code == "0").then_some((key.parse().ok()?, at.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn seen(text: &str) -> BTreeSet<u64> {
    text.lines().filter_map(|line| line.strip_prefix("key-")?.parse().ok()).collect()
}
