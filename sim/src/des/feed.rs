//! What a process is fed: dumps, answers, packets, ticks, always in the driver's order and by its host's own clock.
//!
//! A frozen process gets what waited when it is thawed. Wake-ups are lazy: while one is planned no later than the
//! deadline, none is added; one that comes too early looks again.

use super::host::{MAX_WAITING, Past};
use super::invariant;
use super::marks::Mark;
use super::queue::Event;
use super::world::World;
use standfast_core::event::Role;
use standfast_core::input::{Input, KernelNotice, Order};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// One in so many wake-ups is followed by a second one at the same time, which must do nothing.
const DOUBLED: u64 = 8;
/// From the request for a dump to the dump.
const DUMP: Duration = Duration::from_micros(100);

impl World {
    /// Sends the process of `host` a dump of its kernel.
    pub(crate) fn dump(&mut self, host: usize) {
        self.dump_after(host, DUMP);
    }

    /// The dump is read when it arrives: what changes until then is part of it.
    pub(crate) fn dump_after(&mut self, host: usize, after: Duration) {
        let generation = self.hosts[host].generation;
        let input = Box::new(Input::Kernel(KernelNotice::ResyncBegin));
        self.queue.push(self.now + after, Event::Feed { host, generation, input });
    }

    /// An answer or notice reaches `host`; a dump's beginning brings the whole dump with it.
    pub(crate) fn answer(&mut self, host: usize, input: Input<'static>) {
        let frozen = self.hosts[host].process.as_ref().is_some_and(|process| process.frozen.is_some());
        if let (Input::Kernel(KernelNotice::ResyncBegin), false) = (&input, frozen) {
            if self.is_taking_over(host) {
                self.mark(Mark::ResyncInTakeover);
            }
            let missing = invariant::missing_addresses(self, host);
            for notice in self.hosts[host].kernel.dump() {
                self.feed(host, Input::Kernel(notice));
            }
            return invariant::dump_is_believed(self, host, &missing);
        }
        self.feed(host, input);
    }

    /// Some virtual router of `host` is master, and its kernel does not hold all its addresses yet.
    pub(crate) fn is_taking_over(&self, host: usize) -> bool {
        let h = &self.hosts[host];
        let Some(process) = h.awake() else { return false };
        let mut masters = process.seen.roles.iter().filter(|(_, role)| **role == Role::Master);
        masters.any(|(id, _)| {
            let config = h.config.instances.get(id);
            config.is_some_and(|config| config.addresses.iter().any(|held| !h.kernel.owns(held.address)))
        })
    }

    /// Feeds `input` to the process of `host`, if there is one; a frozen one gets it later.
    pub(crate) fn feed(&mut self, host: usize, input: Input<'_>) {
        let taped = matches!(self.hosts[host].machine.past, Past::Tape(..));
        if !self.hosts[host].powered || taped {
            return;
        }
        let Some(process) = &mut self.hosts[host].process else { return };
        if let Some((_, waiting)) = &mut process.frozen {
            if waiting.len() < MAX_WAITING && !matches!(input, Input::Tick) {
                waiting.push_back(owned(input));
            }
            return;
        }
        if self.trace.in_words() && !matches!(input, Input::Tick) {
            self.trace.say(self.now, Some(host), format_args!("<- {}", Short(&input)));
        }
        process.stopping |= matches!(input, Input::Stop);
        if let Input::Order(Order::Resign(id)) = &input {
            process.seen.orders.resigned.insert(*id);
        } else if let Input::Order(Order::Rejoin(id)) = &input {
            process.seen.orders.resigned.remove(id);
        }
        invariant::on_input(self, host, &input);
        let new = if let Input::Configure(new) = &input { Some(new.clone()) } else { None };
        let now = self.hosts[host].read(self.now);
        if let Some(process) = &mut self.hosts[host].process {
            process.node.handle(now, input);
        }
        self.carry_out(host);
        if let Some(new) = new {
            invariant::reload_leaves_nothing(self, host, &new);
        }
    }

    /// Plans the wake-up that the node of `host` asks for, unless one is planned that comes no later.
    pub(crate) fn plan_wake(&mut self, host: usize) {
        let now = self.now;
        let h = &mut self.hosts[host];
        let generation = h.generation;
        let Some(process) = &mut h.process else { return };
        let Some((at, _)) = process.node.deadline() else { return };
        let due = h.machine.clock.when(at).max(now);
        if process.wake.1.is_some_and(|planned| planned <= due) {
            return;
        }
        process.wake = (process.wake.0 + 1, Some(due));
        let late = h.machine.slow.last().map_or(0, |slow| u64::try_from(slow.as_nanos()).unwrap_or(0));
        let late = if late > 0 { Duration::from_nanos(h.rng.below(late)) } else { Duration::ZERO };
        self.queue.push(due + late, Event::Wake { host, generation, nth: process.wake.0 });
    }

    /// Forgets the wake-up that is planned: the clock has changed.
    pub(crate) fn plan_wake_anew(&mut self, host: usize) {
        if let Some(process) = &mut self.hosts[host].process {
            process.wake = (process.wake.0 + 1, None);
        }
        self.plan_wake(host);
    }

    /// A planned wake-up comes.
    pub(crate) fn wake(&mut self, host: usize, nth: u64) {
        let planned = self.hosts[host].process.as_ref().filter(|process| process.wake.0 == nth);
        if planned.and_then(|process| process.wake.1).is_some_and(|due| due < self.now)
            && let Some(process) = &mut self.hosts[host].process
        {
            let parting = &mut process.seen.farewells.parting;
            parting.values_mut().for_each(|parting| parting.late = true);
        }
        let now = self.hosts[host].read(self.now);
        let powered = self.hosts[host].powered;
        let taped = matches!(self.hosts[host].machine.past, Past::Tape(..));
        let Some(process) = &mut self.hosts[host].process else { return };
        if process.wake.0 != nth {
            return;
        }
        process.wake.1 = None;
        if process.frozen.is_some() || !powered || taped {
            return;
        }
        if process.node.deadline().is_none_or(|(at, _)| at > now) {
            return self.plan_wake(host);
        }
        self.feed(host, Input::Tick);
        invariant::deadline_lies_ahead(self, host);
        if nth.is_multiple_of(DOUBLED) {
            invariant::second_tick_does_nothing(self, host);
        }
    }
}

/// A short form of an input, for traces.
struct Short<'a, 'b>(&'a Input<'b>);

impl fmt::Display for Short<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Input::Packet { from, payload, .. } => {
                let byte = |at: usize| payload.get(at).copied().unwrap_or(0);
                write!(f, "advert from {from} vrid {} priority {}", byte(1), byte(2))
            }
            Input::Configure(_) => write!(f, "Configure"),
            Input::Bfd { from, .. } => write!(f, "BFD from {from}"),
            other @ (Input::Tick
            | Input::Checked { .. }
            | Input::Observed { .. }
            | Input::Done { .. }
            | Input::Kernel(_)
            | Input::Order(_)
            | Input::Stop) => write!(f, "{other:?}"),
        }
    }
}

fn owned(input: Input<'_>) -> Input<'static> {
    match input {
        Input::Tick => Input::Tick,
        Input::Packet { on, from, to, hops, payload } => {
            Input::Packet { on, from, to, hops, payload: Cow::Owned(payload.into_owned()) }
        }
        Input::Bfd { from, hops, payload } => {
            Input::Bfd { from, hops, payload: Cow::Owned(payload.into_owned()) }
        }
        Input::Checked { check, ticket, outcome } => Input::Checked { check, ticket, outcome },
        Input::Observed { pool, server, tally } => Input::Observed { pool, server, tally },
        Input::Done { ticket, result } => Input::Done { ticket, result },
        Input::Kernel(notice) => Input::Kernel(notice),
        Input::Configure(config) => Input::Configure(config),
        Input::Order(order) => Input::Order(order),
        Input::Stop => Input::Stop,
    }
}
