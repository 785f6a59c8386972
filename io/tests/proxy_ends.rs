//! How connections end, and what haproxy's line says of it: refusals, retries, resets, time-outs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use rig::{Fields, Rig, backend, echo, greeter, nobody, pool, reset, rest, run, silent, soon};
use standfast_core::config::model::Redispatch;
use standfast_core::id::PoolId;
use standfast_io::proxy::DataPlane;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The fields but for the timers, which differ by the machine's mood.
fn plain(fields: &Fields) -> String {
    format!("{} {} {} {}/{}", fields.server, fields.bytes, fields.code, fields.open, fields.retries)
}

#[test]
fn an_orderly_session_counts_itself_in_process_and_frontend_only() {
    run(async {
        let rig = Rig::new(pool(&[greeter("hello").await]), |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap(), b"hello");
        drop(client);
        let fields = rig.lines.fields(0).await;
        assert_eq!(plain(&fields), "back/s1 5 -- 1/1/0/0/0");
        assert!(fields.timers.iter().all(|t| (0..1000).contains(t)), "{fields:?}");
    });
}

#[test]
fn others_that_are_open_are_counted_everywhere() {
    run(async {
        let rig = Rig::new(pool(&[echo().await]), |_| ()).await;
        let mut stays = rig.client().await;
        stays.write_all(b"x").await.unwrap();
        soon("an echo", stays.read_u8()).await.unwrap();
        let mut client = rig.client().await;
        client.shutdown().await.unwrap();
        rest(&mut client).await.unwrap();
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s1 0 -- 2/2/1/1/0");
    });
}

#[test]
fn without_a_usable_server_the_client_is_reset_before_anything_is_said() {
    run(async {
        let mut view = pool(&[echo().await]);
        view.servers[0].usable = false;
        let rig = Rig::new(view, |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let fields = rig.lines.fields(0).await;
        assert_eq!(plain(&fields), "back/<NOSRV> 0 SC 1/1/0/0/0");
        assert_eq!(fields.timers[..2], [-1, -1]);
    });
}

#[test]
fn without_a_pool_the_frontend_stands_in_its_place() {
    run(async {
        let rig = Rig::new(pool(&[]), |front| front.pool = None).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(plain(&rig.lines.fields(0).await), "front/<NOSRV> 0 SC 1/1/0/0/0");
    });
}

#[test]
fn a_server_that_refuses_is_replaced_and_the_client_notices_nothing() {
    run(async {
        let mut view = pool(&[nobody(), greeter("two").await]);
        (view.retries, view.redispatch) = (3, Redispatch::Last);
        let rig = Rig::new(view, |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap(), b"two");
        drop(client);
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s2 3 -- 1/1/0/0/+1");
    });
}

#[test]
fn the_only_server_that_refuses_is_tried_again_after_a_pause_and_then_the_client_is_reset() {
    run(async {
        let mut view = pool(&[nobody()]);
        (view.retries, view.connect) = (2, Some(Duration::from_millis(100)));
        let rig = Rig::new(view, |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let fields = rig.lines.fields(0).await;
        assert_eq!(plain(&fields), "back/s1 0 SC 1/1/0/0/2");
        assert_eq!(fields.timers[1], -1);
        assert!((200..2000).contains(&fields.timers[2]), "{fields:?}");
    });
}

#[test]
fn a_server_that_does_not_answer_the_connect_gives_small_s() {
    run(async {
        // A queue of one that is full: further handshakes are not answered.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(nobody()).unwrap();
        let at = socket.local_addr().unwrap();
        let _full = socket.listen(0).unwrap();
        let _queued = [
            tokio::net::TcpStream::connect(at).await,
            tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(at))
                .await
                .unwrap_or_else(|late| Err(late.into())),
        ];
        let mut view = pool(&[at]);
        view.connect = Some(Duration::from_millis(100));
        let rig = Rig::new(view, |_| ()).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let fields = rig.lines.fields(0).await;
        assert_eq!(plain(&fields), "back/s1 0 sC 1/1/0/0/0");
        assert!(fields.timers[1] == -1 && fields.timers[2] >= 100, "{fields:?}");
    });
}

#[test]
fn silence_on_both_sides_for_the_same_time_is_the_clients() {
    run(async {
        let mut view = pool(&[silent().await]);
        view.server = Some(Duration::from_millis(150));
        let rig = Rig::new(view, |front| front.client = Some(Duration::from_millis(150))).await;
        let mut client = rig.client().await;
        assert_eq!(rest(&mut client).await.unwrap(), b"");
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s1 0 cD 1/1/0/0/0");
    });
}

#[test]
fn a_silent_server_is_waited_for_after_the_clients_end_until_its_own_time_out() {
    run(async {
        let mut view = pool(&[silent().await]);
        view.server = Some(Duration::from_millis(400));
        let rig = Rig::new(view, |front| front.client = Some(Duration::from_millis(100))).await;
        let mut client = rig.client().await;
        client.write_all(b"anybody?").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"");
        let fields = rig.lines.fields(0).await;
        assert_eq!(plain(&fields), "back/s1 0 sD 1/1/0/0/0");
        assert!(fields.timers[2] >= 400, "{fields:?}");
    });
}

#[test]
fn traffic_keeps_a_connection_alive_beyond_its_time_outs() {
    run(async {
        let mut view = pool(&[echo().await]);
        view.server = Some(Duration::from_millis(300));
        let rig = Rig::new(view, |front| front.client = Some(Duration::from_millis(300))).await;
        let mut client = rig.client().await;
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            client.write_all(b"x").await.unwrap();
            soon("an echo", client.read_u8()).await.unwrap();
        }
        assert!(rig.lines.all().is_empty());
    });
}

#[test]
fn a_server_that_resets_in_mid_stream_resets_the_client() {
    run(async {
        let at = backend(|mut stream| async move {
            stream.write_all(b"half of").await.unwrap();
            let _ = stream.read_u8().await;
            reset(stream);
        })
        .await;
        let rig = Rig::new(pool(&[at]), |_| ()).await;
        let mut client = rig.client().await;
        let mut seven = [0; 7];
        client.read_exact(&mut seven).await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s1 7 SD 1/1/0/0/0");
    });
}

#[test]
fn a_client_that_resets_in_mid_stream_resets_the_server() {
    run(async {
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        let at = backend(move |mut stream| {
            let tell = tell.clone();
            async move {
                stream.write_all(b"hello").await.unwrap();
                tell.send(stream.read_to_end(&mut Vec::new()).await).await.unwrap();
            }
        })
        .await;
        let rig = Rig::new(pool(&[at]), |_| ()).await;
        let mut client = rig.client().await;
        client.read_exact(&mut [0; 5]).await.unwrap();
        reset(client);
        let seen = soon("the backend's word", told.recv()).await.unwrap();
        assert_eq!(seen.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s1 5 CD 1/1/0/0/0");
    });
}

#[test]
fn a_client_that_resets_while_the_server_is_being_connected_ends_it() {
    run(async {
        let mut view = pool(&[nobody()]);
        (view.retries, view.connect) = (100, Some(Duration::from_secs(1)));
        let rig = Rig::new(view, |_| ()).await;
        let client = rig.client().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        reset(client);
        let fields = rig.lines.fields(0).await;
        assert_eq!((fields.server.as_str(), fields.code.as_str()), ("back/s1", "CC"), "{fields:?}");
    });
}

#[test]
fn what_a_client_says_before_the_server_is_there_is_not_lost() {
    run(async {
        let at = nobody();
        let mut view = pool(&[at]);
        (view.retries, view.connect) = (3, Some(Duration::from_millis(200)));
        let rig = Rig::new(view, |_| ()).await;
        let mut client = rig.client().await;
        client.write_all(b"early").await.unwrap();
        client.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let listener = TcpListener::bind(at).await.unwrap();
        let (mut server, _) = soon("the retry", listener.accept()).await.unwrap();
        assert_eq!(rest(&mut server).await.unwrap(), b"early");
        server.write_all(b"late").await.unwrap();
        drop(server);
        assert_eq!(rest(&mut client).await.unwrap(), b"late");
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s1 4 -- 1/1/0/0/1");
    });
}

#[test]
fn a_server_marked_down_loses_its_connections_only_when_told_so() {
    run(async {
        let view = pool(&[echo().await, echo().await]);
        let mut rig = Rig::new(view.clone(), |_| ()).await;
        let mut clients = [rig.client().await, rig.client().await];
        for client in &mut clients {
            client.write_all(b"x").await.unwrap();
            soon("an echo", client.read_u8()).await.unwrap();
        }
        let mut down = view;
        down.version = 2;
        for server in &mut down.servers {
            server.usable = false;
        }
        down.servers[0].shutdown = true;
        rig.data.publish(PoolId(1), Some(Arc::new(down)));
        let [mut first, mut second] = clients;
        assert_eq!(rest(&mut first).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(plain(&rig.lines.fields(0).await), "back/s1 1 D- 2/2/1/0/0");
        second.write_all(b"y").await.unwrap();
        assert_eq!(soon("an echo", second.read_u8()).await.unwrap(), b'y');
    });
}
