//! A storm on turmoil: the plan's faults hit the real driver, checks and proxy; then everything heals; then the settled
//! invariants must hold.
//!
//! In the storm only what always holds counts: nothing panics, nothing spins, clients get back their own words. A
//! failing seed comes with its plan and the line that replays it.

use super::board::{Backend, Try};
use super::cluster::Cluster;
use super::plan::{Canary, Fault, Left, Plan};
use super::settled::{self, Broken};
use crate::des::shape::Tweak;
use standfast_core::config::model::Config;
use standfast_core::input::{Input, Order};
use standfast_core::time::Time;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

/// The second block of announcements comes so late.
const SECOND_BLOCK: Duration = Duration::from_secs(6);
/// Faults are looked for so often.
const STEP: Duration = Duration::from_millis(5);
/// A start that finds a daemon still stopping is tried again after this time.
const AGAIN: Duration = Duration::from_millis(200);

/// What a storm came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Where it comes from.
    pub seed: u64,
    /// The invariant that broke, when in simulated time, and what was seen.
    pub violation: Option<(Time, &'static str, String)>,
    /// The trace hash.
    pub hash: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// How many tries of the client were served.
    pub served: usize,
    /// The plan, in words.
    pub plan: String,
    /// Role changes, in words.
    pub roles: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, violation, hash, simulated, served, .. } = self;
        let Some((at, name, what)) = violation else {
            let seconds = simulated.as_secs();
            return write!(f, "seed {seed}: passed, {seconds} s, {served} requests served, hash {hash:016x}");
        };
        writeln!(f, "seed {seed}: {name} at {at} s: {what}")?;
        writeln!(f, "  {name}: {}", settled::sentence(name))?;
        for line in self.plan.lines().chain(self.roles.iter().map(String::as_str)) {
            writeln!(f, "  {line}")?;
        }
        write!(f, "  replay: cargo sim replay {seed} --tier 2")
    }
}

/// Draws and runs the storm of `seed`.
#[must_use]
pub fn run(seed: u64) -> Report {
    run_plan(&Plan::draw(seed))
}

/// Runs `plan`.
#[must_use]
pub fn run_plan(plan: &Plan) -> Report {
    let panics = panics();
    let mut storm = Storm::new(plan);
    let broken = storm.run().and_then(|()| match self::panics() - panics {
        0 => Ok(()),
        count => Err(("A23", format!("{count} panics"))),
    });
    let cluster = &storm.cluster;
    let board = cluster.board().borrow();
    Report {
        seed: plan.setup.seed,
        violation: broken.err().map(|(name, what)| (cluster.now(), name, what)),
        hash: board.hash.value(),
        simulated: cluster.now().since_origin(),
        served: board.clients[0].tries.iter().filter(|(_, answer)| *answer == Try::Served).count(),
        plan: plan.to_string(),
        roles: board.roles.iter().map(|(at, words)| format!("{at} {words}")).collect(),
    }
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// How many panics this thread has seen: tokio swallows those of tasks that nobody waits for.
fn panics() -> u32 {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
    PANICS.get()
}

struct Storm<'a> {
    plan: &'a Plan,
    cluster: Cluster,
    /// The configurations that the nodes began with.
    first: Vec<Arc<Config>>,
    /// What is to be done when: a fault of the plan begins, or ends.
    agenda: BTreeMap<(Time, usize), (Fault, bool)>,
    planned: usize,
    /// Reasons for a server to be as it is.
    servers: Vec<BTreeMap<Ailment, u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ailment {
    Off,
    Dead,
    Hangs,
}

impl<'a> Storm<'a> {
    fn new(plan: &'a Plan) -> Storm<'a> {
        let cluster = Cluster::build(&plan.setup);
        let first = cluster.board().borrow().nodes.iter().map(|node| node.config.clone()).collect();
        let servers = vec![BTreeMap::new(); plan.setup.shape.servers];
        let mut storm = Storm { plan, cluster, first, agenda: BTreeMap::new(), planned: 0, servers };
        for (at, fault) in &plan.faults {
            storm.note(*at, fault.clone(), true);
        }
        storm
    }

    fn note(&mut self, at: Time, fault: Fault, begins: bool) {
        self.planned += 1;
        self.agenda.insert((at, self.planned), (fault, begins));
    }

    fn run(&mut self) -> Result<(), Broken> {
        let storm = Time::from_duration(self.plan.storm);
        while self.cluster.now() < storm {
            self.due();
            self.cluster.try_pass(STEP)?;
        }
        self.calm();
        let until = self.cluster.now() + self.plan.settling();
        while self.cluster.now() < until {
            self.due(); // starts that wait for a clean stop
            self.cluster.try_pass(STEP)?;
        }
        let before = self.cluster.board().borrow().roles.len();
        let since = self.cluster.now();
        self.cluster.try_pass(self.plan.setup.shape.refresh + SECOND_BLOCK)?;
        let board = self.cluster.board().borrow();
        if let Some((at, words)) = board.roles.get(before) {
            return Err(("A6", format!("{words} at {at}")));
        }
        let wrong = board.clients[0].tries.iter().find(|(_, answer)| *answer == Try::Wrong);
        if let Some((at, _)) = wrong {
            return Err(("A19", format!("the client got something else back at {at}")));
        }
        drop(board);
        settled::check(&self.cluster, &self.plan.setup, &self.plan.dead, since)
    }

    /// Begins and ends the faults whose time has come.
    fn due(&mut self) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.cluster.now())
        {
            let (fault, begins) = entry.remove();
            if let Some(lasts) = fault.lasts().filter(|_| begins) {
                self.note(self.cluster.now() + lasts, fault.clone(), false);
            }
            self.toggle(&fault, begins);
        }
    }

    fn toggle(&mut self, fault: &Fault, begins: bool) {
        let cluster = &mut self.cluster;
        match *fault {
            Fault::OneWay { from, to, .. } => cluster.cut(from, to, begins),
            Fault::Cut { a, b, .. } => both(cluster, a, b, begins),
            Fault::Isolate { port, .. } => others(cluster, port, |c, other| both(c, port, other, begins)),
            Fault::Mute { port, .. } => others(cluster, port, |c, other| c.cut(port, other, begins)),
            Fault::Deafen { port, .. } => others(cluster, port, |c, other| c.cut(other, port, begins)),
            Fault::Hold { a, b, .. } => cluster.hold(a, b, begins),
            Fault::Clog { port, .. } => others(cluster, port, |c, other| c.hold(port, other, begins)),
            Fault::PowerLoss { node, .. } if begins => cluster.power_loss(node),
            Fault::Kill { node, .. } if begins => cluster.kill(node),
            Fault::Stop { node, .. } if begins => {
                cluster.order(node, Input::Stop);
            }
            Fault::PowerLoss { node, .. } | Fault::Kill { node, .. } | Fault::Stop { node, .. } => {
                self.start(node);
            }
            Fault::Bounce { node } => {
                cluster.kill(node);
                self.start(node);
            }
            Fault::Reload { node, to } => self.reload(node, to),
            Fault::Resign { node, .. } => self.resign(node, begins),
            Fault::ScriptFails { node, .. } => cluster.script_fails(node, begins),
            Fault::TakeAddresses { node } => cluster.board().borrow_mut().nodes[node].take_addresses(),
            Fault::Refuse { node, errno, .. } => {
                let refuses = &mut cluster.board().borrow_mut().nodes[node].kernel.mood.refuses;
                if begins {
                    refuses.push(errno);
                } else if let Some(at) = refuses.iter().position(|other| *other == errno) {
                    refuses.remove(at);
                }
            }
            Fault::SlowKernel { node, .. } => {
                let slow = &mut cluster.board().borrow_mut().nodes[node].kernel.mood.slow;
                *slow = if begins { *slow + 1 } else { slow.saturating_sub(1) };
            }
            Fault::ServerOff { server, .. } => self.ail(server, Ailment::Off, begins),
            Fault::ServerDies { server, .. } => self.ail(server, Ailment::Dead, begins),
            Fault::ServerHangs { server, .. } => self.ail(server, Ailment::Hangs, begins),
        }
    }

    /// Starts node `nth` unless its daemon runs; waits for one that is just stopping.
    fn start(&mut self, nth: usize) {
        let (alive, stopping) = {
            let board = self.cluster.board().borrow();
            (board.nodes[nth].alive, board.nodes[nth].stopping)
        };
        if stopping {
            let fault = Fault::Stop { node: nth, back: Duration::ZERO };
            self.note(self.cluster.now() + AGAIN, fault, false);
        } else if !alive {
            self.cluster.boot(nth);
        }
    }

    fn reload(&mut self, nth: usize, to: Tweak) {
        let config = to.apply(&self.first[nth], &self.first[nth]);
        self.cluster.order(nth, Input::Configure(Arc::new(config)));
    }

    fn resign(&mut self, nth: usize, away: bool) {
        let ids: Vec<_> = self.first[nth].instances.keys().copied().collect();
        for id in ids {
            let order = if away { Order::Resign(id) } else { Order::Rejoin(id) };
            self.cluster.order(nth, Input::Order(order));
        }
    }

    fn ail(&mut self, server: usize, ailment: Ailment, begins: bool) {
        let reasons = &mut self.servers[server];
        let was_off = reasons.get(&Ailment::Off).is_some_and(|count| *count > 0);
        let count = reasons.entry(ailment).or_default();
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        let is = |ailment| reasons.get(&ailment).is_some_and(|count| *count > 0);
        let state = match (is(Ailment::Dead), is(Ailment::Hangs)) {
            (true, _) => Backend::Down,
            (false, true) => Backend::Hangs,
            (false, false) => Backend::Up,
        };
        let off = is(Ailment::Off);
        self.cluster.backend(server, state);
        if off != was_off {
            self.cluster.server(server, !off);
        }
    }

    /// Ends every fault at once, and leaves out what the plan leaves out.
    fn calm(&mut self) {
        self.agenda.clear();
        for port in 0..self.cluster.ports() {
            self.cluster.rejoin(port);
        }
        for server in 0..self.servers.len() {
            for ailment in [Ailment::Off, Ailment::Dead, Ailment::Hangs] {
                while self.servers[server].get(&ailment).is_some_and(|count| *count > 0) {
                    self.ail(server, ailment, false);
                }
            }
        }
        for nth in 0..self.plan.setup.shape.nodes {
            {
                let mut board = self.cluster.board().borrow_mut();
                board.nodes[nth].kernel.mood = Default::default();
                board.failing.remove(&nth);
            }
            self.resign(nth, false);
            self.start(nth);
        }
        for (nth, left) in self.plan.left.clone() {
            // Whoever is just being started may be stopped at once: that must work, too.
            match left {
                Left::Off => self.cluster.power_loss(nth),
                Left::Killed => self.cluster.kill(nth),
                Left::Stopped if !self.cluster.order(nth, Input::Stop) => self.cluster.kill(nth),
                Left::Stopped => {}
            }
        }
        let out = |fault: &Fault| {
            let Fault::Stop { node, .. } = fault else { return false };
            self.plan.left.iter().any(|(left, _)| left == node)
        };
        self.agenda.retain(|_, (fault, _)| !out(fault));
        for nth in &self.plan.failing {
            self.cluster.script_fails(*nth, true);
        }
        for nth in self.plan.dead.clone() {
            self.ail(nth, Ailment::Dead, true);
        }
        self.sing();
    }

    /// Makes the plan's deliberate mistake.
    fn sing(&mut self) {
        match self.plan.canary {
            None => {}
            Some(Canary::DeafNode) => others(&mut self.cluster, 0, |c, other| c.cut(other, 0, true)),
            Some(Canary::NoAnnouncements) => self.cluster.board().borrow_mut().no_announcements = true,
            Some(Canary::DeadServer) => self.ail(0, Ailment::Dead, true),
            Some(Canary::SecretReload) => {
                let known = self.cluster.board().borrow().nodes[0].config.clone();
                self.reload(0, Tweak::Priority(-253));
                self.cluster.board().borrow_mut().nodes[0].config = known;
            }
            Some(Canary::Babble) => self.cluster.backend(0, Backend::Babbles),
        }
    }
}

fn both(cluster: &mut Cluster, a: usize, b: usize, begins: bool) {
    cluster.cut(a, b, begins);
    cluster.cut(b, a, begins);
}

fn others(cluster: &mut Cluster, port: usize, mut each: impl FnMut(&mut Cluster, usize)) {
    for other in (0..cluster.ports()).filter(|other| *other != port) {
        each(cluster, other);
    }
}
