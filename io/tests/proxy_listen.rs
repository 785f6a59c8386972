//! Listening sides: limits, views that change, reloads, what is logged at accept, what the node is told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use rig::{Rig, echo, greeter, nobody, pool, rest, run, soon};
use standfast_core::config::model::Bind;
use standfast_core::id::{PoolId, ServerId, Ticket};
use standfast_core::input::{Errno, Input, Tally};
use standfast_io::proxy::DataPlane;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn said(stream: &mut TcpStream) -> Vec<u8> {
    rest(stream).await.unwrap()
}

/// Is `stream` served (echoed) within a short while?
async fn served(stream: &mut TcpStream) -> bool {
    stream.write_all(b"x").await.unwrap();
    tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await.is_ok()
}

#[test]
fn connections_take_turns_over_the_servers() {
    run(async {
        let servers = [greeter("a").await, greeter("b").await, greeter("c").await];
        let rig = Rig::new(pool(&servers), |_| ()).await;
        let mut order = Vec::new();
        for _ in 0..6 {
            order.extend(said(&mut rig.client().await).await);
        }
        assert_eq!(order, b"abcabc");
    });
}

#[test]
fn one_more_than_maxconn_waits_until_one_ends() {
    run(async {
        let rig = Rig::new(pool(&[echo().await]), |front| front.max_connections = 2).await;
        let mut inside = [rig.client().await, rig.client().await];
        for client in &mut inside {
            assert!(served(client).await);
        }
        let mut third = rig.client().await;
        assert!(!served(&mut third).await);
        drop(inside);
        assert_eq!(soon("its turn", third.read_u8()).await.unwrap(), b'x');
    });
}

#[test]
fn one_more_than_the_process_may_have_waits_until_one_ends() {
    run(async {
        let rig = Rig::with_most(pool(&[echo().await]), 1, |_| ()).await;
        let mut first = rig.client().await;
        assert!(served(&mut first).await);
        let mut second = rig.client().await;
        assert!(!served(&mut second).await);
        drop(first);
        assert_eq!(soon("its turn", second.read_u8()).await.unwrap(), b'x');
    });
}

#[test]
fn a_new_view_counts_for_the_next_connection_and_leaves_the_others_alone() {
    run(async {
        let mut rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        let mut old = rig.client().await;
        assert!(served(&mut old).await);
        let mut view = pool(&[greeter("new").await]);
        view.version = 2;
        view.servers[0].id = ServerId(9);
        rig.data.publish(PoolId(1), Some(Arc::new(view)));
        assert_eq!(said(&mut rig.client().await).await, b"new");
        assert!(served(&mut old).await);
        rig.data.publish(PoolId(1), None);
        assert!(rest(&mut rig.client().await).await.is_err());
        assert!(served(&mut old).await);
    });
}

#[test]
fn closing_keeps_connections_and_refuses_new_ones() {
    run(async {
        let mut rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        let mut client = rig.client().await;
        assert!(served(&mut client).await);
        assert_eq!(rig.listen(false).await, Ok(()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(rig.at()).await.is_err());
        assert!(served(&mut client).await);
    });
}

#[test]
fn a_reload_opens_what_is_new_closes_what_is_gone_and_keeps_the_rest() {
    run(async {
        let mut rig = Rig::new(pool(&[greeter("x").await]), |_| ()).await;
        let kept = rig.at();
        let bind = |at| Bind { at, free: false, interface: None, both_families: false };
        let (first, second) = (nobody(), nobody());
        rig.front.binds.push(bind(first));
        assert_eq!(rig.listen(true).await, Ok(()));
        assert_eq!(said(&mut TcpStream::connect(first).await.unwrap()).await, b"x");
        // Queued in the kept socket while the reload happens: it would be lost if that were opened anew.
        let mut queued = TcpStream::connect(kept).await.unwrap();
        rig.front.binds[1] = bind(second);
        assert_eq!(rig.listen(true).await, Ok(()));
        assert_eq!(said(&mut queued).await, b"x");
        assert_eq!(said(&mut TcpStream::connect(second).await.unwrap()).await, b"x");
        assert!(TcpStream::connect(first).await.is_err());
    });
}

#[test]
fn an_address_that_is_not_ours_is_an_error_unless_bound_freely() {
    run(async {
        let mut rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        rig.front.binds[0].at = "192.0.2.1:6443".parse().unwrap();
        assert_eq!(rig.listen(true).await, Err(Errno::EADDRNOTAVAIL));
        rig.front.binds[0].free = true;
        assert_eq!(rig.listen(true).await, Ok(()));
    });
}

#[test]
fn without_tcplog_a_line_is_written_at_accept() {
    run(async {
        let rig = Rig::new(pool(&[echo().await]), |front| front.tcplog = false).await;
        let client = rig.client().await;
        let expected = format!(
            "6 Connect from {} to {} (front/TCP)",
            client.local_addr().unwrap(),
            client.peer_addr().unwrap()
        );
        assert_eq!(rig.lines.line(0).await, expected);
        drop(client);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(rig.lines.all().len(), 1);
    });
}

#[test]
fn dontlognull_hides_sessions_without_a_byte_and_no_others() {
    run(async {
        let rig = Rig::new(pool(&[echo().await]), |front| front.dont_log_null = true).await;
        let mut null = rig.client().await;
        null.shutdown().await.unwrap();
        rest(&mut null).await.unwrap();
        let mut spoken = rig.client().await;
        assert!(served(&mut spoken).await);
        drop(spoken);
        assert_eq!(rig.lines.fields(0).await.bytes, 1);
        assert_eq!(rig.lines.all().len(), 1);
    });
}

#[test]
fn the_node_hears_what_was_seen_of_each_server() {
    run(async {
        let mut view = pool(&[greeter("x").await, nobody()]);
        (view.retries, view.redispatch) = (1, standfast_core::config::model::Redispatch::Last);
        let mut rig = Rig::new(view, |_| ()).await;
        for _ in 0..4 {
            assert_eq!(said(&mut rig.client().await).await, b"x");
        }
        let mut sums = [Tally::default(); 2];
        while sums[0].connected < 4 || sums[1].failed < 2 || sums[0].open > 0 {
            if let Input::Observed { pool: PoolId(1), server, tally } =
                soon("an observation", rig.data.next()).await
            {
                let sum = &mut sums[usize::try_from(server.0).unwrap() - 1];
                sum.connected += tally.connected;
                sum.failed += tally.failed;
                (sum.failed_in_a_row, sum.open) = (tally.failed_in_a_row, tally.open);
            }
        }
        assert_eq!((sums[0].connected, sums[0].failed), (4, 0));
        assert_eq!(sums[1].connected, 0);
        assert_eq!(sums[1].failed_in_a_row, sums[1].failed);
    });
}

#[test]
fn the_node_hears_how_many_connections_are_open_and_how_many_connects_failed_in_a_row() {
    run(async {
        let mut rig = Rig::new(pool(&[echo().await, nobody()]), |_| ()).await;
        let mut seen = [Tally::default(); 2];
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut client = rig.client().await;
            assert!(served(&mut client).await);
            held.push(client);
            assert!(rest(&mut rig.client().await).await.is_err());
            // One batch each, so that the row has to outlive a batch.
            let wanted = u32::try_from(held.len()).unwrap();
            while seen[0].open < wanted || seen[1].failed_in_a_row < wanted {
                if let Input::Observed { server, tally, .. } = soon("an observation", rig.data.next()).await {
                    seen[usize::try_from(server.0).unwrap() - 1] = tally;
                }
            }
            assert_eq!((seen[0].open, seen[1].failed_in_a_row), (wanted, wanted));
        }
        held.clear();
        while seen[0].open > 0 {
            if let Input::Observed { server: ServerId(1), tally, .. } =
                soon("an observation", rig.data.next()).await
            {
                seen[0] = tally;
            }
        }
    });
}

#[test]
fn an_order_to_close_overtakes_an_order_to_open_that_was_not_carried_out_yet() {
    run(async {
        let mut rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        assert_eq!(rig.listen(false).await, Ok(()));
        rig.data.listen(Ticket(100), Arc::new(rig.front.clone()), true);
        assert_eq!(rig.listen(false).await, Ok(()));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(TcpStream::connect(rig.at()).await.is_err());
    });
}
