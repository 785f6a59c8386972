use super::*;
use standfast_core::config::talk::{Said, pattern};

fn octets(text: &str, negated: bool, least: Option<u32>) -> Answer {
    Answer { what: Wanted::Octets(Said::new(text.as_bytes())), negated, least }
}

/// `ok`, `more`, or the code of the failure.
fn word(judgement: &Judgement) -> String {
    match judgement {
        Good { status, info } => format!("ok {} {info}", status.unwrap_or(0)),
        More => "more".to_owned(),
        Bad(failure) => format!("{} {} {}", failure.code.as_str(), failure.status.unwrap_or(0), failure.info),
    }
}

fn reply(reply: Reply, got: &[u8], more: bool) -> String {
    let answer = Answer { what: Wanted::Reply(reply), negated: false, least: None };
    word(&judge(&answer, None, got, more))
}

#[test]
fn what_is_not_there_may_still_come_unless_a_minimum_is_given() {
    for (negated, least, got, more, verdict) in [
        (false, None, "abc", true, "ok 0 "),
        (false, None, "ab", true, "more"),
        (false, None, "ab", false, "L7RSP 0 did not match content"),
        (false, None, "", false, "L7RSP 0 got an empty response"),
        (false, Some(2), "ab", true, "L7RSP 0 did not match content"),
        (false, Some(3), "ab", true, "more"),
        (true, None, "ab", true, "more"),
        (true, None, "ab", false, "ok 0 "),
        (true, Some(2), "ab", true, "ok 0 "),
        (true, None, "xabcx", true, "L7RSP 0 matched unwanted content"),
    ] {
        let said = word(&judge(&octets("abc", negated, least), None, got.as_bytes(), more));
        assert_eq!(said, verdict, "{negated} {least:?} {got} {more}");
    }
}

#[test]
fn patterns_look_at_octets_or_at_their_digits() {
    let compiled = pattern("^role:(master|active)").unwrap();
    let answer = |what| Answer { what, negated: false, least: None };
    let text = answer(Wanted::Pattern(String::new()));
    assert_eq!(word(&judge(&text, Some(&compiled), b"role:active\r\n\xff", true)), "ok 0 ");
    assert_eq!(word(&judge(&text, Some(&compiled), b"role:slave", true)), "more");
    let hex = answer(Wanted::HexPattern(String::new()));
    let compiled = pattern("^0[aA]FF$").unwrap();
    assert_eq!(word(&judge(&hex, Some(&compiled), &[0x0a, 0xff], true)), "ok 0 ");
}

#[test]
fn redis_and_smtp_speak_in_lines() {
    assert_eq!(reply(Reply::Pong, b"+PONG\r\n", true), "ok 0 Redis server is ok");
    assert_eq!(reply(Reply::Pong, b"+PON", true), "more");
    assert_eq!(
        reply(Reply::Pong, b"-NOAUTH Authentication required.\r\n", true),
        "L7STS 0 -NOAUTH Authentication required."
    );
    assert_eq!(reply(Reply::Smtp, b"220 here\r\n", true), "ok 220 here");
    assert_eq!(reply(Reply::Smtp, b"250-here\r\n250-SIZE\r\n", true), "more");
    assert_eq!(reply(Reply::Smtp, b"250-here\r\n250 SIZE\r\n", true), "ok 250 here");
    assert_eq!(reply(Reply::Smtp, b"554 no\r\n", true), "L7STS 554 no");
    assert_eq!(reply(Reply::Smtp, b"hello\r\n", true), "L7RSP 0 hello");
    assert_eq!(reply(Reply::Smtp, b"22", false), "L7RSP 0 the answer is incomplete");
}

#[test]
fn mysql_s_error_packets_are_bad_and_all_else_is_good() {
    let packet =
        |number: u8, body: &[u8]| [&[u8::try_from(body.len()).unwrap(), 0, 0, number], body].concat();
    assert_eq!(reply(Reply::MysqlGreeting, &packet(0, b"\x0a5.5.5-10.11\0rest"), true), "ok 0 5.5.5-10.11");
    assert_eq!(reply(Reply::MysqlGreeting, &packet(0, b"\x0a5.5")[..6], true), "more");
    let blocked = packet(0, b"\xff\x69\x04Host is blocked");
    assert_eq!(reply(Reply::MysqlGreeting, &blocked, true), "L7STS 1129 Host is blocked");
    let denied = packet(2, b"\xff\x15\x04#28000Access denied");
    assert_eq!(reply(Reply::MysqlLogin, &denied, true), "L7STS 1045 Access denied");
    assert_eq!(reply(Reply::MysqlLogin, &packet(2, &[0, 0, 0, 2, 0]), true), "ok 0 MySQL server is ok");
    assert_eq!(reply(Reply::MysqlGreeting, b"HTTP/1.0 400", true), "L7RSP 0 the answer is not MySQL");
}

#[test]
fn postgresql_asks_for_authentication_or_complains() {
    let asks = |kind: u8| [&b"R\0\0\0\x08\0\0\0"[..], &[kind]].concat();
    for kind in [0, 2, 3, 4, 5, 6, 10] {
        assert_eq!(reply(Reply::Pgsql, &asks(kind), true), "ok 0 PostgreSQL server is ok", "{kind}");
    }
    assert_eq!(reply(Reply::Pgsql, &asks(1), true), "L7RSP 0 PostgreSQL unknown error");
    let body = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0";
    let error = [b"E", &u32::try_from(body.len() + 4).unwrap().to_be_bytes()[..], body].concat();
    assert_eq!(reply(Reply::Pgsql, &error, true), "L7RSP 0 the database system is starting up");
    assert_eq!(reply(Reply::Pgsql, &error[..20], true), "more");
    assert_eq!(reply(Reply::Pgsql, b"R\0\0", false), "L7RSP 0 the answer is incomplete");
}

#[test]
fn ldap_s_result_code_decides() {
    let bound = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0];
    assert_eq!(reply(Reply::Ldap, &bound, true), "ok 0 Success");
    assert_eq!(reply(Reply::Ldap, &bound[..9], true), "more");
    let long = [0x30, 0x84, 0, 0, 0, 0x10, 2, 1, 1, 0x61, 0x84, 0, 0, 0, 7, 0x0a, 1, 53, 4, 0, 4, 0];
    assert!(reply(Reply::Ldap, &long, true).starts_with("L7STS 53"));
    assert_eq!(reply(Reply::Ldap, b"HTTP/1.0", true), "L7RSP 0 Not LDAPv3 protocol");
    assert_eq!(reply(Reply::Ldap, &[0x30, 0x85, 0], true), "L7RSP 0 Not LDAPv3 protocol");
}
