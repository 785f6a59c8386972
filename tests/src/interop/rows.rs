//! The rows of the matrix: virtual routers and events.
//!
//! Waits are such that every timer that an event starts has ended before the next event.

use super::{Act, Counts, Party, Play, Router, Step};

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
        counts: Counts::Usual,
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
        about: "",
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
    let mut all = turns();
    all.extend([checksum(), misfits(), splits(), startup(), group(), trackers(), process(), cable(), vmac()]);
    all.extend(frr());
    all
}

/// A clean stop, a power loss, and the return after each, with waits for the start, a farewell, a return and a silence.
fn turn(start: u64, farewell: u64, back: u64, silence: u64) -> [Step; 5] {
    [
        (Act::Begin, start),
        (Act::Stop(1), farewell),
        (Act::Start(1), back),
        (Act::PowerOff(1), silence),
        (Act::PowerOn(1), back),
    ]
}

fn turns() -> Vec<Play> {
    let quick = turn(5_000, 2_500, 5_500, 5_000);
    let two = vec![
        router("multicast", V2),
        router("multicast, PASS", PASS),
        unicast("unicast, PASS", PASS, "192.0.2."),
        router("state MASTER on both", "    version 2\n    state MASTER"),
    ];
    let three = vec![
        router("IPv4, multicast", V3),
        unicast("IPv4, unicast", V3, "192.0.2."),
        six(router("IPv6, multicast", V3)),
        six(unicast("IPv6, unicast", V3, "2001:db8::")),
    ];
    let priorities = vec![
        Router { priorities: [255, 100], ..router("255 and 100", V3) },
        Router { priorities: [254, 1], ..router("254 and 1", V3) },
        Router { priorities: [1, 254], ..router("1 and 254", V2) },
        Router { priorities: [100, 100], ..router("equal", V2) },
    ];
    let preemption = vec![
        router("nopreempt", "    nopreempt"),
        Router { counts: Counts::Delay, ..router("preempt_delay 6", "    preempt_delay 6") },
        router("lower_prio_no_advert", "    lower_prio_no_advert"),
        router("higher_prio_send_advert", "    higher_prio_send_advert"),
    ];
    let intervals = vec![
        router("100 ms", "    version 3\n    advert_int 0.1"),
        router("2 s, version 2", "    version 2\n    advert_int 2"),
        unlike(
            "learnt: 2 s and 0.5 s",
            "    version 3\n    advert_int 2",
            "    version 3\n    advert_int 0.5",
        ),
        router("down_timer_adverts 5", "    down_timer_adverts 5"),
    ];
    let later = "preempt_delay ends when it says, counted from the first lower advertisement; keepalived then waits \
                 for the rest of its master-down interval as well.";
    let mut preemption = play("Preemption", preemption, &turn(5_500, 3_000, 12_000, 5_500));
    preemption.differs = vec![(1, 2, later), (1, 4, later)];
    vec![
        play("Version 2", two, &quick),
        play("Version 3", three, &quick),
        play("Priorities", priorities, &quick),
        preemption,
        play("Intervals", intervals, &turn(8_500, 3_500, 9_500, 9_000)),
    ]
}

fn checksum() -> Play {
    let routers = vec![router("version 3, IPv4", "    version 3\n    {OURS: v3_checksum_as_v2}")];
    let about =
        "Debian's keepalived has no `v3_checksum_as_v2` yet, so standfast with it stands beside itself.";
    let steps = turn(5_000, 2_500, 5_500, 5_000);
    Play { about, pairs: vec![[K, K], [S, S]], ..play("Checksum without pseudo header", routers, &steps) }
}

fn misfits() -> Play {
    let routers = vec![
        unlike("other password", PASS, OTHER_PASS),
        unlike("password on one side", PASS, V2),
        unlike("versions 2 and 3", V2, V3),
        unlike(
            "intervals 1 s and 2 s, version 2",
            "    version 2\n    advert_int 1",
            "    version 2\n    advert_int 2",
        ),
    ];
    let steps = [(Act::Begin, 9_000), (Act::PowerOff(1), 9_000)];
    let about = "Each refuses what the other one says and holds the address. keepalived's advertisements then get rare, \
                 since it begins its interval anew at each packet it refuses; standfast's do not.";
    Play { about, ..play("Settings that do not fit", routers, &steps) }
}

fn splits() -> Play {
    let routers = vec![
        router("version 2", V2),
        six(router("version 3, IPv6", V3)),
        Router { priorities: [100, 100], ..router("equal priorities", V3) },
        router("nopreempt", "    nopreempt"),
    ];
    let steps = [
        (Act::Begin, 5_500),
        (Act::Deafen, 5_500),
        (Act::Heal, 3_500),
        (Act::Stop(2), 3_000),
        (Act::Start(2), 5_500),
    ];
    play("Split", routers, &steps)
}

fn startup() -> Play {
    let steps = [(Act::Begin, 8_000), (Act::Stop(1), 3_000), (Act::Start(1), 9_500)];
    let routers = vec![router("version 2", V2), router("version 3", V3)];
    let head = "global_defs {\n    vrrp_startup_delay 2\n}\n";
    let reason = "The delay is over when it says; keepalived begins it anew for a router with each advertisement that it leaves \
                  aside meanwhile.";
    Play {
        head,
        differs: vec![(0, 2, reason), (1, 2, reason)],
        ..play("vrrp_startup_delay 2", routers, &steps)
    }
}

fn group() -> Play {
    let tracked = "    track_interface {\n        eth1\n    }";
    let routers = vec![
        fault(router("first member", "")),
        fault(router("second member", tracked)),
        router("no member", ""),
    ];
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

fn track(what: &str, line: &str) -> String {
    format!("    track_{what} {{\n        {line}\n    }}")
}

fn fault(router: Router) -> Router {
    Router { counts: Counts::Fault, ..router }
}

fn trackers() -> Play {
    let routers = vec![
        router("script, weight -20", &track("script", "check weight -20")),
        fault(router("script, no weight", &track("script", "check"))),
        router("interface, weight -20", &track("interface", "eth1 weight -20")),
        fault(router("interface, no weight", &track("interface", "eth1"))),
        router("file, weight 1", &track("file", "level")),
    ];
    let steps = [
        (Act::Begin, 5_500),
        (Act::Check(1, false), 7_000),
        (Act::Check(1, true), 6_500),
        (Act::Link(1, false), 5_000),
        (Act::Link(1, true), 5_500),
        (Act::File(1, "-20"), 5_000),
        (Act::File(1, "0"), 5_000),
    ];
    let head = "vrrp_script check {\n    script \"{DIR}/check.sh\"\n    interval 1\n    fall 2\n    rise 1\n}\n\
                track_file level {\n    file {DIR}/level\n    weight 1\n}\n";
    Play { head, ..play("Trackers", routers, &steps) }
}

fn process() -> Play {
    let routers = vec![router("process, weight -20", &track("process", "worker"))];
    let steps = [(Act::Begin, 5_500), (Act::Process(1, false), 6_000), (Act::Process(1, true), 6_000)];
    let head = "vrrp_track_process worker {\n    process {WORKER}\n    weight -20\n}\n";
    let about = "Linux tells keepalived about processes in the first network namespace only, so standfast stands beside \
                 itself.";
    Play { head, about, pairs: vec![[S, S]], ..play("Process", routers, &steps) }
}

fn cable() -> Play {
    let routers = vec![
        fault(router("version 2", V2)),
        fault(six(router("version 3, IPv6", V3))),
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
