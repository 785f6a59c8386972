//! The core's own time: nanoseconds since an origin that the driver picks.
//!
//! Production feeds `CLOCK_BOOTTIME`, so that a frozen or suspended machine sees the gap; the simulator feeds its
//! own clock. Times never go backwards between two calls of `Node::handle`.

use core::fmt;
use core::ops::Add;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// A point in time, in nanoseconds since the driver's origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub u64);

impl Time {
    /// The origin itself.
    pub const ZERO: Time = Time(0);

    /// The time `ms` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Time {
        Time(ms.saturating_mul(1_000_000))
    }

    /// The time `after` past the origin; saturates after some 584 years.
    #[must_use]
    pub fn from_duration(after: Duration) -> Time {
        Time(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Time since the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// How long after `earlier` this is; zero when it is not later.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time moved later by `by`, or earlier by its second half: used to shift a running deadline.
    #[must_use]
    pub fn shifted(self, later: Duration, earlier: Duration) -> Time {
        let plus = Time::from_duration(later).0;
        let minus = Time::from_duration(earlier).0;
        Time(self.0.saturating_add(plus).saturating_sub(minus))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, after: Duration) -> Time {
        Time(self.0.saturating_add(Time::from_duration(after).0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        assert_eq!(Time(u64::MAX) + Duration::from_secs(1), Time(u64::MAX));
        assert_eq!(Time(5).since(Time(9)), Duration::ZERO);
        assert_eq!(Time(10).shifted(Duration::from_nanos(5), Duration::from_nanos(20)), Time(0));
    }
}
