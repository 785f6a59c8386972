//! Bytes and silence of both sides: `timeout client` and `timeout server` as inactivity.
//!
//! Any byte that comes from a side or is taken by it refreshes that side. A side is only waited for while something
//! is expected of it: its next byte (it has not ended, and we are reading it), or that it takes what is pending for
//! it. So a client that has ended is not timed out while the server is silent: the server is.

use super::Side;
use crate::time::Time;
use core::time::Duration;

#[derive(Clone, Copy, Debug)]
struct End {
    within: Option<Duration>,
    last: Time,
    /// Came from it.
    read: u64,
    /// Taken by it.
    wrote: u64,
    ended: bool,
}

/// Both sides' bytes and clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    client: End,
    server: End,
}

impl Traffic {
    pub(crate) fn new(now: Time, client: Option<Duration>) -> Traffic {
        let end = |within| End { within, last: now, read: 0, wrote: 0, ended: false };
        Traffic { client: end(client), server: end(None) }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    pub(crate) fn set_server_timeout(&mut self, within: Option<Duration>) {
        self.server.within = within;
    }

    /// The server is there: both clocks start anew.
    pub(crate) fn connected(&mut self, now: Time) {
        self.client.last = now;
        self.server.last = now;
    }

    pub(crate) fn read(&mut self, now: Time, from: Side, bytes: usize) {
        let end = self.end(from);
        end.read = end.read.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        end.last = now;
    }

    pub(crate) fn wrote(&mut self, now: Time, to: Side, bytes: usize) {
        let end = self.end(to);
        end.wrote = end.wrote.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        end.last = now;
        if !self.is_blocked(to) {
            // Reading the other side goes on from now: it could not speak before.
            self.end(to.other()).last = now;
        }
    }

    /// `side` has ended; are both?
    pub(crate) fn ended(&mut self, now: Time, side: Side) -> bool {
        let end = self.end(side);
        end.ended = true;
        end.last = now;
        self.client.ended && self.server.ended
    }

    /// Has `to` not taken all that came for it?
    fn is_blocked(&self, to: Side) -> bool {
        match to {
            Side::Client => self.server.read > self.client.wrote,
            Side::Server => self.client.read > self.server.wrote,
        }
    }

    fn due(&self, side: Side) -> Option<Time> {
        let end = match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        };
        let speaks = !end.ended && !self.is_blocked(side.other());
        (speaks || self.is_blocked(side)).then_some(())?;
        end.within.map(|within| end.last + within)
    }

    /// When the first of the sides has been silent for too long; the client on a tie, as haproxy has it.
    pub(crate) fn deadline(&self) -> Option<(Time, Side)> {
        let client = self.due(Side::Client).map(|at| (at, Side::Client));
        let server = self.due(Side::Server).map(|at| (at, Side::Server));
        match (client, server) {
            (Some(client), Some(server)) => Some(if server.0 < client.0 { server } else { client }),
            (one, other) => one.or(other),
        }
    }

    /// Bytes that came from `side`.
    pub(crate) fn bytes(&self, side: Side) -> u64 {
        match side {
            Side::Client => self.client.read,
            Side::Server => self.server.read,
        }
    }

    /// Bytes that `side` took.
    pub(crate) fn taken(&self, side: Side) -> u64 {
        match side {
            Side::Client => self.client.wrote,
            Side::Server => self.server.wrote,
        }
    }
}
