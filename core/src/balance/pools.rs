//! All pools of the node: routes verdicts, orders and observations to the server they concern.
//!
//! Decides who is usable and says so in views and events; who gets a connection is the picker's business,
//! when a check runs is that of `health`.

use super::pool::{Pool, PoolStatus};
use super::server::{Health, MAX_WEIGHT, Server, settled};
use super::view::PoolView;
use crate::action::Action;
use crate::config::model::Config;
use crate::event::Event;
use crate::id::{CheckId, PoolId, ServerId};
use crate::input::{Admin, Outcome, Tally};
use crate::outbox::Context;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// All pools.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pools {
    pools: BTreeMap<PoolId, Pool>,
    /// Whose check is it? One check may decide several servers.
    checked: BTreeMap<CheckId, Vec<(PoolId, ServerId)>>,
}

impl Pools {
    /// All servers of `config`, up with one strike left; their first views are published.
    pub(crate) fn new(config: &Config, cx: &mut Context<'_>) -> Pools {
        let mut pools = Pools { pools: BTreeMap::new(), checked: BTreeMap::new() };
        pools.configure(cx, config);
        pools
    }

    /// A check settled, or with `outcome` had one more run.
    pub(crate) fn on_verdict(
        &mut self,
        cx: &mut Context<'_>,
        check: CheckId,
        up: Option<bool>,
        outcome: Option<&Outcome>,
    ) {
        let health = Health::from_verdict(up, outcome.map(|o| o.passed));
        for (pool, server) in self.checked.get(&check).cloned().unwrap_or_default() {
            self.change(cx, pool, server, outcome, |server| {
                // In maintenance checks are off; a late answer must not count once it ends.
                if server.admin != Admin::Maintenance {
                    server.health = health;
                }
            });
        }
    }

    /// The data plane saw something of a server.
    pub(crate) fn on_observed(&mut self, _: &mut Context<'_>, pool: PoolId, server: ServerId, tally: Tally) {
        let Some(pool) = self.pools.get_mut(&pool) else { return };
        if let Some(server) = pool.server(server) {
            let sum = &mut server.tally;
            sum.connected = sum.connected.saturating_add(tally.connected);
            sum.failed = sum.failed.saturating_add(tally.failed);
            sum.failed_in_a_row = tally.failed_in_a_row;
            sum.open = tally.open;
        }
        pool.check_invariants();
    }

    /// Sets a server's administrative state; returns the check to pause (now in maintenance) or to go on with.
    pub(crate) fn order_admin(
        &mut self,
        cx: &mut Context<'_>,
        pool: PoolId,
        server: ServerId,
        admin: Admin,
    ) -> Option<CheckId> {
        let found = self.pools.get_mut(&pool)?.server(server)?;
        let check = found.config.check;
        let pauses = (found.admin == Admin::Maintenance) != (admin == Admin::Maintenance);
        self.change(cx, pool, server, None, |server| server.set_admin(admin));
        check.filter(|_| pauses)
    }

    /// Sets a server's weight, at most [`MAX_WEIGHT`].
    pub(crate) fn order_weight(&mut self, cx: &mut Context<'_>, pool: PoolId, server: ServerId, weight: u16) {
        self.change(cx, pool, server, None, |server| server.weight = weight.min(MAX_WEIGHT));
    }

    /// Takes over a new configuration: what is unchanged keeps its state and says nothing.
    pub(crate) fn configure(&mut self, cx: &mut Context<'_>, config: &Config) {
        let gone: Vec<PoolId> =
            self.pools.keys().filter(|id| !config.pools.contains_key(id)).copied().collect();
        for id in gone {
            self.pools.remove(&id);
            cx.out.act(Action::Publish { pool: id, view: None });
        }
        self.checked.clear();
        for (id, wanted) in &config.pools {
            let pool = self.pools.entry(*id).or_insert_with(|| Pool::new(wanted));
            pool.configure(wanted);
            pool.publish(cx);
            pool.tell_empty(cx);
            pool.check_invariants();
            for server in &wanted.servers {
                if let Some(check) = server.check {
                    self.checked.entry(check).or_default().push((*id, server.id));
                }
            }
        }
    }

    /// All pools for operators, in the order of their ids.
    pub(crate) fn status(&self) -> Vec<PoolStatus> {
        self.pools.values().map(Pool::status).collect()
    }

    /// The views last published.
    pub(crate) fn views(&self) -> BTreeMap<PoolId, Arc<PoolView>> {
        self.pools.iter().filter_map(|(id, pool)| Some((*id, pool.published()?))).collect()
    }

    /// Changes one server, then says all that follows from it: view first, so that traffic moves before words.
    fn change(
        &mut self,
        cx: &mut Context<'_>,
        pool: PoolId,
        server: ServerId,
        outcome: Option<&Outcome>,
        how: impl FnOnce(&mut Server),
    ) {
        let Some(pool) = self.pools.get_mut(&pool) else { return };
        let Some(found) = pool.server(server) else { return };
        let before = settled(found.state());
        how(found);
        let after = found.state();
        let (name, sessions) = (found.config.name.clone(), found.tally.open);
        pool.publish(cx);
        if settled(after) != before {
            let (active, backup) = pool.counts();
            cx.out.tell(Event::Server {
                pool: pool.config.id,
                server,
                name: format!("{}/{name}", pool.config.name).into(),
                state: settled(after),
                outcome: outcome.cloned(),
                active,
                backup,
                sessions,
            });
        }
        pool.tell_empty(cx);
        pool.check_invariants();
    }
}

#[cfg(test)]
pub(crate) mod tests;
