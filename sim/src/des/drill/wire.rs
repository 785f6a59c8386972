//! Drills of the wire: a split that heals (A1, A6, A8), a farewell that is repeated again and again (E1).
//!
//! In a split both sides have a master; once they hear each other they must agree at once, and the neighbours must know,
//! long before the winner would tell them again anyway.

use super::SLACK;
use crate::des::adversary::{Attack, Forgery};
use crate::des::fault::Fault;
use crate::des::invariant;
use crate::des::run::Run;
use crate::des::settled::masters;
use crate::des::shape::RouterShape;
use std::time::Duration;

/// A repeated farewell comes so many times while the best backup waits.
const REPEATS: u32 = 5;
/// Not faster than this.
const FASTEST: Duration = Duration::from_micros(200);

impl Run<'_> {
    /// A1, A6 and A8: two masters that hear each other again agree at once, for good, and the neighbours know.
    pub(super) fn split(&mut self) {
        let key = self.key().1;
        let Some(hit) = masters(&self.world, &self.main.hosts, &key).first().copied() else { return };
        let shape = &self.plan.shape;
        let slowest = shape.routers.iter().map(RouterShape::slowest).max().unwrap_or_default();
        let down = shape.routers.iter().map(RouterShape::master_down).max().unwrap_or_default();
        let agreed = slowest * 2 + shape.delay.1 * 4 + shape.apply * 4 + SLACK;
        let fault = Fault::Isolate { port: hit, lasts: Duration::ZERO };
        self.world.begin(&fault);
        self.pass(down * 2 + SLACK);
        self.world.undo(&fault);
        self.pass(agreed);
        if self.broken() {
            return;
        }
        // A killed daemon without a lease still answers for the address; only the next announcements help against that.
        let addresses = self.world.routers.get(&key).cloned().unwrap_or_default();
        let alone = addresses.iter().all(|address| self.world.holders(*address).len() == 1);
        let found = invariant::one_master(&self.world, &self.main, &key)
            .or_else(|| if alone { invariant::neighbours_know(&self.world, &self.main, &key) } else { None });
        if let Some((name, what)) = found {
            return self.world.fail(name, format!("vrid {}: after the split: {what}", key.vrid));
        }
        self.world.watch.takeovers = Some(Vec::new());
        self.pass(down);
        let again = self.world.watch.takeovers.take().unwrap_or_default();
        let again = again.iter().find(|(_, of)| *of == key);
        // Where preemption is put off, a better one may follow later.
        let delayed = shape.routers.iter().any(|router| !router.preempt_delay.is_zero());
        if let Some((host, _)) = again.filter(|_| !delayed && !self.broken()) {
            let what = format!("vrid {}: n{} takes over once more after the split", key.vrid, host + 1);
            return self.world.fail("A6", what);
        }
        if !self.broken() {
            self.settle("after the split");
        }
    }

    /// Somebody repeats the farewell of all masters, while a backup must take over within `bound`.
    pub(super) fn repeat_farewell(&mut self, bound: Duration) {
        let every = ((bound - SLACK) / REPEATS).max(FASTEST);
        let until = self.world.now + bound;
        self.world.attack(Attack { what: Forgery::Priority(0), every, until });
    }
}
