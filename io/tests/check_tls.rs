//! TLS checks: whom they believe, and what they make of peers that do not finish.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use rustls::server::Acceptor;
use standfast_core::config::model::{Probe, TlsProbe};
use standfast_core::input::{CheckCode, Outcome};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::{SECOND, authority, nobody, probe, server, trusting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::LazyConfigAcceptor;

async fn check(to: SocketAddr, tls: TlsProbe) -> Outcome {
    probe(Probe::Tls { to, connect: SECOND, tls }, Duration::from_millis(500)).await
}

/// SNI and protocols of a ClientHello.
type Offer = (Option<String>, Vec<Vec<u8>>);

/// A TLS server; tells what each client offers (at its hello: the check's reset may come before the end of accept).
async fn tls_server(config: Arc<rustls::ServerConfig>) -> (SocketAddr, mpsc::UnboundedReceiver<Offer>) {
    let (tell, told) = mpsc::unbounded_channel();
    let at = server(move |stream: TcpStream| {
        let (tell, config) = (tell.clone(), config.clone());
        async move {
            if let Ok(start) = LazyConfigAcceptor::new(Acceptor::default(), stream).await {
                let hello = start.client_hello();
                let alpn = hello.alpn().map(|all| all.map(<[u8]>::to_vec).collect());
                let _ = tell.send((hello.server_name().map(str::to_owned), alpn.unwrap_or_default()));
                let _ = start.into_stream(config).await;
            }
        }
    })
    .await;
    (at, told)
}

fn requiring(pem: &str, name: Option<&str>) -> TlsProbe {
    TlsProbe { verify: true, roots: Some(pem.into()), name: name.map(str::to_owned), alpn: vec![] }
}

#[tokio::test]
async fn verify_none_believes_anybody() {
    let (at, mut told) = tls_server(authority("lb.example").server).await;
    let outcome = check(at, trusting()).await;
    assert_eq!((outcome.passed, outcome.code), (true, CheckCode::L6Ok), "{}", outcome.info);
    assert_eq!(told.recv().await, Some((None, vec![])), "no SNI for an address");
}

#[tokio::test]
async fn verify_required_wants_a_chain_to_the_roots() {
    let right = authority("lb.example");
    let (at, _told) = tls_server(right.server.clone()).await;
    let good = check(at, requiring(&right.pem, None)).await;
    assert_eq!((good.passed, good.code), (true, CheckCode::L6Ok), "names are not compared: {}", good.info);
    let bad = check(at, requiring(&authority("lb.example").pem, None)).await;
    assert_eq!((bad.passed, bad.code), (false, CheckCode::L6Response));
    assert!(bad.info.contains("certificate"), "{}", bad.info);
}

#[tokio::test]
async fn a_name_that_is_sent_must_be_the_certificate_s() {
    let right = authority("lb.example");
    let (at, mut told) = tls_server(right.server.clone()).await;
    let good = check(at, requiring(&right.pem, Some("lb.example"))).await;
    assert_eq!((good.passed, good.code), (true, CheckCode::L6Ok), "{}", good.info);
    assert_eq!(told.recv().await, Some((Some("lb.example".into()), vec![])));
    let bad = check(at, requiring(&right.pem, Some("other.example"))).await;
    assert_eq!((bad.passed, bad.code), (false, CheckCode::L6Response));
}

#[tokio::test]
async fn alpn_is_offered_in_order() {
    let (at, mut told) = tls_server(authority("lb.example").server).await;
    let tls = TlsProbe { alpn: vec!["h2".into(), "http/1.1".into()], ..trusting() };
    assert!(check(at, tls).await.passed);
    assert_eq!(told.recv().await, Some((None, vec![b"h2".to_vec(), b"http/1.1".to_vec()])));
}

#[tokio::test]
async fn roots_without_a_certificate_or_a_name_that_is_none_are_said() {
    let (at, _told) = tls_server(authority("lb.example").server).await;
    for (tls, why) in [
        (requiring("", None), "ca-file: no certificate"),
        (TlsProbe { name: Some("a b".into()), ..trusting() }, "a b cannot be sent as SNI"),
    ] {
        let outcome = check(at, tls).await;
        assert_eq!((outcome.code, &*outcome.info), (CheckCode::L6Response, why));
    }
}

#[tokio::test]
async fn half_a_record_is_a_timeout_or_when_it_ends_a_wrong_answer() {
    for (close, code) in [(false, CheckCode::L6Timeout), (true, CheckCode::L6Response)] {
        let at = server(move |mut stream: TcpStream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(&[0x16, 3, 3, 0, 90, 2, 0]).await.unwrap();
            if !close {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        })
        .await;
        let outcome = check(at, trusting()).await;
        assert_eq!((outcome.passed, outcome.code), (false, code));
    }
}

#[tokio::test]
async fn what_is_not_tls_is_a_wrong_answer_at_once_even_without_end() {
    let at =
        server(
            |mut stream: TcpStream| async move { while stream.write_all(&[b'S'; 65_536]).await.is_ok() {} },
        )
        .await;
    let outcome = check(at, trusting()).await;
    assert_eq!((outcome.passed, outcome.code), (false, CheckCode::L6Response));
}

#[tokio::test]
async fn nobody_there_is_layer_four() {
    assert_eq!(check(nobody().await, trusting()).await.code, CheckCode::L4Connection);
}
