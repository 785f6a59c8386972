//! keepalived.conf, the VRRP side, into the model.
//!
//! `reader` turns files into statements (`text`, `expand`, `include`, `tree`), `keyword` and the tables of `root`,
//! `globals`, `script`, `instance`, `group` turn those into drafts, `finish` and `lower` into the model. Every keyword
//! of keepalived is in a table: served, without effect (a note), or refused with its effect. All findings in one pass.

pub mod codes;

mod address;
mod bfd;
mod command;
mod expand;
mod finish;
mod garp;
mod globals;
mod group;
mod include;
mod instance;
mod item;
mod keyword;
mod link;
mod lower;
mod peer;
mod process;
mod reader;
mod root;
mod script;
mod text;
mod tracker;
mod tree;
mod values;
mod watch;

pub use keyword::{Done, Row};

use super::finding::{Findings, Span};
use super::load::Options;
use super::model::Config;
use super::source::{MemorySource, Source};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Reads the file (or glob) `path` and all it includes into `config`.
pub fn read(
    path: &str,
    source: &dyn Source,
    config: &mut Config,
    findings: &mut Findings,
    options: &Options,
) {
    let mut found = Findings::default();
    let mut reader = reader::Reader::new(source, options, &mut found);
    let paths =
        if path.contains(['*', '?', '[', '{']) { matching(path, source) } else { alloc::vec![path.into()] };
    if paths.is_empty() {
        let message = format!("{path} matches no file");
        reader.error(Span::whole(path), codes::NO_MATCH, message, "");
    }
    for path in &paths {
        reader.file(path, None);
    }
    let tree = core::mem::take(&mut reader.tree);
    let cut = tree.full;
    let statements = tree.finish(&mut found);
    if !cut {
        understand(path, &statements, source, config, &mut found);
    }
    findings.append(found.in_order());
}

/// From statements to the model.
fn understand(
    path: &str,
    statements: &[tree::Statement],
    source: &dyn Source,
    config: &mut Config,
    findings: &mut Findings,
) {
    let mut desk = keyword::Desk {
        source,
        findings,
        config,
        globals: globals::Globals::default(),
        checks: keyword::CheckDrafts::default(),
        instances: Vec::new(),
        instance_index: BTreeMap::new(),
        groups: Vec::new(),
        broken: BTreeSet::new(),
        broken_instance: false,
        statics: item::Statics::default(),
        links: link::LinkDrafts::default(),
    };
    root::read(&mut desk, statements);
    let nothing = desk.instances.is_empty() && desk.findings.errors() == 0;
    lower::all(&mut desk);
    if nothing {
        let message = "there is no vrrp_instance in it";
        desk.warn(Span::whole(path), codes::EMPTY, message, "is it the right file, and is it mounted?");
    }
}

/// Where everything stands: a row for each keyword of each block, `block inner item` for what is nested.
#[must_use]
pub fn outline(path: &str, source: &dyn Source, options: &Options) -> Vec<super::lint::place::Row> {
    let mut found = Findings::default();
    let mut reader = reader::Reader::new(source, options, &mut found);
    reader.file(path, None);
    let statements = core::mem::take(&mut reader.tree).finish(&mut found);
    let mut rows = Vec::new();
    for block in &statements {
        let name = block.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        rows.push((name.clone(), String::new(), value_of(block)));
        for line in block.body.iter().flatten() {
            rows.push((name.clone(), line.keyword().into(), value_of(line)));
            for inner in line.body.iter().flatten() {
                // `192.0.2.1/24` and `192.0.2.1` are the same place; so is each word of a line with several.
                for word in &inner.words {
                    let item = word.text.split('/').next().unwrap_or("");
                    rows.push((name.clone(), format!("{} {item}", line.keyword()), value_of(inner)));
                }
            }
        }
    }
    rows
}

/// The first argument, else the keyword.
fn value_of(statement: &tree::Statement) -> Span {
    statement.arguments().first().map_or_else(|| statement.span(), text::Word::span)
}

/// Every keyword that is read, for the manual.
#[must_use]
pub fn keywords() -> Vec<Row> {
    fn rows<T>(block: &'static str, table: &'static [keyword::Keyword<T>]) -> impl Iterator<Item = Row> {
        table.iter().map(move |entry| entry.row(block))
    }
    rows("", root::TABLE)
        .chain(rows("garp_group", link::GARP_GROUP))
        .chain(rows("global_defs", globals::TABLE))
        .chain(rows("global_defs", process::TABLE))
        .chain(rows("vrrp_script", script::TABLE))
        .chain(rows("track_file", watch::FILE))
        .chain(rows("vrrp_track_process", watch::PROCESS))
        .chain(rows("bfd_instance", bfd::TABLE))
        .chain(rows("vrrp_instance", instance::TABLE))
        .chain(rows("authentication", instance::AUTHENTICATION))
        .chain(rows("vrrp_sync_group", group::TABLE))
        .collect()
}

/// All files of a pattern with brace alternatives.
fn matching(pattern: &str, source: &dyn Source) -> Vec<alloc::string::String> {
    include::alternatives(pattern).unwrap_or_default().iter().flat_map(|one| source.glob(one)).collect()
}

/// Reads `bytes` as a keepalived.conf that is alone in the world: the body of a fuzz target. With a small budget of
/// expansions, or all the fuzzer's time would go into generators that run to their limit.
pub fn fuzz_keepalived(bytes: &[u8]) {
    let options = Options { expansions: Some(500), ..Options::default() };
    let source = MemorySource::with("keepalived.conf", bytes);
    let loaded =
        super::load::load(&[(super::load::Language::Keepalived, "keepalived.conf")], &source, None, &options);
    assert_eq!(
        loaded.config.is_none(),
        loaded.findings.errors() > 0,
        "a configuration is given if nothing is wrong"
    );
    for finding in loaded.findings.list() {
        assert!(!format!("{finding}").is_empty(), "every finding has words");
    }
}
