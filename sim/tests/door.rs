//! `cargo sim` on the command line: what it prints, and its exit status.

use serde_json::Value;
use std::process::{Command, Output};

fn sim(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).args(words).output().expect("the simulator starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the simulator prints text")
}

#[test]
fn a_range_that_passes_ends_with_status_0_and_says_how_much_was_run() {
    let out = sim(&["run", "--seeds", "0..3"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stdout));
    assert!(text(&out.stdout).starts_with("3 seeds, 0 failed, "), "{}", text(&out.stdout));
    let out = sim(&["run", "--seeds", "0..3", "--json", "--threads", "1"]);
    let sums: Value = serde_json::from_slice(&out.stdout).expect("--json prints JSON");
    assert_eq!((&sums["runs"], &sums["failed"]), (&3.into(), &0.into()));
    assert!(sums["events"].as_u64().is_some_and(|events| events > 0));
}

#[test]
fn a_wrong_command_line_ends_with_status_2_and_says_what_would_be_right() {
    let wrong: [(&[&str], &str); 5] = [
        (&["run", "--seeds", "9..3"], "write A..B with A below B, such as 0..2000"),
        (&["run"], "--seeds <A..B>"),
        (&["rnu"], "unrecognized subcommand 'rnu'"),
        (&["replay", "twelve"], "invalid value 'twelve'"),
        (&[], "Usage: cargo sim"),
    ];
    for (words, remedy) in wrong {
        let out = sim(words);
        assert_eq!(out.status.code(), Some(2), "{words:?}");
        assert!(text(&out.stderr).contains(remedy), "{words:?}: {}", text(&out.stderr));
    }
}

#[test]
fn a_replay_says_the_same_hash_twice_and_its_trace_tells_of_every_node() {
    let once = sim(&["replay", "7", "--json", "--trace"]);
    let twice = sim(&["replay", "7", "--json", "--trace"]);
    assert_eq!(once.stdout, twice.stdout);
    let replay: Value = serde_json::from_slice(&once.stdout).expect("--json prints JSON");
    let trace = replay["trace"].as_array().expect("a trace");
    for node in ["n1", "n2"] {
        let told = trace.iter().filter_map(Value::as_str).any(|line| line.split(' ').nth(1) == Some(node));
        assert!(told, "nothing of {node}");
    }
}

#[test]
fn a_seed_that_passes_has_nothing_to_shrink() {
    let out = sim(&["shrink", "7"]);
    assert_eq!((out.status.code(), text(&out.stdout).contains("passes")), (Some(0), true));
    let out = sim(&["replay", "7", "--shrunk"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("leave --shrunk out"), "{}", text(&out.stderr));
}

#[test]
fn an_unknown_mutant_is_an_error_that_names_the_list() {
    let out = sim(&["mutants", "--only", "no-such-mutant"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("cargo sim mutants --list"), "{}", text(&out.stderr));
}

#[test]
fn marks_are_counted_and_one_that_is_never_reached_ends_with_status_1() {
    let out = sim(&["marks", "--seeds", "0..1", "--json"]);
    let marks: Value = serde_json::from_slice(&out.stdout).expect("--json prints JSON");
    assert!(marks["missing"].as_u64().is_some_and(|missing| missing > 0), "{marks}");
    assert_eq!(out.status.code(), Some(1));
    let all = marks["marks"].as_array().expect("a list");
    assert!(all.iter().all(|mark| mark["seeds"].as_u64().is_some_and(|seeds| seeds <= 1)), "{marks}");
}
