//! The driver's time under simulation: turmoil's, the same on all hosts, going on over crashes.

use standfast_core::time::Time;
use standfast_io::clock::Clock;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The date at which every simulation begins: a fixed one, or two runs would differ.
pub const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// Simulated time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimClock;

/// The simulated time since the beginning.
#[must_use]
pub fn now() -> Time {
    Time::from_duration(turmoil::sim_elapsed().unwrap_or_default())
}

/// The simulated date.
#[must_use]
pub fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + EPOCH + now().since_origin()
}

impl Clock for SimClock {
    fn now(&self) -> Time {
        now()
    }

    fn instant(&self, at: Time) -> Instant {
        Instant::now() + at.since(now()).min(Duration::from_secs(86_400))
    }
}
