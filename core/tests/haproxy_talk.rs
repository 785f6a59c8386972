//! The conversations that `tcp-check` rules and the checks of protocols come to, to the byte.

use standfast_core::config::finding::Findings;
use standfast_core::config::haproxy;
use standfast_core::config::load::Options;
use standfast_core::config::model::{CheckConfig, Config, Probe};
use standfast_core::config::source::MemorySource;
use standfast_core::config::talk::{MAX_STEPS, Step, Talk, Wanted};
use std::time::Duration;

fn read(own: &str, server: &str) -> (Vec<CheckConfig>, String) {
    let text = format!(
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n timeout check 3s\nlisten l\n bind 192.0.2.1:81\n{own}\n server s 192.0.2.9:8000 check inter 4s {server}\n"
    );
    let (mut config, mut findings) = (Config::default(), Findings::default());
    let source = MemorySource::with("haproxy.cfg", text.as_bytes());
    haproxy::read("haproxy.cfg", &source, &mut config, &mut findings, &Options::default());
    let said: Vec<String> = findings.list().iter().map(ToString::to_string).collect();
    (config.checks.values().map(|check| (**check).clone()).collect(), said.join("\n"))
}

fn talk(own: &str) -> Talk {
    let (checks, said) = read(own, "");
    match checks.first().map(|check| (*check.probe).clone()) {
        Some(Probe::Talk(talk)) => talk,
        other => panic!("{own}: {other:?}\n{said}"),
    }
}

/// A step in a word or two.
fn shown(talk: &Talk) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::Connect(dial) => format!("connect {}", dial.to),
        Step::Send(said) => {
            format!("send {}", said.text().unwrap_or_else(|| said.hex().to_owned()).escape_debug())
        }
        Step::Expect(answer) => {
            let not = if answer.negated { "! " } else { "" };
            let what = match &answer.what {
                Wanted::Octets(said) => said.text().unwrap_or_else(|| said.hex().to_owned()),
                Wanted::Pattern(text) => format!("~{text}"),
                Wanted::HexPattern(text) => format!("~x{text}"),
                Wanted::Reply(reply) => format!("{reply:?}"),
            };
            format!("expect {not}{what}")
        }
    };
    [format!("connect {}", talk.first.to)].into_iter().chain(talk.steps.iter().map(step)).collect()
}

#[test]
fn rules_become_steps_and_a_missing_connect_is_put_first() {
    let rules = "option tcp-check\n tcp-check send PING\\r\\n\n tcp-check expect string +PONG\n tcp-check send info\\ replication\\r\\n\n tcp-check expect ! rstring ^role:slave\n tcp-check connect port 26379\n tcp-check send-binary 0aff\n tcp-check expect min-recv 3 rbinary ^0A";
    assert_eq!(
        shown(&talk(rules)),
        [
            "connect 192.0.2.9:8000",
            "send PING\\r\\n",
            "expect +PONG",
            "send info replication\\r\\n",
            "expect ! ~^role:slave",
            "connect 192.0.2.9:26379",
            "send 0aff",
            "expect ~x^0A"
        ]
    );
}

#[test]
fn a_lone_connect_stays_the_plain_check_it_was() {
    let (checks, _) = read("option tcp-check\n tcp-check connect port 9", "");
    assert!(matches!(&*checks[0].probe, Probe::Tcp { to, .. } if to.port() == 9));
}

#[test]
fn checks_of_protocols_say_what_haproxy_says() {
    for (option, steps) in [
        ("redis-check", vec!["send *1\\r\\n$4\\r\\nPING\\r\\n", "expect Pong"]),
        ("ldap-check", vec!["send 300c020101600702010304008000", "expect Ldap"]),
        ("mysql-check", vec!["expect MysqlGreeting"]),
        (
            "mysql-check user ha",
            vec![
                "expect MysqlGreeting",
                "send 240000010082000000800001210000000000000000000000000000000000000000000000686100000100000001",
                "expect MysqlLogin",
            ],
        ),
        (
            "mysql-check user ha pre-41",
            vec!["expect MysqlGreeting", "send 090000010080000001686100000100000001", "expect MysqlLogin"],
        ),
        ("pgsql-check user ha", vec!["send 0000001100030000757365720068610000", "expect Pgsql"]),
        (
            "smtpchk EHLO me",
            vec!["expect Smtp", "send EHLO me\\r\\n", "expect Smtp", "send QUIT\\r\\n", "expect Smtp"],
        ),
        (
            "smtpchk",
            vec!["expect Smtp", "send HELO localhost\\r\\n", "expect Smtp", "send QUIT\\r\\n", "expect Smtp"],
        ),
    ] {
        let all = shown(&talk(&format!("option {option}")));
        assert_eq!(all[1..], steps, "{option}");
    }
}

#[test]
fn the_time_for_answers_begins_anew_with_each_connect() {
    let rules =
        "option tcp-check\n tcp-check connect\n tcp-check send a\n tcp-check connect\n tcp-check send b";
    let (checks, _) = read(rules, "");
    assert_eq!(checks[0].schedule.timeout, Duration::from_secs(2 * (4 + 3)));
}

#[test]
fn one_step_too_many_is_refused() {
    let rules = |n: usize| format!("option tcp-check\n{}", " tcp-check send a\n".repeat(n));
    assert_eq!(talk(&rules(MAX_STEPS)).steps.len(), MAX_STEPS);
    let (_, said) = read(&rules(MAX_STEPS + 1), "");
    assert!(said.contains("more than 64 rules in one check"), "{said}");
}

#[test]
fn octets_beyond_the_limit_are_refused() {
    let rules = |n: usize| {
        format!("option tcp-check\n{}", format!(" tcp-check send {}\n", "a".repeat(1024)).repeat(n))
    };
    assert_eq!(talk(&rules(16)).octets(), 16_384);
    let (_, said) = read(&format!("{} tcp-check send b\n", rules(16)), "");
    assert!(said.contains("send and expect more than 16384 bytes"), "{said}");
}
