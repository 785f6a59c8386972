//! What a cluster looks like: drawn once per seed, before any fault, and turned into one configuration per node.
//!
//! Swarm testing starts here: the number of nodes and virtual routers, versions, intervals, priorities, multicast
//! or unicast, preemption, leases and trackers differ from run to run, boundaries more often than chance would.

pub use super::checked::{BalanceShape, ScriptShape};
use super::checked::{script_check, server_check};
pub use super::tweak::{RouterKey, Tweak, routers};
use ipnet::IpNet;
use standfast_core::action::AddressOptions;
use standfast_core::config::item::{Item, Route};
use standfast_core::config::model::{
    Algorithm, AnnounceConfig, Authentication, Bind, Config, Destination, ElectionConfig, Family,
    FrontendConfig, GroupConfig, InstanceConfig, NotifyConfig, OldChecksum, Peer, PoolConfig, Redispatch,
    RouterConfig, ServerConfig, Tracked, Tracker, TransportConfig, Version, VirtualAddress,
};
use standfast_core::config::names::{Kind, Names};
use standfast_core::id::{CheckId, FrontendId, GroupId, InstanceId, PoolId, ServerId};
use standfast_core::rng::Rng;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The interface that every simulated host has.
pub const LINK: &str = "eth0";
/// The name of the tracked script.
pub const SCRIPT: &str = "probe";

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Nodes, 2..=7.
    pub nodes: usize,
    /// Virtual routers; every node is a member of each.
    pub routers: Vec<RouterShape>,
    /// Shortest and longest way of a frame.
    pub delay: (Duration, Duration),
    /// The longest a kernel takes to carry out a request.
    pub apply: Duration,
    /// Addresses are leased.
    pub lease: bool,
    /// Period of announcements while master.
    pub refresh: Duration,
    /// The second block of announcements comes so late (`garp_master_delay`); zero is none.
    pub second_block: Duration,
    /// All virtual routers are one sync group.
    pub group: bool,
    /// The script that every router tracks.
    pub script: Option<ScriptShape>,
    /// Servers of the one pool; zero is no balancing.
    pub servers: usize,
    /// How they are checked and weighed.
    pub balance: BalanceShape,
}

/// A virtual router of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterShape {
    /// VRID.
    pub vrid: u8,
    /// Protocol version.
    pub version: Version,
    /// Address family.
    pub family: Family,
    /// To each peer instead of to the group.
    pub unicast: bool,
    /// Preemption.
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// `down_timer_adverts`.
    pub down_adverts: u8,
    /// Number of addresses.
    pub addresses: u8,
    /// It tracks the script.
    pub tracks: bool,
    /// Priority and interval of each node.
    pub members: Vec<(u8, Duration)>,
}

/// One of `choices`.
pub(super) fn one_of<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    let at = usize::try_from(rng.below(choices.len() as u64)).unwrap_or(0);
    choices[at]
}

impl Shape {
    /// Draws a cluster.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Shape {
        let size = rng.below(8_000);
        let (nodes, count) = match size {
            0 => (one_of(rng, &[2, 3]), 255),
            1..=10 => (one_of(rng, &[2, 3, 4]), 20),
            _ => (one_of(rng, &[2, 2, 2, 3, 3, 3, 4, 5, 7]), one_of(rng, &[1, 1, 1, 1, 2, 2, 3])),
        };
        let group = count > 1 && count < 20 && rng.chance(350);
        let mut routers = vec![RouterShape::draw(rng, 0, nodes, count > 3)];
        for nth in 1..count {
            let mut other = RouterShape::draw(rng, nth, nodes, count > 3);
            if group || other.paces_apart(&routers[0]) && !rng.chance(20) {
                other = routers[0].twin(&other);
            }
            routers.push(other);
        }
        let slowest = routers.iter().map(RouterShape::slowest).max().unwrap_or_default();
        let script = rng.chance(500).then(|| ScriptShape::draw(rng, slowest));
        if let Some(script) = script.filter(|_| group) {
            // A weight on one member only would make one node the best for one member, another for the other.
            routers.iter_mut().skip(1).for_each(|router| router.tracks = script.weight != 0);
        }
        let slow = Duration::from_micros(one_of(rng, &[60, 200, 1_000, 3_000, 10_000]));
        // A way as long as an interval is a broken network, and no promise holds on it.
        let slow = slow.min(routers.iter().map(RouterShape::fastest).min().unwrap_or_default() / 4);
        let refreshes = [slowest * 3, slowest * 6, Duration::from_secs(10), Duration::from_secs(60)];
        let refreshes = &refreshes[..if rng.chance(50) { 4 } else { 2 }];
        Shape {
            nodes,
            delay: (Duration::from_micros(50), slow),
            apply: Duration::from_micros(one_of(rng, &[100, 1_000, 5_000, 20_000])),
            lease: !rng.chance(200),
            refresh: one_of(rng, refreshes),
            second_block: one_of(rng, &[Duration::ZERO, slowest * 2, slowest * 4])
                .min(Duration::from_secs(5)),
            group,
            script,
            servers: match rng.below(4_000) {
                0 => 200,
                1..=8 => 30,
                9..=2_000 => 0,
                _ => one_of(rng, &[1, 2, 3, 3, 10]),
            },
            balance: BalanceShape::draw(rng, slowest),
            routers,
        }
    }

    /// Three nodes of priority 200, 150 and 100 that advertise every second; a script takes 60 away; three servers.
    #[must_use]
    pub fn three(version: Version, unicast: bool) -> Shape {
        let second = Duration::from_secs(1);
        let router = RouterShape {
            vrid: 51,
            version,
            family: Family::V4,
            unicast,
            preempt: true,
            preempt_delay: Duration::ZERO,
            down_adverts: 3,
            addresses: 1,
            tracks: true,
            members: vec![(200, second), (150, second), (100, second)],
        };
        Shape {
            nodes: 3,
            routers: vec![router],
            delay: (Duration::from_micros(50), Duration::from_millis(1)),
            apply: Duration::from_millis(1),
            lease: true,
            refresh: Duration::from_secs(10),
            second_block: Duration::from_secs(5),
            group: false,
            script: Some(ScriptShape { weight: -60, interval: second, fall: 2, rise: 2 }),
            servers: 3,
            balance: BalanceShape {
                interval: SERVER_INTERVAL,
                fall: 3,
                rise: 2,
                mixed: false,
                backups: 0,
                algorithm: Algorithm::RoundRobin,
            },
        }
    }

    /// The configuration of node `host`.
    #[must_use]
    pub fn config(&self, host: usize) -> Config {
        let mut names = Names::default();
        let mut config = Config::default();
        config.node.lease = self.lease;
        let script = self.script.map(|script| {
            let id = CheckId(names.id(Kind::Check, SCRIPT));
            config.checks.insert(id, Arc::new(script_check(id, script)));
            (id, script.weight)
        });
        for (nth, router) in self.routers.iter().enumerate() {
            let name = format!("VI_{}", nth + 1);
            let id = InstanceId(names.id(Kind::Instance, &name));
            config.instances.insert(id, Arc::new(router.instance(id, &name, nth, host, self, script)));
        }
        if self.group {
            let id = GroupId(names.id(Kind::Group, "ALL"));
            let members = config.instances.keys().copied().collect();
            let notify = NotifyConfig::default();
            config.groups.insert(id, Arc::new(GroupConfig { id, name: "ALL".into(), members, notify }));
        }
        if self.servers > 0 {
            self.balancing(&mut config, &mut names);
        }
        config.names = names;
        config
    }

    fn balancing(&self, config: &mut Config, names: &mut Names) {
        let pool = PoolId(names.id(Kind::Pool, "apiserver"));
        let mut servers = Vec::new();
        for nth in 0..self.servers {
            let name: Arc<str> = format!("s{}", nth + 1).into();
            let full = format!("apiserver/{name}");
            let check = CheckId(names.id(Kind::Check, &full));
            config
                .checks
                .insert(check, Arc::new(server_check(check, &full, server_address(nth), self.balance)));
            servers.push(ServerConfig {
                id: ServerId(names.id(Kind::Server, &full)),
                name,
                address: server_address(nth),
                weight: if self.balance.mixed { u16::try_from(1 + nth % 3).unwrap_or(1) } else { 1 },
                backup: nth > 0 && nth + self.balance.backups >= self.servers,
                disabled: false,
                check: Some(check),
                shutdown_when_down: false,
            });
        }
        let pool_config = PoolConfig {
            id: pool,
            name: "apiserver".into(),
            algorithm: self.balance.algorithm,
            all_backups: false,
            servers,
            retries: 3,
            redispatch: Redispatch::Last,
            connect: Some(Duration::from_secs(5)),
            server: Some(Duration::from_secs(20)),
            log: Vec::new(),
            listen: false,
        };
        config.pools.insert(pool, Arc::new(pool_config));
        let front = FrontendId(names.id(Kind::Frontend, "apiserver"));
        config.frontends.insert(front, Arc::new(frontend(front, pool)));
    }
}

impl RouterShape {
    fn draw(rng: &mut Rng, nth: usize, nodes: usize, many: bool) -> RouterShape {
        let version = one_of(rng, &[Version::V2, Version::V3]);
        let family = match version {
            Version::V2 => Family::V4,
            Version::V3 => one_of(rng, &[Family::V4, Family::V4, Family::V6]),
        };
        let common = match version {
            Version::V2 => Duration::from_secs(one_of(rng, &[1, 1, 1, 2, 5])),
            Version::V3 => Duration::from_millis(one_of(
                rng,
                &[10, 100, 100, 300, 400, 450, 1_000, 1_000, 2_500, 10_000],
            )),
        };
        let common = if many { common.max(Duration::from_secs(1)) } else { common };
        let mixed = version == Version::V3 && rng.chance(200);
        let style = rng.below(4);
        let owner = rng.chance(80);
        let members = (0..nodes).map(|host| {
            let priority = match style {
                0 => 100,
                1 => 101_u8.saturating_sub(u8::try_from(host).unwrap_or(0)),
                2 => u8::try_from(200_usize.saturating_sub(20 * host)).unwrap_or(1),
                _ => u8::try_from(1 + rng.below(254)).unwrap_or(1),
            };
            let priority = if owner && host == 0 { 255 } else { priority };
            (priority, if mixed { common * one_of(rng, &[1, 1, 2, 3]) } else { common })
        });
        RouterShape {
            members: members.collect(),
            vrid: vrid(nth),
            version,
            family,
            unicast: rng.chance(400),
            preempt: !rng.chance(250),
            preempt_delay: if rng.chance(150) {
                Duration::from_secs(1 + rng.below(8))
            } else {
                Duration::ZERO
            },
            down_adverts: one_of(rng, &[3, 3, 3, 3, 2, 5]),
            addresses: one_of(rng, &[1, 1, 2, 2, 3]),
            tracks: true,
        }
    }

    /// A virtual router that `self` can share a sync group with: everything that decides an election is the same,
    /// the rest is taken from `other`.
    fn twin(&self, other: &RouterShape) -> RouterShape {
        RouterShape { vrid: other.vrid, addresses: other.addresses, unicast: other.unicast, ..self.clone() }
    }

    /// One is so much faster than the other that a run would have little but its advertisements.
    fn paces_apart(&self, other: &RouterShape) -> bool {
        self.fastest() * 10 < other.slowest() || other.fastest() * 10 < self.slowest()
    }

    /// The shortest interval of any member.
    #[must_use]
    pub fn fastest(&self) -> Duration {
        self.members.iter().map(|member| member.1).min().unwrap_or_default()
    }

    /// The longest that a backup waits for a silent master.
    #[must_use]
    pub fn master_down(&self) -> Duration {
        let slowest = self.slowest();
        let skew = if self.version == Version::V2 { Duration::from_secs(1) } else { slowest };
        slowest * u32::from(self.down_adverts) + skew
    }

    /// The longest interval of any member.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.members.iter().map(|member| member.1).max().unwrap_or_default()
    }

    fn instance(
        &self,
        id: InstanceId,
        name: &str,
        nth: usize,
        host: usize,
        shape: &Shape,
        script: Option<(CheckId, i16)>,
    ) -> InstanceConfig {
        let (priority, interval) = self.members[host];
        let peers = (0..shape.nodes).filter(|peer| *peer != host).map(|peer| Peer {
            address: host_address(peer, self.family),
            min_ttl: 0,
            max_ttl: 255,
        });
        let to = if self.unicast {
            Destination::Unicast(peers.collect())
        } else {
            Destination::Multicast(group(self.family))
        };
        let link = Tracker { what: Tracked::Interface(LINK.into()), weight: 0, reverse: false };
        // keepalived refuses weighted trackers for an owner.
        let trackers = script
            .filter(|script| self.tracks && (priority != 255 || script.1 == 0))
            .map(|(check, weight)| Tracker { what: Tracked::Check(check), weight, reverse: false });
        InstanceConfig {
            id,
            name: name.into(),
            router: RouterConfig {
                interface: LINK.into(),
                vrid: self.vrid,
                version: self.version,
                family: self.family,
            },
            election: ElectionConfig {
                priority,
                wish_master: priority == 255,
                interval,
                down_adverts: self.down_adverts,
                preempt: self.preempt || priority == 255, // an owner always preempts
                preempt_delay: self.preempt_delay,
                lower_no_advert: false,
                last_advert: true,
                owner_ignores: false,
                oversleep_priority: None,
                strict: false,
            },
            transport: TransportConfig {
                source: None,
                track_source: false,
                to,
                hops: 255,
                check_source: false,
                skip_address_check: false,
                plain_checksum: false,
                old_checksum: OldChecksum::default(),
            },
            addresses: (0..self.addresses).map(|k| virtual_address(vip(nth, k, self.family))).collect(),
            authentication: match self.version {
                Version::V2 => Authentication::Pass(*b"42\0\0\0\0\0\0"),
                Version::V3 => Authentication::None,
            },
            announce: AnnounceConfig {
                repeat: 5,
                delay: shape.second_block,
                refresh: shape.refresh,
                refresh_repeat: 1,
                lower_repeat: 5,
                lower_delay: shape.second_block,
                extra: Duration::ZERO,
            },
            trackers: [link].into_iter().chain(trackers).collect(),
            items: routing(nth),
            notify: NotifyConfig::default(),
        }
    }
}

/// The VRID of the `nth` virtual router of a cluster: boundaries first.
#[must_use]
pub fn vrid(nth: usize) -> u8 {
    let rest = || u8::try_from(2 + nth - 3).unwrap_or(u8::MAX);
    match nth {
        0 => 51,
        1 => 1,
        2 => 255,
        _ if rest() < 51 => rest(),
        _ => rest().saturating_add(1),
    }
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
    }
}

/// A route that moves with the addresses of the `nth` virtual router.
fn routing(nth: usize) -> Vec<Arc<Item>> {
    let line = format!("blackhole 203.0.113.{}/32", nth % 256);
    let words: Vec<&str> = line.split(' ').collect();
    Route::read(&words).map(|route| Arc::new(Item::Route(route))).into_iter().collect()
}

/// An address as `virtual_ipaddress` lists it.
#[must_use]
pub fn virtual_address(address: IpNet) -> VirtualAddress {
    VirtualAddress {
        address,
        interface: LINK.into(),
        advertised: true,
        tracked: true,
        how: Arc::new(AddressOptions::default()),
    }
}

/// The `k`th address of the `nth` virtual router.
#[must_use]
pub fn vip(nth: usize, k: u8, family: Family) -> IpNet {
    if nth >= 5 {
        let nth = u8::try_from(nth).unwrap_or(u8::MAX);
        return IpNet::from(match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 18, nth, k)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, u16::from(nth), u16::from(k))),
        });
    }
    let last = u8::try_from(100 + 20 * nth).unwrap_or(100) + k;
    match family {
        Family::V4 => IpNet::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))),
        Family::V6 => IpNet::from(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)))),
    }
}

/// The own address of host number `host`: from 192.0.2.11, or its link-local one.
#[must_use]
pub fn host_address(host: usize, family: Family) -> IpAddr {
    let last = u8::try_from(11 + host).unwrap_or(u8::MAX);
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(last))),
    }
}

/// Where server number `nth` listens.
#[must_use]
pub fn server_address(nth: usize) -> SocketAddr {
    let last = u8::try_from((200 + nth) % 255 + 1).unwrap_or(u8::MAX);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)), 6443)
}

/// How often a server is checked.
pub const SERVER_INTERVAL: Duration = Duration::from_secs(2);

fn frontend(id: FrontendId, pool: PoolId) -> FrontendConfig {
    let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
    FrontendConfig {
        id,
        name: "apiserver".into(),
        binds: vec![Bind { at, free: false, interface: None, both_families: false }],
        pool: Some(pool),
        client: Some(Duration::from_secs(20)),
        max_connections: 0,
        tcplog: true,
        dont_log_null: true,
        log: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::rng::Seed;

    #[test]
    fn the_same_seed_draws_the_same_cluster() {
        assert_eq!(Shape::draw(&mut Rng::new(Seed(4))), Shape::draw(&mut Rng::new(Seed(4))));
    }

    #[test]
    fn swarms_reach_both_versions_both_families_and_both_ways_of_sending() {
        let shapes: Vec<_> = (0..200).map(|seed| Shape::draw(&mut Rng::new(Seed(seed)))).collect();
        let routers = || shapes.iter().flat_map(|shape| &shape.routers);
        assert!(routers().any(|router| router.version == Version::V2 && router.unicast));
        assert!(routers().any(|router| router.family == Family::V6 && !router.preempt));
        assert!(shapes.iter().any(|shape| shape.nodes == 7) && shapes.iter().any(|shape| shape.nodes == 2));
    }
}
