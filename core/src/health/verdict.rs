//! How single runs add up to a verdict: keepalived's script counter (2.10) and haproxy's server counter (3.1).
//!
//! Both are one number in `0..=rise+fall-1`, up from `rise` on; a run against the present verdict takes one step,
//! a flip or a run that confirms the verdict jumps to the end of its side. They differ only in how they begin: a
//! script knows nothing and its first answer decides alone, a server is up with one strike left.
//! Invariants: `count <= top`; the verdict flips after exactly `rise` or `fall` runs in a row.

use crate::config::model::Counter;
use serde::{Deserialize, Serialize};

/// What one run did to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    Same,
    /// It counts towards a flip, or forgot what had counted towards one.
    Moved,
    /// The verdict flipped, or was confirmed by its first answer.
    Decided,
}

/// How far a counter is from its next flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Runs counted.
    pub(crate) count: u32,
    /// Runs needed.
    pub(crate) of: u32,
    /// Towards up.
    pub(crate) rising: bool,
}

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    rise: u32,
    fall: u32,
    count: u32,
    known: bool,
    answered: bool,
}

impl Verdict {
    /// A counter that has seen no run.
    pub(crate) fn new(counter: Counter, rise: u32, fall: u32) -> Verdict {
        let (rise, fall) = (rise.max(1), fall.max(1));
        let (count, known) = match counter {
            // keepalived ignores the keyword for every tracked script (its defect B5); its manual promises this.
            Counter::Script { init_fail: true } => (0, true),
            Counter::Script { init_fail: false } => (rise - 1, false),
            Counter::Server => (rise, true),
        };
        Verdict { rise, fall, count, known, answered: false }
    }

    /// Healthy or not; `None` before a script's first answer.
    pub(crate) fn up(&self) -> Option<bool> {
        self.known.then_some(self.count >= self.rise)
    }

    /// The number itself.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The highest value of the number.
    pub(crate) fn top(&self) -> u32 {
        (self.rise - 1).saturating_add(self.fall)
    }

    /// Counts one run.
    pub(crate) fn record(&mut self, passed: bool) -> Change {
        let before = (self.up(), self.count);
        if !self.known {
            self.known = true;
            self.count = if passed { self.top() } else { 0 };
        } else if passed {
            let next = self.count.saturating_add(1);
            self.count = if next >= self.rise { self.top() } else { next };
        } else {
            let next = self.count.saturating_sub(1);
            self.count = if next < self.rise { 0 } else { next };
        }
        debug_assert!(self.count <= self.top());
        let confirmed = !self.answered && self.up() == Some(passed);
        self.answered = true;
        if self.up() != before.0 || confirmed {
            Change::Decided
        } else if self.count != before.1 {
            Change::Moved
        } else {
            Change::Same
        }
    }

    /// How far it is from its next flip.
    pub(crate) fn progress(&self) -> Progress {
        if self.count >= self.rise {
            Progress { count: self.top() - self.count, of: self.fall, rising: false }
        } else {
            Progress { count: self.count, of: self.rise, rising: true }
        }
    }

    /// Maintenance begins: down to the bottom, without a verdict of its own.
    pub(crate) fn pause(&mut self) {
        self.count = 0;
    }

    /// Maintenance ends: up with one strike left.
    pub(crate) fn resume(&mut self) {
        self.count = self.rise;
    }

    /// The same verdict, as far on its way, with other numbers of runs (keepalived's reload, 2.18).
    pub(crate) fn rescale(&mut self, rise: u32, fall: u32) {
        let (rise, fall) = (rise.max(1), fall.max(1));
        let progress = self.progress();
        let was = (self.up(), self.count == self.top());
        let old = (self.rise, self.fall);
        (self.rise, self.fall) = (rise, fall);
        self.count = if !self.known {
            rise - 1
        } else if progress.rising {
            scale(progress.count, old.0, rise)
        } else {
            self.top() - scale(progress.count, old.1, fall)
        };
        debug_assert_eq!(self.up(), was.0);
        debug_assert!(!was.1 || progress.rising || self.count == self.top());
    }

    /// Asserts what must always hold.
    pub(crate) fn check_invariants(&self) {
        debug_assert!(self.rise >= 1 && self.fall >= 1);
        debug_assert!(self.count <= self.top(), "{} above {}", self.count, self.top());
        debug_assert!(self.known || !self.answered, "an answer makes a verdict known");
    }
}

/// `count` of `from` runs, as a share of `to` runs, short of all of them.
fn scale(count: u32, from: u32, to: u32) -> u32 {
    let scaled = u64::from(count) * u64::from(to) / u64::from(from.max(1));
    u32::try_from(scaled).unwrap_or(u32::MAX).min(to.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn script(rise: u32, fall: u32) -> Verdict {
        Verdict::new(Counter::Script { init_fail: false }, rise, fall)
    }

    fn run(verdict: &mut Verdict, runs: &str) -> Vec<(Option<bool>, u32)> {
        runs.chars()
            .map(|c| {
                verdict.record(c == '+');
                (verdict.up(), verdict.count())
            })
            .collect()
    }

    #[test]
    fn a_script_starts_unknown_and_its_first_answer_decides_alone() {
        let mut good = script(3, 4);
        assert_eq!((good.up(), good.count()), (None, 2));
        assert_eq!(good.record(true), Change::Decided);
        assert_eq!((good.up(), good.count()), (Some(true), 6));
        let mut bad = script(3, 4);
        assert_eq!(bad.record(false), Change::Decided);
        assert_eq!((bad.up(), bad.count()), (Some(false), 0));
    }

    #[test]
    fn a_script_falls_after_exactly_fall_failures_in_a_row() {
        let mut verdict = script(2, 3);
        let seen = run(&mut verdict, "+--+---");
        let up = Some(true);
        assert_eq!(seen, [(up, 4), (up, 3), (up, 2), (up, 4), (up, 3), (up, 2), (Some(false), 0)]);
    }

    #[test]
    fn a_script_rises_after_exactly_rise_successes_in_a_row() {
        let mut verdict = script(3, 1);
        let down = Some(false);
        assert_eq!(
            run(&mut verdict, "-++-+++-"),
            [(down, 0), (down, 1), (down, 2), (down, 0), (down, 1), (down, 2), (Some(true), 3), (down, 0)]
        );
    }

    #[test]
    fn init_fail_starts_failed_and_needs_rise_successes() {
        let mut verdict = Verdict::new(Counter::Script { init_fail: true }, 3, 2);
        assert_eq!(verdict.up(), Some(false));
        assert_eq!(verdict.record(true), Change::Moved);
        assert_eq!(verdict.record(true), Change::Moved);
        assert_eq!(verdict.record(true), Change::Decided);
        assert_eq!(verdict.up(), Some(true));
    }

    #[test]
    fn a_server_starts_up_with_one_strike_left() {
        let mut verdict = Verdict::new(Counter::Server, 2, 3);
        assert_eq!((verdict.up(), verdict.count()), (Some(true), 2));
        assert_eq!(verdict.clone().record(false), Change::Decided);
        assert_eq!(verdict.record(true), Change::Decided, "its first answer is told");
        assert_eq!(verdict.count(), 4);
        assert_eq!(verdict.record(true), Change::Same);
    }

    #[test]
    fn leaving_maintenance_is_up_with_one_strike_left() {
        let mut verdict = Verdict::new(Counter::Server, 2, 3);
        run(&mut verdict, "+++");
        verdict.pause();
        assert_eq!(verdict.count(), 0);
        verdict.resume();
        assert_eq!((verdict.up(), verdict.count()), (Some(true), 2));
        assert_eq!(verdict.record(false), Change::Decided);
        assert_eq!(verdict.up(), Some(false));
    }

    #[test]
    fn other_numbers_keep_the_verdict_and_its_share_of_the_way() {
        let mut verdict = script(2, 10);
        run(&mut verdict, "+-----");
        verdict.rescale(3, 4);
        assert_eq!(verdict.progress(), Progress { count: 2, of: 4, rising: false });
        run(&mut verdict, "--");
        verdict.rescale(1, 1);
        assert_eq!((verdict.up(), verdict.count()), (Some(false), 0));
        run(&mut verdict, "+");
        verdict.rescale(u32::MAX, u32::MAX);
        assert_eq!((verdict.up(), verdict.count()), (Some(true), verdict.top()));
    }

    /// keepalived's table, row by row; `None` is "initial".
    fn naive_script(state: (Option<bool>, u32), passed: bool, rise: u32, fall: u32) -> (Option<bool>, u32) {
        let top = rise + fall - 1;
        match (state, passed) {
            ((None, _), true) => (Some(true), top),
            ((None, _), false) => (Some(false), 0),
            ((Some(false), n), true) if n < rise - 1 => (Some(false), n + 1),
            ((Some(false), _), true) => (Some(true), top),
            ((Some(true), _), true) => (Some(true), top),
            ((Some(true), n), false) if n > rise => (Some(true), n - 1),
            ((Some(true), _), false) => (Some(false), 0),
            ((Some(false), _), false) => (Some(false), 0),
        }
    }

    /// haproxy's rules, said with two lists of runs: failures since the last good one, successes since the last bad.
    fn naive_server(runs: &[bool], rise: u32, fall: u32) -> bool {
        let (mut up, mut against) = (true, fall - 1);
        for passed in runs {
            against = if *passed == up { 0 } else { against + 1 };
            if against == if up { fall } else { rise } {
                (up, against) = (!up, 0);
            }
        }
        up
    }

    proptest! {
        #[test]
        fn the_script_counter_is_keepalived_s_table(
            rise in 1u32..6, fall in 1u32..12, runs in proptest::collection::vec(any::<bool>(), 0..60)
        ) {
            let mut verdict = script(rise, fall);
            let mut model = (None, rise - 1);
            for passed in runs {
                let before = model;
                model = naive_script(model, passed, rise, fall);
                let change = verdict.record(passed);
                verdict.check_invariants();
                prop_assert_eq!((verdict.up(), verdict.count()), model);
                prop_assert_eq!(change == Change::Decided, model.0 != before.0);
                prop_assert_eq!(change == Change::Same, model == before);
            }
        }

        #[test]
        fn the_server_counter_is_haproxy_s(
            rise in 1u32..6, fall in 1u32..12, runs in proptest::collection::vec(any::<bool>(), 0..60)
        ) {
            let mut verdict = Verdict::new(Counter::Server, rise, fall);
            for n in 0..runs.len() {
                verdict.record(runs[n]);
                verdict.check_invariants();
                prop_assert_eq!(verdict.up(), Some(naive_server(&runs[..=n], rise, fall)));
            }
        }

        #[test]
        fn rescaling_never_flips(
            rise in 1u32..9, fall in 1u32..9, to in (1u32..9, 1u32..9),
            runs in proptest::collection::vec(any::<bool>(), 0..20)
        ) {
            let mut verdict = script(rise, fall);
            runs.iter().for_each(|passed| { verdict.record(*passed); });
            let up = verdict.up();
            verdict.rescale(to.0, to.1);
            verdict.check_invariants();
            prop_assert_eq!(verdict.up(), up);
        }
    }
}
