//! What simulated nodes record replays with the same actions: the core reads nothing but its inputs.

use sim::des::run::run_seed;
use sim::flight::recorded;
use sim::net::storm;

/// Seeds of tier 1, and of tier 2.
const SEEDS: (u64, u64) = (100, 6);
/// As many as take a few seconds in an unoptimised build.
const FEW: (u64, u64) = (10, 2);

fn seeds() -> (u64, u64) {
    if std::env::var_os("SIM_SEEDS").is_some() { SEEDS } else { FEW }
}

#[test]
fn seeds_of_the_discrete_event_tier_replay_with_the_same_actions() {
    let (seeds, _) = seeds();
    let (events, flights) = recorded(|| (0..seeds).map(|seed| run_seed(seed).events).sum::<u64>());
    assert!(flights.wrong.is_empty(), "{:#?}", flights.wrong);
    assert!(flights.replayed > 3 * seeds, "{flights:?}");
    assert!(flights.inputs > events / 4, "{events} events, {flights:?}");
}

#[test]
fn storms_of_the_real_driver_replay_with_the_same_actions() {
    let (_, storms) = seeds();
    let ((), flights) = recorded(|| {
        for seed in 0..storms {
            assert_eq!(storm::run(seed).violation, None);
        }
    });
    assert!(flights.wrong.is_empty(), "{:#?}", flights.wrong);
    assert!(flights.replayed >= 2 * storms && flights.inputs > 1000, "{flights:?}");
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
