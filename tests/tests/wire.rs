//! tshark dissects what standfast puts on the wire without a malformed packet or a wrong checksum.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::Files;
use standfast::lab::host::{View, words};
use standfast::lab::process;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use system_tests::{Bench, bench};

#[test]
fn tshark_finds_nothing_wrong_with_our_packets() {
    let bench = bench!("wire", "tshark", "tcpdump");
    let password = "    version 2\n    authentication {\n        auth_type PASS\n        auth_pass 42\n    }";
    std::thread::scope(|scope| {
        let bench = &bench;
        scope.spawn(move || dialect(bench, "v2", password, "192.0.2.100", "arp"));
        scope.spawn(move || dialect(bench, "v3", "    version 3", "192.0.2.100", "arp"));
        scope.spawn(move || dialect(bench, "v6", "    version 3", "2001:db8::100", "icmpv6.type == 136"));
    });
}

fn dialect(bench: &Bench, name: &str, lines: &str, vip: &str, announcement: &str) {
    let address: IpAddr = vip.parse().unwrap();
    let files = Files::router(&format!(
        "    virtual_router_id 51\n    priority 150\n{lines}\n    virtual_ipaddress {{\n        {vip}\n    }}"
    ));
    let mut cluster = Cluster::new(&bench.plan(), address, vec![(bench.standfast(), files)]).unwrap();
    let file = cluster.lab().dir().join("wire.pcap");
    let dump = format!("tcpdump -U -i eth0 -w {}", file.display());
    let mut capture = cluster.lab().client().spawn("tcpdump", &words(&dump), &View::default()).unwrap();
    assert!(process::wait_until(Duration::from_secs(5), || capture.said().contains("listening on")));
    cluster.start_node(1).unwrap();
    cluster.watch().wait_for("cp1", Duration::from_secs(10)).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    cluster.stop_node(1).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    capture.signal("TERM");
    assert!(capture.wait(Duration::from_secs(5)).is_some());

    let adverts = packets(&file, "vrrp");
    assert!(adverts.len() >= 4, "{name}: only {adverts:?}\n{}", cluster.said());
    assert!(packets(&file, "vrrp.prio == 0").len() == 1, "{name}: one farewell");
    let announced = packets(&file, announcement);
    assert!(!announced.is_empty(), "{name}: no announcement");
    let wrong = packets(&file, &format!("(vrrp || {announcement}) && (_ws.malformed || _ws.expert)"));
    println!("FIGURE wire {name}: {} advertisements, {} announcements", adverts.len(), announced.len());
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    damaged_is_noticed(&file, name);
}

/// The lines of tshark for the packets that `filter` lets through, with every checksum verified.
fn packets(file: &Path, filter: &str) -> Vec<String> {
    let file = file.display().to_string();
    let argv = [
        "tshark",
        "-n",
        "-r",
        &file,
        "-o",
        "ip.check_checksum:TRUE",
        "-Y",
        filter,
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "_ws.col.Info",
        "-e",
        "_ws.expert.message",
    ];
    process::run(&argv).unwrap().lines().map(str::to_owned).collect()
}

/// The same capture with one wrong bit in an advertisement: the test above is able to fail.
fn damaged_is_noticed(file: &Path, name: &str) {
    let mut bytes = std::fs::read(file).unwrap();
    let first = packets(file, "vrrp.prio == 150").first().cloned().unwrap_or_default();
    let number: usize = first.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap();
    // 24 bytes of file header; each packet has 16 bytes of its own, with the length at 8.
    let mut at = 24;
    for _ in 1..number {
        at += 16 + u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    let network = at + 16 + 14;
    let header = if bytes[network] >> 4 == 6 { 40 } else { usize::from(bytes[network] & 15) * 4 };
    // The virtual router's number, in a place that the checksum covers.
    bytes[network + header + 1] ^= 1;
    let damaged = file.with_extension("damaged.pcap");
    std::fs::write(&damaged, bytes).unwrap();
    assert!(!packets(&damaged, "vrrp && _ws.expert").is_empty(), "{name}: tshark verifies no checksum");
}
