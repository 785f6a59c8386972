//! The local socket: whom it serves, what bounds it, and what it does about a file in its place.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast_core::config::model::Config;
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::clock::BootClock;
use standfast_io::control::{Control, Desk, MAX_CLIENTS, MAX_REQUEST, OpenError, Reloaded, Reply};
use standfast_io::driver::Wanted;
use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Far more than any answer takes, far less than a client is given.
const SOON: Duration = Duration::from_secs(3);

fn place(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sf-socket-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder.join("control.sock")
}

/// Runs `test` beside a daemon without virtual routers that listens at `path`.
fn served<F: Future<Output = ()>>(path: &Path, test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (orders, mut wanted) = mpsc::channel(8);
        let (reload, mut asked) = mpsc::channel(8);
        let node = Node::new(Config::default().into(), Seed(1), Time::ZERO);
        let daemon = async {
            loop {
                tokio::select! { biased;
                    Some(wanted) = wanted.recv() => if let Wanted::Status(asker) = wanted {
                        let _ = asker.send(node.status());
                    },
                    Some(asker) = asked.recv() => {
                        let asker: tokio::sync::oneshot::Sender<Reloaded> = asker;
                        let _ = asker.send(Reloaded { ok: false, lines: vec!["broken".into()] });
                    }
                }
            }
        };
        let control = Control::open(path).unwrap();
        let serve = control.serve(Desk { orders, reload, clock: BootClock });
        tokio::select! { biased;
            () = test => {}
            () = daemon => {}
            () = serve => {}
        }
    });
}

async fn ask(path: &Path, request: &[u8]) -> Reply {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request).await.unwrap();
    answer(&mut stream).await
}

async fn answer(stream: &mut UnixStream) -> Reply {
    let mut text = String::new();
    timeout(SOON, stream.read_to_string(&mut text)).await.expect("an answer comes soon").unwrap();
    assert!(text.ends_with('\n') && text.matches('\n').count() == 1, "one line: {text:?}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_request_is_one_line_and_so_is_the_answer() {
    let path = place("line");
    served(&path, async {
        let reply = ask(&path, b"{\"do\":\"status\"}\n").await;
        assert!(reply.ok && reply.status.unwrap().pid == std::process::id());
        let reply = ask(&path, b"{\"do\":\"reload\"}\n").await;
        assert_eq!((reply.ok, reply.lines), (false, vec!["broken".to_owned()]));
        for (request, wanted) in [
            (&b"{\"do\":\"dance\"}\n"[..], "unknown variant `dance`"),
            (b"{\"do\":\"resign\"}\n", "missing field `router`"),
            (b"{\"do\":\"weight\",\"server\":\"a\",\"weight\":-1}\n", "invalid value"),
            (b"\xff\xfe\n", "this is no request"),
            (b"\n", "this is no request"),
            (b"{\"do\":\"resign\",\"router\":\"VI_1\"}\n", "there is no virtual router `VI_1`"),
        ] {
            let reply = ask(&path, request).await;
            assert!(!reply.ok && reply.lines[0].contains(wanted), "{reply:?}, not {wanted}");
        }
    });
}

#[test]
fn the_longest_request_is_read_and_one_octet_more_is_refused() {
    let path = place("long");
    served(&path, async {
        let mut longest = b"{\"do\":\"status\"}".to_vec();
        longest.resize(MAX_REQUEST, b' ');
        let too_long = [&longest[..], b" \n"].concat();
        longest.push(b'\n');
        assert!(ask(&path, &longest).await.ok);
        let reply = ask(&path, &too_long).await;
        assert!(!reply.ok && reply.lines[0].contains("at most 4096 bytes"), "{reply:?}");
        // Without a line feed, too; more may be on the way, and is not waited for.
        let reply = ask(&path, &vec![b' '; MAX_REQUEST + 1]).await;
        assert!(!reply.ok && reply.lines[0].contains("at most 4096 bytes"), "{reply:?}");
    });
}

#[test]
fn clients_that_say_nothing_or_read_nothing_keep_only_their_own_places() {
    let path = place("silent");
    served(&path, async {
        let mut silent = Vec::new();
        for nth in 0..MAX_CLIENTS - 1 {
            let mut client = UnixStream::connect(&path).await.unwrap();
            if nth % 2 == 0 {
                client.write_all(b"{\"do\":\"sta").await.unwrap();
            }
            silent.push(client);
        }
        assert!(ask(&path, b"{\"do\":\"status\"}\n").await.ok, "the last place is free");
        silent.push(UnixStream::connect(&path).await.unwrap());
        let mut one_more = UnixStream::connect(&path).await.unwrap();
        let reply = answer(&mut one_more).await;
        assert!(!reply.ok && reply.lines[0].contains("16 clients are being served"), "{reply:?}");
        silent.pop();
        tokio::task::yield_now().await;
        let freed = async {
            while !ask(&path, b"{\"do\":\"status\"}\n").await.ok {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, freed).await.expect("who goes away frees a place");
    });
}

#[test]
fn what_stands_in_its_place_is_replaced_only_when_we_left_it_there() {
    let path = place("place");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let first = Control::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = Control::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Taken(_)), "{error}");
    assert!(path.exists());
    drop(first);
    assert!(!path.exists(), "it goes with its daemon");

    // As after kill -9: the file is there, and nobody answers.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let again = Control::open(&path).unwrap();
    // Somebody else's socket in the place of ours is not removed at the end.
    std::fs::remove_file(&path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(again);
    assert!(path.exists());
    drop(other);

    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    let error = Control::open(&path).unwrap_err();
    assert!(
        matches!(error, OpenError::NoSocket(_)) && error.to_string().contains("--socket FILE"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
