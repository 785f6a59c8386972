//! Links that flap: how long one must stand otherwise before it is believed (`interface_up_down_delays`).
//!
//! Only after it has been seen up once, as in keepalived: a link that is down at the start is down at once. A link that is
//! gone altogether is never believed. A delay of down is cut to what the backups of its virtual routers wait, less one
//! interval, since a longer one would leave two masters; a shorter interval learnt from a master cuts it further.

use super::Routers;
use super::instance::Instance;
use crate::config::model::Debounce;
use crate::outbox::Context;
use crate::time::Time;
use crate::timers::TimerKey;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// What is believed of the links that have delays.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Debounced {
    links: BTreeMap<Arc<str>, Belief>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Belief {
    up: bool,
    /// It has been up once.
    seen: bool,
    /// When the opposite will be believed.
    turns: Option<Time>,
}

impl Debounced {
    /// Whether the link is believed to be up; `None` for one without delays.
    pub(super) fn believed(&self, name: &str) -> Option<bool> {
        self.links.get(name).map(|belief| belief.up)
    }

    /// Forgets the links that have no delays any more.
    pub(super) fn retain(&mut self, delays: &BTreeMap<Arc<str>, Debounce>) {
        self.links.retain(|name, _| delays.contains_key(name));
    }

    /// The link stands like this now; `wait` is how long until that is believed.
    fn learn(&mut self, name: &Arc<str>, up: bool, now: Time, wait: Duration) {
        let belief = self.links.entry(name.clone()).or_insert(Belief { up, seen: up, turns: None });
        if belief.up == up {
            belief.turns = None;
        } else if wait.is_zero() || !belief.seen {
            *belief = Belief { up, seen: belief.seen || up, turns: None };
        } else {
            let at = now + wait;
            belief.turns = Some(belief.turns.map_or(at, |turns| turns.min(at)));
        }
    }

    fn next(&self) -> Option<Time> {
        self.links.values().filter_map(|belief| belief.turns).min()
    }

    /// Believes what has stood for long enough.
    fn turn(&mut self, now: Time) {
        for belief in self.links.values_mut() {
            if belief.turns.take_if(|at| *at <= now).is_some() {
                belief.up = !belief.up;
                belief.seen |= belief.up;
            }
        }
    }
}

/// The longest that a link may be down without being believed, for a virtual router with this many advertisements in its
/// `Master_Down` and this interval.
#[must_use]
pub fn longest(adverts: u8, interval: Duration) -> Duration {
    (interval * u32::from(adverts.saturating_sub(1))).saturating_sub(interval / 256)
}

impl Routers {
    /// Looks at every link that has delays.
    pub(super) fn debounce(&mut self, cx: &mut Context<'_>) {
        let delays: Vec<(Arc<str>, Debounce)> =
            self.world.node.links.debounce.iter().map(|(name, delays)| (name.clone(), *delays)).collect();
        for (name, delays) in delays {
            let up = self.world.links.is_up(&name);
            let depends = |instance: &&Instance| instance.config.router.interface == name;
            let limits = self
                .instances
                .values()
                .filter(depends)
                .map(|i| longest(i.config.election.down_adverts, i.clock.interval));
            let wait = if up { delays.up } else { limits.fold(delays.down, Duration::min) };
            self.world.debounced.learn(&name, up, cx.now, wait);
        }
        self.arm_debounce(cx);
    }

    fn arm_debounce(&mut self, cx: &mut Context<'_>) {
        match self.world.debounced.next() {
            Some(at) => cx.timers.arm(TimerKey::Debounce, at),
            None => cx.timers.disarm(TimerKey::Debounce),
        }
    }

    /// A link has stood for long enough.
    pub(crate) fn on_debounce_timer(&mut self, cx: &mut Context<'_>) {
        self.wake(cx);
        self.world.debounced.turn(cx.now);
        self.arm_debounce(cx);
        if self.stage.started {
            self.settle(cx);
        }
    }
}
