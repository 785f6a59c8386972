//! What is said about wrong and tricky files, word by word. `UPDATE_GOLDEN=1` writes what is said now.
#![allow(clippy::unwrap_used, reason = "a test")]

use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::{MemorySource, ScriptState};
use std::fmt::Write;
use std::path::Path;

/// One input in a world with a few files, one good script, and one account.
fn rendered(name: &str, text: &[u8]) -> String {
    let mut source = MemorySource::with(name, text);
    source.files.insert("more.conf".into(), b"vrrp_script from_include {\n  script /bin/true\n}\n".to_vec());
    source.files.insert("self.conf".into(), b"include self.conf\n".to_vec());
    source.scripts.insert("/bin/true".into(), ScriptState::Runnable);
    source.scripts.insert("/gone.sh".into(), ScriptState::Missing);
    source.scripts.insert("/plain.txt".into(), ScriptState::NotExecutable);
    source.scripts.insert("/home/u/x.sh".into(), ScriptState::Insecure("user u (it owns /home/u)".into()));
    source.users = Some(vec!["root".into(), "nobody".into()]);
    let loaded = load(&[(Language::Keepalived, name)], &source, None, &Options::default());
    let mut out = String::new();
    for finding in loaded.findings.list() {
        writeln!(out, "{finding}").unwrap();
    }
    writeln!(out, "{} errors", loaded.findings.errors()).unwrap();
    out
}

#[test]
fn every_wrong_file_is_answered_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived_findings");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".conf"))
        .collect();
    names.sort();
    assert!(names.len() >= 40, "only {} inputs", names.len());
    let mut wrong = Vec::new();
    for name in names {
        let found = rendered(&name, &std::fs::read(folder.join(&name)).unwrap());
        let golden = folder.join(&name).with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        if found != wanted {
            wrong.push(format!("== {name}\n-- recorded\n{wanted}-- now\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
