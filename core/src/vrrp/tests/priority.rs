use super::*;
use crate::id::CheckId;
use crate::vrrp::tests::bench::instance;
use alloc::vec;
use alloc::vec::Vec;

fn with(base: u8, trackers: &[(i16, bool, Option<bool>)]) -> (World, InstanceConfig) {
    let mut world = World::default();
    let mut config = instance(1, base);
    config.trackers = Vec::new();
    for (n, (weight, reverse, verdict)) in trackers.iter().enumerate() {
        let check = CheckId(u32::try_from(n).unwrap());
        config.trackers.push(Tracker { what: Tracked::Check(check), weight: *weight, reverse: *reverse });
        if let Some(up) = verdict {
            world.verdicts.insert(check, *up);
        }
    }
    (world, config)
}

#[test]
fn weights_add_up_as_written() {
    let rows = [
        (101, vec![(-2, false, Some(true))], 101),
        (101, vec![(-2, false, Some(false))], 99),
        (100, vec![(5, false, Some(true))], 105),
        (100, vec![(5, false, Some(false))], 100),
        (100, vec![(5, true, Some(true))], 95),
        (100, vec![(-5, true, Some(false))], 105),
        (100, vec![(5, false, None), (-5, false, None)], 100),
        (100, vec![(0, false, Some(false))], 100),
        (250, vec![(253, false, Some(true))], 254),
        (5, vec![(-253, false, Some(false))], 1),
        (250, vec![(100, false, Some(true)), (-100, false, Some(false))], 250),
        (255, vec![(-10, false, Some(false))], 255),
    ];
    for (base, trackers, expected) in rows {
        let (world, config) = with(base, &trackers);
        assert_eq!(effective(&world, &config), expected, "{base} {trackers:?}");
    }
}

#[test]
fn only_trackers_without_weight_hold_back() {
    let held = |trackers: &[(i16, bool, Option<bool>)]| {
        let (world, config) = with(100, trackers);
        is_held(&world, &config)
    };
    assert!(held(&[(0, false, None)]));
    assert!(!held(&[(0, false, Some(false))]));
    assert!(!held(&[(-2, false, None)]));
}
