//! The log of a running daemon: every event as a line on standard error, servers' events also where haproxy.cfg
//! wants them.
//!
//! Repeated warnings are folded; changes of state are always said.

use super::fold::Fold;
use super::lines::{haproxy_lines, human};
use super::{LineSink, lines};
use crate::clock::{BootClock, Clock};
use standfast_core::config::model::Config;
use standfast_core::event::Event;
use std::sync::{Mutex, PoisonError};

/// Writes events down.
#[derive(Debug)]
pub struct EventLog<L> {
    sink: L,
    fold: Mutex<Fold>,
}

impl<L: LineSink> EventLog<L> {
    /// A log that sends its lines through `sink`.
    pub fn new(sink: L) -> EventLog<L> {
        EventLog { sink, fold: Mutex::default() }
    }

    /// One more, with the same sink; what it folds is its own.
    #[must_use]
    pub fn another(&self) -> EventLog<L> {
        EventLog::new(self.sink.clone())
    }

    /// Writes one event down.
    pub fn event(&self, config: &Config, event: &Event) {
        let (level, text) = human(event);
        let said = {
            let mut fold = self.fold.lock().unwrap_or_else(PoisonError::into_inner);
            fold.push(BootClock.now(), level, text, folds(event, level))
        };
        for (level, text) in said {
            self.say(level, &text);
        }
        if let Some((pool, level, text)) = haproxy_lines(config, event) {
            let targets = config.pools.get(&pool).map_or(&[][..], |pool| &pool.log);
            self.sink.line(targets, level, &text);
        }
    }

    /// Writes a line of the program itself (start, stop, a broken file at reload).
    pub fn say(&self, level: u8, text: &str) {
        self.sink.own(level, text);
    }
}

/// Only what repeats by itself is folded: warnings about others, errors of the kernel, single runs of checks.
fn folds(event: &Event, level: u8) -> bool {
    match event {
        Event::Rejected { .. }
        | Event::LowerHeard { .. }
        | Event::Odd { .. }
        | Event::BfdRejected { .. }
        | Event::Refused { .. }
        | Event::Checked { .. }
        | Event::Overrun { .. } => true,
        Event::Role { .. }
        | Event::GroupRole { .. }
        | Event::Priority { .. }
        | Event::Address { .. }
        | Event::AddressLost { .. }
        | Event::Item { .. }
        | Event::Leftover { .. }
        | Event::Link { .. }
        | Event::Verdict { .. }
        | Event::Server { .. }
        | Event::PoolEmpty { .. }
        | Event::Listening { .. }
        | Event::Reloaded { .. }
        | Event::Session { .. }
        | Event::Ordered { .. }
        | Event::Leaving { .. } => {
            debug_assert!(level <= lines::INFO, "debug lines are not for operators");
            false
        }
    }
}
