//! Routes an input to its component and drains signals; knows no protocol.
//!
//! The contract of [`Node`]: feed one input at a time with [`Node::handle`], then take actions with [`Node::poll`]
//! until there is none, then sleep until [`Node::deadline`] or the next input. Times never go backwards; feeding
//! [`Input::Tick`] too early, or twice, changes nothing. Signals flow one way (checks to pools and routers, routers
//! to the node), so that draining them always ends; a budget turns a cycle into a failing test.

use crate::action::Action;
use crate::balance::{MAX_WEIGHT, PoolStatus, Pools};
use crate::bfd::{Datagram, SessionStatus, Sessions};
use crate::config::model::Config;
use crate::config::{diff, model};
use crate::event::Event;
use crate::health::{CheckStatus, Checks};
use crate::id::{ServerId, Ticket};
use crate::input::{Admin, Errno, Input, Order};
use crate::listen::{ListenerStatus, Listeners};
use crate::outbox::{Context, Outbox, Signal};
use crate::record::Outside;
use crate::rng::{Rng, Seed};
use crate::time::Time;
use crate::timers::{TimerKey, Timers};
use crate::vrrp::{LinkStatus, Packet, RouterStatus, Routers};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The most signals that one input may cause, and the most timers that one tick may fire: far above what the largest
/// configuration needs.
const BUDGET: usize = 16 * (model::Config::MAX_INSTANCES + model::Config::MAX_SERVERS);

/// A whole node: virtual routers, BFD sessions, checks, pools and listening sides.
#[derive(Debug, Serialize, Deserialize)]
pub struct Node {
    config: Arc<Config>,
    now: Time,
    out: Outbox,
    timers: Timers,
    routers: Routers,
    checks: Checks,
    pools: Pools,
    listeners: Listeners,
    sessions: Sessions,
    stopping: bool,
}

/// How a node stands, for operators and invariants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// When it was asked.
    pub now: Time,
    /// Virtual routers.
    pub routers: Vec<RouterStatus>,
    /// BFD sessions.
    pub sessions: Vec<SessionStatus>,
    /// Packets that none of them was for, by [`crate::event::PacketError::as_str`] or [`crate::wire::bfd::BfdError::as_str`].
    pub strays: BTreeMap<String, u64>,
    /// Checks.
    pub checks: Vec<CheckStatus>,
    /// Pools.
    pub pools: Vec<PoolStatus>,
    /// Listening sides.
    pub listeners: Vec<ListenerStatus>,
    /// A clean stop is under way.
    pub stopping: bool,
}

macro_rules! context {
    ($node:ident) => {
        &mut Context { now: $node.now, out: &mut $node.out, timers: &mut $node.timers }
    };
}

impl Node {
    /// A node that has just started. `seed` is all the randomness it will ever have.
    ///
    /// Virtual routers wait for the first complete dump of links and addresses (`KernelNotice::ResyncEnd`).
    #[must_use]
    pub fn new(config: Arc<Config>, seed: Seed, now: Time) -> Node {
        let mut out = Outbox::default();
        let mut timers = Timers::default();
        let cx = &mut Context { now, out: &mut out, timers: &mut timers };
        let pools = Pools::new(&config, cx);
        let listeners = Listeners::new(&config, cx);
        let checks = Checks::new(&config, &Rng::new(seed), cx);
        let sessions = Sessions::new(&config, &Rng::new(seed), cx);
        let routers = Routers::new(&config);
        let stopping = false;
        let mut node =
            Node { config, now, out, timers, routers, checks, pools, listeners, sessions, stopping };
        node.drain();
        node
    }

    /// Feeds one input. Never fails, never blocks, never panics.
    ///
    /// A bad packet is counted and told of as an [`Event`]; an answer to a ticket that no longer counts is dropped.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        debug_assert!(now >= self.now, "time goes backwards: {} after {}", now, self.now);
        self.now = now.max(self.now);
        match input {
            Input::Tick => self.tick(),
            Input::Packet { on, from, to, hops, payload } => {
                let packet = Packet { on, from, to, hops, payload: &payload };
                self.routers.on_packet(context!(self), &packet);
            }
            Input::Bfd { from, hops, payload } => {
                let datagram = Datagram { from, hops, payload: &payload };
                self.sessions.on_datagram(context!(self), &datagram);
            }
            Input::Checked { check, ticket, outcome } => {
                self.checks.on_checked(context!(self), check, ticket, &outcome);
            }
            Input::Observed { pool, server, tally } => {
                self.pools.on_observed(context!(self), pool, server, tally);
            }
            Input::Done { ticket, result } => self.done(ticket, result),
            Input::Kernel(notice) => self.routers.on_kernel(context!(self), &notice),
            Input::Configure(config) => self.configure(config),
            Input::Order(order) => self.order(order),
            Input::Stop => self.stop(),
        }
        self.drain();
        if cfg!(debug_assertions) {
            self.routers.check_invariants(); // checks and pools look after theirs with each call
            self.sessions.check_invariants();
        }
    }

    /// Takes the next action, oldest first; poll until `None` after each [`Node::handle`].
    #[must_use]
    pub fn poll(&mut self) -> Option<Action> {
        self.out.take_action()
    }

    /// When to feed [`Input::Tick`], and why. May change after every [`Node::handle`], never between them; later than
    /// `now` once the due tick was handled. Too early is harmless, too late is not.
    #[must_use]
    pub fn deadline(&self) -> Option<(Time, TimerKey)> {
        self.timers.next()
    }

    /// How the node stands; no effect.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            now: self.now,
            routers: self.routers.status(),
            sessions: self.sessions.status(),
            strays: self.routers.strays().into_iter().chain(self.sessions.strays()).collect(),
            checks: self.checks.status(),
            pools: self.pools.status(),
            listeners: self.listeners.status(),
            stopping: self.stopping,
        }
    }

    /// What it believes of its host; no effect.
    #[must_use]
    pub fn outside(&self) -> Outside {
        let open = self.listeners.status().into_iter().filter(|side| side.refused.is_none());
        Outside {
            listening: open.map(|side| side.id).collect(),
            views: self.pools.views(),
            sessions: self.sessions.open(),
            ..self.routers.outside()
        }
    }

    /// The links of the host with their addresses, as the kernel reported them.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        self.routers.links()
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    fn tick(&mut self) {
        for _ in 0..BUDGET {
            let due = self.timers.next().map_or(self.now, |(at, _)| at);
            let Some(key) = self.timers.take_due(self.now) else { return };
            match key {
                TimerKey::Router(instance, timer) => self.routers.on_timer(context!(self), instance, timer),
                TimerKey::Check(check, timer) => self.checks.on_timer(context!(self), check, timer),
                TimerKey::Listen(frontend) => self.listeners.on_timer(frontend, context!(self)),
                TimerKey::Leftover => self.routers.on_leftover_timer(context!(self)),
                TimerKey::Items => self.routers.on_items_timer(context!(self)),
                TimerKey::Debounce => self.routers.on_debounce_timer(context!(self)),
                TimerKey::Bfd(id, timer) => self.sessions.on_timer(context!(self), id, timer, due),
            }
            self.drain();
        }
        debug_assert!(
            self.timers.next().is_none_or(|(at, _)| at > self.now),
            "a timer re-arms itself for now"
        );
    }

    fn done(&mut self, ticket: Ticket, result: Result<(), Errno>) {
        if !self.routers.on_done(context!(self), ticket, result)
            && !self.sessions.on_done(context!(self), ticket, result)
        {
            self.listeners.on_done(context!(self), ticket, result);
        }
    }

    fn configure(&mut self, config: Arc<Config>) {
        if self.stopping {
            return;
        }
        if *config == *self.config {
            // A reload without a difference has no action at all, unless the pipes' readers asked for one.
            self.routers.tell_states(context!(self));
            return;
        }
        let changes = diff::changes(&self.config, &config);
        self.checks.configure(context!(self), &config);
        self.pools.configure(context!(self), &config);
        self.sessions.configure(context!(self), &config);
        self.routers.configure(context!(self), &config);
        self.listeners.configure(&config, context!(self));
        self.config = config;
        self.out.tell(Event::Reloaded { changes });
        for check in self.checks.status() {
            if check.up.is_some() {
                self.routers.on_number(context!(self), check.id, self.checks.number(check.id));
                self.routers.on_verdict(context!(self), check.id, check.up); // a new tracker of a known check
            }
        }
        self.routers.tell_states(context!(self));
    }

    fn order(&mut self, order: Order) {
        let Some(what) = self.describe(&order) else { return }; // its subject left with a reload
        self.out.tell(Event::Ordered { what });
        match order {
            Order::Resign(instance) => self.routers.resign(context!(self), instance),
            Order::Rejoin(instance) => self.routers.rejoin(context!(self), instance),
            Order::Server { pool, server, admin } => {
                let check = self.pools.order_admin(context!(self), pool, server, admin);
                if let Some(check) = check {
                    self.checks.pause(context!(self), check, admin == Admin::Maintenance);
                }
            }
            Order::Weight { pool, server, weight } => {
                self.pools.order_weight(context!(self), pool, server, weight);
            }
        }
    }

    /// An order in words; `None` when there is nothing with its id.
    fn describe(&self, order: &Order) -> Option<String> {
        let router = |id| Some(&self.config.instances.get(id)?.name);
        let server = |pool, server: &ServerId| {
            let pool = self.config.pools.get(pool)?;
            let server = pool.servers.iter().find(|known| known.id == *server)?;
            Some(format!("server {}/{}", pool.name, server.name))
        };
        Some(match order {
            Order::Resign(id) => format!("virtual router {} resigns", router(id)?),
            Order::Rejoin(id) => format!("virtual router {} takes part again", router(id)?),
            Order::Server { pool, server: id, admin } => {
                let what = match admin {
                    Admin::Ready => "is ready",
                    Admin::Drain => "drains",
                    Admin::Maintenance => "is in maintenance",
                };
                format!("{} {what}", server(pool, id)?)
            }
            Order::Weight { pool, server: id, weight } => {
                format!("{} has weight {}", server(pool, id)?, weight.min(&MAX_WEIGHT))
            }
        })
    }

    fn stop(&mut self) {
        if !self.stopping {
            self.stopping = true;
            self.routers.stop(context!(self));
        }
    }

    /// The routers have left: close the listening sides, and be done.
    fn finish(&mut self) {
        self.listeners.stop(context!(self));
        self.sessions.stop(context!(self));
        self.timers.retain(|_| false);
        self.out.act(Action::Stopped);
    }

    fn drain(&mut self) {
        for _ in 0..BUDGET {
            let Some(signal) = self.out.take_signal() else { return };
            match signal {
                Signal::Verdict { check, up } => {
                    let outcome = self.checks.last_outcome(check).cloned();
                    self.pools.on_verdict(context!(self), check, up, outcome.as_ref());
                    self.routers.on_number(context!(self), check, self.checks.number(check));
                    self.routers.on_verdict(context!(self), check, up);
                }
                Signal::Session { session, up } => self.routers.on_session(context!(self), session, up),
                Signal::Left => self.finish(),
            }
        }
        debug_assert!(self.out.take_signal().is_none(), "signals go round in a circle");
    }
}
