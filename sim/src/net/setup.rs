//! What a simulation on turmoil is made of: a cluster's shape, how its servers are checked, and its seed.
//!
//! A simulation has one address family, as turmoil has it: that of the shape's first virtual router. Servers and the
//! client get addresses of it.

use super::backend::HEALTH;
use super::tls::{Identity, NAME, identity};
use crate::des::shape::{Shape, server_address};
use standfast_core::config::model::{CheckConfig, Config, Expect, Family, FrontendConfig, HttpProbe};
use standfast_core::config::model::{PoolConfig, Probe, TlsProbe};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Where clients connect to.
pub const PORT: u16 = 8443;
/// The certificates of a simulation are valid for so long.
pub const VALID: Duration = Duration::from_secs(86_400);

/// How servers are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probing {
    /// A connect.
    #[default]
    Tcp,
    /// The old SSL hello.
    SslHello,
    /// A TLS handshake with a verified certificate.
    Tls,
    /// `GET /healthz` by TLS, with a verified certificate.
    Https,
}

/// All of them.
pub const PROBINGS: [Probing; 4] = [Probing::Tcp, Probing::SslHello, Probing::Tls, Probing::Https];

/// What a simulation is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The cluster.
    pub shape: Shape,
    /// All the randomness.
    pub seed: u64,
    /// The hosts of each step run in random order.
    pub shuffled: bool,
    /// How servers are checked.
    pub probing: Probing,
    /// How often.
    pub every: Duration,
    /// Clients that try the first address: none, or one.
    pub clients: usize,
    /// The servers' certificates are valid for so long from the beginning.
    pub valid: Duration,
}

impl Setup {
    /// `shape` with connects as checks, in the hosts' order.
    #[must_use]
    pub fn new(shape: &Shape, seed: u64) -> Setup {
        let (shape, every) = (shape.clone(), crate::des::shape::SERVER_INTERVAL);
        Setup { shape, seed, shuffled: false, probing: Probing::Tcp, every, clients: 1, valid: VALID }
    }

    /// The family of all its addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        self.shape.routers.first().map_or(Family::V4, |router| router.family)
    }

    /// Where server number `nth` listens.
    #[must_use]
    pub fn server(&self, nth: usize) -> SocketAddr {
        let at = server_address(nth);
        match (self.family(), at.ip()) {
            (Family::V6, IpAddr::V4(v4)) => {
                let last = u16::from(v4.octets()[3]);
                let ip = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, last);
                SocketAddr::new(ip.into(), at.port())
            }
            (Family::V4, _) | (Family::V6, IpAddr::V6(_)) => at,
        }
    }

    /// The address of the client.
    #[must_use]
    pub fn client(&self) -> IpAddr {
        match self.family() {
            Family::V4 => Ipv4Addr::new(192, 0, 2, 250).into(),
            Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 250).into(),
        }
    }

    /// The address of a host that puts load on a node.
    #[must_use]
    pub fn load(&self) -> IpAddr {
        match self.family() {
            Family::V4 => Ipv4Addr::new(192, 0, 2, 251).into(),
            Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 251).into(),
        }
    }

    /// What the servers show.
    #[must_use]
    pub fn identity(&self) -> Identity {
        identity(self.valid)
    }

    /// The configuration of node `nth`: the shape's, with its servers where this simulation has them.
    #[must_use]
    pub fn config(&self, nth: usize, identity: &Identity) -> Config {
        let mut config = self.shape.config(nth);
        let moves: Vec<(SocketAddr, SocketAddr)> =
            (0..self.shape.servers).map(|nth| (server_address(nth), self.server(nth))).collect();
        let moved = |at: SocketAddr| moves.iter().find(|(old, _)| *old == at).map_or(at, |(_, new)| *new);
        for check in config.checks.values_mut() {
            if let Probe::Tcp { to, connect } = *check.probe {
                let mut new = CheckConfig::clone(check);
                new.probe = Arc::new(self.probe(moved(to), connect, identity));
                let schedule = &mut new.schedule;
                (schedule.interval, schedule.fast, schedule.down) = (self.every, self.every, self.every);
                schedule.timeout = self.every;
                *check = Arc::new(new);
            }
        }
        for pool in config.pools.values_mut() {
            let mut new = PoolConfig::clone(pool);
            new.servers.iter_mut().for_each(|server| server.address = moved(server.address));
            *pool = Arc::new(new);
        }
        for frontend in config.frontends.values_mut() {
            let mut new = FrontendConfig::clone(frontend);
            let any = super::host::any(self.family() == Family::V4);
            new.binds.iter_mut().for_each(|bind| bind.at = SocketAddr::new(any, PORT));
            *frontend = Arc::new(new);
        }
        config
    }

    fn probe(&self, to: SocketAddr, connect: Duration, identity: &Identity) -> Probe {
        let tls = TlsProbe {
            verify: true,
            roots: Some(identity.pem.clone()),
            name: Some(NAME.into()),
            alpn: Vec::new(),
        };
        match self.probing {
            Probing::Tcp => Probe::Tcp { to, connect },
            Probing::SslHello => Probe::SslHello { to, connect },
            Probing::Tls => Probe::Tls { to, connect, tls },
            Probing::Https => Probe::Http(HttpProbe {
                to,
                connect,
                tls: Some(tls),
                method: "GET".into(),
                uri: HEALTH.into(),
                version: "HTTP/1.1".into(),
                headers: vec![("host".into(), NAME.into())],
                body: String::new(),
                expect: Expect::Status { ranges: vec![(200, 200)], negated: false },
            }),
        }
    }
}
