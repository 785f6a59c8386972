//! The real driver on turmoil through partitions, both ways and one way.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::shape::Shape;
use sim::net::cluster::Cluster;
use standfast_core::config::model::Version;
use std::time::Duration;

fn settled(unicast: bool) -> Cluster {
    let mut cluster = Cluster::new(&Shape::three(Version::V2, unicast), 11, false);
    cluster.pass(Duration::from_secs(12));
    cluster.settled(0).unwrap();
    cluster
}

#[test]
fn after_a_split_has_healed_there_is_one_holder_and_neighbours_point_at_it_at_once() {
    for unicast in [true, false] {
        let mut cluster = settled(unicast);
        cluster.split(0);
        cluster.pass(Duration::from_secs(7));
        assert_eq!(cluster.masters(), [0, 1], "each side has a master");
        let healed = cluster.now();
        cluster.rejoin(0);
        cluster.pass(Duration::from_secs(2));
        cluster.settled(0).unwrap();
        // The client tries every 100 ms.
        assert!(cluster.outage(healed) <= Duration::from_millis(250), "{:?}", cluster.outage(healed));
    }
}

#[test]
fn a_master_that_nobody_hears_is_replaced_and_takes_over_again_when_heard() {
    let mut cluster = settled(false);
    cluster.mute(0);
    cluster.pass(Duration::from_secs(7));
    assert!(cluster.masters().contains(&1), "{:?}", cluster.masters());
    cluster.rejoin(0);
    cluster.pass(Duration::from_secs(2));
    cluster.settled(0).unwrap();
}

#[test]
fn a_backup_that_is_cut_off_holds_the_address_alone_and_gives_it_up_when_it_returns() {
    let mut cluster = settled(true);
    cluster.isolate(2);
    cluster.pass(Duration::from_secs(7));
    assert_eq!(cluster.masters(), [0, 2]);
    cluster.rejoin(2);
    cluster.pass(Duration::from_secs(3));
    cluster.settled(0).unwrap();
}
