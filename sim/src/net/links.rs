//! What stands between the ports of a simulation: cuts, one-way cuts, held frames and lost power, as counts.
//!
//! Turmoil knows one state per pair and cannot combine a hold with a one-way cut. Faults overlap, so they are counted
//! here, and the pair's state follows from the counts: any subset of a plan is a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use turmoil::Sim;

/// How a pair stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// Frames wait; none is lost.
    Held,
    /// Frames from the first to the second are lost, and the other way round.
    Cut(bool, bool),
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    forth: u32,
    back: u32,
    held: u32,
    state: State,
}

/// All pairs of ports.
#[derive(Clone, Debug)]
pub struct Links {
    ports: Vec<IpAddr>,
    pairs: BTreeMap<(usize, usize), Pair>,
    off: BTreeSet<usize>,
}

impl Links {
    /// The links between `ports`, all open.
    #[must_use]
    pub fn new(ports: Vec<IpAddr>) -> Links {
        let count = ports.len();
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        Links { ports, pairs: pairs.map(|pair| (pair, Pair::default())).collect(), off: BTreeSet::new() }
    }

    /// How many ports there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ports.len()
    }

    /// Every port but `port`.
    #[must_use]
    pub fn others(&self, port: usize) -> Vec<usize> {
        (0..self.ports.len()).filter(|other| *other != port).collect()
    }

    /// Frames from `from` to `to` are lost from now on, or once less.
    pub fn cut(&mut self, sim: &Sim<'_>, from: usize, to: usize, begins: bool) {
        let key = (from.min(to), from.max(to));
        if let Some(pair) = self.pairs.get_mut(&key) {
            count(if from < to { &mut pair.forth } else { &mut pair.back }, begins);
            self.settle(sim, key);
        }
    }

    /// Frames between `a` and `b` wait from now on, or one reason less.
    pub fn hold(&mut self, sim: &Sim<'_>, a: usize, b: usize, begins: bool) {
        let key = (a.min(b), a.max(b));
        if let Some(pair) = self.pairs.get_mut(&key) {
            count(&mut pair.held, begins);
            self.settle(sim, key);
        }
    }

    /// Port `port` has power, or none.
    pub fn power(&mut self, sim: &Sim<'_>, port: usize, on: bool) {
        let changed = if on { self.off.remove(&port) } else { self.off.insert(port) };
        if changed {
            for other in self.others(port) {
                self.settle(sim, (port.min(other), port.max(other)));
            }
        }
    }

    /// Ends every cut and hold of `port`.
    pub fn heal(&mut self, sim: &Sim<'_>, port: usize) {
        for other in self.others(port) {
            let key = (port.min(other), port.max(other));
            if let Some(pair) = self.pairs.get_mut(&key) {
                (pair.forth, pair.back, pair.held) = (0, 0, 0);
                self.settle(sim, key);
            }
        }
    }

    fn settle(&mut self, sim: &Sim<'_>, key: (usize, usize)) {
        let dark = self.off.contains(&key.0) || self.off.contains(&key.1);
        let Some(pair) = self.pairs.get_mut(&key) else { return };
        let wanted = if dark {
            State::Cut(true, true)
        } else if pair.forth > 0 || pair.back > 0 {
            State::Cut(pair.forth > 0, pair.back > 0)
        } else if pair.held > 0 {
            State::Held
        } else {
            State::Open
        };
        let (a, b) = (self.ports[key.0], self.ports[key.1]);
        let before = std::mem::replace(&mut pair.state, wanted);
        if before == wanted {
            return;
        }
        match before {
            State::Open => {}
            State::Held => sim.release(a, b),
            State::Cut(..) => sim.repair(a, b),
        }
        match wanted {
            State::Open => {}
            State::Held => sim.hold(a, b),
            State::Cut(true, false) => sim.partition_oneway(a, b),
            State::Cut(false, true) => sim.partition_oneway(b, a),
            State::Cut(..) => sim.partition(a, b),
        }
    }
}

fn count(count: &mut u32, more: bool) {
    *count = if more { *count + 1 } else { count.saturating_sub(1) };
}
