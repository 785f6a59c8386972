//! Make before break.

use super::super::*;
use super::bench::*;

#[test]
fn the_address_stays_until_a_peer_is_heard_and_a_grace_is_over() {
    let mut bench = Bench::master(instance(1, 101));
    let start = bench.now;
    bench.act(|routers, cx| routers.stop(cx));
    bench.run(ms(10));
    bench.hear(PEER, 100);
    bench.run(ms(1000));
    assert_eq!(bench.trace(start), ["0 A 0", "0 INIT", "40 -192.0.2.100"]);
    assert_eq!(bench.left, 1);
}

#[test]
fn without_a_peer_the_wait_ends_after_a_second() {
    let mut bench = Bench::master(instance(1, 101));
    let start = bench.now;
    bench.act(|routers, cx| routers.stop(cx));
    bench.run(ms(999));
    assert!(!bench.trace(start).iter().any(|line| line.contains('-')));
    bench.run(ms(2));
    assert!(bench.trace(start).contains(&"1000 -192.0.2.100".into()));
    assert_eq!(bench.left, 1);
}

#[test]
fn an_echo_a_farewell_and_a_forged_packet_are_no_peer() {
    let mut bench = Bench::master(instance(1, 101));
    bench.act(|routers, cx| routers.stop(cx));
    bench.hear(OURS, 101);
    bench.hear(PEER, 0);
    bench.raw(PEER, 7, &advert_of(&bench.first.clone(), PEER, 100, ms(1000)));
    bench.run(ms(900));
    assert_eq!(bench.left, 0);
}

#[test]
fn lost_answers_do_not_keep_the_node_from_stopping() {
    let mut bench = Bench::master(instance(1, 101));
    bench.answer = None;
    bench.act(|routers, cx| routers.stop(cx));
    bench.run(ms(1499));
    assert_eq!(bench.left, 0);
    bench.run(ms(2));
    assert_eq!(bench.left, 1);
    bench.run(ms(5000));
    assert_eq!(bench.left, 1);
}

#[test]
fn a_resigned_router_stays_away_until_it_is_told_to_rejoin() {
    let mut bench = Bench::master(instance(1, 101));
    bench.act(|routers, cx| routers.resign(cx, ID));
    bench.run(ms(20_000));
    assert_eq!(bench.role(ID), Role::Init);
    assert_eq!(bench.left, 0);
    bench.act(|routers, cx| routers.rejoin(cx, ID));
    assert_eq!(bench.role(ID), Role::Backup);
    bench.run(ms(4000));
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn a_stop_before_the_first_dump_is_done_at_once() {
    let mut bench = Bench::cold(&config(alloc::vec![instance(1, 255)]));
    bench.act(|routers, cx| routers.stop(cx));
    assert_eq!(bench.left, 1);
    bench.boot(&[(OURS, 24)], &[]);
    bench.run(ms(10_000));
    assert_eq!(bench.adverts(), []);
}

#[test]
fn a_backup_leaves_without_a_word() {
    let mut bench = Bench::with(instance(1, 101));
    bench.act(|routers, cx| routers.stop(cx));
    assert_eq!(bench.left, 1);
    assert_eq!(bench.adverts(), []);
}
