//! The real driver on turmoil loses its active node: by power, by a clean stop, by signal 9, by its check.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::shape::Shape;
use sim::net::board::Try;
use sim::net::cluster::Cluster;
use standfast_core::config::model::{Family, Version};
use standfast_core::input::Input;
use std::time::Duration;

/// Three intervals, the skew of priority 150 and what travels, is carried out and tried in between.
const TAKEOVER: Duration = Duration::from_millis(3_000 + 414 + 250);

fn settled(version: Version, unicast: bool) -> Cluster {
    let mut cluster = Cluster::new(&Shape::three(version, unicast), 7, false);
    cluster.pass(Duration::from_secs(12));
    cluster.settled(0).unwrap();
    cluster
}

#[test]
fn after_power_loss_the_next_best_takes_over_in_time_and_the_best_comes_back() {
    for (version, unicast) in [(Version::V2, true), (Version::V3, false)] {
        let mut cluster = settled(version, unicast);
        let lost = cluster.now();
        cluster.power_loss(0);
        cluster.pass(Duration::from_secs(8));
        cluster.settled(1).unwrap();
        let outage = cluster.outage(lost);
        assert!(
            outage > Duration::from_secs(2) && outage < TAKEOVER + Duration::from_millis(500),
            "{outage:?}"
        );
        let back = cluster.now();
        cluster.start(0);
        cluster.pass(Duration::from_secs(12));
        cluster.settled(0).unwrap();
        let outage = cluster.outage(back + Duration::from_millis(100));
        assert!(outage <= Duration::from_millis(700), "the return cost {outage:?}");
    }
}

#[test]
fn a_cluster_of_ipv6_fails_over_and_its_client_follows() {
    for unicast in [true, false] {
        let mut shape = Shape::three(Version::V3, unicast);
        shape.routers[0].family = Family::V6;
        let mut cluster = Cluster::new(&shape, 7, false);
        cluster.pass(Duration::from_secs(12));
        cluster.settled(0).unwrap();
        let lost = cluster.now();
        cluster.power_loss(0);
        cluster.pass(Duration::from_secs(8));
        cluster.settled(1).unwrap();
        let outage = cluster.outage(lost);
        assert!(
            outage > Duration::from_secs(2) && outage < TAKEOVER + Duration::from_millis(500),
            "{outage:?}"
        );
        cluster.start(0);
        cluster.pass(Duration::from_secs(12));
        cluster.settled(0).unwrap();
    }
}

#[test]
fn a_clean_stop_costs_the_client_next_to_nothing() {
    for unicast in [true, false] {
        let mut cluster = settled(Version::V3, unicast);
        let told = cluster.now();
        cluster.order(0, Input::Stop);
        cluster.pass(Duration::from_secs(5));
        cluster.settled(1).unwrap();
        let outage = cluster.outage(told);
        assert!(outage <= Duration::from_millis(700), "{outage:?}");
        assert!(cluster.count(told, Try::Served) > 40, "{}", cluster.count(told, Try::Served));
    }
}

#[test]
fn the_kernel_takes_the_address_of_a_killed_daemon_before_a_backup_takes_over() {
    let mut cluster = settled(Version::V2, false);
    cluster.kill(0);
    for _ in 0..700 {
        cluster.pass(Duration::from_millis(10));
        assert!(cluster.holders().len() <= 1, "{:?} at {}", cluster.holders(), cluster.now());
    }
    cluster.settled(1).unwrap();
}

#[test]
fn a_failing_check_moves_the_address_and_a_passing_one_moves_it_back() {
    let mut cluster = settled(Version::V2, true);
    cluster.script_fails(0, true);
    cluster.pass(Duration::from_secs(12));
    cluster.settled(1).unwrap();
    cluster.script_fails(0, false);
    cluster.pass(Duration::from_secs(12));
    cluster.settled(0).unwrap();
}
