//! What simulated nodes record replays with the same actions: the core reads nothing but its inputs.

use sim::des::run::run_seed;
use sim::flight::recorded;
use sim::net::storm;

/// Seeds of tier 1.
const SEEDS: u64 = 100;
/// Seeds of tier 2.
const STORMS: u64 = 3;

#[test]
fn a_hundred_seeds_of_the_discrete_event_tier_replay_with_the_same_actions() {
    let (events, flights) = recorded(|| (0..SEEDS).map(|seed| run_seed(seed).events).sum::<u64>());
    assert!(flights.wrong.is_empty(), "{:#?}", flights.wrong);
    assert!(flights.replayed > 3 * SEEDS, "{flights:?}");
    assert!(flights.inputs > events / 4, "{events} events, {flights:?}");
}

#[test]
fn storms_of_the_real_driver_replay_with_the_same_actions() {
    let ((), flights) = recorded(|| {
        for seed in 0..STORMS {
            assert_eq!(storm::run(seed).violation, None);
        }
    });
    assert!(flights.wrong.is_empty(), "{:#?}", flights.wrong);
    assert!(flights.replayed >= 2 * STORMS && flights.inputs > 1000, "{flights:?}");
}

#[test]
fn a_run_that_is_not_recorded_has_no_recordings_and_recording_changes_no_run() {
    let ((), none) = recorded(|| ());
    let plain = run_seed(3);
    assert_eq!(none.replayed, 0);
    let (again, flights) = recorded(|| run_seed(3));
    assert_eq!(plain, again);
    assert!(flights.replayed > 0);
}
