//! The world: hosts, LAN, clients, and what happens next.
//!
//! Time moves from event to event; events of one instant happen in the order in which they were planned. Nothing in
//! here draws from a shared random stream: each host, kernel, link and client has its own. What frames do is in
//! `frames`, what processes are fed in `feed`, what happens to hosts in `power`.

use super::client::Client;
use super::fault::Fault;
use super::host::{Host, Machine};
use super::invariant::Violation;
use super::kernel::{Kernel, LinkState};
use super::lan::{Frame, Lan};
use super::marks::{Mark, Marks};
pub(crate) use super::queue::{Event, Queue};
use super::shape::{RouterKey, routers};
use super::timeline::Story;
use super::trace::Trace;
use super::truth::Truth;
use ipnet::IpNet;
use standfast_core::config::model::Config;
use standfast_core::id::Interface;
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The number of the first interface, as on Linux, where 1 is the loopback.
pub const FIRST_LINK: u32 = 2;
/// How far apart the hosts' clocks are at first.
const APART: Duration = Duration::from_secs(3_600);

/// A node of a world: its name and its configuration.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Its own addresses.
    pub own: Vec<IpAddr>,
    /// Its configuration.
    pub config: Arc<Config>,
}

/// What a world is made of, besides its nodes.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// All its randomness.
    pub seed: u64,
    /// Shortest and longest way of a frame.
    pub delay: (Duration, Duration),
    /// The longest that a kernel takes to carry out a request.
    pub apply: Duration,
    /// Clients.
    pub clients: usize,
    /// Clients try so often.
    pub probe: Duration,
    /// Every sender of an advertisement to a group hears it, too, as behind a switch with a loop.
    pub echo: bool,
    /// Keep the trace in words.
    pub words: bool,
    /// A deliberate mistake of the world, which the invariants must report.
    pub canary: Option<Canary>,
    /// Hosts start, and act within an instant, in an order of chance.
    pub shuffled: bool,
}

/// A deliberate mistake of the world: the invariants must notice it, or they notice nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Announcements reach nobody.
    DeafNeighbours,
    /// One host hears nobody, even in the calm.
    DeafHost,
    /// Kernels never end a lifetime.
    EndlessLeases,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// Now.
    pub now: Time,
    /// Hosts; their number is their port.
    pub hosts: Vec<Host>,
    /// Clients; their ports come after the hosts'.
    pub clients: Vec<Client>,
    /// The LAN.
    pub lan: Lan,
    /// What checks find.
    pub truth: Truth,
    /// All virtual routers, with all their addresses.
    pub routers: BTreeMap<RouterKey, Vec<IpNet>>,
    /// What it is made of.
    pub setting: Setting,
    /// What happened.
    pub trace: Trace,
    /// What happened, for people.
    pub story: Story,
    /// Facts that the invariants look at.
    pub watch: Watch,
    pub(crate) queue: Queue,
    /// The configuration that a reload replaces, while its consequences are carried out.
    pub(crate) replaced: Option<Arc<Config>>,
}

/// Facts that the invariants look at.
#[derive(Debug, Default)]
pub struct Watch {
    /// The first invariant that broke.
    pub violation: Option<Violation>,
    /// Role changes so far.
    pub transitions: u64,
    /// The last role change, in words.
    pub last_transition: String,
    /// Events so far.
    pub events: u64,
    /// Addresses that this host's kernel and another must not hold at once now.
    pub sole: BTreeSet<(usize, IpNet)>,
    /// Hosts that nobody hears: what they hold does not count against others.
    pub apart: BTreeSet<usize>,
    /// Frames sent so far.
    pub frames: u64,
    /// The last advertisements seen, for whoever means harm.
    pub heard: VecDeque<(Time, Rc<Frame>)>,
    /// Some daemon has woken up late, or been frozen: no pace is promised.
    pub sleepy: bool,
    /// Who has become master of what, while a drill counts.
    pub takeovers: Option<Vec<(usize, RouterKey)>>,
    /// Rare states reached.
    pub marks: Marks,
    /// Every address that any configuration has ever given a virtual router.
    pub addresses: BTreeSet<IpNet>,
}

impl World {
    /// A world at its origin, every host up and every daemon just started.
    #[must_use]
    pub fn new(specs: &[Spec], setting: Setting) -> World {
        let rng = Rng::new(Seed(setting.seed));
        let mut names: BTreeSet<Arc<str>> = specs.iter().flat_map(|spec| links(&spec.config)).collect();
        if names.is_empty() {
            names.insert(super::shape::LINK.into()); // a host without a virtual router has a link all the same
        }
        let numbers: BTreeMap<Arc<str>, Interface> =
            names.into_iter().zip((FIRST_LINK..).map(Interface)).collect();
        let hosts: Vec<Host> = specs
            .iter()
            .zip(0_u32..)
            .map(|(spec, nth)| host(spec, &numbers, rng.fork(nth.into()), APART * nth))
            .collect();
        let ports = specs.len() + setting.clients;
        let clients = (specs.len()..ports).map(|port| Client::new(port, setting.probe)).collect();
        let turns = turns(specs.len(), setting.shuffled.then(|| rng.fork(2 << 32)));
        let mut world = World {
            now: Time::ZERO,
            routers: routers(specs.iter().map(|spec| &*spec.config)),
            hosts,
            clients,
            lan: Lan::new(ports, setting.delay, &rng.fork(1 << 32)),
            truth: Truth::default(),
            setting,
            trace: Trace::new(setting.words),
            story: Story::default(),
            watch: Watch::default(),
            queue: if setting.shuffled { Queue::by_turns(&turns) } else { Queue::default() },
            replaced: None,
        };
        world.watch.addresses = world.routers.values().flatten().copied().collect();
        for host in turns {
            world.launch(host);
        }
        for client in 0..setting.clients {
            world.queue.push(Time::ZERO + setting.probe, Event::Probe { client });
        }
        for host in (0..specs.len()).filter(|host| !world.hosts[*host].config.pools.is_empty()) {
            world.queue.push(Time::ZERO + setting.probe, Event::Traffic { host, nth: 0 });
        }
        world
    }

    /// Plans `fault` at `at`.
    pub fn plan(&mut self, at: Time, fault: Fault) {
        self.queue.push(at, Event::Inflict(Box::new(fault)));
    }

    /// Lets everything happen up to and including `until`; stops early at a violation.
    pub fn run_until(&mut self, until: Time) {
        while self.watch.violation.is_none() {
            let Some((at, event)) = self.queue.pop_until(until) else { break };
            self.now = at;
            self.watch.events += 1;
            self.happen(event);
        }
        if self.watch.violation.is_none() {
            self.now = self.now.max(until);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { host, generation, nth } => {
                if self.hosts[host].generation == generation {
                    self.wake(host, nth);
                }
            }
            Event::Arrive { to, frame } => self.arrive(to, &frame),
            Event::Apply { host, generation, request } => self.apply(host, generation, &request),
            Event::LeaseEnds { host, held, renewal } => self.lease_ends(host, held.0, held.1, renewal),
            Event::Feed { host, generation, input } => {
                if self.hosts[host].generation == generation {
                    self.answer(host, *input);
                }
            }
            Event::Past { host } => self.relive(host),
            Event::Inflict(fault) => self.inflict(&fault),
            Event::Undo(fault) => self.undo(&fault),
            Event::Probe { client } => self.probe(client),
            Event::Noise { nth } => self.noise(nth),
            Event::Attack { attack, nth } => self.attack_again(attack, nth),
            Event::Drain { host, generation } => {
                if self.hosts[host].generation == generation {
                    self.drain(host);
                }
            }
            Event::Viewed { host, generation, pool } => {
                if self.hosts[host].generation == generation {
                    self.viewed(host, pool);
                }
            }
            Event::Traffic { host, nth } => self.traffic(host, nth),
        }
    }

    /// A rare state was reached.
    pub(crate) fn mark(&mut self, mark: Mark) {
        self.watch.marks.insert(mark);
    }

    /// The node's instances by virtual router and role, for the story.
    #[must_use]
    pub fn holders(&self, address: IpNet) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.hosts[*host].serves(address)).collect()
    }
}

/// The hosts, in the order in which they start: by number, or as `shuffle` has it.
fn turns(hosts: usize, shuffle: Option<Rng>) -> Vec<usize> {
    let mut turns: Vec<usize> = (0..hosts).collect();
    if let Some(mut rng) = shuffle {
        for last in (1..hosts).rev() {
            turns.swap(last, usize::try_from(rng.below(last as u64 + 1)).unwrap_or(0));
        }
    }
    turns
}

fn links(config: &Config) -> Vec<Arc<str>> {
    use standfast_core::config::model::Tracked;
    let mut names = Vec::new();
    for instance in config.instances.values() {
        names.push(instance.router.interface.clone());
        names.extend(instance.addresses.iter().map(|address| address.interface.clone()));
        for tracker in &instance.trackers {
            if let Tracked::Interface(name) = &tracker.what {
                names.push(name.clone());
            }
        }
    }
    names
}

/// The prefix length of a host's own address.
#[must_use]
pub fn own_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 24 } else { 64 }
}

fn host(spec: &Spec, numbers: &BTreeMap<Arc<str>, Interface>, rng: Rng, apart: Duration) -> Host {
    let state = |name: &Arc<str>| LinkState { name: name.clone(), running: true };
    let links: BTreeMap<_, _> = numbers.iter().map(|(name, on)| (*on, state(name))).collect();
    let on_each = links.keys().flat_map(|on| spec.own.iter().map(move |own| (*on, *own)));
    let own: Vec<(Interface, IpAddr)> = on_each.collect();
    let nets: Vec<(Interface, IpNet)> = own
        .iter()
        .filter_map(|(on, address)| Some((*on, IpNet::new(*address, own_prefix(*address)).ok()?)))
        .collect();
    Host {
        name: spec.name.clone(),
        powered: true,
        kernel: Kernel::new(links, &nets, rng.fork(1)),
        own,
        neighbours: BTreeMap::new(),
        first: spec.config.clone(),
        config: spec.config.clone(),
        process: None,
        generation: 0,
        rng: rng.fork(2),
        unplugged: 0,
        machine: Machine::new(Time::from_duration(apart)),
    }
}
