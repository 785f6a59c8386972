//! How late this machine is: a thread that only sleeps, and notes when it was woken too late, and for how long the kernel
//! says that tasks have waited for a processor.

use standfast::lab::now_us;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One nap of the thread.
const NAP: Duration = Duration::from_millis(5);
/// Being late by less is not worth a note.
const NOTED: Duration = Duration::from_millis(2);
/// How far around a moment somebody else's lateness counts, in microseconds.
const AROUND: u64 = 250_000;
/// How long before a moment waiting for a processor counts, in microseconds.
const BEFORE: u64 = 100_000;

/// What the thread has noted, by microseconds since 1970.
#[derive(Debug, Default)]
pub struct Witness {
    notes: Mutex<Vec<(u64, Duration)>>,
    waited: Mutex<BTreeMap<u64, u64>>,
    done: AtomicBool,
}

impl Witness {
    /// Sleeps until [`Witness::end`].
    pub fn watch(&self) {
        while !self.done.load(Ordering::Relaxed) {
            let before = Instant::now();
            std::thread::sleep(NAP);
            let late = before.elapsed().saturating_sub(NAP);
            if late >= NOTED {
                self.notes.lock().unwrap_or_else(PoisonError::into_inner).push((now_us(), late));
            }
            if let Some(waited) = pressure() {
                self.waited.lock().unwrap_or_else(PoisonError::into_inner).insert(now_us(), waited);
            }
        }
    }

    /// Ends the watch.
    pub fn end(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// For how many milliseconds of the last tenth of a second before `at` some task waited for a processor.
    #[must_use]
    pub fn waited(&self, at: u64) -> i64 {
        let waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let until = |at: u64| waited.range(..=at).next_back().map(|(_, total)| *total);
        let (Some(first), Some(last)) = (until(at.saturating_sub(BEFORE)), until(at)) else { return 0 };
        i64::try_from((last - first) / 1_000).unwrap_or(i64::MAX)
    }

    /// The largest lateness around `at`, in milliseconds.
    #[must_use]
    pub fn late(&self, at: u64) -> i64 {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let near = notes.iter().filter(|(when, _)| when.abs_diff(at) <= AROUND);
        near.map(|(_, late)| i64::try_from(late.as_millis()).unwrap_or(i64::MAX)).max().unwrap_or(0)
    }
}

/// The microseconds for which some task has waited for a processor since the machine started.
fn pressure() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/pressure/cpu").ok()?;
    let some = text.lines().find(|line| line.starts_with("some "))?;
    some.split_once("total=")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lateness_around_the_moment_counts() {
        let witness = Witness::default();
        let note = |at, ms| witness.notes.lock().unwrap().push((at, Duration::from_millis(ms)));
        note(1_000_000, 30);
        note(1_200_000, 70);
        note(5_000_000, 900);
        assert_eq!(witness.late(1_100_000), 70);
        assert_eq!(witness.late(3_000_000), 0);
        witness.waited.lock().unwrap().extend([(900_000, 5_000), (1_000_000, 45_000), (1_100_000, 46_000)]);
        assert_eq!(witness.waited(1_000_000), 40);
        assert_eq!(witness.waited(1_100_000), 1);
        assert_eq!(witness.waited(800_000), 0, "nothing was noted before");
    }
}
