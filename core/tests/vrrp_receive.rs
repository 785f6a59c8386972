//! The receive pipeline, row by row (reference 2.4), and what must follow from a bad packet: one event with the counter's
//! name, the counter, and nothing else: no timer, no role, no other virtual router.
#![allow(clippy::unwrap_used, reason = "a test")]

mod behaviour;

use behaviour::{Stage, conf};

/// What a row's packet meets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Counted, told once, and without any effect.
    Dropped,
    /// Counted or not, and without any effect or word.
    Ignored,
    /// An advertisement like any other.
    Taken,
}
use Fate::{Dropped, Ignored, Taken};

/// Row of the reference, keywords of the router, packet, fate, and the counters that it moves.
type Check = (&'static str, &'static str, &'static str, Fate, &'static str);

const V6: &str = "virtual_ipaddress {; fe80::64; }";
const V3: &str = "version 3";
const PASS: &str = "authentication {; auth_type PASS; auth_pass 42; }";
const UNI: &str = "unicast_peer {; 192.0.2.20; }";
const UNI6: &str = "unicast_peer {; fe80::20; }; virtual_ipaddress {; fe80::64; }";

const CHECKS: &[Check] = &[
    // keepalived ignores what is shorter than its headers without counting it.
    ("1 shorter than the header", "", "200 cut=7", Dropped, "packet_len_err"),
    ("1 without a VRID", "", "200 cut=1", Ignored, "packet_len_err"),
    ("3 a VRID that is none of ours", "", "200 vrid=77", Ignored, "unknown_vrid"),
    ("3 our VRID on another link", "", "200 on=eth1", Ignored, "unknown_vrid"),
    ("3 our VRID in the other family", "", "200 from=fe80::20 to=ff02::12", Ignored, "unknown_vrid"),
    ("6 IPv6 by unicast to a multicast router", V6, "200 to=fe80::10", Dropped, "addr_list_err"),
    ("6 IPv6 by multicast to a unicast router", UNI6, "200 to=ff02::12", Dropped, "addr_list_err"),
    ("8 cut in its addresses", "", "200 cut=15", Dropped, "packet_len_err"),
    ("8 cut in its authentication", "", "200 cut=19", Dropped, "packet_len_err"),
    ("8 padded to a short Ethernet frame", "", "200 pad=6", Taken, "advert_rcvd"),
    ("8 longer than that", "", "200 pad=7", Dropped, "packet_len_err"),
    ("8 version 3 padded", V3, "200 pad=14", Taken, "advert_rcvd"),
    ("8 version 3 longer than that", V3, "200 pad=15", Dropped, "packet_len_err"),
    ("8 IPv6 is never padded", V6, "200 pad=1", Dropped, "packet_len_err"),
    ("9 TTL by multicast", "", "200 ttl=254", Dropped, "ip_ttl_err"),
    ("9 hop limit by multicast", V6, "200 ttl=254", Dropped, "ip_ttl_err"),
    ("9 TTL by unicast does not matter", UNI, "200 ttl=33", Taken, "advert_rcvd"),
    ("10 version 3 for version 2", "", "200 version=3 pad=8", Dropped, "vers_err"),
    ("10 version 2 for version 3", V3, "200 version=2", Dropped, "vers_err"),
    ("12 no type of authentication", "", "200 auth=3", Dropped, "invalid_authtype"),
    ("12 PASS for a router without", "", "200 auth=1", Dropped, "authtype_mismatch"),
    ("12 AH for a router without", "", "200 auth=2", Dropped, "authtype_mismatch"),
    ("12 none for a router with PASS", PASS, "200 auth=0", Dropped, "authtype_mismatch"),
    ("12 another password", PASS, "200 pass=43", Dropped, "auth_failure"),
    ("12 a password that only begins alike", PASS, "200 pass=42x", Dropped, "auth_failure"),
    ("12 the password", PASS, "200 pass=42", Taken, "advert_rcvd"),
    // keepalived drops it without counting.
    ("13 another interval in version 2", "", "200 every=2", Dropped, "advert_interval_err"),
    ("14 no advertisement", "", "200 type=2", Dropped, "invalid_type_rcvd"),
    ("16 another interval in version 3", V3, "200 every=0.3", Taken, "advert_rcvd interval_differs"),
    ("16 no interval at all would be nothing but skew", V3, "200 every=0", Dropped, "advert_interval_err"),
    ("17 checksum of version 2", "", "200 sum=bad", Dropped, "chk_err"),
    ("17 checksum of version 3", V3, "200 sum=bad", Dropped, "chk_err"),
    ("17 checksum of IPv6", V6, "200 sum=bad", Dropped, "chk_err"),
    ("17 without pseudo header", V3, "200 sum=plain", Taken, "advert_rcvd"),
    ("17 without pseudo header in IPv6", V6, "200 sum=plain", Taken, "advert_rcvd"),
    // Defect B2: with this keyword keepalived takes any checksum.
    ("17 v3_checksum_as_v2", "version 3; v3_checksum_as_v2", "200 sum=bad", Dropped, "chk_err"),
    ("17 v3_checksum_as_v2 takes both forms", "version 3; v3_checksum_as_v2", "200", Taken, "advert_rcvd"),
    ("18 unicast to a multicast router", "", "200 to=192.0.2.10", Dropped, "addr_list_err"),
    ("18 multicast to a unicast router", UNI, "200 to=224.0.0.18", Dropped, "addr_list_err"),
    ("20 an address more", "", "200 list=192.0.2.100,192.0.2.101", Taken, "addr_list_differs advert_rcvd"),
    ("20 another address", "", "200 list=192.0.2.101", Taken, "addr_list_differs advert_rcvd"),
    (
        "20 in another order",
        "virtual_ipaddress {; 192.0.2.100; 192.0.2.101; }",
        "200 list=192.0.2.101,192.0.2.100",
        Taken,
        "advert_rcvd",
    ),
    ("21 no peer, source not checked", UNI, "200 from=192.0.2.21", Taken, "advert_rcvd not_listed"),
    (
        "21 no peer",
        "unicast_peer {; 192.0.2.20; }; check_unicast_src",
        "200 from=192.0.2.21",
        Dropped,
        "not_a_peer",
    ),
    ("21 too far away", "unicast_peer {; 192.0.2.20 min_ttl 250; }", "200 ttl=249", Dropped, "ip_ttl_err"),
    ("22 a farewell", "", "0", Taken, "advert_rcvd pri_zero_rcvd"),
];

/// The router under test, and a neighbour that must not notice.
fn file(keywords: &str) -> String {
    let other = conf("virtual_ipaddress {; 192.0.2.200; }");
    conf(&format!("{keywords}; priority 100"))
        + &other.replace("vrrp_instance V", "vrrp_instance W").replace("_id 7", "_id 8")
}

/// A stage whose first router is in this role, with the trace of that forgotten.
fn stage(keywords: &str, master: bool) -> Stage {
    let mut stage = Stage::new(&file(keywords));
    if master {
        stage.tell("+5; is MASTER; is MASTER W");
    }
    stage.tell("clear");
    stage
}

/// The counters that differ, by name.
fn moved(before: &str, after: &str) -> String {
    let of = |all: &str, name: &str| {
        let words: Vec<&str> = all.split(' ').collect();
        words.chunks(2).find(|pair| pair[0] == name).map_or(0, |pair| pair[1].parse::<u64>().unwrap())
    };
    let names = after.split(' ').step_by(2).filter(|name| of(before, name) != of(after, name));
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_row_of_the_receive_pipeline_is_as_written() {
    for (title, keywords, packet, fate, counters) in CHECKS {
        for master in [false, true] {
            let mut stage = stage(keywords, master);
            let before = (stage.counters(), stage.node.deadline(), stage.role());
            let other = stage.router(Some("W"));
            stage.tell(&format!("hear {packet}"));
            let title = format!("{title}, {}", if master { "as master" } else { "as backup" });
            let moves = moved(&before.0, &stage.counters());
            if *fate == Taken {
                for name in counters.split(' ') {
                    assert!(moves.split(' ').any(|moved| moved == name), "{title}: {moves}");
                }
                continue;
            }
            assert_eq!(moves, *counters, "{title}");
            assert_eq!((stage.node.deadline(), stage.role()), (before.1, before.2), "{title}");
            assert_eq!(stage.router(Some("W")), other, "{title}");
            let told = stage.trace();
            let wanted = if *fate == Dropped { 1 } else { 0 };
            assert_eq!(told.lines().count(), wanted, "{title}: {told}");
            assert!(told.is_empty() || told.ends_with(counters), "{title}: {told}");
            for _ in 0..9 {
                stage.tell(&format!("hear {packet}"));
            }
            assert_eq!(stage.trace(), told, "{title}: told again");
            assert_eq!(stage.counter(counters), 10, "{title}");
        }
    }
}

#[test]
fn row_2_nothing_is_heard_during_the_delay_of_the_start() {
    let text = format!("global_defs {{\nvrrp_startup_delay 3\n}}\n{}", conf(""));
    let mut stage = Stage::new(&text);
    stage.tell("hear 200; hear 200 ttl=1; +2.9; hear 0; count advert_rcvd 0; count ip_ttl_err 0; +0.2; hear 200; count advert_rcvd 1");
}

#[test]
fn row_4_of_several_unicast_routers_the_one_with_the_last_sender_then_the_one_with_the_peer_is_meant() {
    let one = |name: &str, peer: &str, vip: &str| {
        conf(&format!("unicast_peer {{; {peer}; }}; virtual_ipaddress {{; {vip}; }}"))
            .replace("vrrp_instance V", &format!("vrrp_instance {name}"))
    };
    let text = one("V", "192.0.2.20", "192.0.2.100") + &one("W", "192.0.2.30", "192.0.2.101");
    let mut stage = Stage::new(&text);
    let heard = |stage: &Stage| ["V", "W"].map(|name| stage.router(Some(name)).counters.advert_rcvd);
    stage.tell("hear 200 from=192.0.2.20");
    assert_eq!(heard(&stage), [1, 0]);
    stage.tell("hear 200 from=192.0.2.30");
    assert_eq!(heard(&stage), [1, 1]);
}

#[test]
fn row_5_a_router_in_fault_hears_and_counts_nothing() {
    let mut stage = Stage::new(&conf("version 3"));
    stage.tell("link eth0 down; is FAULT; clear; hear 200 every=0.1; hear 200 ttl=1; +9");
    assert_eq!((stage.counters(), stage.trace()), (String::new(), String::new()));
    // Nor was the interval learnt: all of Master_Down follows.
    stage.tell("link eth0 up; clear; +3.6; is BACKUP; +0.01; is MASTER");
}

#[test]
fn row_19_an_owner_that_ignores_advertisements_drops_right_ones_and_says_so_once() {
    let mut stage = Stage::new(&conf("priority 255; owner_ignore_adverts"));
    stage.tell("clear; hear 255; hear 255; hear 10");
    assert_eq!(stage.trace(), "0.000 odd 192.0.2.20 another router advertises what we own");
    stage.tell("hear 10 ttl=1; count ip_ttl_err 1; is MASTER");
}

#[test]
fn row_20_another_list_is_told_once_for_each_sender_whoever_speaks_in_between() {
    let mut stage = Stage::new(&conf("priority 10"));
    stage.tell("clear; mute");
    for _ in 0..5 {
        stage.tell("hear 200 list=192.0.2.9; hear 150 from=192.0.2.21 list=192.0.2.8; hear 120 from=192.0.2.22; +0.5");
    }
    stage.tell("count addr_list_differs 10");
    assert_eq!(
        stage.trace(),
        "0.000 odd 192.0.2.20 its address list is not ours (addr_list_differs)\n\
         0.000 odd 192.0.2.21 its address list is not ours (addr_list_differs)"
    );
}

#[test]
fn row_20_skip_check_adv_addr_compares_only_when_the_sender_changes_and_as_master_always() {
    for (keywords, counted) in [("", 4), ("skip_check_adv_addr", 2), ("skip_check_adv_addr off", 4)] {
        let mut stage = Stage::new(&conf(keywords));
        let [one, two] = ["hear 200 list=192.0.2.9", "hear 200 list=192.0.2.9 from=192.0.2.21"];
        stage.tell(&format!("{one}; {one}; {one}; {two}; count addr_list_differs {counted}"));
        let mut stage = Stage::new(&conf(keywords));
        stage.tell("+5; hear 9 list=192.0.2.9; hear 9 list=192.0.2.9; count addr_list_differs 2; is MASTER");
    }
}

#[test]
fn a_second_cluster_on_our_vrid_is_counted_told_once_for_each_sender_and_changes_nothing() {
    // Another password and another interval, three routers of which one is always master.
    let mut stage = Stage::new(&file(PASS));
    stage.tell("+5; clear; mute");
    for n in 0..30 {
        stage.tell(&format!("hear 250 pass=zz from=198.51.100.{}; +0.2", 1 + n % 3));
        stage.tell("is MASTER; is MASTER W");
    }
    let told: Vec<String> = (1..4).map(|n| format!("drop 198.51.100.{n} auth_failure")).collect();
    let found = stage.trace();
    let found: Vec<&str> =
        found.lines().filter_map(|line| line.split_once(' ')).map(|(_, words)| words).collect();
    assert_eq!(
        found.iter().filter(|line| !line.starts_with('G')).collect::<Vec<_>>(),
        told.iter().collect::<Vec<_>>()
    );
    stage.tell("count auth_failure 30; count advert_rcvd 0");
}

#[test]
fn what_was_said_is_said_again_after_the_role_has_changed() {
    let mut stage = Stage::new(&conf(""));
    stage
        .tell("clear; mute; hear 200 ttl=3; hear 200 ttl=3; +3.7; is MASTER; hear 200 ttl=3; hear 200 ttl=3");
    let drops = stage.trace().lines().filter(|line| line.ends_with("ip_ttl_err")).count();
    assert_eq!(drops, 2);
}
