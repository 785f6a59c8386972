//! haproxy's smooth weighted round robin (`balance roundrobin`).
//!
//! A round has as many places as the usable servers weigh together. Each server wants a place every `total / weight`
//! places, the remainder carried. At each pick the server whose place has come goes first, the heavier one on a tie;
//! else the heaviest that had no turn yet in this round; a server whose next place lies beyond the round waits for the
//! next one. Equal weights give `a b c` in the file's order; 3, 1 and 2 give `a c a b a c`. Servers that a new view
//! does not change keep their place; one that comes back waits for the next round.

use super::server::{MAX_WEIGHT, WEIGHT_SCALE};
use super::view::PoolView;
use crate::id::ServerId;
use alloc::vec::Vec;

/// When a server has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Has had none in this round: by weight.
    Fresh,
    /// At its place.
    Placed,
    /// In the next round.
    Next,
}

/// A usable active server on the round.
#[derive(Clone, Debug)]
struct Seat {
    id: ServerId,
    /// Where in the view.
    index: usize,
    weight: u32,
    turn: Turn,
    /// Its next place in the round; `None` until its first pick ever.
    place: Option<u64>,
    /// Remainder of `total / weight`, carried.
    rest: u64,
    /// When it got its present turn; decides among equals.
    since: u64,
}

impl Seat {
    /// Among seats of one place the lowest goes first: the heavier, less what it carries, in units of configured
    /// weight as haproxy rounds it.
    fn urgency(&self) -> u64 {
        let heaviest = u64::from(MAX_WEIGHT) * u64::from(WEIGHT_SCALE);
        (heaviest + self.rest).saturating_sub(u64::from(self.weight)) / u64::from(WEIGHT_SCALE)
    }
}

/// The state of one pool's round.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    /// Somebody has had a seat before.
    begun: bool,
    /// In the file's order.
    seats: Vec<Seat>,
    /// Places of this round.
    round: u64,
    /// Weight of all seats now.
    total: u64,
    /// The place to be given next.
    now: u64,
    /// Turns given out so far.
    turns: u64,
}

/// Keeps the seat with the lowest key, of equal ones the first.
fn first_of<K: Ord>(best: &mut Option<(K, usize)>, key: K, at: usize) {
    if best.as_ref().is_none_or(|(lowest, _)| key < *lowest) {
        *best = Some((key, at));
    }
}

impl Round {
    /// The index in the view of the server whose turn it is, never `exclude`.
    pub(super) fn pick(&mut self, exclude: Option<ServerId>) -> Option<usize> {
        let seat = self.first(exclude).or_else(|| {
            self.turn_round();
            self.first(exclude)
        })?;
        Some(self.seat(seat))
    }

    /// Takes over a new view, of which the servers in `group` take part.
    pub(super) fn follow(&mut self, view: &PoolView, group: &[usize]) {
        let fresh_start = !self.begun;
        let mut old = core::mem::take(&mut self.seats);
        for (index, server) in group.iter().filter_map(|index| Some((*index, view.servers.get(*index)?))) {
            let known = old.iter().position(|seat| seat.id == server.id);
            let mut seat = known.map_or_else(
                || Seat {
                    id: server.id,
                    index,
                    weight: server.weight,
                    turn: if fresh_start { Turn::Fresh } else { Turn::Next },
                    place: if fresh_start { None } else { Some(0) },
                    rest: 0,
                    since: 0,
                },
                |at| old.swap_remove(at),
            );
            if known.is_none() {
                self.turns += 1;
                seat.since = self.turns;
            }
            seat.index = index;
            if seat.weight != server.weight {
                seat.weight = server.weight;
                seat.rest = 0;
            }
            self.seats.push(seat);
        }
        self.total = self.seats.iter().map(|seat| u64::from(seat.weight)).sum();
        if fresh_start {
            self.round = self.total;
        }
        self.begun |= !self.seats.is_empty();
    }

    /// The seat whose turn it is.
    fn first(&self, exclude: Option<ServerId>) -> Option<usize> {
        let (mut placed, mut fresh) = (None, None);
        for (at, seat) in self.seats.iter().enumerate().filter(|(_, seat)| Some(seat.id) != exclude) {
            match seat.turn {
                Turn::Placed => first_of(&mut placed, (seat.place, seat.urgency(), seat.since), at),
                Turn::Fresh => first_of(&mut fresh, (u32::MAX - seat.weight, seat.since), at),
                Turn::Next => {}
            }
        }
        let placed_now = placed.filter(|((place, _, _), _)| place.is_none_or(|place| place <= self.now));
        let placed_now = placed_now.map(|(_, at)| at);
        placed_now.or(fresh.map(|(_, at)| at)).or(placed.map(|(_, at)| at))
    }

    /// Everybody had the turns of this round.
    fn turn_round(&mut self) {
        for seat in &mut self.seats {
            if seat.turn == Turn::Next {
                seat.turn = Turn::Fresh;
            }
        }
        self.round = self.total;
        self.now = 0;
    }

    /// Gives seat `at` the present place and works out its next one.
    fn seat(&mut self, at: usize) -> usize {
        let (now, round, total) = (self.now, self.round, self.total);
        let seat = &mut self.seats[at];
        let weight = u64::from(seat.weight);
        let mut place = seat.place.unwrap_or(now) + total / weight;
        seat.rest += total % weight;
        if seat.rest >= weight {
            seat.rest -= weight;
            place += 1;
        }
        if place >= round || place >= total {
            seat.turn = Turn::Next;
            place = place.saturating_sub(round);
        } else {
            seat.turn = Turn::Placed;
        }
        seat.place = Some(place);
        self.turns += 1;
        seat.since = self.turns;
        self.now += 1;
        seat.index
    }
}
