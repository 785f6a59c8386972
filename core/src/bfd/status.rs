//! How sessions stand, for operators and invariants.

use super::session::Session;
use crate::id::BfdId;
use crate::time::Time;
use crate::wire::bfd::{Diagnostic, State};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How a session stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// Its id.
    pub id: BfdId,
    /// `bfd_instance NAME`.
    pub name: Arc<str>,
    /// Its neighbour.
    pub neighbor: IpAddr,
    /// Its state.
    pub state: State,
    /// Why it last left Up.
    pub diagnostic: Diagnostic,
    /// Since when it is in this state.
    pub since: Time,
    /// Our discriminator and the neighbour's; zero while that is unknown.
    pub discriminators: (u32, u32),
    /// Between two of our packets, before jitter.
    pub interval: Duration,
    /// Silence after which the neighbour counts as failed; `None` before it was heard.
    pub detection: Option<Duration>,
    /// What it has counted.
    pub counters: SessionCounters,
}

/// What a session counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCounters {
    /// Control packets sent.
    pub sent: u64,
    /// Control packets accepted.
    pub received: u64,
    /// Control packets discarded, by [`crate::wire::bfd::BfdError::as_str`].
    pub rejected: BTreeMap<String, u64>,
    /// How often it went Up.
    pub ups: u64,
}

impl Session {
    /// How it stands.
    pub(super) fn status(&self) -> SessionStatus {
        SessionStatus {
            id: self.config.id,
            name: self.config.name.clone(),
            neighbor: self.config.to,
            state: self.local.state,
            diagnostic: self.local.diagnostic,
            since: self.local.since,
            discriminators: (self.local.discriminator, self.remote.discriminator),
            interval: self.interval(),
            detection: self.detection(),
            counters: self.counters.clone(),
        }
    }
}
