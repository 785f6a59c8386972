//! The production fabric: tokio's TCP with the socket options that Linux has and the simulator has not.

use super::Fabric;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use standfast_core::config::model::Bind;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// The longest queue of connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// Tokio's TCP streams on Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioFabric;

impl Fabric for TokioFabric {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, bind: &Bind) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(bind.at), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        // Each worker thread has a socket of its own on the same address.
        socket.set_reuse_port(true)?;
        if bind.at.is_ipv6() {
            socket.set_only_v6(!bind.both_families)?;
            if bind.free {
                socket.set_freebind_v6(true)?;
            }
        } else if bind.free {
            socket.set_freebind_v4(true)?;
        }
        if let Some(interface) = &bind.interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.bind(&bind.at.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }

    async fn accept(&self, listener: &mut TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, from) = listener.accept().await?;
        // A client that has gone already is no failure of accepting.
        let _ = stream.set_nodelay(true);
        Ok((stream, from))
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn local(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.local_addr()
    }

    fn reset_on_drop(&self, stream: &TcpStream) {
        // A refusal leaves an orderly end in place of the reset: nothing to be done about it.
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    }
}
