//! The same stories in network namespaces and in tier 1 of the simulator: same order of events, same times.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use system_tests::fidelity::judge::{self, Expected};
use system_tests::fidelity::{Case, cases, model, real};
use system_tests::{Bench, bench};

/// Laboratories at once.
const AT_ONCE: usize = 6;
/// A machine may stall for longer than the model knows, but not twice in the same story.
const ATTEMPTS: u32 = 2;

#[test]
fn the_simulator_and_the_real_binary_tell_the_same_stories() {
    let bench = bench!("fidelity",);
    if std::env::var_os("PEER_ONLY").is_some() {
        return;
    }
    let only = std::env::var("FIDELITY_ONLY").unwrap_or_default();
    let cases: Vec<Case> = cases::all().into_iter().filter(|case| case.name.contains(&only)).collect();
    let began = Instant::now();
    let (next, sections) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); cases.len()]));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((nth, case)) =
                    cases.get(next.fetch_add(1, Ordering::Relaxed)).map(|case| (at(&cases, case), case))
                {
                    let (section, found) = compare(&bench, case);
                    sections.lock().unwrap()[nth] = section;
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    println!("{} stories in {:?}", cases.len(), began.elapsed());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if only.is_empty() {
        against_the_table(&judge::table(&sections.into_inner().unwrap()));
    }
}

fn at(cases: &[Case], case: &Case) -> usize {
    cases.iter().position(|other| other.name == case.name).unwrap()
}

/// The story's part of the table, and what differs.
fn compare(bench: &Bench, case: &Case) -> (String, Vec<String>) {
    let began = Instant::now();
    let expected = Expected::new(&model::runs(case));
    let model = began.elapsed();
    let mut found = Vec::new();
    for attempt in 1..=ATTEMPTS {
        let run = real::run(bench, case).unwrap_or_else(|trouble| panic!("{}: {trouble}", case.name));
        found = expected.differences(case, &run);
        let worst = run.took.iter().max().copied().unwrap_or(0) + run.late;
        let count: usize = run.seen.values().map(Vec::len).sum();
        println!(
            "FIGURE fidelity {:<40} {count} events, machine late by {worst} ms at most, model in {model:?}",
            case.name
        );
        if found.is_empty() {
            return (judge::section(case, &expected, Some(&run)), found);
        }
        println!("attempt {attempt}: {}", found.join("\n"));
        if std::env::var_os("VERBOSE").is_some() {
            println!("{}", run.said);
        }
    }
    (judge::section(case, &expected, None), found)
}

fn against_the_table(new: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/fidelity.md");
    if std::env::var_os("FIDELITY_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, new).unwrap();
        return;
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((old, new)) = judge::moved(&old, new) {
        panic!("docs/fidelity.md says\n  {old}\nand now it is\n  {new}\nFIDELITY_BLESS=1 writes it anew");
    }
}
