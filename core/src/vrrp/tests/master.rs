//! A master and what it hears; what it asks of the kernel; notify commands; reload.

use super::super::*;
use super::bench::*;
use crate::action::Action;
use crate::config::model::Command;
use alloc::string::String;
use alloc::vec;

#[test]
fn a_farewell_is_answered_at_once() {
    let mut bench = Bench::master(instance(1, 200));
    bench.hear(PEER, 0);
    assert_eq!(bench.adverts(), [(bench.now, 200)]);
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn a_better_router_gets_one_last_advertisement_before_the_addresses_go() {
    for (priority, from) in [(201, "192.0.2.5"), (200, PEER)] {
        let mut bench = Bench::master(instance(1, 200));
        let start = bench.now;
        bench.hear(from, priority);
        assert_eq!(bench.trace(start), ["0 A 200", "0 -192.0.2.100", "0 BACKUP"]);
    }
    let mut config = instance(1, 200);
    config.election.last_advert = false;
    let mut bench = Bench::master(config);
    bench.hear(PEER, 201);
    assert_eq!(bench.adverts(), []);
}

#[test]
fn an_equal_router_with_a_smaller_address_is_answered_and_one_with_ours_only_warned_of() {
    let mut bench = Bench::master(instance(1, 200));
    bench.hear("192.0.2.5", 200);
    assert_eq!(bench.adverts().len(), 1);
    bench.hear(OURS, 200);
    assert_eq!(bench.adverts().len(), 1);
    assert_eq!(bench.role(ID), Role::Master);
    assert!(bench.events().iter().any(|event| matches!(event, Event::Odd { .. })));
}

#[test]
fn of_two_owners_the_one_that_is_not_listened_to_steps_aside_and_comes_back() {
    let mut bench = Bench::with(instance(1, 255));
    for _ in 0..4 {
        bench.hear("192.0.2.5", 255);
        bench.run(ms(1000));
    }
    assert_eq!(bench.role(ID), Role::Backup);
    assert_eq!(bench.status(ID).priority.effective, 254);
    bench.run(ms(4000));
    assert_eq!((bench.role(ID), bench.status(ID).priority.effective), (Role::Master, 255));
}

#[test]
fn of_two_owners_the_one_with_the_smaller_address_yields() {
    let mut bench = Bench::with(instance(1, 255));
    bench.hear(PEER, 255);
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn announcements_wait_for_the_kernels_answer() {
    let mut bench = Bench::with(instance(1, 200));
    bench.answer = None;
    bench.run(ms(3220));
    assert_eq!((bench.role(ID), bench.announced()), (Role::Master, 0));
    bench.answer = Some(Ok(()));
    bench.run(ms(300)); // asked again
    assert_eq!(bench.announced(), 5);
}

#[test]
fn a_refused_address_is_told_once_and_asked_for_again_with_back_off() {
    let mut bench = Bench::with(instance(1, 200));
    bench.answer = Some(Err(Errno::EPERM));
    bench.run(ms(33_000));
    assert_eq!(bench.role(ID), Role::Master);
    let asked = bench.seen.iter().filter(|(_, a)| matches!(a, Action::Address { own: true, .. })).count();
    assert!((6..=10).contains(&asked), "asked {asked} times");
    assert_eq!(bench.events().iter().filter(|event| matches!(event, Event::Refused { .. })).count(), 1);
    bench.answer = Some(Err(Errno::EEXIST));
    bench.run(ms(9000));
    assert!(bench.status(ID).addresses[0].held);
}

#[test]
fn an_answer_to_an_older_request_does_not_count() {
    let mut bench = Bench::with(instance(1, 200));
    bench.answer = None;
    bench.run(ms(3220));
    let Some(Action::Address { ticket, .. }) =
        bench.seen.iter().map(|(_, a)| a.clone()).find(|a| matches!(a, Action::Address { .. }))
    else {
        panic!("nothing asked")
    };
    bench.hear(PEER, 201);
    assert!(!bench.act(|routers, cx| routers.on_done(cx, ticket, Ok(()))));
    assert!(!bench.status(ID).addresses[0].held);
    assert_eq!(bench.announced(), 0);
}

#[test]
fn notices_of_our_own_removal_are_not_somebody_elses_doing_however_late() {
    let mut bench = Bench::master(instance(1, 200));
    bench.hear(PEER, 201);
    bench.hear(PEER, 0);
    bench.run(ms(300)); // master again, the address is back
    assert_eq!(bench.role(ID), Role::Master);
    bench.kernel(&gone(VIP));
    assert_eq!(bench.role(ID), Role::Master);
    bench.run(ms(1000));
    bench.kernel(&gone(VIP));
    assert_eq!(bench.role(ID), Role::Backup);
}

#[test]
fn a_notice_of_our_own_removal_is_expected_even_after_a_dump_that_knew_of_it() {
    let mut bench = Bench::master(instance(1, 200));
    bench.kernel(&KernelNotice::Address {
        on: ETH0,
        address: VIP.parse().unwrap(),
        marked: true,
        tentative: false,
    });
    bench.hear(PEER, 201);
    let ours = "192.0.2.10/24".parse().unwrap();
    let ours = KernelNotice::Address { on: ETH0, address: ours, marked: false, tentative: false };
    for notice in [KernelNotice::ResyncBegin, link(true), ours, KernelNotice::ResyncEnd] {
        bench.kernel(&notice);
    }
    bench.hear(PEER, 0);
    bench.run(ms(300)); // master again, the address is back
    assert_eq!(bench.role(ID), Role::Master);
    bench.kernel(&gone(VIP));
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn the_specific_command_runs_first_and_notify_gets_four_words_more() {
    let command =
        |word: &str| Some(Command { argv: vec![String::from("sh"), String::from(word)].into(), user: None });
    let mut config = instance(1, 255);
    config.notify.master = command("master");
    config.notify.any = command("any");
    config.notify.stop = command("stop");
    let mut bench = Bench::with(config);
    bench.act(|routers, cx| routers.stop(cx));
    bench.run(ms(2000));
    let runs: Vec<String> = bench.trace(Time::ZERO).into_iter().filter(|l| l.contains("run")).collect();
    assert_eq!(
        runs,
        [
            "0 run sh any INSTANCE VI_1 BACKUP 255",
            "0 run sh master",
            "0 run sh any INSTANCE VI_1 MASTER 255",
            "1000 run sh stop",
            "1000 run sh any INSTANCE VI_1 STOP 255"
        ]
        .map(|line| {
            let (at, rest) = line.split_once(' ').unwrap();
            alloc::format!("{} {rest}", 10_000 + at.parse::<u32>().unwrap())
        })
    );
}

#[test]
fn a_reload_without_a_difference_has_no_action_at_all() {
    let mut bench = Bench::master(instance(1, 200));
    let timers = bench.timers.clone();
    bench.act(|routers, cx| routers.configure(cx, &config(vec![instance(1, 200)])));
    assert_eq!(bench.seen, []);
    assert_eq!(bench.timers, timers);
}

#[test]
fn a_reload_moves_only_the_addresses_that_differ() {
    let mut bench = Bench::master(instance(1, 200));
    let mut new = instance(1, 200);
    new.addresses[0].address = "192.0.2.111/24".parse().unwrap();
    let start = bench.now;
    bench.act(|routers, cx| routers.configure(cx, &config(vec![new])));
    let trace = bench.trace(start);
    assert_eq!(trace[..3], ["0 +192.0.2.111 2s", "0 -192.0.2.100", "0 A 200"]);
    assert_eq!(bench.announced(), 5);
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn a_removed_virtual_router_says_farewell_and_gives_up_its_address() {
    let mut bench = Bench::master(instance(1, 200));
    let start = bench.now;
    bench.act(|routers, cx| routers.configure(cx, &Config::default()));
    assert_eq!(bench.trace(start)[..3], ["0 A 0", "0 -192.0.2.100", "0 INIT"]);
    assert!(bench.routers.status().is_empty());
    assert_eq!(bench.timers.next(), None);
    assert!(bench.seen.iter().any(|(_, a)| matches!(a, Action::Receive { open: false, .. })));
}

#[test]
fn a_lower_priority_after_a_reload_takes_effect_through_the_election() {
    let mut bench = Bench::master(instance(1, 200));
    bench.act(|routers, cx| routers.configure(cx, &config(vec![instance(1, 90)])));
    assert_eq!(bench.adverts(), [(bench.now, 90)]);
    bench.hear(PEER, 100);
    assert_eq!(bench.role(ID), Role::Backup);
}
