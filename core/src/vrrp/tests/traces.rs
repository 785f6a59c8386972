//! The recorded traces of keepalived, with our deliberate differences.

use super::super::*;
use super::bench::*;

#[test]
fn t1_alone_it_takes_over_after_master_down_and_announces_twice() {
    let mut bench = Bench::with(instance(1, 200));
    let start = bench.now;
    bench.run(ms(4300));
    let first: Vec<_> = bench.trace(start).into_iter().filter(|line| !line.contains('+')).collect();
    assert_eq!(
        first,
        [
            "0 BACKUP",
            "3218 A 200",
            "3218 MASTER",
            "3218 G",
            "3218 G",
            "3218 G",
            "3218 G",
            "3218 G",
            "4218 A 200"
        ]
    );
    bench.seen.clear();
    bench.run(ms(5000));
    assert_eq!(bench.announced(), 5);
}

#[test]
fn t2_an_address_deleted_by_hand_starts_the_election_anew_after_the_skew() {
    let mut bench = Bench::master(instance(1, 200));
    let start = bench.now;
    bench.kernel(&gone(VIP));
    assert_eq!(bench.trace(start), ["0 A 0", "0 BACKUP"]);
    assert!(bench.events().iter().any(|event| matches!(event, Event::AddressLost { .. })));
    bench.run(ms(300));
    assert_eq!(bench.role(ID), Role::Master);
    assert!(bench.trace(start).contains(&"218 A 200".into()));
    assert_eq!(bench.announced(), 5);
}

#[test]
fn t3_the_interval_of_a_version_3_master_is_learnt_and_forgotten() {
    let mut bench = Bench::with(v3(instance(1, 150)));
    for _ in 0..10 {
        bench.hear_every(PEER, 200, ms(300));
        bench.run(ms(300));
    }
    let last = Time(bench.now.0 - 300_000_000);
    bench.run(ms(2000));
    let adverts = bench.adverts();
    assert_eq!(adverts[0].0.since(last), Duration::from_nanos(1_024_218_750));
    assert_eq!(adverts[1].0.since(adverts[0].0), ms(1000));
}

#[test]
fn t4_without_preemption_only_a_farewell_or_silence_leads_to_a_takeover() {
    let mut config = instance(1, 150);
    config.election.preempt = false;
    let mut bench = Bench::with(config);
    for _ in 0..10 {
        bench.hear(PEER, 10);
        bench.run(ms(1000));
    }
    assert_eq!(bench.role(ID), Role::Backup);
    bench.hear(PEER, 0);
    let farewell = bench.now;
    bench.run(ms(1000));
    assert_eq!(bench.adverts()[0].0.since(farewell), Duration::from_nanos(414_062_500));
}

#[test]
fn t5_a_preemption_delay_ends_in_a_takeover_at_once() {
    let mut config = instance(1, 150);
    config.election.preempt_delay = ms(2000);
    let mut bench = Bench::with(config);
    let start = bench.now;
    for _ in 0..2 {
        bench.hear(PEER, 10);
        bench.run(ms(1000));
    }
    assert_eq!(bench.adverts(), [(start + ms(2000), 150)]);
}

#[test]
fn t5_a_better_advertisement_cancels_the_preemption_delay() {
    let mut config = instance(1, 150);
    config.election.preempt_delay = ms(2000);
    let mut bench = Bench::with(config);
    bench.hear(PEER, 10);
    bench.run(ms(1500));
    bench.hear(PEER, 200);
    bench.run(ms(1500));
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn t5b_without_delay_a_lower_advertisement_does_not_move_the_deadline() {
    let mut bench = Bench::with(instance(1, 150));
    let start = bench.now;
    for _ in 0..4 {
        bench.hear(PEER, 10);
        bench.run(ms(1000));
    }
    assert_eq!(bench.adverts()[0].0.since(start), Duration::from_nanos(3_414_062_500));
}

#[test]
fn t6_another_address_list_is_accepted_counted_and_told_once() {
    let mut config = instance(1, 150);
    let mut second = config.addresses[0].clone();
    let theirs = config.clone();
    second.address = "192.0.2.101/24".parse().unwrap();
    config.addresses.push(second);
    let mut bench = Bench::with(config);
    for _ in 0..5 {
        bench.raw(PEER, 255, &advert_of(&theirs, PEER, 200, ms(1000)));
        bench.run(ms(1000));
    }
    assert_eq!(bench.role(ID), Role::Backup);
    assert_eq!(bench.status(ID).counters.addr_list_differs, 5);
    assert_eq!(bench.events().iter().filter(|e| matches!(e, Event::Odd { .. })).count(), 1);
}

#[test]
fn t7_lower_advertisements_are_answered_and_announced_over() {
    let mut bench = Bench::master(instance(1, 200));
    bench.run(ms(5500)); // the second block of the takeover is over
    bench.seen.clear();
    for _ in 0..3 {
        let before = bench.now;
        bench.hear(PEER, 1);
        assert_eq!(bench.adverts().last(), Some(&(before, 200)));
        bench.run(ms(1000));
    }
    assert_eq!(bench.announced(), 15);
    bench.run(ms(5000));
    assert_eq!(bench.announced(), 20, "one second block after the last, where keepalived has one for each");
}

#[test]
fn t11_a_clean_stop_says_farewell_once() {
    let mut bench = Bench::master(instance(1, 200));
    bench.act(|routers, cx| routers.stop(cx));
    bench.run(ms(3000));
    assert_eq!(bench.adverts().iter().map(|(_, priority)| *priority).collect::<Vec<_>>(), [0]);
    assert_eq!(bench.left, 1);
}

#[test]
fn t12_an_owner_is_master_at_once() {
    let bench = Bench::with(instance(1, 255));
    assert_eq!(bench.role(ID), Role::Master);
    assert_eq!(bench.adverts(), [(bench.now, 255)]);
    assert_eq!(bench.announced(), 5);
}
