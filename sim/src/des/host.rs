//! A simulated host: a kernel, a neighbour cache, and perhaps a process that runs a node.
//!
//! The process may be absent, running or frozen; the kernel goes on without it. What is kept per process is what an
//! observer can see (roles told, sockets open, views published), never the node's inside.

use super::clock::Clock;
use super::kernel::Kernel;
use super::shape::{RouterKey, Tweak};
use crate::flight::Flown;
use ipnet::IpNet;
use standfast_core::action::BfdPath;
use standfast_core::balance::pick::Picker;
use standfast_core::balance::view::PoolView;
use standfast_core::config::model::{Config, InstanceConfig, Version};
use standfast_core::event::Role;
use standfast_core::id::{BfdId, CheckId, FrontendId, InstanceId, Interface, PoolId, ServerId, Ticket};
use standfast_core::input::{Admin, Input};
use standfast_core::node::Node;
use standfast_core::rng::Rng;
use standfast_core::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

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
    /// Clock, processor, numbers of interfaces.
    pub machine: Machine,
}

/// What a host is, besides its kernel.
#[derive(Debug)]
pub struct Machine {
    /// Its clock, which is what its node is fed.
    pub clock: Clock,
    /// The daemon wakes up late, by up to the last of these.
    pub slow: Vec<Duration>,
    /// Answers of checks come after the daemon has given up on them: a count of overlapping faults.
    pub slow_checks: u32,
    /// Its last daemon was killed, not stopped.
    pub killed: bool,
    /// When it was told of another configuration last.
    pub reloaded: Option<Time>,
    /// How its configuration was changed last.
    pub tweak: Option<Tweak>,
    /// Interfaces that have another number now than at first.
    pub numbers: BTreeMap<Interface, Interface>,
    /// Addresses that something else than the requests of its present daemon has taken away.
    pub taken: BTreeSet<IpNet>,
    /// Its kernel has refused requests, or has not answered some.
    pub unwilling: bool,
    /// Where its daemon comes from.
    pub past: Past,
}

/// Where the daemon of a host comes from.
#[derive(Debug, Default)]
pub enum Past {
    /// It was started here.
    #[default]
    None,
    /// It was recorded elsewhere, and is fed what it was fed there; this is what is left of that, and the segments by
    /// the names of their interfaces.
    Tape(VecDeque<Chapter>, BTreeMap<Arc<str>, Interface>),
    /// It was recorded elsewhere, and lives here now.
    Recorded,
}

/// A piece of a recorded past.
#[derive(Debug)]
pub enum Chapter {
    /// The node begins.
    Begin(Box<Node>),
    /// It is fed.
    Input(Box<Input<'static>>),
    /// The tape ends.
    End,
}

impl Machine {
    /// A machine whose clock reads `reading` at the world's origin.
    #[must_use]
    pub fn new(reading: Time) -> Machine {
        Machine {
            clock: Clock::new(reading),
            slow: Vec::new(),
            slow_checks: 0,
            killed: false,
            reloaded: None,
            tweak: None,
            numbers: BTreeMap::new(),
            taken: BTreeSet::new(),
            unwilling: false,
            past: Past::None,
        }
    }

    /// The present number of the interface on `segment`.
    #[must_use]
    pub fn numbered(&self, segment: Interface) -> Interface {
        self.numbers.get(&segment).copied().unwrap_or(segment)
    }

    /// The segment of the interface that has the number `on` now.
    #[must_use]
    pub fn segment(&self, on: Interface) -> Interface {
        self.numbers.iter().find(|(_, now)| **now == on).map_or(on, |(first, _)| *first)
    }
}

/// A running, or frozen, daemon.
#[derive(Debug)]
pub struct Process {
    /// The real node.
    pub node: Flown,
    /// The one wake-up that counts, and when it is.
    pub wake: (u64, Option<Time>),
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
    /// What is open.
    pub open: Open,
    /// Checks that run, and all that is known of them.
    pub checks: BTreeMap<CheckId, CheckSeen>,
    /// Views published, and the data plane that uses them.
    pub views: BTreeMap<PoolId, Arc<PoolView>>,
    /// Farewells said and heard.
    pub farewells: Farewells,
    /// What an operator has ordered.
    pub orders: Orders,
    /// Since it was thawed: when, adverts sent per VRID, until it was heard to yield.
    pub thawed: Option<Thawed>,
    /// The last request for each address.
    pub asked: BTreeMap<(Interface, IpNet), Asked>,
    /// What it has heard of each virtual router.
    pub heard: Heard,
    /// The data plane: what it picks by.
    pub traffic: BTreeMap<PoolId, DataPlane>,
    /// Addresses that the kernel held before this process, and of which it has not spoken yet; `None` before its first
    /// dump.
    pub leftovers: Option<BTreeSet<IpNet>>,
    /// What the pace of checks depends on.
    pub pace: Pace,
}

/// What a process has open.
#[derive(Debug, Default)]
pub struct Open {
    /// Receptions.
    pub receives: BTreeSet<(Interface, IpAddr)>,
    /// Listening sides.
    pub listening: BTreeSet<FrontendId>,
    /// BFD sessions.
    pub sessions: BTreeMap<BfdId, BfdPath>,
}

/// A request for an address.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// For the answer.
    pub ticket: Ticket,
    /// To own it, or to give it up.
    pub own: bool,
    /// The kernel has said yes, and the process has heard it.
    pub granted: bool,
}

/// What a process has heard of its virtual routers, by the host's clock.
#[derive(Debug, Default)]
pub struct Heard {
    /// The last advertisement that a backup must have believed.
    pub believed: BTreeMap<InstanceId, Believed>,
    /// Since when it is backup.
    pub backup: BTreeMap<InstanceId, Time>,
    /// The first lower one that a master has not answered by an announcement yet.
    pub lower: BTreeMap<InstanceId, Time>,
    /// When a backup began to listen, after a start or a fault.
    pub since: BTreeMap<InstanceId, Time>,
    /// The interval that the frame names which is being handled.
    pub interval: Option<Duration>,
}

/// Farewells said and heard, and what was said at all.
#[derive(Debug, Default)]
pub struct Farewells {
    /// VRIDs whose last advertisement was a farewell, by family.
    pub said: BTreeSet<(u8, bool)>,
    /// The newest farewell heard, by sender and VRID.
    pub heard: BTreeMap<(usize, u8), u64>,
    /// The last advertisement, by VRID and family.
    pub sent: BTreeMap<(u8, bool), Believed>,
    /// Instances that leave by order, from their farewell until their addresses are given up.
    pub parting: BTreeMap<InstanceId, Parting>,
}

/// A planned departure, by the host's clock.
#[derive(Clone, Copy, Debug)]
pub struct Parting {
    /// When it began.
    pub since: Time,
    /// When a successor was first heard.
    pub heard: Option<Time>,
    /// Its daemon may have been woken late since.
    pub late: bool,
}

/// What an operator has ordered.
#[derive(Debug, Default)]
pub struct Orders {
    /// Instances to resign.
    pub resigned: BTreeSet<InstanceId>,
    /// States of servers.
    pub admin: BTreeMap<ServerId, Admin>,
}

/// What the pace of checks depends on.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// The input that is being handled is a tick.
    pub ticking: bool,
    /// Something has moved the schedule: a reload, an order, a freeze.
    pub disturbed: bool,
    /// When the first run of each server's check began, by the host's clock.
    pub first_starts: Vec<Time>,
}

/// What can be seen of a check.
#[derive(Debug, Default)]
pub struct CheckSeen {
    /// The run in flight.
    pub running: Option<Ticket>,
    /// When it began, by the host's clock.
    pub since: Time,
    /// When the last run began, by the host's clock, unless something has moved the schedule since.
    pub started: Option<Time>,
    /// When the last run ended, by the host's clock.
    pub ended: Option<Time>,
    /// Outcomes in a row, and of which kind.
    pub row: (bool, u32),
    /// The verdict told last; `None` before the first, and after whatever starts the counter anew.
    pub up: Option<bool>,
}

/// An advertisement as it was heard, or sent.
#[derive(Clone, Copy, Debug)]
pub struct Believed {
    /// When, by the host's clock.
    pub at: Time,
    /// Its priority.
    pub priority: u8,
    /// The interval that it named.
    pub interval: Duration,
}

/// What the data plane of a host has of a pool.
#[derive(Debug)]
pub struct DataPlane {
    /// The view that it picks by.
    pub view: Arc<PoolView>,
    /// The real picker.
    pub picker: Picker,
    /// Picks since this view came, by server; no more than [`super::traffic::WINDOW`] rounds.
    pub picks: Vec<u32>,
    /// The last connection went to a backup.
    pub by_backup: bool,
    /// The picker of whole connections, whose tries do not count as picks.
    pub sessions: Picker,
    /// To whom a sample of clients goes by this view, where that follows from their addresses.
    pub sample: Vec<Option<ServerId>>,
}

/// What a process did since it was thawed from a long pause.
#[derive(Clone, Debug, Default)]
pub struct Thawed {
    /// Nonzero advertisements by VRID, of routers that were master and have not told of a role since.
    pub adverts: BTreeMap<u8, u32>,
    /// Instances that were master when it was frozen and have told of no role since.
    pub stale: BTreeSet<InstanceId>,
    /// Instances that were backup for so long that the silence they slept through says nothing.
    pub slept: BTreeSet<InstanceId>,
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
    pub fn instance(&self, key: &RouterKey) -> Option<(InstanceId, &Arc<InstanceConfig>)> {
        let found = self.config.instances.iter().find(|(_, instance)| key.names(instance));
        found.map(|(id, instance)| (*id, instance))
    }

    /// What this host's configuration says of the virtual router of `instance`, which is another host's.
    #[must_use]
    pub fn counterpart(&self, instance: &InstanceConfig) -> Option<&Arc<InstanceConfig>> {
        let router = &instance.router;
        self.config.instances.values().find(|mine| {
            (mine.router.vrid, mine.router.family) == (router.vrid, router.family)
                && mine.router.interface == router.interface
        })
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

    /// What its clock reads at `world`.
    #[must_use]
    pub fn read(&self, world: Time) -> Time {
        self.machine.clock.read(world)
    }
}
