//! A BFD session in the model: `bfd_instance`, `[[bfd]]`.
//!
//! Data only; every number is in range. What is done with it is decided by `crate::bfd`.

use crate::id::BfdId;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A BFD session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdConfig {
    /// Its id.
    pub id: BfdId,
    /// `bfd_instance NAME`.
    pub name: Arc<str>,
    /// `neighbor_ip`.
    pub to: IpAddr,
    /// `source_ip`; `None` lets the kernel choose.
    pub from: Option<IpAddr>,
    /// `ttl`, `hoplimit`: what is sent with, at least 1.
    pub hops: u8,
    /// `max_hops`: what arrives may have so much less than `hops`; 255 accepts anything.
    pub max_hops: u8,
    /// How often, and how many losses are borne.
    pub timing: BfdTiming,
    /// `passive`: silent until the neighbour speaks.
    pub passive: bool,
}

impl BfdConfig {
    /// The most sessions of a configuration.
    pub const MAX_SESSIONS: usize = 1024;

    /// Whether it goes the same way as `other`, so that the session can stay.
    #[must_use]
    pub fn is_same_path(&self, other: &BfdConfig) -> bool {
        let path = |config: &BfdConfig| (config.to, config.from, config.hops, config.max_hops);
        path(self) == path(other)
    }
}

/// The times of a BFD session (RFC 5880 section 6.8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdTiming {
    /// `min_tx`: desired between two packets of ours while Up, 1 ms to 4294.967 s.
    pub min_tx: Duration,
    /// `min_rx`: required between two packets of the neighbour.
    pub min_rx: Duration,
    /// `idle_tx`: between two packets of ours while not Up, at least 1 s.
    pub idle_tx: Duration,
    /// `multiplier`: packets of ours whose loss means failure, at least 1.
    pub multiplier: u8,
}
