//! Bidirectional forwarding detection, asynchronous mode, single hop (RFC 5880, RFC 5881): `bfd_instance`.
//!
//! [`Sessions`] finds the session that a packet is for, keeps its sockets asked for, and tells the virtual routers when
//! a session comes up or goes down; one session's state machine and timers are in `session`. Decides nothing about
//! priorities. Invariants: discriminators are unique and never zero; a session without a socket is Down. No echo
//! function, no authentication, and no demand mode of our own (keepalived has none of them either).

mod session;
mod status;

pub use status::{SessionCounters, SessionStatus};

use crate::action::BfdPath;
use crate::config::model::{BfdConfig, Config};
use crate::event::Event;
use crate::id::{BfdId, Ticket};
use crate::input::Errno;
use crate::outbox::Context;
use crate::rng::Rng;
use crate::timers::{BfdTimer, TimerKey};
use crate::wire::bfd::{BfdError, Control, State};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use session::Session;

/// Where control packets go (RFC 5881 section 4).
pub const PORT: u16 = 3784;
/// The lowest source port of control packets (RFC 5881 section 4).
pub const SOURCE_PORTS: u16 = 49_152;
/// The most complaints remembered as told; further ones are counted, but not told.
const MAX_COMPLAINTS: usize = 64;
/// The stream of random numbers that all sessions fork from.
const LABEL: u64 = 0x0BFD;

/// A datagram as the socket handed it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The sender.
    pub from: IpAddr,
    /// TTL or hop limit as received.
    pub hops: u8,
    /// The control packet; untrusted.
    pub payload: &'a [u8],
}

/// All sessions of a node.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sessions {
    all: BTreeMap<BfdId, Session>,
    /// Requests for sockets.
    tickets: BTreeMap<Ticket, BfdId>,
    told: BTreeSet<(IpAddr, BfdError)>,
    /// Packets that no session is for, by reason.
    strays: BTreeMap<BfdError, u64>,
    rng: Rng,
}

impl Sessions {
    /// Asks for the sockets of every session of `config`; all are Down.
    pub(crate) fn new(config: &Config, rng: &Rng, cx: &mut Context<'_>) -> Sessions {
        let mut sessions = Sessions {
            all: BTreeMap::new(),
            tickets: BTreeMap::new(),
            told: BTreeSet::new(),
            strays: BTreeMap::new(),
            rng: rng.fork(LABEL),
        };
        for config in config.sessions.values() {
            sessions.add(cx, config);
        }
        sessions
    }

    fn add(&mut self, cx: &mut Context<'_>, config: &Arc<BfdConfig>) {
        let mut rng = self.rng.fork(u64::from(config.id.0));
        let mut discriminator = 0;
        while discriminator == 0 || self.all.values().any(|other| other.discriminator() == discriminator) {
            discriminator = u32::try_from(rng.next_u64() >> 32).unwrap_or(1);
        }
        let mut session = Session::new(config.clone(), discriminator, rng, cx.now);
        self.tickets.insert(session.open(cx), config.id);
        self.all.insert(config.id, session);
    }

    /// A control packet (RFC 5880 section 6.8.6).
    pub(crate) fn on_datagram(&mut self, cx: &mut Context<'_>, datagram: &Datagram<'_>) {
        let judged = Control::parse(datagram.payload).and_then(|control| {
            let id = self.find(datagram.from, &control)?;
            Ok((id, control))
        });
        let (id, control) = match judged {
            Ok(found) => found,
            Err(error) => {
                let count = self.strays.entry(error).or_insert(0);
                *count = count.saturating_add(1);
                self.complain(cx, "", datagram.from, error);
                return;
            }
        };
        let Some(session) = self.all.get_mut(&id) else { return };
        let before = session.state();
        if let Err(error) = session.on_control(cx, datagram, &control) {
            let name = session.config.name.clone();
            self.complain(cx, &name, datagram.from, error);
        } else if session.state() != before {
            self.told.retain(|(from, _)| *from != datagram.from);
        }
    }

    /// The session of a packet: by our discriminator, or before the neighbour knows it, by its address.
    fn find(&self, from: IpAddr, control: &Control) -> Result<BfdId, BfdError> {
        if control.yours == 0 && !matches!(control.state, State::Down | State::AdminDown) {
            return Err(BfdError::YourDiscriminator);
        }
        let mut all = self.all.iter();
        let found = if control.yours == 0 {
            all.find(|(_, session)| session.config.to == from)
        } else {
            all.find(|(_, session)| session.discriminator() == control.yours)
        };
        found.map(|(id, _)| *id).ok_or(BfdError::NoSession)
    }

    fn complain(&mut self, cx: &mut Context<'_>, name: &str, from: IpAddr, error: BfdError) {
        if self.told.len() < MAX_COMPLAINTS && self.told.insert((from, error)) {
            cx.out.tell(Event::BfdRejected { name: Arc::from(name), from, error });
        }
    }

    /// A deadline has passed.
    pub(crate) fn on_timer(
        &mut self,
        cx: &mut Context<'_>,
        id: BfdId,
        timer: BfdTimer,
        due: crate::time::Time,
    ) {
        let Some(session) = self.all.get_mut(&id) else { return };
        match timer {
            BfdTimer::Transmit => session.on_transmit(cx),
            BfdTimer::Detect => session.on_detect(cx, due),
            BfdTimer::Open => {
                let ticket = session.open(cx);
                self.tickets.insert(ticket, id);
            }
        }
    }

    /// An answer; false when it is not to one of our requests.
    pub(crate) fn on_done(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) -> bool {
        let Some(id) = self.tickets.remove(&ticket) else { return false };
        if let Some(session) = self.all.get_mut(&id) {
            session.on_opened(cx, ticket, result);
        }
        true
    }

    /// A new configuration. Another neighbour or path is another session; other times are agreed on with the neighbour
    /// while the session stays up (section 6.8.3).
    pub(crate) fn configure(&mut self, cx: &mut Context<'_>, config: &Config) {
        let keeps = |session: &Session| {
            config.sessions.get(&session.config.id).is_some_and(|new| session.config.is_same_path(new))
        };
        let gone: Vec<BfdId> =
            self.all.iter().filter(|(_, session)| !keeps(session)).map(|(id, _)| *id).collect();
        for id in gone {
            self.remove(cx, id);
        }
        for new in config.sessions.values() {
            match self.all.get_mut(&new.id) {
                Some(session) => session.reconfigure(cx, new),
                None => self.add(cx, new),
            }
        }
    }

    fn remove(&mut self, cx: &mut Context<'_>, id: BfdId) {
        if let Some(mut session) = self.all.remove(&id) {
            session.close(cx);
            self.tickets.retain(|_, of| *of != id);
            cx.timers.retain(|key| !matches!(key, TimerKey::Bfd(of, _) if *of == id));
        }
    }

    /// Takes leave of every neighbour: the last step of a clean stop.
    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        let all: Vec<BfdId> = self.all.keys().copied().collect();
        for id in all {
            self.remove(cx, id);
        }
    }

    /// How the sessions stand.
    pub(crate) fn status(&self) -> Vec<SessionStatus> {
        self.all.values().map(Session::status).collect()
    }

    /// Which sessions have open sockets, and where.
    pub(crate) fn open(&self) -> BTreeMap<BfdId, BfdPath> {
        self.all.iter().filter_map(|(id, session)| Some((*id, session.path()?))).collect()
    }

    /// Packets that no session is for, by the name of their counter.
    pub(crate) fn strays(&self) -> BTreeMap<String, u64> {
        self.strays.iter().map(|(error, count)| (String::from(error.as_str()), *count)).collect()
    }

    /// What must hold after every input.
    pub(crate) fn check_invariants(&self) {
        let discriminators: BTreeSet<u32> = self.all.values().map(Session::discriminator).collect();
        debug_assert_eq!(discriminators.len(), self.all.len(), "two sessions with one discriminator");
        debug_assert!(!discriminators.contains(&0), "a session without a discriminator");
        self.all.values().for_each(Session::check_invariants);
    }
}

#[cfg(test)]
mod tests;
