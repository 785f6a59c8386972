//! One run: storm, calm, drill, and the return of the one that the drill hit.
//!
//! In the storm only the always-invariants count. Then everything heals (or stays broken, as the plan says), the
//! cluster gets the time that its own intervals imply, and the settled invariants must hold; after that the master
//! is hit once more, with nothing else in the way, and the takeover is timed.

use super::fault::Fault;
use super::invariant::Violation;
use super::kernel;
use super::plan::{Drill, Left, Plan};
use super::settled::{self, Component};
use super::shape::{RouterKey, RouterShape, SERVER_INTERVAL, host_address};
use super::world::{Canary, Event, Setting, Spec, World};
use standfast_core::config::model::{Family, Version};
use standfast_core::input::{Input, Order};
use standfast_core::time::Time;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The invariant that broke, if any.
    pub violation: Option<Violation>,
    /// The trace hash.
    pub hash: u64,
    /// Events.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// The trace in words, when asked for.
    pub trace: Vec<String>,
}

/// Runs `plan`, keeping the trace in words if `words`.
#[must_use]
pub fn run(plan: &Plan, words: bool) -> Report {
    let mut run = Run::new(plan, words);
    // A panic is a broken invariant like any other, with its seed and its trace.
    let ended = catch_unwind(AssertUnwindSafe(|| {
        run.storm();
        run.calm();
        run.drill();
    }));
    if let Err(panic) = ended {
        let what = panic.downcast_ref::<String>().map(String::as_str);
        let what = what.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
        run.world.fail("A23", format!("panic: {what}"));
    }
    let world = run.world;
    Report {
        violation: world.watch.violation.clone(),
        hash: world.trace.value(),
        events: world.watch.events,
        simulated: world.now.since_origin(),
        trace: world.trace.lines().into_iter().map(String::from).collect(),
    }
}

/// Draws and runs the plan of `seed`.
#[must_use]
pub fn run_seed(seed: u64) -> Report {
    run(&Plan::draw(seed), false)
}

struct Run<'a> {
    plan: &'a Plan,
    world: World,
    main: Component,
}

/// What a cluster needs beyond its own intervals: retries of kernel requests, starts of daemons.
const SPARE: Duration = Duration::from_secs(6);
/// The second block of announcements comes so late.
const SECOND_BLOCK: Duration = Duration::from_secs(6);

/// How long `plan`'s cluster may take to settle.
#[must_use]
pub fn settling(plan: &Plan) -> Duration {
    let shape = &plan.shape;
    let down = shape.routers.iter().map(RouterShape::master_down).max().unwrap_or_default();
    let delay = shape.routers.iter().map(|router| router.preempt_delay).max().unwrap_or_default();
    let script = shape.script.map(|script| script.detection()).unwrap_or_default();
    let servers = if shape.servers > 0 { SERVER_INTERVAL * 8 } else { Duration::ZERO };
    down * 3 + delay + script.max(servers) + shape.delay.1 * 4 + shape.apply * 4 + SPARE
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, words: bool) -> Run<'a> {
        let shape = &plan.shape;
        let specs: Vec<Spec> = (0..shape.nodes)
            .map(|host| Spec {
                name: format!("n{}", host + 1),
                own: vec![host_address(host, Family::V4), host_address(host, Family::V6)],
                config: Arc::new(shape.config(host)),
            })
            .collect();
        let setting = Setting {
            seed: plan.seed,
            delay: shape.delay,
            apply: shape.apply,
            clients: plan.clients,
            probe: Duration::from_secs(1),
            words,
            canary: plan.canary,
        };
        let mut world = World::new(&specs, setting);
        for (at, fault) in &plan.faults {
            world.plan(*at, fault.clone());
        }
        if plan.noise {
            world.make_noise();
        }
        let out: BTreeSet<usize> = plan.left.iter().map(|left| left.0).collect();
        let hosts = (0..shape.nodes).filter(|host| !out.contains(host)).collect();
        Run { plan, world, main: Component { hosts, with_clients: true } }
    }

    fn broken(&self) -> bool {
        self.world.watch.violation.is_some()
    }

    fn pass(&mut self, time: Duration) {
        let until = self.world.now + time;
        self.world.run_until(until);
    }

    fn storm(&mut self) {
        self.pass(self.plan.storm);
    }

    fn calm(&mut self) {
        if self.broken() {
            return;
        }
        self.heal();
        for (host, left) in self.plan.left.clone() {
            self.leave_out(host, left);
        }
        for host in &self.plan.failing {
            self.world.truth.script_fails(*host, true);
        }
        self.settle("after the storm");
    }

    /// Waits until the cluster must have settled, then until the neighbours must know, and looks at everything.
    fn settle(&mut self, when: &str) {
        self.pass(settling(self.plan));
        let before = self.world.watch.transitions;
        self.pass(self.plan.shape.refresh + SECOND_BLOCK);
        if self.broken() {
            return;
        }
        if self.world.watch.transitions != before {
            let last = self.world.watch.last_transition.clone();
            return self.world.fail("A6", format!("{when}: {last}"));
        }
        for component in self.components() {
            settled::check(&mut self.world, &component, true);
        }
    }

    fn components(&self) -> Vec<Component> {
        let alone = self.plan.left.iter().filter(|left| left.1 == Left::Isolated);
        let alone = alone.map(|left| Component { hosts: vec![left.0], with_clients: false });
        let hit = self.world.hosts.iter().position(|host| host.unplugged > 0);
        let mut main = self.main.clone();
        main.hosts.retain(|host| self.world.hosts[*host].awake().is_some() && Some(*host) != hit);
        let unplugged = hit.map(|host| Component { hosts: vec![host], with_clients: false });
        alone.chain(unplugged).chain([main]).collect()
    }

    /// Ends every fault at once.
    fn heal(&mut self) {
        let world = &mut self.world;
        world.queue.forget_undos();
        world.lan.heal();
        world.truth.heal();
        for host in 0..world.hosts.len() {
            world.hosts[host].kernel.mood = Default::default();
            while world.hosts[host].unplugged > 0 {
                world.plug(host, true);
            }
            world.thaw(host);
            world.start(host);
            world.dump(host);
            let ids: Vec<_> = world.hosts[host].config.instances.keys().copied().collect();
            let generation = world.hosts[host].generation;
            for id in ids {
                // After what has waited for a frozen process; harmless for one that has not resigned.
                let input = Box::new(Input::Order(Order::Rejoin(id)));
                world
                    .queue
                    .push(world.now + Duration::from_millis(1), Event::Feed { host, generation, input });
            }
        }
        if self.plan.canary == Some(Canary::DeafHost) {
            self.world.inflict(&Fault::Deafen { port: 0, lasts: Duration::from_secs(100_000) });
        }
    }

    fn leave_out(&mut self, host: usize, left: Left) {
        let world = &mut self.world;
        match left {
            Left::Off => world.power_loss(host),
            Left::Killed => world.kill(host),
            Left::Stopped => world.stop_for_good(host),
            Left::Frozen => world.freeze(host),
            Left::Isolated => {
                world.watch.apart.insert(host);
                let lasts = Duration::from_secs(100_000);
                world.inflict(&Fault::Isolate { port: host, lasts });
            }
        }
    }

    /// Hits the master of one virtual router, times the takeover, then lets it come back.
    fn drill(&mut self) {
        if self.broken() || self.plan.drill == Drill::Nothing {
            return;
        }
        let nth = usize::try_from(self.plan.seed).unwrap_or(0) % self.plan.shape.routers.len();
        let router = &self.plan.shape.routers[nth];
        let key =
            RouterKey { interface: super::shape::LINK.into(), vrid: router.vrid, family: router.family };
        let Some(hit) = settled::masters(&self.world, &self.main.hosts, &key).first().copied() else {
            return;
        };
        let bound = self.bound(router, &key, hit);
        let back =
            settling(self.plan) + self.plan.shape.refresh + SECOND_BLOCK + router.master_down() * 2 + SPARE;
        let began = self.world.now;
        let fault = match self.plan.drill {
            Drill::PowerLoss => Fault::PowerLoss { host: hit, back },
            Drill::Kill => Fault::Kill { host: hit, back },
            Drill::Stop => Fault::Stop { host: hit, back },
            Drill::Freeze => Fault::Pause { host: hit, lasts: back },
            Drill::LinkDown => Fault::LinkDown { host: hit, lasts: back },
            Drill::ScriptFails => Fault::ScriptFails { host: hit, lasts: back },
            Drill::TakeAddresses | Drill::Nothing => Fault::TakeAddresses { host: hit },
        };
        if matches!(self.plan.drill, Drill::Kill | Drill::Freeze) {
            self.world.watch.sole = self.leased_in_time().into_iter().map(|address| (hit, address)).collect();
        }
        self.world.inflict(&fault);
        self.lease_ends_in_time(hit, began, router);
        if let Some(bound) = bound {
            self.taken_over(&key, hit, began + bound);
        }
        if self.broken() {
            return;
        }
        self.settle("after the drill");
        let until = began + back;
        // An owner that starts again takes its addresses at once.
        let owns = |(host, address): &(usize, ipnet::IpNet)| {
            let instances = self.world.hosts[*host].config.instances.values();
            let mut mine = instances.filter(|i| i.addresses.iter().any(|held| held.address == *address));
            mine.any(|instance| instance.election.priority == 255)
        };
        let others = self.world.watch.sole.iter().filter(|sole| !owns(sole)).copied().collect();
        self.world.watch.sole = others;
        self.world.run_until(until);
        // A thawed or restarted daemon must not bring a second holder either, until it may have been elected.
        let fastest = router.members.iter().map(|member| member.1).min().unwrap_or_default();
        self.pass(fastest.min(Duration::from_millis(500)));
        self.world.watch.sole.clear();
        let before = settled::masters(&self.world, &self.main.hosts, &key);
        if !self.broken() {
            self.settle("after the return");
        }
        let after = settled::masters(&self.world, &self.main.hosts, &key);
        let owner = router.members.iter().any(|member| member.0 == 255);
        if !self.broken() && !router.preempt && !owner && before.len() == 1 && before != after {
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
        let slack = shape.delay.1 * 3 + shape.apply * 2 + Duration::from_millis(20);
        match self.plan.drill {
            Drill::PowerLoss | Drill::Kill | Drill::Freeze | Drill::LinkDown => {
                Some(interval * u32::from(router.down_adverts) + skew + slack)
            }
            // The one who stops keeps the address until a rival is heard, so the rival's time is what counts.
            Drill::Stop => Some(skew + slack),
            Drill::ScriptFails | Drill::TakeAddresses | Drill::Nothing => None,
        }
    }

    /// E1: at `until`, somebody other than `hit` holds every address of `key`.
    fn taken_over(&mut self, key: &RouterKey, hit: usize, until: Time) {
        self.world.run_until(until);
        let hosts: Vec<usize> = self.main.hosts.iter().copied().filter(|host| *host != hit).collect();
        let holds = |world: &World, host: usize| {
            let instance = world.hosts[host].instance(key);
            instance
                .is_some_and(|(_, i)| i.addresses.iter().all(|held| world.hosts[host].serves(held.address)))
        };
        if !self.broken() && !hosts.iter().any(|host| holds(&self.world, *host)) {
            self.world.fail("E1", format!("vrid {}: nobody has taken over from n{}", key.vrid, hit + 1));
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
    /// the kernel's grain of a second and what comes on top of it.
    fn leased_in_time(&self) -> BTreeSet<ipnet::IpNet> {
        let shape = &self.plan.shape;
        let grain = Duration::from_secs(1) + kernel::LATEST + shape.apply * 2 + shape.delay.1 * 2;
        let mut sole = BTreeSet::new();
        for (router, nth) in shape.routers.iter().zip(0..) {
            let fastest = router.members.iter().map(|member| member.1).min().unwrap_or_default();
            if shape.lease && fastest * u32::from(router.down_adverts) > grain + fastest / 2 {
                sole.extend((0..router.addresses).map(|k| super::shape::vip(nth, k, router.family)));
            }
        }
        sole
    }
}
