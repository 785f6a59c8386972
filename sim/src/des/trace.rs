//! What happened, for the hash always and in words when asked for: the last lines of each host, bounded.

use crate::hash::TraceHash;
use standfast_core::time::Time;
use std::collections::VecDeque;
use std::fmt::Arguments;

/// The most lines kept per run.
pub const MAX_LINES: usize = 4_000;

/// A trace.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: TraceHash,
    words: bool,
    lines: VecDeque<String>,
}

impl Trace {
    /// A trace that keeps lines only if `words`.
    #[must_use]
    pub fn new(words: bool) -> Trace {
        Trace { words, ..Trace::default() }
    }

    /// The hash, to take something in.
    pub fn hash(&mut self, now: Time, host: usize, kind: u64) -> &mut TraceHash {
        self.hash.number(now.0);
        self.hash.number((host as u64) << 8 | kind);
        &mut self.hash
    }

    /// Says `text` of `host` (or of everybody, when there is none).
    pub fn say(&mut self, now: Time, host: Option<usize>, text: Arguments<'_>) {
        if !self.words {
            return;
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(match host {
            Some(host) => format!("{now} n{} {text}", host + 1),
            None => format!("{now} -- {text}"),
        });
    }

    /// Lines are kept.
    #[must_use]
    pub fn in_words(&self) -> bool {
        self.words
    }

    /// The lines kept.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The hash's value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.hash.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_keeps_no_more_than_its_limit() {
        let mut trace = Trace::new(true);
        for n in 0..=MAX_LINES {
            trace.say(Time::ZERO, None, format_args!("{n}"));
        }
        assert_eq!(trace.lines().count(), MAX_LINES);
        assert!(trace.lines().next().unwrap().ends_with(" 1"));
    }
}
