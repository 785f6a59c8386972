//! Losses that follow each other: told once, and answered more and more slowly, so that two programs that both put
//! the host in order never fight for ever.

use crate::time::Time;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Without a loss for so long, the next one begins a new burst.
pub(super) const QUIET: Duration = Duration::from_secs(60);
/// So many losses of a burst are made good at once.
pub(super) const AT_ONCE: u32 = 3;
/// The longest wait before a loss is made good.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// The losses of one thing, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Burst {
    losses: u32,
    last: Time,
}

/// What a loss calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// The first of its burst.
    pub(super) first: bool,
    /// This many are in the burst, this one included.
    pub(super) losses: u32,
    /// It is made good after this time.
    pub(super) wait: Duration,
}

impl Burst {
    /// Counts a loss.
    pub(super) fn count(&mut self, now: Time) -> Loss {
        if self.losses > 0 && now.since(self.last) > QUIET {
            self.losses = 0;
        }
        self.losses = self.losses.saturating_add(1);
        self.last = now;
        let wait = match self.losses.checked_sub(AT_ONCE + 1) {
            None => Duration::ZERO,
            Some(doubled) => Duration::from_secs(1).saturating_mul(1 << doubled.min(6)).min(LONGEST),
        };
        Loss { first: self.losses == 1, losses: self.losses, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn the_first_losses_of_a_burst_are_made_good_at_once_and_the_rest_ever_more_slowly() {
        let mut burst = Burst::default();
        let mut now = Time::from_millis(5_000);
        let waits: Vec<u64> = (0..10)
            .map(|_| {
                now = now + Duration::from_secs(1);
                burst.count(now).wait.as_secs()
            })
            .collect();
        assert_eq!(waits, vec![0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert!(!burst.count(now).first);
    }

    #[test]
    fn after_a_quiet_time_a_new_burst_begins() {
        let mut burst = Burst::default();
        let start = Time::from_millis(5_000);
        assert!(burst.count(start).first);
        assert!(!burst.count(start + QUIET).first);
        let loss = burst.count(start + QUIET * 2 + Duration::from_millis(1));
        assert_eq!(loss, Loss { first: true, losses: 1, wait: Duration::ZERO });
    }
}
