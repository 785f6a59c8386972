//! `bfd_instance` and `track_bfd` of keepalived.conf in the model, in the native form and back, and their limits.
#![allow(clippy::unwrap_used, reason = "a test")]

use standfast_core::config::finding::Findings;
use standfast_core::config::load::{Language, Loaded, Options, load};
use standfast_core::config::model::{BfdConfig, Config, Tracked, Tracker};
use standfast_core::config::native;
use standfast_core::config::source::MemorySource;
use standfast_core::config::summary::summary;
use std::fmt::Write;
use std::time::Duration;

fn read(language: Language, text: &str) -> Loaded {
    let source = MemorySource::with("k", text.as_bytes());
    load(&[(language, "k")], &source, None, &Options::default())
}

fn config(text: &str) -> Config {
    let loaded = read(Language::Keepalived, text);
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings.list()))
}

fn codes(text: &str) -> Vec<u16> {
    read(Language::Keepalived, text).findings.list().iter().map(|f| f.code.0).collect()
}

fn with(session: &str, track: &str) -> String {
    format!(
        "bfd_instance WAN {{\n neighbor_ip 192.0.2.9\n{session}\n}}\nvrrp_instance V {{\n interface eth0\n \
         virtual_router_id 7\n priority 100\n track_bfd {{\n {track}\n }}\n virtual_ipaddress {{\n 192.0.2.100\n }}\n}}\n"
    )
}

fn only(config: &Config) -> BfdConfig {
    (**config.sessions.values().next().unwrap()).clone()
}

fn tracker(config: &Config) -> Tracker {
    let mut trackers = config.instances.values().next().unwrap().trackers.iter();
    trackers.find(|tracker| matches!(tracker.what, Tracked::Session(_))).unwrap().clone()
}

#[test]
fn the_defaults_are_those_of_keepalived() {
    let session = only(&config(&with("", "WAN")));
    let ms = Duration::from_millis;
    let timing = session.timing;
    assert_eq!(
        (timing.min_tx, timing.min_rx, timing.idle_tx, timing.multiplier),
        (ms(10), ms(10), ms(1000), 5)
    );
    assert_eq!((session.hops, session.max_hops, session.passive, session.from), (255, 0, false, None));
    let six = with("", "WAN").replace("192.0.2.9", "2001:db8::9");
    assert_eq!(only(&config(&six)).hops, 64, "the hop limit of keepalived, not of RFC 5881");
}

#[test]
fn weight_and_reverse_are_the_sessions_unless_the_line_has_its_own() {
    let weigh = |session: &str, line: &str| {
        let tracker = tracker(&config(&with(session, line)));
        (tracker.weight, tracker.reverse)
    };
    assert_eq!(weigh("", "WAN"), (0, false));
    assert_eq!(weigh("weight -20 reverse", "WAN"), (-20, true));
    assert_eq!(weigh("weight -20", "WAN weight 5 reverse"), (5, true));
}

#[test]
fn a_sync_group_follows_a_session() {
    let text = with("", "WAN").replace("track_bfd {\n WAN\n }", "")
        + "vrrp_sync_group G {\n group {\n V\n }\n track_bfd {\n WAN\n }\n}\n";
    assert!(matches!(tracker(&config(&text)).what, Tracked::Session(_)));
}

#[test]
fn the_native_form_says_the_same() {
    for options in [
        "",
        "source_ip 192.0.2.1\n min_tx 70\n min_rx 50\n idle_tx 3000\n multiplier 2\n passive\n ttl 64\n max_hops 3",
    ] {
        let first = config(&with(options, "WAN weight -20"));
        let text = native::write(&first);
        let second = read(Language::Native, &text).config.unwrap_or_else(|| panic!("{text}"));
        let named = |config: &Config| BfdConfig { id: standfast_core::id::BfdId(0), ..only(config) };
        assert_eq!(named(&first), named(&second), "{text}");
        assert_eq!(tracker(&second).weight, -20);
    }
}

#[test]
fn the_summary_says_when_a_failure_is_believed() {
    let text = summary(&config(&with("min_rx 50\n multiplier 3", "WAN")), &Findings::default());
    assert!(
        text.contains("BFD session WAN with 192.0.2.9: a failure is believed after 150 ms of silence"),
        "{text}"
    );
}

#[test]
fn what_cannot_work_is_refused_where_it_stands() {
    for (session, track, code) in [
        ("", "OTHER", 1010),
        ("checker", "WAN", 1010),
        ("source_ip 2001:db8::1", "WAN", 1118),
        ("neighbor_ip fe80::1", "WAN", 1006),
        ("multihop", "WAN", 1002),
        ("multiplier 256", "WAN", 1007),
        ("idle_tx 999", "WAN", 1007),
    ] {
        let loaded = read(Language::Keepalived, &with(session, track));
        let found: Vec<u16> = loaded.findings.list().iter().map(|f| f.code.0).collect();
        assert!(loaded.config.is_none() && found.contains(&code), "{session} {track}: {found:?}");
    }
    assert!(config(&with("checker\n vrrp", "WAN")).sessions.len() == 1);
}

#[test]
fn one_session_more_than_the_limit_is_refused_in_both_languages() {
    let keepalived = |many: usize| {
        (0..many).fold(String::new(), |mut text, n| {
            writeln!(text, "bfd_instance B{n} {{\n neighbor_ip 10.0.{}.{}\n}}", n / 250, n % 250 + 1)
                .unwrap();
            text
        })
    };
    let most = BfdConfig::MAX_SESSIONS;
    assert!(!codes(&keepalived(most)).contains(&1007) && codes(&keepalived(most + 1)).contains(&1007));
    let native = |many: usize| {
        let table =
            |n: usize| format!("[[bfd]]\nname = \"b{n}\"\nneighbor = \"10.0.{}.{}\"\n", n / 250, n % 250 + 1);
        let text: String = (0..many).map(table).collect();
        read(Language::Native, &text).findings.errors()
    };
    assert_eq!((native(most), native(most + 1)), (0, 1));
    let name = |long: usize| codes(&with("", "WAN").replace("WAN", &"W".repeat(long))).contains(&1007);
    assert!(!name(31) && name(32));
}
