//! The worker threads together behave as one proxy.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use rig::{Lines, echo, greeter, nobody, pool, rest, run, soon};
use standfast_core::config::model::{Bind, FrontendConfig};
use standfast_core::id::{FrontendId, PoolId, Ticket};
use standfast_core::input::{Errno, Input};
use standfast_io::proxy::{DataPlane, Threads};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn front(at: SocketAddr) -> Arc<FrontendConfig> {
    let bind = Bind { at, free: false, interface: None, both_families: false };
    Arc::new(FrontendConfig {
        id: FrontendId(1),
        name: "front".into(),
        binds: vec![bind],
        pool: Some(PoolId(1)),
        client: None,
        max_connections: 0,
        tcplog: true,
        dont_log_null: false,
        log: Vec::new(),
    })
}

async fn done(threads: &mut Threads, ticket: u64) -> Result<(), Errno> {
    let answer = async {
        loop {
            if let Input::Done { ticket: Ticket(answered), result } = threads.next().await {
                assert_eq!(answered, ticket, "each order is answered once");
                return result;
            }
        }
    };
    soon("the answer of all workers", answer).await
}

#[test]
fn every_worker_listens_follows_views_and_closes() {
    run(async {
        let mut threads = Threads::start(3, 1000, &Lines::default()).unwrap();
        let at = nobody();
        threads.publish(PoolId(1), Some(Arc::new(pool(&[greeter("one").await]))));
        threads.listen(Ticket(1), front(at), true);
        assert_eq!(done(&mut threads, 1).await, Ok(()));
        for _ in 0..40 {
            assert_eq!(rest(&mut TcpStream::connect(at).await.unwrap()).await.unwrap(), b"one");
        }
        let mut view = pool(&[greeter("two").await]);
        view.version = 2;
        threads.publish(PoolId(1), Some(Arc::new(view)));
        // Orders reach a worker in their order: once this one is answered, all have the new view.
        threads.listen(Ticket(2), front(at), true);
        assert_eq!(done(&mut threads, 2).await, Ok(()));
        for _ in 0..40 {
            assert_eq!(rest(&mut TcpStream::connect(at).await.unwrap()).await.unwrap(), b"two");
        }
        threads.listen(Ticket(3), front(at), false);
        assert_eq!(done(&mut threads, 3).await, Ok(()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(at).await.is_err());
    });
}

#[test]
fn an_address_that_no_worker_can_bind_is_answered_once_with_the_error() {
    run(async {
        let mut threads = Threads::start(2, 1000, &Lines::default()).unwrap();
        threads.listen(Ticket(1), front("192.0.2.1:6443".parse().unwrap()), true);
        assert_eq!(done(&mut threads, 1).await, Err(Errno::EADDRNOTAVAIL));
        threads.listen(Ticket(2), front(nobody()), true);
        assert_eq!(done(&mut threads, 2).await, Ok(()));
    });
}

#[test]
fn dropping_the_data_plane_ends_its_connections_and_listeners() {
    run(async {
        let mut threads = Threads::start(2, 1000, &Lines::default()).unwrap();
        let at = nobody();
        threads.publish(PoolId(1), Some(Arc::new(pool(&[echo().await]))));
        threads.listen(Ticket(1), front(at), true);
        assert_eq!(done(&mut threads, 1).await, Ok(()));
        let mut client = TcpStream::connect(at).await.unwrap();
        client.write_all(b"x").await.unwrap();
        soon("an echo", client.read_u8()).await.unwrap();
        drop(threads);
        let _ = rest(&mut client).await;
        let closed = async {
            while TcpStream::connect(at).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon("the end of the listeners", closed).await;
    });
}
