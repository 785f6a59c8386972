//! The rows of the matrix: virtual routers and events.
//!
//! Waits are such that every timer that an event starts has ended before the next event.

use super::{Act, Party, Play, Router, Step};

const K: Party = Party::Keepalived;
const S: Party = Party::Standfast;
const F: Party = Party::Frr;

const V2: &str = "    version 2";
const V3: &str = "    version 3";
const PASS: &str =
    "    version 2\n    authentication {\n        auth_type PASS\n        auth_pass secret\n    }";
const OTHER_PASS: &str =
    "    version 2\n    authentication {\n        auth_type PASS\n        auth_pass other\n    }";

/// An IPv4 router with priority 110 and 100 and the same lines on both nodes; its place in the play makes its address.
fn router(name: &'static str, lines: &str) -> Router {
    Router {
        name,
        lines: [lines.to_owned(), lines.to_owned()],
        priorities: [110, 100],
        vip: String::new(),
        interval: 1_000,
    }
}

fn unlike(name: &'static str, one: &str, two: &str) -> Router {
    Router { lines: [one.to_owned(), two.to_owned()], ..router(name, "") }
}

fn unicast(name: &'static str, lines: &str, prefix: &str) -> Router {
    let peers = |own: u8, other: u8| {
        format!(
            "{lines}\n    unicast_src_ip {prefix}{own}\n    unicast_peer {{\n        {prefix}{other}\n    }}"
        )
    };
    unlike(name, &peers(11, 12), &peers(12, 11))
}

fn six(router: Router) -> Router {
    Router { vip: "six".to_owned(), ..router }
}

fn play(name: &'static str, routers: Vec<Router>, steps: &[Step]) -> Play {
    let mut routers = routers;
    for (last, router) in (100..).zip(&mut routers) {
        let prefix = if router.vip.is_empty() { "192.0.2." } else { "2001:db8::" };
        router.vip = format!("{prefix}{last}");
    }
    Play {
        name,
        head: "",
        routers,
        steps: steps.to_vec(),
        pairs: vec![[K, K], [S, K], [K, S]],
        differs: Vec::new(),
    }
}

/// All plays.
#[must_use]
pub fn all() -> Vec<Play> {
    let mut all = vec![turns(), splits(), startup(), group(), trackers(), cable(), vmac()];
    all.extend(frr());
    all
}

/// Dialects, elections and disagreements through a clean stop, a power loss, and the return after each.
fn turns() -> Play {
    let routers = vec![
        router("version 2", V2),
        router("version 2, PASS", PASS),
        unicast("version 2, unicast, PASS", PASS, "192.0.2."),
        router("version 3, IPv4", V3),
        unicast("version 3, IPv4, unicast", V3, "192.0.2."),
        six(router("version 3, IPv6", V3)),
        six(unicast("version 3, IPv6, unicast", V3, "2001:db8::")),
        router("version 3, 100 ms", "    version 3\n    advert_int 0.1"),
        Router { priorities: [255, 100], ..router("priority 255", V3) },
        Router { priorities: [255, 255], ..router("priority 255 on both", V3) },
        Router { priorities: [254, 1], ..router("priorities 254 and 1", V3) },
        Router { priorities: [1, 254], ..router("priorities 1 and 254", V2) },
        Router { priorities: [100, 100], ..router("equal priorities", V2) },
        router("state MASTER on both", "    state MASTER"),
        router("nopreempt", "    nopreempt"),
        router("preempt_delay 2", "    preempt_delay 2"),
        router("down_timer_adverts 5", "    down_timer_adverts 5"),
        router("advert_int 2", "    version 2\n    advert_int 2"),
        Router {
            interval: 2_000,
            ..unlike(
                "learnt intervals: 2 s and 0.5 s",
                "    version 3\n    advert_int 2",
                "    version 3\n    advert_int 0.5",
            )
        },
        Router {
            interval: 2_000,
            ..unlike(
                "unequal intervals, version 2",
                "    version 2\n    advert_int 1",
                "    version 2\n    advert_int 2",
            )
        },
        router("lower_prio_no_advert", "    lower_prio_no_advert"),
        router("higher_prio_send_advert", "    higher_prio_send_advert"),
        unlike("other password", PASS, OTHER_PASS),
        unlike("password on one side", PASS, V2),
        unlike("versions 2 and 3", V2, V3),
        router("checksum without pseudo header", "    version 3\n    {OURS: v3_checksum_as_v2}"),
    ];
    let steps = [
        (Act::Begin, 8_500),
        (Act::Stop(1), 3_500),
        (Act::Start(1), 9_000),
        (Act::PowerOff(1), 9_000),
        (Act::PowerOn(1), 9_000),
    ];
    play("Stop, power loss and return", routers, &steps)
}

fn splits() -> Play {
    let routers = vec![
        router("version 2", V2),
        router("version 3", V3),
        six(router("version 3, IPv6", V3)),
        Router { priorities: [100, 100], ..router("equal priorities", V3) },
        router("nopreempt", "    nopreempt"),
        router("lower_prio_no_advert", "    lower_prio_no_advert"),
    ];
    let steps = [
        (Act::Begin, 5_500),
        (Act::Deafen, 5_500),
        (Act::Heal, 5_000),
        (Act::Stop(2), 3_000),
        (Act::Start(2), 5_500),
    ];
    play("Split", routers, &steps)
}

fn startup() -> Play {
    let steps = [(Act::Begin, 7_500), (Act::Stop(1), 3_000), (Act::Start(1), 7_500)];
    let routers = vec![router("version 2", V2), router("version 3", V3)];
    let head = "global_defs {\n    vrrp_startup_delay 2\n}\n";
    Play { head, ..play("vrrp_startup_delay 2", routers, &steps) }
}

fn group() -> Play {
    let tracked = "    track_interface {\n        eth1\n    }";
    let routers = vec![router("first member", ""), router("second member", tracked), router("no member", "")];
    let steps = [
        (Act::Begin, 5_500),
        (Act::Link(1, false), 3_000),
        (Act::Link(1, true), 6_000),
        (Act::Stop(1), 3_000),
        (Act::Start(1), 6_000),
        (Act::PowerOff(1), 6_000),
        (Act::PowerOn(1), 6_000),
    ];
    let head = "vrrp_sync_group G1 {\n    group {\n        R51\n        R52\n    }\n}\n";
    Play { head, ..play("Sync group", routers, &steps) }
}

fn trackers() -> Play {
    let track = |what: &str, line: &str| format!("    track_{what} {{\n        {line}\n    }}");
    let routers = vec![
        router("script, weight -20", &track("script", "check weight -20")),
        router("script, no weight", &track("script", "check")),
        router("interface, weight -20", &track("interface", "eth1 weight -20")),
        router("interface, no weight", &track("interface", "eth1")),
        router("file, weight 1", &track("file", "level")),
        router("process, weight -20", &track("process", "worker weight -20")),
    ];
    let steps = [
        (Act::Begin, 5_500),
        (Act::Check(1, false), 7_000),
        (Act::Check(1, true), 6_500),
        (Act::Link(1, false), 5_000),
        (Act::Link(1, true), 5_500),
        (Act::File(1, "-20"), 5_000),
        (Act::File(1, "0"), 5_000),
        (Act::Process(1, false), 5_000),
        (Act::Process(1, true), 5_000),
    ];
    let head = "vrrp_script check {\n    script \"{DIR}/check.sh\"\n    interval 1\n    fall 2\n    rise 1\n}\n\
                track_file level {\n    file {DIR}/level\n    weight 1\n}\n\
                vrrp_track_process worker {\n    process sfworker\n}\n";
    Play { head, ..play("Trackers", routers, &steps) }
}

fn cable() -> Play {
    let routers = vec![
        router("version 2", V2),
        six(router("version 3, IPv6", V3)),
        router("nopreempt", "    nopreempt"),
        router("dont_track_primary", "    dont_track_primary"),
    ];
    let steps = [(Act::Begin, 5_500), (Act::Cable(1, false), 5_500), (Act::Cable(1, true), 6_500)];
    play("Cable", routers, &steps)
}

/// keepalived on cp2 with a MAC of its own.
fn vmac() -> Play {
    let steps =
        [(Act::Begin, 5_500), (Act::Stop(1), 3_000), (Act::Start(1), 6_000), (Act::PowerOff(1), 5_500)];
    let routers = vec![
        unlike("use_vmac on cp2", V3, "    version 3\n    use_vmac"),
        six(unlike("use_vmac on cp2, IPv6", V3, "    version 3\n    use_vmac")),
        Router {
            priorities: [100, 110],
            ..unlike("use_vmac on cp2, preferred", V2, "    version 2\n    use_vmac")
        },
    ];
    Play { pairs: vec![[K, K], [S, K]], ..play("Peer with use_vmac", routers, &steps) }
}

/// FRR's vrrpd on cp2.
fn frr() -> Vec<Play> {
    let first =
        [(Act::Begin, 8_000), (Act::Stop(1), 3_000), (Act::Start(1), 6_000), (Act::PowerOff(1), 5_500)];
    let second =
        [(Act::Begin, 8_000), (Act::Stop(2), 3_000), (Act::Start(2), 7_000), (Act::PowerOff(2), 5_500)];
    let settings = |priority: u8| format!("priority {priority}\nadvertisement-interval 1000");
    let beside = |name: &'static str, priority: u8, steps: &[Step], six: bool| {
        let mut router = unlike("version 3", V3, &settings(priority));
        if six {
            router = self::six(router);
        }
        Play { pairs: vec![[K, F], [S, F]], ..play(name, vec![router], steps) }
    };
    vec![
        beside("FRR with priority 100, IPv4", 100, &first, false),
        beside("FRR with priority 100, IPv6", 100, &first, true),
        beside("FRR with priority 200, IPv4", 200, &second, false),
        beside("FRR with priority 200, IPv6", 200, &second, true),
    ]
}
