//! Routes, rules and static addresses: order, loss, refusal, leftovers, reload, stop.

use super::bench::*;
use crate::action::Action;
use crate::config::item::{Item, Route, Rule, StaticItem};
use crate::config::model::{Config, InstanceConfig};
use crate::event::{Event, ItemNews, Role, Why};
use crate::id::{InstanceId, Ticket};
use crate::input::{Errno, KernelNotice};
use crate::time::Time;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

fn route(line: &str) -> Arc<Item> {
    Arc::new(Item::Route(Route::read(&line.split(' ').collect::<Vec<_>>()).unwrap()))
}

fn rule(line: &str) -> Arc<Item> {
    Arc::new(Item::Rule(Rule::read(&line.split(' ').collect::<Vec<_>>()).unwrap()))
}

const ROUTE: &str = "203.0.113.0/24 via 192.0.2.1";
const RULE: &str = "from 192.0.2.100/32 table 100 priority 50";

fn routed() -> InstanceConfig {
    InstanceConfig { items: vec![route(ROUTE), rule(RULE)], ..instance(1, 150) }
}

/// Which items were asked for since `from`, in order: `+route …`, `-address`.
fn asked(bench: &Bench, from: Time) -> Vec<String> {
    let words = |(at, action): &(Time, Action)| match action {
        _ if *at < from => None,
        Action::Item { item, own, .. } => Some(alloc::format!("{}{item}", if *own { "+" } else { "-" })),
        Action::Address { own, .. } => Some(if *own { "+address" } else { "-address" }.to_string()),
        _ => None,
    };
    bench.seen.iter().filter_map(words).collect()
}

fn news(bench: &Bench) -> Vec<ItemNews> {
    let news = |event: Event| match event {
        Event::Item { news, .. } => Some(news),
        _ => None,
    };
    bench.events().into_iter().filter_map(news).collect()
}

#[test]
fn routes_and_rules_come_after_the_addresses_and_go_before_them() {
    let mut bench = Bench::with(routed());
    bench.seen.clear();
    bench.run(ms(3450));
    let from = bench.seen.iter().find(|(_, a)| matches!(a, Action::Address { .. })).unwrap().0;
    let first: Vec<String> = asked(&bench, from).into_iter().take(3).collect();
    assert_eq!(first, vec!["+address", &*alloc::format!("+route {ROUTE}"), &*alloc::format!("+rule {RULE}")]);
    bench.seen.clear();
    bench.hear(PEER, 200);
    let (route, rule) = (alloc::format!("-route {ROUTE}"), alloc::format!("-rule {RULE}"));
    assert_eq!(asked(&bench, from), vec![rule, route, "-address".into()]);
    assert!(bench.items_there.0.is_empty());
}

#[test]
fn a_lost_route_is_back_at_the_kernels_word_without_a_change_of_role() {
    let mut bench = Bench::master(routed());
    bench.items_there.0.remove(&*route(ROUTE));
    bench.kernel(&KernelNotice::ItemsTouched);
    bench.run(ms(25));
    assert!(bench.items_there.0.contains(&*route(ROUTE)));
    assert_eq!(bench.role(ID), Role::Master);
    assert_eq!(news(&bench), vec![ItemNews::Restored]);
}

#[test]
fn a_route_that_vanished_without_a_word_is_back_within_a_second() {
    let mut bench = Bench::master(routed());
    bench.items_there.0.clear();
    bench.run(ms(1000));
    assert_eq!(bench.items_there.0.len(), 2);
}

#[test]
fn somebody_who_takes_a_route_again_and_again_is_told_of_once_and_fought_ever_more_slowly() {
    let mut bench = Bench::master(routed());
    bench.seen.clear();
    for _ in 0..1200 {
        bench.items_there.0.remove(&*route(ROUTE));
        bench.kernel(&KernelNotice::ItemsTouched);
        bench.run(ms(50));
    }
    assert_eq!(news(&bench), vec![ItemNews::Restored]);
    let back =
        bench.seen.iter().filter(|(_, a)| matches!(a, Action::Item { item, .. } if **item == *route(ROUTE)));
    assert!(back.count() < 16, "each minute some few times");
}

#[test]
fn a_refused_route_is_told_once_and_asked_for_again() {
    let mut bench = Bench::with(routed());
    bench.item = Some(Err(Errno(101)));
    bench.run(ms(14_000));
    assert_eq!(bench.role(ID), Role::Master);
    let told = bench.events().into_iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(told, 2, "the route and the rule, each once");
    bench.item = Some(Ok(()));
    bench.run(ms(8_500));
    assert_eq!(bench.items_there.0.len(), 2);
}

#[test]
fn what_a_killed_run_left_is_removed_at_the_start() {
    let mut bench = Bench::cold(&config(vec![routed()]));
    bench.items_there.0.extend([(*route(ROUTE)).clone(), (*rule(RULE)).clone()]);
    bench.boot(&[(OURS, 24)], &[]);
    assert!(bench.items_there.0.is_empty());
}

#[test]
fn a_reload_moves_only_what_differs() {
    let mut bench = Bench::master(routed());
    let new = "203.0.113.0/25 via 192.0.2.1";
    let changed = InstanceConfig { items: vec![route(new), rule(RULE)], ..routed() };
    bench.act(|routers, cx| routers.configure(cx, &config(vec![changed])));
    let (old, new) = (alloc::format!("-route {ROUTE}"), alloc::format!("+route {new}"));
    assert_eq!(asked(&bench, Time::ZERO), vec![old, new]);
    assert_eq!(bench.role(ID), Role::Master);
}

#[test]
fn a_router_that_a_reload_renames_keeps_its_routes_without_a_request() {
    let mut bench = Bench::master(routed());
    bench.item = None; // what is looked at just now is answered after the reload
    bench.run(ms(1000));
    let open: Vec<Ticket> = bench
        .seen
        .iter()
        .filter_map(|(_, action)| match action {
            Action::Item { ticket, .. } => Some(*ticket),
            _ => None,
        })
        .collect();
    bench.seen.clear();
    let renamed = InstanceConfig { id: InstanceId(9), name: "NEW".into(), ..routed() };
    bench.act(|routers, cx| routers.configure(cx, &config(vec![renamed])));
    assert_eq!(asked(&bench, Time::ZERO), Vec::<String>::new());
    for ticket in open {
        bench.act(|routers, cx| routers.on_done(cx, ticket, Err(Errno::EEXIST)));
    }
    bench.item = Some(Ok(()));
    bench.run(ms(10));
    bench.hear(PEER, 200);
    assert!(bench.items_there.0.is_empty(), "it is still the owner");
}

#[test]
fn a_router_that_a_reload_removes_takes_its_routes_along() {
    let mut bench = Bench::master(routed());
    bench.act(|routers, cx| routers.configure(cx, &config(vec![instance(2, 90)])));
    assert!(bench.items_there.0.is_empty());
}

#[test]
fn of_two_owners_of_one_route_the_last_one_removes_it() {
    let other = InstanceConfig { items: vec![route(ROUTE)], ..instance(2, 150) };
    let mut bench = Bench::new(&config(vec![routed(), other]));
    bench.run(ms(4500));
    bench.hear(PEER, 200);
    assert_eq!((bench.role(ID), bench.role(InstanceId(2))), (Role::Backup, Role::Master));
    assert_eq!(bench.items_there.0.len(), 1, "the rule is gone, the route is the other one's too");
}

fn with_static(followed: bool) -> Config {
    let routers = if followed { vec![ID] } else { Vec::new() };
    let items = vec![StaticItem { item: route(ROUTE), routers }];
    Config { items, ..config(vec![instance(1, 150)]) }
}

#[test]
fn a_static_route_is_there_from_the_start_to_the_stop() {
    let mut bench = Bench::new(&with_static(false));
    assert_eq!(bench.items_there.0.len(), 1);
    bench.act(|routers, cx| routers.stop(cx));
    assert_eq!((bench.items_there.0.len(), bench.left), (0, 1));
}

#[test]
fn a_stop_does_not_wait_for_ever_for_a_silent_kernel() {
    let mut bench = Bench::new(&with_static(false));
    bench.item = None;
    bench.act(|routers, cx| routers.stop(cx));
    assert_eq!(bench.left, 0);
    bench.run(ms(1000));
    assert_eq!(bench.left, 1);
}

#[test]
fn who_follows_a_static_route_is_in_fault_while_the_kernel_refuses_it() {
    let mut bench = Bench::cold(&with_static(true));
    bench.item = Some(Err(Errno(101)));
    bench.boot(&[(OURS, 24)], &[]);
    assert_eq!(bench.role(ID), Role::Fault);
    let why = bench.events().into_iter().find_map(|event| match event {
        Event::Role { why: Why::Tracked { what }, .. } => Some(what),
        _ => None,
    });
    assert_eq!(why.unwrap(), alloc::format!("route {ROUTE} is not there"));
    bench.item = Some(Ok(()));
    bench.run(ms(9_000));
    assert_eq!(bench.role(ID), Role::Master);
}
