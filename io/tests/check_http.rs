//! HTTP checks against servers that answer, answer wrongly, dawdle, or never stop.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use standfast_core::config::model::{Expect, HttpProbe, Probe};
use standfast_core::input::{CheckCode, Outcome};
use standfast_io::check::http::MAX_ANSWER;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::{SECOND, authority, healthz, nobody, probe, server, trusting};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

async fn ask(http: HttpProbe) -> Outcome {
    probe(Probe::Http(http), Duration::from_millis(500)).await
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        got.push(byte[0]);
    }
    got
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Arc<Vec<u8>>, hold: bool) {
    read_request(&mut stream).await;
    let _ = stream.write_all(&answer).await;
    if hold {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let _ = stream.shutdown().await;
}

async fn answering(answer: impl Into<Vec<u8>>, hold: bool) -> SocketAddr {
    let answer = Arc::new(answer.into());
    server(move |stream| serve(stream, answer.clone(), hold)).await
}

fn is(outcome: &Outcome, code: CheckCode, status: Option<u32>) {
    assert_eq!((outcome.code, outcome.status), (code, status), "{}", outcome.info);
    assert_eq!(outcome.passed, code == CheckCode::L7Ok);
}

#[tokio::test]
async fn healthz_200_is_good_and_500_is_not() {
    let ok = ask(healthz(answering("HTTP/1.0 200 OK\r\n\r\nok", false).await)).await;
    is(&ok, CheckCode::L7Ok, Some(200));
    let bad = ask(healthz(answering("HTTP/1.0 500 Oh no\r\n\r\n", false).await)).await;
    is(&bad, CheckCode::L7Status, Some(500));
    assert_eq!(bad.info, "Oh no");
}

#[tokio::test]
async fn the_guide_s_current_check_asks_healthz_over_tls() {
    let acceptor = TlsAcceptor::from(authority("localhost").server);
    let (tell, mut told) = mpsc::unbounded_channel();
    let at = server(move |stream| {
        let (acceptor, tell) = (acceptor.clone(), tell.clone());
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            tell.send(read_request(&mut stream).await).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            stream.flush().await.unwrap();
            // No farewell: the connection just goes.
        }
    })
    .await;
    let tls = Some(trusting());
    let expect = Expect::Status { ranges: vec![(200, 200)], negated: false };
    is(&ask(HttpProbe { tls, expect, ..healthz(at) }).await, CheckCode::L7Ok, Some(200));
    assert_eq!(told.recv().await.unwrap(), b"GET /healthz HTTP/1.0\r\n\r\n");
}

#[tokio::test]
async fn a_body_over_tls_that_ends_without_a_farewell_is_still_searched() {
    let acceptor = TlsAcceptor::from(authority("localhost").server);
    let at = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nall is well").await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    let expect = Expect::Body { text: "not there".into(), negated: true };
    is(&ask(HttpProbe { tls: Some(trusting()), expect, ..healthz(at) }).await, CheckCode::L7Ok, Some(200));
}

#[tokio::test]
async fn plain_http_against_a_tls_port_is_no_http() {
    let acceptor = TlsAcceptor::from(authority("localhost").server);
    let at = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Err((_, mut stream)) = acceptor.accept(stream).into_fallible().await {
                let _ = stream.shutdown().await;
            }
        }
    })
    .await;
    is(&ask(healthz(at)).await, CheckCode::L7Response, None);
}

#[tokio::test]
async fn silence_is_a_timeout_and_so_is_a_head_that_does_not_end() {
    is(&ask(healthz(answering("", true).await)).await, CheckCode::L7Timeout, None);
    let half = "HTTP/1.0 200 OK\r\nserver: x\r\n";
    is(&ask(healthz(answering(half, true).await)).await, CheckCode::L7Timeout, None);
    is(&ask(healthz(answering(half, false).await)).await, CheckCode::L7Response, None);
}

#[tokio::test]
async fn an_end_without_a_byte_is_a_wrong_answer() {
    let outcome = ask(healthz(answering("", false).await)).await;
    is(&outcome, CheckCode::L7Response, None);
    assert_eq!(outcome.info, "empty response");
}

#[tokio::test]
async fn a_trickle_does_not_outlast_the_check() {
    let at = server(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        for byte in b"HTTP/1.0 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let outcome = ask(healthz(at)).await;
    is(&outcome, CheckCode::L7Timeout, None);
    assert!(outcome.took < SECOND, "{:?}", outcome.took);
}

#[tokio::test]
async fn a_reset_is_a_socket_error_as_haproxy_says() {
    let at = server(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    let outcome = ask(healthz(at)).await;
    is(&outcome, CheckCode::SocketError, None);
    assert_eq!(outcome.info, "Connection reset by peer");
}

#[tokio::test]
async fn headers_without_end_are_read_up_to_the_limit_only() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let at = server(move |mut stream: TcpStream| {
        let tell = tell.clone();
        async move {
            read_request(&mut stream).await;
            let mut sent = 0_u64;
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n").await;
            while stream.write_all(&b"x-y: zzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n".repeat(256)).await.is_ok() {
                sent += 1;
            }
            tell.send(sent).unwrap();
        }
    })
    .await;
    is(&ask(healthz(at)).await, CheckCode::L7Response, None);
    assert!(told.recv().await.is_some(), "the server was cut off");
}

/// A head of exactly `length` bytes.
fn head(length: usize) -> String {
    let (start, end) = ("HTTP/1.0 200 OK\r\nx: ", "\r\n\r\n");
    format!("{start}{}{end}", "y".repeat(length - start.len() - end.len()))
}

#[tokio::test]
async fn the_largest_head_fits_and_one_byte_more_does_not() {
    let fits = ask(healthz(answering(head(MAX_ANSWER), true).await)).await;
    is(&fits, CheckCode::L7Ok, Some(200));
    let more = ask(healthz(answering(head(MAX_ANSWER + 1), true).await)).await;
    is(&more, CheckCode::L7Response, None);
}

#[tokio::test]
async fn a_body_is_searched_up_to_the_limit() {
    let head = "HTTP/1.0 200 OK\r\n\r\n";
    let room = MAX_ANSWER - head.len();
    for (before, code) in [(room - 5, CheckCode::L7Ok), (room - 4, CheckCode::L7Response)] {
        let answer = format!("{head}{}ready{}", ".".repeat(before), ".".repeat(50_000));
        let expect = Expect::Body { text: "ready".into(), negated: false };
        let outcome = ask(HttpProbe { expect, ..healthz(answering(answer, true).await) }).await;
        assert_eq!(outcome.code, code, "{}", outcome.info);
    }
}

#[tokio::test]
async fn a_banner_of_gigabytes_is_refused_at_its_first_bytes() {
    let at =
        server(
            |mut stream: TcpStream| async move { while stream.write_all(&[b'S'; 65_536]).await.is_ok() {} },
        )
        .await;
    let outcome = ask(healthz(at)).await;
    is(&outcome, CheckCode::L7Response, None);
    assert!(outcome.took < Duration::from_millis(400), "{:?}", outcome.took);
}

#[tokio::test]
async fn a_refused_connection_is_layer_four() {
    is(&ask(healthz(nobody().await)).await, CheckCode::L4Connection, None);
}
