//! The pace of announcements: blocks, their repetition, and the gap that the operator wants between two of them.

use super::super::*;
use super::bench::*;
use crate::action::Action;
use crate::config::model::{Config, InstanceConfig};
use alloc::vec;

/// When, after `from`, each announcement went out, in milliseconds.
fn when(bench: &Bench, from: Time) -> Vec<(u128, core::net::IpAddr)> {
    let of = |(at, action): &(Time, Action)| match action {
        Action::Announce { address, .. } => Some((at.since(from).as_millis(), *address)),
        _ => None,
    };
    bench.seen.iter().filter_map(of).collect()
}

fn owner() -> InstanceConfig {
    instance(1, 255)
}

fn paced(instances: Vec<InstanceConfig>, gap: u64) -> Config {
    let mut config = config(instances);
    config.node.links.gap.arp = ms(gap);
    config
}

#[test]
fn blocks_come_at_once_after_the_delay_and_then_by_refresh() {
    let mut config = owner();
    config.announce.repeat = 2;
    config.announce.delay = ms(3000);
    config.announce.refresh = ms(10_000);
    config.announce.refresh_repeat = 3;
    let mut bench = Bench::with(config);
    let start = bench.now;
    bench.run(ms(25_000));
    let at: Vec<u128> = when(&bench, start).into_iter().map(|(at, _)| at).collect();
    assert_eq!(at, [0, 0, 3000, 3000, 13_000, 13_000, 13_000, 23_000, 23_000, 23_000]);
}

#[test]
fn no_delay_and_no_refresh_mean_a_single_block() {
    let mut config = owner();
    config.announce.delay = Duration::ZERO;
    config.announce.refresh = Duration::ZERO;
    let mut bench = Bench::with(config);
    bench.run(ms(300_000));
    assert_eq!(bench.announced(), 5);
}

#[test]
fn a_repeat_of_zero_announces_nothing_after_a_lower_advertisement() {
    let mut config = instance(1, 200);
    config.announce.lower_repeat = 0;
    let mut bench = Bench::master(config);
    bench.run(ms(10_000));
    bench.seen.clear();
    bench.hear(PEER, 100);
    bench.run(ms(10_000));
    assert_eq!((bench.announced(), bench.role(ID)), (0, Role::Master));
}

#[test]
fn a_gap_spaces_announcements_of_all_routers_of_an_interface_and_takes_addresses_in_turn() {
    let (mut first, mut second) = (owner(), instance(2, 255));
    first.announce.repeat = 2;
    second.announce.repeat = 2;
    second.trackers.clear();
    let mut bench = Bench::new(&paced(vec![first, second], 100));
    let start = bench.now;
    bench.run(ms(2000));
    let seen = when(&bench, start);
    let at: Vec<u128> = seen.iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [0, 100, 200, 300]);
    for address in ["192.0.2.100", "192.0.2.101"] {
        assert_eq!(seen.iter().filter(|(_, a)| *a == ip(address)).count(), 2, "{seen:?}");
    }
}

#[test]
fn one_announcement_more_than_may_wait_is_dropped() {
    let mut config = owner();
    config.announce.repeat = announce::MAX_PENDING + 1;
    config.announce.delay = Duration::ZERO;
    config.announce.refresh = Duration::ZERO;
    let mut bench = Bench::new(&paced(vec![config], 10));
    bench.run(ms(60_000));
    assert_eq!(bench.announced(), usize::try_from(announce::MAX_PENDING).unwrap());
}

#[test]
fn what_waits_is_forgotten_when_the_role_ends() {
    let mut bench = Bench::new(&paced(vec![instance(1, 200)], 500));
    bench.run(ms(3300));
    assert_eq!((bench.role(ID), bench.announced()), (Role::Master, 1));
    bench.hear(PEER, 201);
    for _ in 0..20 {
        bench.run(ms(500));
        bench.hear(PEER, 201);
    }
    assert_eq!(bench.announced(), 1);
}

#[test]
fn two_rivals_that_yield_at_once_are_answered_each_time_and_one_advertisement_too_many_waits_a_little() {
    let mut bench = Bench::master(instance(1, 200));
    // Each rival is heard at its own takeover and once more when it steps down: five, and one for each of the others.
    for (nth, heard) in [5, 6, 7, 8, 9, 10].into_iter().enumerate() {
        bench.hear(PEER, 150);
        assert_eq!(bench.announced(), heard, "lower advertisement {nth}");
    }
    bench.hear(PEER, 150);
    assert_eq!(bench.announced(), 10, "ten at once are enough");
    bench.run(announce::LOWER_COST);
    assert_eq!(bench.announced(), 11, "put off, not dropped");
}
