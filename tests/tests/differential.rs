//! The same files before `keepalived -t` and before `standfast check`: one verdict, or a difference with its reason.
//!
//! The corpus is `tests/corpus/keepalived`, the reasons are the tables of `docs/keepalived-differences.md`. Every file
//! runs in namespaces of its own kind: bridges eth0 to eth2, host name node1, an empty /run. A difference that is not
//! in the page fails, and so does a row of the page that is no difference any more.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use standfast::lab::node::Kind;
use standfast_core::config::keepalived::keywords;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use system_tests::{Bench, bench};

/// Fewer files than this are no corpus.
const LEAST: usize = 150;

/// What stands before every run: interfaces that are there, and a script that anybody may change.
const WORLD: &str = "ip link set lo up; hostname node1; mount -t tmpfs none /run; mkdir /run/insecure
printf '#!/bin/sh\\nexit 0\\n' > /run/insecure/check.sh; chmod 777 /run/insecure/check.sh
for i in eth0 eth1 eth2; do ip link add $i type bridge; ip link set $i up; done
ip addr add 192.0.2.1/24 dev eth0; ip addr add 198.51.100.1/24 dev eth1
ip addr add 2001:db8::1/64 dev eth0 nodad
cd \"$CORPUS\"; xargs -P 2 -n 1 sh -c '
  o=$OUT/$(echo $1 | tr / .)
  timeout -s KILL 10 keepalived -t -f $1.conf > $o.said 2>&1; echo $? > $o.code
  $STANDFAST check --json $1.conf > $o.json 2>/dev/null' x";

/// `keepalived -t` and `standfast check` of one file.
type Verdicts = (String, String);

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/keepalived")
}

/// Names of the files that stand for themselves: `folder/name`.
fn names() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(corpus()).unwrap() {
        let folder = folder.unwrap().file_name().into_string().unwrap();
        if folder == "inc" {
            continue;
        }
        for file in std::fs::read_dir(corpus().join(&folder)).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            found.insert(format!("{folder}/{}", file.strip_suffix(".conf").unwrap()));
        }
    }
    found
}

/// Lets both read every file; the verdicts by name, and what they said.
fn run(bench: &Bench) -> BTreeMap<String, (Verdicts, String)> {
    let Kind::Standfast(program) = bench.standfast() else { return BTreeMap::new() };
    let out = std::env::temp_dir().join(format!("standfast-differential-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let list: String = names().iter().map(|name| format!("{name}\n")).collect();
    std::fs::write(out.join("list"), list).unwrap();
    let status = Command::new("unshare")
        .args(["-n", "-m", "-u", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", WORLD])
        .env("CORPUS", corpus())
        .env("OUT", &out)
        .env("STANDFAST", program.join(" "))
        .stdin(std::fs::File::open(out.join("list")).unwrap())
        .status()
        .unwrap();
    assert!(status.code().is_some(), "the namespaces were made: {status}");
    let mut found = BTreeMap::new();
    for name in names() {
        let part = |kind: &str| {
            let path = out.join(format!("{}.{kind}", name.replace('/', ".")));
            String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
        };
        let (said, json) = (part("said"), part("json"));
        let theirs = theirs(part("code").trim(), &said);
        let ours = ours(&json).unwrap_or_else(|| panic!("{name}: {json}"));
        found.insert(name, ((theirs.to_owned(), ours.to_owned()), said));
    }
    std::fs::remove_dir_all(&out).unwrap();
    found
}

/// A verdict of keepalived, by its exit code and whether it said anything.
fn theirs(code: &str, said: &str) -> &'static str {
    match code {
        "0" if said.trim().is_empty() => "accept",
        "0" => "warn",
        "1" | "2" | "4" | "5" | "6" => "refuse",
        "137" => "hang",
        _ => "crash",
    }
}

/// A verdict of ours, by its worst finding.
fn ours(json: &str) -> Option<&'static str> {
    let json: serde_json::Value = serde_json::from_str(json).ok()?;
    let findings = json.get("findings")?.as_array()?;
    let has = |severity: &str| findings.iter().any(|f| f["severity"] == severity);
    Some(if has("Error") {
        "refuse"
    } else if has("Warning") {
        "warn"
    } else {
        "accept"
    })
}

/// The rows of the page: verdicts by name, with the heading they stand under.
fn listed() -> BTreeMap<String, Verdicts> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keepalived-differences.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut found = BTreeMap::new();
    let mut reason = "";
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            reason = heading;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, theirs, ours, _] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        assert!(!reason.is_empty(), "{name} stands under a reason");
        let twice = found.insert(name.to_owned(), (theirs.to_owned(), ours.to_owned()));
        assert!(twice.is_none(), "{name} is listed twice");
    }
    found
}

#[test]
fn both_give_every_file_the_same_verdict_or_the_page_says_why_not() {
    let bench = bench!("differential", "timeout", "xargs", "hostname");
    let found = run(&bench);
    assert!(found.len() >= LEAST, "{} files", found.len());
    let listed = listed();
    let mut wrong = String::new();
    for (name, (verdicts, said)) in &found {
        let (theirs, ours) = verdicts;
        match listed.get(name) {
            Some(row) if row == verdicts && theirs != ours => {}
            Some(_) if theirs == ours => writeln!(wrong, "{name}: no difference any more: {theirs}").unwrap(),
            None if theirs == ours => {}
            Some(_) | None => {
                let first = said.lines().next().unwrap_or_default();
                writeln!(wrong, "| `{name}` | {theirs} | {ours} |   keepalived: {first}").unwrap();
            }
        }
    }
    for name in listed.keys().filter(|name| !found.contains_key(*name)) {
        writeln!(wrong, "{name}: there is no such file").unwrap();
    }
    assert!(wrong.is_empty(), "docs/keepalived-differences.md is not true:\n{wrong}");
    let same = found.values().filter(|((theirs, ours), _)| theirs == ours).count();
    println!("FIGURE differential: {} files, {same} with the same verdict", found.len());
}

#[test]
fn every_keyword_of_the_tables_stands_in_a_file_of_the_corpus() {
    let mut words = BTreeSet::new();
    for name in names() {
        let bytes = std::fs::read(corpus().join(format!("{name}.conf"))).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        words.extend(text.split_whitespace().map(|word| word.trim_end_matches('{').to_owned()));
    }
    let missing: Vec<&str> =
        keywords().iter().map(|row| row.word).filter(|word| !words.contains(*word)).collect();
    assert!(missing.is_empty(), "in no file: {}", missing.join(" "));
}
