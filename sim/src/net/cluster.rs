//! A cluster on turmoil: nodes, backends and a client, and what a scenario may do to them.
//!
//! Faults are applied between steps. Power loss is a partition and then a crash (a crash alone is a process exit,
//! which peers would see), and the kernel forgets the virtual addresses; a kill is a crash, and the kernel keeps
//! them until their lease ends.

use super::backend::backend;
use super::board::{Backend, BackendBoard, Board, ClientBoard, NoLog, NodeBoard, Shared, Try, Watcher};
use super::client::{client, load};
use super::clock::{EPOCH, SimClock, wall};
use super::fabric::TurmoilFabric;
use super::host::{LINK, TurmoilHost};
use super::links::Links;
use super::scripts::SimScripts;
use super::setup::{PORT, Setup};
use crate::des::kernel::{Kernel, LinkState};
use crate::des::shape::{LINK as LINK_NAME, Shape, host_address};
use crate::flight::Flight;
use ipnet::IpNet;
use standfast_core::config::model::{Config, Family};
use standfast_core::event::Role;
use standfast_core::input::Input;
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use standfast_io::check::Checker;
use standfast_io::driver::{Driver, Parts};
use standfast_io::proxy::Local;
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use turmoil::{Builder, IpVersion, Sim};

/// One step of turmoil.
const TICK: Duration = Duration::from_millis(1);
/// The most connections of a node's proxy.
const MAX_CONNECTIONS: u32 = 1_000;
/// Orders that may wait for a node.
const MAX_ORDERS: usize = 16;

/// A cluster on turmoil. Ports are numbered: nodes first, then servers, then the client.
pub struct Cluster {
    sim: Sim<'static>,
    board: Shared,
    links: Links,
    addresses: Vec<IpAddr>,
    nodes: usize,
    now: Time,
    vip: IpNet,
    load: IpAddr,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("now", &self.now)
            .field("ports", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of `shape` with one client; `shuffled` runs the hosts of each step in random order.
    #[must_use]
    pub fn new(shape: &Shape, seed: u64, shuffled: bool) -> Cluster {
        Cluster::build(&Setup { shuffled, ..Setup::new(shape, seed) })
    }

    /// The cluster of `setup` with one client.
    #[must_use]
    pub fn build(setup: &Setup) -> Cluster {
        let (shape, family, identity) = (&setup.shape, setup.family(), setup.identity());
        let mut sim = builder(setup).build();
        let board: Shared = Rc::new(RefCell::new(Board::default()));
        let rng = Rng::new(Seed(setup.seed));
        let mut ports = Vec::new();
        for (nth, label) in (0..shape.nodes).zip(0_u64..) {
            let own = host_address(nth, family);
            let config = setup.config(nth, &identity);
            board.borrow_mut().nodes.push(node_board(own, config, rng.fork(label)));
            let (shared, node_seed) = (board.clone(), Seed(rng.fork(1_000 + label).next_u64()));
            sim.host(own, move || node(shared.clone(), nth, node_seed));
            ports.push(own);
        }
        for nth in 0..shape.servers {
            let (at, shared, tls) = (setup.server(nth), board.clone(), identity.server.clone());
            board.borrow_mut().backends.push(BackendBoard::default());
            let any = SocketAddr::new(super::host::any(at.is_ipv4()), at.port());
            sim.host(at.ip(), move || backend(shared.clone(), nth, any, tls.clone()));
            ports.push(at.ip());
        }
        let vip = crate::des::shape::vip(0, 0, family);
        for nth in 0..setup.clients.min(1) {
            board.borrow_mut().clients.push(ClientBoard::default());
            let (shared, to) = (board.clone(), SocketAddr::new(vip.addr(), PORT));
            sim.host(setup.client(), move || client(shared.clone(), nth, to));
            ports.push(setup.client());
        }
        let links = Links::new(ports.clone());
        Cluster {
            sim,
            board,
            links,
            addresses: ports,
            nodes: shape.nodes,
            now: Time::ZERO,
            vip,
            load: setup.load(),
        }
    }

    /// Adds a host that keeps `at_once` requests open to the proxy of node `nth`, one connection for each.
    pub fn load(&mut self, nth: usize, at_once: usize) {
        let to = SocketAddr::new(self.addresses[nth], PORT);
        let from = self.load;
        let shared = self.board.clone();
        self.sim.host(from, move || load(shared.clone(), to, at_once));
    }

    /// Lets `time` pass.
    ///
    /// # Panics
    /// When the software of a host ends with an error.
    pub fn pass(&mut self, time: Duration) {
        self.try_pass(time).expect("no host's software fails");
    }

    /// Lets `time` pass, or less of it, when something breaks inside a host.
    ///
    /// # Errors
    /// What broke: the software of a host ended with an error, or an invariant did not hold.
    pub fn try_pass(&mut self, time: Duration) -> Result<(), (&'static str, String)> {
        let until = self.now + time;
        while self.now < until {
            self.sim.step().map_err(|error| ("A23", format!("the software of a host failed: {error}")))?;
            self.now = Time::from_duration(self.sim.elapsed());
            let now = self.now;
            let mut board = self.board.borrow_mut();
            board.nodes.iter_mut().for_each(|node| node.end_leases(now));
            if let Some(broken) = board.broken.take() {
                return Err(broken);
            }
        }
        Ok(())
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// What the hosts share with the harness.
    #[must_use]
    pub fn board(&self) -> &Shared {
        &self.board
    }

    /// The trace hash so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.board.borrow().hash.value()
    }

    /// How many ports there are.
    #[must_use]
    pub fn ports(&self) -> usize {
        self.links.count()
    }

    /// Cuts the power of node `nth`.
    pub fn power_loss(&mut self, nth: usize) {
        self.links.power(&self.sim, nth, false);
        self.sim.crash(self.addresses[nth]);
        let mut board = self.board.borrow_mut();
        board.nodes[nth].kernel.power_loss();
        board.nodes[nth].dead();
    }

    /// Kills the daemon of node `nth`; its kernel stays.
    pub fn kill(&mut self, nth: usize) {
        self.sim.crash(self.addresses[nth]);
        self.board.borrow_mut().nodes[nth].dead();
    }

    /// Starts node `nth` (again), with power and network.
    pub fn start(&mut self, nth: usize) {
        self.rejoin(nth);
        self.boot(nth);
    }

    /// Starts node `nth` (again), with power; the network stays as it is.
    pub fn boot(&mut self, nth: usize) {
        self.links.power(&self.sim, nth, true);
        self.sim.bounce(self.addresses[nth]);
    }

    /// Sends node `nth` an operator's order: stop, reload, resign. Says whether it runs and can take it.
    pub fn order(&mut self, nth: usize, order: Input<'static>) -> bool {
        let mut board = self.board.borrow_mut();
        let node = &mut board.nodes[nth];
        if let Input::Configure(config) = &order {
            node.config = config.clone();
        }
        let stops = matches!(order, Input::Stop);
        let taken = node.orders.as_ref().is_some_and(|orders| orders.try_send(order.into()).is_ok());
        node.stopping |= stops && taken;
        taken
    }

    /// Frames from port `from` to port `to` are lost from now on, or one reason less.
    pub fn cut(&mut self, from: usize, to: usize, begins: bool) {
        self.links.cut(&self.sim, from, to, begins);
    }

    /// Frames between two ports wait from now on, or one reason less.
    pub fn hold(&mut self, a: usize, b: usize, begins: bool) {
        self.links.hold(&self.sim, a, b, begins);
    }

    /// Cuts node `nth` off from everybody.
    pub fn isolate(&mut self, nth: usize) {
        for other in self.links.others(nth) {
            self.cut(nth, other, true);
            self.cut(other, nth, true);
        }
    }

    /// Cuts node `nth` off from the other nodes and the client; it still reaches the servers, of which one is its own.
    pub fn split(&mut self, nth: usize) {
        let (nodes, client) = (self.nodes, self.links.count() - 1);
        for other in self.links.others(nth).into_iter().filter(|at| *at < nodes || *at == client) {
            self.cut(nth, other, true);
            self.cut(other, nth, true);
        }
    }

    /// Nobody hears node `nth` any more, but it hears everybody.
    pub fn mute(&mut self, nth: usize) {
        for other in self.links.others(nth) {
            self.cut(nth, other, true);
        }
    }

    /// Connects port `nth` to everybody again.
    pub fn rejoin(&mut self, nth: usize) {
        self.links.heal(&self.sim, nth);
    }

    /// The scripts of node `nth` begin, or cease, to fail.
    pub fn script_fails(&mut self, nth: usize, fails: bool) {
        let mut board = self.board.borrow_mut();
        let count = board.failing.entry(nth).or_default();
        *count = if fails { *count + 1 } else { count.saturating_sub(1) };
    }

    /// Backend number `nth` loses power, or starts again.
    pub fn server(&mut self, nth: usize, lives: bool) {
        let port = self.nodes + nth;
        self.links.power(&self.sim, port, lives);
        if lives {
            self.sim.bounce(self.addresses[port]);
        } else {
            self.sim.crash(self.addresses[port]);
        }
    }

    /// Backend number `nth` is like this from now on.
    pub fn backend(&mut self, nth: usize, state: Backend) {
        let mut board = self.board.borrow_mut();
        board.backends[nth].state = state;
        board.backends[nth].bell.notify_one();
    }

    /// The living nodes that say that they are master of the first virtual router.
    #[must_use]
    pub fn masters(&self) -> Vec<usize> {
        let board = self.board.borrow();
        let is_master = |node: &NodeBoard| node.alive && node.roles.values().next() == Some(&Role::Master);
        (0..board.nodes.len()).filter(|nth| is_master(&board.nodes[*nth])).collect()
    }

    /// The nodes whose kernels hold the first virtual address.
    #[must_use]
    pub fn holders(&self) -> Vec<usize> {
        let board = self.board.borrow();
        (0..board.nodes.len()).filter(|nth| board.nodes[*nth].kernel.owns(self.vip)).collect()
    }

    /// Looks at the invariants of a settled cluster: one holder, which is `best`; everybody's neighbours point at it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn settled(&self, best: usize) -> Result<(), String> {
        let (masters, holders) = (self.masters(), self.holders());
        if masters != [best] || holders != [best] {
            return Err(format!(
                "at {} s: masters {masters:?}, holders {holders:?}, best is {best}",
                self.now
            ));
        }
        let board = self.board.borrow();
        let own = board.nodes[best].own;
        let caches = board.nodes.iter().enumerate().filter(|(nth, node)| *nth != best && node.alive);
        let caches = caches.map(|(nth, node)| (format!("n{}", nth + 1), &node.neighbours));
        let clients = board.clients.iter().map(|client| (String::from("the client"), &client.cache));
        for (who, cache) in caches.chain(clients) {
            if let Some(owner) = cache.get(&self.vip.addr()).filter(|owner| **owner != own) {
                return Err(format!("at {} s: {who} has {} at {owner}, not at {own}", self.now, self.vip));
            }
        }
        Ok(())
    }

    /// The longest time between two successes of the client that overlaps the time from `from` on.
    #[must_use]
    pub fn outage(&self, from: Time) -> Duration {
        let board = self.board.borrow();
        let served =
            board.clients[0].tries.iter().filter(|(_, answer)| *answer == Try::Served).map(|(at, _)| *at);
        let times: Vec<Time> = served.chain([self.now]).collect();
        let gaps = times.windows(2).filter(|pair| pair[1] >= from).map(|pair| pair[1].since(pair[0]));
        gaps.max().unwrap_or_default()
    }

    /// How many of the client's tries since `from` came to `answer`.
    #[must_use]
    pub fn count(&self, from: Time, answer: Try) -> usize {
        let board = self.board.borrow();
        board.clients[0].tries.iter().filter(|(at, what)| *at >= from && *what == answer).count()
    }
}

impl NodeBoard {
    /// Its daemon is gone.
    fn dead(&mut self) {
        self.alive = false;
        self.stopping = false;
        self.orders = None;
        self.roles.clear();
        self.servers.clear();
        self.neighbours.clear();
        self.inbox.clear();
    }
}

fn builder(setup: &Setup) -> Builder {
    let mut builder = Builder::new();
    builder.rng_seed(setup.seed).epoch(SystemTime::UNIX_EPOCH + EPOCH).tick_duration(TICK);
    builder.min_message_latency(TICK).max_message_latency(TICK * 3).udp_capacity(1_024).tcp_capacity(256);
    builder.simulation_duration(Duration::from_secs(1_000_000));
    builder.ip_version(if setup.family() == Family::V4 { IpVersion::V4 } else { IpVersion::V6 });
    if setup.shuffled {
        builder.enable_random_order();
    }
    builder
}

fn node_board(own: IpAddr, config: Config, rng: Rng) -> NodeBoard {
    let link = LinkState { name: LINK_NAME.into(), running: true };
    let net = IpNet::new(own, if own.is_ipv4() { 24 } else { 64 }).expect("so many bits fit the address");
    NodeBoard {
        own,
        kernel: Kernel::new([(LINK, link)].into(), &[(LINK, net)], rng),
        neighbours: Default::default(),
        inbox: Default::default(),
        bell: Rc::new(Notify::new()),
        orders: None,
        config: Arc::new(config),
        roles: Default::default(),
        servers: Default::default(),
        inputs: (Time::ZERO, 0),
        alive: false,
        stopping: false,
    }
}

/// The software of a node: the production driver with simulated parts.
async fn node(board: Shared, nth: usize, seed: Seed) -> turmoil::Result {
    let (sender, orders) = mpsc::channel(MAX_ORDERS);
    let config = {
        let mut board = board.borrow_mut();
        let node = &mut board.nodes[nth];
        node.dead();
        node.orders = Some(sender);
        node.alive = true;
        node.config.clone()
    };
    let host = TurmoilHost::open(board.clone(), nth).await?;
    let data = Local::new(TurmoilFabric, NoLog, SimClock, wall, MAX_CONNECTIONS);
    let checker = Checker::new(TurmoilFabric, SimScripts { board: board.clone(), host: nth });
    let parts = Parts { host, data, checker, clock: SimClock };
    let watcher = Watcher { board: board.clone(), host: nth, flight: Flight::default() };
    Driver::new(config, seed, parts, watcher).run(orders).await;
    board.borrow_mut().nodes[nth].dead();
    Ok(())
}
