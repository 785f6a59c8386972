//! The lease, and a daemon that is not scheduled.

use super::super::*;
use super::bench::*;
use crate::action::Action;
use alloc::string::String;

#[test]
fn the_lease_fits_between_our_last_word_and_the_earliest_takeover() {
    let rows =
        [(1000, 3, 2, true), (2000, 3, 4, true), (100, 3, 1, false), (500, 3, 1, true), (1000, 10, 9, true)];
    for (interval, adverts, seconds, safe) in rows {
        let mut config = instance(1, 100);
        config.election.interval = ms(interval);
        config.election.down_adverts = adverts;
        assert_eq!(lease_for(&config), Duration::from_secs(seconds), "{interval} {adverts}");
        assert_eq!(lease_is_safe(&config), safe, "{interval} {adverts}");
    }
}

#[test]
fn no_lease_is_longer_than_a_day() {
    let mut config = instance(1, 100);
    for (interval, seconds) in [(43_199, 86_398), (43_200, 86_400), (43_201, 86_400)] {
        config.election.interval = Duration::from_secs(interval);
        assert_eq!(lease_for(&config), Duration::from_secs(seconds));
    }
}

#[test]
fn a_lease_is_renewed_every_third_without_being_announced_or_told() {
    let mut bench = Bench::master(instance(1, 200));
    bench.seen.clear();
    let start = bench.now;
    bench.run(ms(2000));
    let renewals: Vec<String> = bench.trace(start).into_iter().filter(|line| line.contains('+')).collect();
    assert_eq!(renewals.len(), 3, "{renewals:?}");
    assert_eq!((bench.announced(), bench.events().len()), (0, 0));
}

#[test]
fn virtual_routers_that_became_active_at_different_moments_renew_their_leases_together() {
    let mut other = instance(2, 200);
    other.addresses[0].address = "198.51.100.7/32".parse().unwrap();
    let mut bench = Bench::new(&config(alloc::vec![instance(1, 255), other]));
    bench.run(ms(8000));
    bench.seen.clear();
    bench.run(ms(2000));
    let renewals: Vec<Time> =
        bench.seen.iter().filter(|(_, a)| matches!(a, Action::Address { .. })).map(|(at, _)| *at).collect();
    assert!(renewals.len() >= 6, "{renewals:?}");
    assert!(renewals.chunks(2).all(|pair| pair[0] == pair[1]), "{renewals:?}");
}

#[test]
fn with_short_intervals_a_renewal_follows_an_advertisement() {
    let mut config = v3(instance(1, 200));
    config.election.interval = ms(100);
    let mut bench = Bench::master(config);
    bench.seen.clear();
    bench.run(ms(2000));
    let mut last_advert = Time::ZERO;
    let mut renewals = 0;
    for (at, action) in &bench.seen {
        match action {
            Action::Advertise { .. } => last_advert = *at,
            Action::Address { .. } => {
                assert_eq!(*at, last_advert);
                renewals += 1;
            }
            _ => {}
        }
    }
    assert!((4..=6).contains(&renewals), "{renewals}");
}

#[test]
fn the_operator_may_switch_the_lease_off() {
    let mut config = config(alloc::vec![instance(1, 255)]);
    config.node.lease = false;
    let mut bench = Bench::new(&config);
    bench.run(ms(5000));
    let asked: Vec<_> = bench.seen.iter().filter(|(_, a)| matches!(a, Action::Address { .. })).collect();
    assert!(matches!(asked[..], [(_, Action::Address { lease: None, .. })]), "{asked:?}");
}

#[test]
fn a_master_that_slept_past_its_peers_patience_listens_before_it_speaks() {
    let mut bench = Bench::master(instance(1, 200));
    bench.freeze(ms(7000));
    let woken = bench.now;
    bench.fire();
    assert_eq!(bench.trace(woken), ["0 -192.0.2.100", "0 BACKUP"]);
    bench.run(ms(1000));
    assert_eq!(bench.adverts(), []);
    bench.run(ms(300));
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn a_master_that_slept_hears_its_successor_first() {
    let mut bench = Bench::master(instance(1, 200));
    bench.freeze(ms(7000));
    bench.hear(PEER, 210);
    bench.fire();
    bench.run(ms(2000));
    assert_eq!(bench.role(ID), Role::Backup);
    assert_eq!(bench.adverts(), []);
}

#[test]
fn a_backup_that_slept_does_not_take_the_unread_for_silence() {
    let mut bench = Bench::with(instance(1, 100));
    bench.hear(PEER, 200);
    bench.freeze(ms(7000));
    bench.fire();
    assert_eq!(bench.role(ID), Role::Backup);
    bench.hear(PEER, 200);
    bench.run(ms(3000));
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn a_lease_that_ran_out_in_a_short_sleep_is_nobody_elses_doing() {
    let mut bench = Bench::master(instance(1, 200));
    bench.freeze(ms(2500));
    bench.kernel(&gone(VIP));
    assert_eq!(bench.role(ID), Role::Master);
    assert!(!bench.events().iter().any(|event| matches!(event, Event::AddressLost { .. })));
    assert_eq!(bench.announced(), 5, "there again, and announced");
}

#[test]
fn a_dead_link_under_a_lease_asks_for_nothing() {
    let mut bench = Bench::master(instance(1, 200));
    bench.kernel(&KernelNotice::LinkGone(ETH0));
    bench.seen.clear();
    bench.run(ms(20_000));
    assert_eq!(bench.seen, []);
}
