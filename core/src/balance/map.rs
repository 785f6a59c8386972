//! The map of haproxy's static algorithms: as many entries as the servers weigh together, each server spread evenly.
//!
//! Filled by haproxy's loop: every server gains its weight, the richest in whole totals takes the entry (the first in
//! the file's order on a tie) and pays one total. `static-rr` walks over it (weights 3, 1, 2: `a a c a b c`); a map-based hash
//! is an index into it, so that nearly all clients move when a server comes or goes.

use super::view::PoolView;
use crate::id::ServerId;
use alloc::vec::Vec;

/// The map of one group of servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// Indices in the view.
    entries: Vec<usize>,
    /// The entry that `static-rr` gives next.
    next: usize,
}

impl Map {
    /// Fills the map with the servers in `group`, unless it is filled with the same already. The walk begins anew, as
    /// haproxy's does.
    pub(super) fn follow(&mut self, view: &PoolView, group: &[usize]) {
        let weight = |index: &usize| view.servers.get(*index).map_or(0, |server| u64::from(server.weight));
        let divisor = group.iter().map(weight).fold(0, gcd).max(1);
        let weights: Vec<i64> =
            group.iter().map(|index| i64::try_from(weight(index) / divisor).unwrap_or(0)).collect();
        let total: i64 = weights.iter().sum();
        let mut riches: Vec<i64> = weights.iter().map(|_| 0).collect();
        let mut entries = Vec::new();
        for _ in 0..total {
            let mut richest = 0;
            for (at, weight) in weights.iter().enumerate() {
                riches[at] += weight;
                // Whole totals count, as in haproxy: what is left of one makes no difference.
                if (riches[at] + total) / total > (riches[richest] + total) / total {
                    richest = at;
                }
            }
            riches[richest] -= total;
            entries.push(group[richest]);
        }
        if entries != self.entries {
            *self = Map { entries, next: 0 };
        }
    }

    /// The next entry of the walk that is not `exclude`.
    pub(super) fn walk(&mut self, view: &PoolView, exclude: Option<ServerId>) -> Option<usize> {
        let steps = self.entries.len();
        let found =
            (0..steps).map(|step| (self.next + step) % steps).find(|at| self.is(view, *at, exclude))?;
        self.next = (found + 1) % steps;
        self.entries.get(found).copied()
    }

    /// The entry of `hash`, or the next one that is not `exclude`. haproxy's map gives the excluded server again;
    /// ours does not, so that a redispatch helps with hashes too.
    pub(super) fn at(&self, view: &PoolView, hash: u32, exclude: Option<ServerId>) -> Option<usize> {
        let steps = self.entries.len();
        let first = usize::try_from(hash).unwrap_or(0).checked_rem(steps)?;
        let found = (0..steps).map(|step| (first + step) % steps).find(|at| self.is(view, *at, exclude))?;
        self.entries.get(found).copied()
    }

    fn is(&self, view: &PoolView, at: usize, exclude: Option<ServerId>) -> bool {
        let server = self.entries.get(at).and_then(|index| view.servers.get(*index));
        server.is_some_and(|server| Some(server.id) != exclude)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
