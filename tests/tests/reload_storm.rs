//! A reload each second, under traffic, each with something new in the file: no transition, and no connection is lost.
//! `RELOADS=60` makes it a minute.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use std::time::Duration;
use system_tests::{VIP, all, bench};

#[test]
fn reloads_each_second_under_traffic_change_no_role_and_lose_no_connection() {
    let bench = bench!("reload storm",);
    let rounds: u32 = std::env::var("RELOADS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let kind = bench.standfast();
    let mut cluster =
        Cluster::start(&bench.plan(), VIP, all(&kind, |n| Files::guide(Edition::Current, n))).unwrap();
    cluster.start_client(Duration::from_millis(4)).unwrap();
    let file = cluster.lab().node(1).dir().join("etc/keepalived.conf");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains("    virtual_router_id 51"));
    let before = cluster.service(1).holder().said().len();
    let holds = cluster.watch().holds().len();
    for round in 0..rounds {
        // Each reload finds another file than the one before: nothing that a peer or a client should notice.
        let line = format!("    garp_master_repeat {}\n    virtual_router_id 51", 5 + round % 2);
        std::fs::write(&file, written.replace("    virtual_router_id 51", &line)).unwrap();
        cluster.service(1).signal("HUP");
        std::thread::sleep(Duration::from_secs(1));
    }
    let said = cluster.service(1).holder().said().split_off(before);
    let reloads = said.matches("Reloading").count();
    let report = cluster.report();
    let failed: Vec<_> = report.attempts.iter().filter(|attempt| attempt.result.is_err()).collect();
    bench.figure(&kind, "reloads under traffic", reloads);
    bench.figure(
        &kind,
        "connections, and how many of them failed",
        format!("{}, {}", report.attempts.len(), failed.len()),
    );
    assert_eq!(reloads, usize::try_from(rounds).unwrap(), "{said}");
    assert!(!said.contains("Entering") && !said.contains("refused"), "{said}");
    assert_eq!(cluster.watch().holds().len(), holds, "the address has moved\n{said}");
    assert!(report.answered() > 50 * usize::try_from(rounds).unwrap(), "{} answers", report.answered());
    assert!(failed.is_empty(), "{failed:?}\n{said}");
}
