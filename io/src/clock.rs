//! Where the driver's time comes from, and how it sleeps until one.
//!
//! Production counts from boot with suspension included, so that a frozen machine sees the gap; tokio sleeps by
//! the monotonic clock, which is only ever too early after a suspension, and too early is harmless.

use crate::linux::sys;
use standfast_core::time::Time;
use tokio::time::Instant;

/// A source of time.
pub trait Clock {
    /// The time now; never goes backwards.
    fn now(&self) -> Time;
    /// When to wake up for `at`, which may have passed.
    fn instant(&self, at: Time) -> Instant;
}

/// Nanoseconds since boot, suspension included.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Time {
        Time::from_duration(sys::boot_time())
    }

    fn instant(&self, at: Time) -> Instant {
        let now = Instant::now();
        // Beyond what an Instant can say, once a day is often enough to look again.
        let far = std::time::Duration::from_secs(86_400);
        now.checked_add(at.since(self.now())).unwrap_or(now + far)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_wake_up_lies_as_far_ahead_as_the_time_it_is_for() {
        let clock = BootClock;
        let ahead = Duration::from_secs(5);
        let wait = clock.instant(clock.now() + ahead).duration_since(Instant::now());
        assert!(wait <= ahead && wait > ahead - Duration::from_secs(1), "{wait:?}");
        let past = clock.instant(Time::ZERO);
        assert!(past <= Instant::now());
        assert!(clock.instant(Time(u64::MAX)) > Instant::now());
    }

    #[test]
    fn boot_time_never_goes_backwards() {
        let times: Vec<Time> = (0..1000).map(|_| BootClock.now()).collect();
        assert!(times.is_sorted());
        assert!(times[0] > Time::ZERO);
    }
}
