//! `balance` and `hash-type`, as the model holds them.

use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// `balance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// `roundrobin`: smooth, weighted.
    #[default]
    RoundRobin,
    /// `static-rr`: over a fixed map.
    StaticRr,
    /// `leastconn`: the fewest connections for its weight.
    LeastConn,
    /// `source`: by a hash of the client's address.
    Source(HashType),
    /// `random(N)`: the less loaded of N drawn servers.
    Random {
        /// N, from 1 on.
        draws: u8,
    },
}

impl Algorithm {
    /// As the native file writes it: `roundrobin`, `source consistent`, `random(2)`.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Algorithm::RoundRobin => "roundrobin".into(),
            Algorithm::StaticRr => "static-rr".into(),
            Algorithm::LeastConn => "leastconn".into(),
            Algorithm::Source(HashType::MapBased) => "source".into(),
            Algorithm::Source(HashType::Consistent) => "source consistent".into(),
            Algorithm::Random { draws } => format!("random({draws})"),
        }
    }

    /// What [`Algorithm::words`] writes, read again.
    #[must_use]
    pub fn from_words(text: &str) -> Option<Algorithm> {
        match text {
            "roundrobin" => Some(Algorithm::RoundRobin),
            "static-rr" => Some(Algorithm::StaticRr),
            "leastconn" => Some(Algorithm::LeastConn),
            "source" => Some(Algorithm::Source(HashType::MapBased)),
            "source consistent" => Some(Algorithm::Source(HashType::Consistent)),
            other => {
                let draws = other.strip_prefix("random(")?.strip_suffix(')')?.parse().ok()?;
                (draws > 0).then_some(Algorithm::Random { draws })
            }
        }
    }

    /// One of the round-robin kinds: the next pick is another server anyway, so a retry need not wait (haproxy 3.8).
    #[must_use]
    pub fn takes_turns(self) -> bool {
        match self {
            Algorithm::RoundRobin | Algorithm::StaticRr | Algorithm::Random { .. } => true,
            Algorithm::LeastConn | Algorithm::Source(_) => false,
        }
    }
}

/// `hash-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HashType {
    /// `map-based`: even, and nearly all clients move when a server comes or goes.
    #[default]
    MapBased,
    /// `consistent`: only the clients of that server move.
    Consistent,
}
