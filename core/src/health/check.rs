//! One check: its counter, its run in flight, its timers.
//!
//! Decides when a run starts and what its outcome changes; knows neither virtual routers nor pools. At most one run
//! is in flight, and only while one is does `Expire` tick, a little after the run's own time: an answer that is lost
//! counts as a timeout and never stalls the check. An answer with another ticket than that of the run in flight is
//! ignored. A script's `Start` ticks always, a server's only between two runs.

use super::schedule::{SHORTEST, blurred, pace, patience};
use super::verdict::{Change, Progress, Verdict};
use crate::action::Action;
use crate::config::model::{CheckConfig, Command, Counter, HttpProbe, Probe};
use crate::config::watch::Watch;
use crate::event::Event;
use crate::id::Ticket;
use crate::input::{CheckCode, Outcome};
use crate::outbox::{Context, Signal};
use crate::rng::Rng;
use crate::time::Time;
use crate::timers::{CheckTimer, TimerKey};
use alloc::string::String;
use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A run in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    ticket: Ticket,
    started: Time,
}

/// A check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) config: Arc<CheckConfig>,
    pub(crate) verdict: Verdict,
    pub(crate) last: Option<Outcome>,
    pub(crate) since: Time,
    /// Its server is in maintenance.
    pub(crate) paused: bool,
    /// `spread-checks`, per cent.
    pub(crate) spread: u8,
    run: Option<Run>,
    rng: Rng,
}

impl Check {
    /// A check that has seen no run; its first one starts after `delay`.
    pub(crate) fn new(
        cx: &mut Context<'_>,
        config: Arc<CheckConfig>,
        spread: u8,
        rng: Rng,
        delay: Duration,
    ) -> Check {
        let verdict = Verdict::new(config.counter, config.rise, config.fall);
        let check =
            Check { config, verdict, last: None, since: cx.now, paused: false, spread, run: None, rng };
        if check.config.counter == (Counter::Script { init_fail: true }) {
            check.signal(cx);
        }
        check.arm_start(cx, delay);
        check
    }

    /// Healthy or not; `None` while unknown or in maintenance.
    pub(crate) fn up(&self) -> Option<bool> {
        if self.paused { None } else { self.verdict.up() }
    }

    /// The number that a file says, when one is looked at and was seen.
    pub(crate) fn number(&self) -> Option<i32> {
        let Probe::Watch(watch) = &*self.config.probe else { return None };
        match **watch {
            Watch::File(_) => self.last.as_ref()?.status.map(u32::cast_signed),
            Watch::Process(_) => None,
        }
    }

    /// A run is in flight.
    pub(crate) fn running(&self) -> bool {
        self.run.is_some()
    }

    fn key(&self, timer: CheckTimer) -> TimerKey {
        TimerKey::Check(self.config.id, timer)
    }

    fn arm_start(&self, cx: &mut Context<'_>, after: Duration) {
        cx.timers.arm(self.key(CheckTimer::Start), cx.now + after);
    }

    fn signal(&self, cx: &mut Context<'_>) {
        cx.out.signal(Signal::Verdict { check: self.config.id, up: self.up() });
    }

    /// A run is due.
    pub(crate) fn start(&mut self, cx: &mut Context<'_>) {
        if self.paused {
            return;
        }
        if let Counter::Script { .. } = self.config.counter {
            // A fixed raster, from start to start. After a freeze the missed turns are not made up for.
            self.arm_start(cx, self.config.schedule.interval.max(SHORTEST));
        }
        if self.running() {
            cx.out.tell(Event::Overrun { name: self.config.name.clone() });
            return;
        }
        if let Probe::Script { broken: Some(reason), .. } = &*self.config.probe {
            // keepalived takes such a script out of every tracker, so that the node looks healthy (its defect B16).
            let outcome = outcome_of(CheckCode::ScriptMissing, shortened(reason), Duration::ZERO);
            self.ended(cx, outcome);
            return;
        }
        let ticket = cx.out.ticket();
        self.run = Some(Run { ticket, started: cx.now });
        cx.timers.arm(self.key(CheckTimer::Expire), cx.now + patience(&self.config));
        cx.out.act(Action::Check {
            check: self.config.id,
            ticket,
            probe: self.config.probe.clone(),
            within: self.config.schedule.timeout,
        });
    }

    /// The run in flight got no answer.
    pub(crate) fn expire(&mut self, cx: &mut Context<'_>) {
        if let Some(run) = self.cancel(cx) {
            let code = match *self.config.probe {
                Probe::Script { .. } => CheckCode::ScriptTimeout,
                Probe::Watch(_) => CheckCode::WatchBad,
                Probe::Tcp { .. } => CheckCode::L4Timeout,
                Probe::SslHello { .. } | Probe::Tls { .. } => CheckCode::L6Timeout,
                Probe::Http(_) | Probe::Talk(_) => CheckCode::L7Timeout,
            };
            self.ended(cx, outcome_of(code, String::new(), cx.now.since(run.started)));
        }
    }

    /// A run was answered.
    pub(crate) fn checked(&mut self, cx: &mut Context<'_>, ticket: Ticket, outcome: &Outcome) {
        if self.run.is_some_and(|run| run.ticket == ticket) {
            self.run = None;
            cx.timers.disarm(self.key(CheckTimer::Expire));
            self.ended(cx, outcome.clone());
        }
    }

    fn ended(&mut self, cx: &mut Context<'_>, outcome: Outcome) {
        let before = self.up();
        let number = self.number();
        let change = self.verdict.record(outcome.passed);
        self.last = Some(outcome.clone());
        if self.up() != before {
            self.since = cx.now;
        }
        let (check, name) = (self.config.id, self.config.name.clone());
        match change {
            Change::Same if self.number() != number => self.signal(cx),
            Change::Same => {}
            Change::Moved => {
                let Progress { count, of, rising } = self.verdict.progress();
                cx.out.tell(Event::Checked { check, name, count, of, rising, outcome });
            }
            Change::Decided => {
                cx.out.tell(Event::Verdict { check, name, up: outcome.passed, outcome });
                self.signal(cx);
            }
        }
        match self.config.counter {
            Counter::Script { .. } => {}
            Counter::Server => {
                let pause = pace(&self.config.schedule, &self.verdict);
                let pause = blurred(pause, self.spread, &mut self.rng);
                self.arm_start(cx, pause);
            }
        }
    }

    /// Gives the run in flight up, if there is one.
    fn cancel(&mut self, cx: &mut Context<'_>) -> Option<Run> {
        let run = self.run.take()?;
        cx.timers.disarm(self.key(CheckTimer::Expire));
        cx.out.act(Action::Cancel { ticket: run.ticket });
        Some(run)
    }

    /// Forgets its timers and its run: it is removed.
    pub(crate) fn remove(mut self, cx: &mut Context<'_>) {
        self.cancel(cx);
        cx.timers.disarm(self.key(CheckTimer::Start));
    }

    /// Maintenance begins or ends.
    pub(crate) fn pause(&mut self, cx: &mut Context<'_>, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        self.since = cx.now;
        if paused {
            self.cancel(cx);
            cx.timers.disarm(self.key(CheckTimer::Start));
            self.verdict.pause();
        } else {
            self.verdict.resume();
            self.last = None;
            self.arm_start(cx, Duration::ZERO);
            self.signal(cx);
        }
    }

    /// Takes `config`, which differs, in place of its own.
    pub(crate) fn reconfigure(&mut self, cx: &mut Context<'_>, config: &Arc<CheckConfig>) {
        let old = core::mem::replace(&mut self.config, config.clone());
        if !same_subject(&old, config) {
            self.cancel(cx);
            self.verdict = Verdict::new(config.counter, config.rise, config.fall);
            (self.last, self.since) = (None, cx.now);
            if self.paused {
                self.verdict.pause();
            } else {
                self.arm_start(cx, Duration::ZERO);
                self.signal(cx);
            }
            return;
        }
        self.verdict.rescale(config.rise, config.fall);
        if self.paused {
            return;
        }
        if old.probe != config.probe && self.cancel(cx).is_some() && config.counter == Counter::Server {
            self.arm_start(cx, Duration::ZERO);
        }
        // A longer interval counts from the next run on, a shorter one from now.
        let interval = match config.counter {
            Counter::Script { .. } => config.schedule.interval.max(SHORTEST),
            Counter::Server => pace(&config.schedule, &self.verdict),
        };
        if cx.timers.at(self.key(CheckTimer::Start)).is_some_and(|at| at > cx.now + interval) {
            self.arm_start(cx, interval);
        }
    }

    /// Asserts what must hold whenever something has happened to it: above all that its timers fit its state.
    pub(crate) fn check_invariants(&self, cx: &Context<'_>) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.verdict.check_invariants();
        debug_assert!(!(self.paused && self.running()), "{}: no run during maintenance", self.config.name);
        let start = cx.timers.at(self.key(CheckTimer::Start)).is_some();
        let expire = cx.timers.at(self.key(CheckTimer::Expire)).is_some();
        debug_assert_eq!(
            expire,
            self.running(),
            "{}: Expire ticks exactly while a run is in flight",
            self.config.name
        );
        match self.config.counter {
            Counter::Script { .. } => debug_assert_eq!(start, !self.paused),
            Counter::Server => debug_assert_eq!(start, !self.paused && !self.running()),
        }
    }
}

fn outcome_of(code: CheckCode, info: String, took: Duration) -> Outcome {
    Outcome { passed: false, code, status: None, info, took }
}

/// `text`, cut to what an outcome may carry.
fn shortened(text: &str) -> String {
    let end = (0..=text.len().min(Outcome::MAX_INFO)).rev().find(|i| text.is_char_boundary(*i));
    String::from(text.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// Both look at the same thing, so that what is known of it stays true: the same command as the same user
/// (keepalived 2.18), or the same server. haproxy forgets a server's state at every reload.
fn same_subject(a: &CheckConfig, b: &CheckConfig) -> bool {
    let same_counter = match (a.counter, b.counter) {
        (Counter::Script { .. }, Counter::Script { .. }) | (Counter::Server, Counter::Server) => true,
        (Counter::Script { .. }, Counter::Server) | (Counter::Server, Counter::Script { .. }) => false,
    };
    same_counter && a.name == b.name && subject(&a.probe) == subject(&b.probe)
}

fn subject(probe: &Probe) -> (Option<&Command>, Option<&Watch>, Option<SocketAddr>) {
    match probe {
        Probe::Script { command, .. } => (Some(command), None, None),
        Probe::Watch(watch) => (None, Some(watch), None),
        Probe::Tcp { to, .. }
        | Probe::SslHello { to, .. }
        | Probe::Http(HttpProbe { to, .. })
        | Probe::Tls { to, .. } => (None, None, Some(*to)),
        Probe::Talk(talk) => (None, None, Some(talk.first.to)),
    }
}
