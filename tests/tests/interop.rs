//! keepalived beside keepalived and standfast beside keepalived, from the same files: the same router is active after
//! every event, after the same time. The table is `docs/interop.md`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::process::Result;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};
use system_tests::interop::judge::{self, Attempt};
use system_tests::interop::stage::Stage;
use system_tests::interop::witness::Witness;
use system_tests::interop::{Party, Play, rows};
use system_tests::{Bench, bench};

/// Laboratories that are built at once.
const BUILDERS: usize = 3;
/// Attempts at a play whose first one shows a difference, the first included: the medians decide.
const ATTEMPTS: usize = 3;

/// Between the starts of two pairs.
const APART: Duration = Duration::from_millis(137);

/// One pair at one play.
type Place = (usize, usize);

#[test]
fn a_pair_with_standfast_behaves_as_a_pair_of_keepalived() {
    let bench = bench!("interop", "zebra", "vrrpd", "vtysh", "tcpdump", "setpriv");
    if std::env::var_os("PEER_ONLY").is_some() {
        return;
    }
    let only = std::env::var("INTEROP_ONLY").unwrap_or_default();
    let plays: Vec<Play> = rows::all().into_iter().filter(|play| play.name.contains(&only)).collect();
    let began = Instant::now();
    let places: Vec<Place> = plays
        .iter()
        .enumerate()
        .flat_map(|(play, found)| (0..found.pairs.len()).map(move |pair| (play, pair)))
        .collect();
    let mut all: BTreeMap<Place, Vec<Attempt>> = BTreeMap::new();
    run(&bench, &plays, &places, &mut all);
    println!(
        "FIGURE interop: {} plays, {} pairs of routers in {:?}",
        plays.len(),
        places.len(),
        began.elapsed()
    );
    let again: Vec<Place> = places
        .iter()
        .copied()
        .filter(|(play, _)| !differences(&plays[*play], *play, &all).is_empty())
        .collect();
    if !again.is_empty() {
        for (play, _) in again.iter().filter(|(_, pair)| *pair == 0) {
            println!("once more: {}", differences(&plays[*play], *play, &all).join("\n           "));
        }
        let twice: Vec<Place> = (1..ATTEMPTS).flat_map(|_| again.iter().copied()).collect();
        run(&bench, &plays, &twice, &mut all);
        println!("FIGURE interop: with repetitions {:?}", began.elapsed());
    }
    let table: Vec<(&Play, Vec<Attempt>)> =
        plays.iter().enumerate().map(|(nth, play)| (play, settled(play, nth, &all))).collect();
    let page = judge::page(&table);
    println!("{page}");
    let wrong: Vec<String> =
        plays.iter().enumerate().flat_map(|(nth, play)| differences(play, nth, &all)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_empty() {
        against_the_page(&page);
    }
}

fn settled(play: &Play, nth: usize, all: &BTreeMap<Place, Vec<Attempt>>) -> Vec<Attempt> {
    (0..play.pairs.len()).map(|pair| judge::settled(&all[&(nth, pair)])).collect()
}

fn differences(play: &Play, nth: usize, all: &BTreeMap<Place, Vec<Attempt>>) -> Vec<String> {
    let settled = settled(play, nth, all);
    let others = settled.iter().enumerate().skip(1);
    others.flat_map(|(pair, found)| judge::differences(play, pair, &settled[0], found)).collect()
}

/// Builds a LAN for every place, then plays all of them at the same time.
fn run(bench: &Bench, plays: &[Play], places: &[Place], all: &mut BTreeMap<Place, Vec<Attempt>>) {
    let (builders, ready) = (Mutex::new(BUILDERS), Condvar::new());
    let (all_built, witness) = (Barrier::new(places.len()), Witness::default());
    let found: Vec<Attempt> = std::thread::scope(|scope| {
        let (builders, ready, all_built, witness) = (&builders, &ready, &all_built, &witness);
        scope.spawn(|| witness.watch());
        let start = |(nth, (play, pair)): (usize, &Place)| {
            let (play, pair) = (&plays[*play], plays[*play].pairs[*pair]);
            scope.spawn(move || {
                *ready.wait_while(builders.lock().unwrap(), |free| *free == 0).unwrap() -= 1;
                let stage = Stage::new(bench, play, pair);
                *builders.lock().unwrap() += 1;
                ready.notify_one();
                all_built.wait();
                // One after the other, so that not all of them act in the same instant.
                std::thread::sleep(APART * u32::try_from(nth).unwrap());
                match stage.and_then(|stage| attempt(stage, play, pair, witness)) {
                    Ok(outcomes) => outcomes,
                    Err(trouble) => judge::spoilt(play, &trouble.to_string()),
                }
            })
        };
        let running: Vec<_> = places.iter().enumerate().map(start).collect();
        let found = running.into_iter().map(|thread| thread.join().unwrap()).collect();
        witness.end();
        found
    });
    for (place, outcomes) in places.iter().zip(found) {
        all.entry(*place).or_default().push(outcomes);
    }
}

fn attempt(mut stage: Stage, play: &Play, pair: [Party; 2], witness: &Witness) -> Result<Attempt> {
    let moments = stage.play()?;
    if std::env::var_os("VERBOSE").is_some() {
        println!("{} {pair:?}\n{}\n{}", play.name, stage.said(), stage.captured());
    }
    let frr = pair.map(|party| party == Party::Frr);
    Ok(judge::outcomes(play, &stage.captured(), &moments, frr, witness))
}

fn against_the_page(new: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/interop.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, new).unwrap();
        return;
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((old, new)) = judge::moved(&old, new) {
        panic!("docs/interop.md says\n  {old}\nand now it is\n  {new}\nUPDATE_GOLDEN=1 writes it anew");
    }
}
