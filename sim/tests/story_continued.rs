//! A recording goes on as a story: as recorded while nothing happens, and as expected when something does.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::fault::Fault;
use sim::des::scenario::{self, Scenario};
use sim::des::timeline::{Kind, Line, Timeline, Who};
use sim::flight::kept;
use sim::story::builtin;
use sim::story::continued::{Continued, Wanted};
use sim::story::verdict::words;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::Config;
use standfast_core::config::source::MemorySource;
use standfast_core::record::Moment;
use standfast_core::time::Time;
use std::time::Duration;

const KEEPALIVED: &str = "vrrp_script check {\n script /bin/check\n interval 1\n fall 2\n rise 2\n weight -20\n}\n\
    vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n priority PRIORITY\n unicast_src_ip 192.0.2.SELF\n \
    unicast_peer {\n PEERS\n }\n virtual_ipaddress {\n 192.0.2.100\n }\n track_script {\n check\n }\n}\n";
const HAPROXY: &str = "defaults\n mode tcp\n timeout connect 1s\n timeout client 60s\n timeout server 60s\n\
    frontend f\n bind *:8443\n default_backend b\nbackend b\n server n1 192.0.2.11:6443 check\n \
    server n2 192.0.2.12:6443 check\n server n3 192.0.2.13:6443 check\n";

fn cluster() -> Vec<(String, Config)> {
    let node = |nth: usize| {
        let peers: Vec<String> =
            (1..=3).filter(|peer| *peer != nth).map(|peer| format!("192.0.2.1{peer}")).collect();
        let text = KEEPALIVED
            .replace("PRIORITY", ["", "101", "100", "99"][nth])
            .replace("SELF", &format!("1{nth}"))
            .replace("PEERS", &peers.join("\n "));
        let mut source = MemorySource::with("keepalived.conf", text.as_bytes());
        source.files.insert("haproxy.cfg".into(), HAPROXY.into());
        let files = [(Language::Keepalived, "keepalived.conf"), (Language::Haproxy, "haproxy.cfg")];
        let loaded = load(&files, &source, None, &Options::default());
        (format!("n{nth}"), loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings)))
    };
    (1..=3).map(node).collect()
}

/// The recordings of the three nodes over 60 s in which this happens.
fn recordings(scenario: &Scenario) -> Vec<Vec<u8>> {
    let (_, recordings) = kept(|| scenario::run(&cluster(), scenario));
    recordings
}

fn quiet() -> Scenario {
    Scenario::new("quiet", Duration::from_secs(60))
}

const END: Wanted<'_> = Wanted { beyond: None, words: &|moment: Moment| format!("{}", moment.time) };

fn after(continued: &Continued, timeline: &Timeline) -> Vec<(Kind, Who, String)> {
    let told = |line: &&Line| line.at > continued.begins() && matches!(line.kind, Kind::Role | Kind::Holder);
    timeline.lines.iter().filter(told).map(|line| (line.kind, line.who, timeline.said(line))).collect()
}

#[test]
fn without_a_fault_it_goes_on_as_it_was_for_the_active_node_and_for_a_backup() {
    let recordings = recordings(&quiet());
    assert_eq!(recordings.len(), 3);
    for (nth, role) in ["MASTER", "BACKUP", "BACKUP"].into_iter().enumerate() {
        let continued = Continued::read(&recordings[nth], END).unwrap();
        assert_eq!(
            continued.nodes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["n1", "n2", "n3"]
        );
        let said = format!("n{} is then {role} of VI_1 with priority {}", nth + 1, 101 - nth);
        assert!(continued.assumed.iter().any(|line| line.starts_with(&said)), "{:#?}", continued.assumed);
        let scenario = continued.own(quiet());
        let timeline = continued.run(&scenario);
        assert!(after(&continued, &timeline).is_empty(), "{}", timeline.to_text());
        assert!(timeline.first_served(timeline.targets()[0]).is_some(), "{}", timeline.to_text());
        assert!(timeline.outages.is_empty() && timeline.open.is_empty(), "{}", timeline.to_text());
        assert_eq!(words(&scenario, &timeline), "quiet: clients noticed nothing");
    }
}

#[test]
fn the_numbers_of_its_interfaces_are_those_that_it_was_told() {
    for at in [20, 50] {
        let renumbered = quiet().at(at, Fault::Renumber { host: 0 });
        let continued = Continued::read(&recordings(&renumbered)[0], END).unwrap();
        let timeline = continued.run(&continued.own(quiet()));
        let roles = after(&continued, &timeline);
        assert!(roles.is_empty(), "{}", timeline.to_text());
        assert!(timeline.first_served(timeline.targets()[0]).is_some(), "{}", timeline.to_text());
    }
}

#[test]
fn a_backup_takes_over_when_the_active_peer_would_have_lost_power_there() {
    let continued = Continued::read(&recordings(&quiet())[1], END).unwrap();
    let scenario = builtin::build("power-loss", &continued.nodes).unwrap().unwrap();
    let scenario = continued.builtin(scenario);
    let timeline = continued.run(&scenario);
    let said = words(&scenario, &timeline);
    assert!(
        said.starts_with("power loss of n1: clients without answer for ") && said.contains("n2 took over"),
        "{said}"
    );
    let first = after(&continued, &timeline).into_iter().find(|(kind, _, _)| *kind == Kind::Role).unwrap();
    assert_eq!(first.1, Who::Node(1), "{first:?}");
    let outage = timeline.longest_outage(continued.begins(), Time(u64::MAX)).unwrap().lasted();
    assert!(outage > Duration::from_millis(2_600) && outage < Duration::from_millis(3_700), "{outage:?}");
}

#[test]
fn the_active_node_gives_up_when_its_link_would_have_died_there() {
    let continued = Continued::read(&recordings(&quiet())[0], END).unwrap();
    let quarter = Duration::from_secs(15);
    let mut scenario = Scenario::new("cut", quarter * 2);
    scenario = scenario.at(0, Fault::LinkDown { host: continued.host, lasts: quarter });
    let timeline = continued.run(&continued.own(scenario));
    let roles: Vec<String> = after(&continued, &timeline)
        .into_iter()
        .filter(|(kind, who, _)| *kind == Kind::Role && *who == Who::Node(0))
        .map(|(_, _, said)| said)
        .collect();
    assert!(
        roles[0].contains("MASTER -> FAULT") && roles.last().unwrap().contains("-> MASTER"),
        "{roles:#?}"
    );
    assert!(timeline.open.is_empty(), "{}", timeline.to_text());
}

#[test]
fn what_failed_when_the_recording_ended_goes_on_failing() {
    let failing = quiet().at(40, Fault::ScriptFails { host: 0, lasts: Duration::from_secs(100) });
    let continued = Continued::read(&recordings(&failing)[0], END).unwrap();
    let said = continued.assumed.join("\n");
    assert!(
        said.contains("n1 is then BACKUP of VI_1 with priority 81, and hears 192.0.2.12 with priority 100"),
        "{said}"
    );
    assert!(said.contains("the check scripts of n1 fail, as they did last"), "{said}");
    let timeline = continued.run(&continued.own(quiet()));
    assert!(after(&continued, &timeline).is_empty(), "{}", timeline.to_text());
}

#[test]
fn an_earlier_moment_is_reached_and_one_beyond_the_end_is_refused() {
    let recording = &recordings(&quiet())[0];
    let at = |seconds: u64| {
        move |begins: Moment, at: Moment| at.time.since(begins.time) > Duration::from_secs(seconds)
    };
    let (early, late) = (at(1), at(61));
    let wanted = |beyond| Wanted { beyond: Some(beyond), words: END.words };
    let continued = Continued::read(recording, wanted(&early)).unwrap();
    let said = continued.assumed.join("\n");
    assert!(said.contains("n1 is then BACKUP of VI_1"), "it has not taken over yet: {said}");
    let error = Continued::read(recording, wanted(&late)).unwrap_err();
    assert!(
        error.contains("59 s after its beginning: --at lies beyond") || error.contains("60 s after"),
        "{error}"
    );
}

#[test]
fn a_recording_that_is_cut_goes_on_from_the_cut_and_what_is_none_is_refused() {
    let recording = &recordings(&quiet())[0];
    let used = recording.iter().rposition(|byte| *byte != 0).unwrap();
    let continued = Continued::read(&recording[..used / 2], END).unwrap();
    assert!(
        continued.assumed.join("\n").contains("the recording is damaged at byte"),
        "{:#?}",
        continued.assumed
    );
    assert!(!continued.run(&continued.own(quiet())).lines.is_empty());

    for (bytes, wanted) in
        [(&b"hello"[..], "not a flight recording"), (&recording[..4_200], "nothing of the recording")]
    {
        let error = Continued::read(bytes, END).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
    let mut other = recording.clone();
    other[8] = 99; // the version, which the checksum covers
    assert!(Continued::read(&other, END).unwrap_err().contains("header is damaged"));
}
