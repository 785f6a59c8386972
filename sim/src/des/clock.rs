//! The clock of a host: it starts somewhere, and may run faster or slower than the world.
//!
//! The node is fed this clock and never the world's, as `CLOCK_BOOTTIME` differs from host to host. Integer
//! arithmetic; a change of rate keeps the reading, so that time never jumps.

use standfast_core::time::Time;

/// Parts of a whole rate: one million.
const WHOLE: u64 = 1_000_000;

/// A clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The world's time when the rate was set last.
    world: Time,
    /// The reading at that time.
    reading: Time,
    /// Parts per million of the world's rate.
    rate: u64,
}

impl Clock {
    /// A true clock that reads `reading` at the world's origin.
    #[must_use]
    pub fn new(reading: Time) -> Clock {
        Clock { world: Time::ZERO, reading, rate: WHOLE }
    }

    /// What it reads at `world`.
    #[must_use]
    pub fn read(&self, world: Time) -> Time {
        let past = world.0.saturating_sub(self.world.0);
        Time(self.reading.0.saturating_add(scaled(past, self.rate, WHOLE, 0)))
    }

    /// The first time of the world at which it reads at least `reading`.
    #[must_use]
    pub fn when(&self, reading: Time) -> Time {
        let ahead = reading.0.saturating_sub(self.reading.0);
        Time(self.world.0.saturating_add(scaled(ahead, WHOLE, self.rate, self.rate - 1)))
    }

    /// Runs fast (or slow, if negative) by `ppm` parts per million from `now` on.
    pub fn drift(&mut self, now: Time, ppm: i32) {
        *self = Clock { world: now, reading: self.read(now), rate: WHOLE.saturating_add_signed(ppm.into()) };
    }

    /// It runs as fast as the world.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.rate == WHOLE
    }
}

fn scaled(value: u64, by: u64, over: u64, round: u64) -> u64 {
    if by == over {
        return value;
    }
    u64::try_from((u128::from(value) * u128::from(by) + u128::from(round)) / u128::from(over))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_computed_from_a_drifting_clock_is_never_too_early() {
        for ppm in [-50_000, -7, 0, 3, 50_000] {
            let mut clock = Clock::new(Time(1_000));
            clock.drift(Time(77), ppm);
            for ahead in [0_u64, 1, 2, 999, 1_000_000_007] {
                let goal = Time(clock.read(Time(77)).0 + ahead);
                let at = clock.when(goal);
                assert!(clock.read(at) >= goal, "{ppm} {ahead}");
                assert!(at == Time(77) || clock.read(Time(at.0 - 2)) < goal, "{ppm} {ahead}");
            }
        }
    }

    #[test]
    fn a_change_of_rate_keeps_the_reading() {
        let mut clock = Clock::new(Time(5));
        let before = clock.read(Time(1_000));
        clock.drift(Time(1_000), 20_000);
        assert_eq!(clock.read(Time(1_000)), before);
        assert_eq!(clock.read(Time(2_000)), Time(before.0 + 1_020));
    }
}
