//! What the data plane knows of a pool: an immutable picture that the core replaces whole.

use crate::config::model::{Algorithm, Redispatch};
use crate::id::{PoolId, ServerId};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A pool as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolView {
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    pub name: Arc<str>,
    /// Grows with every change.
    pub version: u64,
    /// How to pick.
    pub algorithm: Algorithm,
    /// `option allbackups`: all usable backups serve when no active server is usable, not only the first.
    pub all_backups: bool,
    /// All servers, in the file's order, usable or not.
    pub servers: Vec<ServerView>,
    /// Connect retries after the first try (`retries`).
    pub retries: u32,
    /// `option redispatch`.
    pub redispatch: Redispatch,
    /// `timeout connect`; `None` is for ever.
    pub connect: Option<Duration>,
    /// `timeout server`; `None` is for ever.
    pub server: Option<Duration>,
}

/// A server as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// The server.
    pub id: ServerId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Effective weight: 16 per unit of configured weight, less during slow start; 0 takes no new connection.
    pub weight: u32,
    /// May take new connections.
    pub usable: bool,
    /// Only when no other is usable.
    pub backup: bool,
    /// Existing connections must end now (`on-marked-down shutdown-sessions`).
    pub shutdown: bool,
}
