//! Packets that no virtual router is for are counted by name, and told at most once per sender.

use super::super::*;
use super::bench::*;
use crate::event::PacketError;
use alloc::vec;

fn strays(bench: &Bench, error: PacketError) -> u64 {
    bench.routers.strays().get(error.as_str()).copied().unwrap_or(0)
}

fn told(bench: &Bench) -> usize {
    bench.events().iter().filter(|event| matches!(event, Event::Rejected { instance: None, .. })).count()
}

#[test]
fn an_unknown_vrid_is_counted_and_told_only_when_the_operator_wants_it() {
    for (log, tellings) in [(false, 0), (true, 1)] {
        let mut config = config(vec![instance(1, 100)]);
        config.node.log_unknown_vrids = log;
        let mut bench = Bench::new(&config);
        let payload = advert_of(&instance(2, 100), PEER, 200, ms(1000));
        let timers = bench.timers.clone();
        for _ in 0..10 {
            bench.raw(PEER, 255, &payload);
        }
        assert_eq!(strays(&bench, PacketError::UnknownVrid), 10);
        assert_eq!((told(&bench), &timers), (tellings, &bench.timers));
        bench.raw(PEER, 255, &payload[..1]);
        assert_eq!(strays(&bench, PacketError::Length), 1);
    }
}

#[test]
fn a_vrid_of_ours_on_another_interface_is_unknown_there() {
    let mut bench = Bench::with(instance(1, 100));
    let payload = advert_of(&instance(1, 100), PEER, 200, ms(1000));
    let (from, to) = (ip(PEER), ip("224.0.0.18"));
    let packet = Packet { on: Interface(9), from, to, hops: 255, payload: &payload };
    bench.act(|routers, cx| routers.on_packet(cx, &packet));
    assert_eq!(strays(&bench, PacketError::UnknownVrid), 1);
}

#[test]
fn what_a_router_in_fault_does_not_hear_is_no_stray() {
    let mut bench = Bench::with(instance(1, 100));
    bench.kernel(&link(false));
    bench.hear(PEER, 200);
    assert!(bench.routers.strays().is_empty());
}

#[test]
fn senders_past_the_limit_are_counted_but_not_told() {
    let mut config = config(vec![instance(1, 100)]);
    config.node.log_unknown_vrids = true;
    let mut bench = Bench::new(&config);
    let payload = advert_of(&instance(2, 100), PEER, 200, ms(1000));
    for n in 0..=receive::MAX_COMPLAINTS {
        bench.raw(&alloc::format!("198.51.100.{n}"), 255, &payload);
    }
    assert_eq!(told(&bench), receive::MAX_COMPLAINTS);
    assert_eq!(strays(&bench, PacketError::UnknownVrid), 65);
}
