//! How late this machine is: a thread that only sleeps, and notes when it was woken too late.

use standfast::lab::now_us;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One nap of the thread.
const NAP: Duration = Duration::from_millis(5);
/// Being late by less is not worth a note.
const NOTED: Duration = Duration::from_millis(2);
/// How far around a moment somebody else's lateness counts, in microseconds.
const AROUND: u64 = 250_000;

/// What the thread has noted: when it woke, in microseconds since 1970, and how late that was.
#[derive(Debug, Default)]
pub struct Witness {
    notes: Mutex<Vec<(u64, Duration)>>,
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
        }
    }

    /// Ends the watch.
    pub fn end(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// The largest lateness around `at`, in milliseconds.
    #[must_use]
    pub fn late(&self, at: u64) -> i64 {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let near = notes.iter().filter(|(when, _)| when.abs_diff(at) <= AROUND);
        near.map(|(_, late)| i64::try_from(late.as_millis()).unwrap_or(i64::MAX)).max().unwrap_or(0)
    }
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
    }
}
