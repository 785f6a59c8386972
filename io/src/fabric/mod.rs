//! The streams that checks and the proxy use: tokio's in production, turmoil's under simulation.
//!
//! Monomorphised twice, no boxed futures. Time needs no seam: `tokio::time` is paused and driven by the simulator.

mod linux;

pub use linux::TokioFabric;

use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use standfast_core::config::model::Bind;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Sockets for checks and the proxy.
pub trait Fabric: Clone + 'static {
    /// A connected byte stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// A listening socket.
    type Listener: 'static;

    /// Listens at `bind`. Linux: `SO_REUSEPORT`, `IP_FREEBIND` when asked for.
    fn listen(&self, bind: &Bind) -> impl Future<Output = io::Result<Self::Listener>>;
    /// Accepts the next connection; cancel safe.
    fn accept(
        &self,
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>>;
    /// Connects to `to`; the time-out is the caller's.
    fn connect(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;
    /// Our own end of `stream`.
    fn local(&self, stream: &Self::Stream) -> io::Result<SocketAddr>;
    /// Makes the coming drop of `stream` send a reset instead of an orderly end.
    fn reset_on_drop(&self, stream: &Self::Stream);
    /// The date by which certificates are judged: the system's, unless the fabric is simulated.
    fn date(&self) -> Arc<dyn TimeProvider> {
        Arc::new(DefaultTimeProvider)
    }
}
