//! One client connection: the real session and picker of the node that took it, and what the client sees of it.
//!
//! The proxy's side goes on whether the client can be reached or not. The client's side follows from where its
//! packets get: to a host that does not know the connection (a reset), to nobody or to a frozen daemon (no answer), or
//! to the session. Where no proxy is configured, the host itself answers as long as it holds the address.

use super::client::{Answer, Client, Target};
use super::world::World;
use ipnet::IpNet;
use standfast_core::balance::pick::Ask;
use standfast_core::config::model::FrontendConfig;
use standfast_core::id::{PoolId, ServerId};
use standfast_core::session::{Choice, ConnectError, Event, Session, Side, Step};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Each comes from another address, as those of many clients do.
    from: IpAddr,
    address: IpNet,
    host: usize,
    generation: u64,
    proxied: Option<Proxied>,
    /// Its host does not know it any more.
    gone: bool,
}

/// What the proxy has of a connection.
#[derive(Debug)]
struct Proxied {
    session: Session,
    pool: Option<PoolId>,
    server: Option<(ServerId, SocketAddr)>,
    /// Both sides were there once.
    open: bool,
}

/// What the client sees of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing.
    Quiet,
    /// An answer.
    Answered,
    /// A reset, before there was an answer.
    Refused,
    /// A reset, or an end, of an open connection.
    Cut,
}

/// How a server stands, as a host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It answers.
    Alive,
    /// Its port refuses.
    Dead,
    /// It accepts and says nothing.
    Hangs,
    /// Its host cannot be reached.
    Unreachable,
}

impl Connection {
    /// The server behind it, and the daemon that it goes through.
    pub(crate) fn server(&self) -> Option<(usize, u64, ServerId)> {
        let (server, _) = self.proxied.as_ref()?.server?;
        Some((self.host, self.generation, server))
    }
}

impl World {
    /// Opens a connection to `target` on `owner`, which holds its address.
    pub(crate) fn connect(
        &mut self,
        client: usize,
        target: Target,
        owner: usize,
    ) -> Result<Connection, Answer> {
        let now = self.now;
        let nth = &mut self.clients[client].connections;
        *nth = nth.wrapping_add(1);
        let from = IpAddr::from([198, 51, 100, *nth]);
        let host = &self.hosts[owner];
        let generation = host.generation;
        let new = |proxied| Connection {
            from,
            address: target.address,
            host: owner,
            generation,
            proxied,
            gone: false,
        };
        if host.config.frontends.is_empty() {
            return Ok(new(None));
        }
        let process = host.process.as_ref().ok_or(Answer::Refused)?;
        let fits = |frontend: &&Arc<FrontendConfig>| {
            let address = target.address.addr();
            process.seen.open.listening.contains(&frontend.id)
                && frontend.binds.iter().any(|bind| {
                    target.port.is_none_or(|port| bind.at.port() == port)
                        && (bind.at.ip() == address || bind.at.ip().is_unspecified())
                })
        };
        let frontend = host.config.frontends.values().find(fits).cloned().ok_or(Answer::Refused)?;
        if process.frozen.is_some() {
            return Err(Answer::Silent); // the kernel accepts, nobody reads
        }
        let session = Session::new(now, frontend.client);
        let proxied = Proxied { session, pool: frontend.pool, server: None, open: false };
        let mut connection = new(Some(proxied));
        self.drive(client, &mut connection, Event::Start);
        Ok(connection)
    }

    /// Lets time pass for `connection`, and says what its client sees.
    pub(crate) fn advance(&mut self, client: usize, connection: &mut Connection) -> Progress {
        let host = &self.hosts[connection.host];
        let process =
            host.process.as_ref().filter(|_| host.powered && host.generation == connection.generation);
        connection.gone |= if connection.proxied.is_some() { process.is_none() } else { !host.powered };
        let frozen = process.is_some_and(|process| process.frozen.is_some()) && connection.proxied.is_some();
        let stand = if connection.gone || frozen { None } else { self.serve(client, connection) };
        let open = connection.proxied.as_ref().is_none_or(|proxied| proxied.open);
        match self.reaches(client, connection.address) {
            None => Progress::Quiet,
            Some(owner) if owner != connection.host || connection.gone => {
                if open {
                    Progress::Cut
                } else {
                    Progress::Refused
                }
            }
            Some(_) if frozen || !open || stand != Some(Stand::Alive) => Progress::Quiet,
            Some(_) => Progress::Answered,
        }
    }

    /// The proxy's side of `connection`: how its server stands, after everything that this causes.
    fn serve(&mut self, client: usize, connection: &mut Connection) -> Option<Stand> {
        let now = self.now;
        let Some(proxied) = &connection.proxied else { return Some(Stand::Alive) };
        if proxied.session.deadline().is_some_and(|at| at <= now) {
            self.drive(client, connection, Event::Deadline);
        }
        let proxied = connection.proxied.as_ref()?;
        let (id, address) = proxied.server?;
        let stand = self.stands(connection.host, address);
        if !proxied.open {
            return Some(stand);
        }
        let process = self.hosts[connection.host].process.as_ref()?;
        let view = proxied.pool.and_then(|pool| process.seen.views.get(&pool));
        let shut = view.is_some_and(|view| view.servers.iter().any(|s| s.id == id && s.shutdown));
        match stand {
            _ if shut => self.drive(client, connection, Event::ServerGone),
            Stand::Dead => self.drive(client, connection, Event::Reset(Side::Server)),
            Stand::Alive if self.reaches(client, connection.address) == Some(connection.host) => {
                for event in [Event::Read(Side::Client, 1), Event::Wrote(Side::Server, 1)] {
                    self.drive(client, connection, event);
                }
                for event in [Event::Read(Side::Server, 1), Event::Wrote(Side::Client, 1)] {
                    self.drive(client, connection, event);
                }
            }
            Stand::Alive | Stand::Hangs | Stand::Unreachable => {}
        }
        Some(stand)
    }

    /// Feeds `event` to the session of `connection`, and carries out what it says.
    fn drive(&mut self, client: usize, connection: &mut Connection, event: Event) {
        let now = self.now;
        let (host, generation) = (connection.host, connection.generation);
        let from = connection.from;
        let Some(proxied) = &mut connection.proxied else { return };
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let process = self.hosts[connection.host].process.as_ref();
            let view = proxied.pool.and_then(|pool| process?.seen.views.get(&pool).cloned());
            let load;
            let choice = match (&view, proxied.pool) {
                (Some(view), Some(pool)) => {
                    let Client { pickers, loads, .. } = &mut self.clients[client];
                    let picker = pickers.entry((host, generation, pool)).or_default();
                    load = move |server| loads.get(&(host, generation, server)).copied().unwrap_or(0);
                    Some(Choice { view, picker, ask: Ask { exclude: None, client: Some(from), load: &load } })
                }
                (None, _) | (_, None) => None,
            };
            match proxied.session.on(now, event, choice) {
                Step::None | Step::Pause | Step::ShutdownWrite(_) => {}
                Step::Relay => proxied.open = true,
                Step::Finish { .. } => connection.gone = true,
                Step::Connect { server, address } => {
                    proxied.server = Some((server, address));
                    next = match self.stands(connection.host, address) {
                        Stand::Alive | Stand::Hangs => Some(Event::Connected),
                        Stand::Dead => Some(Event::ConnectFailed(ConnectError::Refused)),
                        Stand::Unreachable => None, // the session's own time-out ends it
                    };
                }
            }
        }
    }

    /// How the server at `at` stands, seen from `host`. A server on one of the nodes shares its power and its link.
    pub(crate) fn stands(&self, host: usize, at: SocketAddr) -> Stand {
        let lives_on = |node: &super::host::Host| node.own.iter().any(|(_, own)| *own == at.ip());
        let on = self.hosts.iter().position(lives_on);
        let reached = match on {
            Some(on) if on == host => true,
            Some(on) => {
                let both = [&self.hosts[on], &self.hosts[host]];
                both.iter().all(|node| node.powered && node.unplugged == 0)
                    && self.lan.open(host, on)
                    && self.lan.open(on, host)
            }
            None => true, // a server that is no node is behind another network
        };
        if !reached {
            Stand::Unreachable
        } else if self.truth.server_hangs_now(at) {
            Stand::Hangs
        } else if self.truth.server_lives(at) {
            Stand::Alive
        } else {
            Stand::Dead
        }
    }
}
