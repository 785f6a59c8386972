//! Lines for people: events on standard error, haproxy-style lines to the targets of haproxy.cfg.
//!
//! [`lines`] finds the words, [`Logger`] frames and sends them, [`EventLog`] joins the two.

mod events;
mod fold;
mod frame;
pub mod lines;
mod sink;

pub use events::EventLog;
pub use sink::{Logger, MAX_WAITING};

use standfast_core::config::model::LogTarget;

/// The local time so many nanoseconds after 1970 began, as lines on standard error have it.
#[must_use]
pub fn stamp(wall: u64) -> String {
    let moment = frame::Moment::at(wall);
    format!("{}.{:03}", moment.short(), moment.micros / 1000)
}

/// The local time so many nanoseconds after 1970 began, as keepalived's files have it: `Mon Nov 23 16:00:47.288437 2026`.
#[must_use]
pub fn spelt(wall: u64) -> String {
    frame::Moment::at(wall).spelt()
}

/// The local time now, for the name of a file.
#[must_use]
pub fn file_stamp() -> String {
    frame::Moment::now().compact()
}

/// Takes finished log lines. Never blocks: a line that cannot be sent now is counted and dropped.
pub trait LineSink: Clone + Send + Sync + 'static {
    /// Sends `text` (no line feed at its end) with syslog severity `level` (0..=7) to each of `targets` that wants that level.
    fn line(&self, targets: &[LogTarget], level: u8, text: &str);
    /// Sends `text` to the daemon's own log, whatever the configuration logs: troubles of this host.
    fn own(&self, level: u8, text: &str);
}

/// How the lines of the daemon's own log, on standard error, begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// With the text.
    #[default]
    Plain,
    /// With the local time, to the millisecond.
    Timestamp,
    /// With `<level>`, as journald reads it.
    Journal,
}
