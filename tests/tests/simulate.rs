//! `simulate` on the guide's files and on wrong ones: every word that it says is kept. `UPDATE_GOLDEN=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("simulate")
}

/// What `simulate` says with these arguments, both streams, and its exit code.
fn simulate(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_standfast-for-tests"))
        .arg("simulate")
        .args(arguments)
        .current_dir(folder())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let code = output.status.code().map_or("killed".to_owned(), |code| code.to_string());
    format!(
        "{}{}exit code {code}\n",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Compares with the golden file, or writes it; what differs goes to `different`.
fn compare(golden: &str, said: &str, different: &mut String) {
    let path = folder().join(golden);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, said).unwrap();
    } else if std::fs::read_to_string(&path).unwrap_or_default() != said {
        writeln!(different, "--- {golden}\n{said}").unwrap();
    }
}

const CP1: [&str; 2] = ["../guide/current/cp1/keepalived.conf", "../guide/current/cp1/haproxy.cfg"];

#[test]
fn every_built_in_scenario_is_told_as_before() {
    let mut different = String::new();
    compare("current.golden", &simulate(&["../guide/current"]), &mut different);
    compare("classic.golden", &simulate(&["../guide/classic"]), &mut different);
    compare(
        "one-node.golden",
        &simulate(&[&CP1[..], &["--scenario", "power-loss"]].concat()),
        &mut different,
    );
    let own = ["../guide/current", "--scenario", "switch-reboot.toml"];
    compare("switch-reboot.golden", &simulate(&own), &mut different);
    compare("storm.golden", &simulate(&["../guide/current", "--storm", "1..6"]), &mut different);
    compare("list.golden", &simulate(&["--list"]), &mut different);
    assert!(different.is_empty(), "what `simulate` says has changed:\n{different}");
}

#[test]
fn a_wrong_scenario_file_is_told_with_place_reason_and_remedy() {
    let mut different = String::new();
    let mut names: Vec<String> = std::fs::read_dir(folder().join("wrong"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert!(names.len() >= 13, "only {} wrong files", names.len());
    for name in names {
        let said = simulate(&["../guide/current", "--scenario", &format!("wrong/{name}")]);
        assert!(said.ends_with("exit code 2\n") && said.contains("error[SF50"), "{name}: {said}");
        compare(&format!("wrong/{name}.golden"), &said, &mut different);
    }
    assert!(different.is_empty(), "what `simulate` says has changed:\n{different}");
}

#[test]
fn a_wrong_command_line_is_refused_with_a_remedy() {
    for (arguments, remedy) in [
        (&["../guide/current", "--scenario", "powerloss"][..], "did you mean `power-loss`?"),
        (&["../guide/current", "--scenario", "none.toml"], "the scenario cannot be read"),
        (
            &["../guide/current", "--scenario", "clean-stop", "--assert", "outage<5"],
            "write a number and ms, s or m",
        ),
        (&["../guide/current", "--storm", "9..3"], "write one number, or a range"),
        (&["../guide/current", "--storm", "0..1000000000"], "more than"),
        (&["wrong"], "a node's folder holds the files"),
        (&["../guide/current/cp1", CP1[0]], "give either the files of one node, or one folder per node"),
        (
            &["../guide/current", "--scenario", "clean-stop", "--svg", "no/such/folder/x.svg"],
            "cannot be written",
        ),
    ] {
        let said = simulate(arguments);
        assert!(said.contains(remedy) && said.ends_with("exit code 2\n"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_configuration_that_check_refuses_is_not_simulated() {
    let said = simulate(&["../wrong/07-closing-brace-missing.keepalived.conf"]);
    assert!(said.contains("error[SF") && said.contains("nothing was simulated"), "{said}");
    assert!(said.ends_with("exit code 1\n"), "{said}");
}

#[test]
fn an_assertion_decides_the_exit_code() {
    let run =
        |assertion: &str| simulate(&["../guide/current", "--scenario", "power-loss", "--assert", assertion]);
    let held = run("outage<5s");
    assert!(held.contains("assertions: all hold") && held.ends_with("exit code 0\n"), "{held}");
    let failed = run("outage<1s");
    assert!(failed.contains("`outage<1s` does not hold: outage is 3."), "{failed}");
    assert!(failed.ends_with("exit code 1\n"), "{failed}");
}

#[test]
fn json_says_the_same_as_the_text_and_a_picture_is_well_formed() {
    let picture = std::env::temp_dir().join(format!("standfast-simulate-{}.svg", std::process::id()));
    let shown = picture.display().to_string();
    let said = simulate(&["../guide/current", "--scenario", "power-loss", "--json", "--svg", &shown]);
    let json: serde_json::Value = serde_json::from_str(said.trim_end_matches("exit code 0\n")).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["nodes"], serde_json::json!(["cp1", "cp2", "cp3"]));
    let story = &json["scenarios"][0];
    assert_eq!(story["name"], "power-loss");
    assert!(story["figures"]["outage_ms"].as_u64().unwrap() > 3_000, "{story}");
    assert!(story["events"].as_array().unwrap().iter().any(|event| event["kind"] == "fault"));
    let svg = std::fs::read_to_string(&picture).unwrap();
    std::fs::remove_file(&picture).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    assert!(svg.contains(story["words"].as_str().unwrap()));
}
