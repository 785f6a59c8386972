//! Sync groups.

use super::super::*;
use super::bench::*;
use crate::config::model::{GroupConfig, NotifyConfig, Tracked, Tracker};
use alloc::sync::Arc;

const OTHER: InstanceId = InstanceId(2);
const CHECK: CheckId = CheckId(3);

fn group(first: u8, second: u8) -> Config {
    let (mut one, two) = (instance(1, first), instance(2, second));
    one.trackers.push(Tracker { what: Tracked::Check(CHECK), weight: 0, reverse: false });
    let mut config = config(alloc::vec![one, two]);
    let group = GroupConfig {
        id: GroupId(1),
        name: "G".into(),
        members: alloc::vec![ID, OTHER],
        notify: NotifyConfig::default(),
    };
    config.groups.insert(GroupId(1), Arc::new(group));
    config
}

fn up() -> Bench {
    let mut bench = Bench::new(&group(200, 150));
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
    bench
}

#[test]
fn t14_the_members_become_master_together_when_the_last_one_agrees() {
    let mut bench = up();
    bench.run(ms(3300));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Backup, Role::Backup));
    bench.run(ms(200));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Master, Role::Master));
    assert!(bench.events().iter().any(|event| matches!(event, Event::GroupRole { to: Role::Master, .. })));
}

#[test]
fn t13_a_fault_of_one_takes_the_other_along_and_recovery_needs_master_down() {
    let mut bench = up();
    bench.run(ms(4000));
    bench.seen.clear();
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(false)));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Fault, Role::Fault));
    assert_eq!(bench.adverts().len(), 2, "one farewell each");
    bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Backup, Role::Backup));
    bench.run(ms(3500));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Master, Role::Master));
}

#[test]
fn a_better_router_for_one_member_makes_all_yield_and_one_heard_again_takes_its_wish_back() {
    let mut bench = up();
    bench.run(ms(4000));
    bench.hear(PEER, 220);
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Backup, Role::Backup));
    for _ in 0..10 {
        bench.run(ms(1000));
        bench.hear(PEER, 220);
    }
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Backup, Role::Backup));
}

#[test]
fn an_address_taken_from_one_member_starts_the_election_of_all_anew() {
    let mut bench = up();
    bench.run(ms(4000));
    bench.seen.clear();
    bench.kernel(&gone(VIP));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Backup, Role::Backup));
    assert_eq!(bench.adverts().len(), 2);
    bench.run(ms(500));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Master, Role::Master));
}

#[test]
fn a_sleep_too_long_for_one_member_makes_all_listen_first() {
    let mut bench = up();
    bench.run(ms(4000));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Master, Role::Master));
    // Both advertised at the same time; the peers of priority 200 wait 3.22 s, those of 150 3.41 s.
    let sent = bench.adverts().last().map(|(at, _)| *at).unwrap();
    bench.freeze(Duration::from_millis(3300) - bench.now.since(sent));
    bench.fire();
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Backup, Role::Backup));
}

#[test]
fn owners_start_as_master_only_together() {
    let bench = {
        let mut bench = Bench::new(&group(255, 255));
        bench.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
        bench
    };
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Master, Role::Master));
    let mut mixed = Bench::new(&group(255, 100));
    mixed.act(|routers, cx| routers.on_verdict(cx, CHECK, Some(true)));
    assert_eq!((mixed.role(ID), mixed.role(OTHER)), (Role::Backup, Role::Backup));
}

#[test]
fn resigning_one_member_resigns_all() {
    let mut bench = up();
    bench.run(ms(4000));
    bench.act(|routers, cx| routers.resign(cx, OTHER));
    bench.run(ms(5000));
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Init, Role::Init));
}

/// Found by the simulator: a second delay was begun for the member whose first one had ended, so that the delays of a
/// group were never all over at once.
#[test]
fn preemption_delays_of_members_that_end_one_after_the_other_end_in_a_takeover_of_all() {
    let delayed = |id| {
        let mut config = instance(id, 150);
        config.election.preempt_delay = ms(2000);
        config
    };
    let mut config = config(alloc::vec![delayed(1), delayed(2)]);
    let group = GroupConfig {
        id: GroupId(1),
        name: "G".into(),
        members: alloc::vec![ID, OTHER],
        notify: NotifyConfig::default(),
    };
    config.groups.insert(GroupId(1), Arc::new(group));
    let mut bench = Bench::new(&config);
    for _ in 0..4 {
        for id in [1, 2] {
            let payload = advert_of(&delayed(id), PEER, 10, ms(1000));
            bench.raw(PEER, 255, &payload);
            bench.run(ms(10));
        }
        bench.run(ms(980));
    }
    assert_eq!((bench.role(ID), bench.role(OTHER)), (Role::Master, Role::Master));
}
