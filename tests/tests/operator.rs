//! An operator speaks to a running daemon: the address moves when it resigns, servers drain, status tells it all.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::{self, Kind};
use standfast::lab::now_us;
use standfast::lab::process::wait_until;
use standfast::lab::stats::human;
use std::process::Command;
use std::time::Duration;
use system_tests::{VIP, all, bench};

const SETTLED: Duration = Duration::from_secs(10);

/// Exit code, standard output and standard error of a verb on the daemon of `cpN`.
fn verb(cluster: &Cluster, number: usize, kind: &Kind, words: &[&str]) -> (i32, String, String) {
    let Kind::Standfast(program) = kind else { unreachable!("these are verbs of standfast") };
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).args(words).arg("--socket").arg(node::socket(cluster.lab().node(number)));
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn who_resigns_hands_the_address_over_without_a_gap_and_stays_away_until_it_rejoins() {
    let bench = bench!("operator",);
    let kind = bench.standfast();
    if kind == Kind::Pair {
        return; // keepalived takes no orders
    }
    let files = all(&kind, |number| Files::guide(Edition::Current, number));
    let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
    cluster.start_client(Duration::from_millis(2)).unwrap();
    std::thread::sleep(Duration::from_secs(2));

    let ordered = now_us();
    let (code, said, error) = verb(&cluster, 1, &kind, &["resign", "VI_1"]);
    assert_eq!((code, error.as_str()), (0, ""), "{said}");
    assert!(said.starts_with("VI_1 leaves its addresses to a peer"), "{said}");
    let moved = cluster.watch().wait_until_others_hold("cp1", SETTLED).unwrap();
    let after = Duration::from_micros(moved.saturating_sub(ordered));
    bench.figure(&kind, "address moved after the order", human(after));
    // The successor's skew (156/256 s at priority 100), 30 ms of grace, and patience.
    assert!(after <= Duration::from_millis(1_500), "{after:?}\n{}", cluster.said());

    // The better priority of cp1 does not count while it is away: three master-down intervals.
    std::thread::sleep(Duration::from_secs(11));
    let outage = cluster.outage(ordered).length();
    bench.figure(&kind, "longest outage of a client meanwhile", human(outage));
    assert!(outage <= Duration::from_millis(150), "{outage:?}\n{}", cluster.said());
    let (code, said, _) = verb(&cluster, 1, &kind, &["status"]);
    assert_eq!(code, 0);
    let router = said.lines().next().unwrap();
    assert!(router.contains("INIT") && router.ends_with("away by order"), "{said}");
    let holds = |number| verb(&cluster, number, &kind, &["status"]).1.contains("holds 192.0.2.100");
    assert!(!holds(1) && (holds(2) || holds(3)), "{}", cluster.said());

    let (code, _, error) = verb(&cluster, 1, &kind, &["rejoin", "VI_1"]);
    assert_eq!((code, error.as_str()), (0, ""));
    cluster.watch().wait_for("cp1", SETTLED).unwrap();
    assert!(wait_until(SETTLED, || verb(&cluster, 1, &kind, &["status"]).1.contains("MASTER")));
    let log = cluster.service(1).said();
    for line in [
        "Ordered by an operator: virtual router VI_1 resigns",
        "Entering INIT STATE, was MASTER: ordered by an operator",
        "Ordered by an operator: virtual router VI_1 takes part again",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

#[test]
fn servers_drain_and_a_broken_reload_is_refused_in_words() {
    let bench = bench!("operator's servers",);
    let kind = bench.standfast();
    if kind == Kind::Pair {
        return;
    }
    let files = all(&kind, |number| Files::guide(Edition::Current, number));
    let cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
    let state = |server: &str| -> serde_json::Value {
        let status = verb(&cluster, 1, &kind, &["status", "--json"]).1;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["version"], 1);
        let servers = status["servers"].as_array().unwrap();
        servers.iter().find(|known| known["name"] == server).unwrap().clone()
    };
    assert!(wait_until(SETTLED, || state("cp2")["state"] == "UP"));
    assert_eq!(verb(&cluster, 1, &kind, &["drain", "cp2"]).0, 0);
    assert_eq!(
        (state("cp2")["state"].clone(), state("cp2")["usable"].clone()),
        ("DRAIN".into(), false.into())
    );
    assert_eq!(verb(&cluster, 1, &kind, &["ready", "apiserverbackend/cp2"]).0, 0);
    assert_eq!((state("cp2")["state"].clone(), state("cp2")["usable"].clone()), ("UP".into(), true.into()));
    assert_eq!(verb(&cluster, 1, &kind, &["weight", "cp2", "17"]).0, 0);
    assert_eq!(state("cp2")["weight"], 17);
    let log = cluster.service(1).said();
    for line in ["cp2 drains", "cp2 is ready", "cp2 has weight 17"] {
        let line = format!("Ordered by an operator: server apiserverbackend/{line}");
        assert!(log.contains(&line), "{line}\n{log}");
    }

    let (code, _, error) = verb(&cluster, 1, &kind, &["drain", "cp9"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("there is no server `cp9`; there are") && error.contains("apiserverbackend/cp3"),
        "{error}"
    );
    let (code, said, _) = verb(&cluster, 1, &kind, &["reload"]);
    assert_eq!((code, said.lines().last()), (0, Some("Reloaded: nothing has changed")));
    let file = cluster.lab().node(1).dir().join("etc/keepalived.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("virtual_router_id 51", "virtual_router_id 999")).unwrap();
    let (code, _, error) = verb(&cluster, 1, &kind, &["reload"]);
    assert_eq!(code, 1);
    assert!(error.contains("virtual_router_id 999") && error.contains("Reload refused"), "{error}");
    assert_eq!(state("cp2")["weight"], 17, "nothing has changed");
}
