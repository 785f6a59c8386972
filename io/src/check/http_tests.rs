//! Requests to the byte, answers by table.

use super::*;
use std::time::Duration;

fn probe(expect: Expect) -> HttpProbe {
    HttpProbe {
        to: ([127, 0, 0, 1], 6443).into(),
        connect: Duration::from_secs(1),
        tls: None,
        method: "GET".into(),
        uri: "/healthz".into(),
        version: "HTTP/1.0".into(),
        headers: Vec::new(),
        body: String::new(),
        expect,
    }
}

/// Code and status of an answer that ends after `answer`, or `None` when more is needed and `more` may come.
fn judged(answer: &[u8], more: bool, expect: &Expect) -> Option<(CheckCode, Option<u32>)> {
    match judge(answer, more, expect) {
        Step::More => None,
        Step::Done(Ok(passed)) => Some((passed.code, passed.status)),
        Step::Done(Err(failure)) => Some((failure.code, failure.status)),
    }
}

fn body(text: &str, negated: bool) -> Expect {
    Expect::Body { text: text.into(), negated }
}

#[test]
fn the_guide_s_request_has_no_header_at_all() {
    assert_eq!(request(&probe(Expect::Default)), b"GET /healthz HTTP/1.0\r\n\r\n");
}

#[test]
fn a_request_with_everything_is_haproxy_s_to_the_byte() {
    let mut full = probe(Expect::Default);
    full.method = "POST".into();
    full.uri = "/x".into();
    full.version = "HTTP/1.1".into();
    full.headers = vec![("Host".into(), "Foo".into()), ("X-AbC".into(), "D".into())];
    full.body = "hello".into();
    let wanted =
        "POST /x HTTP/1.1\r\nhost: Foo\r\nx-abc: D\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    assert_eq!(String::from_utf8(request(&full)).unwrap(), wanted);
}

#[test]
fn the_status_decides_as_haproxy_says() {
    let ok = |s| Some((CheckCode::L7Ok, Some(s)));
    let bad = |s| Some((CheckCode::L7Status, Some(s)));
    let default = Expect::Default;
    let only = |negated| Expect::Status { ranges: vec![(200, 200), (300, 399)], negated };
    let table = [
        ("HTTP/1.1 200 OK\r\n\r\n", &default, ok(200)),
        ("HTTP/1.1 399 x\r\n\r\n", &default, ok(399)),
        ("HTTP/1.1 400 x\r\n\r\n", &default, bad(400)),
        ("HTTP/1.1 199 x\r\n\r\n", &default, bad(199)),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", &default, bad(100)),
        ("HTTP/1.0 500 Oh no\r\n\r\n", &default, bad(500)),
        ("HTTP/1.1 200\r\n\r\n", &default, ok(200)),
        ("HTTP/1.1 200 OK\n\n", &default, ok(200)),
        ("HTTP/1.1 201 x\r\n\r\n", &only(false), bad(201)),
        ("HTTP/1.1 399 x\r\n\r\n", &only(false), ok(399)),
        ("HTTP/1.1 200 x\r\n\r\n", &only(true), bad(200)),
        ("HTTP/1.1 201 x\r\n\r\n", &only(true), ok(201)),
    ];
    for (answer, expect, want) in table {
        assert_eq!(judged(answer.as_bytes(), false, expect), want, "{answer:?}");
        assert_eq!(judged(answer.as_bytes(), true, expect), want, "{answer:?}: the head is enough");
    }
}

#[test]
fn what_is_no_http_is_said_at_once_or_when_it_ends() {
    let no = Some((CheckCode::L7Response, None));
    let default = Expect::Default;
    assert_eq!(judged(b"SSH-2.0-x\r\n", true, &default), no);
    assert_eq!(judged(b"\x15\x03\x01", true, &default), no);
    assert_eq!(judged(b"HTTP/1.1 2000 x\r\n\r\n", true, &default), no);
    assert_eq!(judged(b"HTTP/1.1 20\r\n\r\n", true, &default), no);
    assert_eq!(judged(b"HTTP/1.1 200 OK\r\nA: b\r\n", true, &default), None);
    assert_eq!(judged(b"HTTP/1.1 200 OK\r\nA: b\r\n", false, &default), no);
    assert_eq!(judged(b"", true, &default), None);
    assert_eq!(judged(b"", false, &default), no);
    assert_eq!(judged(b"\r\n\r\n", false, &default), no);
}

#[test]
fn a_body_is_searched_as_far_as_its_length_goes() {
    let ok = Some((CheckCode::L7Ok, Some(200)));
    let bad = Some((CheckCode::L7Response, Some(200)));
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    let answer = |body: &str| format!("{head}{body}").into_bytes();
    assert_eq!(judged(&answer("rea"), true, &body("ready", false)), None);
    assert_eq!(judged(&answer("ready"), true, &body("ready", false)), ok);
    assert_eq!(judged(&answer("ready!"), true, &body("!", false)), bad, "beyond the length");
    assert_eq!(judged(&answer("rea"), true, &body("no", true)), None, "it may still come");
    assert_eq!(judged(&answer("ready"), true, &body("no", true)), ok);
    assert_eq!(judged(&answer("ready"), true, &body("ea", true)), bad);
    assert_eq!(judged(b"HTTP/1.1 200 OK\r\n\r\nready", false, &body("ready", false)), ok);
    assert_eq!(judged(b"HTTP/1.1 200 OK\r\n\r\nrea", false, &body("ready", false)), bad);
}

#[test]
fn chunk_marks_are_no_part_of_a_body() {
    let ok = Some((CheckCode::L7Ok, Some(200)));
    let bad = Some((CheckCode::L7Response, Some(200)));
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = |body: &str| format!("{head}{body}").into_bytes();
    let whole = answer("2\r\nre\r\n3;x=y\r\nady\r\n0\r\n\r\n");
    assert_eq!(judged(&whole, true, &body("ready", false)), ok);
    assert_eq!(judged(&whole, true, &body("\r\n", false)), bad);
    for n in head.len()..whole.len() - 1 {
        let seen = judged(&whole[..n], true, &body("never", true));
        assert!(seen.is_none() || seen == ok, "{n}");
    }
    assert_eq!(judged(&answer("zz\r\nready"), true, &body("ready", false)), bad);
    assert_eq!(judged(&answer("ffffffffffffffff\r\nready"), false, &body("ready", false)), ok);
}
