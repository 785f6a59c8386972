//! Carries out the actions of a node, as the driver and the kernel would, and lets the always-invariants look at each.
//!
//! Exhaustive over actions: a new one does not compile until the simulator knows it.

use super::connection::Stand;
use super::host::Process;
use super::invariant;
use super::kernel::Request;
use super::lan::{Body, Frame};
use super::world::{Canary, Event, World};
use ipnet::IpNet;
use standfast_core::action::Action;
use standfast_core::config::model::Probe;
use standfast_core::event::Event as Told;
use standfast_core::id::{CheckId, Interface, Ticket};
use standfast_core::input::{CheckCode, Errno, Input, KernelNotice, Outcome};
use standfast_core::time::Time;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The most actions that one input may cause, whatever it is.
pub const MAX_ACTIONS: usize = 10_000;
/// Answers that need no work arrive after this time.
const PROMPT: Duration = Duration::from_micros(100);

/// The server that `probe` asks, and how long it waits for a connection.
fn server_of(probe: &Probe) -> Option<(SocketAddr, Duration)> {
    match probe {
        Probe::Script { .. } | Probe::Watch(_) => None,
        Probe::Tcp { to, connect } | Probe::SslHello { to, connect } | Probe::Tls { to, connect, .. } => {
            Some((*to, *connect))
        }
        Probe::Http(http) => Some((http.to, http.connect)),
    }
}

impl World {
    /// Takes and performs all actions of the process of `host`, then plans its next wake-up.
    pub(crate) fn carry_out(&mut self, host: usize) {
        let mut count = 0;
        let mut stopped = false;
        let now = self.now;
        while let Some(action) = self.hosts[host].process.as_mut().and_then(|process| process.node.poll(now))
        {
            count += 1;
            if count > MAX_ACTIONS {
                return self
                    .fail("A22", format!("n{} wants more than {MAX_ACTIONS} actions at once", host + 1));
            }
            self.note(host, &action);
            invariant::on_action(self, host, &action);
            stopped |= matches!(action, Action::Stopped);
            self.perform(host, action);
        }
        if stopped {
            self.hosts[host].process = None;
            self.story.stopped(self.now, host);
        } else {
            self.plan_wake(host);
        }
    }

    fn note(&mut self, host: usize, action: &Action) {
        let now = self.now;
        if let Action::Advertise { to, payload, .. } = action {
            let hash = self.trace.hash(now, host, 2);
            hash.bytes(payload);
            hash.debug(to);
        } else {
            self.trace.hash(now, host, 3).debug(action);
        }
        if self.trace.in_words() {
            match action {
                Action::Advertise { to, payload, .. } => {
                    let byte = |at: usize| payload.get(at).copied().unwrap_or(0);
                    let (vrid, priority) = (byte(1), byte(2));
                    self.trace.say(
                        now,
                        Some(host),
                        format_args!("-> advert vrid {vrid} priority {priority} to {to}"),
                    );
                }
                Action::Publish { pool, view } => {
                    let usable =
                        view.iter().flat_map(|view| &view.servers).filter(|server| server.usable).count();
                    self.trace.say(now, Some(host), format_args!("-> publish {pool}: {usable} usable"));
                }
                other @ (Action::Receive { .. }
                | Action::Address { .. }
                | Action::Announce { .. }
                | Action::Check { .. }
                | Action::Cancel { .. }
                | Action::Script { .. }
                | Action::Tell { .. }
                | Action::Listen { .. }
                | Action::Event(_)
                | Action::Stopped) => self.trace.say(now, Some(host), format_args!("-> {other:?}")),
            }
        }
    }

    fn perform(&mut self, host: usize, action: Action) {
        match action {
            Action::Advertise { on, from, to, hops, payload } => {
                let body = Body::Advert { from, to, hops, payload: payload.into() };
                self.watch.last_advert = Some(Frame { sender: host, on, body: body.clone() });
                self.send(host, on, body);
            }
            Action::Receive { ticket, on, at, open } => {
                self.seen(host, |process| {
                    if open {
                        process.seen.receives.insert((on, at))
                    } else {
                        process.seen.receives.remove(&(on, at))
                    };
                });
                self.done(host, ticket, Ok(()));
            }
            Action::Address { ticket, on, address, own, lease, how: _ } => {
                let request = Request { ticket, on, address, own, lease };
                let at = self.hosts[host].kernel.turn(self.now, self.setting.apply);
                let generation = self.hosts[host].generation;
                self.queue.push(at, Event::Apply { host, generation, request });
            }
            Action::Announce { on, address } => self.send(host, on, Body::Announce(address)),
            Action::Check { check, ticket, probe, within } => self.check(host, check, ticket, &probe, within),
            Action::Cancel { ticket } => self.seen(host, |process| {
                process.seen.running.retain(|_, running| *running != ticket);
            }),
            Action::Script { ticket, argv: _, user: _ } => self.done(host, ticket, Ok(())),
            Action::Listen { ticket, frontend, open } => {
                let id = frontend.id;
                self.seen(host, |process| {
                    if open {
                        process.seen.listening.insert(id)
                    } else {
                        process.seen.listening.remove(&id)
                    };
                });
                self.done(host, ticket, Ok(()));
            }
            Action::Publish { pool, view } => self.seen(host, |process| {
                match view {
                    Some(view) => process.seen.views.insert(pool, view),
                    None => process.seen.views.remove(&pool),
                };
            }),
            Action::Event(event) => self.told(host, &event),
            Action::Tell { .. } | Action::Stopped => {}
        }
    }

    fn seen(&mut self, host: usize, look: impl FnOnce(&mut Process)) {
        if let Some(process) = &mut self.hosts[host].process {
            look(process);
        }
    }

    fn done(&mut self, host: usize, ticket: Ticket, result: Result<(), Errno>) {
        let generation = self.hosts[host].generation;
        let input = Box::new(Input::Done { ticket, result });
        self.queue.push(self.now + PROMPT, Event::Feed { host, generation, input });
    }

    fn check(&mut self, host: usize, check: CheckId, ticket: Ticket, probe: &Arc<Probe>, within: Duration) {
        let unreachable =
            server_of(probe).filter(|(server, _)| self.stands(host, *server) == Stand::Unreachable);
        let h = &mut self.hosts[host];
        let mut outcome = self.truth.answer(host, probe, within, &mut h.rng);
        if let Some((_, connect)) = unreachable {
            outcome = Outcome {
                passed: false,
                code: CheckCode::L4Timeout,
                status: None,
                info: String::new(),
                took: connect.min(within),
            };
        }
        let generation = h.generation;
        self.seen(host, |process| {
            process.seen.running.insert(check, ticket);
        });
        let at = self.now + outcome.took;
        let input = Box::new(Input::Checked { check, ticket, outcome });
        self.queue.push(at, Event::Feed { host, generation, input });
    }

    fn told(&mut self, host: usize, event: &Told) {
        if let Told::Role { instance, name, from, to, why, .. } = event {
            self.watch.transitions += 1;
            self.watch.last_transition =
                format!("n{} {name}: {} -> {} ({why:?})", host + 1, from.as_str(), to.as_str());
            self.seen(host, |process| {
                process.seen.roles.insert(*instance, *to);
                if let Some(thawed) = &mut process.seen.thawed {
                    thawed.stale.remove(instance);
                }
            });
        }
        self.story.told(self.now, host, event);
    }

    /// A kernel carries out a request, if the host still has power; the process may be gone by now.
    pub(crate) fn apply(&mut self, host: usize, generation: u64, request: &Request) {
        if !self.hosts[host].powered {
            return;
        }
        let h = &mut self.hosts[host];
        let (result, notice) = h.kernel.apply(self.now, request);
        let held = h.kernel.addresses.get(&(request.on, request.address)).copied();
        if let (true, Some(held)) = (request.own && result.is_ok(), held)
            && let Some(ends) = held.ends
            && self.setting.canary != Some(Canary::EndlessLeases)
        {
            let (on, address, renewal) = (request.on, request.address, held.renewal);
            self.queue.push(ends, Event::LeaseEnds { host, on, address, renewal });
        }
        if notice.is_some() {
            self.addresses_changed(host);
        }
        if self.hosts[host].generation != generation {
            return;
        }
        if let Some(notice) = notice {
            self.notify(host, notice);
        }
        if self.hosts[host].kernel.mood.mute == 0 {
            self.done(host, request.ticket, result);
        }
    }

    /// A lifetime ends, unless it was renewed meanwhile.
    pub(crate) fn lease_ends(&mut self, host: usize, on: Interface, address: IpNet, renewal: u64) {
        let current =
            self.hosts[host].kernel.addresses.get(&(on, address)).is_some_and(|held| held.renewal == renewal);
        if !current {
            return;
        }
        self.trace.say(self.now, Some(host), format_args!("the kernel ends {address}"));
        if let Some(notice) = self.hosts[host].kernel.take_away(on, address) {
            self.addresses_changed(host);
            self.notify(host, notice);
        }
    }

    /// The kernel of `host` tells its process, unless its notices are lost.
    pub(crate) fn notify(&mut self, host: usize, notice: KernelNotice) {
        if self.hosts[host].kernel.mood.blind > 0 {
            return;
        }
        let generation = self.hosts[host].generation;
        let input = Box::new(Input::Kernel(notice));
        self.queue.push(self.now + Duration::from_micros(50), Event::Feed { host, generation, input });
    }

    /// Something about the addresses of `host` changed.
    pub(crate) fn addresses_changed(&mut self, host: usize) {
        invariant::sole_holder(self, host);
        if self.story.is_told() {
            let all: Vec<IpNet> = self.routers.values().flatten().copied().collect();
            for address in all {
                let holders = self.holders(address);
                self.story.holders(self.now, address, &holders);
            }
        }
    }

    /// Right after a wake-up the next deadline must lie ahead.
    pub(crate) fn no_busy_loop(&mut self, host: usize) {
        if let Some(at) = self.hosts[host].deadline()
            && at <= self.now
        {
            let key = self.hosts[host].awake().and_then(|process| process.node.deadline());
            let key = key.map(|(_, key)| key.to_string()).unwrap_or_default();
            self.fail("A22", format!("n{} wants to be woken again at once, for {key}", host + 1));
        }
    }

    /// Notes that an invariant broke, unless one broke before.
    pub fn fail(&mut self, name: &'static str, what: String) {
        if self.watch.violation.is_none() {
            let at: Time = self.now;
            self.trace.say(at, None, format_args!("VIOLATION {name}: {what}"));
            self.watch.violation = Some(invariant::Violation { name, at, what });
        }
    }
}
