//! Files as operators have them, pasted into `check` and `simulate`: what is said, word for word, and who is elected.
//!
//! One folder per pair in `tests/operators`, one golden file each; `UPDATE_GOLDEN=1` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What becomes of a pair when its preferred node loses power.
const STORIES: [(&str, &str); 7] = [
    ("dual-stack", "edge2 took over, edge1 took it back"),
    ("firewall", "fw2 took over, fw1 took it back"),
    ("haproxy-pair", "lb2 took over, lb1 took it back"),
    ("mysql", "db2 took over, db1 took it back"),
    ("nginx-three", "n2 took over, n1 took it back"),
    ("nopreempt", "b took over"),
    ("postgres", "pg2 took over, pg1 took it back"),
];

/// Without a virtual address there is nothing that a client of `simulate` could miss.
const CHECKED: [&str; 1] = ["cloud-elastic-ip"];

/// What is refused, and the words that say so.
const REFUSED: [(&str, &str); 1] = [("lvs-director", "`virtual_server` (LVS) is not served")];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("operators")
}

/// What the program says with these arguments, and its exit code.
fn said(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_standfast-for-tests"))
        .args(arguments)
        .current_dir(folder())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (text, output.status.code())
}

fn nodes(pair: &str) -> Vec<String> {
    let folder = std::fs::read_dir(folder().join(pair)).unwrap();
    let mut names: Vec<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Everything that is said about a pair: `check` of its first node, `simulate` of all.
fn all_said(pair: &str) -> String {
    let first = nodes(pair).remove(0);
    let file = format!("{pair}/{first}/keepalived.conf");
    let mut all = String::new();
    let commands = [&["check", "-i", &first, &file][..], &["simulate", pair, "--scenario", "power-loss"]];
    for arguments in &commands[..if CHECKED.contains(&pair) { 1 } else { 2 }] {
        let (text, code) = said(arguments);
        writeln!(all, "$ standfast {}\n{text}exit code {}\n", arguments.join(" "), code.unwrap()).unwrap();
    }
    all
}

#[test]
fn check_takes_every_node_of_every_pair_that_is_served() {
    for pair in STORIES.iter().map(|(pair, _)| *pair).chain(CHECKED) {
        for node in nodes(pair) {
            let (text, code) = said(&["check", "-i", &node, &format!("{pair}/{node}/keepalived.conf")]);
            assert_eq!(code, Some(0), "{pair}/{node}\n{text}");
        }
    }
    for (pair, words) in REFUSED {
        for node in nodes(pair) {
            let (text, code) = said(&["check", "-i", &node, &format!("{pair}/{node}/keepalived.conf")]);
            assert!(code == Some(1) && text.contains(words), "{pair}/{node}\n{text}");
        }
    }
}

#[test]
fn simulate_elects_whom_the_operator_expects() {
    for (pair, story) in STORIES {
        let (text, code) = said(&["simulate", pair, "--scenario", "power-loss"]);
        let told = text.lines().rev().find(|line| line.contains("power loss of ")).unwrap_or_default();
        assert_eq!(code, Some(0), "{pair}\n{text}");
        assert!(told.ends_with(story), "{pair}: {story}\n{text}");
    }
}

#[test]
fn what_is_said_about_them_is_kept() {
    let pairs = STORIES.iter().chain(&REFUSED).map(|(pair, _)| *pair).chain(CHECKED);
    let mut different = String::new();
    for pair in pairs {
        let (path, new) = (folder().join(format!("{pair}.golden")), all_said(pair));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, new).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != new {
            writeln!(different, "--- {pair}\n{new}").unwrap();
        }
    }
    assert!(different.is_empty(), "what is said has changed; UPDATE_GOLDEN=1 writes it anew:\n{different}");
}
