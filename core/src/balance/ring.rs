//! The ring of consistent hashing (`hash-type consistent`): each server owns as many points as it weighs, at places
//! that depend on nothing but its id; a key goes to the nearest point on either side.
//!
//! A server that comes or goes moves only the keys of its own points.

use super::view::PoolView;
use crate::id::ServerId;
use alloc::vec::Vec;

/// Points of one server lie this far apart before they are hashed: more than the heaviest server weighs.
const POINTS: u32 = 4096;

/// The ring of one group of servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ring {
    /// Place and index in the view, by place.
    points: Vec<(u32, usize)>,
}

impl Ring {
    /// Puts the servers in `group` on the ring.
    pub(super) fn follow(&mut self, view: &PoolView, group: &[usize]) {
        self.points.clear();
        for (index, server) in group.iter().filter_map(|index| Some((*index, view.servers.get(*index)?))) {
            let first = server.id.0.wrapping_mul(POINTS);
            self.points.extend(
                (0..server.weight.min(POINTS)).map(|nth| (avalanche(first.wrapping_add(nth)), index)),
            );
        }
        self.points.sort_unstable();
    }

    /// The server of `hash`: the nearest point's, or the next one's that is not `exclude`.
    pub(super) fn at(&self, view: &PoolView, hash: u32, exclude: Option<ServerId>) -> Option<usize> {
        let steps = self.points.len();
        let above = self.points.partition_point(|(place, _)| *place < hash).checked_rem(steps)?;
        let below = (above + steps - 1) % steps;
        let far = |at: usize, up: bool| {
            let place = self.points.get(at).map_or(0, |(place, _)| *place);
            if up { place.wrapping_sub(hash) } else { hash.wrapping_sub(place) }
        };
        let first = if far(below, false) < far(above, true) { below } else { above };
        let points = (0..steps).filter_map(|step| self.points.get((first + step) % steps));
        let mut servers = points.filter_map(|(_, index)| Some((*index, view.servers.get(*index)?.id)));
        servers.find(|(_, id)| Some(*id) != exclude).map(|(index, _)| index)
    }
}

/// A full avalanche of 32 bits (Bob Jenkins' six shifts): every bit of `a` changes about half of the result's.
pub(super) fn avalanche(a: u32) -> u32 {
    let a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    let a = (a ^ 0xc761_c23c) ^ (a >> 19);
    let a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    let a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    let a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    (a ^ 0xb55a_4f09) ^ (a >> 16)
}
