//! All checks of a node: the facade that the node calls.
//!
//! Routes timers and answers to the check they belong to, spreads the first runs, and says on a reload which checks
//! stay, start and go. An unchanged check is not touched by a reload: no action, no timer. Tells the others by
//! `Signal::Verdict` alone; what a verdict means to a pool or a virtual router is theirs to say.

use super::check::Check;
use super::schedule::first_delays;
use crate::config::model::{CheckConfig, Config, Counter};
use crate::id::{CheckId, Ticket};
use crate::input::Outcome;
use crate::outbox::Context;
use crate::rng::Rng;
use crate::time::Time;
use crate::timers::CheckTimer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// All checks of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checks {
    checks: BTreeMap<CheckId, Check>,
    /// Checks of servers that the configuration says are `disabled`.
    disabled: BTreeSet<CheckId>,
    rng: Rng,
}

/// How a check stands, for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStatus {
    /// Its id.
    pub id: CheckId,
    /// `vrrp_script NAME`, or `pool/server`.
    pub name: Arc<str>,
    /// Its verdict; `None` before a script's first answer and during maintenance.
    pub up: Option<bool>,
    /// The counter, 0..rise + fall; up from `rise` on.
    pub count: u32,
    /// Runs needed to go up.
    pub rise: u32,
    /// Runs needed to go down.
    pub fall: u32,
    /// The last run.
    pub last: Option<Outcome>,
    /// When the verdict became what it is.
    pub since: Time,
    /// A run is in flight.
    pub running: bool,
}

impl Checks {
    /// The checks of `config`; arms their first runs.
    pub(crate) fn new(config: &Config, rng: &Rng, cx: &mut Context<'_>) -> Checks {
        let mut checks = Checks { checks: BTreeMap::new(), disabled: BTreeSet::new(), rng: rng.clone() };
        checks.configure(cx, config);
        checks
    }

    /// A deadline has passed.
    pub(crate) fn on_timer(&mut self, cx: &mut Context<'_>, check: CheckId, timer: CheckTimer) {
        if let Some(check) = self.checks.get_mut(&check) {
            match timer {
                CheckTimer::Start => check.start(cx),
                CheckTimer::Expire => check.expire(cx),
            }
            check.check_invariants(cx);
        }
    }

    /// A run was answered; a ticket that is not that of the run in flight is ignored.
    pub(crate) fn on_checked(
        &mut self,
        cx: &mut Context<'_>,
        check: CheckId,
        ticket: Ticket,
        outcome: &Outcome,
    ) {
        if let Some(check) = self.checks.get_mut(&check) {
            check.checked(cx, ticket, outcome);
            check.check_invariants(cx);
        }
    }

    /// The server of `check` enters or leaves maintenance.
    pub(crate) fn pause(&mut self, cx: &mut Context<'_>, check: CheckId, paused: bool) {
        if let Some(check) = self.checks.get_mut(&check) {
            check.pause(cx, paused);
            check.check_invariants(cx);
        }
    }

    /// Takes a new configuration.
    pub(crate) fn configure(&mut self, cx: &mut Context<'_>, config: &Config) {
        let gone: Vec<_> = self.checks.keys().copied().filter(|id| !config.checks.contains_key(id)).collect();
        for id in gone {
            if let Some(check) = self.checks.remove(&id) {
                check.remove(cx);
            }
        }
        for check in self.checks.values_mut() {
            check.spread = config.node.spread_checks;
            if let Some(new) = config.checks.get(&check.config.id)
                && check.config != *new
            {
                check.reconfigure(cx, new);
            }
        }
        self.add_new(cx, config);
        self.follow_disabled(cx, config);
        for (id, check) in &self.checks {
            debug_assert_eq!(*id, check.config.id);
            check.check_invariants(cx);
        }
    }

    /// Adds the checks not known yet: scripts start at once, servers are spread among themselves.
    fn add_new(&mut self, cx: &mut Context<'_>, config: &Config) {
        let new = |c: &&Arc<CheckConfig>| !self.checks.contains_key(&c.id);
        let (servers, scripts): (Vec<_>, Vec<_>) =
            config.checks.values().filter(new).cloned().partition(|c| c.counter == Counter::Server);
        let delays: Vec<_> = first_delays(&servers).collect();
        let at_once = scripts.into_iter().map(|c| (c, Duration::ZERO));
        for (check, delay) in at_once.chain(servers.into_iter().zip(delays)) {
            let (id, rng) = (check.id, self.rng.fork(u64::from(check.id.0)));
            self.checks.insert(id, Check::new(cx, check, config.node.spread_checks, rng, delay));
        }
    }

    /// A server that is `disabled` in the file starts in maintenance; when the word comes or goes, so does its check.
    fn follow_disabled(&mut self, cx: &mut Context<'_>, config: &Config) {
        let servers = config.pools.values().flat_map(|pool| &pool.servers);
        let now: BTreeSet<_> = servers.filter(|s| s.disabled).filter_map(|s| s.check).collect();
        let before = core::mem::replace(&mut self.disabled, now.clone());
        for id in before.symmetric_difference(&now) {
            self.pause(cx, *id, now.contains(id));
        }
    }

    /// The last run of `check`: what decided its verdict, when asked while that verdict is passed on.
    pub(crate) fn last_outcome(&self, check: CheckId) -> Option<&Outcome> {
        self.checks.get(&check)?.last.as_ref()
    }

    /// The number of the file that `check` looks at, if it does and has seen one.
    pub(crate) fn number(&self, check: CheckId) -> Option<i32> {
        self.checks.get(&check)?.number()
    }

    /// How the checks stand.
    pub(crate) fn status(&self) -> Vec<CheckStatus> {
        let status = |check: &Check| CheckStatus {
            id: check.config.id,
            name: check.config.name.clone(),
            up: check.up(),
            count: check.verdict.count(),
            rise: check.config.rise,
            fall: check.config.fall,
            last: check.last.clone(),
            since: check.since,
            running: check.running(),
        };
        self.checks.values().map(status).collect()
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
