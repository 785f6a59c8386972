//! The loop: one task owns the node, feeds it one input at a time, and carries out its actions by enqueueing only.
//!
//! `biased` order is policy: the node's own deadline first (a late advertisement is a failover), then the host
//! (packets, answers, notices), then checks, then the data plane, then the operator. The same loop runs on Linux and
//! inside the simulator; what differs stands behind [`Host`], [`DataPlane`], [`Fabric`], [`Scripts`] and [`Clock`].

use crate::check::{Checker, Scripts};
use crate::clock::Clock;
use crate::fabric::Fabric;
use crate::host::{AddressRequest, Host};
use crate::proxy::DataPlane;
use standfast_core::action::Action;
use standfast_core::config::model::Config;
use standfast_core::input::Input;
use standfast_core::node::{Node, Status};
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The longest that notify scripts may go on after everything else has stopped. keepalived waits this long always.
pub const LAST_SCRIPTS: Duration = Duration::from_secs(1);

/// Sees everything that goes into and comes out of the node: the log, the recorder, the simulator's trace.
pub trait Observer {
    /// A node starts.
    fn start(&mut self, config: &Config, seed: Seed, now: Time);
    /// `input` is about to be handled at `now` by `node`, all of whose actions have been polled.
    fn input(&mut self, now: Time, node: &Node, input: &Input<'_>);
    /// `action` is about to be carried out.
    fn action(&mut self, now: Time, config: &Config, action: &Action);
}

/// What a node acts upon.
pub struct Parts<H, D, F, S, C> {
    /// Links, addresses, packets.
    pub host: H,
    /// The proxy.
    pub data: D,
    /// Checks and scripts.
    pub checker: Checker<F, S>,
    /// Time.
    pub clock: C,
}

/// What reaches the loop besides the host, the checks and the data plane.
#[derive(Debug)]
pub enum Wanted {
    /// A configuration, an order, the stop.
    Input(Box<Input<'static>>),
    /// Somebody wants to know how the node stands.
    Status(oneshot::Sender<Status>),
}

impl From<Input<'static>> for Wanted {
    fn from(input: Input<'static>) -> Wanted {
        Wanted::Input(Box::new(input))
    }
}

/// A node and the loop around it.
pub struct Driver<H, D, F, S, C, O> {
    node: Node,
    parts: Parts<H, D, F, S, C>,
    observer: O,
}

impl<H: Host, D: DataPlane, F: Fabric, S: Scripts, C: Clock, O: Observer> Driver<H, D, F, S, C, O> {
    /// A driver with a fresh node.
    pub fn new(config: Arc<Config>, seed: Seed, parts: Parts<H, D, F, S, C>, mut observer: O) -> Self {
        let now = parts.clock.now();
        observer.start(&config, seed, now);
        let node = Node::new(config, seed, now);
        Driver { node, parts, observer }
    }

    /// Runs until the node has stopped cleanly after [`Input::Stop`]. `orders` carries what the operator wants:
    /// configurations, orders, the stop, questions; its end counts as a stop. Says how many notify scripts were cut short.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Wanted>) -> usize {
        loop {
            if self.perform() {
                return self.see_scripts_out().await;
            }
            let wake = self.node.deadline().map(|(at, _)| self.parts.clock.instant(at));
            let parts = &mut self.parts;
            let input = tokio::select! { biased;
                () = sleep_until(wake) => Input::Tick,
                input = parts.host.next() => input,
                input = parts.checker.next() => input,
                input = parts.data.next() => input,
                wanted = orders.recv() => match wanted {
                    None => Input::Stop,
                    Some(Wanted::Input(input)) => *input,
                    Some(Wanted::Status(asker)) => {
                        let _ = asker.send(self.node.status()); // who asked may have gone
                        continue;
                    }
                },
            };
            let now = self.parts.clock.now();
            self.observer.input(now, &self.node, &input);
            self.node.handle(now, input);
        }
    }

    /// Lets the last notify scripts end, for [`LAST_SCRIPTS`] in all. Nobody is left to hear their answers.
    async fn see_scripts_out(&mut self) -> usize {
        let Parts { checker, clock, .. } = &mut self.parts;
        let end = clock.instant(clock.now() + LAST_SCRIPTS);
        while !checker.quiet() {
            tokio::select! { biased;
                () = sleep_until(Some(end)) => break,
                _ = checker.next() => {}
            }
        }
        checker.unfinished()
    }

    /// Carries out everything the node asked for; true when it has stopped. Exhaustive, without `_`, without `await`.
    fn perform(&mut self) -> bool {
        let now = self.parts.clock.now();
        let mut stopped = false;
        while let Some(action) = self.node.poll() {
            self.observer.action(now, self.node.config(), &action);
            let Parts { host, data, checker, .. } = &mut self.parts;
            match action {
                Action::Advertise { on, from, to, hops, payload } => {
                    host.advertise(on, from, to, hops, payload)
                }
                Action::Receive { ticket, on, at, open } => host.receive(ticket, on, at, open),
                Action::Address { ticket, on, address, own, lease, how } => {
                    host.address(AddressRequest { ticket, on, address, own, lease, how });
                }
                Action::Item { ticket, item, own } => host.item(ticket, &item, own),
                Action::Announce { on, address } => host.announce(on, address),
                Action::Bfd { ticket, session, open } => host.session(ticket, session, open),
                Action::BfdSend { session, payload } => host.control(session, &payload),
                Action::Check { check, ticket, probe, within } => checker.start(check, ticket, probe, within),
                Action::Cancel { ticket } => checker.cancel(ticket),
                Action::Script { ticket, argv, user } => checker.script(ticket, argv, user),
                Action::Listen { ticket, frontend, open } => data.listen(ticket, frontend, open),
                Action::Publish { pool, view } => data.publish(pool, view),
                Action::Event(_) | Action::Tell { .. } => {} // the observer has seen it
                Action::Stopped => stopped = true,
            }
        }
        stopped
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
