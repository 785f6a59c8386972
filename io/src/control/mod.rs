//! The local socket: what operators ask of a running daemon, one line of JSON each way.
//!
//! A client writes one [`Request`] and a line feed, reads one [`Reply`], and is done. Only root and the daemon's own
//! user are served (the file's mode, and the peer's credentials). [`Control`] takes the socket and serves; [`orders()`]
//! finds what names mean; [`Report`] is how the node stands. Everything is bounded: clients at once, octets of a
//! request, and the time that a client may take; the daemon's loop never waits for any of them.

mod orders;
mod report;
mod serve;
mod socket;

pub use orders::orders;
pub use report::{MasterReport, Report, RouterReport, ServerReport};
pub use serve::{CLIENT_TIME, Desk, MAX_CLIENTS, Reloaded};
pub use socket::{Control, DEFAULT_PATH, OpenError, default_path};

use serde::{Deserialize, Serialize};

/// The longest request, in bytes, its line feed not counted.
pub const MAX_REQUEST: usize = 4096;

/// What a client asks for: `{"do":"resign","router":"VI_1"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the node stands.
    Status,
    /// Read the files again.
    Reload,
    /// Hand a virtual router over and stay away.
    Resign {
        /// Its name.
        router: String,
    },
    /// Take part again.
    Rejoin {
        /// Its name.
        router: String,
    },
    /// No new connections to a server.
    Drain {
        /// `pool/server`, or its name where only one pool has it.
        server: String,
    },
    /// Connections to a server as its checks say.
    Ready {
        /// As above.
        server: String,
    },
    /// Another weight for a server.
    Weight {
        /// As above.
        server: String,
        /// 0..=256.
        weight: u16,
    },
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// It was done.
    pub ok: bool,
    /// What was done, or why it was not and what helps; a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// How the node stands, for [`Request::Status`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Report>,
}

impl Reply {
    /// Done, in these words.
    #[must_use]
    pub fn done(line: String) -> Reply {
        Reply { ok: true, lines: vec![line], status: None }
    }

    /// Not done, for this reason.
    #[must_use]
    pub fn refused(line: String) -> Reply {
        Reply { ok: false, lines: vec![line], status: None }
    }
}
