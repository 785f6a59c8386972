//! Nodes for the tests of `lint`: the sound pair of `docs/lint/good`, and changes to it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use standfast_core::config::finding::Code;
use standfast_core::config::lint::{self, Extra, Node, Report};
use standfast_core::config::load::{Language, Options};
use standfast_core::config::source::{MemorySource, ScriptState};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files by `node/file`.
pub type Files = BTreeMap<String, String>;

/// The folder of the pages.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lint")
}

/// The sound pair.
pub fn good() -> Files {
    let mut files = Files::new();
    for node in ["cp1", "cp2"] {
        for entry in std::fs::read_dir(docs().join("good").join(node)).expect("the sound pair") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            files.insert(format!("{node}/{name}"), std::fs::read_to_string(&path).expect("text"));
        }
    }
    files
}

/// The node of `files` that is called `name`.
pub fn node(files: &Files, name: &str) -> Node {
    let own: Vec<String> =
        files.keys().filter(|path| path.starts_with(&format!("{name}/"))).cloned().collect();
    let choice = lint::choose(&own);
    let bytes = |(path, text): (&String, &String)| (path.clone(), text.clone().into_bytes());
    let script = ("/etc/keepalived/check_server.sh".to_string(), ScriptState::Runnable);
    let source = MemorySource {
        files: files.iter().map(bytes).collect(),
        scripts: BTreeMap::from([script]),
        host: name.to_string(),
        ..MemorySource::default()
    };
    let inputs: Vec<(Language, &str)> =
        choice.inputs.iter().map(|(language, path)| (*language, path.as_str())).collect();
    let other = |path: &&String| {
        choice.inputs.iter().all(|(_, input)| input != *path) && !choice.ignored.contains(path)
    };
    let extras = own
        .iter()
        .filter(other)
        .map(|path| Extra { file: path.clone(), text: files[path].clone() })
        .collect();
    let mut node = Node::read(name, &inputs, extras, &source, &Options::default());
    node.ignored = choice.ignored;
    node
}

/// What lint says of all nodes of `files`.
pub fn lint(files: &Files) -> Report {
    let mut names: Vec<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    names.dedup();
    let nodes: Vec<Node> = names.iter().map(|name| node(files, name)).collect();
    lint::lint(&nodes)
}

/// The same files with `old` replaced by `new` in one of them.
pub fn with(mut files: Files, path: &str, old: &str, new: &str) -> Files {
    let text = files.get_mut(path).expect("a file to change");
    assert!(text.contains(old), "`{old}` is not in {path}");
    *text = text.replace(old, new);
    files
}

/// Does the report have a finding with this number?
pub fn has(report: &Report, number: u16) -> bool {
    report.findings.iter().any(|finding| finding.code == Code(number))
}

/// The codes of all findings, once each.
pub fn codes(report: &Report) -> Vec<u16> {
    let mut codes: Vec<u16> = report.findings.iter().map(|finding| finding.code.0).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A bare keepalived.conf: these lines in the one virtual router.
pub fn router(vrid: u8, priority: u8, address: &str, lines: &str) -> String {
    format!(
        "vrrp_instance VI {{\n    interface eth0\n    virtual_router_id {vrid}\n    priority {priority}\n    \
         virtual_ipaddress {{\n        {address}\n    }}\n{lines}\n}}\n"
    )
}

/// Nodes n1, n2, ... with one keepalived.conf each.
pub fn nodes(texts: &[String]) -> Files {
    let name = |(nth, text): (usize, &String)| (format!("n{:02}/keepalived.conf", nth + 1), text.clone());
    texts.iter().enumerate().map(name).collect()
}
