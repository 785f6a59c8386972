//! A cluster on turmoil: nodes, backends and a client, and what a scenario may do to them.
//!
//! Faults are applied between steps. Power loss is a partition and then a crash (a crash alone is a process exit,
//! which peers would see), and the kernel forgets the virtual addresses; a kill is a crash, and the kernel keeps
//! them until their lease ends.

use super::board::{Board, ClientBoard, NoLog, NodeBoard, Shared, Try, Watcher};
use super::client::{backend, client};
use super::clock::{EPOCH, SimClock, wall};
use super::fabric::TurmoilFabric;
use super::host::{LINK, TurmoilHost};
use super::scripts::SimScripts;
use crate::des::kernel::{Kernel, LinkState};
use crate::des::shape::{LINK as LINK_NAME, Shape, host_address, server_address};
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
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use turmoil::{Builder, Sim};

/// One step of turmoil.
const TICK: Duration = Duration::from_millis(1);
/// Where clients connect to.
const PORT: u16 = 8443;
/// The most connections of a node's proxy.
const MAX_CONNECTIONS: u32 = 1_000;
/// Orders that may wait for a node.
const MAX_ORDERS: usize = 16;

/// A cluster on turmoil.
pub struct Cluster {
    sim: Sim<'static>,
    board: Shared,
    ports: Vec<IpAddr>,
    servers: Vec<IpAddr>,
    now: Time,
    vip: IpNet,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("now", &self.now).field("ports", &self.ports).finish_non_exhaustive()
    }
}

fn client_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 250))
}

impl Cluster {
    /// The cluster of `shape` (IPv4) with one client; `shuffled` runs the hosts of each step in random order.
    #[must_use]
    pub fn new(shape: &Shape, seed: u64, shuffled: bool) -> Cluster {
        let mut builder = Builder::new();
        builder.rng_seed(seed).epoch(SystemTime::UNIX_EPOCH + EPOCH).tick_duration(TICK);
        builder.min_message_latency(TICK).max_message_latency(TICK * 3).udp_capacity(1_024).tcp_capacity(256);
        builder.simulation_duration(Duration::from_secs(1_000_000));
        if shuffled {
            builder.enable_random_order();
        }
        let mut sim = builder.build();
        let board: Shared = Rc::new(RefCell::new(Board::default()));
        let rng = Rng::new(Seed(seed));
        let mut ports = Vec::new();
        for (nth, label) in (0..shape.nodes).zip(0_u64..) {
            let own = host_address(nth, Family::V4);
            board.borrow_mut().nodes.push(node_board(own, shape.config(nth), rng.fork(label)));
            let (shared, node_seed) = (board.clone(), Seed(rng.fork(1_000 + label).next_u64()));
            sim.host(own, move || node(shared.clone(), nth, node_seed));
            ports.push(own);
        }
        for nth in 0..shape.servers {
            let at = server_address(nth);
            sim.host(at.ip(), move || backend(at.port()));
            ports.push(at.ip());
        }
        let vip = crate::des::shape::vip(0, 0, Family::V4);
        board.borrow_mut().clients.push(ClientBoard::default());
        let (shared, to) = (board.clone(), SocketAddr::new(vip.addr(), PORT));
        sim.host(client_address(), move || client(shared.clone(), 0, to));
        ports.push(client_address());
        let servers = (0..shape.servers).map(|nth| server_address(nth).ip()).collect();
        Cluster { sim, board, ports, servers, now: Time::ZERO, vip }
    }

    /// Lets `time` pass.
    ///
    /// # Panics
    /// When the software of a host ends with an error.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.sim.step().expect("no host's software fails");
            self.now = Time::from_duration(self.sim.elapsed());
            let now = self.now;
            self.board.borrow_mut().nodes.iter_mut().for_each(|node| node.end_leases(now));
        }
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

    fn others(&self, of: usize) -> Vec<IpAddr> {
        self.ports.iter().copied().filter(|port| *port != self.ports[of]).collect()
    }

    /// Cuts the power of node `nth`.
    pub fn power_loss(&mut self, nth: usize) {
        for other in self.others(nth) {
            self.sim.partition(self.ports[nth], other);
        }
        self.sim.crash(self.ports[nth]);
        let mut board = self.board.borrow_mut();
        board.nodes[nth].kernel.power_loss();
        board.nodes[nth].dead();
    }

    /// Kills the daemon of node `nth`; its kernel stays.
    pub fn kill(&mut self, nth: usize) {
        self.sim.crash(self.ports[nth]);
        self.board.borrow_mut().nodes[nth].dead();
    }

    /// Starts node `nth` (again), with power and network.
    pub fn start(&mut self, nth: usize) {
        self.rejoin(nth);
        self.sim.bounce(self.ports[nth]);
    }

    /// Sends node `nth` an operator's order: stop, reload, resign.
    ///
    /// # Panics
    /// When the node does not run, or has too many orders waiting.
    pub fn order(&mut self, nth: usize, order: Input<'static>) {
        if let Input::Configure(config) = &order {
            self.board.borrow_mut().nodes[nth].config = config.clone();
        }
        let orders = self.board.borrow().nodes[nth].orders.clone();
        orders.expect("a running node takes orders").try_send(order).expect("few orders wait");
    }

    /// Cuts node `nth` off from everybody.
    pub fn isolate(&mut self, nth: usize) {
        for other in self.others(nth) {
            self.sim.partition(self.ports[nth], other);
        }
    }

    /// Cuts node `nth` off from the other nodes and the client; it still reaches the servers, of which one is its own.
    pub fn split(&mut self, nth: usize) {
        let servers: Vec<IpAddr> = self.servers.clone();
        for other in self.others(nth).into_iter().filter(|other| !servers.contains(other)) {
            self.sim.partition(self.ports[nth], other);
        }
    }

    /// Nobody hears node `nth` any more, but it hears everybody.
    pub fn mute(&mut self, nth: usize) {
        for other in self.others(nth) {
            self.sim.partition_oneway(self.ports[nth], other);
        }
    }

    /// Connects node `nth` to everybody again.
    pub fn rejoin(&mut self, nth: usize) {
        for other in self.others(nth) {
            self.sim.repair(self.ports[nth], other);
            self.sim.repair_oneway(self.ports[nth], other);
            self.sim.repair_oneway(other, self.ports[nth]);
        }
    }

    /// The scripts of node `nth` begin, or cease, to fail.
    pub fn script_fails(&mut self, nth: usize, fails: bool) {
        let failing = &mut self.board.borrow_mut().failing;
        if fails {
            failing.insert(nth);
        } else {
            failing.remove(&nth);
        }
    }

    /// Crashes backend number `nth`, or starts it again.
    pub fn server(&mut self, nth: usize, lives: bool) {
        if lives {
            self.sim.bounce(server_address(nth).ip());
        } else {
            self.sim.crash(server_address(nth).ip());
        }
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
        self.orders = None;
        self.roles.clear();
        self.inbox.clear();
    }
}

fn node_board(own: IpAddr, config: Config, rng: Rng) -> NodeBoard {
    let link = LinkState { name: LINK_NAME.into(), running: true };
    let net = IpNet::new(own, 24).expect("24 bits fit an IPv4 address");
    NodeBoard {
        own,
        kernel: Kernel::new([(LINK, link)].into(), &[(LINK, net)], rng),
        neighbours: Default::default(),
        inbox: Default::default(),
        bell: Rc::new(Notify::new()),
        orders: None,
        config: Arc::new(config),
        roles: Default::default(),
        alive: false,
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
    let watcher = Watcher { board: board.clone(), host: nth };
    Driver::new(config, seed, parts, watcher).run(orders).await;
    board.borrow_mut().nodes[nth].dead();
    Ok(())
}
