//! `lint`: reads several nodes, says what is wrong between them, changes nothing. Needs no privilege.
//!
//! A node's files are those of another machine: a check script that lies in the folder stands for the one that the
//! configuration names, one that does not is not complained about, and `@NAME` lines are kept for the node's name.

use crate::check::{ERRORS, WARNINGS};
use crate::cli::LintArgs;
use crate::source::FsSource;
use crate::text;
use standfast_core::config::finding::{Finding, Severity, Span};
use standfast_core::config::keepalived::codes::EMPTY;
use standfast_core::config::lint::{self, Choice, Extra, Node, Report};
use standfast_core::config::load::{Language, Options, guess_language};
use standfast_core::config::source::{ReadError, ScriptState, Source};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

/// The largest script or manifest that is looked at, in bytes.
pub const MAX_EXTRA: u64 = 256 * 1024;
/// The most scripts and manifests of a node.
pub const MAX_EXTRAS: usize = 64;
/// Exit code for a command line that cannot be understood.
const USAGE: u8 = 2;

/// The world as the node sees it, not this host.
struct NodeSource {
    inner: FsSource,
    name: String,
    /// File names in its folder.
    beside: Vec<String>,
}

impl Source for NodeSource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self.inner.read(path)
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.inner.glob(pattern)
    }

    fn script(&self, path: &str) -> ScriptState {
        let name = path.rsplit('/').next().unwrap_or(path);
        if self.beside.iter().any(|file| file == name) { ScriptState::Runnable } else { ScriptState::Unknown }
    }

    fn env(&self, name: &str) -> Option<String> {
        self.inner.env(name)
    }

    fn host(&self) -> String {
        self.name.clone()
    }

    fn user(&self, _user: &str) -> Option<bool> {
        None
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        self.inner.resolve(name)
    }
}

/// A node as the command line names it: its name, its folder or its files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    name: String,
    files: Vec<String>,
    folder: Option<String>,
}

/// Takes `folder`, or `name=file,file`, apart; what is wrong in words.
fn named(word: &str) -> Result<Named, String> {
    if Path::new(word).is_dir() {
        let folder = word.trim_end_matches('/');
        let shown = std::fs::canonicalize(word).ok();
        let name = shown.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        let name = name.unwrap_or(folder).to_string();
        return Ok(Named { name, files: Vec::new(), folder: Some(folder.into()) });
    }
    match word.split_once('=') {
        Some((name, files)) if !name.is_empty() && !files.is_empty() => {
            let files = files.split(',').map(String::from).collect();
            Ok(Named { name: name.into(), files, folder: None })
        }
        Some(_) | None if Path::new(word).exists() => {
            Err(format!("{word} is a file: give the node's folder, or NAME={word}"))
        }
        Some(_) | None => {
            Err(format!("there is no folder {word}: give each node's folder, or NAME=FILE,FILE"))
        }
    }
}

/// The files of a folder, sorted; a folder with the name of a configuration file is one of them, so that it is
/// refused as such: that is what a mount makes of a missing file.
fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let configuration = |name: &std::ffi::OsStr| {
        ["keepalived.conf", "haproxy.cfg", "standfast.toml"].iter().any(|known| name == *known)
    };
    let mut found: Vec<String> = entries
        .filter(|entry| entry.path().is_file() || configuration(&entry.file_name()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(|name| format!("{folder}/{name}"))
        .collect();
    found.sort();
    found
}

/// The scripts and manifests among `paths`: texts that are not too large.
fn extras(paths: &[String]) -> Vec<Extra> {
    let small = |path: &&String| std::fs::metadata(path).is_ok_and(|about| about.len() <= MAX_EXTRA);
    let texts = paths
        .iter()
        .filter(small)
        .filter_map(|path| Some(Extra { file: path.clone(), text: std::fs::read_to_string(path).ok()? }));
    texts.take(MAX_EXTRAS).collect()
}

fn read(named: &Named) -> Node {
    let (choice, others) = match &named.folder {
        Some(folder) => {
            let files = files(folder);
            let choice = lint::choose(&files);
            let taken = |path: &String| {
                choice.inputs.iter().any(|(_, input)| input == path) || choice.ignored.contains(path)
            };
            let others: Vec<String> = files.iter().filter(|path| !taken(path)).cloned().collect();
            (choice, others)
        }
        None => (given(&named.files), named.files.clone()),
    };
    let is_extra = |path: &&String| choice.inputs.iter().all(|(_, input)| input != *path);
    let others: Vec<String> = others.iter().filter(is_extra).cloned().collect();
    let beside = others.iter().filter_map(|path| path.rsplit('/').next()).map(String::from).collect();
    let source = NodeSource { inner: FsSource::default(), name: named.name.clone(), beside };
    let inputs: Vec<(Language, &str)> =
        choice.inputs.iter().map(|(language, path)| (*language, path.as_str())).collect();
    let mut node = Node::read(&named.name, &inputs, extras(&others), &source, &Options::default());
    node.ignored = choice.ignored;
    if inputs.is_empty() {
        let place = named.folder.clone().unwrap_or_else(|| named.files.join(","));
        node.config = None;
        node.findings.push(Finding {
            severity: Severity::Error,
            code: EMPTY,
            span: Span::whole(&place),
            message: "there is no configuration here".into(),
            help: Some("a node has a keepalived.conf, a haproxy.cfg, or a standfast.toml".into()),
        });
    }
    node
}

/// Files given by name: scripts and manifests by their endings, the rest is configuration.
fn given(files: &[String]) -> Choice {
    let extra = |path: &&String| [".sh", ".yaml", ".yml"].iter().any(|end| path.ends_with(end));
    let language = |path: &String| {
        let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (guess_language(path, &text.unwrap_or_default()), path.clone())
    };
    let inputs = files.iter().filter(|path| !extra(path)).map(language).collect();
    Choice { inputs, ignored: Vec::new() }
}

/// `standfast lint`.
#[must_use]
pub fn lint(args: &LintArgs) -> ExitCode {
    let mut nodes: Vec<Named> = Vec::new();
    for word in &args.nodes {
        match named(word) {
            Ok(node) => nodes.push(node),
            Err(why) => {
                text::err(&format!("error: {why}\n"));
                return ExitCode::from(USAGE);
            }
        }
    }
    distinct(&mut nodes);
    let nodes: Vec<Node> = nodes.iter().map(read).collect();
    let report = lint::lint(&nodes);
    if args.json {
        let names: Vec<&str> = nodes.iter().map(|node| &*node.name).collect();
        text::out(&format!("{:#}\n", serde_json::json!({ "nodes": names, "report": report })));
    } else {
        print(&report, nodes.len());
    }
    if report.count(Severity::Error) > 0 || nodes.iter().any(|node| node.config.is_none()) {
        ExitCode::from(ERRORS)
    } else if args.deny.is_some() && report.count(Severity::Warning) > 0 {
        ExitCode::from(WARNINGS)
    } else {
        ExitCode::SUCCESS
    }
}

/// Nodes whose folders have the same name are told apart by the whole path.
fn distinct(nodes: &mut [Named]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes.iter() {
        *count.entry(node.name.clone()).or_default() += 1;
    }
    for node in nodes.iter_mut().filter(|node| count.get(&node.name).is_some_and(|n| *n > 1)) {
        node.name = node.folder.clone().unwrap_or_else(|| node.files.join(","));
    }
}

fn print(report: &Report, nodes: usize) {
    for finding in &report.findings {
        text::out(&format!("{finding}\n"));
    }
    if report.dropped > 0 {
        text::out(&format!("and {} more findings\n", report.dropped));
    }
    for line in &report.routers {
        text::out(&format!("{line}\n"));
    }
    let count = |severity, one: &str| {
        let number = report.count(severity);
        format!("{number} {one}{}", if number == 1 { "" } else { "s" })
    };
    text::out(&format!(
        "{nodes} node{}: {}, {}, {}; `standfast explain CODE` says more about each\n",
        if nodes == 1 { "" } else { "s" },
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note")
    ));
}
