//! One client connection's policy: which server, retry or redispatch, which time-out, when to refuse, how it ended.
//!
//! Sans-IO: the engine feeds what happened with the time at which it did, and carries out the one [`Step`] that
//! comes back. Nothing is allocated per event. The engine moves the bytes; this machine only hears how many.
//!
//! Retries and redispatch as haproxy 2.6 does them; half close is kept: an end is passed on once its data is
//! flushed, and the other direction goes on until its own end or time-out. Invariant: after [`Step::Finish`] every
//! further event gives [`Step::None`].

mod report;
mod timeouts;

pub use report::{Cause, Code, Phase, Report};

use crate::balance::pick::{Ask, Picker};
use crate::balance::view::{PoolView, ServerView};
use crate::config::model::Redispatch;
use crate::id::ServerId;
use crate::time::Time;
use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;
use timeouts::Traffic;

/// The longest pause before the same server is tried again; `timeout connect` may make it shorter.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// One of the two ends of a proxied connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connected to us.
    Client,
    /// Whom we connected to.
    Server,
}

impl Side {
    /// The opposite end.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// Why a connect did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// Refused, or reset before it was established.
    Refused,
    /// No answer in time.
    TimedOut,
    /// This host has nothing left to connect with: descriptors, memory, local ports. No server's fault.
    Resources,
    /// Anything else: unreachable.
    Other,
}

/// What happened to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client was accepted; choose a server.
    Start,
    /// The server answered the connect.
    Connected,
    /// The connect failed.
    ConnectFailed(ConnectError),
    /// The moment that [`Session::deadline`] named may have passed; too early is harmless.
    Deadline,
    /// So many bytes came from `0`.
    Read(Side, usize),
    /// So many bytes were taken by `0`.
    Wrote(Side, usize),
    /// `0` sent its end, and all its data is flushed to the other side.
    Eof(Side),
    /// `0` reset the connection, or it broke.
    Reset(Side),
    /// The server was marked down and its connections must end (`on-marked-down shutdown-sessions`).
    ServerGone,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on.
    None,
    /// Connect to this server; the time-out is the session's own, see [`Session::deadline`].
    Connect {
        /// Whom.
        server: ServerId,
        /// Where.
        address: SocketAddr,
    },
    /// Hold no connection to a server until the deadline.
    Pause,
    /// Both sides are there: move bytes.
    Relay,
    /// Pass the end on to this side.
    ShutdownWrite(Side),
    /// Close both sides; [`Session::report`] tells the rest.
    Finish {
        /// The client sees a reset rather than an orderly end.
        reset_client: bool,
        /// The same for the server.
        reset_server: bool,
    },
}

/// The pool of the connection as it stands now, with the state of its round.
#[derive(Debug)]
pub struct Choice<'a> {
    /// The newest view.
    pub view: &'a PoolView,
    /// Whose turn it is.
    pub picker: &'a mut Picker,
    /// What else the choice may look at: the client's address, the servers' load.
    pub ask: Ask<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    /// `until` is the end of `timeout connect`.
    Connecting {
        until: Option<Time>,
    },
    /// Before the next try; `again` is the server unless a new choice is made.
    Pausing {
        until: Time,
        again: Option<ServerId>,
    },
    Relaying,
    Finished,
}

/// The server of the present try.
#[derive(Clone, Debug)]
struct Assigned {
    id: ServerId,
    name: Arc<str>,
}

/// One client connection.
#[derive(Debug)]
pub struct Session {
    state: State,
    started: Time,
    /// When the server was chosen that is tried last.
    assigned_at: Option<Time>,
    connected_at: Option<Time>,
    ended_at: Option<Time>,
    server: Option<Assigned>,
    retries: u32,
    redispatched: bool,
    traffic: Traffic,
    code: Code,
    /// `timeout connect` of the newest view seen.
    connect_within: Option<Duration>,
}

impl Session {
    /// A connection accepted at `now` by a listening side with this `timeout client`.
    #[must_use]
    pub fn new(now: Time, client: Option<Duration>) -> Session {
        Session {
            state: State::New,
            started: now,
            assigned_at: None,
            connected_at: None,
            ended_at: None,
            server: None,
            retries: 0,
            redispatched: false,
            traffic: Traffic::new(now, client),
            code: Code::NORMAL,
            connect_within: None,
        }
    }

    /// Feeds one event. `choice` is the pool as it stands now; `None` when there is no pool (any more).
    pub fn on(&mut self, now: Time, event: Event, choice: Option<Choice<'_>>) -> Step {
        match (self.state, event) {
            (State::Finished, _) => Step::None,
            (State::New, Event::Start) => self.assign(now, choice, None),
            (State::Connecting { .. }, Event::Connected) => {
                self.state = State::Relaying;
                self.connected_at = Some(now);
                self.traffic.connected(now);
                Step::Relay
            }
            (State::Connecting { .. }, Event::ConnectFailed(error)) => self.retry(now, error, choice),
            (_, Event::Deadline) => self.on_deadline(now, choice),
            (State::Relaying, Event::Eof(side)) => {
                if self.traffic.ended(now, side) {
                    self.finish(now, Code::NORMAL, [false, false])
                } else {
                    Step::ShutdownWrite(side.other())
                }
            }
            (State::Relaying, Event::Reset(side)) => {
                let cause = match side {
                    Side::Client => Cause::Client,
                    Side::Server => Cause::Server,
                };
                // haproxy ends the client orderly when the server resets. A stream cut short must not look like a
                // whole one, so the reset is passed on both ways.
                self.finish(now, Code { cause, phase: Phase::Data }, [true, true])
            }
            (State::Connecting { .. } | State::Pausing { .. }, Event::Reset(Side::Client)) => {
                self.finish(now, Code { cause: Cause::Client, phase: Phase::Connect }, [true, true])
            }
            (State::Relaying, Event::ServerGone) => {
                self.finish(now, Code { cause: Cause::Down, phase: Phase::None }, [true, true])
            }
            (_, Event::Read(side, bytes)) => {
                self.traffic.read(now, side, bytes);
                Step::None
            }
            (_, Event::Wrote(side, bytes)) => {
                self.traffic.wrote(now, side, bytes);
                Step::None
            }
            // What comes too late for its state says nothing: an end while connecting is told again once relaying;
            // a try at a server that was marked down ends by itself.
            (
                State::New | State::Connecting { .. } | State::Pausing { .. } | State::Relaying,
                Event::Start
                | Event::Connected
                | Event::ConnectFailed(_)
                | Event::Eof(_)
                | Event::Reset(_)
                | Event::ServerGone,
            ) => Step::None,
        }
    }

    /// When to feed [`Event::Deadline`].
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            State::New | State::Finished => None,
            State::Connecting { until } => until,
            State::Pausing { until, .. } => Some(until),
            State::Relaying => self.traffic.deadline().map(|(at, _)| at),
        }
    }

    /// What the log line needs; complete once the session is finished.
    #[must_use]
    pub fn report(&self) -> Report {
        let since_start = |at: Option<Time>| at.map(|at| at.since(self.started));
        let waited = since_start(self.assigned_at);
        Report {
            server: self.server.as_ref().map(|s| (s.id, s.name.clone())),
            code: self.code,
            waited,
            connect: self.connected_at.zip(self.assigned_at).map(|(up, asked)| up.since(asked)),
            total: since_start(self.ended_at).unwrap_or_default(),
            from_client: self.traffic.bytes(Side::Client),
            from_server: self.traffic.bytes(Side::Server),
            to_client: self.traffic.taken(Side::Client),
            retries: self.retries,
            redispatched: self.redispatched,
        }
    }

    fn on_deadline(&mut self, now: Time, choice: Option<Choice<'_>>) -> Step {
        match self.state {
            State::New | State::Finished => Step::None,
            State::Connecting { until } if until.is_some_and(|until| until <= now) => {
                self.retry(now, ConnectError::TimedOut, choice)
            }
            State::Pausing { until, again } if until <= now => self.assign_again(now, choice, again),
            State::Relaying => match self.traffic.deadline() {
                Some((at, side)) if at <= now => {
                    let cause = match side {
                        Side::Client => Cause::ClientTimeout,
                        Side::Server => Cause::ServerTimeout,
                    };
                    // Like haproxy: the client sees an end, the server a reset, which frees the port at once.
                    self.finish(now, Code { cause, phase: Phase::Data }, [false, true])
                }
                Some(_) | None => Step::None,
            },
            State::Connecting { .. } | State::Pausing { .. } => Step::None,
        }
    }

    /// Chooses a server, not `last` if another can be had.
    fn assign(&mut self, now: Time, choice: Option<Choice<'_>>, last: Option<ServerId>) -> Step {
        let Some(Choice { view, picker, ask }) = choice else { return self.refuse(now) };
        self.traffic.set_server_timeout(view.server);
        self.connect_within = view.connect;
        let picked = picker.pick(view, &Ask { exclude: last, ..ask });
        let picked = picked.or_else(|| last.and_then(|_| picker.pick(view, &ask)));
        let Some(server) = picked.and_then(|at| view.servers.get(at)) else { return self.refuse(now) };
        if last.is_some_and(|last| last != server.id) {
            self.redispatched = true;
        }
        self.assigned_at = Some(now);
        self.server = Some(Assigned { id: server.id, name: server.name.clone() });
        self.connect(now, server)
    }

    /// Tries `again` once more, or chooses anew when there is none or it left the pool.
    fn assign_again(&mut self, now: Time, choice: Option<Choice<'_>>, again: Option<ServerId>) -> Step {
        let last = self.server.as_ref().map(|s| s.id);
        if let (Some(again), Some(choice)) = (again, &choice)
            && let Some(server) = choice.view.servers.iter().find(|s| s.id == again)
        {
            self.connect_within = choice.view.connect;
            return self.connect(now, server);
        }
        self.assign(now, choice, last)
    }

    fn connect(&mut self, now: Time, server: &ServerView) -> Step {
        self.state = State::Connecting { until: self.connect_within.map(|within| now + within) };
        Step::Connect { server: server.id, address: server.address }
    }

    /// A connect failed: the same server, another one, or the end.
    fn retry(&mut self, now: Time, error: ConnectError, choice: Option<Choice<'_>>) -> Step {
        let Some(view) = choice.as_ref().map(|c| c.view) else { return self.give_up(now, error) };
        // As haproxy: what this host lacks it would lack for every server.
        if self.retries >= view.retries || error == ConnectError::Resources {
            return self.give_up(now, error);
        }
        self.retries += 1;
        let last = self.server.as_ref().map(|s| s.id);
        let active = view.servers.iter().filter(|s| s.usable && !s.backup).count();
        let choose_anew = match view.redispatch {
            Redispatch::Never => false,
            Redispatch::Last if self.retries == view.retries => true,
            Redispatch::Every(every) if every > 0 && self.retries.is_multiple_of(every) => true,
            // Round robin with a choice, or a server that went down meanwhile: at once, whatever the interval says.
            Redispatch::Last | Redispatch::Every(_) => {
                (active > 1 && view.algorithm.takes_turns()) || !is_usable(view, last)
            }
        };
        let again = if choose_anew { None } else { last };
        // A time-out was pause enough. An error would most likely come again at once from the same server.
        let pause = match error {
            ConnectError::TimedOut | ConnectError::Resources => None,
            ConnectError::Refused | ConnectError::Other if choose_anew && active > 1 => None,
            ConnectError::Refused | ConnectError::Other => {
                Some(view.connect.map_or(RETRY_PAUSE, |within| within.min(RETRY_PAUSE)))
            }
        };
        match pause {
            Some(pause) => {
                self.state = State::Pausing { until: now + pause, again };
                Step::Pause
            }
            None => self.assign_again(now, choice, again),
        }
    }

    fn give_up(&mut self, now: Time, error: ConnectError) -> Step {
        let cause = match error {
            ConnectError::TimedOut => Cause::ServerTimeout,
            ConnectError::Resources => Cause::Resources,
            ConnectError::Refused | ConnectError::Other => Cause::Server,
        };
        self.finish(now, Code { cause, phase: Phase::Connect }, [true, true])
    }

    /// Nobody can serve. haproxy ends such a connection orderly; ours is reset, so that clients fail fast instead
    /// of taking an empty answer for one.
    fn refuse(&mut self, now: Time) -> Step {
        self.server = None;
        self.assigned_at = None;
        self.finish(now, Code { cause: Cause::Server, phase: Phase::Connect }, [true, true])
    }

    fn finish(&mut self, now: Time, code: Code, [reset_client, reset_server]: [bool; 2]) -> Step {
        self.state = State::Finished;
        self.code = code;
        self.ended_at = Some(now);
        Step::Finish { reset_client, reset_server }
    }
}

fn is_usable(view: &PoolView, server: Option<ServerId>) -> bool {
    view.servers.iter().any(|s| Some(s.id) == server && s.usable)
}

#[cfg(test)]
mod tests;
