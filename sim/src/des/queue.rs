//! What is planned: events in order of time, then of planning.
//!
//! Small on purpose: an entry is moved some twenty times on its way through the heap, so whatever is large is behind
//! a pointer. Nothing in here decides anything.

use super::fault::Fault;
use super::kernel::Request;
use super::lan::Frame;
use ipnet::IpNet;
use standfast_core::id::{Interface, PoolId};
use standfast_core::input::Input;
use standfast_core::time::Time;
use std::cmp::Ordering;
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

#[derive(Debug)]
struct Entry(Time, u64, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.0, other.1).cmp(&(self.0, self.1)) // the earliest is the greatest, for a max-heap
    }
}

/// What is planned, in order of time, then of planning.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    planned: u64,
}

impl Queue {
    /// Plans `event` at `at`.
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        self.planned += 1;
        self.heap.push(Entry(at, self.planned, event));
    }

    /// Takes the next event if it happens no later than `until`.
    pub(crate) fn pop_until(&mut self, until: Time) -> Option<(Time, Event)> {
        if self.heap.peek()?.0 > until {
            return None;
        }
        self.heap.pop().map(|entry| (entry.0, entry.2))
    }

    /// Forgets faults, their ends, and frames that are still on their way, perhaps since long ago: everything has been
    /// healed at once.
    pub(crate) fn forget_faults(&mut self) {
        let faulty = |event: &Event| {
            matches!(event, Event::Undo(_) | Event::Inflict(_) | Event::Attack { .. } | Event::Arrive { .. })
        };
        self.heap.retain(|entry| !faulty(&entry.2));
    }
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
    fn an_entry_of_the_heap_stays_small() {
        assert!(size_of::<Entry>() <= 56, "{}", size_of::<Entry>());
    }
}
