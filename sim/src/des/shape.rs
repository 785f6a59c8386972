//! What a cluster looks like: drawn once per seed, before any fault, and turned into one configuration per node.
//!
//! Swarm testing starts here: the number of nodes and virtual routers, versions, intervals, priorities, multicast
//! or unicast, preemption, leases and trackers differ from run to run, boundaries more often than chance would.

use ipnet::IpNet;
use standfast_core::action::AddressOptions;
use standfast_core::config::model::{
    AnnounceConfig, Authentication, Bind, CheckConfig, Command, Config, Counter, Destination, ElectionConfig,
    Family, FrontendConfig, InstanceConfig, NotifyConfig, Peer, PoolConfig, Probe, Redispatch, RouterConfig,
    Schedule, ServerConfig, Tracked, Tracker, TransportConfig, Version, VirtualAddress,
};
use standfast_core::config::names::{Kind, Names};
use standfast_core::id::{CheckId, FrontendId, InstanceId, PoolId, ServerId};
use standfast_core::rng::Rng;
use std::collections::BTreeMap;
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
    /// The script that every router tracks.
    pub script: Option<ScriptShape>,
    /// Servers of the one pool; zero is no balancing.
    pub servers: usize,
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
    /// Priority and interval of each node.
    pub members: Vec<(u8, Duration)>,
}

/// A tracked script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptShape {
    /// Weight; zero makes its failure a fault.
    pub weight: i16,
    /// Between two starts.
    pub interval: Duration,
    /// Failures to go down.
    pub fall: u32,
    /// Successes to go up.
    pub rise: u32,
}

impl ScriptShape {
    /// The longest from the script's change to the verdict.
    #[must_use]
    pub fn detection(&self) -> Duration {
        self.interval * (self.fall.max(self.rise) + 2)
    }
}

fn one_of<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    let at = usize::try_from(rng.below(choices.len() as u64)).unwrap_or(0);
    choices[at]
}

impl Shape {
    /// Draws a cluster.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Shape {
        let nodes = one_of(rng, &[2, 2, 3, 3, 3, 4, 5, 7]);
        let routers = one_of(rng, &[1, 1, 1, 2, 3]);
        let routers = (0..routers).map(|nth| RouterShape::draw(rng, nth, nodes)).collect();
        let slow = Duration::from_micros(one_of(rng, &[60, 200, 1_000, 3_000, 10_000]));
        Shape {
            nodes,
            routers,
            delay: (Duration::from_micros(50), slow),
            apply: Duration::from_micros(one_of(rng, &[100, 1_000, 5_000, 20_000])),
            lease: !rng.chance(200),
            refresh: Duration::from_secs(one_of(rng, &[5, 10, 60])),
            script: rng.chance(500).then(|| ScriptShape {
                weight: one_of(rng, &[0, -2, -20, -60, -253, 5, 40, 253]),
                interval: Duration::from_millis(one_of(rng, &[500, 1_000, 3_000])),
                fall: one_of(rng, &[1, 2, 3, 10]),
                rise: one_of(rng, &[1, 2, 3]),
            }),
            servers: one_of(rng, &[0, 0, 0, 1, 3]),
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
            members: vec![(200, second), (150, second), (100, second)],
        };
        Shape {
            nodes: 3,
            routers: vec![router],
            delay: (Duration::from_micros(50), Duration::from_millis(1)),
            apply: Duration::from_millis(1),
            lease: true,
            refresh: Duration::from_secs(10),
            script: Some(ScriptShape { weight: -60, interval: second, fall: 2, rise: 2 }),
            servers: 3,
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
            config.checks.insert(check, Arc::new(server_check(check, &full, server_address(nth))));
            servers.push(ServerConfig {
                id: ServerId(names.id(Kind::Server, &full)),
                name,
                address: server_address(nth),
                weight: 1,
                backup: false,
                disabled: false,
                check: Some(check),
                shutdown_when_down: false,
            });
        }
        let pool_config = PoolConfig {
            id: pool,
            name: "apiserver".into(),
            algorithm: Default::default(),
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
    fn draw(rng: &mut Rng, nth: usize, nodes: usize) -> RouterShape {
        let version = one_of(rng, &[Version::V2, Version::V3]);
        let family = match version {
            Version::V2 => Family::V4,
            Version::V3 => one_of(rng, &[Family::V4, Family::V4, Family::V6]),
        };
        let common = match version {
            Version::V2 => Duration::from_secs(one_of(rng, &[1, 1, 1, 2, 5])),
            Version::V3 => {
                Duration::from_millis(one_of(rng, &[10, 100, 100, 300, 1_000, 1_000, 2_500, 10_000]))
            }
        };
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
            vrid: [51, 1, 255][nth % 3],
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
            addresses: one_of(rng, &[1, 1, 1, 2, 3]),
        }
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
            .filter(|script| priority != 255 || script.1 == 0)
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
            },
            addresses: (0..self.addresses).map(|k| virtual_address(vip(nth, k, self.family))).collect(),
            authentication: match self.version {
                Version::V2 => Authentication::Pass(*b"42\0\0\0\0\0\0"),
                Version::V3 => Authentication::None,
            },
            announce: AnnounceConfig {
                repeat: 5,
                delay: Duration::from_secs(5),
                refresh: shape.refresh,
                refresh_repeat: 1,
                lower_repeat: 5,
                lower_delay: Duration::from_secs(5),
            },
            trackers: [link].into_iter().chain(trackers).collect(),
            notify: NotifyConfig::default(),
        }
    }
}

fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
    }
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
    let last = u8::try_from(201 + nth).unwrap_or(u8::MAX);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)), 6443)
}

fn script_check(id: CheckId, script: ScriptShape) -> CheckConfig {
    let argv: Arc<[String]> = vec![String::from("/usr/bin/probe")].into();
    CheckConfig {
        id,
        name: SCRIPT.into(),
        probe: Arc::new(Probe::Script { command: Command { argv, user: None }, broken: None }),
        schedule: Schedule {
            interval: script.interval,
            fast: script.interval,
            down: script.interval,
            timeout: script.interval,
        },
        counter: Counter::Script { init_fail: false },
        rise: script.rise,
        fall: script.fall,
    }
}

/// How often a server is checked.
pub const SERVER_INTERVAL: Duration = Duration::from_secs(2);

fn server_check(id: CheckId, name: &str, to: SocketAddr) -> CheckConfig {
    CheckConfig {
        id,
        name: name.into(),
        probe: Arc::new(Probe::Tcp { to, connect: SERVER_INTERVAL }),
        schedule: Schedule {
            interval: SERVER_INTERVAL,
            fast: SERVER_INTERVAL,
            down: SERVER_INTERVAL,
            timeout: SERVER_INTERVAL,
        },
        counter: Counter::Server,
        rise: 2,
        fall: 3,
    }
}

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

/// How a reload or a restart changes a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tweak {
    /// Not at all: back to the first configuration.
    First,
    /// Every priority below 255 moves by so much.
    Priority(i16),
    /// One more address per virtual router.
    ExtraAddress,
}

impl Tweak {
    /// `config`, changed.
    #[must_use]
    pub fn apply(self, config: &Config) -> Config {
        let mut changed = config.clone();
        for instance in changed.instances.values_mut() {
            let mut new = InstanceConfig::clone(instance);
            match self {
                Tweak::First => {}
                Tweak::Priority(by) if new.election.priority != 255 => {
                    let moved = (i16::from(new.election.priority) + by).clamp(1, 254);
                    new.election.priority = u8::try_from(moved).unwrap_or(1);
                }
                Tweak::Priority(_) => {}
                Tweak::ExtraAddress => {
                    let extra = match new.router.family {
                        Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 51, 100, new.router.vrid)),
                        Family::V6 => IpAddr::V6(Ipv6Addr::new(
                            0x2001,
                            0xdb8,
                            1,
                            0,
                            0,
                            0,
                            0,
                            u16::from(new.router.vrid),
                        )),
                    };
                    new.addresses.push(virtual_address(IpNet::from(extra)));
                }
            }
            *instance = Arc::new(new);
        }
        changed
    }
}

/// What names a virtual router on all nodes alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterKey {
    /// The link.
    pub interface: Arc<str>,
    /// VRID.
    pub vrid: u8,
    /// Address family.
    pub family: Family,
}

impl RouterKey {
    /// The key of `instance`.
    #[must_use]
    pub fn of(instance: &InstanceConfig) -> RouterKey {
        RouterKey {
            interface: instance.router.interface.clone(),
            vrid: instance.router.vrid,
            family: instance.router.family,
        }
    }
}

/// All virtual routers of `configs`, each with every address that any node gives it.
#[must_use]
pub fn routers<'a>(configs: impl Iterator<Item = &'a Config>) -> BTreeMap<RouterKey, Vec<IpNet>> {
    let mut found: BTreeMap<RouterKey, Vec<IpNet>> = BTreeMap::new();
    for instance in configs.flat_map(|config| config.instances.values()) {
        let addresses = found.entry(RouterKey::of(instance)).or_default();
        for address in &instance.addresses {
            if !addresses.contains(&address.address) {
                addresses.push(address.address);
            }
        }
    }
    found
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
