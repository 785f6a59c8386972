//! What is said about wrong or tricky haproxy.cfg files: each `*.cfg` has its `*.txt` beside it.
//!
//! `UPDATE_GOLDEN=1` writes the expected texts anew.

use standfast_core::config::finding::Findings;
use standfast_core::config::haproxy;
use standfast_core::config::load::Options;
use standfast_core::config::model::Config;
use standfast_core::config::source::MemorySource;
use std::fmt::Write as _;
use std::path::Path;

/// A world in which some names and variables are there.
fn world(text: &[u8]) -> MemorySource {
    let mut source = MemorySource::with("haproxy.cfg", text);
    source.files.insert("/good.pem".into(), b"-----BEGIN CERTIFICATE-----\n".to_vec());
    for (name, value) in [("PORT", "8443"), ("ADDR", "192.0.2.11"), ("SPORT", "6443")] {
        source.env.insert(name.into(), value.into());
    }
    source.names.insert("node.example".into(), vec![[192, 0, 2, 77].into()]);
    source
}

fn said(text: &[u8]) -> String {
    let (mut config, mut findings) = (Config::default(), Findings::default());
    haproxy::read("haproxy.cfg", &world(text), &mut config, &mut findings, &Options::default());
    let mut out = String::new();
    for finding in findings.list() {
        assert!(haproxy::explain(finding.code).is_some(), "{finding}");
        let _ = writeln!(out, "{finding}");
    }
    let _ = writeln!(out, "{} errors", findings.errors());
    out
}

#[test]
fn every_wrong_file_gets_the_findings_that_were_agreed_upon() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/haproxy_findings");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cfg"))
        .collect();
    names.sort();
    assert!(names.len() >= 40, "{} files", names.len());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    for path in names {
        let found = said(&std::fs::read(&path).expect("a golden input"));
        let golden = path.with_extension("txt");
        if update {
            std::fs::write(&golden, &found).expect("a golden file can be written");
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            let _ = writeln!(wrong, "--- {}\n{found}", path.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
