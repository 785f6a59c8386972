//! The active node is cut off from everybody else for 7 s and comes back, again and again.
//!
//! Both sides hold the address meanwhile. What counts is what a client sees once the split heals: whether its
//! neighbour table follows the router that stays. `SPLIT_ROUNDS=20` for the full number; 5 otherwise.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::Kind;
use standfast::lab::now_us;
use standfast::lab::stats::Sample;
use std::time::Duration;
use system_tests::{Bench, VIP, all, bench, side_by_side};

const SPLIT: Duration = Duration::from_secs(7);
/// From the split until the other side holds the address.
const TAKEN_OVER: Duration = Duration::from_millis(4500);
const EVERY: Duration = Duration::from_millis(5);
/// How long the client is looked at after healing; who is without answer then counts as "at the wrong router".
const AFTER: Duration = Duration::from_millis(2500);
const LONGEST: Duration = Duration::from_millis(150);

#[test]
fn after_a_healed_split_no_client_is_left_at_the_wrong_router() {
    let bench = bench!("split heals",);
    let rounds = std::env::var("SPLIT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    side_by_side(&bench.kinds(), |kind| {
        std::thread::scope(|scope| {
            scope.spawn(|| measure(&bench, kind, false, rounds));
            measure(&bench, kind, true, rounds);
        });
    });
}

fn measure(bench: &Bench, kind: &Kind, unicast: bool, rounds: usize) {
    let mode = if unicast { "unicast" } else { "multicast" };
    let files = all(kind, |number| {
        let files = Files::guide(Edition::Current, number);
        if unicast { files.unicast(number) } else { files }
    });
    let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
    let (mut sample, mut lost) = (Sample::default(), 0);
    for round in 1..=rounds {
        // Advertisements come every second: each round begins and ends at another moment between two of them.
        std::thread::sleep(Duration::from_millis(370 * u64::try_from(round).unwrap() % 1000));
        cluster.lab_mut().split(&[&["cp1"], &["cp2", "cp3", "client"]]).unwrap();
        // A client that comes while the split lasts: a router that owes an old client an answer would go on asking
        // for it, in the address's name, and so repair its neighbour table by accident.
        std::thread::sleep(TAKEN_OVER);
        cluster.start_client(EVERY).unwrap();
        std::thread::sleep(SPLIT - TAKEN_OVER);
        let healed = now_us();
        cluster.lab_mut().heal().unwrap();
        std::thread::sleep(AFTER);
        let outage = cluster.outage(healed);
        if std::env::var_os("VERBOSE").is_some() {
            println!("{} {mode} {round} healed {healed} {outage:?}\n{}", kind.name(), cluster.said());
        }
        if outage.end.is_none() {
            lost += 1;
            println!("{} {mode} round {round}: no answer for {AFTER:?} after healing", kind.name());
            cluster.lab().client().ip("neighbour flush dev eth0").unwrap();
            std::thread::sleep(Duration::from_secs(1));
        } else {
            sample.add(outage.length());
        }
        cluster.stop_client();
        cluster.watch().wait_for("cp1", Duration::from_secs(5)).unwrap();
    }
    bench.figure(kind, &format!("{mode}: outage after healing"), &sample);
    bench.figure(kind, &format!("{mode}: rounds that left the client without answer"), lost);
    if *kind != Kind::Pair {
        assert_eq!(lost, 0, "{mode}\n{}", cluster.said());
        assert!(sample.longest() <= LONGEST, "{mode} {sample}\n{}", cluster.said());
    }
}
