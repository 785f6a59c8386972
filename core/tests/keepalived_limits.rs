//! Hostile and huge files end soon, with words, and never with a panic; the fuzz corpus is replayed.
#![allow(clippy::unwrap_used, reason = "a test")]

use standfast_core::config::finding::Findings;
use standfast_core::config::keepalived::fuzz_keepalived;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::MemorySource;
use std::fmt::Write;
use std::path::Path;

fn findings(text: &[u8]) -> Findings {
    let source = MemorySource::with("k", text);
    load(&[(Language::Keepalived, "k")], &source, None, &Options::default()).findings
}

fn codes(text: &str) -> Vec<u16> {
    findings(text.as_bytes()).list().iter().map(|f| f.code.0).collect()
}

fn instances(many: usize) -> String {
    (0..many).fold(String::new(), |mut text, n| {
        writeln!(text, "vrrp_instance V{n} {{\ninterface e{n}\nvirtual_router_id 7\n}}").unwrap();
        text
    })
}

#[test]
fn the_corpus_is_read_without_a_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/keepalived");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        fuzz_keepalived(&std::fs::read(entry.unwrap().path()).unwrap());
        read += 1;
    }
    assert!(read >= 10, "{read}");
}

#[test]
fn every_cut_and_every_flipped_byte_of_a_file_is_read_without_a_panic() {
    let text = b"$A=1\n~SEQ(i,2) vrrp_script s$i {\nscript \"/x '${A}'\"\n}\n@n include a{b,c}*\n\
        vrrp_instance V {\nvirtual_ipaddress { 192.0.2.1/24 dev e brd + }\nunicast_peer {\n192.0.2.2 min_ttl 3\n}\n}\n";
    for cut in 0..text.len() {
        fuzz_keepalived(&text[..cut]);
        for byte in [0, b'{', b'}', b'"', b'$', b'~', b'\\', 0xff] {
            let mut wrong = text.to_vec();
            wrong[cut] = byte;
            fuzz_keepalived(&wrong);
        }
    }
}

#[test]
fn one_virtual_router_too_many_is_said_once() {
    assert!(!codes(&instances(4096)).contains(&1117));
    for many in [4097, 4098] {
        assert_eq!(codes(&instances(many)).iter().filter(|c| **c == 1117).count(), 1, "{many}");
    }
}

#[test]
fn a_hundred_thousand_instances_end_in_a_clear_finding() {
    assert_eq!(codes(&instances(100_000)), [8]);
}

#[test]
fn ten_megabytes_end_in_a_clear_finding() {
    let line = "priority 9 \"a b\" ${x} # y\n";
    let found = findings(line.repeat(10 * 1024 * 1024 / line.len()).as_bytes());
    assert!(found.errors() > 0 && found.list().len() <= Findings::MAX);
    let noise: Vec<u8> =
        (0..10_u32 * 1024 * 1024).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(findings(&noise).errors() > 0);
}

#[test]
fn the_deepest_definition_is_served_and_a_deeper_one_is_not() {
    let chain = |deep: usize| {
        let mut text = String::from("$A0=9\n");
        for n in 1..=deep {
            writeln!(text, "$A{n}=$A{}", n - 1).unwrap();
        }
        format!("{text}vrrp_instance V {{\ninterface e\nvirtual_router_id $A{deep}\n}}\n")
    };
    assert!(!codes(&chain(63)).contains(&11));
    assert!(codes(&chain(64)).contains(&11));
}

#[test]
fn a_line_may_grow_to_its_limit_only() {
    let big = "x".repeat(1000);
    let text = |times: usize| {
        format!("$B={big}\n$C={}\nvrrp_script ${{C}} {{\nscript /x\n}}\n", "${B}".repeat(times))
    };
    assert!(!codes(&text(65)).contains(&11));
    assert!(codes(&text(66)).contains(&11));
}

#[test]
fn includes_without_end_are_said() {
    let mut source = MemorySource::with("k", b"include 0\n");
    for n in 0..40 {
        source.files.insert(n.to_string(), format!("include {}\ninclude {}\n", n + 1, n + 1).into_bytes());
    }
    let found = load(&[(Language::Keepalived, "k")], &source, None, &Options::default()).findings;
    assert_eq!(found.list().iter().filter(|f| f.code.0 == 3).count(), 1);
}

#[test]
fn lists_are_bounded() {
    let list = |block: &str, line: &dyn Fn(usize) -> String, many: usize| {
        let lines: Vec<String> = (0..many).map(line).collect();
        codes(&format!(
            "vrrp_instance V {{\ninterface e\nvirtual_router_id 7\n{block} {{\n{}\n}}\n}}\n",
            lines.join("\n")
        ))
    };
    let address = |n: usize| format!("10.0.{}.{}", n / 250, n % 250 + 1);
    let link = |n: usize| format!("l{n}");
    for (block, line) in [
        ("virtual_ipaddress_excluded", &address as &dyn Fn(usize) -> String),
        ("unicast_peer", &address),
        ("track_interface", &link),
    ] {
        assert!(!list(block, line, 1024).contains(&1007), "{block}");
        assert!(list(block, line, 1025).contains(&1007), "{block}");
    }
    let groups = |many: usize| {
        let group = |n| format!("vrrp_sync_group G{n} {{\ngroup {{\nV\n}}\n}}\n");
        codes(&(0..many).map(group).collect::<String>()).contains(&1007)
    };
    assert!(!groups(2048) && groups(2049));
    let delayed = |many: usize| {
        let lines: String = (0..many).map(|n| format!("l{n} 1 1\n")).collect();
        codes(&format!("interface_up_down_delays {{\n{lines}}}\n")).contains(&1007)
    };
    assert!(!delayed(4096) && delayed(4097));
    let paced = |many: usize| {
        let lines: String = (0..many).map(|n| format!("l{n}\n")).collect();
        codes(&format!("garp_group {{\ngna_interval 1\ninterfaces {{\n{lines}}}\n}}\n")).contains(&1007)
    };
    assert!(!paced(4096) && paced(4097));
}

#[test]
fn times_and_numbers_of_the_rarer_keywords_end_where_the_page_says() {
    let global = |line: &str| codes(&format!("global_defs {{\n{line}\n}}\n")).contains(&1007);
    let own = |line: &str| {
        let text = format!("vrrp_instance V {{\ninterface e\nvirtual_router_id 7\nnopreempt\n{line}\n}}\n");
        codes(&text).contains(&1007)
    };
    let root = |line: &str| codes(&format!("{line}\n")).contains(&1007);
    type Reads<'r> = &'r dyn Fn(&str) -> bool;
    for (reads, right, wrong) in [
        (&global as Reads<'_>, "vrrp_delay_after_boot 4294", "vrrp_delay_after_boot 4294.000001"),
        (&global, "vrrp_garp_extra_if 1", "vrrp_garp_extra_if 0"),
        (&global, "vrrp_garp_extra_if all 86400", "vrrp_garp_extra_if all 86401"),
        (&own, "garp_extra_if 0", "garp_extra_if -1"),
        (&own, "garp_extra_if 86400", "garp_extra_if 86401"),
        (&own, "timer_expired_backup 1", "timer_expired_backup 0"),
        (&own, "timer_expired_backup 254", "timer_expired_backup 255"),
        (
            &own,
            "unicast_peer {\n192.0.2.1 min_ttl 0 max_ttl 255\n}",
            "unicast_peer {\n192.0.2.1 max_ttl 256\n}",
        ),
        (&own, "preempt_delay 1000", "preempt_delay 1000.000001"),
        (&own, "advert_int 0.01", "advert_int 0.009999"),
        (&own, "advert_int 255", "advert_int 255.000001"),
        (&own, "down_timer_adverts 100", "down_timer_adverts 101"),
        (&own, "garp_master_repeat 1000", "garp_master_repeat 1001"),
        (&own, "garp_lower_prio_delay 4294", "garp_lower_prio_delay 4295"),
        (&root, "interface_up_down_delays {\ne 255 255\n}", "interface_up_down_delays {\ne 255.000001\n}"),
        (&root, "interface_up_down_delays {\ne 0 0\n}", "interface_up_down_delays {\ne 1 256\n}"),
        (
            &root,
            "garp_group {\ngarp_interval 4294\ninterface e\n}",
            "garp_group {\ngarp_interval 4295\ninterface e\n}",
        ),
    ] {
        assert!(!reads(right), "{right}");
        assert!(reads(wrong), "{wrong}");
    }
}

#[test]
fn the_last_statement_blocks_files_and_lines_within_their_limits_are_read() {
    let statements = |many: usize| codes(&"smtp\n".repeat(many)).contains(&8);
    assert!(!statements(200_000) && statements(200_001));
    let blocks =
        |deep: usize| codes(&format!("{}{}", "a {\n".repeat(deep), "}\n".repeat(deep))).contains(&13);
    assert!(!blocks(16) && blocks(17));
    let body = |lines: usize| codes(&format!("$A= \\\n{}x\n", "x \\\n".repeat(lines - 1))).contains(&11);
    assert!(!body(4096) && body(4097));
    let generated = |many: usize| codes(&format!("~SEQ(i,{many}) @nobody x\n")).contains(&11);
    assert!(!generated(100_000) && generated(100_001));
    let few = |many: usize| {
        let source = MemorySource::with("k", format!("~SEQ(i,{many}) @nobody x\n").as_bytes());
        let options = Options { expansions: Some(10), ..Options::default() };
        let found = load(&[(Language::Keepalived, "k")], &source, None, &options).findings;
        found.list().iter().any(|f| f.code.0 == 11)
    };
    assert!(!few(10) && few(11));
}

#[test]
fn the_deepest_include_and_the_last_file_are_read() {
    let world = |text: &str, files: &dyn Fn(&mut MemorySource)| {
        let mut source = MemorySource::with("k", text.as_bytes());
        files(&mut source);
        let found = load(&[(Language::Keepalived, "k")], &source, None, &Options::default()).findings;
        found.list().iter().any(|f| f.code.0 == 3)
    };
    let deep = |depth: usize| {
        world("include 1\n", &|source| {
            for n in 1..=depth {
                let next = if n == depth { String::new() } else { format!("include {}\n", n + 1) };
                source.files.insert(n.to_string(), next.into_bytes());
            }
        })
    };
    assert!(!deep(32) && deep(33));
    let wide = |files: usize| {
        world("include f*\n", &|source| {
            for n in 1..files {
                source.files.insert(format!("f{n}"), b"# x\n".to_vec());
            }
        })
    };
    assert!(!wide(1024) && wide(1025));
}

#[test]
fn a_line_of_1023_bytes_is_read_and_one_more_is_not() {
    let line = |long: usize| codes(&format!("#{}\n", "x".repeat(long - 1))).contains(&5);
    assert!(!line(1023) && line(1024));
}

#[test]
fn all_lines_together_may_grow_to_their_limit_only() {
    // 64 KiB for each reference, and 8 MiB for all lines.
    let big = "x".repeat(1000);
    let head = format!("$B={big}\n$C={}{}\n", "${B}".repeat(65), "x".repeat(536));
    let grown = |lines: usize| codes(&format!("{head}{}smtp $B\n", "${C}\n".repeat(lines))).contains(&11);
    assert!(!grown(127) && grown(129));
}

#[test]
fn announcements_of_a_block_and_alternatives_of_an_include_are_bounded() {
    let repeat = |many: u32| {
        codes(&format!(
            "vrrp_instance V {{\ninterface e\nvirtual_router_id 7\ngarp_master_repeat {many}\n}}\n"
        ))
        .contains(&1007)
    };
    assert!(!repeat(1000) && repeat(1001));
    let choices = |many: usize| codes(&format!("include {{{}}}\n", "a,".repeat(many - 1))).contains(&3);
    assert!(!choices(256) && choices(257));
}

#[test]
fn suggestions_end_after_a_hundred_findings_and_compare_no_more_than_256_names() {
    let suggested = |text: &str| {
        let found = findings(text.as_bytes());
        let helps = found.list().iter().filter_map(|f| f.help.clone());
        helps.filter(|help| help.contains("did you mean")).count()
    };
    assert_eq!(suggested(&"vrrp_instanc X\n".repeat(100)), 100);
    assert_eq!(suggested(&"vrrp_instanc X\n".repeat(101)), 100);
    let scripts = |before: usize| {
        let script = |name: String| format!("vrrp_script {name} {{\nscript /x\n}}\n");
        let mut text: String = (0..before).map(|n| script(format!("a{n:03}"))).collect();
        text.push_str(&script("zebra".into()));
        suggested(&format!(
            "{text}vrrp_instance V {{\ninterface e\nvirtual_router_id 7\ntrack_script {{\nzebre\n}}\n}}\n"
        ))
    };
    assert_eq!((scripts(255), scripts(256)), (1, 0));
}

#[test]
fn a_missing_name_is_explained_by_conditions_of_at_most_a_hundred_characters() {
    let explained = |length: usize| {
        let host = "h".repeat(length);
        let text = format!("@{host} $P=1\nvrrp_instance V {{\npriority $P\n}}\n");
        findings(text.as_bytes())
            .list()
            .iter()
            .any(|f| f.help.as_ref().is_some_and(|help| help.contains(&host)))
    };
    assert!(explained(99));
    assert!(!explained(100));
}
