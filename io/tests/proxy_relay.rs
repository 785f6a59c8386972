//! Every byte arrives, once, in order; ends are passed on one by one; a slow side holds the other back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use rig::{Rig, backend, echo, greeter, pattern, pool, rest, run, soon};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn through(rig: &Rig, len: usize) {
    let mut client = rig.client().await;
    let sent = pattern(len, 7);
    let (mut from, mut to) = client.split();
    let (expected, mut got) = (sent.clone(), Vec::new());
    let write = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let read = async { from.read_to_end(&mut got).await.unwrap() };
    soon("an echo", async { tokio::join!(write, read) }).await;
    assert!(got == expected, "{len} bytes: {} came back", got.len());
}

#[test]
fn every_size_comes_back_whole_with_both_directions_at_once() {
    run(async {
        let rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        let mib = 1024 * 1024;
        let sizes = [0, 1, 2, 4095, 65_535, 65_536, 65_537, 131_072, 200_000, mib, 16 * mib];
        for (at, len) in sizes.into_iter().enumerate() {
            through(&rig, len).await;
            let fields = rig.lines.fields(at).await;
            assert_eq!((fields.bytes, fields.code.as_str()), (u64::try_from(len).unwrap(), "--"));
        }
    });
}

#[test]
fn many_connections_at_once_do_not_mix() {
    run(async {
        let rig = Rig::new(pool(&[echo().await, echo().await]), |_| ()).await;
        let all = (0..40).map(|n| through(&rig, 100_000 + n));
        futures_util::future::join_all(all).await;
    });
}

#[test]
fn a_server_that_ends_first_still_gets_what_the_client_says_later() {
    run(async {
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        let at = backend(move |mut stream| {
            let tell = tell.clone();
            async move {
                stream.write_all(b"first").await.unwrap();
                stream.shutdown().await.unwrap();
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                tell.send(all).await.unwrap();
            }
        })
        .await;
        let rig = Rig::new(pool(&[at]), |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap(), b"first");
        client.write_all(b"later").await.unwrap();
        drop(client);
        assert_eq!(soon("the backend's word", told.recv()).await.unwrap(), b"later");
        assert_eq!(rig.lines.fields(0).await.code, "--");
    });
}

#[test]
fn a_client_that_ends_first_still_gets_what_the_server_says_later() {
    run(async {
        let at = backend(|mut stream| async move {
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(b"later").await.unwrap();
        })
        .await;
        let rig = Rig::new(pool(&[at]), |_| ()).await;
        let mut client = rig.client().await;
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"later");
        let fields = rig.lines.fields(0).await;
        assert_eq!((fields.bytes, fields.code.as_str()), (5, "--"));
    });
}

#[test]
fn a_server_that_speaks_first_is_heard() {
    run(async {
        let rig = Rig::new(pool(&[greeter("220 ready").await]), |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap(), b"220 ready");
    });
}

#[test]
fn a_trickle_arrives_as_it_comes() {
    run(async {
        let rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        let mut client = rig.client().await;
        for byte in 0..50u8 {
            client.write_all(&[byte]).await.unwrap();
            assert_eq!(soon("one byte", client.read_u8()).await.unwrap(), byte);
        }
    });
}

#[test]
fn a_client_that_does_not_read_holds_the_server_back_and_loses_nothing() {
    const LEN: usize = 64 * 1024 * 1024;
    run(async {
        let written = std::rc::Rc::new(std::cell::Cell::new(0));
        let counter = written.clone();
        let at = backend(move |mut stream| {
            let counter = counter.clone();
            async move {
                let chunk = pattern(1 << 20, 3);
                while counter.get() < LEN {
                    stream.write_all(&chunk).await.unwrap();
                    counter.set(counter.get() + chunk.len());
                }
            }
        })
        .await;
        let rig = Rig::new(pool(&[at]), |_| ()).await;
        let mut client = rig.client().await;
        // Until the writer has stood still for a while: what it wrote by then sits in kernel buffers and one scratch.
        let mut before = usize::MAX;
        while before != written.get() || before == 0 {
            before = written.get();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert!(before < LEN / 2, "{before} bytes were taken for a client that reads none");
        client.shutdown().await.unwrap();
        let got = rest(&mut client).await.unwrap();
        assert_eq!(got.len(), LEN);
        let chunk = pattern(1 << 20, 3);
        assert!(got.chunks(1 << 20).all(|c| c == chunk));
        assert_eq!(rig.lines.fields(0).await.code, "--");
    });
}
