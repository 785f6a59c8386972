//! The real checks on turmoil's streams: connects, the old SSL hello, TLS and HTTPS, by the simulated date.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use sim::des::shape::Shape;
use sim::net::board::{Backend, Try};
use sim::net::cluster::Cluster;
use sim::net::setup::{PROBINGS, Probing, Setup};
use standfast_core::config::model::Version;
use std::time::Duration;

fn cluster(probing: Probing, valid: Duration) -> Cluster {
    let setup = Setup::new(&Shape::three(Version::V3, false), 9);
    let mut cluster = Cluster::build(&Setup { probing, valid, every: Duration::from_secs(1), ..setup });
    cluster.pass(Duration::from_secs(12));
    cluster.settled(0).unwrap();
    cluster
}

/// How many servers the first node has published as usable.
fn usable(cluster: &Cluster) -> usize {
    cluster.board().borrow().nodes[0].servers.values().filter(|usable| **usable).count()
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn every_way_of_checking_finds_a_dead_server_and_finds_it_alive_again() {
    for probing in PROBINGS {
        let mut cluster = cluster(probing, DAY);
        assert_eq!(usable(&cluster), 3, "{probing:?}");
        cluster.backend(1, Backend::Down);
        cluster.pass(Duration::from_secs(5));
        assert_eq!(usable(&cluster), 2, "{probing:?}");
        cluster.backend(1, Backend::Up);
        cluster.pass(Duration::from_secs(4));
        assert_eq!(usable(&cluster), 3, "{probing:?}");
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_passes_a_connect_and_nothing_else() {
    for probing in PROBINGS {
        let mut cluster = cluster(probing, DAY);
        cluster.backend(1, Backend::Hangs);
        cluster.pass(Duration::from_secs(10));
        let left = if probing == Probing::Tcp { 3 } else { 2 };
        assert_eq!(usable(&cluster), left, "{probing:?}");
    }
}

#[test]
fn certificates_are_judged_by_the_simulated_date_and_fail_the_check_once_they_have_expired() {
    let mut cluster = cluster(Probing::Https, Duration::from_secs(30));
    assert_eq!(usable(&cluster), 3, "valid on the first day of 2026, whatever the day is here");
    cluster.pass(Duration::from_secs(30));
    assert_eq!(usable(&cluster), 0);
    let from = cluster.now();
    cluster.pass(Duration::from_secs(1));
    assert!(cluster.count(from, Try::Refused) >= 8, "{}", cluster.count(from, Try::Refused));
    assert_eq!(cluster.count(from, Try::Served), 0);
}
