//! What happened, for the hash always and in words when asked for: the last lines of each host, bounded.

use crate::hash::TraceHash;
use standfast_core::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Arguments;

/// The most lines kept of each host, and of what concerns everybody.
pub const MAX_LINES: usize = 600;

/// A trace.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Of each host, after the one of what concerns everybody: hosts of one instant act in no order.
    hashes: Vec<TraceHash>,
    words: bool,
    told: u64,
    /// By host; each line with its number, so that they can be put in order again.
    lines: BTreeMap<Option<usize>, VecDeque<(u64, String)>>,
}

impl Trace {
    /// A trace that keeps lines only if `words`.
    #[must_use]
    pub fn new(words: bool) -> Trace {
        Trace { words, ..Trace::default() }
    }

    /// The hash of `host` (or of everybody, when there is none), to take something in that happens `now`.
    pub fn hash(&mut self, now: Time, host: Option<usize>) -> &mut TraceHash {
        let at = host.map_or(0, |host| host + 1);
        if self.hashes.len() <= at {
            self.hashes.resize(at + 1, TraceHash::default());
        }
        let hash = &mut self.hashes[at];
        hash.number(now.0);
        hash
    }

    /// Says `text` of `host` (or of everybody, when there is none).
    pub fn say(&mut self, now: Time, host: Option<usize>, text: Arguments<'_>) {
        if !self.words {
            return;
        }
        let lines = self.lines.entry(host).or_default();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        self.told += 1;
        let line = match host {
            Some(host) => format!("{now} n{} {text}", host + 1),
            None => format!("{now} -- {text}"),
        };
        lines.push_back((self.told, line));
    }

    /// Lines are kept.
    #[must_use]
    pub fn in_words(&self) -> bool {
        self.words
    }

    /// The lines kept, in the order in which they were said.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        let mut all: Vec<(u64, &str)> =
            self.lines.values().flatten().map(|(nth, line)| (*nth, line.as_str())).collect();
        all.sort_unstable_by_key(|line| line.0);
        all.into_iter().map(|(_, line)| line).collect()
    }

    /// What all hashes come to, in the order of the hosts.
    #[must_use]
    pub fn value(&self) -> u64 {
        let mut all = TraceHash::default();
        self.hashes.iter().for_each(|hash| all.number(hash.value()));
        all.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_keeps_no_more_of_a_host_than_its_limit_and_drops_nothing_of_a_quiet_one() {
        let mut trace = Trace::new(true);
        trace.say(Time::ZERO, Some(1), format_args!("quiet"));
        for n in 0..=MAX_LINES {
            trace.say(Time::ZERO, Some(0), format_args!("{n}"));
        }
        let lines = trace.lines();
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert!(lines[0].ends_with(" n2 quiet"));
        assert!(lines[1].ends_with(" n1 1"));
    }
}
