//! A client on the LAN: it finds the holder of an address through its own neighbour cache, as real ones do.
//!
//! A cache entry is made by an answer, changed by an announcement, and given up when its owner has not answered for
//! a while (Linux: about 8 s of delay and probes). Some caches also learn from announcements that they did not ask
//! for.

use super::lan::{Body, Frame};
use super::world::{Canary, Event, World};
use ipnet::IpNet;
use standfast_core::id::Interface;
use standfast_core::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// An owner that does not answer for so long is looked for anew.
pub const STALE: Duration = Duration::from_secs(8);

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

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its port.
    pub port: usize,
    /// Its neighbour cache: a port for each address, and since when that port has not answered.
    pub cache: BTreeMap<IpAddr, (usize, Option<Time>)>,
    /// It learns from announcements that it did not ask for.
    pub eager: bool,
    /// It tries so often.
    pub every: Duration,
}

impl Client {
    /// A client at `port` that tries `every` so often.
    #[must_use]
    pub fn new(port: usize, every: Duration) -> Client {
        Client { port, cache: BTreeMap::new(), eager: port.is_multiple_of(2), every }
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
            Body::Query(_) | Body::Advert { .. } => {}
        }
    }
}

impl World {
    /// Client number `client` tries the first address of each virtual router.
    pub(crate) fn probe(&mut self, client: usize) {
        let every = self.clients[client].every;
        self.queue.push(self.now + every, Event::Probe { client });
        let firsts: Vec<IpNet> =
            self.routers.values().filter_map(|addresses| addresses.first()).copied().collect();
        for address in firsts {
            let answer = self.try_once(client, address);
            self.story.client(self.now, client, address, answer);
        }
    }

    fn try_once(&mut self, client: usize, address: IpNet) -> Answer {
        let port = self.clients[client].port;
        let Some((owner, since)) = self.clients[client].cache.get(&address.addr()).copied() else {
            self.send(port, Interface(super::world::FIRST_LINK), Body::Query(address.addr()));
            return Answer::Silent;
        };
        let reached = self.lan.open(port, owner)
            && self.lan.open(owner, port)
            && self.hosts.get(owner).is_some_and(|host| host.serves(address));
        let answer = if reached { self.served(owner) } else { Answer::Silent };
        let now = self.now;
        let cache = &mut self.clients[client].cache;
        if answer != Answer::Silent {
            cache.insert(address.addr(), (owner, None));
        } else if since.is_some_and(|since| now.since(since) > STALE) {
            cache.remove(&address.addr());
        } else {
            cache.insert(address.addr(), (owner, since.or(Some(now))));
        }
        answer
    }

    /// What a connection to `host` comes to.
    fn served(&self, host: usize) -> Answer {
        let Some(process) = &self.hosts[host].process else { return Answer::Refused };
        if process.frozen.is_some() {
            return Answer::Silent; // the kernel accepts, nobody reads
        }
        let config = &self.hosts[host].config;
        if config.frontends.is_empty() {
            return Answer::Served;
        }
        let open = config.frontends.values().filter(|frontend| process.seen.listening.contains(&frontend.id));
        let views = open.filter_map(|frontend| process.seen.views.get(&frontend.pool?));
        let mut servers = views.flat_map(|view| &view.servers).filter(|server| server.usable);
        if servers.any(|server| self.truth.server_lives(server.address)) {
            Answer::Served
        } else {
            Answer::Refused
        }
    }
}
