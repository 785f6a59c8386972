//! The backends of a simulation: one port that answers clients, the old SSL hello, TLS and HTTPS.
//!
//! A TLS record or an SSL hello is told from a client's words by its first octet, as the laboratory's stand-in for an
//! API server does it. A backend that is down has no listener, so that its host refuses; one that hangs accepts and
//! says nothing. Lost power is the cluster's business.

use super::board::{Backend, Shared};
use super::client::WORDS;
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use turmoil::net::{TcpListener, TcpStream};

/// The longest request that is read.
const MAX_REQUEST: usize = 2_048;
/// The path that a healthy backend answers.
pub const HEALTH: &str = "/healthz";

/// Backend number `nth`, which listens at `at`.
///
/// # Errors
/// When it cannot listen.
pub async fn backend(board: Shared, nth: usize, at: SocketAddr, tls: Arc<ServerConfig>) -> turmoil::Result {
    let bell = board.borrow().backends[nth].bell.clone();
    let state = || board.borrow().backends[nth].state;
    let tls = TlsAcceptor::from(tls);
    loop {
        while state() == Backend::Down {
            bell.notified().await;
        }
        let listener = TcpListener::bind(at).await?;
        let mut talks = JoinSet::new();
        while state() != Backend::Down {
            tokio::select! { biased;
                () = bell.notified() => {}
                accepted = listener.accept() => {
                    let (stream, tls, state) = (accepted?.0, tls.clone(), state());
                    talks.spawn_local(async move {
                        if state == Backend::Hangs {
                            std::future::pending::<()>().await;
                        }
                        // The other side may go away at any time.
                        let _ = talk(stream, tls, state == Backend::Babbles).await;
                    });
                }
                Some(_) = talks.join_next() => {}
            }
        }
    }
}

async fn talk(mut stream: TcpStream, tls: TlsAcceptor, babbles: bool) -> io::Result<()> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(());
    }
    if first[0] == 0x16 || first[0] & 0x80 != 0 {
        answer(tls.accept(stream).await?, babbles).await
    } else {
        answer(stream, babbles).await
    }
}

/// Answers one request, or gives a client's words back, and closes.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, babbles: bool) -> io::Result<()> {
    let mut heard = Vec::new();
    let mut chunk = [0; 512];
    while heard.len() < MAX_REQUEST {
        let length = stream.read(&mut chunk).await?;
        heard.extend_from_slice(&chunk[..length]);
        let http = heard.starts_with(b"GET ");
        let whole = if http { heard.ends_with(b"\r\n\r\n") } else { heard.len() >= WORDS };
        if length == 0 || whole {
            break;
        }
    }
    if heard.starts_with(b"GET ") {
        let good = heard.starts_with(format!("GET {HEALTH} ").as_bytes());
        let status = if good { "200 OK" } else { "404 Not Found" };
        heard = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes();
    }
    if babbles {
        heard.reverse();
    }
    stream.write_all(&heard).await?;
    stream.shutdown().await
}
