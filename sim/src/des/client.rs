//! A client on the LAN: it finds the holder of an address through its own neighbour cache, as real ones do.
//!
//! A cache entry is made by an answer, changed by an announcement, and given up when its owner has not answered for
//! a while (Linux: about 8 s of delay and probes). Some caches also learn from announcements that they did not ask
//! for. At each turn the client opens one short connection to each of its targets, and looks after the connections
//! that it holds open; both go through the real session and picker of the node that takes them ([`super::connection`]).

use super::connection::{Connection, Progress};
use super::lan::{Body, Frame};
use super::world::{Canary, Event, World};
use ipnet::IpNet;
use standfast_core::balance::pick::Picker;
use standfast_core::id::{Interface, PoolId, ServerId};
use standfast_core::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// An owner that does not answer for so long is looked for anew.
pub const STALE: Duration = Duration::from_secs(8);
/// A connection that has had no answer for so long counts as one without answer. A client's first retransmission
/// comes after the same time.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Who was cut or refused connects again after this time.
pub const RECONNECT: Duration = Duration::from_secs(1);
/// The most targets of a client.
pub const MAX_TARGETS: usize = 16;

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Connected, and served by a living server.
    Served,
    /// Refused: nobody listens, or no server is usable.
    Refused,
    /// No answer at all.
    Silent,
}

impl Answer {
    /// A word for timelines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Served => "served",
            Answer::Refused => "refused",
            Answer::Silent => "no answer",
        }
    }
}

/// What a client connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The address, as its holder holds it.
    pub address: IpNet,
    /// The port of a listening side; `None`: whatever listens there.
    pub port: Option<u16>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}", SocketAddr::new(self.address.addr(), port)),
            None => write!(f, "{}", self.address.addr()),
        }
    }
}

/// A connection that a client wants to have for as long as it lasts.
#[derive(Debug)]
pub(crate) enum Held {
    /// Not before this time.
    Wait(Time),
    /// Opening since this time.
    Opening(Time, Box<Connection>),
    /// Open; without answer since this time, and whether that was told.
    Open(Box<Connection>, Option<Time>, bool),
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its port.
    pub port: usize,
    /// Its neighbour cache: a port for each address, and since when that port has not answered.
    pub cache: BTreeMap<IpAddr, (usize, Option<Time>)>,
    /// It learns from announcements that it did not ask for.
    pub eager: bool,
    /// It tries so often.
    pub every: Duration,
    /// What it connects to; empty: the first address of each virtual router.
    pub targets: Vec<Target>,
    /// The rounds of the pools, as each daemon has them: by host, number of the process, and pool.
    pub(crate) pickers: BTreeMap<(usize, u64, PoolId), Picker>,
    /// How many held connections each server has, by host and number of the process.
    pub(crate) loads: BTreeMap<(usize, u64, ServerId), u32>,
    /// Connections so far, as the last byte of where they come from.
    pub(crate) connections: u8,
    /// Short connections without an answer yet: since when, and to which target.
    pub(crate) pending: VecDeque<(Time, usize, Connection)>,
    /// Connections to be held open, and to which target.
    pub(crate) held: Vec<(usize, Held)>,
}

impl Client {
    /// A client at `port` that tries `every` so often.
    #[must_use]
    pub fn new(port: usize, every: Duration) -> Client {
        Client {
            port,
            cache: BTreeMap::new(),
            eager: port.is_multiple_of(2),
            every,
            targets: Vec::new(),
            pickers: BTreeMap::new(),
            loads: BTreeMap::new(),
            connections: 0,
            pending: VecDeque::new(),
            held: Vec::new(),
        }
    }

    /// Lets it hold `count` connections open, spread over its targets.
    pub fn hold(&mut self, count: usize) {
        let targets = self.targets.len().max(1);
        self.held = (0..count).map(|nth| (nth % targets, Held::Wait(Time::ZERO))).collect();
    }

    /// Hears `frame`.
    pub(crate) fn hear(&mut self, frame: &Frame, canary: Option<Canary>) {
        match &frame.body {
            Body::Announce(address) => {
                if canary != Some(Canary::DeafNeighbours) && (self.eager || self.cache.contains_key(address))
                {
                    self.cache.insert(*address, (frame.sender, None));
                }
            }
            Body::Reply(address) => {
                self.cache.entry(*address).or_insert((frame.sender, None));
            }
            Body::Query(_) | Body::Advert { .. } | Body::Control { .. } => {}
        }
    }
}

impl World {
    /// Client number `client` has its turn: one short connection to each target, then those that it holds.
    pub(crate) fn probe(&mut self, client: usize) {
        let every = self.clients[client].every;
        self.queue.push(self.now + every, Event::Probe { client });
        if self.clients[client].targets.is_empty() {
            let firsts = self.routers.values().filter_map(|addresses| addresses.first());
            let firsts = firsts.map(|address| Target { address: *address, port: None }).take(MAX_TARGETS);
            self.clients[client].targets = firsts.collect();
        }
        self.wait_for_answers(client);
        for target in 0..self.clients[client].targets.len() {
            self.try_once(client, target);
        }
        self.hold_on(client);
        if self.story.is_told() {
            self.sample();
        }
    }

    /// Short connections that had no answer at once.
    fn wait_for_answers(&mut self, client: usize) {
        let mut pending = std::mem::take(&mut self.clients[client].pending);
        pending.retain_mut(|(began, target, connection)| {
            let answer = match self.advance(client, connection) {
                Progress::Answered => Answer::Served,
                Progress::Refused | Progress::Cut => Answer::Refused,
                Progress::Quiet if self.now.since(*began) > PATIENCE => Answer::Silent,
                Progress::Quiet => return true,
            };
            self.story.tried(*began, client, *target, answer);
            false
        });
        self.clients[client].pending = pending;
    }

    fn try_once(&mut self, client: usize, target: usize) {
        let now = self.now;
        let at = self.clients[client].targets[target];
        let reached = self.look_up(client, at.address);
        let answer = match reached.map(|owner| self.connect(client, at, owner)) {
            None | Some(Err(Answer::Silent)) => Answer::Silent,
            Some(Err(other)) => other,
            Some(Ok(mut connection)) => match self.advance(client, &mut connection) {
                Progress::Answered => Answer::Served,
                Progress::Refused | Progress::Cut => Answer::Refused,
                Progress::Quiet => {
                    return self.clients[client].pending.push_back((now, target, connection));
                }
            },
        };
        self.story.tried(now, client, target, answer);
    }

    /// Who answers at `address`, asked through the neighbour cache; asks for a new entry, or gives up an old one.
    fn look_up(&mut self, client: usize, address: IpNet) -> Option<usize> {
        let now = self.now;
        let port = self.clients[client].port;
        let Some((owner, since)) = self.clients[client].cache.get(&address.addr()).copied() else {
            self.send(port, Interface(super::world::FIRST_LINK), Body::Query(address.addr()));
            return None;
        };
        let reached = self.reaches(client, address);
        let cache = &mut self.clients[client].cache;
        if reached.is_some() {
            cache.insert(address.addr(), (owner, None));
        } else if since.is_some_and(|since| now.since(since) > STALE) {
            cache.remove(&address.addr());
        } else {
            cache.insert(address.addr(), (owner, since.or(Some(now))));
        }
        reached
    }

    /// The host that a packet of `client` for `address` reaches, and that has this address.
    pub(crate) fn reaches(&self, client: usize, address: IpNet) -> Option<usize> {
        let port = self.clients[client].port;
        let (owner, _) = self.clients[client].cache.get(&address.addr()).copied()?;
        let open = self.lan.open(port, owner) && self.lan.open(owner, port);
        (open && self.hosts.get(owner).is_some_and(|host| host.serves(address))).then_some(owner)
    }

    /// Looks after the connections that `client` holds.
    fn hold_on(&mut self, client: usize) {
        let mut held = std::mem::take(&mut self.clients[client].held);
        let mut seen = Counts::default();
        for (target, slot) in &mut held {
            self.hold(client, *target, slot, &mut seen);
        }
        self.clients[client].held = held;
        self.story.held(self.now, client, seen);
    }

    fn hold(&mut self, client: usize, target: usize, slot: &mut Held, seen: &mut Counts) {
        let now = self.now;
        let again = Held::Wait(now + RECONNECT);
        match slot {
            Held::Wait(until) if now < *until => {}
            Held::Wait(_) => {
                let at = self.clients[client].targets[target];
                let owner = self.reaches(client, at.address);
                *slot = match owner.and_then(|owner| self.connect(client, at, owner).ok()) {
                    Some(connection) => Held::Opening(now, Box::new(connection)),
                    None => again,
                };
            }
            Held::Opening(began, connection) => match self.advance(client, connection) {
                Progress::Answered => {
                    seen.opened += 1;
                    let Held::Opening(_, connection) = std::mem::replace(slot, again) else { return };
                    if let Some(server) = connection.server() {
                        *self.clients[client].loads.entry(server).or_insert(0) += 1;
                    }
                    *slot = Held::Open(connection, None, false);
                }
                Progress::Refused | Progress::Cut => *slot = again,
                Progress::Quiet if now.since(*began) > PATIENCE => *slot = again,
                Progress::Quiet => {}
            },
            Held::Open(connection, quiet, told) => match self.advance(client, connection) {
                Progress::Answered => (*quiet, *told) = (None, false),
                Progress::Refused | Progress::Cut => {
                    seen.cut += 1;
                    if let Some(load) =
                        connection.server().and_then(|server| self.clients[client].loads.get_mut(&server))
                    {
                        *load = load.saturating_sub(1);
                    }
                    *slot = again;
                }
                Progress::Quiet => {
                    let since = *quiet.get_or_insert(now);
                    if !*told && now.since(since) >= PATIENCE {
                        *told = true;
                        seen.hung += 1;
                    }
                }
            },
        }
    }
}

/// What became of the held connections in one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// So many were opened.
    pub opened: u64,
    /// So many were cut.
    pub cut: u64,
    /// So many have had no answer for [`PATIENCE`] now.
    pub hung: u64,
}
