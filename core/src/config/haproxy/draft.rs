//! What is known of a section while the file is read: values as written, with their places, nothing resolved.
//!
//! A [`Draft`] is what `defaults` presets and a proxy may override; it is cloned at each section, hence small.

use super::check::Checks;
use super::server::Params;
use crate::config::finding::Span;
use crate::config::model::{Algorithm, Bind, HashType, LogTarget, Redispatch};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

/// A name somebody refers to.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) at: Span,
}

/// A value and the line that gave it.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) value: Duration,
    pub(super) at: Span,
}

/// What `defaults` presets and a proxy may override.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Where `mode http` was written, if that is the mode.
    pub(super) http: Option<Span>,
    pub(super) timeouts: Timeouts,
    pub(super) retries: u32,
    pub(super) redispatch: Redispatch,
    pub(super) balance: Balance,
    pub(super) max_connections: u32,
    pub(super) logging: Logging,
    pub(super) backend: Option<Named>,
    pub(super) checks: Checks,
    /// `default-server`.
    pub(super) server: Params,
    pub(super) disabled: bool,
    /// `option forwardfor`.
    pub(super) forward: Option<Span>,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft {
            http: None,
            timeouts: Timeouts::default(),
            retries: 3,
            redispatch: Redispatch::Never,
            balance: Balance::default(),
            max_connections: 0,
            logging: Logging::default(),
            backend: None,
            checks: Checks::default(),
            server: Params::default(),
            disabled: false,
            forward: None,
        }
    }
}

/// `balance`, `hash-type` and `option allbackups`, which may come in any order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    pub(super) named: Algorithm,
    pub(super) hash: HashType,
    pub(super) all_backups: bool,
}

impl Balance {
    /// The algorithm with the hash that was asked for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.named {
            Algorithm::Source(_) => Algorithm::Source(self.hash),
            other @ (Algorithm::RoundRobin
            | Algorithm::StaticRr
            | Algorithm::LeastConn
            | Algorithm::Random { .. }) => other,
        }
    }
}

/// `timeout ...`; `None` is for ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeouts {
    pub(super) connect: Option<Duration>,
    pub(super) client: Option<Timed>,
    pub(super) server: Option<Timed>,
    pub(super) check: Option<Duration>,
    pub(super) tunnel: Option<Timed>,
}

/// `log` and the options about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Logging {
    pub(super) targets: Arc<Vec<LogTarget>>,
    pub(super) format: LineFormat,
    pub(super) dont_log_null: bool,
}

/// Which line a finished session leaves.
#[derive(Clone, Debug, Default)]
pub(super) enum LineFormat {
    /// The short `Connect from` line.
    #[default]
    Short,
    /// `option tcplog`.
    Tcp,
    /// `option httplog`, written there.
    Http(Span),
}

/// Which kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyKind {
    Defaults,
    Frontend,
    Backend,
    Listen,
}

impl ProxyKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            ProxyKind::Defaults => "defaults",
            ProxyKind::Frontend => "frontend",
            ProxyKind::Backend => "backend",
            ProxyKind::Listen => "listen",
        }
    }

    /// Takes connections.
    pub(super) const fn listens(self) -> bool {
        matches!(self, ProxyKind::Frontend | ProxyKind::Listen)
    }

    /// Has servers.
    pub(super) const fn serves(self) -> bool {
        matches!(self, ProxyKind::Backend | ProxyKind::Listen)
    }
}

/// A proxy as read.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) kind: ProxyKind,
    pub(super) name: Arc<str>,
    /// Its name in its section line.
    pub(super) at: Span,
    /// The last line before the next section.
    pub(super) until: u32,
    pub(super) draft: Draft,
    pub(super) binds: Vec<(Bind, Span)>,
    pub(super) servers: Vec<Server>,
    /// An unconditional `use_backend`.
    pub(super) first: Option<Named>,
}

/// A `server` line as read.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: Arc<str>,
    pub(super) at: Span,
    pub(super) address: SocketAddr,
    pub(super) address_at: Span,
    pub(super) params: Params,
}
