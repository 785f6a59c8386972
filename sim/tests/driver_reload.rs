//! The real driver on turmoil is given another configuration, or none that differs, or an operator's order.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::shape::{Shape, Tweak};
use sim::net::board::Try;
use sim::net::cluster::Cluster;
use standfast_core::config::model::Version;
use standfast_core::input::{Input, Order};
use std::sync::Arc;
use std::time::Duration;

fn settled() -> Cluster {
    let mut cluster = Cluster::new(&Shape::three(Version::V3, true), 5, false);
    cluster.pass(Duration::from_secs(12));
    cluster.settled(0).unwrap();
    cluster
}

#[test]
fn a_reload_without_a_difference_changes_nothing() {
    let (mut cluster, mut other) = (settled(), settled());
    let config = cluster.board().borrow().nodes[0].config.clone();
    cluster.order(0, Input::Configure(config));
    cluster.pass(Duration::from_secs(5));
    other.pass(Duration::from_secs(5));
    cluster.settled(0).unwrap();
    let roles = |cluster: &Cluster| cluster.board().borrow().roles.clone();
    assert_eq!(roles(&cluster), roles(&other));
    assert_eq!(cluster.count(cluster.now(), Try::Refused), 0);
}

#[test]
fn a_reload_with_another_priority_moves_the_address_and_cuts_no_client_off_for_long() {
    let mut cluster = settled();
    let config = cluster.board().borrow().nodes[0].config.clone();
    let began = cluster.now();
    cluster.order(0, Input::Configure(Arc::new(Tweak::Priority(-80).apply(&config, &config))));
    cluster.pass(Duration::from_secs(8));
    cluster.settled(1).unwrap();
    assert!(cluster.outage(began) <= Duration::from_millis(700), "{:?}", cluster.outage(began));
    cluster.order(0, Input::Configure(config));
    cluster.pass(Duration::from_secs(8));
    cluster.settled(0).unwrap();
}

#[test]
fn an_order_to_resign_hands_over_until_the_node_may_take_part_again() {
    let mut cluster = settled();
    let id = *cluster.board().borrow().nodes[0].config.instances.keys().next().unwrap();
    let began = cluster.now();
    cluster.order(0, Input::Order(Order::Resign(id)));
    cluster.pass(Duration::from_secs(8));
    cluster.settled(1).unwrap();
    assert!(cluster.outage(began) <= Duration::from_millis(700), "{:?}", cluster.outage(began));
    cluster.order(0, Input::Order(Order::Rejoin(id)));
    cluster.pass(Duration::from_secs(8));
    cluster.settled(0).unwrap();
}
