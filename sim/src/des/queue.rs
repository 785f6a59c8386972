//! What is planned: events in order of time, then those of no host, then in order of planning.
//!
//! An entry is moved some twenty times on its way through the heap, so the events themselves lie elsewhere and keep
//! their places. Nothing in here decides anything.

use super::fault::Fault;
use super::kernel::Request;
use super::lan::Frame;
use ipnet::IpNet;
use standfast_core::id::{Interface, PoolId};
use standfast_core::input::Input;
use standfast_core::time::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A node's deadline, or an earlier one that has moved since.
    Wake { host: usize, generation: u64, nth: u64 },
    /// A frame arrives, perhaps damaged on its way.
    Arrive { to: usize, frame: Rc<Frame> },
    /// A kernel carries out a request.
    Apply { host: usize, generation: u64, request: Box<Request> },
    /// A lifetime ends.
    LeaseEnds { host: usize, held: Box<(Interface, IpNet)>, renewal: u64 },
    /// Something reaches a process.
    Feed { host: usize, generation: u64, input: Box<Input<'static>> },
    /// The next thing that a recorded process was fed.
    Past { host: usize },
    /// A fault of the plan begins.
    Inflict(Box<Fault>),
    /// A fault ends.
    Undo(Box<Fault>),
    /// A client tries.
    Probe { client: usize },
    /// Somebody replays an advertisement with something changed.
    Noise { nth: u64 },
    /// The next packet of an attacker, until the attack is over.
    Attack { attack: Box<super::adversary::Attack>, nth: u64 },
    /// The inputs of a process that has just been thawed.
    Drain { host: usize, generation: u64 },
    /// The data plane of a host has the newest view of a pool.
    Viewed { host: usize, generation: u64, pool: PoolId },
    /// The data plane of a host takes connections.
    Traffic { host: usize, nth: u64 },
}

impl Event {
    /// The host that it happens to.
    fn host(&self) -> Option<usize> {
        match self {
            Event::Wake { host, .. }
            | Event::Apply { host, .. }
            | Event::LeaseEnds { host, .. }
            | Event::Feed { host, .. }
            | Event::Past { host }
            | Event::Drain { host, .. }
            | Event::Viewed { host, .. }
            | Event::Traffic { host, .. }
            | Event::Arrive { to: host, .. } => Some(*host),
            Event::Inflict(_)
            | Event::Undo(_)
            | Event::Probe { .. }
            | Event::Noise { .. }
            | Event::Attack { .. } => None,
        }
    }
}

/// Bits of a place: so many events may be planned at once.
const PLACE_BITS: u32 = 24;
/// Where the turn of a host begins, above the number of the plan.
const TURN_AT: u32 = 60;

/// What is planned.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// When; whose turn it is, the number of the plan, and in the low bits the place of the event.
    heap: BinaryHeap<Reverse<(Time, u64)>>,
    places: Vec<Option<Event>>,
    free: Vec<usize>,
    planned: u64,
    /// In which turn each host acts within an instant, 1 to 15, after what concerns no host; empty: all in the first.
    turns: Vec<u64>,
}

impl Queue {
    /// A queue in which the events of one instant happen host by host, those of `turns[0]` first: an order that has
    /// nothing to do with the one in which they were planned.
    pub(crate) fn by_turns(turns: &[usize]) -> Queue {
        let turn = |host: usize| turns.iter().position(|other| *other == host).map_or(0, |at| at as u64 + 1);
        Queue { turns: (0..turns.len()).map(turn).collect(), ..Queue::default() }
    }

    /// Plans `event` at `at`.
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        self.planned += 1;
        let turn = event.host().map_or(0, |host| self.turns.get(host).copied().unwrap_or(1));
        let place = self.free.pop().unwrap_or(self.places.len());
        assert!(place < 1 << PLACE_BITS, "{place} events are planned, which is no simulation any more");
        match self.places.get_mut(place) {
            Some(free) => *free = Some(event),
            None => self.places.push(Some(event)),
        }
        let numbers = turn << TURN_AT | self.planned << PLACE_BITS | place as u64;
        self.heap.push(Reverse((at, numbers)));
    }

    /// Takes the next event if it happens no later than `until`.
    pub(crate) fn pop_until(&mut self, until: Time) -> Option<(Time, Event)> {
        if self.heap.peek()?.0.0 > until {
            return None;
        }
        let Reverse((at, numbers)) = self.heap.pop()?;
        let place = place_of(numbers);
        self.free.push(place);
        let event = self.places[place].take().expect("who is in the heap has a place");
        Some((at, event))
    }

    /// Forgets faults, their ends, and frames that are still on their way, perhaps since long ago: everything has been
    /// healed at once.
    pub(crate) fn forget_faults(&mut self) {
        let Queue { heap, places, free, .. } = self;
        heap.retain(|Reverse((_, numbers))| {
            let place = &mut places[place_of(*numbers)];
            let faulty = place.as_ref().is_some_and(|event| {
                matches!(
                    event,
                    Event::Undo(_) | Event::Inflict(_) | Event::Attack { .. } | Event::Arrive { .. }
                )
            });
            if faulty {
                *place = None;
                free.push(place_of(*numbers));
            }
            !faulty
        });
    }
}

fn place_of(numbers: u64) -> usize {
    usize::try_from(numbers & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_instant_happen_in_the_order_of_their_planning() {
        let mut queue = Queue::default();
        for client in [3, 1, 2] {
            queue.push(Time(7), Event::Probe { client });
        }
        queue.push(Time(5), Event::Probe { client: 9 });
        let mut order = Vec::new();
        while let Some((_, Event::Probe { client })) = queue.pop_until(Time(7)) {
            order.push(client);
        }
        assert_eq!(order, [9, 3, 1, 2]);
    }

    #[test]
    fn hosts_have_their_turns_within_an_instant_whatever_was_planned_first() {
        let mut queue = Queue::by_turns(&[2, 0, 1]);
        for host in [0, 1, 2, 0] {
            queue.push(Time(7), Event::Traffic { host, nth: 0 });
        }
        queue.push(Time(7), Event::Probe { client: 0 });
        queue.push(Time(6), Event::Traffic { host: 1, nth: 0 });
        let next = || queue.pop_until(Time(7)).map(|(_, event)| event.host());
        let order: Vec<Option<usize>> = std::iter::from_fn(next).collect();
        assert_eq!(order, [Some(1), None, Some(2), Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn what_is_forgotten_leaves_its_place_to_the_next_event_and_the_rest_in_order() {
        let mut queue = Queue::default();
        for client in 0..3 {
            queue.push(Time(9), Event::Probe { client });
            queue.push(Time(9), Event::Undo(Box::new(Fault::TakeAddresses { host: 0 })));
        }
        queue.forget_faults();
        queue.push(Time(9), Event::Probe { client: 3 });
        assert_eq!(queue.places.len(), 6);
        let next = || queue.pop_until(Time(9)).map(|(_, event)| format!("{event:?}"));
        let all: Vec<String> = std::iter::from_fn(next).collect();
        assert_eq!(all, [0, 1, 2, 3].map(|client| format!("Probe {{ client: {client} }}")));
    }
}
