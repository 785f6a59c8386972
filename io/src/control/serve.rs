//! Serves the clients of the local socket, each in a future of its own beside the daemon's loop.
//!
//! At most [`MAX_CLIENTS`] at once: one more is told so and turned away. A client has [`CLIENT_TIME`] from its
//! connection to its last octet, so that one that never writes, or never reads, only wastes its own place. Dropping
//! the future of [`Control::serve`] ends all of them.

use super::{Control, MAX_REQUEST, Reply, Report, Request, orders};
use crate::clock::Clock;
use crate::driver::Wanted;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use standfast_core::input::Input;
use standfast_core::node::Status;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// Clients that are served at once.
pub const MAX_CLIENTS: usize = 16;
/// The longest that one client may take.
pub const CLIENT_TIME: Duration = Duration::from_secs(5);
/// So long after a connection could not be taken the next one is tried.
const AGAIN: Duration = Duration::from_millis(100);

/// What came of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The files are in force.
    pub ok: bool,
    /// What there is to say about them.
    pub lines: Vec<String>,
}

/// What requests act upon.
#[derive(Debug)]
pub struct Desk<C> {
    /// The driver's loop.
    pub orders: mpsc::Sender<Wanted>,
    /// Whoever reads the files again.
    pub reload: mpsc::Sender<oneshot::Sender<Reloaded>>,
    /// The driver's clock.
    pub clock: C,
}

impl Control {
    /// Serves for ever.
    pub async fn serve<C: Clock>(self, desk: Desk<C>) {
        let mut clients = FuturesUnordered::new();
        loop {
            let accepted = tokio::select! { biased;
                Some(()) = clients.next(), if !clients.is_empty() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if clients.len() < MAX_CLIENTS => {
                    clients.push(self.client(stream, &desk));
                }
                Ok((stream, _)) => {
                    let words = format!("{MAX_CLIENTS} clients are being served; try again in a few seconds");
                    let _ = stream.try_write(&line(&Reply::refused(words)));
                }
                Err(_) => sleep(AGAIN).await, // out of descriptors
            }
        }
    }

    async fn client<C: Clock>(&self, mut stream: UnixStream, desk: &Desk<C>) {
        let exchange = async {
            let reply = match self.admit(&stream) {
                Err(refused) => refused,
                Ok(()) => match read(&mut stream).await? {
                    Err(refused) => refused,
                    Ok(request) => desk.answer(&request).await,
                },
            };
            stream.write_all(&line(&reply)).await?;
            stream.shutdown().await
        };
        // What a client makes of its own connection is its own business.
        let _: Result<io::Result<()>, _> = timeout(CLIENT_TIME, exchange).await;
    }

    fn admit(&self, stream: &UnixStream) -> Result<(), Reply> {
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == 0 || peer.uid() == self.user => Ok(()),
            Ok(_) | Err(_) => {
                let words = format!("only root and user {} may speak to this daemon", self.user);
                Err(Reply::refused(words))
            }
        }
    }
}

/// Reads one line; a reply when it is no request.
async fn read(stream: &mut UnixStream) -> io::Result<Result<Request, Reply>> {
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    let end = loop {
        if let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            break end;
        }
        if bytes.len() > MAX_REQUEST {
            break bytes.len();
        }
        match stream.read(&mut part).await? {
            0 => break bytes.len(),
            length => bytes.extend_from_slice(&part[..length]),
        }
    };
    if end > MAX_REQUEST {
        return Ok(Err(Reply::refused(format!("a request has at most {MAX_REQUEST} bytes"))));
    }
    Ok(serde_json::from_slice(&bytes[..end]).map_err(|error| {
        Reply::refused(format!("this is no request: {error}; one is {{\"do\":\"status\"}} and a line feed"))
    }))
}

fn line(reply: &Reply) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(reply).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

impl<C: Clock> Desk<C> {
    async fn answer(&self, request: &Request) -> Reply {
        if *request == Request::Reload {
            return self.reload().await;
        }
        let Some(status) = self.status().await else { return gone() };
        match orders(request, &status) {
            Err(words) => Reply::refused(words),
            Ok(None) => {
                let report = Report::of(&status, self.clock.now(), std::process::id());
                Reply { ok: true, lines: Vec::new(), status: Some(report) }
            }
            Ok(Some(_)) if status.stopping => Reply::refused(String::from("the daemon is stopping")),
            Ok(Some((order, said))) => {
                let sent = self.orders.send(Input::Order(order).into()).await;
                // The answer to a question that comes after it says that it was carried out.
                match (sent, self.status().await) {
                    (Ok(()), Some(_)) => Reply::done(said),
                    (Ok(()) | Err(_), _) => gone(),
                }
            }
        }
    }

    async fn status(&self) -> Option<Status> {
        let (ask, answer) = oneshot::channel();
        self.orders.send(Wanted::Status(ask)).await.ok()?;
        answer.await.ok()
    }

    async fn reload(&self) -> Reply {
        let (ask, answer) = oneshot::channel();
        if self.reload.send(ask).await.is_err() {
            return gone();
        }
        match answer.await {
            Ok(Reloaded { ok, lines }) => Reply { ok, lines, status: None },
            Err(_) => gone(),
        }
    }
}

fn gone() -> Reply {
    Reply::refused(String::from("the daemon is stopping"))
}
