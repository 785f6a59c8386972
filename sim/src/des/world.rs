//! The world: hosts, LAN, clients, and the queue of what happens next.
//!
//! Time moves from event to event; events of one instant happen in the order in which they were planned. Nothing in
//! here draws from a shared random stream: each host, kernel, link and client has its own.

use super::client::Client;
use super::fault::Fault;
use super::host::{Host, MAX_WAITING, Process, Seen, Thawed};
use super::invariant::Violation;
use super::kernel::{self, Kernel, LinkState, Request};
use super::lan::{Body, Frame, Lan};
use super::shape::{RouterKey, routers};
use super::timeline::Story;
use super::trace::Trace;
use super::truth::Truth;
use crate::flight::Flown;
use ipnet::IpNet;
use standfast_core::config::model::Config;
use standfast_core::event::Role;
use standfast_core::id::{InstanceId, Interface};
use standfast_core::input::{Input, KernelNotice, Order};
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The number of the first interface, as on Linux, where 1 is the loopback.
pub const FIRST_LINK: u32 = 2;
/// A started daemon has its first dump after at most this time.
const BOOT: Duration = Duration::from_millis(5);

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A node's deadline.
    Wake { host: usize, generation: u64, nth: u64 },
    /// A frame arrives.
    Arrive { to: usize, frame: Frame },
    /// A kernel carries out a request.
    Apply { host: usize, generation: u64, request: Request },
    /// A lifetime ends.
    LeaseEnds { host: usize, on: Interface, address: IpNet, renewal: u64 },
    /// Something reaches a process.
    Feed { host: usize, generation: u64, input: Box<Input<'static>> },
    /// A fault of the plan begins.
    Inflict(Box<Fault>),
    /// A fault ends.
    Undo(Box<Fault>),
    /// A client tries.
    Probe { client: usize },
    /// Somebody replays an advertisement with something changed.
    Noise { nth: u64 },
    /// The inputs of a process that has just been thawed.
    Drain { host: usize, generation: u64 },
}

#[derive(Debug)]
struct Entry(Time, u64, Event);

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        (other.0, other.1).cmp(&(self.0, self.1)) // the earliest is the greatest, for a max-heap
    }
}

/// What is planned, in order of time, then of planning.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    planned: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, event: Event) {
        self.planned += 1;
        self.heap.push(Entry(at, self.planned, event));
    }

    fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.0)
    }

    /// Forgets the ends of faults: everything has been healed at once.
    pub(crate) fn forget_undos(&mut self) {
        let kept: BinaryHeap<Entry> = self
            .heap
            .drain()
            .filter(|entry| !matches!(entry.2, Event::Undo(_) | Event::Inflict(_)))
            .collect();
        self.heap = kept;
    }
}

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
    /// Keep the trace in words.
    pub words: bool,
    /// A deliberate mistake of the world, which the invariants must report.
    pub canary: Option<Canary>,
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
    pub(crate) expect_nothing: bool,
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
    /// The last advertisement seen, for noise.
    pub last_advert: Option<Frame>,
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
        let hosts: Vec<Host> =
            specs.iter().zip(0_u64..).map(|(spec, nth)| host(spec, &numbers, rng.fork(nth))).collect();
        let ports = specs.len() + setting.clients;
        let clients = (specs.len()..ports).map(|port| Client::new(port, setting.probe)).collect();
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
            queue: Queue::default(),
            expect_nothing: false,
        };
        for host in 0..specs.len() {
            world.launch(host);
        }
        for client in 0..setting.clients {
            world.queue.push(Time::ZERO + setting.probe, Event::Probe { client });
        }
        world
    }

    /// Plans `fault` at `at`.
    pub fn plan(&mut self, at: Time, fault: Fault) {
        self.queue.push(at, Event::Inflict(Box::new(fault)));
    }

    /// Lets everything happen up to and including `until`; stops early at a violation.
    pub fn run_until(&mut self, until: Time) {
        while self.watch.violation.is_none() && self.queue.next_at().is_some_and(|at| at <= until) {
            let Some(Entry(at, _, event)) = self.queue.heap.pop() else { break };
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
                let current = self.hosts[host].generation == generation
                    && self.hosts[host].awake().is_some_and(|process| process.wake == nth);
                if current {
                    self.feed(host, Input::Tick);
                    self.no_busy_loop(host);
                }
            }
            Event::Arrive { to, frame } => self.arrive(to, &frame),
            Event::Apply { host, generation, request } => self.apply(host, generation, &request),
            Event::LeaseEnds { host, on, address, renewal } => self.lease_ends(host, on, address, renewal),
            Event::Feed { host, generation, input } => {
                if self.hosts[host].generation == generation {
                    self.answer(host, *input);
                }
            }
            Event::Inflict(fault) => self.inflict(&fault),
            Event::Undo(fault) => self.undo(&fault),
            Event::Probe { client } => self.probe(client),
            Event::Noise { nth } => self.noise(nth),
            Event::Drain { host, generation } => {
                if self.hosts[host].generation == generation {
                    self.drain(host);
                }
            }
        }
    }

    /// Starts a process on `host`.
    pub(crate) fn launch(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.generation += 1;
        h.killed = false;
        let seed = Seed(h.rng.fork(h.generation).next_u64());
        let node = Flown::new(h.config.clone(), seed, self.now);
        h.process = Some(Process { node, wake: 0, frozen: None, stopping: false, seen: Seen::default() });
        self.trace.say(self.now, Some(host), format_args!("starts"));
        let boot =
            Duration::from_nanos(self.hosts[host].rng.below(u64::try_from(BOOT.as_nanos()).unwrap_or(1)));
        self.carry_out(host);
        self.dump_after(host, boot);
    }

    /// Sends the process of `host` a dump of its kernel.
    pub(crate) fn dump(&mut self, host: usize) {
        self.dump_after(host, Duration::from_micros(100));
    }

    fn dump_after(&mut self, host: usize, after: Duration) {
        // The dump is read when it arrives: what changes until then is part of it.
        let at = self.now + after;
        let generation = self.hosts[host].generation;
        let begin = Input::Kernel(KernelNotice::ResyncBegin);
        self.queue.push(at, Event::Feed { host, generation, input: Box::new(begin) });
    }

    /// An answer or notice reaches `host`; a dump's beginning brings the whole dump with it.
    fn answer(&mut self, host: usize, input: Input<'static>) {
        let frozen = self.hosts[host].process.as_ref().is_some_and(|process| process.frozen.is_some());
        if let (Input::Kernel(KernelNotice::ResyncBegin), false) = (&input, frozen) {
            for notice in self.hosts[host].kernel.dump() {
                self.feed(host, Input::Kernel(notice));
            }
            return;
        }
        if let (Input::Checked { check, ticket, .. }, Some(process)) = (&input, &mut self.hosts[host].process)
            && process.seen.running.get(check) == Some(ticket)
        {
            process.seen.running.remove(check);
        }
        self.feed(host, input);
    }

    /// Feeds `input` to the process of `host`, if there is one; a frozen one gets it later.
    pub(crate) fn feed(&mut self, host: usize, input: Input<'_>) {
        if !self.hosts[host].powered {
            return;
        }
        let Some(process) = &mut self.hosts[host].process else { return };
        if let Some((_, waiting)) = &mut process.frozen {
            if waiting.len() < MAX_WAITING && !matches!(input, Input::Tick) {
                waiting.push_back(owned(input));
            }
            return;
        }
        if self.trace.in_words() && !matches!(input, Input::Tick) {
            self.trace.say(self.now, Some(host), format_args!("<- {}", Short(&input)));
        }
        process.stopping |= matches!(input, Input::Stop);
        if let Input::Order(Order::Resign(id)) = &input {
            process.seen.resigned.insert(*id);
        } else if let Input::Order(Order::Rejoin(id)) = &input {
            process.seen.resigned.remove(id);
        }
        process.node.handle(self.now, input);
        self.carry_out(host);
    }

    /// Plans the wake-up that the node of `host` asks for.
    pub(crate) fn plan_wake(&mut self, host: usize) {
        let now = self.now;
        let h = &mut self.hosts[host];
        let generation = h.generation;
        let Some(process) = &mut h.process else { return };
        process.wake += 1;
        if let Some((at, _)) = process.node.deadline() {
            let nth = process.wake;
            self.queue.push(at.max(now), Event::Wake { host, generation, nth });
        }
    }

    pub(crate) fn freeze(&mut self, host: usize) {
        let now = self.now;
        if let Some(process) = &mut self.hosts[host].process {
            process.frozen.get_or_insert_with(|| (now, VecDeque::new()));
        }
    }

    /// Thaws the process of `host`: its deadline first, then what waited, as the driver does it.
    pub(crate) fn thaw(&mut self, host: usize) {
        let now = self.now;
        let h = &mut self.hosts[host];
        let generation = h.generation;
        let Some(process) = &mut h.process else { return };
        if let Some((since, waiting)) = process.frozen.take() {
            // Whoever was frozen for longer than its rivals wait may have been replaced.
            let replaced = |id: &InstanceId| {
                h.config.instances.get(id).is_some_and(|instance| {
                    let election = &instance.election;
                    now.since(since)
                        > election.interval * (u32::from(election.down_adverts) + 1) + Duration::from_secs(1)
                })
            };
            let masters = process.seen.roles.iter().filter(|(_, role)| **role == Role::Master);
            let stale = masters.map(|(id, _)| *id).filter(replaced).collect();
            process.seen.thawed = Some(Thawed { adverts: BTreeMap::new(), stale });
            self.feed(host, Input::Tick);
            for input in waiting {
                self.queue.push(self.now, Event::Feed { host, generation, input: Box::new(input) });
            }
            self.queue.push(self.now, Event::Drain { host, generation });
        }
    }

    fn drain(&mut self, host: usize) {
        if let Some(process) = &mut self.hosts[host].process {
            process.seen.thawed = None;
        }
    }

    /// Carrier of `host` comes, or goes.
    pub(crate) fn plug(&mut self, host: usize, plugged: bool) {
        let h = &mut self.hosts[host];
        h.unplugged = if plugged { h.unplugged.saturating_sub(1) } else { h.unplugged + 1 };
        let running = h.unplugged == 0;
        let mut notices = Vec::new();
        for (on, link) in &mut h.kernel.links {
            if link.running != running {
                link.running = running;
                notices.push(kernel::notice(*on, link));
            }
        }
        for notice in notices {
            self.notify(host, notice);
        }
    }

    /// Sends `body` from `port` to everybody whom it concerns.
    pub(crate) fn send(&mut self, port: usize, on: Interface, body: Body) {
        if self.hosts.get(port).is_some_and(|host| !host.powered || host.unplugged > 0) {
            return;
        }
        let only = match &body {
            Body::Advert { to, .. } if !to.is_multicast() => {
                let owner = self.hosts.iter().position(|host| host.own.iter().any(|(_, own)| own == to));
                let Some(owner) = owner else { return };
                Some(owner)
            }
            Body::Advert { .. } | Body::Announce(_) | Body::Query(_) | Body::Reply(_) => None,
        };
        let frame = Frame { sender: port, on, body };
        for to in (0..self.lan.ports()).filter(|to| *to != port && only.is_none_or(|only| only == *to)) {
            let (first, second) = self.lan.pass(self.now, port, to);
            for at in [first, second].into_iter().flatten() {
                self.queue.push(at, Event::Arrive { to, frame: frame.clone() });
            }
        }
    }

    fn arrive(&mut self, to: usize, frame: &Frame) {
        let Some(host) = self.hosts.get_mut(to) else {
            let client = to - self.hosts.len();
            return self.clients[client].hear(frame, self.setting.canary);
        };
        if !host.powered || host.unplugged > 0 {
            return;
        }
        match &frame.body {
            Body::Advert { from, to: at, hops, payload } => {
                let open = host.process.as_ref().is_some_and(|p| p.seen.receives.contains(&(frame.on, *at)));
                if open {
                    let payload = Cow::Borrowed(&payload[..]);
                    self.feed(to, Input::Packet { on: frame.on, from: *from, to: *at, hops: *hops, payload });
                }
            }
            Body::Announce(address) => {
                if self.setting.canary != Some(Canary::DeafNeighbours) {
                    host.neighbours.insert(*address, frame.sender);
                }
            }
            Body::Query(address) => {
                if host.holds(*address) {
                    let address = *address;
                    self.send(to, frame.on, Body::Reply(address));
                }
            }
            Body::Reply(_) => {}
        }
    }

    /// Somebody replays the last advertisement with something changed; no receiver may be moved by it.
    fn noise(&mut self, nth: u64) {
        let again = Duration::from_millis(700);
        self.queue.push(self.now + again, Event::Noise { nth: nth + 1 });
        let Some(frame) = self.watch.last_advert.clone() else { return };
        let Body::Advert { from, to, hops, payload } = frame.body else { return };
        let mut changed = payload.to_vec();
        let mut hops = hops;
        match nth % 4 {
            0 if to.is_multicast() => hops = 254, // right in everything else, but it came through a router
            1 => changed.truncate(7),
            2 => changed[0] = 0x51,
            _ => changed[2] = changed[2].wrapping_add(1), // another priority, the old checksum
        }
        if changed[..] == payload[..] && hops == 255 {
            return;
        }
        // It comes from the true sender's port, so that only the receive checks can tell.
        self.send(frame.sender, frame.on, Body::Advert { from, to, hops, payload: changed.into() });
    }

    /// Starts the noise.
    pub fn make_noise(&mut self) {
        self.queue.push(self.now, Event::Noise { nth: 0 });
    }

    /// The node's instances by virtual router and role, for the story.
    #[must_use]
    pub fn holders(&self, address: IpNet) -> Vec<usize> {
        (0..self.hosts.len()).filter(|host| self.hosts[*host].serves(address)).collect()
    }
}

/// A short form of an input, for traces.
struct Short<'a, 'b>(&'a Input<'b>);

impl std::fmt::Display for Short<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Input::Packet { from, payload, .. } => {
                let byte = |at: usize| payload.get(at).copied().unwrap_or(0);
                write!(f, "advert from {from} vrid {} priority {}", byte(1), byte(2))
            }
            Input::Configure(_) => write!(f, "Configure"),
            other @ (Input::Tick
            | Input::Checked { .. }
            | Input::Observed { .. }
            | Input::Done { .. }
            | Input::Kernel(_)
            | Input::Order(_)
            | Input::Stop) => write!(f, "{other:?}"),
        }
    }
}

fn owned(input: Input<'_>) -> Input<'static> {
    match input {
        Input::Tick => Input::Tick,
        Input::Packet { on, from, to, hops, payload } => {
            Input::Packet { on, from, to, hops, payload: Cow::Owned(payload.into_owned()) }
        }
        Input::Checked { check, ticket, outcome } => Input::Checked { check, ticket, outcome },
        Input::Observed { pool, server, tally } => Input::Observed { pool, server, tally },
        Input::Done { ticket, result } => Input::Done { ticket, result },
        Input::Kernel(notice) => Input::Kernel(notice),
        Input::Configure(config) => Input::Configure(config),
        Input::Order(order) => Input::Order(order),
        Input::Stop => Input::Stop,
    }
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

fn host(spec: &Spec, numbers: &BTreeMap<Arc<str>, Interface>, rng: Rng) -> Host {
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
        killed: false,
    }
}
