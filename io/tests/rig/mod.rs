//! A proxy on loopback addresses of the test's own, backends that behave or not, and the log lines it wrote.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use standfast_core::balance::view::{PoolView, ServerView};
use standfast_core::config::model::{
    Algorithm, Bind, FrontendConfig, LogFormat, LogTarget, LogTo, Redispatch,
};
use standfast_core::id::{FrontendId, PoolId, ServerId, Ticket};
use standfast_core::input::{Errno, Input};
use standfast_io::clock::BootClock;
use standfast_io::fabric::TokioFabric;
use standfast_io::log::LineSink;
use standfast_io::proxy::{DataPlane, Local};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

/// The longest wait for something that must happen.
pub const WAIT: Duration = Duration::from_secs(10);

/// Runs `test` on a thread's own runtime, as the proxy wants it.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(WAIT * 6, test).await.expect("the whole test takes too long");
    });
}

/// `future`, which must end soon.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT, future).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

/// Collects lines.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl LineSink for Lines {
    fn line(&self, _: &[LogTarget], level: u8, text: &str) {
        self.0.lock().unwrap().push(format!("{level} {text}"));
    }

    fn own(&self, level: u8, text: &str) {
        LineSink::line(self, &[], level, text);
    }
}

impl Lines {
    /// All lines so far, with their level in front.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Line number `at`, once it is written.
    pub async fn line(&self, at: usize) -> String {
        let wait = async {
            loop {
                if let Some(line) = self.all().get(at) {
                    return line.clone();
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon("a log line", wait).await
    }

    /// The words of line `at` after its date: frontend, server, timers, bytes, code, connections, queues.
    pub async fn fields(&self, at: usize) -> Fields {
        let line = self.line(at).await;
        let (head, rest) = line.split_once(" [").unwrap();
        assert!(head.starts_with("6 127."), "{line}");
        let (date, rest) = rest.split_once("] ").unwrap();
        assert_eq!(date.len(), "03/Nov/2026:09:04:05.123".len(), "{line}");
        let words: Vec<&str> = rest.split(' ').collect();
        let [frontend, server, timers, bytes, code, connections, queues] = words[..] else {
            panic!("{line}")
        };
        assert_eq!((frontend, queues), ("front", "0/0"), "{line}");
        let (open, retries) = connections.rsplit_once('/').unwrap();
        Fields {
            server: server.into(),
            timers: timers.split('/').map(|t| t.parse().unwrap()).collect(),
            bytes: bytes.parse().unwrap(),
            code: code.into(),
            open: open.into(),
            retries: retries.into(),
        }
    }
}

/// One session line, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// `backend/server`.
    pub server: String,
    /// Tw, Tc, Tt.
    pub timers: Vec<i64>,
    /// Bytes to the client.
    pub bytes: u64,
    /// Two letters.
    pub code: String,
    /// Connections of process, frontend, backend, server.
    pub open: String,
    /// With `+` when redispatched.
    pub retries: String,
}

/// A pool of servers `s1`, `s2` ... at these addresses: no retries, no time-outs.
pub fn pool(servers: &[SocketAddr]) -> PoolView {
    let servers = (1u32..).zip(servers).map(|(id, address)| ServerView {
        id: ServerId(id),
        name: format!("s{id}").into(),
        address: *address,
        weight: 16,
        usable: true,
        backup: false,
        shutdown: false,
    });
    PoolView {
        pool: PoolId(1),
        name: "back".into(),
        version: 1,
        algorithm: Algorithm::RoundRobin,
        all_backups: false,
        servers: servers.collect(),
        retries: 0,
        redispatch: Redispatch::Never,
        connect: None,
        server: None,
    }
}

/// An address that no other test of this machine uses; nothing listens there.
pub fn nobody() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = NEXT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from((Ipv4Addr::new(127, high | 0x80, low, host), 6443))
}

/// A proxy with one listening side, `front`, whose pool is `back`.
pub struct Rig {
    /// The data plane.
    pub data: Local<TokioFabric, Lines, BootClock>,
    /// What it logged.
    pub lines: Lines,
    /// Its listening side.
    pub front: FrontendConfig,
    tickets: u64,
}

impl Rig {
    /// A running proxy, with `tcplog` and no limits unless `how` says otherwise.
    pub async fn new(view: PoolView, how: impl FnOnce(&mut FrontendConfig)) -> Rig {
        Rig::with_most(view, 1000, how).await
    }

    /// The same for at most `most` connections of the process.
    pub async fn with_most(view: PoolView, most: u32, how: impl FnOnce(&mut FrontendConfig)) -> Rig {
        let lines = Lines::default();
        let target =
            LogTarget { to: LogTo::Stdout, format: LogFormat::Raw, facility: 16, level: 7, length: 1024 };
        let bind = Bind { at: nobody(), free: false, interface: None, both_families: false };
        let mut front = FrontendConfig {
            id: FrontendId(1),
            name: "front".into(),
            binds: vec![bind],
            pool: Some(PoolId(1)),
            client: None,
            max_connections: 0,
            tcplog: true,
            dont_log_null: false,
            log: vec![target],
        };
        how(&mut front);
        let data = Local::new(TokioFabric, lines.clone(), BootClock, SystemTime::now, most);
        let mut rig = Rig { data, lines, front, tickets: 0 };
        rig.data.publish(PoolId(1), Some(Arc::new(view)));
        assert_eq!(rig.listen(true).await, Ok(()));
        rig
    }

    /// Opens or closes the listening side as `self.front` says.
    pub async fn listen(&mut self, open: bool) -> Result<(), Errno> {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.data.listen(ticket, Arc::new(self.front.clone()), open);
        let answer = async {
            loop {
                if let Input::Done { ticket: answered, result } = self.data.next().await
                    && answered == ticket
                {
                    return result;
                }
            }
        };
        soon("the answer to a listen", answer).await
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.front.binds[0].at
    }

    /// A client of it.
    pub async fn client(&self) -> TcpStream {
        soon("a connect", TcpStream::connect(self.at())).await.unwrap()
    }
}

/// A backend that does `serve` with each connection.
pub async fn backend<F: Future<Output = ()> + 'static>(
    serve: impl Fn(TcpStream) -> F + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn_local(serve(stream));
        }
    });
    at
}

/// A backend that sends back what it gets, and its end after the client's.
pub async fn echo() -> SocketAddr {
    backend(|mut stream| async move {
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
        let _ = to.shutdown().await;
    })
    .await
}

/// A backend that accepts and then says and does nothing, for ever.
pub async fn silent() -> SocketAddr {
    backend(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

/// A backend that says `name`, ends, and waits for the client's end.
pub async fn greeter(name: &'static str) -> SocketAddr {
    backend(move |mut stream| async move {
        let _ = stream.write_all(name.as_bytes()).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

/// Ends `stream` with a reset.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// What comes of `stream` until its end.
pub async fn rest(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    soon("the end of a stream", stream.read_to_end(&mut all)).await?;
    Ok(all)
}

/// `len` bytes that repeat late.
pub fn pattern(len: usize, seed: u32) -> Vec<u8> {
    let mut x = seed | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x.to_be_bytes()[0]
        })
        .collect()
}
