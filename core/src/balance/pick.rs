//! Who gets the next connection: `balance`, over the servers that a view shows.
//!
//! A pure function of a view, of what is asked, and of its own state; each worker has its own. The group that takes
//! part: the usable active servers, or, only while there is none, the first usable backup in the file's order (all of
//! them with `option allbackups`).

use super::map::Map;
use super::ring::{Ring, avalanche};
use super::round::Round;
use super::view::{PoolView, ServerView};
use crate::config::model::{Algorithm, HashType};
use crate::id::ServerId;
use crate::rng::{Rng, Seed};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

/// What a pick may look at besides the view.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Never this one: its connect has just failed.
    pub exclude: Option<ServerId>,
    /// The client's address, for `balance source`.
    pub client: Option<IpAddr>,
    /// How many connections a server has now, over all workers.
    pub load: &'a dyn Fn(ServerId) -> u32,
}

impl core::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ask")
            .field("exclude", &self.exclude)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Ask<'_> {
    /// Asks for anybody, of servers without connections.
    #[must_use]
    pub fn anybody() -> Ask<'static> {
        Ask { exclude: None, client: None, load: &|_| 0 }
    }
}

/// What a worker knows of a pool between two picks.
#[derive(Clone, Debug)]
pub struct Picker {
    /// Of which view the rest is.
    version: Option<u64>,
    /// Who takes part: indices in the view.
    group: Vec<usize>,
    round: Round,
    map: Map,
    ring: Ring,
    rng: Rng,
    /// Load of each server as last seen, and when it changed: among equals the one left alone for longest goes first.
    loads: BTreeMap<ServerId, (u32, u64)>,
    changes: u64,
}

impl Default for Picker {
    fn default() -> Picker {
        Picker::new()
    }
}

impl Picker {
    /// A picker at its beginning.
    #[must_use]
    pub fn new() -> Picker {
        Picker {
            version: None,
            group: Vec::new(),
            round: Round::default(),
            map: Map::default(),
            ring: Ring::default(),
            rng: Rng::new(Seed(0)),
            loads: BTreeMap::new(),
            changes: 0,
        }
    }

    /// The index in `view.servers` of the server that gets the next connection; `None` if there is none.
    pub fn pick(&mut self, view: &PoolView, ask: &Ask<'_>) -> Option<usize> {
        if self.version != Some(view.version) {
            self.follow(view);
        }
        match view.algorithm {
            Algorithm::RoundRobin => self.round.pick(ask.exclude),
            Algorithm::StaticRr => self.map.walk(view, ask.exclude),
            Algorithm::LeastConn => self.least(view, ask),
            Algorithm::Source(kind) => match self.group[..] {
                // As haproxy: one server needs no hash.
                [only] => view.servers.get(only).is_some_and(|s| Some(s.id) != ask.exclude).then_some(only),
                _ => self.hashed(view, kind, ask),
            },
            Algorithm::Random { draws } => self.random(view, draws, ask),
        }
    }

    /// Takes over a new view.
    fn follow(&mut self, view: &PoolView) {
        let taking = |backup: bool| {
            let servers = view.servers.iter().enumerate();
            servers.filter(move |(_, s)| s.backup == backup && takes(s)).map(|(at, _)| at)
        };
        self.group = taking(false).collect();
        if self.group.is_empty() {
            self.group = taking(true).take(if view.all_backups { usize::MAX } else { 1 }).collect();
        }
        match view.algorithm {
            Algorithm::RoundRobin => self.round.follow(view, &self.group),
            Algorithm::StaticRr | Algorithm::Source(HashType::MapBased) => self.map.follow(view, &self.group),
            Algorithm::Source(HashType::Consistent) => self.ring.follow(view, &self.group),
            Algorithm::LeastConn | Algorithm::Random { .. } => {}
        }
        self.loads.retain(|id, _| view.servers.iter().any(|server| server.id == *id));
        self.version = Some(view.version);
    }

    /// Servers that may be given, with their index.
    fn candidates<'v>(
        &self,
        view: &'v PoolView,
        exclude: Option<ServerId>,
    ) -> impl Iterator<Item = (usize, &'v ServerView)> {
        let group = self.group.iter().filter_map(|index| Some((*index, view.servers.get(*index)?)));
        group.filter(move |(_, server)| Some(server.id) != exclude)
    }

    /// `leastconn`: the fewest connections for its weight; an idle server before all others; among equals the one
    /// that was chosen, or whose load changed, longest ago.
    fn least(&mut self, view: &PoolView, ask: &Ask<'_>) -> Option<usize> {
        let candidates: Vec<(usize, ServerId, u32)> =
            self.candidates(view, ask.exclude).map(|(index, s)| (index, s.id, s.weight)).collect();
        let mut best: Option<(u64, u64, usize, ServerId)> = None;
        for (index, id, weight) in candidates {
            let load = (ask.load)(id);
            let seen = self.loads.entry(id).or_insert((0, 0));
            if seen.0 != load {
                self.changes += 1;
                *seen = (load, self.changes);
            }
            let key = if load == 0 { 0 } else { (u64::from(load) + 1) * 4096 / u64::from(weight.max(1)) };
            if best.is_none_or(|(least, since, _, _)| (key, seen.1) < (least, since)) {
                best = Some((key, seen.1, index, id));
            }
        }
        let (_, _, index, id) = best?;
        // Its connection may have come and gone before the next pick.
        self.changes += 1;
        self.loads.entry(id).and_modify(|seen| seen.1 = self.changes);
        Some(index)
    }

    /// `random(N)`: the less loaded of N servers drawn by weight.
    fn random(&mut self, view: &PoolView, draws: u8, ask: &Ask<'_>) -> Option<usize> {
        let candidates: Vec<(usize, ServerId, u64)> =
            self.candidates(view, ask.exclude).map(|(index, s)| (index, s.id, u64::from(s.weight))).collect();
        let total = candidates.iter().map(|(_, _, weight)| weight).sum();
        let mut best: Option<(u64, u64, usize)> = None;
        for _ in 0..draws.max(1) {
            let mut at = self.rng.below(total);
            let drawn = candidates.iter().find(|(_, _, weight)| {
                let here = at < *weight;
                at = at.saturating_sub(*weight);
                here
            });
            let (index, id, weight) = *drawn?;
            let load = u64::from((ask.load)(id));
            // load / weight, compared without dividing.
            if best.is_none_or(|(least, of, _)| load * of < least * weight) {
                best = Some((load, weight, index));
            }
        }
        best.map(|(_, _, index)| index)
    }

    fn hashed(&self, view: &PoolView, kind: HashType, ask: &Ask<'_>) -> Option<usize> {
        let hash = ask.client.map_or(0, source_hash);
        match kind {
            HashType::MapBased => self.map.at(view, hash, ask.exclude),
            HashType::Consistent => self.ring.at(view, avalanche(hash), ask.exclude),
        }
    }
}

/// haproxy's hash of a client's address: its 32-bit words in network order, XORed.
fn source_hash(client: IpAddr) -> u32 {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            (0..4)
                .fold(0, |hash, word| hash ^ u32::try_from((bits >> (32 * word)) & 0xffff_ffff).unwrap_or(0))
        }
    }
}

fn takes(server: &ServerView) -> bool {
    server.usable && server.weight > 0
}

#[cfg(test)]
mod tests;
