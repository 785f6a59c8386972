//! What names a virtual router on all nodes alike, and how a reload changes a configuration.
//!
//! A tweak always starts from the first configuration of its host, so that any subset of a plan's reloads is a plan.
//! Those that make nodes deaf to each other (another password, another interval) are taken back when a storm ends.

use super::shape::virtual_address;
use ipnet::IpNet;
use standfast_core::config::model::{
    Authentication, Config, Family, InstanceConfig, PoolConfig, RouterConfig, Version,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// How a reload or a restart changes a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tweak {
    /// Not at all: back to the first configuration.
    First,
    /// Every priority below 255 moves by so much.
    Priority(i16),
    /// The priorities of that host: with the reload of the other, priorities are swapped.
    As(usize),
    /// One more address per virtual router.
    ExtraAddress,
    /// Twice the interval, on this node only.
    Interval,
    /// Another password, on this node only.
    Password,
    /// The other version of the protocol, where that can be, on this node only.
    Version,
    /// Half of the servers.
    HalfTheServers,
    /// No server at all.
    NoServers,
}

impl Tweak {
    /// It makes a node deaf to its peers, or slower than the cluster promises.
    #[must_use]
    pub fn clashes(self) -> bool {
        match self {
            Tweak::Interval | Tweak::Password | Tweak::Version => true,
            Tweak::First
            | Tweak::Priority(_)
            | Tweak::As(_)
            | Tweak::ExtraAddress
            | Tweak::HalfTheServers
            | Tweak::NoServers => false,
        }
    }

    /// `config`, changed; `model` is the first configuration of the host that [`Tweak::As`] names.
    #[must_use]
    pub fn apply(self, config: &Config, model: &Config) -> Config {
        let mut changed = config.clone();
        for instance in changed.instances.values_mut() {
            let mut new = InstanceConfig::clone(instance);
            self.instance(&mut new, model);
            *instance = Arc::new(new);
        }
        match self {
            Tweak::HalfTheServers => keep_servers(&mut changed, |count| count.div_ceil(2)),
            Tweak::NoServers => keep_servers(&mut changed, |_| 0),
            Tweak::First
            | Tweak::Priority(_)
            | Tweak::As(_)
            | Tweak::ExtraAddress
            | Tweak::Interval
            | Tweak::Version
            | Tweak::Password => {}
        }
        changed
    }

    fn instance(self, new: &mut InstanceConfig, model: &Config) {
        let owner = new.election.priority == 255;
        match self {
            Tweak::Priority(by) if !owner => {
                let moved = (i16::from(new.election.priority) + by).clamp(1, 254);
                new.election.priority = u8::try_from(moved).unwrap_or(1);
            }
            Tweak::As(_) if !owner => {
                let key = RouterKey::of(new);
                let other = model.instances.values().find(|other| key.names(other));
                if let Some(other) = other.filter(|other| other.election.priority != 255) {
                    new.election.priority = other.election.priority;
                }
            }
            Tweak::ExtraAddress => {
                let vrid = new.router.vrid;
                let extra = match new.router.family {
                    Family::V4 => IpAddr::V4(Ipv4Addr::new(203, 0, 113, vrid)),
                    Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, u16::from(vrid))),
                };
                new.addresses.push(virtual_address(IpNet::from(extra)));
            }
            Tweak::Interval => new.election.interval *= 2,
            Tweak::Version => {
                let whole = new.election.interval.subsec_nanos() == 0;
                if new.router.version == Version::V2 {
                    (new.router.version, new.authentication) = (Version::V3, Authentication::None);
                } else if whole && new.router.family == Family::V4 {
                    new.router.version = Version::V2;
                }
            }
            Tweak::Password => {
                if let Authentication::Pass(key) = &mut new.authentication {
                    key[0] ^= 1;
                }
            }
            Tweak::First | Tweak::Priority(_) | Tweak::As(_) | Tweak::HalfTheServers | Tweak::NoServers => {}
        }
    }
}

fn keep_servers(config: &mut Config, keep: impl Fn(usize) -> usize) {
    for pool in config.pools.values_mut() {
        let mut new = PoolConfig::clone(pool);
        for gone in new.servers.split_off(keep(new.servers.len())) {
            if let Some(check) = gone.check {
                config.checks.remove(&check);
            }
        }
        *pool = Arc::new(new);
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

    /// It is the key of `instance`.
    #[must_use]
    pub fn names(&self, instance: &InstanceConfig) -> bool {
        let RouterConfig { interface, vrid, family, .. } = &instance.router;
        *vrid == self.vrid && *family == self.family && *interface == self.interface
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
    use crate::des::shape::Shape;

    #[test]
    fn a_swap_of_priorities_is_two_reloads() {
        let shape = Shape::three(Version::V3, false);
        let (a, b) = (shape.config(0), shape.config(1));
        let priority = |config: &Config| config.instances.values().next().unwrap().election.priority;
        assert_eq!(priority(&Tweak::As(1).apply(&a, &b)), priority(&b));
        assert_eq!(priority(&Tweak::As(0).apply(&b, &a)), priority(&a));
    }

    #[test]
    fn a_pool_without_servers_has_no_checks_of_servers() {
        let config = Shape::three(Version::V3, false).config(0);
        let empty = Tweak::NoServers.apply(&config, &config);
        assert!(empty.pools.values().all(|pool| pool.servers.is_empty()));
        assert_eq!(empty.checks.len(), 1);
    }
}
