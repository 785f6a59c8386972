//! The guide's keepalived.conf files, unchanged, mean exactly what they say.
#![allow(clippy::unwrap_used, reason = "a test")]

use standfast_core::config::finding::Severity;
use standfast_core::config::load::{Language, Loaded, Options, load};
use standfast_core::config::model::{
    Authentication, Config, Counter, Destination, Family, NotifyConfig, Probe, Tracked, Version,
};
use standfast_core::config::source::{MemorySource, ScriptState};
use std::time::Duration;

const SCRIPT: &str = "/etc/keepalived/check_apiserver.sh";

fn loaded(text: &[u8]) -> Loaded {
    let mut source = MemorySource::with("keepalived.conf", text);
    source.scripts.insert(SCRIPT.to_string(), ScriptState::Runnable);
    load(&[(Language::Keepalived, "keepalived.conf")], &source, None, &Options::default())
}

fn assert_guide(text: &[u8], master: bool, priority: u8) -> Config {
    let loaded = loaded(text);
    assert_eq!(loaded.findings.errors(), 0, "{:?}", loaded.findings.list());
    let config = loaded.config.unwrap();
    assert_eq!(config.node.router_id.as_deref(), Some("LVS_DEVEL"));
    assert_eq!((config.instances.len(), config.checks.len(), config.groups.len()), (1, 1, 0));
    let check = config.checks.values().next().unwrap();
    assert_eq!(&*check.name, "check_apiserver");
    assert_eq!((check.rise, check.fall, check.counter), (2, 10, Counter::Script { init_fail: false }));
    let three = Duration::from_secs(3);
    assert_eq!((check.schedule.interval, check.schedule.timeout), (three, three));
    let Probe::Script { command, broken } = &*check.probe else { panic!("{:?}", check.probe) };
    assert_eq!((&*command.argv, broken), (&[SCRIPT.to_string()][..], &None));

    let one = config.instances.values().next().unwrap();
    assert_eq!((&*one.name, &*one.router.interface, one.router.vrid), ("VI_1", "eth0", 51));
    assert_eq!((one.router.version, one.router.family), (Version::V2, Family::V4));
    assert_eq!((one.election.priority, one.election.wish_master), (priority, master));
    assert_eq!((one.election.interval, one.election.down_adverts), (Duration::from_secs(1), 3));
    assert!(one.election.preempt && one.election.last_advert && !one.election.lower_no_advert);
    assert_eq!(one.transport.to, Destination::Multicast("224.0.0.18".parse().unwrap()));
    assert_eq!((one.transport.hops, one.transport.source), (255, None));
    assert_eq!(one.authentication, Authentication::Pass(*b"42\0\0\0\0\0\0"));
    assert_eq!(one.addresses.len(), 1);
    assert_eq!(one.addresses[0].address, "192.0.2.100/32".parse().unwrap());
    assert_eq!(&*one.addresses[0].interface, "eth0");
    assert!(one.addresses[0].advertised && one.addresses[0].tracked);
    assert_eq!((one.announce.repeat, one.announce.delay), (5, Duration::from_secs(5)));
    assert_eq!(one.announce.refresh, Duration::from_secs(60));
    let trackers: Vec<_> = one.trackers.iter().map(|t| (t.what.clone(), t.weight, t.reverse)).collect();
    assert_eq!(
        trackers,
        [(Tracked::Interface("eth0".into()), 0, false), (Tracked::Check(check.id), -2, false)]
    );
    assert_eq!(one.notify, NotifyConfig::default());
    config
}

#[test]
fn the_classic_guide_loads_with_its_exact_meaning() {
    assert_guide(include_bytes!("../../tests/guide/classic/cp1/keepalived.conf"), true, 101);
    assert_guide(include_bytes!("../../tests/guide/classic/cp2/keepalived.conf"), false, 100);
    assert_guide(include_bytes!("../../tests/guide/classic/cp3/keepalived.conf"), false, 100);
}

#[test]
fn the_current_guide_loads_with_its_exact_meaning() {
    assert_guide(include_bytes!("../../tests/guide/current/cp1/keepalived.conf"), true, 101);
    assert_guide(include_bytes!("../../tests/guide/current/cp2/keepalived.conf"), false, 100);
    assert_guide(include_bytes!("../../tests/guide/current/cp3/keepalived.conf"), false, 100);
}

#[test]
fn the_guides_traps_are_said_as_warnings_and_notes() {
    let found = loaded(include_bytes!("../../tests/guide/current/cp1/keepalived.conf")).findings;
    let codes: Vec<(u16, Severity)> = found.list().iter().map(|f| (f.code.0, f.severity)).collect();
    for wanted in [
        (1301, Severity::Warning),
        (1203, Severity::Warning),
        (1302, Severity::Note),
        (1303, Severity::Note),
        (1304, Severity::Note),
    ] {
        assert!(codes.contains(&wanted), "{wanted:?} in {codes:?}");
    }
}

#[test]
fn a_missing_check_script_is_a_failing_check() {
    let mut source = MemorySource::with("k", include_bytes!("../../tests/guide/current/cp1/keepalived.conf"));
    source.scripts.insert(SCRIPT.to_string(), ScriptState::Missing);
    let loaded = load(&[(Language::Keepalived, "k")], &source, None, &Options::default());
    assert!(loaded.findings.list().iter().any(|f| f.code.0 == 1201 && f.severity == Severity::Warning));
    let config = loaded.config.unwrap();
    let Probe::Script { broken, .. } = &*config.checks.values().next().unwrap().probe else { panic!() };
    assert!(broken.as_ref().unwrap().contains(SCRIPT));
}

#[test]
fn ids_stay_over_a_reload() {
    let text = include_str!("../../tests/guide/current/cp1/keepalived.conf");
    let first = loaded(text.as_bytes()).config.unwrap();
    let more = format!("vrrp_script other {{\n script /bin/true\n}}\n{text}");
    let source = MemorySource::with("k", more.as_bytes());
    let second =
        load(&[(Language::Keepalived, "k")], &source, Some(&first), &Options::default()).config.unwrap();
    assert_eq!(first.instances.keys().collect::<Vec<_>>(), second.instances.keys().collect::<Vec<_>>());
    assert_eq!(first.checks.keys().collect::<Vec<_>>(), second.checks.keys().collect::<Vec<_>>());
}
