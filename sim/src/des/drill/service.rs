//! Drills of checks, servers and kernels: one server is out (E3), all scripts fail alike (A20), other software takes one
//! address of several (A2).
//!
//! Each is timed by what the check itself implies.

use super::RUN_SLACK;
use crate::des::fault::Fault;
use crate::des::invariant;
use crate::des::run::{Run, settling};
use crate::des::settled::masters;
use crate::des::shape::server_address;
use crate::des::truth;
use std::time::Duration;

/// A slow kernel's notices have all been read after this time.
const READ: Duration = Duration::from_secs(3);

impl Run<'_> {
    /// A2: a master gives everything up when one of its addresses is taken, and what it gives up and takes again it does
    /// not believe lost when the notices come late.
    pub(super) fn take_one(&mut self) {
        let key = self.key().1;
        let Some(hit) = masters(&self.world, &self.main.hosts, &key).first().copied() else { return };
        let slow = Fault::SlowKernel { host: hit, lasts: READ };
        self.world.begin(&slow);
        self.world.take_some(hit, 1);
        self.pass(READ);
        self.world.undo(&slow);
        if !self.broken() {
            self.settle("after an address was taken");
        }
    }

    /// E3: a server that dies, or hangs, is out of every pool in the time that its check implies, and back in as soon.
    pub(super) fn server_outage(&mut self) {
        let (shape, balance) = (&self.plan.shape, self.plan.shape.balance);
        if shape.servers == 0 {
            return;
        }
        let nth = usize::try_from(self.plan.seed / 7).unwrap_or(0) % shape.servers;
        let server = server_address(nth);
        let hangs = self.plan.seed.is_multiple_of(2);
        let run = if hangs { balance.interval } else { truth::LONGEST } + RUN_SLACK;
        let (out, into) = (
            (balance.interval + run) * (balance.fall + 1),
            run + (balance.interval + truth::LONGEST + RUN_SLACK) * (balance.rise + 1),
        );
        let fault = if hangs {
            Fault::ServerHangs { server, lasts: out }
        } else {
            Fault::ServerDies { server, lasts: out }
        };
        self.world.inflict(&fault);
        // Just before it comes back.
        self.pass(out - Duration::from_nanos(1));
        self.pools_are_right();
        self.pass(into);
        self.pools_are_right();
    }

    fn pools_are_right(&mut self) {
        if let Some((name, what)) = invariant::pools_follow_servers(&self.world, &self.main) {
            self.world.fail(name, what);
        }
    }

    /// A20: the scripts of all nodes fail, and pass again later; priorities fall and rise alike, so no role changes.
    pub(super) fn shared_outage(&mut self) {
        let (router, key) = self.key();
        let Some(script) = self.plan.shape.script.filter(|script| script.weight != 0 && router.tracks) else {
            return;
        };
        // Nodes notice up to one interval of the script after each other; whoever notices late must not have
        // taken over by then.
        let apart = script.interval + truth::LONGEST + RUN_SLACK * 2;
        let patient = router.fastest() * u32::from(router.down_adverts) > apart + router.fastest();
        // Where a weight drives a priority to its end, the outage changes the order: the address moves rightly.
        let whole = router.members.iter().all(|(priority, _)| {
            let base = i16::from(*priority);
            (1..=254).contains(&base) && (1..=254).contains(&(base + script.weight))
        });
        if !whole || !patient || !self.plan.failing.is_empty() || !self.plan.left.is_empty() {
            return;
        }
        let before = masters(&self.world, &self.main.hosts, &key);
        self.world.watch.takeovers = Some(Vec::new());
        for host in 0..self.plan.shape.nodes {
            self.world.inflict(&Fault::ScriptFails { host, lasts: settling(self.plan) });
        }
        self.pass(settling(self.plan) * 2);
        let takeovers = self.world.watch.takeovers.take().unwrap_or_default();
        let moved = takeovers.iter().find(|(_, of)| *of == key);
        if let Some((host, _)) = moved.filter(|_| !self.broken()) {
            let from: Vec<usize> = before.iter().map(|host| host + 1).collect();
            let what = format!("vrid {}: from n{from:?} to n{}, although all fell alike", key.vrid, host + 1);
            self.world.fail("A20", what);
        }
    }
}
