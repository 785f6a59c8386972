//! A backup and what it hears; changes of priority; the start.

use super::super::*;
use super::bench::*;
use crate::config::model::{Tracked, Tracker};

const CHECK: CheckId = CheckId(7);

fn tracked(weight: i16) -> crate::config::model::InstanceConfig {
    let mut config = instance(1, 100);
    config.trackers.push(Tracker { what: Tracked::Check(CHECK), weight, reverse: false });
    config
}

fn down_at(bench: &Bench) -> Option<Time> {
    bench.timers.at(TimerKey::Router(ID, RouterTimer::MasterDown))
}

#[test]
fn better_and_equal_advertisements_start_the_time_out_anew() {
    for priority in [101, 100] {
        for from in ["192.0.2.5", PEER] {
            let mut bench = Bench::with(instance(1, 100));
            bench.run(ms(1500));
            bench.hear(from, priority);
            assert_eq!(down_at(&bench), Some(bench.now + Duration::from_nanos(3_609_375_000)));
            assert_eq!(bench.status(ID).master.unwrap().priority, priority);
        }
    }
}

#[test]
fn a_farewell_leaves_the_skew_only_and_never_moves_the_deadline_later() {
    let mut bench = Bench::with(instance(1, 100));
    let start = bench.now;
    bench.hear(PEER, 0);
    let skew = Duration::from_nanos(609_375_000);
    assert_eq!(down_at(&bench), Some(start + skew));
    bench.run(ms(300));
    bench.hear(PEER, 0);
    assert_eq!(down_at(&bench), Some(start + skew));
    assert_eq!(bench.status(ID).counters.pri_zero_rcvd, 2);
}

#[test]
fn a_farewell_of_our_own_that_comes_back_is_ignored() {
    let mut bench = Bench::with(instance(1, 100));
    let before = down_at(&bench);
    bench.hear(OURS, 0);
    assert_eq!(down_at(&bench), before);
}

#[test]
fn a_change_of_priority_shifts_the_running_deadline_by_the_difference() {
    let mut bench = Bench::with(tracked(-64));
    bench.hear(PEER, 150);
    bench.run(ms(500));
    let before = down_at(&bench).unwrap();
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(false)));
    assert_eq!(down_at(&bench).unwrap().since(before), ms(250));
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
    assert_eq!(down_at(&bench), Some(before));
    assert_eq!(bench.status(ID).priority.effective, 100);
}

#[test]
fn a_script_without_weight_holds_the_start_back_in_silence_until_its_first_result() {
    let mut bench = Bench::with(tracked(0));
    bench.run(ms(10_000));
    assert_eq!(bench.role(ID), Role::Init);
    assert_eq!(bench.seen, []);
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
    assert_eq!(bench.role(ID), Role::Backup);
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(false)));
    assert_eq!(bench.role(ID), Role::Fault);
}

#[test]
fn a_verdict_that_becomes_unknown_demotes_nobody() {
    let mut bench = Bench::with(tracked(0));
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
    bench.run(ms(5000));
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, None));
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn state_master_gives_nobody_but_the_owner_a_fast_start() {
    let mut config = instance(1, 200);
    config.election.wish_master = true;
    let mut bench = Bench::with(config);
    bench.run(ms(3000));
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn during_the_start_up_delay_nothing_is_heard_and_no_deadline_ends() {
    let mut config = config(alloc::vec![instance(1, 255)]);
    config.node.start.daemon = ms(5000);
    let mut bench = Bench::new(&config);
    bench.hear(PEER, 10);
    bench.run(ms(4999));
    assert_eq!((bench.role(ID), bench.status(ID).counters.advert_rcvd), (Role::Backup, 0));
    bench.run(ms(1));
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn two_virtual_routers_with_one_vrid_on_two_interfaces_do_not_meet() {
    let (first, mut second) = (instance(1, 100), instance(2, 100));
    second.router.vrid = first.router.vrid;
    second.router.interface = "eth1".into();
    second.addresses[0].interface = "eth1".into();
    second.trackers.clear();
    let mut bench = Bench::new(&config(alloc::vec![first, second]));
    let KernelNotice::Link(mut other) = link(true) else { unreachable!() };
    other.interface = Interface(3);
    other.name = "eth1".into();
    bench.kernel(&KernelNotice::Link(other));
    let address = "198.51.100.10/24".parse().unwrap();
    bench.kernel(&KernelNotice::Address { on: Interface(3), address, marked: false, tentative: false });
    bench.hear(PEER, 200);
    assert_eq!(bench.status(ID).counters.advert_rcvd, 1);
    assert_eq!(bench.status(InstanceId(2)).counters.advert_rcvd, 0);
    assert_eq!(bench.role(InstanceId(2)), Role::Backup);
}
