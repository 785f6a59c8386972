//! How a connection ended: all that its log line tells of it, with haproxy's two-letter termination code.

use crate::id::ServerId;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

/// What ended a connection: the first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// `-`: both sides, orderly.
    Normal,
    /// `C`: the client reset it.
    Client,
    /// `S`: the server reset or refused it, or there was none.
    Server,
    /// `c`: the client was silent for too long.
    ClientTimeout,
    /// `s`: the server was.
    ServerTimeout,
    /// `D`: the server was marked down.
    Down,
    /// `R`: this host had no descriptors, memory or ports left.
    Resources,
    /// `K`: this daemon was told to.
    Killed,
}

/// In which phase it ended: the second letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `-`: after it, or none in particular.
    None,
    /// `C`: no server was connected yet.
    Connect,
    /// `D`: data was moving.
    Data,
}

/// The termination code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// First letter.
    pub cause: Cause,
    /// Second letter.
    pub phase: Phase,
}

impl Code {
    /// `--`.
    pub const NORMAL: Code = Code { cause: Cause::Normal, phase: Phase::None };
    /// `K-`.
    pub const KILLED: Code = Code { cause: Cause::Killed, phase: Phase::None };
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.cause {
            Cause::Normal => "-",
            Cause::Client => "C",
            Cause::Server => "S",
            Cause::ClientTimeout => "c",
            Cause::ServerTimeout => "s",
            Cause::Down => "D",
            Cause::Resources => "R",
            Cause::Killed => "K",
        })?;
        f.write_str(match self.phase {
            Phase::None => "-",
            Phase::Connect => "C",
            Phase::Data => "D",
        })
    }
}

/// All that a log line tells of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The last server tried; `None` when none was.
    pub server: Option<(ServerId, Arc<str>)>,
    /// How it ended.
    pub code: Code,
    /// From the start to the choice of the last server (`Tw`); `None` when there was none.
    pub waited: Option<Duration>,
    /// From that choice to the connection (`Tc`); `None` when there was none.
    pub connect: Option<Duration>,
    /// From the start to the end (`Tt`).
    pub total: Duration,
    /// Bytes read from the client.
    pub from_client: u64,
    /// Bytes read from the server.
    pub from_server: u64,
    /// Bytes the client took: what the line counts.
    pub to_client: u64,
    /// Connects after the first one.
    pub retries: u32,
    /// One of them went to another server.
    pub redispatched: bool,
}
