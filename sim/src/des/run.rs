//! One run: storm, calm, drill, and the return of the one that the drill hit.
//!
//! In the storm only the always-invariants count. Then everything heals (or stays broken, as the plan says), the
//! cluster gets the time that its own intervals imply, and the settled invariants must hold (E2, A6); after that
//! comes the drill of `drill`, with nothing else in the way.

use super::fault::Fault;
use super::invariant::{PUT_OFF, Violation};
use super::marks::Marks;
use super::plan::{Left, Plan};
use super::settled::{self, Component};
use super::shape::{RouterShape, Tweak, host_address};
use super::world::{Canary, Setting, Spec, World};
use standfast_core::config::model::Family;
use standfast_core::input::{Input, Order};
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
    /// Rare states reached.
    pub marks: Marks,
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
        marks: world.watch.marks,
        trace: world.trace.lines().into_iter().map(String::from).collect(),
    }
}

/// Draws and runs the plan of `seed`.
#[must_use]
pub fn run_seed(seed: u64) -> Report {
    run(&Plan::draw(seed), false)
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) world: World,
    pub(super) main: Component,
}

/// What a cluster needs beyond its own intervals: a stop that is under way, and another start.
const SPARE: Duration = Duration::from_millis(2_600);
/// The longest pause between two tries of a refused request.
const LONGEST_RETRY: Duration = Duration::from_secs(8);
/// How much longer than its own time a node waits for a script's answer.
const SCRIPT_GRACE: Duration = Duration::from_millis(3_300);

/// How long `plan`'s cluster may take to settle.
#[must_use]
pub fn settling(plan: &Plan) -> Duration {
    let shape = &plan.shape;
    let down = shape.routers.iter().map(RouterShape::master_down).max().unwrap_or_default();
    let delay = shape.routers.iter().map(|router| router.preempt_delay).max().unwrap_or_default();
    let script = shape.script.map(|script| script.detection()).unwrap_or_default();
    let servers = if shape.servers > 0 { shape.balance.detection() } else { Duration::ZERO };
    let mut checks = script.max(servers);
    if plan.faults.iter().any(|(_, fault)| matches!(fault, Fault::SlowChecks { .. })) {
        checks += SCRIPT_GRACE + shape.script.map(|script| script.interval).unwrap_or_default();
    }
    // The pause between two tries doubles, so it is no longer than twice the time that all tries failed.
    let retries = (plan.longest_refusal() * 2).min(LONGEST_RETRY);
    down * 3 + delay + checks + shape.delay.1 * 4 + shape.apply * 4 + retries + SPARE
}

/// How long it takes until the last announcement of a takeover has reached everybody.
#[must_use]
pub fn announcing(plan: &Plan) -> Duration {
    plan.shape.refresh + plan.shape.second_block * 2 + PUT_OFF
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
        let slowest = shape.routers.iter().map(RouterShape::slowest).max().unwrap_or_default();
        let setting = Setting {
            seed: plan.seed,
            delay: shape.delay,
            apply: shape.apply,
            clients: plan.clients,
            probe: slowest.clamp(Duration::from_secs(1), Duration::from_secs(4)),
            echo: plan.echo,
            words,
            canary: plan.canary,
            shuffled: plan.shuffled,
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

    pub(super) fn broken(&self) -> bool {
        self.world.watch.violation.is_some()
    }

    pub(super) fn pass(&mut self, time: Duration) {
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

    /// E2 and A6: waits until the cluster must have settled, then until the neighbours must know; no role changes in
    /// between, and everything holds that a settled cluster promises.
    pub(super) fn settle(&mut self, when: &str) {
        self.pass(settling(self.plan));
        let before = self.world.watch.transitions;
        self.pass(announcing(self.plan));
        if self.broken() {
            return;
        }
        if self.world.watch.transitions != before {
            let last = self.world.watch.last_transition.clone();
            return self.world.fail("A6", format!("{when}: {last}"));
        }
        for component in self.components() {
            settled::check(&mut self.world, &component);
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
        world.queue.forget_faults();
        world.lan.heal();
        world.truth.heal();
        for host in 0..world.hosts.len() {
            world.hosts[host].kernel.mood = Default::default();
            world.hosts[host].machine.slow.clear();
            world.hosts[host].machine.slow_checks = 0;
            world.drift(host, 0);
            while world.hosts[host].unplugged > 0 {
                world.plug(host, true);
            }
            world.thaw(host);
            world.add_addresses(host, false);
            world.start(host);
            world.dump(host);
        }
        // What operators ordered is taken back after what has waited for a frozen process.
        self.pass(Duration::from_millis(1));
        // In most runs an address that a reload has added is taken out of the file again.
        let dropped = |tweak| tweak == Tweak::ExtraAddress && !self.plan.seed.is_multiple_of(4);
        let world = &mut self.world;
        for host in 0..world.hosts.len() {
            if world.hosts[host].machine.tweak.is_some_and(|tweak| tweak.clashes() || dropped(tweak)) {
                world.reload(host, Tweak::First);
            }
            let ids: Vec<_> = world.hosts[host].config.instances.keys().copied().collect();
            for id in ids {
                // Harmless for one that has not resigned.
                world.feed(host, Input::Order(Order::Rejoin(id)));
            }
            world.forget_orders(host);
        }
        if self.plan.canary == Some(Canary::DeafHost) {
            let port = self.humblest();
            self.world.inflict(&Fault::Deafen { port, lasts: Duration::from_secs(100_000) });
        }
    }

    /// The host that stays in and has the least to say: a deaf master would be none the worse for it.
    fn humblest(&self) -> usize {
        let key = self.world.routers.keys().next().cloned();
        let priority = |host: &usize| {
            let instance = self.world.hosts[*host].instance(key.as_ref()?)?;
            Some(instance.1.election.priority)
        };
        self.main.hosts.iter().copied().min_by_key(|host| (priority(host), *host)).unwrap_or(0)
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
}
