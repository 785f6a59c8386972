//! What the hosts of a simulation share with the harness, between turmoil's steps: kernels, roles, what clients saw.
//!
//! A kernel outlives the process on it. The board is the only thing that hosts share besides the network, and
//! nothing that decides goes through it.

use super::clock;
use crate::des::kernel::Kernel;
use crate::flight::Flight;
use crate::hash::TraceHash;
use standfast_core::action::Action;
use standfast_core::config::model::Config;
use standfast_core::event::{Event, Role};
use standfast_core::id::InstanceId;
use standfast_core::input::Input;
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::driver::{Observer, Wanted};
use standfast_io::log::LineSink;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// More inputs than this within a millisecond are a loop that spins.
const MAX_INPUTS: u32 = 2_000;

/// The board, as everybody holds it.
pub type Shared = Rc<RefCell<Board>>;

/// What is shared.
#[derive(Debug, Default)]
pub struct Board {
    /// One per node.
    pub nodes: Vec<NodeBoard>,
    /// Nodes whose scripts fail: a count of reasons.
    pub failing: BTreeMap<usize, u32>,
    /// One per client.
    pub clients: Vec<ClientBoard>,
    /// Requests of a load that were answered.
    pub served: u64,
    /// One per backend.
    pub backends: Vec<BackendBoard>,
    /// Everything that went into and came out of the nodes, in order.
    pub hash: TraceHash,
    /// Announcements get lost, all of them.
    pub no_announcements: bool,
    /// An invariant that broke inside a host: its name, and what was seen.
    pub broken: Option<(&'static str, String)>,
    /// Role changes, in words.
    pub roles: Vec<(Time, String)>,
}

/// What is known of a node.
#[derive(Debug)]
pub struct NodeBoard {
    /// Its own address.
    pub own: IpAddr,
    /// Its kernel.
    pub kernel: Kernel,
    /// Who it believes to have which address.
    pub neighbours: BTreeMap<IpAddr, IpAddr>,
    /// What its kernel has to tell its daemon.
    pub inbox: VecDeque<Input<'static>>,
    /// Rings when there is something in the inbox.
    pub bell: Rc<Notify>,
    /// Where the operator's orders go.
    pub orders: Option<mpsc::Sender<Wanted>>,
    /// The configuration on its disk.
    pub config: Arc<Config>,
    /// Roles as told by its daemon.
    pub roles: BTreeMap<InstanceId, Role>,
    /// Servers and whether its daemon has published them as usable.
    pub servers: BTreeMap<SocketAddr, bool>,
    /// Inputs of its daemon in the millisecond that is named.
    pub inputs: (Time, u32),
    /// Its daemon runs.
    pub alive: bool,
    /// It was told to stop.
    pub stopping: bool,
}

/// What is true of a backend.
#[derive(Debug, Default)]
pub struct BackendBoard {
    /// How it is.
    pub state: Backend,
    /// Rings when that changes.
    pub bell: Rc<Notify>,
}

/// How a backend is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// It answers.
    #[default]
    Up,
    /// It accepts and says nothing.
    Hangs,
    /// It answers with words of its own.
    Babbles,
    /// Nobody listens.
    Down,
}

/// What a client saw.
#[derive(Debug, Default)]
pub struct ClientBoard {
    /// Its neighbour cache.
    pub cache: BTreeMap<IpAddr, IpAddr>,
    /// Each try: when it began, and what came of it.
    pub tries: Vec<(Time, Try)>,
}

/// What came of a client's try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Try {
    /// The backend's answer came back.
    Served,
    /// Refused, or closed without an answer.
    Refused,
    /// Nothing came.
    Silent,
    /// Something else than a backend's answer to this very client came.
    Wrong,
}

impl NodeBoard {
    /// Ends the lifetimes that are over.
    pub fn end_leases(&mut self, now: Time) {
        let over = |held: &crate::des::kernel::Held| held.ends.is_some_and(|ends| ends <= now);
        let gone: Vec<_> =
            self.kernel.addresses.iter().filter(|(_, held)| over(held)).map(|(at, _)| *at).collect();
        for (on, address) in gone {
            let notice = self.kernel.take_away(on, address);
            if let Some(notice) = notice.filter(|_| self.alive) {
                self.tell(Input::Kernel(notice));
            }
        }
    }

    /// Other software takes the addresses of virtual routers away.
    pub fn take_addresses(&mut self) {
        let marked: Vec<_> =
            self.kernel.addresses.iter().filter(|(_, held)| held.marked).map(|(at, _)| *at).collect();
        for (on, address) in marked {
            let notice = self.kernel.take_away(on, address);
            if let Some(notice) = notice.filter(|_| self.alive) {
                self.tell(Input::Kernel(notice));
            }
        }
    }

    /// Puts `input` into the inbox.
    pub fn tell(&mut self, input: Input<'static>) {
        self.inbox.push_back(input);
        self.bell.notify_one();
    }
}

/// Sees what goes into and comes out of one node.
#[derive(Debug)]
pub struct Watcher {
    /// Where it is written.
    pub board: Shared,
    /// Whose.
    pub host: usize,
    /// Its recording, where the run is recorded.
    pub flight: Flight,
}

impl Observer for Watcher {
    fn start(&mut self, config: &Config, seed: Seed, now: Time) {
        self.flight = Flight::start(config, seed, now);
    }

    fn input(&mut self, now: Time, node: &Node, input: &Input<'_>) {
        self.flight.input(now, node, input);
        let mut board = self.board.borrow_mut();
        let inputs = &mut board.nodes[self.host].inputs;
        *inputs = if inputs.0 == now { (now, inputs.1 + 1) } else { (now, 1) };
        if inputs.1 > MAX_INPUTS {
            let what = format!("n{} got {MAX_INPUTS} inputs within a millisecond", self.host + 1);
            board.broken.get_or_insert(("A22", what));
        }
        let hash = &mut board.hash;
        hash.number(now.0);
        hash.number(self.host as u64);
        hash.debug(input);
    }

    fn action(&mut self, now: Time, config: &Config, action: &Action) {
        self.flight.action(now, config, action);
        let mut board = self.board.borrow_mut();
        board.hash.number(now.0);
        board.hash.number(self.host as u64);
        board.hash.debug(action);
        if let Action::Event(Event::Role { instance, name, from, to, why, .. }) = action {
            board.nodes[self.host].roles.insert(*instance, *to);
            let words = format!("n{} {name}: {} -> {} ({why:?})", self.host + 1, from.as_str(), to.as_str());
            board.roles.push((clock::now(), words));
        }
        if let Action::Publish { view: Some(view), .. } = action {
            let usable = view.servers.iter().map(|server| (server.address, server.usable));
            board.nodes[self.host].servers.extend(usable);
        }
    }
}

/// Log lines go nowhere: what counts is on the board.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl LineSink for NoLog {
    fn line(&self, _targets: &[standfast_core::config::model::LogTarget], _level: u8, _text: &str) {}

    fn own(&self, _level: u8, _text: &str) {}
}
