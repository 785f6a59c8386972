//! The data plane of a host, as counts: real pickers on the newest view that has reached it.
//!
//! A view needs a moment from the core to the workers, so connections are given by an old view now and then. What is
//! judged is the picker alone (A15, A17, A18): within its view it must be right.

use super::host::DataPlane;
use super::invariant;
use super::marks::Mark;
use super::queue::Event;
use super::world::World;
use standfast_core::balance::pick::{Ask, Picker};
use standfast_core::balance::view::PoolView;
use standfast_core::config::model::{Algorithm, HashType};
use standfast_core::id::{PoolId, ServerId};
use standfast_core::input::{Admin, Input, Order, Tally};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The longest way of a view from the core to the workers.
const SPREAD: Duration = Duration::from_millis(5);
/// Connections of a burst.
const BURST: usize = 48;
/// Clients of a sample.
const CLIENTS: u8 = 48;
/// Picks that are remembered of a view.
pub const WINDOW: usize = 512;

/// To whom a sample of clients goes, where only their address and the view decide.
fn sample(view: &PoolView) -> Vec<Option<ServerId>> {
    if view.algorithm != Algorithm::Source(HashType::Consistent) {
        return Vec::new();
    }
    let mut picker = Picker::new();
    let mut pick = |last| {
        let client = Some(IpAddr::from([198, 51, 100, last]));
        let at = picker.pick(view, &Ask { client, ..Ask::anybody() })?;
        view.servers.get(at).map(|server| server.id)
    };
    (0..CLIENTS).map(&mut pick).collect()
}

impl World {
    /// A view was published: it reaches the data plane a little later.
    pub(crate) fn spread(&mut self, host: usize, pool: PoolId) {
        let h = &mut self.hosts[host];
        let most = u64::try_from(SPREAD.as_nanos()).unwrap_or(0);
        let at = self.now + Duration::from_nanos(h.rng.below(most));
        let generation = h.generation;
        self.queue.push(at, Event::Viewed { host, generation, pool });
    }

    /// The newest view of `pool` has reached the data plane of `host`.
    pub(crate) fn viewed(&mut self, host: usize, pool: PoolId) {
        let Some(process) = &mut self.hosts[host].process else { return };
        let Some(view) = process.seen.views.get(&pool).cloned() else {
            process.seen.traffic.remove(&pool);
            return;
        };
        let plane = process.seen.traffic.entry(pool).or_insert_with(|| DataPlane {
            view: view.clone(),
            picker: Picker::new(),
            picks: Vec::new(),
            by_backup: false,
            sessions: Picker::new(),
            sample: Vec::new(),
        });
        let old = std::mem::replace(&mut plane.view, view);
        if plane.view.version != old.version {
            plane.picks.clear();
        }
        let sample = sample(&plane.view);
        let before = std::mem::replace(&mut plane.sample, sample);
        let new = plane.view.clone();
        let moved = invariant::keys_stay(&old, &new, &before, &plane.sample);
        if let Some((name, what)) = moved {
            self.fail(name, format!("n{}: {what}", host + 1));
        }
    }

    /// A burst of connections reaches `host`.
    pub(crate) fn traffic(&mut self, host: usize, nth: u64) {
        let every = self.setting.probe;
        let jitter = self.hosts[host].rng.below(u64::try_from(every.as_nanos()).unwrap_or(0));
        let at = self.now + every / 2 + Duration::from_nanos(jitter);
        self.queue.push(at, Event::Traffic { host, nth: nth + 1 });
        let Some(process) = &self.hosts[host].process else { return };
        let pools: Vec<PoolId> = process.seen.traffic.keys().copied().collect();
        for pool in pools {
            let last = (0..BURST).filter_map(|_| self.pick(host, pool)).last();
            self.exchange(host, pool);
            if let Some((server, address)) = last {
                self.observe(host, pool, server, address);
            }
        }
    }

    fn pick(&mut self, host: usize, pool: PoolId) -> Option<(ServerId, SocketAddr)> {
        let process = self.hosts[host].process.as_mut()?;
        let newest = process.seen.views.get(&pool).map(|view| view.version);
        let plane = process.seen.traffic.get_mut(&pool)?;
        if newest != Some(plane.view.version) {
            self.watch.marks.insert(Mark::OldView);
        }
        let picked = plane.picker.pick(&plane.view, &Ask::anybody());
        if plane.picks.len() < WINDOW
            && let Some(at) = picked
        {
            plane.picks.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        let server = picked.and_then(|at| plane.view.servers.get(at));
        if let Some(server) = server {
            let before = std::mem::replace(&mut plane.by_backup, server.backup);
            let mark = if server.backup { Mark::ServedByBackup } else { Mark::BackFromBackup };
            if before != server.backup {
                self.watch.marks.insert(mark);
            }
        }
        let server = server.map(|server| (server.id, server.address));
        invariant::on_pick(self, host, pool, picked);
        server
    }

    /// The core hears what the data plane saw.
    fn observe(&mut self, host: usize, pool: PoolId, server: ServerId, address: SocketAddr) {
        let lives = self.truth.server_lives(address);
        let tally = Tally {
            connected: u32::from(lives),
            failed: u32::from(!lives),
            failed_in_a_row: u32::from(!lives),
            open: 0,
        };
        self.feed(host, Input::Observed { pool, server, tally });
    }

    fn find_server(&self, host: usize, at: SocketAddr) -> Option<(PoolId, ServerId, u16)> {
        self.hosts[host].config.pools.values().find_map(|pool| {
            let server = pool.servers.iter().find(|server| server.address == at)?;
            Some((pool.id, server.id, server.weight))
        })
    }

    /// An operator's word about the server at `at`.
    pub(crate) fn order_server(&mut self, host: usize, at: SocketAddr, admin: Admin) {
        let Some((pool, server, _)) = self.find_server(host, at) else { return };
        if admin != Admin::Ready && self.truth.any_server_dead() {
            self.mark(Mark::DrainInOutage);
        }
        self.feed(host, Input::Order(Order::Server { pool, server, admin }));
    }

    /// Another weight for the server at `at`, or the configured one.
    pub(crate) fn order_weight(&mut self, host: usize, at: SocketAddr, weight: Option<u16>) {
        let Some((pool, server, configured)) = self.find_server(host, at) else { return };
        let weight = weight.unwrap_or(configured);
        self.feed(host, Input::Order(Order::Weight { pool, server, weight }));
    }

    /// Every order about servers of `host` is taken back.
    pub(crate) fn forget_orders(&mut self, host: usize) {
        let pools = self.hosts[host].config.pools.values();
        let all: Vec<SocketAddr> =
            pools.flat_map(|pool| pool.servers.iter().map(|server| server.address)).collect();
        for at in all {
            self.order_server(host, at, Admin::Ready);
            self.order_weight(host, at, None);
        }
    }
}
