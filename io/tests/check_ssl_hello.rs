//! `option ssl-hello-chk`: every row of what haproxy 2.6 was seen to do.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use standfast_core::config::model::Probe;
use standfast_core::input::{CheckCode, Outcome};
use standfast_io::check::ssl_hello::hello;
use std::net::SocketAddr;
use std::time::Duration;
use support::{NoScripts, Plain, SECOND, authority, nobody, probe, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

async fn hello_chk(to: SocketAddr) -> Outcome {
    probe(Probe::SslHello { to, connect: SECOND }, Duration::from_millis(300)).await
}

/// A server that reads the hello, answers and then closes, or holds the connection open.
async fn answering(bytes: &'static [u8], close: bool) -> SocketAddr {
    server(move |mut stream: TcpStream| async move {
        let mut hello = [0; 126];
        if stream.read_exact(&mut hello).await.is_ok() {
            stream.write_all(bytes).await.unwrap();
            if !close {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        }
    })
    .await
}

async fn is(to: SocketAddr, code: CheckCode, info: &str) {
    let outcome = hello_chk(to).await;
    assert_eq!((outcome.code, &*outcome.info), (code, info));
    assert_eq!(outcome.passed, code == CheckCode::L6Ok);
}

#[tokio::test]
async fn exactly_the_hello_is_sent() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let at = server(move |mut stream: TcpStream| {
        let tell = tell.clone();
        async move {
            let mut got = Vec::new();
            let _ = stream.read_to_end(&mut got).await;
            tell.send(got).unwrap();
        }
    })
    .await;
    hello_chk(at).await;
    let got = told.recv().await.unwrap();
    assert_eq!(got.len(), 126);
    assert_eq!(got, hello(0));
}

#[tokio::test]
async fn a_server_of_today_refuses_the_hello_with_an_alert_and_that_is_good() {
    let acceptor = TlsAcceptor::from(authority("localhost").server);
    let at = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Err((error, mut stream)) = acceptor.accept(stream).into_fallible().await {
                assert!(!error.to_string().is_empty());
                let _ = stream.shutdown().await;
            }
        }
    })
    .await;
    is(at, CheckCode::L6Ok, "").await;
}

#[tokio::test]
async fn an_alert_or_a_handshake_record_is_good() {
    is(answering(&[0x15, 3, 0, 0, 2, 2, 40], true).await, CheckCode::L6Ok, "").await;
    is(answering(&[0x16, 3, 0, 0, 9], false).await, CheckCode::L6Ok, "").await;
}

#[tokio::test]
async fn plain_http_is_not_tls() {
    is(answering(b"HTTP/1.0 200 OK\r\n\r\n", true).await, CheckCode::L6Response, "the answer is not TLS")
        .await;
}

#[tokio::test]
async fn one_byte_and_the_end_is_not_enough() {
    is(answering(&[0x15], true).await, CheckCode::L6Response, "closed after 1 bytes").await;
    is(answering(&[0x15, 3, 0, 0], true).await, CheckCode::L6Response, "closed after 4 bytes").await;
}

#[tokio::test]
async fn an_end_without_a_byte_is_an_empty_response() {
    is(answering(&[], true).await, CheckCode::L6Response, "empty response").await;
}

#[tokio::test]
async fn silence_and_one_byte_only_are_timeouts() {
    is(answering(&[], false).await, CheckCode::L6Timeout, "").await;
    is(answering(&[0x15], false).await, CheckCode::L6Timeout, "").await;
}

#[tokio::test]
async fn a_refused_connection_is_layer_four() {
    is(nobody().await, CheckCode::L4Connection, "Connection refused").await;
}

#[tokio::test]
async fn a_reset_after_the_hello_is_a_socket_error_as_haproxy_says() {
    let at = server(|mut stream: TcpStream| async move {
        stream.read_exact(&mut [0; 126]).await.unwrap();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    is(at, CheckCode::SocketError, "Connection reset by peer").await;
}

#[tokio::test]
async fn a_banner_without_end_is_read_for_five_bytes_only() {
    let at =
        server(
            |mut stream: TcpStream| async move { while stream.write_all(&[b'A'; 65_536]).await.is_ok() {} },
        )
        .await;
    let check = Probe::SslHello { to: at, connect: SECOND };
    let outcome = standfast_io::check::run(&Plain, &NoScripts, &check, SECOND).await;
    assert_eq!(outcome.code, CheckCode::L6Response);
    assert!(outcome.took < Duration::from_millis(500), "{:?}", outcome.took);
}
