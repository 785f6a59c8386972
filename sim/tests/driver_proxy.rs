//! The real proxy and checks on turmoil: clients are served through the holder of the address while backends die.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::shape::Shape;
use sim::net::board::Try;
use sim::net::cluster::Cluster;
use standfast_core::config::model::Version;
use std::time::Duration;

#[test]
fn once_a_dead_backend_is_marked_down_no_client_notices_and_it_comes_back() {
    let mut cluster = Cluster::new(&Shape::three(Version::V2, true), 3, false);
    cluster.pass(Duration::from_secs(12));
    cluster.settled(0).unwrap();
    cluster.server(1, false);
    cluster.pass(Duration::from_secs(12));
    let from = cluster.now();
    cluster.pass(Duration::from_secs(5));
    assert!(cluster.count(from, Try::Served) >= 45, "{}", cluster.count(from, Try::Served));
    assert_eq!(cluster.count(from, Try::Refused) + cluster.count(from, Try::Silent), 0);
    cluster.server(1, true);
    cluster.pass(Duration::from_secs(12));
    cluster.server(0, false);
    cluster.server(2, false);
    cluster.pass(Duration::from_secs(12));
    let from = cluster.now();
    cluster.pass(Duration::from_secs(3));
    assert!(cluster.count(from, Try::Served) >= 25, "{}", cluster.count(from, Try::Served));
}

#[test]
fn without_a_living_backend_clients_are_refused_at_once_and_served_again_when_one_returns() {
    let mut cluster = Cluster::new(&Shape::three(Version::V3, false), 3, false);
    cluster.pass(Duration::from_secs(12));
    (0..3).for_each(|nth| cluster.server(nth, false));
    cluster.pass(Duration::from_secs(14));
    let from = cluster.now();
    cluster.pass(Duration::from_secs(2));
    assert_eq!(cluster.count(from, Try::Served) + cluster.count(from, Try::Silent), 0);
    assert!(cluster.count(from, Try::Refused) >= 15, "{}", cluster.count(from, Try::Refused));
    cluster.server(2, true);
    cluster.pass(Duration::from_secs(8));
    let from = cluster.now();
    cluster.pass(Duration::from_secs(2));
    assert!(cluster.count(from, Try::Served) >= 15, "{}", cluster.count(from, Try::Served));
}
