//! A TCP check: connected is good, and the connection ends with a reset.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use standfast_core::config::model::Probe;
use standfast_core::input::CheckCode;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use support::{SECOND, nobody, probe, server};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;

fn tcp(to: SocketAddr) -> Probe {
    Probe::Tcp { to, connect: SECOND }
}

#[tokio::test]
async fn a_listening_port_is_good_and_sees_a_reset() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let at = server(move |mut stream| {
        let tell = tell.clone();
        async move {
            tell.send(stream.read(&mut [0; 8]).await.map_err(|e| e.kind())).unwrap();
        }
    })
    .await;
    let outcome = probe(tcp(at), SECOND).await;
    assert_eq!((outcome.passed, outcome.code, &*outcome.info), (true, CheckCode::L4Ok, ""));
    assert_eq!(told.recv().await, Some(Err(io::ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn a_refused_connection_says_so_in_the_system_s_words() {
    let outcome = probe(tcp(nobody().await), SECOND).await;
    assert_eq!((outcome.passed, outcome.code), (false, CheckCode::L4Connection));
    assert_eq!(outcome.info, "Connection refused");
}

/// A listener whose queue is full, so that the kernel answers no further connect.
async fn full() -> (TcpListener, Vec<tokio::task::JoinHandle<io::Result<tokio::net::TcpStream>>>, SocketAddr)
{
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let at = listener.local_addr().unwrap();
    let fill = (0..6).map(|_| tokio::spawn(tokio::net::TcpStream::connect(at))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    (listener, fill, at)
}

#[tokio::test]
async fn an_unanswered_connect_ends_at_the_connect_time_or_the_whole_time_whichever_is_first() {
    let (_listener, _fill, at) = full().await;
    for (connect, within) in [(150, 5_000), (5_000, 150)] {
        let check = Probe::Tcp { to: at, connect: Duration::from_millis(connect) };
        let outcome = probe(check, Duration::from_millis(within)).await;
        assert_eq!((outcome.passed, outcome.code), (false, CheckCode::L4Timeout));
        assert!((150..1_000).contains(&outcome.took.as_millis()), "{:?}", outcome.took);
    }
}

#[tokio::test]
async fn the_longest_times_do_not_overflow() {
    let at = server(|_| async {}).await;
    let check = Probe::Tcp { to: at, connect: Duration::MAX };
    assert!(probe(check, Duration::MAX).await.passed);
}
