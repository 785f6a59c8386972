//! The drill: one thing goes wrong in a settled cluster, and what follows is timed (E1, E3, E4, A4, A20, L1, L2).
//!
//! Then whoever was hit comes back, and everything must settle once more. Drills of the wire are in `wire`, of checks and
//! servers in `service`.

mod service;
mod wire;

use crate::des::fault::Fault;
use crate::des::invariant;
use crate::des::kernel;
use crate::des::plan::Drill;
use crate::des::run::Run;
use crate::des::settled::{self, masters};
use crate::des::shape::{LINK, RouterKey, RouterShape};
use crate::des::world::World;
use standfast_core::config::model::Version;
use standfast_core::time::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a takeover may take beyond the protocol's own times: wake-ups and answers.
pub(super) const SLACK: Duration = Duration::from_millis(20);
/// What a run of a check may take beyond its own time.
pub(super) const RUN_SLACK: Duration = Duration::from_millis(10);

impl Run<'_> {
    /// Hits the cluster once more, and lets it recover.
    pub(super) fn drill(&mut self) {
        if self.broken() {
            return;
        }
        match self.plan.drill {
            Drill::Nothing => {}
            Drill::ServerOutage => self.server_outage(),
            Drill::SharedOutage => self.shared_outage(),
            Drill::Split => self.split(),
            Drill::TakeOne => self.take_one(),
            Drill::PowerLoss
            | Drill::Farewells
            | Drill::Kill
            | Drill::Stop
            | Drill::Freeze
            | Drill::LinkDown
            | Drill::ScriptFails
            | Drill::TakeAddresses => self.hit_master(),
        }
    }

    fn key(&self) -> (&RouterShape, RouterKey) {
        let nth = usize::try_from(self.plan.seed).unwrap_or(0) % self.plan.shape.routers.len();
        let router = &self.plan.shape.routers[nth];
        (router, RouterKey { interface: LINK.into(), vrid: router.vrid, family: router.family })
    }

    /// Hits the master of one virtual router, times the takeover, then lets it come back.
    fn hit_master(&mut self) {
        let plan = self.plan;
        let nth = usize::try_from(plan.seed).unwrap_or(0) % plan.shape.routers.len();
        let (router, key) = (&plan.shape.routers[nth], self.key().1);
        let Some(hit) = masters(&self.world, &self.main.hosts, &key).first().copied() else {
            return;
        };
        let bound = self.bound(router, &key, hit);
        let back = Duration::ZERO; // whoever was hit comes back when all has settled without it
        let began = self.world.now;
        let single = self.single(router, &key, hit);
        let fault = match plan.drill {
            Drill::PowerLoss | Drill::Farewells => Fault::PowerLoss { host: hit, back },
            Drill::Kill => Fault::Kill { host: hit, back },
            Drill::Stop => Fault::Stop { host: hit, back },
            Drill::Freeze => Fault::Pause { host: hit, lasts: back },
            Drill::LinkDown => Fault::LinkDown { host: hit, lasts: back },
            Drill::ScriptFails => Fault::ScriptFails { host: hit, lasts: back },
            Drill::TakeAddresses
            | Drill::TakeOne
            | Drill::Nothing
            | Drill::ServerOutage
            | Drill::SharedOutage
            | Drill::Split => Fault::TakeAddresses { host: hit },
        };
        if matches!(plan.drill, Drill::Kill | Drill::Freeze) {
            self.world.watch.sole = self.leased_in_time().into_iter().map(|address| (hit, address)).collect();
        }
        self.world.watch.takeovers = Some(Vec::new());
        self.world.begin(&fault);
        self.lease_ends_in_time(hit, began, router);
        if let (Drill::Farewells, Some(bound)) = (plan.drill, bound) {
            self.repeat_farewell(bound);
        }
        if let Some(bound) = bound {
            self.taken_over(&key, hit, began + bound, single);
            if single {
                self.one_takeover(&key);
            }
        }
        self.world.watch.takeovers = None;
        if !self.broken() {
            self.settle("after the drill");
            self.come_back(router, &key, hit, &fault);
        }
    }

    fn come_back(&mut self, router: &RouterShape, key: &RouterKey, hit: usize, fault: &Fault) {
        // An owner that starts again takes its addresses at once.
        let owns = |(host, address): &(usize, ipnet::IpNet)| {
            let instances = self.world.hosts[*host].config.instances.values();
            let mut mine = instances.filter(|i| i.addresses.iter().any(|held| held.address == *address));
            mine.any(|instance| instance.election.priority == 255)
        };
        let others = self.world.watch.sole.iter().filter(|sole| !owns(sole)).copied().collect();
        self.world.watch.sole = others;
        self.world.undo(fault);
        // A thawed or restarted daemon must not bring a second holder either, until it may have been elected.
        let fastest = router.members.iter().map(|member| member.1).min().unwrap_or_default();
        self.pass(fastest.min(Duration::from_millis(500)));
        self.world.watch.sole.clear();
        let before = masters(&self.world, &self.main.hosts, key);
        if !self.broken() {
            self.settle("after the return");
        }
        let after = masters(&self.world, &self.main.hosts, key);
        let owner = router.members.iter().any(|member| member.0 == 255);
        // Whoever has just started knows no interval but its own. Where another member's is longer than all that this
        // one waits for, it may take over before it has heard the master once: physics of unequal intervals.
        let patient = router.members[hit].1 * u32::from(router.down_adverts) >= router.slowest();
        if !self.broken() && !router.preempt && patient && !owner && before.len() == 1 && before != after {
            self.world.fail(
                "A5",
                format!("vrid {}: nopreempt, but n{:?} became n{:?}", router.vrid, before, after),
            );
        }
    }

    /// How long the drill may leave the addresses of `router` without a holder; `None` when nobody can take over, or
    /// when the drill is not about that.
    fn bound(&self, router: &RouterShape, key: &RouterKey, hit: usize) -> Option<Duration> {
        let shape = &self.plan.shape;
        let rivals = self.main.hosts.iter().filter(|host| **host != hit);
        let best = rivals.filter_map(|host| settled::expected(&self.world, *host, key)).max()?;
        let interval = self.world.hosts[hit].instance(key)?.1.election.interval;
        let scale = match router.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => interval,
        };
        let skew = scale * (256 - u32::from(best)) / 256;
        let slack = shape.delay.1 * 3 + shape.apply * 2 + SLACK;
        match self.plan.drill {
            Drill::PowerLoss | Drill::Kill | Drill::Freeze | Drill::LinkDown => {
                Some(interval * u32::from(router.down_adverts) + skew + slack)
            }
            // The one who stops keeps the address until a rival is heard, so the rival's time is what counts.
            Drill::Stop | Drill::Farewells => Some(skew + slack),
            Drill::ScriptFails
            | Drill::TakeAddresses
            | Drill::Nothing
            | Drill::ServerOutage
            | Drill::SharedOutage
            | Drill::Split
            | Drill::TakeOne => None,
        }
    }

    /// One rival is so much better than the others that only it can take over, whatever the network's jitter.
    fn single(&self, router: &RouterShape, key: &RouterKey, hit: usize) -> bool {
        let rivals = self.main.hosts.iter().filter(|host| **host != hit);
        let mut priorities: Vec<u8> =
            rivals.filter_map(|host| settled::expected(&self.world, *host, key)).collect();
        priorities.sort_unstable_by(|a, b| b.cmp(a));
        let unit = match router.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => router.fastest(),
        };
        // A member of a group waits for the others, by their clocks.
        let gap = |pair: &[u8]| unit * u32::from(pair[0] - pair[1]) / 256;
        let jitter = self.plan.shape.delay.1 * 2 + Duration::from_millis(1);
        !self.plan.shape.group && priorities.windows(2).next().is_none_or(|pair| gap(pair) > jitter)
    }

    /// A4: one host has taken over, and once.
    fn one_takeover(&mut self, key: &RouterKey) {
        let takeovers = self.world.watch.takeovers.take().unwrap_or_default();
        let hosts: Vec<usize> =
            takeovers.iter().filter(|(_, of)| of == key).map(|(host, _)| host + 1).collect();
        if hosts.len() > 1 && !self.broken() {
            self.world.fail("A4", format!("vrid {}: taken over by {hosts:?} one after the other", key.vrid));
        }
    }

    /// E1: at `until`, somebody other than `hit` holds every address of `key`, and the clients know (A8, E4). Where
    /// several take over at once, the winner may put its last announcement off, so the clients know a little later.
    fn taken_over(&mut self, key: &RouterKey, hit: usize, until: Time, single: bool) {
        self.world.run_until(until);
        let hosts: Vec<usize> = self.main.hosts.iter().copied().filter(|host| *host != hit).collect();
        let holds = |world: &World, host: usize| {
            let instance = world.hosts[host].instance(key);
            instance
                .is_some_and(|(_, i)| i.addresses.iter().all(|held| world.hosts[host].serves(held.address)))
        };
        if self.broken() {
            return;
        }
        if !hosts.iter().any(|host| holds(&self.world, *host)) {
            return self
                .world
                .fail("E1", format!("vrid {}: nobody has taken over from n{}", key.vrid, hit + 1));
        }
        let planned = single && self.plan.drill == Drill::Stop;
        let served = || if planned { invariant::clients_are_served(&self.world, key) } else { None };
        if let Some((name, what)) = invariant::neighbours_follow(&self.world, key, hit).or_else(served) {
            self.world.fail(name, what);
        }
    }

    /// L1: whatever the killed or frozen daemon held is gone before a backup may take over, at most a second later.
    fn lease_ends_in_time(&mut self, hit: usize, began: Time, router: &RouterShape) {
        if !self.plan.shape.lease || !matches!(self.plan.drill, Drill::Kill | Drill::Freeze) {
            return;
        }
        let shortest = self
            .plan
            .shape
            .routers
            .iter()
            .map(|router| router.members[hit].1 * u32::from(router.down_adverts));
        let soon = shortest.min().unwrap_or_default().max(Duration::from_secs(1));
        let only = self.plan.shape.routers.len() == 1;
        let soon = if only { soon } else { router.master_down().max(Duration::from_secs(4)) };
        self.world.run_until(began + soon + kernel::LATEST + self.plan.shape.apply);
        let left = self.world.hosts[hit].kernel.addresses.iter().find(|(_, held)| held.marked);
        if let Some(((_, address), _)) = left.filter(|_| only && !self.broken()) {
            let what = format!("n{} still holds {address} after {soon:?}", hit + 1);
            self.world.fail("L1", what);
        }
    }

    /// The addresses that leases protect altogether: those whose virtual routers' master-down time is longer than
    /// the lease, one interval (a renewal may come right before the advertisement that the freeze prevents) and the
    /// kernel's own lateness. With whole seconds the lease leaves no room for the last, so that a freeze at the wrong
    /// moment gives up to a quarter of a second of two holders: L1 bounds it, L2 does not deny it.
    fn leased_in_time(&self) -> BTreeSet<ipnet::IpNet> {
        let shape = &self.plan.shape;
        let late = kernel::LATEST + shape.apply * 2 + shape.delay.1 * 2;
        let mut sole = BTreeSet::new();
        for (router, nth) in shape.routers.iter().zip(0..) {
            let fastest = router.members.iter().map(|member| member.1).min().unwrap_or_default();
            let down = u32::from(router.down_adverts);
            let lease = Duration::from_secs((router.slowest() * (down - 1)).as_secs().max(1));
            if shape.lease && fastest * down > lease + fastest + late {
                sole.extend((0..router.addresses).map(|k| super::shape::vip(nth, k, router.family)));
            }
        }
        sole
    }
}
