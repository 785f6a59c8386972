//! Carries out the actions of a node, as the driver and the kernel would, and lets the always-invariants look at each.
//!
//! Exhaustive over actions: a new one does not compile until the simulator knows it.

use super::connection::Stand;
use super::host::{Asked, Host, Past, Process};
use super::invariant;
use super::kernel::Request;
use super::lan::Body;
use super::marks::Mark;
use super::queue::Event;
use super::settled;
use super::shape::RouterKey;
use super::world::{Canary, World};
use ipnet::IpNet;
use standfast_core::action::Action;
use standfast_core::balance::view::PoolView;
use standfast_core::config::model::Probe;
use standfast_core::event::{Event as Told, Role, Why};
use standfast_core::id::{CheckId, Interface, PoolId, Ticket};
use standfast_core::input::{CheckCode, Errno, Input, KernelNotice, Outcome};
use standfast_core::time::Time;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// An answer that comes too late does so by this much more than the core waits for the longest.
const TOO_LATE: Duration = Duration::from_millis(3_200);
/// So many of a thousand such answers never come.
const LOST: u64 = 250;
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
        Probe::Talk(talk) => Some((talk.first.to, talk.connect)),
    }
}

impl World {
    /// Takes and performs all actions of the process of `host`, then plans its next wake-up.
    pub(crate) fn carry_out(&mut self, host: usize) {
        let mut count = 0;
        let mut stopped = false;
        let now = self.hosts[host].read(self.now);
        while let Some(action) = self.hosts[host].process.as_mut().and_then(|process| process.node.poll(now))
        {
            count += 1;
            self.note(host, &action);
            invariant::on_action(self, host, &action);
            stopped |= matches!(action, Action::Stopped);
            self.perform(host, action);
        }
        if count > 0 {
            invariant::actions_are_bounded(self, host, count);
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
        self.digest(host, action);
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
                | Action::Item { .. }
                | Action::Announce { .. }
                | Action::Bfd { .. }
                | Action::BfdSend { .. }
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

    /// What the trace hash takes in of an action: all that the outside can tell, without making words of it.
    fn digest(&mut self, host: usize, action: &Action) {
        let hash = self.trace.hash(self.now, Some(host));
        match action {
            Action::Advertise { to, payload, .. } => {
                hash.bytes(payload);
                hash.address(*to);
            }
            Action::Receive { ticket, on, at, open } => {
                hash.numbers([3, ticket.0, on.0.into(), (*open).into()]);
                hash.address(*at);
            }
            Action::Address { ticket, on, address, own, lease, how: _ } => {
                let lease = lease.map_or(0, |lease| lease.as_secs());
                hash.numbers([4, ticket.0, on.0.into(), (*own).into(), lease, address.prefix_len().into()]);
                hash.address(address.addr());
            }
            Action::Item { ticket, item, own } => {
                hash.numbers([13, ticket.0, (*own).into()]);
                hash.debug(item);
            }
            Action::Announce { on, address } => {
                hash.numbers([5, on.0.into()]);
                hash.address(*address);
            }
            Action::Check { check, ticket, probe: _, within } => {
                hash.numbers([6, check.0.into(), ticket.0, within.as_secs(), within.subsec_nanos().into()]);
            }
            Action::Cancel { ticket } => hash.numbers([7, ticket.0]),
            Action::Script { ticket, argv, user: _ } => hash.numbers([8, ticket.0, argv.len() as u64]),
            Action::Listen { ticket, frontend, open } => {
                hash.numbers([9, ticket.0, frontend.id.0.into(), (*open).into()]);
            }
            Action::Publish { pool, view } => {
                let servers = view.iter().flat_map(|view| &view.servers);
                hash.numbers([10, pool.0.into(), view.as_ref().map_or(0, |view| view.version)]);
                servers.for_each(|server| {
                    hash.number(u64::from(server.usable) << 32 | u64::from(server.weight))
                });
            }
            Action::Event(event) => hash.debug(event),
            Action::Stopped => hash.number(11),
            Action::Tell { line } => hash.numbers([12, line.len() as u64]),
            Action::Bfd { ticket, session, open } => {
                hash.numbers([13, ticket.0, session.0.into(), open.map_or(0, |path| path.port.into())]);
            }
            Action::BfdSend { session, payload } => {
                hash.numbers([14, session.0.into()]);
                hash.bytes(payload);
            }
        }
    }

    fn perform(&mut self, host: usize, action: Action) {
        match action {
            Action::Advertise { on, from, to, hops, payload } => {
                let on = self.hosts[host].machine.segment(on);
                self.send(host, on, Body::Advert { from, to, hops, payload });
            }
            Action::Receive { ticket, on, at, open } => {
                self.seen(host, |process| {
                    if open {
                        process.seen.open.receives.insert((on, at))
                    } else {
                        process.seen.open.receives.remove(&(on, at))
                    };
                });
                self.done(host, ticket, Ok(()));
            }
            Action::Address { ticket, on, address, own, lease, how: _ } => {
                let request = Box::new(Request { ticket, on, address, own, lease });
                self.seen(host, |process| {
                    process.seen.asked.insert((on, address), Asked { ticket, own, granted: false });
                });
                let at = self.hosts[host].kernel.turn(self.now, self.setting.apply);
                let generation = self.hosts[host].generation;
                self.queue.push(at, Event::Apply { host, generation, request });
            }
            Action::Item { ticket, item, own } => {
                let result = self.hosts[host].kernel.item(&item, own);
                self.done(host, ticket, result);
            }
            Action::Announce { on, address } => {
                let on = self.hosts[host].machine.segment(on);
                self.send(host, on, Body::Announce(address));
            }
            Action::Bfd { ticket, session, open } => {
                self.seen(host, |process| {
                    match open {
                        Some(path) => process.seen.open.sessions.insert(session, path),
                        None => process.seen.open.sessions.remove(&session),
                    };
                });
                self.done(host, ticket, Ok(()));
            }
            Action::BfdSend { session, payload } => self.send_control(host, session, &payload),
            Action::Check { check, ticket, probe, within } => self.check(host, check, ticket, &probe, within),
            Action::Cancel { ticket: _ } => {}
            Action::Script { ticket, argv: _, user: _ } => self.done(host, ticket, Ok(())),
            Action::Listen { ticket, frontend, open } => {
                let id = frontend.id;
                self.seen(host, |process| {
                    if open {
                        process.seen.open.listening.insert(id)
                    } else {
                        process.seen.open.listening.remove(&id)
                    };
                });
                self.done(host, ticket, Ok(()));
            }
            Action::Publish { pool, view } => self.published(host, pool, view),
            Action::Event(event) => self.told(host, &event),
            Action::Tell { .. } | Action::Stopped => {}
        }
    }

    fn published(&mut self, host: usize, pool: PoolId, view: Option<Arc<PoolView>>) {
        let usable = view.iter().flat_map(|view| &view.servers).any(|server| server.usable);
        if view.as_ref().is_some_and(|view| !view.servers.is_empty()) && !usable {
            self.mark(Mark::AllServersDown);
        }
        self.seen(host, |process| {
            match view {
                Some(view) => process.seen.views.insert(pool, view),
                None => process.seen.views.remove(&pool),
            };
        });
        self.spread(host, pool);
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
        if h.machine.slow_checks > 0 && h.rng.chance(LOST) {
            return;
        }
        let late = if h.machine.slow_checks > 0 { within + TOO_LATE } else { Duration::ZERO };
        let at = self.now + outcome.took + late;
        let input = Box::new(Input::Checked { check, ticket, outcome });
        self.queue.push(at, Event::Feed { host, generation, input });
    }

    /// Rare states that a change of role makes.
    fn mark_role(&mut self, host: usize, event: &Told) {
        let Told::Role { instance, to, why, priority, .. } = event else { return };
        if let (Role::Backup, Why::Better { priority: theirs, .. }) = (to, why)
            && theirs == priority
        {
            self.mark(Mark::TieByAddress);
        }
        let h = &self.hosts[host];
        let Some(config) = h.config.instances.get(instance) else { return };
        if let (Role::Master, Some(takeovers)) = (to, &mut self.watch.takeovers) {
            takeovers.push((host, RouterKey::of(config)));
        }
        if *to == Role::Fault && *why != Why::Group {
            let mut groups = h.config.groups.values();
            if groups.any(|group| group.members.len() > 1 && group.members.contains(instance)) {
                self.mark(Mark::GroupMemberInFault);
            }
        } else if *to == Role::Master {
            let key = RouterKey::of(config);
            let lately = config.election.interval * 4;
            let reloaded = |other: &Host| {
                other.machine.reloaded.is_some_and(|at| at > Time::ZERO && self.now.since(at) < lately)
            };
            let during = self.hosts.iter().any(reloaded);
            let masters = self.hosts.iter().filter(|other| other.role(&key) == Some(Role::Master)).count();
            let rivals = (0..self.hosts.len()).filter(|other| *other != host);
            let mine = settled::expected(self, host, &key);
            let mut equals = rivals.filter(|other| settled::expected(self, *other, &key) == mine);
            let equal = mine.is_some() && equals.next().is_some();
            let reached = [
                (during, Mark::TakeoverDuringReload),
                (equal, Mark::EqualPriorities),
                (masters >= 2, Mark::TwoMasters),
                (masters >= 3, Mark::ThreeMasters),
            ];
            self.watch.marks.extend(reached.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark));
        }
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
            self.mark_role(host, event);
        }
        self.story.told(self.now, host, event);
    }

    /// A kernel carries out a request, if the host still has power; the process may be gone by now.
    pub(crate) fn apply(&mut self, host: usize, generation: u64, request: &Request) {
        if !self.hosts[host].powered {
            return;
        }
        if self.hosts[host].kernel.mood.refuses.contains(&Errno(105)) && self.is_taking_over(host) {
            self.mark(Mark::RefusedInTakeover);
        }
        let h = &mut self.hosts[host];
        let (result, notice) = h.kernel.apply(self.now, request);
        let held = h.kernel.addresses.get(&(request.on, request.address)).copied();
        if let (true, Some(held)) = (request.own && result.is_ok(), held)
            && let Some(ends) = held.ends
            && self.setting.canary != Some(Canary::EndlessLeases)
        {
            let (on, address, renewal) = (request.on, request.address, held.renewal);
            self.queue.push(ends, Event::LeaseEnds { host, held: Box::new((on, address)), renewal });
        }
        if notice.is_some() {
            self.addresses_changed(host);
        }
        if self.hosts[host].generation != generation {
            self.hosts[host].machine.taken.insert(request.address); // by what a predecessor asked for
            return;
        }
        if let Some(notice) = notice {
            self.notify(host, notice);
        }
        let asked = self.hosts[host]
            .process
            .as_ref()
            .and_then(|process| process.seen.asked.get(&(request.on, request.address)).copied());
        if asked.is_some_and(|asked| asked.ticket != request.ticket && asked.own != request.own) {
            self.mark(Mark::DoneAfterChangedBack);
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
        self.hosts[host].machine.taken.insert(address);
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
        let at = self.hosts[host].kernel.notice_turn(self.now);
        let input = Box::new(Input::Kernel(notice));
        self.queue.push(at, Event::Feed { host, generation, input });
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

    /// Notes that an invariant broke, unless one broke before.
    pub fn fail(&mut self, name: &'static str, what: String) {
        // A recorded daemon has a past that nothing here has seen.
        let recorded = self.hosts.iter().any(|host| !matches!(host.machine.past, Past::None));
        if self.watch.violation.is_none() && !recorded {
            let at: Time = self.now;
            self.trace.say(at, None, format_args!("VIOLATION {name}: {what}"));
            self.watch.violation = Some(invariant::Violation { name, at, what });
        }
    }
}
