//! Defects of keepalived that we do not have; ids as in the reference.

use super::super::*;
use super::bench::*;
use crate::action::Action;
use crate::event::PacketError;
use proptest::prelude::*;

#[test]
fn b1_garbage_changes_no_timer_of_a_master() {
    let mut bench = Bench::master(instance(1, 200));
    let good = advert_of(&bench.first.clone(), PEER, 100, ms(1000));
    for _ in 0..20 {
        let before = bench.timers.clone();
        bench.raw(PEER, 64, &good);
        let mut bad = good.clone();
        bad[0] = 0x31;
        bench.raw(PEER, 255, &bad);
        bad.clone_from(&good);
        bad[6] ^= 1;
        bench.raw(PEER, 255, &bad);
        assert_eq!(bench.timers, before);
        bench.run(ms(250));
    }
    let adverts = bench.adverts();
    assert!(adverts.len() >= 4);
    assert!(adverts.windows(2).all(|w| w[1].0.since(w[0].0) == ms(1000)), "{adverts:?}");
    let told = bench.events().iter().filter(|e| matches!(e, Event::Rejected { .. })).count();
    assert_eq!(told, 3, "once per sender and kind");
    let counters = bench.status(ID).counters;
    assert_eq!(counters.rejected(PacketError::Ttl), 20);
    assert_eq!(counters.rejected(PacketError::Version), 20);
    assert_eq!(counters.rejected(PacketError::Checksum), 20);
}

#[test]
fn b2_a_wrong_checksum_is_rejected_with_plain_checksums_too() {
    let mut config = v3(instance(1, 100));
    config.transport.plain_checksum = true;
    let mut bench = Bench::with(config);
    let mut bad = advert_of(&bench.first.clone(), PEER, 200, ms(1000));
    bad[6] ^= 0x40;
    bench.raw(PEER, 255, &bad);
    assert_eq!(bench.status(ID).counters.rejected(PacketError::Checksum), 1);
    assert_eq!(bench.status(ID).counters.advert_rcvd, 0);
}

#[test]
fn b3_a_learnt_interval_is_forgotten_when_becoming_master() {
    let mut bench = Bench::with(v3(instance(1, 100)));
    bench.hear_every(PEER, 200, ms(100));
    bench.run(ms(1000));
    assert_eq!(bench.role(ID), Role::Master);
    bench.kernel(&link(false));
    bench.kernel(&link(true));
    let start = bench.now;
    bench.seen.clear();
    bench.run(ms(5000));
    assert_eq!(bench.adverts()[0].0.since(start), Duration::from_nanos(3_609_375_000));
}

#[test]
fn b4_a_unicast_ttl_does_not_reach_multicast() {
    let mut config = instance(1, 255);
    config.transport.hops = 0;
    let bench = Bench::with(config);
    assert!(bench.seen.iter().any(|(_, action)| matches!(action, Action::Advertise { hops: 255, .. })));
}

#[test]
fn b15_a_stream_of_lower_advertisements_is_not_amplified() {
    let mut bench = Bench::master(instance(1, 200));
    for _ in 0..1000 {
        bench.hear(PEER, 1);
        bench.run(ms(1));
    }
    // A burst of two blocks, and one for each half second.
    assert!(bench.announced() <= 4 * 5, "{} announcements in a second", bench.announced());
    assert!(bench.adverts().len() <= 210, "{} advertisements in a second", bench.adverts().len());
    assert!(bench.status(ID).role == Role::Master);
}

#[test]
fn complaints_past_the_limit_are_counted_but_not_told() {
    let mut bench = Bench::with(instance(1, 100));
    let payload = advert_of(&bench.first.clone(), PEER, 100, ms(1000));
    let limit = receive::MAX_COMPLAINTS;
    for n in 0..=limit {
        bench.raw(&alloc::format!("198.51.100.{n}"), 3, &payload);
    }
    let told = bench.events().iter().filter(|e| matches!(e, Event::Rejected { .. })).count();
    assert_eq!(told, limit);
    assert_eq!(bench.status(ID).counters.rejected(PacketError::Ttl), u64::try_from(limit + 1).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forged_packets_never_change_a_timer(
        cut in 0usize..20, flip in 1u8..=255, at in 0usize..20, hops in 0u8..=254, tail in proptest::collection::vec(any::<u8>(), 0..80),
        master: bool,
    ) {
        let mut bench = if master { Bench::master(instance(1, 200)) } else { Bench::with(instance(1, 200)) };
        let good = advert_of(&bench.first.clone(), PEER, 250, ms(1000));
        let before = (bench.timers.clone(), bench.role(ID));
        bench.raw(PEER, 255, &good[..cut]);
        bench.raw(PEER, hops, &good);
        let mut flipped = good.clone();
        flipped[at] ^= flip;
        bench.raw(PEER, 255, &flipped);
        let mut long = good.clone();
        long.extend_from_slice(&[0; 30]);
        long.extend_from_slice(&tail);
        bench.raw(PEER, 255, &long);
        bench.raw(PEER, 255, &tail);
        prop_assert_eq!(before, (bench.timers.clone(), bench.role(ID)));
    }
}
