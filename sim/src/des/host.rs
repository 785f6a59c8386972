//! A simulated host: a kernel, a neighbour cache, and perhaps a process that runs a node.
//!
//! The process may be absent, running or frozen; the kernel goes on without it. What is kept per process is what an
//! observer can see (roles told, sockets open, views published), never the node's inside.

use super::kernel::Kernel;
use super::shape::RouterKey;
use crate::flight::Flown;
use ipnet::IpNet;
use standfast_core::balance::view::PoolView;
use standfast_core::config::model::{Config, Version};
use standfast_core::event::Role;
use standfast_core::id::{CheckId, FrontendId, InstanceId, Interface, PoolId, Ticket};
use standfast_core::input::Input;
use standfast_core::rng::Rng;
use standfast_core::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// The most inputs that wait for a frozen process; what comes after them is lost, as with a full socket buffer.
pub const MAX_WAITING: usize = 512;

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// It has power.
    pub powered: bool,
    /// Its kernel.
    pub kernel: Kernel,
    /// Its own addresses, one per link and family.
    pub own: Vec<(Interface, IpAddr)>,
    /// Who it believes to have which address: a port number.
    pub neighbours: BTreeMap<IpAddr, usize>,
    /// The configuration on its disk at first.
    pub first: Arc<Config>,
    /// The configuration on its disk now.
    pub config: Arc<Config>,
    /// The daemon.
    pub process: Option<Process>,
    /// How many processes there have been.
    pub generation: u64,
    /// Its random stream.
    pub rng: Rng,
    /// Frames of its segments do not reach it or leave it, and it has no carrier: a count of overlapping faults.
    pub unplugged: u32,
    /// Its last daemon was killed, not stopped.
    pub killed: bool,
}

/// A running, or frozen, daemon.
#[derive(Debug)]
pub struct Process {
    /// The real node.
    pub node: Flown,
    /// The one wake-up that counts.
    pub wake: u64,
    /// Since when it is frozen, and the inputs that wait.
    pub frozen: Option<(Time, VecDeque<Input<'static>>)>,
    /// It was told to stop.
    pub stopping: bool,
    /// What can be seen of it.
    pub seen: Seen,
}

/// What can be seen of a process.
#[derive(Debug, Default)]
pub struct Seen {
    /// Roles as told by events.
    pub roles: BTreeMap<InstanceId, Role>,
    /// Receptions that are open.
    pub receives: BTreeSet<(Interface, IpAddr)>,
    /// Checks that run.
    pub running: BTreeMap<CheckId, Ticket>,
    /// Listening sides that are open.
    pub listening: BTreeSet<FrontendId>,
    /// Views published.
    pub views: BTreeMap<PoolId, Arc<PoolView>>,
    /// VRIDs whose last advertisement was a farewell.
    pub farewell: BTreeSet<u8>,
    /// Instances ordered to resign.
    pub resigned: BTreeSet<InstanceId>,
    /// Since it was thawed: when, adverts sent per VRID, until it was heard to yield.
    pub thawed: Option<Thawed>,
}

/// What a process did since it was thawed from a long pause.
#[derive(Clone, Debug, Default)]
pub struct Thawed {
    /// Nonzero advertisements by VRID, of routers that were master and have not told of a role since.
    pub adverts: BTreeMap<u8, u32>,
    /// Instances that were master when it was frozen and have told of no role since.
    pub stale: BTreeSet<InstanceId>,
}

impl Host {
    /// The process, when it is alive and not frozen.
    #[must_use]
    pub fn awake(&self) -> Option<&Process> {
        self.process.as_ref().filter(|process| self.powered && process.frozen.is_none())
    }

    /// The role that its process has told last for the virtual router `key`, if it is awake.
    #[must_use]
    pub fn role(&self, key: &RouterKey) -> Option<Role> {
        let process = self.awake()?;
        let (id, _) = self.instance(key)?;
        process.seen.roles.get(&id).copied()
    }

    /// The instance of this host's configuration that is the virtual router `key`.
    #[must_use]
    pub fn instance(
        &self,
        key: &RouterKey,
    ) -> Option<(InstanceId, &Arc<standfast_core::config::model::InstanceConfig>)> {
        let found = self.config.instances.iter().find(|(_, instance)| RouterKey::of(instance) == *key);
        found.map(|(id, instance)| (*id, instance))
    }

    /// The instance with this VRID and version of address.
    #[must_use]
    pub fn by_vrid(&self, vrid: u8, v6: bool) -> Option<(InstanceId, u8, Version)> {
        let six = |family| matches!(family, standfast_core::config::model::Family::V6);
        let found =
            self.config.instances.iter().find(|(_, i)| i.router.vrid == vrid && six(i.router.family) == v6);
        found.map(|(id, i)| (*id, i.election.priority, i.router.version))
    }

    /// The kernel holds `address` and can be reached.
    #[must_use]
    pub fn serves(&self, address: IpNet) -> bool {
        self.powered && self.unplugged == 0 && self.kernel.owns(address)
    }

    /// The kernel holds the host address `address`, whatever its prefix.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        self.powered && self.kernel.addresses.keys().any(|(_, held)| held.addr() == address)
    }

    /// When the node wants to be woken.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.awake().and_then(|process| process.node.deadline()).map(|(at, _)| at)
    }
}
