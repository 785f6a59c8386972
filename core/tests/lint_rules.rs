//! What `lint` finds between nodes, and what it keeps silent about.

mod lint;

use lint::{codes, good, has, nodes, router, with};
use standfast_core::config::finding::{Code, Severity};
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::native;
use standfast_core::config::source::MemorySource;

const VIP: &str = "192.0.2.100";

fn unicast(own: u8, peers: &[u8]) -> String {
    let peers: String = peers.iter().map(|peer| format!("        192.0.2.{peer}\n")).collect();
    format!("    unicast_src_ip 192.0.2.{own}\n    unicast_peer {{\n{peers}    }}")
}

#[test]
fn a_difference_is_shown_in_every_file_with_the_odd_one_out_first() {
    let files = nodes(&[router(61, 102, VIP, ""), router(62, 101, VIP, ""), router(61, 100, VIP, "")]);
    let report = lint::lint(&files);
    let finding = report.findings.iter().find(|finding| finding.code == Code(4001)).expect("ids differ");
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(finding.message, "virtual_router_id differs: 62 on n02, 61 on n01 and n03");
    let places: Vec<_> = finding
        .places
        .iter()
        .map(|place| (&*place.node, &*place.span.file, place.span.line, place.span.column, place.span.width))
        .collect();
    let wanted = |node: &'static str, file: &'static str| (node, file, 3, 23, 2);
    assert_eq!(
        places,
        [
            wanted("n02", "n02/keepalived.conf"),
            wanted("n01", "n01/keepalived.conf"),
            wanted("n03", "n03/keepalived.conf")
        ]
    );
}

#[test]
fn a_native_node_is_compared_with_a_keepalived_node_and_places_are_in_its_own_file() {
    let source = MemorySource::with("keepalived.conf", router(61, 101, VIP, "").as_bytes());
    let loaded = load(&[(Language::Keepalived, "keepalived.conf")], &source, None, &Options::default());
    let text = native::write(&loaded.config.expect("a sound file")).replace("vrid = 61", "vrid = 62");
    let mut files = nodes(&[router(61, 102, VIP, "")]);
    files.insert("n02/standfast.toml".into(), text);
    let report = lint::lint(&files);
    assert_eq!(codes(&report), [4001]);
    let place = report.findings[0].places.iter().find(|place| &*place.node == "n02").expect("its place");
    assert_eq!((&*place.span.file, &*place.span.text), ("n02/standfast.toml", "vrid = 62"));
}

#[test]
fn a_peer_that_does_not_send_back_is_an_error_on_both_sides() {
    let good = [router(61, 102, VIP, &unicast(11, &[12])), router(61, 101, VIP, &unicast(12, &[11]))];
    assert_eq!(codes(&lint::lint(&nodes(&good))), [0_u16; 0]);
    let bad = nodes(&[good[0].clone(), router(61, 101, VIP, &unicast(12, &[19]))]);
    let report = lint::lint(&bad);
    assert_eq!(codes(&report), [4007]);
    let messages: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "n02 does not list n01 (192.0.2.11) as its peer, but n01 lists n02",
            "n02 sends to 192.0.2.19, which is the address of none of these nodes"
        ]
    );
    assert_eq!(report.findings[0].places.len(), 2);
}

#[test]
fn a_source_that_is_not_written_is_told_from_the_others_lists() {
    let peers = |line: &str| format!("    unicast_peer {{\n        {line}\n    }}");
    let files =
        nodes(&[router(61, 102, VIP, &peers("192.0.2.12")), router(61, 101, VIP, &peers("192.0.2.11"))]);
    assert_eq!(codes(&lint::lint(&files)), [0_u16; 0]);
}

#[test]
fn clusters_of_unicast_nodes_that_do_not_name_each_other_may_share_an_id() {
    let pair = |address: &str, first: u8, second: u8| {
        [
            router(61, 102, address, &unicast(first, &[second])),
            router(61, 101, address, &unicast(second, &[first])),
        ]
    };
    let files: Vec<String> = [pair(VIP, 11, 12), pair("192.0.2.200", 21, 22)].concat();
    assert_eq!(codes(&lint::lint(&nodes(&files))), [0_u16; 0]);
    let bare = |priority, address| router(61, priority, address, "");
    let group = [bare(102, VIP), bare(101, VIP), bare(102, "192.0.2.200"), bare(101, "192.0.2.200")];
    assert_eq!(codes(&lint::lint(&nodes(&group))), [4014]);
}

#[test]
fn virtual_routers_of_a_node_are_told_apart_by_address_even_when_ids_are_swapped() {
    let both = |first: u8, second: u8, priority: u8| {
        let other = router(second, priority, "192.0.2.200", "").replace("VI", "VJ");
        format!("{}{other}", router(first, priority, VIP, ""))
    };
    let files = nodes(&[both(61, 62, 102), both(62, 61, 101)]);
    let report = lint::lint(&files);
    assert_eq!(codes(&report), [4001]);
    assert_eq!(report.findings.len(), 2);
}

/// Nodes that track one check with this weight, at these priorities.
fn checked(weight: i16, priorities: &[u8], lines: &str) -> lint::Files {
    let text = |priority: &u8| {
        let script = format!("vrrp_script c {{\n    script \"/bin/true\"\n    weight {weight}\n}}\n");
        let track = format!("{lines}\n    track_script {{\n        c\n    }}");
        script + &router(61, *priority, VIP, &track)
    };
    nodes(&priorities.iter().map(text).collect::<Vec<_>>())
}

#[test]
fn a_weight_moves_the_address_only_strictly_below_the_others() {
    for (weight, priorities, wanted) in [
        (-2, &[101, 100][..], false),
        (-1, &[101, 100], true),
        (-2, &[101, 100, 99], true),
        (-3, &[101, 100, 99], false),
        (10, &[105, 100], false),
        (5, &[105, 100], true),
        (0, &[200, 100], false),
    ] {
        let report = lint::lint(&checked(weight, priorities, ""));
        assert_eq!(has(&report, 4010), wanted, "{weight} {priorities:?}: {:?}", codes(&report));
    }
}

#[test]
fn the_help_says_how_much_larger_the_weight_must_be() {
    let report = lint::lint(&checked(-1, &[110, 100], ""));
    let finding = report.findings.iter().find(|finding| finding.code == Code(4010)).expect("too small");
    assert_eq!(
        finding.message,
        "with c failed n01 still has priority 109, not below that of n02 (100): the addresses stay"
    );
    assert!(finding.help.as_ref().is_some_and(|help| help.contains("at least 10 more")), "{finding}");
    assert!(!has(&lint::lint(&checked(-11, &[110, 100], "")), 4010), "ten more are enough");
}

#[test]
fn with_nopreempt_a_weighted_check_moves_nothing_and_one_without_weight_does() {
    assert!(has(&lint::lint(&checked(-10, &[101, 100], "    nopreempt")), 4011));
    assert!(!has(&lint::lint(&checked(0, &[101, 100], "    nopreempt")), 4011));
}

#[test]
fn a_refused_node_shows_its_errors_and_is_left_out_of_the_comparison() {
    let files = nodes(&[router(61, 102, VIP, ""), router(61, 101, VIP, "    nonsense")]);
    let report = lint::lint(&files);
    assert_eq!(codes(&report), [1001, 4000]);
    assert_eq!(report.findings[0].severity, Severity::Error);
}

#[test]
fn one_node_alone_is_not_told_that_it_is_alone() {
    assert_eq!(codes(&lint::lint(&nodes(&[router(61, 102, VIP, "")]))), [0_u16; 0]);
}

#[test]
fn a_check_that_asks_the_virtual_address_or_a_port_in_a_variable_is_found() {
    let script = "cp1/check_server.sh";
    for text in [
        "P=8443\ncurl https://localhost:${P}/\n",
        "curl https://192.0.2.100:8443/\n",
        "nc -z 127.0.0.1 8443\n",
    ] {
        let mut files = good();
        files.insert(script.into(), text.into());
        assert!(has(&lint::lint(&files), 4013), "{text}");
    }
    for text in [
        "# curl https://localhost:8443/\n",
        "curl https://localhost:9999/\n",
        "curl https://notlocalhost:8443/\n",
    ] {
        let mut files = good();
        files.insert(script.into(), text.into());
        assert!(!has(&lint::lint(&files), 4013), "{text}");
    }
}

#[test]
fn a_server_at_the_balancers_port_counts_only_on_its_own_node() {
    let files = with(good(), "cp1/haproxy.cfg", "bind *:8443", "bind *:6443");
    let report = lint::lint(&files);
    let found: Vec<_> = report.findings.iter().filter(|finding| finding.code == Code(2060)).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].places.len(), 2);
    assert!(found[0].message.contains("its own server cp1"), "{}", found[0].message);
}

#[test]
fn what_check_says_of_all_nodes_is_said_once_with_all_places() {
    let report = lint::lint(&nodes(&[router(51, 102, VIP, ""), router(51, 101, VIP, "")]));
    assert_eq!(codes(&report), [1303]);
    assert_eq!((report.findings.len(), report.findings[0].places.len()), (1, 2));
}

#[test]
fn a_node_whose_addresses_are_all_others_is_mistyped_or_another_cluster() {
    let files = nodes(&[router(61, 102, VIP, ""), router(61, 101, "192.0.2.200", "")]);
    let report = lint::lint(&files);
    assert_eq!(codes(&report), [4005]);
    assert!(
        report.findings[0].help.as_ref().is_some_and(|help| help.contains("two clusters")),
        "{}",
        report.findings[0]
    );
}

#[test]
fn a_placeholder_in_a_probe_is_an_error_in_the_manifest() {
    let files =
        with(good(), "cp1/haproxy.yaml", "tcpSocket:\n        port: 8443", "httpGet:\n        port: ${PORT}");
    let report = lint::lint(&files);
    assert_eq!(codes(&report), [9]);
    let span = &report.findings[0].places[0].span;
    assert_eq!((&*span.file, span.line, span.column), ("cp1/haproxy.yaml", 13, 15));
}

/// Small random damage: bytes that go, come, or are doubled.
fn damaged(text: &str, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(n.max(1)).expect("small")).expect("small")
    };
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..1 + below(6) {
        let at = below(chars.len());
        match below(3) {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, ['{', '[', ':', '-', '\n', ' ', '"', '$', 'ä', '|'][below(10)]),
            _ => chars.truncate(chars.len().min(at + chars.len() / 2)),
        }
        if chars.is_empty() {
            break;
        }
    }
    chars.into_iter().collect()
}

#[test]
fn no_damage_to_manifest_script_or_configuration_makes_lint_panic() {
    let sound = good();
    for seed in 0..400 {
        let mut files = sound.clone();
        for path in ["cp1/haproxy.yaml", "cp2/keepalived.yaml", "cp1/check_server.sh", "cp2/keepalived.conf"]
        {
            let text = damaged(&files[path], seed);
            files.insert(path.into(), text);
        }
        for finding in lint::lint(&files).findings {
            assert!(!finding.places.is_empty() && !finding.to_string().is_empty(), "seed {seed}");
        }
    }
}

#[test]
fn the_figures_are_those_of_the_protocol() {
    let report = lint::lint(&checked(-10, &[101, 100], ""));
    let lines: Vec<&str> = report.routers.iter().map(String::as_str).collect();
    assert_eq!(
        lines,
        [
            "virtual router VI (VRID 61), 192.0.2.100: n01 101, n02 100",
            "  n01 loses power: n02 takes over within 3.61 s",
            "  c fails on n01: believed after 1 s, priority 91, n02 takes over within 4.61 s",
            "  c fails on all: n01 is active, with 91",
        ]
    );
}
