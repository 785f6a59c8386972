//! How a node stands, as `standfast status` tells it. Field names are a promise: new ones may come, none changes.

use serde::{Deserialize, Serialize};
use standfast_core::balance::PoolStatus;
use standfast_core::event::ServerState;
use standfast_core::node::Status;
use standfast_core::time::Time;
use standfast_core::vrrp::RouterStatus;
use std::collections::BTreeMap;

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of this form: 1.
    pub version: u32,
    /// The daemon's process.
    pub pid: u32,
    /// Virtual routers.
    pub routers: Vec<RouterReport>,
    /// Servers of all pools.
    pub servers: Vec<ServerReport>,
    /// VRRP packets that no virtual router was for, by reason.
    pub strays: BTreeMap<String, u64>,
    /// It is about to stop.
    pub stopping: bool,
}

/// How a virtual router stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterReport {
    /// Its name.
    pub name: String,
    /// The interface it advertises on.
    pub interface: String,
    /// `virtual_router_id`.
    pub vrid: u8,
    /// `INIT`, `BACKUP`, `MASTER` or `FAULT`.
    pub role: String,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// As advertised.
    pub priority: u8,
    /// As configured.
    pub base_priority: u8,
    /// Who was heard last, when it is not this node.
    pub master: Option<MasterReport>,
    /// Why it takes no part: failed things, or an operator's order.
    pub faults: Vec<String>,
    /// The addresses that the kernel holds for it.
    pub holds: Vec<String>,
}

/// The router that was heard last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterReport {
    /// Its address.
    pub address: String,
    /// Its priority.
    pub priority: u8,
    /// How long ago, in milliseconds.
    pub heard_ms: u64,
}

/// How a server stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerReport {
    /// Its pool.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// `UP`, `GOING DOWN`, `DOWN`, `GOING UP`, `DRAIN` or `MAINT`.
    pub state: String,
    /// It may take new connections.
    pub usable: bool,
    /// Its weight.
    pub weight: u16,
    /// Open connections, as last counted.
    pub connections: u32,
}

impl Report {
    /// The report of a node that stands like `status` at `now`, in process `pid`.
    #[must_use]
    pub fn of(status: &Status, now: Time, pid: u32) -> Report {
        Report {
            version: 1,
            pid,
            routers: status.routers.iter().map(|router| of_router(router, now)).collect(),
            servers: status.pools.iter().flat_map(of_pool).collect(),
            strays: status.strays.clone(),
            stopping: status.stopping,
        }
    }
}

fn of_router(router: &RouterStatus, now: Time) -> RouterReport {
    let ago = |then: Time| u64::try_from(now.since(then).as_millis()).unwrap_or(u64::MAX);
    let held = router.addresses.iter().filter(|address| address.held);
    RouterReport {
        name: router.name.to_string(),
        interface: router.interface.to_string(),
        vrid: router.vrid,
        role: router.role.as_str().to_owned(),
        for_ms: ago(router.since),
        priority: router.priority.effective,
        base_priority: router.priority.base,
        master: router.master.map(|master| MasterReport {
            address: master.address.to_string(),
            priority: master.priority,
            heard_ms: ago(master.heard),
        }),
        faults: router.faults.clone(),
        holds: held.map(|address| address.address.to_string()).collect(),
    }
}

fn of_pool(pool: &PoolStatus) -> impl Iterator<Item = ServerReport> {
    pool.servers.iter().map(|server| ServerReport {
        pool: pool.name.to_string(),
        name: server.name.to_string(),
        state: word(server.state).to_owned(),
        usable: server.usable,
        weight: server.weight,
        connections: server.tally.open,
    })
}

fn word(state: ServerState) -> &'static str {
    match state {
        ServerState::Up => "UP",
        ServerState::GoingDown => "GOING DOWN",
        ServerState::Down => "DOWN",
        ServerState::GoingUp => "GOING UP",
        ServerState::Maintenance => "MAINT",
        ServerState::Drain => "DRAIN",
    }
}
