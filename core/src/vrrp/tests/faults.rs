//! What keeps a virtual router from taking part, and what a killed run left.

use super::super::*;
use super::bench::*;
use crate::action::Action;

#[test]
fn a_link_down_is_a_fault_with_a_farewell_and_recovery_starts_as_backup() {
    let mut bench = Bench::master(instance(1, 200));
    let start = bench.now;
    bench.kernel(&link(false));
    assert_eq!(bench.trace(start), ["0 A 0", "0 -192.0.2.100", "0 FAULT"]);
    bench.hear(PEER, 10);
    assert_eq!(bench.status(ID).counters.advert_rcvd, 0);
    bench.kernel(&link(true));
    assert_eq!(bench.role(ID), Role::Backup);
    bench.run(ms(3219));
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn a_link_that_vanishes_and_comes_back_with_another_index_is_found_again() {
    let mut bench = Bench::master(instance(1, 200));
    bench.kernel(&KernelNotice::LinkGone(ETH0));
    assert_eq!(bench.role(ID), Role::Fault);
    assert_eq!(bench.status(ID).faults, ["interface eth0 does not exist"]);
    let KernelNotice::Link(mut new) = link(true) else { unreachable!() };
    new.interface = Interface(77);
    bench.seen.clear();
    bench.kernel(&KernelNotice::Link(new));
    assert_eq!(bench.status(ID).faults, ["no source address on eth0"]);
    let address = "192.0.2.10/24".parse().unwrap();
    bench.kernel(&KernelNotice::Address { on: Interface(77), address, marked: false, tentative: false });
    assert_eq!(bench.role(ID), Role::Backup);
    assert!(
        bench.seen.iter().any(|(_, a)| matches!(a, Action::Receive { on: Interface(77), open: true, .. }))
    );
    bench.run(ms(4000));
    assert!(
        bench.seen.iter().any(|(_, a)| matches!(a, Action::Address { on: Interface(77), own: true, .. }))
    );
}

#[test]
fn an_interface_that_does_not_exist_is_waited_for() {
    let mut bench = Bench::cold(&config(alloc::vec![instance(1, 200)]));
    bench.kernel(&KernelNotice::ResyncBegin);
    bench.kernel(&KernelNotice::ResyncEnd);
    assert_eq!(bench.role(ID), Role::Fault);
    bench.run(ms(60_000));
    assert_eq!(bench.adverts(), []);
}

#[test]
fn a_router_that_may_not_receive_does_not_believe_the_silence() {
    let mut bench = Bench::cold(&config(alloc::vec![instance(1, 200)]));
    bench.receive = Err(Errno::EPERM);
    bench.boot(&[(OURS, 24)], &[]);
    bench.run(ms(30_000));
    assert_eq!(bench.role(ID), Role::Fault);
    assert_eq!(bench.status(ID).faults, ["cannot receive advertisements on eth0"]);
    assert_eq!(bench.adverts(), []);
    assert_eq!(bench.events().iter().filter(|event| matches!(event, Event::Refused { .. })).count(), 1);
    let asked = bench.seen.iter().filter(|(_, a)| matches!(a, Action::Receive { .. })).count();
    assert!((5..=12).contains(&asked), "{asked}");
    bench.receive = Ok(());
    bench.run(ms(9000)); // tried again, and allowed
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn leftovers_are_removed_before_the_first_advertisement_and_are_no_source() {
    let mut bench = Bench::cold(&config(alloc::vec![instance(1, 200)]));
    bench.boot(&[("192.0.2.100", 24), ("192.0.2.77", 24), (OURS, 24)], &[("192.0.2.55", 32)]);
    let start = bench.now;
    assert_eq!(bench.trace(start), ["0 -192.0.2.100", "0 -192.0.2.55", "0 BACKUP"]);
    assert!(bench.seen.iter().all(|(_, a)| !matches!(a, Action::Address { own: true, .. })));
    bench.run(ms(4000));
    let from = bench.seen.iter().find_map(|(_, action)| match action {
        Action::Advertise { from, .. } => Some(*from),
        _ => None,
    });
    assert_eq!(from, Some(ip("192.0.2.77")));
}

#[test]
fn an_owner_adopts_its_leftovers() {
    let mut bench = Bench::cold(&config(alloc::vec![instance(1, 255)]));
    bench.boot(&[("192.0.2.100", 24), (OURS, 24)], &[]);
    assert!(bench.seen.iter().all(|(_, a)| !matches!(a, Action::Address { own: false, .. })));
    assert!(bench.events().iter().any(|event| matches!(event, Event::Leftover { adopted: true, .. })));
}

#[test]
fn the_same_address_with_another_prefix_length_is_left_alone() {
    let mut bench = Bench::cold(&config(alloc::vec![instance(1, 200)]));
    bench.boot(&[(OURS, 24), ("192.0.2.100", 32)], &[]);
    assert!(bench.seen.iter().all(|(_, a)| !matches!(a, Action::Address { .. })));
}

#[test]
fn a_dump_that_misses_an_address_says_that_it_is_lost() {
    let mut bench = Bench::master(instance(1, 200));
    let vip =
        KernelNotice::Address { on: ETH0, address: VIP.parse().unwrap(), marked: true, tentative: false };
    bench.kernel(&vip);
    let ours = "192.0.2.10/24".parse().unwrap();
    let ours = KernelNotice::Address { on: ETH0, address: ours, marked: false, tentative: false };
    bench.freeze(ms(10));
    for notice in [KernelNotice::ResyncBegin, link(true), ours, KernelNotice::ResyncEnd] {
        bench.kernel(&notice);
    }
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn a_dump_that_misses_an_address_whose_arrival_was_never_noticed_says_that_it_is_lost() {
    let mut bench = Bench::master(instance(1, 200));
    let ours = "192.0.2.10/24".parse().unwrap();
    let ours = KernelNotice::Address { on: ETH0, address: ours, marked: false, tentative: false };
    bench.freeze(ms(10));
    for notice in [KernelNotice::ResyncBegin, link(true), ours, KernelNotice::ResyncEnd] {
        bench.kernel(&notice);
    }
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn an_error_of_sending_is_told_once_and_changes_nothing() {
    let mut bench = Bench::master(instance(1, 200));
    for _ in 0..5 {
        bench.kernel(&KernelNotice::Unsent { on: ETH0, errno: Errno::EPERM });
    }
    assert_eq!(bench.events().len(), 1);
    assert_eq!(bench.role(ID), Role::Master);
}
