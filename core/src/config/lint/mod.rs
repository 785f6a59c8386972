//! `standfast lint`: what is wrong between nodes, each of which may be right by itself.
//!
//! Nodes go in as they were read (`Node::read`), a [`Report`] comes out: findings with a place on each side, and a few
//! lines per virtual router. `router` says which instances of the nodes mean the same virtual router; the rules stand
//! one subject to a file: `agree`, `peers`, `order`, `timing`, `script`, `ports`, `manifest`. Pure: no file is read
//! but through [`Source`]. A node that `check` refuses is named and left out of every comparison.

pub mod codes;
pub mod finding;
pub mod place;

mod agree;
mod manifest;
mod order;
mod peers;
mod ports;
mod router;
mod script;
mod timing;
mod yaml;

use super::finding::{Code, Findings, Severity, Span};
use super::load::{self, Language, Loaded, Options};
use super::model::Config;
use super::source::Source;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use finding::{CrossFinding, Place};
use place::Places;
use serde::Serialize;

/// The most nodes that are compared.
pub const MAX_NODES: usize = 64;

/// Another file of a node's folder: a check script, a pod manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Its path, as it is named in findings.
    pub file: String,
    /// What is in it.
    pub text: String,
}

/// A node as its files describe it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Its configuration; `None` when it cannot be run.
    pub config: Option<Config>,
    /// What `check` says.
    pub findings: Findings,
    /// Where everything stands.
    pub places: Places,
    /// Scripts and manifests.
    pub extras: Vec<Extra>,
    /// Configuration files that were not read, since the native file says it all.
    pub ignored: Vec<String>,
}

/// Which files of a folder are its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those that are read, in their order.
    pub inputs: Vec<(Language, String)>,
    /// Those that are not, since there is a native file.
    pub ignored: Vec<String>,
}

/// Chooses among the files of a folder by their names: `standfast.toml` alone, else `keepalived.conf` and `haproxy.cfg`.
#[must_use]
pub fn choose(paths: &[String]) -> Choice {
    let named = |name: &str| paths.iter().find(|path| path.rsplit('/').next() == Some(name)).cloned();
    let pair = [(Language::Keepalived, named("keepalived.conf")), (Language::Haproxy, named("haproxy.cfg"))];
    let pair = pair.into_iter().filter_map(|(language, path)| Some((language, path?)));
    match named("standfast.toml") {
        Some(native) => Choice {
            inputs: alloc::vec![(Language::Native, native)],
            ignored: pair.map(|(_, path)| path).collect(),
        },
        None => Choice { inputs: pair.collect(), ignored: Vec::new() },
    }
}

impl Node {
    /// Reads the files `inputs` of the node `name`.
    #[must_use]
    pub fn read(
        name: &str,
        inputs: &[(Language, &str)],
        extras: Vec<Extra>,
        source: &dyn Source,
        options: &Options,
    ) -> Node {
        let Loaded { config, findings } = load::load(inputs, source, None, options);
        let places = Places::read(inputs, source, options);
        Node { name: Arc::from(name), config, findings, places, extras, ignored: Vec::new() }
    }

    /// A place of this node.
    fn at(&self, span: Span) -> Place {
        Place { node: self.name.clone(), span }
    }
}

/// All there is to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The findings, the worst first.
    pub findings: Vec<CrossFinding>,
    /// Findings beyond [`Findings::MAX`].
    pub dropped: u32,
    /// Lines about each virtual router: order, and how long a takeover takes.
    pub routers: Vec<String>,
}

impl Report {
    /// How many of the findings have `severity`.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn push(&mut self, finding: CrossFinding) {
        if self.findings.len() < Findings::MAX {
            self.findings.push(finding);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Adds a finding of a rule.
    fn say(
        &mut self,
        severity: Severity,
        code: Code,
        places: Vec<Place>,
        message: String,
        help: impl Into<String>,
    ) {
        let help: String = help.into();
        let help = (!help.is_empty()).then_some(help);
        self.push(CrossFinding { severity, code, places, message, help });
    }
}

/// Compares `nodes`, at most [`MAX_NODES`]: what is beyond is not looked at, and said.
#[must_use]
pub fn lint(nodes: &[Node]) -> Report {
    let mut report = Report::default();
    if let Some(first) = nodes.get(MAX_NODES) {
        let message =
            format!("more than {MAX_NODES} nodes: {} and what comes after it is not looked at", first.name);
        let place = Place { node: first.name.clone(), span: Span::whole("(command line)") };
        let help = "compare the nodes of one network at a time";
        report.say(Severity::Error, codes::TOO_MANY_NODES, alloc::vec![place], message, help);
    }
    let nodes = &nodes[..nodes.len().min(MAX_NODES)];
    let refused = nodes.iter().any(|node| node.config.is_none());
    for node in nodes.iter().filter(|node| node.config.is_none()) {
        let message =
            format!("{}'s configuration cannot be run, so it is not compared with the others", node.name);
        let place = node.at(node
            .findings
            .list()
            .first()
            .map_or_else(|| Span::whole("(no file)"), |f| f.span.clone()));
        report.say(Severity::Note, codes::REFUSED_NODE, alloc::vec![place], message, "its errors come first");
    }
    let routers = router::routers(nodes, &mut report);
    for router in &routers {
        if router.members.len() > 1 {
            agree::rules(router, &mut report);
            peers::rules(router, &mut report);
            order::rules(router, &mut report);
        } else if nodes.len() > 1 && !refused {
            router::alone(router, &mut report);
        }
        timing::rules(router, &mut report);
    }
    for node in nodes {
        if let Some(config) = &node.config {
            script::rules(node, config, &mut report);
            ports::rules(node, config, &mut report);
        }
        manifest::rules(node, &mut report);
        ignored(node, &mut report);
    }
    let slow = |report: &Report| report.findings.iter().any(|finding| finding.code == codes::DETECTION);
    let told = if slow(&report) { Some(super::keepalived::codes::SLOW_DETECTION) } else { None };
    checked(nodes, told, &mut report);
    report.findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
    report
}

/// Files that look like configuration and are not read.
fn ignored(node: &Node, report: &mut Report) {
    for path in &node.ignored {
        let message =
            format!("{path} is not read: standfast.toml in the same folder is the whole configuration");
        let help = "remove one of the two, so that nobody edits the wrong file at night";
        report.say(Severity::Note, codes::NOT_READ, alloc::vec![node.at(Span::whole(path))], message, help);
    }
}

/// What `check` says of each node, once for all nodes that it says it of; `told` was said better already.
fn checked(nodes: &[Node], told: Option<Code>, report: &mut Report) {
    let mut seen: BTreeMap<(Code, String), usize> = BTreeMap::new();
    let mut merged: Vec<CrossFinding> = Vec::new();
    for node in nodes {
        for finding in node.findings.list().iter().filter(|finding| Some(finding.code) != told) {
            let key = (finding.code, finding.message.clone());
            // Twice on one node are two places to look at, each with its own words.
            let before = seen.get(&key).map(|at| &mut merged[*at]);
            match before.filter(|before| before.places.iter().all(|place| place.node != node.name)) {
                Some(before) => before.places.push(node.at(finding.span.clone())),
                None => {
                    seen.insert(key, merged.len());
                    merged.push(CrossFinding::of_one(&node.name, finding));
                }
            }
        }
        report.dropped = report.dropped.saturating_add(node.findings.dropped);
    }
    for finding in merged {
        report.push(finding);
    }
}
