//! A backend dies and comes back: clients notice nothing, before and after it is marked down. One that says that it is
//! sick gets no more clients, if the files ask it.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::cluster::Cluster;
use standfast::lab::guide::{Edition, Files};
use standfast::lab::node::Kind;
use standfast::lab::now_us;
use std::time::Duration;
use system_tests::{Bench, VIP, all, bench, side_by_side};

/// Three checks 2 s apart and their answers.
const MARKED_DOWN: Duration = Duration::from_secs(8);
/// Two checks 2 s apart.
const MARKED_UP: Duration = Duration::from_secs(6);
/// Questions that the backend had taken but not answered when it was killed.
const IN_FLIGHT: usize = 3;

#[test]
fn no_client_sees_an_error_when_a_backend_is_killed() {
    let bench = bench!("backend dies",);
    side_by_side(&bench.kinds(), |kind| {
        std::thread::scope(|scope| {
            scope.spawn(|| backend_dies(&bench, kind, Edition::Classic));
            backend_dies(&bench, kind, Edition::Current);
        });
    });
}

fn backend_dies(bench: &Bench, kind: &Kind, edition: Edition) {
    let files = all(kind, |number| Files::guide(edition, number));
    let mut cluster = Cluster::start(&bench.plan(), VIP, files).unwrap();
    cluster.start_client(Duration::from_millis(5)).unwrap();
    let killed = cluster.kill_backend(2);
    std::thread::sleep(MARKED_DOWN);
    let down = now_us();
    std::thread::sleep(Duration::from_secs(1));
    cluster.start_backend(2).unwrap();
    std::thread::sleep(MARKED_UP);
    let up = now_us();
    std::thread::sleep(Duration::from_secs(1));
    cluster.set_sick(3, true).unwrap();
    std::thread::sleep(MARKED_DOWN);
    let sick = now_us();
    std::thread::sleep(Duration::from_secs(1));

    let report = cluster.report();
    let before = report.between(killed - 50_000, down);
    let failed: usize = before.failures().values().sum();
    let slow = before.attempts.iter().map(|attempt| attempt.took).max().unwrap_or_default();
    bench.figure(kind, &format!("{edition:?} files: errors until it is marked down"), failed);
    bench.figure(kind, &format!("{edition:?} files: slowest answer until then, ms"), slow / 1000);
    let answers = |from: u64, to| {
        let part = report.between(from, to);
        let by = |name: &str| {
            let named = part.attempts.iter().filter_map(|attempt| attempt.result.as_ref().ok());
            named.filter(|answer| answer.starts_with(name)).count()
        };
        (by("cp1"), by("cp2"), by("cp3"))
    };
    let (one, two, three) = answers(down, down + 1_000_000);
    assert_eq!(two, 0, "{} {edition:?}: the dead one answers?", kind.name());
    assert!(one > 0 && three > 0, "{} {edition:?}: {one} {three}", kind.name());
    let (one, two, three) = answers(up, up + 1_000_000);
    assert!(one > 0 && two > 0 && three > 0, "{} {edition:?}: {one} {two} {three}", kind.name());
    // The guide of 2020 asks no server for /healthz, although its file says so: the last check option wins.
    let (_, _, three) = answers(sick, sick + 1_000_000);
    assert_eq!(
        three > 0,
        edition == Edition::Classic,
        "{} {edition:?}: {three} by the sick one",
        kind.name()
    );
    if *kind != Kind::Pair {
        assert!(failed <= IN_FLIGHT, "{:?}\n{}", before.failures(), cluster.said());
        let later = report.between(down, u64::MAX).failures();
        assert!(later.is_empty(), "{later:?}\n{}", cluster.said());
    }
}
