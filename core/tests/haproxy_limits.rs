//! Every limit of haproxy.cfg's reader: what just fits, and one more; large and hostile files stay bounded.

use standfast_core::config::finding::Findings;
use standfast_core::config::haproxy;
use standfast_core::config::load::Options;
use standfast_core::config::model::Config;
use standfast_core::config::source::{MAX_FILE, MemorySource};
use std::fmt::Write as _;

const HEAD: &str = "defaults\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n";

fn read(bytes: &[u8]) -> (Config, Findings) {
    let source = MemorySource::with("haproxy.cfg", bytes);
    let (mut config, mut findings) = (Config::default(), Findings::default());
    haproxy::read("haproxy.cfg", &source, &mut config, &mut findings, &Options::default());
    (config, findings)
}

/// The codes of all errors.
fn errors(text: &str) -> Vec<u16> {
    let (_, findings) = read(text.as_bytes());
    findings
        .list()
        .iter()
        .filter(|f| findings.errors() > 0 && f.to_string().starts_with("error"))
        .map(|f| f.code.0)
        .collect()
}

#[test]
fn a_line_of_8192_bytes_is_read_and_one_more_is_not() {
    let line = |long: usize| {
        format!("{HEAD}listen l\n bind :81\n server s 192.0.2.1:1\n#{}\n", "x".repeat(long - 1))
    };
    assert_eq!(errors(&line(8192)), []);
    assert_eq!(errors(&line(8193)), [2006]);
}

#[test]
fn the_4097th_section_is_one_too_many() {
    let sections = |most: usize| {
        let mut text = format!("{HEAD}listen l\n bind :81\n server s 192.0.2.1:1\n");
        for n in 2..most {
            let _ = write!(text, "backend b{n}\n server s 192.0.2.1:1\n");
        }
        text
    };
    assert_eq!(errors(&sections(4096)), []);
    assert_eq!(errors(&sections(4097)), [2070]);
}

#[test]
fn the_4097th_listening_address_is_one_too_many() {
    let text = |high: u32| format!("{HEAD}listen l\n bind :1001-{high}\n server s 192.0.2.1:1\n");
    assert_eq!(errors(&text(5096)), []);
    assert_eq!(errors(&text(5097)), [2070]);
}

#[test]
fn the_16385th_server_is_one_too_many() {
    let text = |servers: usize| {
        let mut text = format!("{HEAD}listen l\n bind :81\n");
        for n in 0..servers {
            let _ = writeln!(text, " server s{n} 192.0.2.1:1");
        }
        text
    };
    assert_eq!(errors(&text(Config::MAX_SERVERS)), []);
    assert_eq!(errors(&text(Config::MAX_SERVERS + 1)), [2070]);
}

#[test]
fn the_33rd_log_target_is_one_too_many() {
    let text = |targets: usize| {
        format!(
            "global\n{}{HEAD}listen l\n bind :81\n server s 192.0.2.1:1\n",
            " log stdout local0\n".repeat(targets)
        )
    };
    assert_eq!(errors(&text(32)), []);
    assert_eq!(errors(&text(33)), [2070]);
}

#[test]
fn ten_megabytes_of_rubbish_give_a_thousand_findings_and_a_count() {
    let (_, findings) = read("zzzzzzzzz\n".repeat(1024 * 1024).as_bytes());
    assert_eq!((findings.list().len(), findings.errors()), (Findings::MAX, 1024 * 1024));
    let one_line = vec![b'x'; 10 * 1024 * 1024];
    let (_, findings) = read(&one_line);
    assert!(findings.list().iter().any(|finding| finding.code.0 == 2006));
    let shown = findings.list().iter().map(|finding| finding.to_string().len()).max();
    assert!(shown.is_some_and(|longest| longest < 2000), "{shown:?}");
}

#[test]
fn a_file_beyond_the_limit_and_a_missing_one_are_one_finding() {
    let (_, findings) = read(&vec![b'#'; MAX_FILE + 1]);
    assert_eq!((findings.list().len(), findings.list()[0].code.0), (1, 2001));
    let source = MemorySource::default();
    let (mut config, mut findings) = (Config::default(), Findings::default());
    haproxy::read("none.cfg", &source, &mut config, &mut findings, &Options::default());
    assert_eq!(findings.list()[0].to_string(), "error[SF2001]: there is no such file\n  --> none.cfg\n");
}

#[test]
fn a_hundred_thousand_sections_end_soon() {
    let mut text = String::from(HEAD);
    for n in 0..100_000 {
        let _ = writeln!(text, "backend b{n}");
    }
    assert!(errors(&text).contains(&2070));
}

#[test]
fn numbers_have_their_largest_value() {
    let text = |global: &str, server: &str| {
        format!("global\n {global}\n{HEAD}listen l\n bind :81\n server s 192.0.2.1:1 check {server}\n")
    };
    for (fits, too_large) in [("rise 1000000", "rise 1000001"), ("fall 1000000", "fall 1000001")] {
        assert_eq!(errors(&text("maxconn 1", fits)), []);
        assert_eq!(errors(&text("maxconn 1", too_large)).len(), 1, "{too_large}");
    }
    assert_eq!(errors(&text("maxconn 10000000", "")), []);
    assert_eq!(errors(&text("maxconn 10000001", "")).len(), 1);
}

#[test]
fn the_65th_header_behind_a_version_is_one_too_many() {
    let text = |headers: usize| {
        let all = "\\r\\na:b".repeat(headers);
        format!(
            "{HEAD}listen l\n bind :81\n option httpchk GET / HTTP/1.1{all}\n server s 192.0.2.1:1 check\n"
        )
    };
    assert_eq!(errors(&text(64)), []);
    assert_eq!(errors(&text(65)), [2070]);
}
