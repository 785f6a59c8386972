//! The TCP proxy: accepts, dials, relays, as `core::session` decides.

mod counts;
mod local;
mod relay;
mod serve;
pub mod tcplog;
mod threads;

pub use local::{Local, OBSERVE_EVERY};
pub use relay::SCRATCH;
pub use threads::{MAX_ORDERS, Threads};

use standfast_core::balance::view::PoolView;
use standfast_core::config::model::FrontendConfig;
use standfast_core::id::{PoolId, Ticket};
use standfast_core::input::Input;
use std::future::Future;
use std::sync::Arc;

/// The data plane as the driver sees it: worker threads in production, local tasks under simulation.
pub trait DataPlane: 'static {
    /// Opens or closes a listening side; answered by `Input::Done`. Opening one that is open already under the same
    /// id replaces its configuration and keeps the sockets of unchanged addresses. Closing it keeps its
    /// connections.
    fn listen(&mut self, ticket: Ticket, frontend: Arc<FrontendConfig>, open: bool);
    /// Replaces the view of a pool.
    fn publish(&mut self, pool: PoolId, view: Option<Arc<PoolView>>);
    /// The next answer or observation; cancel safe.
    fn next(&mut self) -> impl Future<Output = Input<'static>>;
}
