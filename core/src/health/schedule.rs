//! When checks run.
//!
//! Scripts as keepalived does (2.10): at once, then from start to start. Servers as haproxy does (3.3): first runs
//! spread over the interval, then from the *end* of a run, at a pace that depends on the counter, and blurred by
//! `spread-checks`. Pure arithmetic; the timers are armed by `check`.

use super::verdict::Verdict;
use crate::config::model::{CheckConfig, Probe, Schedule};
use crate::rng::Rng;
use alloc::sync::Arc;
use core::time::Duration;

/// The shortest pause between two runs: what a zero interval becomes, so that a node never spins.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
/// haproxy: checks that run more often than this do not dictate the spread of the first runs.
const RAPID: Duration = Duration::from_secs(1);
/// How long after a run's time the core gives up on its answer: longer than a busy host's wake-up latency.
const GRACE: Duration = Duration::from_millis(500);
/// The same for scripts, which get two seconds between TERM and KILL.
const SCRIPT_GRACE: Duration = Duration::from_secs(3);

/// How long the core waits for the answer of a run.
pub(crate) fn patience(config: &CheckConfig) -> Duration {
    let grace = match *config.probe {
        Probe::Script { .. } | Probe::Watch(_) => SCRIPT_GRACE,
        Probe::Tcp { .. } | Probe::SslHello { .. } | Probe::Http(_) | Probe::Talk(_) | Probe::Tls { .. } => {
            GRACE
        }
    };
    config.schedule.timeout.saturating_add(grace)
}

/// The pace that a server's counter asks for: `inter`, `downinter` at the very ends, `fastinter` on the way.
pub(crate) fn pace(schedule: &Schedule, verdict: &Verdict) -> Duration {
    let interval = if verdict.count() == verdict.top() {
        schedule.interval
    } else if verdict.count() == 0 {
        schedule.down
    } else {
        schedule.fast
    };
    interval.max(SHORTEST)
}

/// `interval` more or less by up to `percent` per cent of it, both ends included.
pub(crate) fn blurred(interval: Duration, percent: u8, rng: &mut Rng) -> Duration {
    let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let reach = u64::try_from(u128::from(nanos) * u128::from(percent.min(100)) / 100).unwrap_or(nanos);
    if reach == 0 {
        return interval;
    }
    let shift = rng.below(reach.saturating_mul(2).saturating_add(1));
    Duration::from_nanos((nanos - reach).saturating_add(shift)).max(SHORTEST)
}

/// The delays of the first runs of `checks`, in their order: `D * i / N`, where `D` is a check's own interval, or
/// for a rapid one the smallest of those that are not.
pub(crate) fn first_delays(checks: &[Arc<CheckConfig>]) -> impl Iterator<Item = Duration> {
    let of = |config: &CheckConfig| {
        pace(&config.schedule, &Verdict::new(config.counter, config.rise, config.fall))
    };
    let smallest = checks.iter().map(|c| of(c)).filter(|d| *d >= RAPID).min().unwrap_or_default();
    let total = checks.len() as u128;
    checks.iter().enumerate().map(move |(i, config)| {
        let nanos = of(config).max(smallest).as_nanos() * i as u128 / total;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Counter;
    use crate::rng::Seed;
    use alloc::vec::Vec;

    fn server(interval: u64, fast: u64, down: u64) -> Arc<CheckConfig> {
        Arc::new(CheckConfig {
            id: crate::id::CheckId(1),
            name: "b/s".into(),
            probe: Arc::new(Probe::Tcp { to: ([192, 0, 2, 1], 80).into(), connect: Duration::from_secs(1) }),
            schedule: Schedule {
                interval: Duration::from_millis(interval),
                fast: Duration::from_millis(fast),
                down: Duration::from_millis(down),
                timeout: Duration::from_secs(1),
            },
            counter: Counter::Server,
            rise: 2,
            fall: 3,
        })
    }

    fn millis(checks: &[Arc<CheckConfig>]) -> Vec<u128> {
        first_delays(checks).map(|d| d.as_millis()).collect()
    }

    #[test]
    fn twenty_servers_every_minute_start_three_seconds_apart() {
        let checks: Vec<_> = (0..20).map(|_| server(60_000, 60_000, 60_000)).collect();
        let delays = millis(&checks);
        assert_eq!((delays[0], delays[2], delays[19]), (0, 6_000, 57_000));
    }

    #[test]
    fn a_rapid_check_is_spread_by_the_smallest_interval_that_is_not() {
        assert_eq!(millis(&[server(5_000, 5_000, 5_000), server(100, 100, 100)]), [0, 2_500]);
        assert_eq!(millis(&[server(400, 400, 400), server(100, 100, 100)]), [0, 50]);
        assert_eq!(millis(&[]), [] as [u128; 0]);
    }

    #[test]
    fn the_pace_follows_the_counter() {
        let config = server(2_000, 500, 7_000);
        let mut verdict = Verdict::new(Counter::Server, 2, 3);
        let mut paces = Vec::new();
        for passed in [true, false, false, false, true, true] {
            verdict.record(passed);
            paces.push(pace(&config.schedule, &verdict).as_millis());
        }
        assert_eq!(paces, [2_000, 500, 500, 7_000, 500, 2_000]);
    }

    #[test]
    fn a_blur_of_half_stays_between_half_and_one_and_a_half() {
        let mut rng = Rng::new(Seed(3));
        let two = Duration::from_secs(2);
        let seen: Vec<_> = (0..1000).map(|_| blurred(two, 50, &mut rng)).collect();
        assert!(seen.iter().all(|d| (Duration::from_secs(1)..=Duration::from_secs(3)).contains(d)));
        assert!(seen.iter().any(|d| *d < Duration::from_millis(1_200)));
        assert!(seen.iter().any(|d| *d > Duration::from_millis(2_800)));
        assert_eq!(blurred(two, 0, &mut rng), two);
        assert_eq!(blurred(Duration::ZERO, 50, &mut rng), Duration::ZERO);
        assert!(blurred(Duration::MAX, 100, &mut rng) >= SHORTEST);
    }

    #[test]
    fn a_zero_interval_does_not_spin() {
        let config = server(0, 0, 0);
        assert_eq!(pace(&config.schedule, &Verdict::new(Counter::Server, 2, 3)), SHORTEST);
    }
}
