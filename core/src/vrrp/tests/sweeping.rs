//! Addresses that nobody here wants any more: named late by the kernel, or dropped by a reload.

use super::super::*;
use super::bench::*;
use crate::action::Action;
use crate::config::model::InstanceConfig;
use alloc::string::ToString;
use alloc::vec;

fn removals(bench: &Bench) -> usize {
    bench.seen.iter().filter(|(_, a)| matches!(a, Action::Address { own: false, .. })).count()
}

fn leftovers(bench: &Bench) -> usize {
    bench.events().iter().filter(|event| matches!(event, Event::Leftover { adopted: false, .. })).count()
}

/// A backup that hears its master, with what happened so far forgotten.
fn backup() -> Bench {
    let mut bench = Bench::with(instance(1, 100));
    bench.hear(PEER, 200);
    bench.seen.clear();
    bench
}

#[test]
fn a_marked_address_that_is_named_while_backup_is_removed() {
    let mut bench = backup();
    bench.kernel(&there(VIP, true));
    assert_eq!((removals(&bench), leftovers(&bench)), (1, 1));
    bench.seen.clear();
    bench.kernel(&there(VIP, true)); // the echo of what is being removed
    assert_eq!(removals(&bench), 0);
    bench.run(ms(1500));
    bench.hear(PEER, 200);
    bench.kernel(&there(VIP, true)); // and this is a new one
    assert_eq!(removals(&bench), 1);
}

#[test]
fn a_marked_address_on_a_link_that_comes_late_is_removed() {
    let mut bench = Bench::cold(&config(vec![instance(1, 100)]));
    bench.kernel(&KernelNotice::ResyncBegin);
    bench.kernel(&KernelNotice::ResyncEnd);
    bench.kernel(&link(true));
    bench.kernel(&there(VIP, true));
    assert_eq!((removals(&bench), leftovers(&bench)), (1, 1));
}

#[test]
fn a_link_that_was_believed_gone_comes_back_with_addresses_that_are_removed() {
    let mut bench = Bench::master(instance(1, 200));
    bench.kernel(&there(VIP, true));
    bench.kernel(&KernelNotice::ResyncBegin);
    bench.kernel(&KernelNotice::ResyncEnd); // a dump that named nothing
    assert_eq!(bench.role(ID), Role::Fault);
    bench.run(ms(2000));
    bench.seen.clear();
    let ours = there("192.0.2.10/24", false);
    for notice in [KernelNotice::ResyncBegin, link(true), ours, there(VIP, true), KernelNotice::ResyncEnd] {
        bench.kernel(&notice);
    }
    assert_eq!((bench.role(ID), removals(&bench)), (Role::Backup, 1));
}

#[test]
fn what_is_wanted_not_ours_or_without_the_mark_is_left_alone() {
    let mut bench = Bench::master(instance(1, 200));
    bench.kernel(&there(VIP, true)); // the master's own
    assert_eq!(removals(&bench), 0);
    let mut bench = backup();
    bench.kernel(&there(VIP, false)); // an operator's
    bench.kernel(&there("192.0.2.100/32", true)); // another prefix length is another address
    bench.kernel(&there("192.0.2.77/24", true)); // of another daemon
    assert_eq!((removals(&bench), leftovers(&bench)), (0, 0));
}

#[test]
fn the_late_notice_of_an_address_given_up_causes_no_second_removal() {
    let mut bench = Bench::master(instance(1, 200));
    bench.hear(PEER, 201);
    bench.kernel(&there(VIP, true));
    assert_eq!((removals(&bench), leftovers(&bench)), (1, 0));
    bench.kernel(&gone(VIP));
}

fn with_other_address() -> InstanceConfig {
    let mut new = instance(1, 200);
    new.addresses[0].address = "192.0.2.111/24".parse().unwrap();
    new
}

#[test]
fn a_removal_that_fails_after_a_reload_is_repeated_until_it_succeeds() {
    for new in [config(vec![with_other_address()]), Config::default()] {
        let mut bench = Bench::master(instance(1, 200));
        bench.answer = Some(Err(Errno::EPERM));
        bench.act(|routers, cx| routers.configure(cx, &new));
        bench.run(ms(3000));
        let asked = |bench: &Bench| {
            let vip: ipnet::IpNet = VIP.parse().unwrap();
            let is = |a: &Action| matches!(a, Action::Address { own: false, address, .. } if *address == vip);
            bench.seen.iter().filter(|(_, a)| is(a)).count()
        };
        assert_eq!(asked(&bench), 4, "at 0, 250, 750 and 1750 ms");
        bench.answer = None; // lost answers count as failures
        bench.run(ms(3000));
        assert_eq!(asked(&bench), 5);
        bench.answer = Some(Err(Errno::EADDRNOTAVAIL));
        bench.run(ms(60_000));
        assert_eq!(asked(&bench), 6);
        let refused = bench
            .events()
            .into_iter()
            .filter(|e| matches!(e, Event::Refused { what, .. } if what.contains("remove")));
        assert_eq!(refused.count(), 1);
    }
}

#[test]
fn a_removal_is_not_repeated_for_an_address_that_is_wanted_again() {
    let mut bench = Bench::master(instance(1, 200));
    bench.answer = None;
    bench.act(|routers, cx| routers.configure(cx, &config(vec![with_other_address()])));
    bench.answer = Some(Ok(()));
    bench.act(|routers, cx| routers.configure(cx, &config(vec![instance(1, 200)])));
    bench.seen.clear();
    bench.run(ms(20_000));
    let vip: ipnet::IpNet = VIP.parse().unwrap();
    let is = |a: &Action| matches!(a, Action::Address { own: false, address, .. } if *address == vip);
    assert!(!bench.seen.iter().any(|(_, a)| is(a)));
    assert!(bench.status(ID).addresses[0].held);
}

#[test]
fn one_leftover_more_than_the_limit_is_removed_but_not_repeated() {
    let mut bench = Bench::cold(&config(vec![instance(1, 200)]));
    bench.answer = None;
    bench.kernel(&KernelNotice::ResyncBegin);
    let links = u32::try_from(sweep::MAX_LEFTOVERS / links::MAX_ADDRESSES + 1).unwrap();
    for index in 2..2 + links {
        let KernelNotice::Link(mut new) = link(true) else { unreachable!() };
        new.interface = Interface(index);
        new.name = alloc::format!("eth{}", index - 2).into();
        bench.kernel(&KernelNotice::Link(new));
    }
    let count = u32::try_from(sweep::MAX_LEFTOVERS).unwrap() + 1;
    for n in 0..count {
        let address = alloc::format!("{}/32", core::net::Ipv4Addr::from(0xc633_6400 + n));
        let on = Interface(2 + n % links);
        let address = address.parse().unwrap();
        bench.kernel(&KernelNotice::Address { on, address, marked: true, tentative: false });
    }
    bench.kernel(&KernelNotice::ResyncEnd);
    assert_eq!(removals(&bench), sweep::MAX_LEFTOVERS + 1);
    bench.seen.clear();
    bench.run(ms(300));
    assert_eq!(removals(&bench), sweep::MAX_LEFTOVERS);
}

#[test]
fn addresses_that_change_their_router_by_a_reload_stay() {
    let swapped = |first: &str, second: &str| {
        let mut instances = vec![instance(1, 200), instance(2, 200)];
        for (instance, address) in instances.iter_mut().zip([first, second]) {
            instance.addresses[0].address = address.parse().unwrap();
        }
        config(instances)
    };
    let (one, two) = ("192.0.2.100/24", "192.0.2.101/24");
    let mut bench = Bench::new(&swapped(one, two));
    bench.run(ms(5000));
    bench.seen.clear();
    bench.act(|routers, cx| routers.configure(cx, &swapped(two, one)));
    for address in [one, two] {
        let last = bench.seen.iter().rev().find_map(|(_, action)| match action {
            Action::Address { address: of, own, .. } if of.to_string() == address => Some(*own),
            _ => None,
        });
        assert_eq!(last, Some(true), "{address}");
        bench.kernel(&gone(address)); // of our own removal, told late
        bench.kernel(&there(address, true));
    }
    bench.run(ms(5000));
    for id in [InstanceId(1), InstanceId(2)] {
        assert_eq!((bench.role(id), bench.status(id).addresses[0].held), (Role::Master, true));
    }
    assert!(!bench.events().iter().any(|event| matches!(event, Event::AddressLost { .. })));
}
