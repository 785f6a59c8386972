//! One session: the state machine of RFC 5880 section 6.2, its timers (6.8.2 to 6.8.4), reception (6.8.6) and
//! transmission (6.8.7).
//!
//! What the neighbour last said is in `Remote`, and is forgotten with it after a detection time of silence. A change of
//! our times takes effect as section 6.8.3 says: with the Poll sequence's end when it would otherwise outpace what the
//! neighbour knows. Every change of what a packet would say is sent at once.

use super::status::SessionCounters;
use super::{Datagram, PORT, SOURCE_PORTS};
use crate::action::{Action, BfdPath};
use crate::config::model::BfdConfig;
use crate::event::Event;
use crate::id::Ticket;
use crate::input::Errno;
use crate::outbox::{Context, Signal};
use crate::rng::Rng;
use crate::time::Time;
use crate::timers::{BfdTimer, TimerKey};
use crate::wire::bfd::{BfdError, Control, Diagnostic, Flags, State};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How long after a refusal the sockets are asked for again.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// A node that wakes up later than this part of an interval has overslept: less than the jitter that every packet has.
const LATE: u32 = 4;

/// One session.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) config: Arc<BfdConfig>,
    pub(super) local: Local,
    pub(super) remote: Remote,
    pub(super) counters: SessionCounters,
    socket: Socket,
    rng: Rng,
}

/// Our own state variables (section 6.8.1).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Local {
    pub(super) discriminator: u32,
    pub(super) state: State,
    pub(super) diagnostic: Diagnostic,
    pub(super) since: Time,
    /// `bfd.DesiredMinTxInterval`.
    tx: Agreed,
    /// `bfd.RequiredMinRxInterval`.
    rx: Agreed,
    /// A Poll sequence is under way.
    polling: bool,
    /// When the last packet left.
    sent: Time,
    /// Detection was put off once, since this node overslept.
    put_off: bool,
}

/// A time that the neighbour is told of before it holds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Agreed {
    told: Duration,
    holds: Duration,
}

/// What the neighbour last said (section 6.8.1).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Remote {
    pub(super) discriminator: u32,
    state: State,
    demand: bool,
    multiplier: u8,
    desired_tx: Duration,
    required_rx: Duration,
}

impl Default for Remote {
    fn default() -> Remote {
        Remote {
            discriminator: 0,
            state: State::Down,
            demand: false,
            multiplier: 0,
            desired_tx: Duration::ZERO,
            required_rx: Duration::from_micros(1),
        }
    }
}

/// Whether it can send and hear.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Socket {
    asked: Option<Ticket>,
    open: bool,
    refused: Option<Errno>,
    /// What was asked for last.
    path: Option<BfdPath>,
}

impl Session {
    pub(super) fn new(config: Arc<BfdConfig>, discriminator: u32, rng: Rng, now: Time) -> Session {
        let (tx, rx) = (config.timing.idle_tx, config.timing.min_rx);
        Session {
            local: Local {
                discriminator,
                state: State::Down,
                diagnostic: Diagnostic::NONE,
                since: now,
                tx: Agreed { told: tx, holds: tx },
                rx: Agreed { told: rx, holds: rx },
                polling: false,
                sent: now,
                put_off: false,
            },
            remote: Remote::default(),
            counters: SessionCounters::default(),
            socket: Socket::default(),
            rng,
            config,
        }
    }

    pub(super) fn discriminator(&self) -> u32 {
        self.local.discriminator
    }

    pub(super) fn state(&self) -> State {
        self.local.state
    }

    fn key(&self, timer: BfdTimer) -> TimerKey {
        TimerKey::Bfd(self.config.id, timer)
    }

    /// Asks for the sockets, from a source port drawn anew: the last one may be taken.
    pub(super) fn open(&mut self, cx: &mut Context<'_>) -> Ticket {
        let ticket = cx.out.ticket();
        let ports = u64::from(u16::MAX - SOURCE_PORTS) + 1;
        let port = SOURCE_PORTS + u16::try_from(self.rng.below(ports)).unwrap_or(0);
        let config = &self.config;
        let path = BfdPath { from: config.from, port, to: config.to, hops: config.hops };
        cx.out.act(Action::Bfd { ticket, session: config.id, open: Some(path) });
        self.socket.asked = Some(ticket);
        self.socket.path = Some(path);
        ticket
    }

    /// The host's answer.
    pub(super) fn on_opened(&mut self, cx: &mut Context<'_>, ticket: Ticket, result: Result<(), Errno>) {
        if self.socket.asked != Some(ticket) {
            return;
        }
        self.socket.asked = None;
        match result {
            Ok(()) => {
                self.socket.open = true;
                self.socket.refused = None;
                self.transmit_soon(cx);
            }
            Err(errno) => {
                if self.socket.refused != Some(errno) {
                    self.socket.refused = Some(errno);
                    cx.out.tell(Event::Refused { what: self.words(), errno });
                }
                cx.timers.arm(self.key(BfdTimer::Open), cx.now + RETRY);
            }
        }
    }

    fn words(&self) -> String {
        let config = &self.config;
        let from = config.from.map(|from| format!(" from {from}")).unwrap_or_default();
        format!("bfd_instance {}: UDP port {PORT}{from} towards {}", config.name, config.to)
    }

    /// Takes leave: the neighbour need not wait for a detection time (section 6.8.16).
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        if self.socket.open {
            self.local.diagnostic = Diagnostic::ADMINISTRATIVE;
            self.enter(cx, State::AdminDown);
            let ticket = cx.out.ticket();
            cx.out.act(Action::Bfd { ticket, session: self.config.id, open: None });
        } else if self.socket.asked.take().is_some() {
            let ticket = cx.out.ticket();
            cx.out.act(Action::Bfd { ticket, session: self.config.id, open: None });
        }
        self.socket = Socket::default();
    }

    /// Takes over other times, or another name.
    pub(super) fn reconfigure(&mut self, cx: &mut Context<'_>, config: &Arc<BfdConfig>) {
        if *self.config == **config {
            return;
        }
        self.config = config.clone();
        self.set_times();
        self.transmit_soon(cx);
    }

    /// The times that belong to the state: the idle one unless Up (section 6.8.3 asks for a second at least).
    fn set_times(&mut self) {
        let timing = &self.config.timing;
        let up = self.local.state == State::Up;
        let (tx, rx) = (if up { timing.min_tx } else { timing.idle_tx }, timing.min_rx);
        if self.local.tx.told == tx && self.local.rx.told == rx {
            return;
        }
        self.local.tx.told = tx;
        self.local.rx.told = rx;
        self.local.polling = true;
        // Faster sending and slower listening hold at once; the reverse when the neighbour has answered.
        if !up || tx < self.local.tx.holds {
            self.local.tx.holds = tx;
        }
        if !up || rx > self.local.rx.holds {
            self.local.rx.holds = rx;
        }
    }

    /// From where to where it is open, if it is.
    pub(super) fn path(&self) -> Option<BfdPath> {
        self.socket.path.filter(|_| self.socket.open)
    }

    /// Between two packets of ours, before jitter (section 6.8.2).
    pub(super) fn interval(&self) -> Duration {
        self.local.tx.holds.max(self.remote.required_rx)
    }

    /// Silence after which the neighbour has failed (section 6.8.4).
    pub(super) fn detection(&self) -> Option<Duration> {
        let interval = self.local.rx.holds.max(self.remote.desired_tx);
        (self.remote.multiplier > 0).then(|| interval.saturating_mul(u32::from(self.remote.multiplier)))
    }

    /// Whether packets leave on their own (section 6.8.7).
    fn is_periodic(&self) -> bool {
        let passive = self.config.passive && self.remote.discriminator == 0;
        let demanded = self.remote.demand
            && self.local.state == State::Up
            && self.remote.state == State::Up
            && !self.local.polling;
        self.socket.open && !passive && !self.remote.required_rx.is_zero() && !demanded
    }

    /// Packets leave at 75 to 100 per cent of the interval, at most at 90 with a multiplier of one (section 6.8.7).
    fn jittered(&mut self) -> Duration {
        let interval = u64::try_from(self.interval().as_nanos()).unwrap_or(u64::MAX);
        let (least, span) = if self.config.timing.multiplier == 1 { (10, 15) } else { (0, 25) };
        let hundredth = interval / 100;
        let less = hundredth.saturating_mul(least) + self.rng.below(hundredth.saturating_mul(span) + 1);
        Duration::from_nanos(interval - less.min(interval))
    }

    /// The next periodic packet, counted from the last one: a shorter interval holds at once (section 6.8.3).
    fn arm_transmit(&mut self, cx: &mut Context<'_>) {
        if self.is_periodic() {
            let at = (self.local.sent + self.jittered()).max(cx.now + Duration::from_nanos(1));
            cx.timers.arm(self.key(BfdTimer::Transmit), at);
        } else {
            cx.timers.disarm(self.key(BfdTimer::Transmit));
        }
    }

    fn send(&mut self, cx: &mut Context<'_>, last: bool) {
        if !self.socket.open {
            return;
        }
        let local = &self.local;
        let control = Control {
            diagnostic: local.diagnostic,
            state: local.state,
            flags: Flags { poll: local.polling && !last, last, ..Flags::default() },
            multiplier: self.config.timing.multiplier,
            mine: local.discriminator,
            yours: self.remote.discriminator,
            desired_tx: local.tx.told,
            required_rx: local.rx.told,
        };
        cx.out.act(Action::BfdSend { session: self.config.id, payload: control.emit() });
        self.counters.sent = self.counters.sent.saturating_add(1);
        self.local.sent = cx.now;
    }

    /// What a packet would say has changed: it is said now, if packets may leave at all.
    fn transmit_soon(&mut self, cx: &mut Context<'_>) {
        if self.is_periodic() {
            self.send(cx, false);
        }
        self.arm_transmit(cx);
    }

    /// The next periodic packet is due.
    pub(super) fn on_transmit(&mut self, cx: &mut Context<'_>) {
        self.transmit_soon(cx);
    }

    fn enter(&mut self, cx: &mut Context<'_>, state: State) {
        let from = core::mem::replace(&mut self.local.state, state);
        if from == state {
            return;
        }
        self.local.since = cx.now;
        if state == State::Up {
            self.local.diagnostic = Diagnostic::NONE;
            self.counters.ups = self.counters.ups.saturating_add(1);
        }
        self.set_times();
        let config = &self.config;
        let why = self.local.diagnostic;
        cx.out.tell(Event::Session {
            session: config.id,
            name: config.name.clone(),
            neighbor: config.to,
            from,
            to: state,
            why,
        });
        let session = config.id;
        match (from, state) {
            (_, State::Up) => cx.out.signal(Signal::Session { session, up: true }),
            (State::Up, _) => cx.out.signal(Signal::Session { session, up: false }),
            (State::AdminDown | State::Down | State::Init, State::AdminDown | State::Down | State::Init) => {}
        }
        if state == State::AdminDown {
            self.send(cx, false);
        }
    }

    /// A control packet for this session: the rules of section 6.8.6 that need it.
    ///
    /// # Errors
    /// The first rule that is broken; nothing but a counter has changed then.
    pub(super) fn on_control(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &Datagram<'_>,
        control: &Control,
    ) -> Result<(), BfdError> {
        if let Err(error) = self.admit(datagram, control) {
            let count = self.counters.rejected.entry(String::from(error.as_str())).or_insert(0);
            *count = count.saturating_add(1);
            return Err(error);
        }
        self.counters.received = self.counters.received.saturating_add(1);
        let (old_interval, was_periodic) = (self.interval(), self.is_periodic());
        self.remote = Remote {
            discriminator: control.mine,
            state: control.state,
            demand: control.flags.demand,
            multiplier: control.multiplier,
            desired_tx: control.desired_tx,
            required_rx: control.required_rx,
        };
        if control.flags.last && self.local.polling {
            self.local.polling = false;
            self.local.tx.holds = self.local.tx.told;
            self.local.rx.holds = self.local.rx.told;
        }
        let changed = self.step(cx, control.state);
        if let Some(detection) = self.detection() {
            cx.timers.arm(self.key(BfdTimer::Detect), cx.now + detection);
            self.local.put_off = false;
        }
        if control.flags.poll {
            self.send(cx, true);
        }
        if changed {
            self.transmit_soon(cx);
        } else if self.interval() != old_interval || self.is_periodic() != was_periodic {
            self.arm_transmit(cx);
        }
        Ok(())
    }

    /// Whether the packet may change anything.
    fn admit(&self, datagram: &Datagram<'_>, control: &Control) -> Result<(), BfdError> {
        // Stricter than the RFC, which trusts the discriminator alone once it is known.
        if datagram.from != self.config.to {
            return Err(BfdError::Sender);
        }
        // RFC 5881 section 5, with keepalived's `max_hops`: so much less than `ttl` may arrive.
        if u16::from(datagram.hops) + u16::from(self.config.max_hops) < u16::from(self.config.hops) {
            return Err(BfdError::Hops);
        }
        if control.flags.authenticated {
            return Err(BfdError::Authenticated);
        }
        Ok(())
    }

    /// The state machine (section 6.2), told of the neighbour's state; whether ours changed.
    fn step(&mut self, cx: &mut Context<'_>, theirs: State) -> bool {
        let to = match (self.local.state, theirs) {
            (State::AdminDown, _) => State::AdminDown,
            (State::Down | State::Init | State::Up, State::AdminDown) => State::Down,
            (State::Down, State::Down) => State::Init,
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => State::Up,
            (State::Down, State::Up) => State::Down,
            (State::Init, State::Down) => State::Init,
            (State::Up, State::Init | State::Up) => State::Up,
            (State::Up, State::Down) => State::Down,
        };
        if to == self.local.state {
            return false;
        }
        if to == State::Down {
            self.local.diagnostic = Diagnostic::SIGNALED;
        }
        self.enter(cx, to);
        true
    }

    /// Nothing was heard for a detection time, which ended at `due` (section 6.8.4). A node that overslept has the
    /// neighbour's packets still in its socket: it gets one interval to read them, once (keepalived does not wait).
    pub(super) fn on_detect(&mut self, cx: &mut Context<'_>, due: Time) {
        let wait = self.local.rx.holds.max(self.remote.desired_tx);
        if cx.now.since(due) > wait / LATE && !self.local.put_off {
            self.local.put_off = true;
            cx.timers.arm(self.key(BfdTimer::Detect), cx.now + wait);
            return;
        }
        self.remote = Remote::default();
        if matches!(self.local.state, State::Init | State::Up) {
            self.local.diagnostic = Diagnostic::EXPIRED;
            self.enter(cx, State::Down);
        }
        self.transmit_soon(cx);
    }

    /// What must hold after every input.
    pub(super) fn check_invariants(&self) {
        let local = &self.local;
        debug_assert!(
            self.socket.open || local.state == State::Down,
            "{} without a socket",
            self.config.name
        );
        debug_assert!(
            local.state != State::Up || self.remote.discriminator != 0,
            "{} is up with nobody",
            self.config.name
        );
        debug_assert!(
            local.polling || (local.tx.told == local.tx.holds && local.rx.told == local.rx.holds),
            "{} was never told of its times",
            self.config.name
        );
    }
}
