//! Streams for checks and the proxy: turmoil's TCP.
//!
//! What turmoil has not: resets on demand, binding to one of several addresses, descriptors.

use super::host::any;
use super::tls::SimTime;
use rustls::time_provider::TimeProvider;
use standfast_core::config::model::Bind;
use standfast_io::fabric::Fabric;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use turmoil::net::{TcpListener, TcpStream};

/// Turmoil's streams.
#[derive(Clone, Copy, Debug, Default)]
pub struct TurmoilFabric;

impl Fabric for TurmoilFabric {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen(&self, bind: &Bind) -> io::Result<TcpListener> {
        // A turmoil host has one address, so an address of ours is every address.
        TcpListener::bind((any(bind.at.is_ipv4()), bind.at.port())).await
    }

    async fn accept(&self, listener: &mut TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        listener.accept().await
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    fn local(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.local_addr()
    }

    fn reset_on_drop(&self, _stream: &TcpStream) {}

    fn date(&self) -> Arc<dyn TimeProvider> {
        Arc::new(SimTime)
    }
}
