//! The recorded traces of keepalived (reference 2.24), one folder each: a keepalived.conf, a story and what the node did.
//! Where we do otherwise on purpose, the folder has a `differs` that says what and why. `UPDATE_GOLDEN=1` writes the traces.
#![allow(clippy::unwrap_used, reason = "a test")]

mod behaviour;

use behaviour::Stage;
use std::path::Path;

#[test]
fn each_recorded_trace_is_followed() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let mut folders: Vec<_> = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 16, "{folders:?}");
    let mut wrong = Vec::new();
    for folder in folders {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let found = Stage::told(&read("keepalived.conf"), &read("story")) + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(folder.join("trace"), &found).unwrap();
        }
        if found != read("trace") {
            wrong.push(format!("== {}\n-- recorded\n{}-- now\n{found}", folder.display(), read("trace")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
