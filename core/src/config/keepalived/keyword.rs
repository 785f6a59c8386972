//! How a keyword is declared and how a block is gone through: one static entry per keyword, with its arguments, its
//! default, and whether it is served, without effect, or refused.
//!
//! Never silent: what is not in a table is unknown (with the nearest word that is), what is in it and not served is
//! said with its effect.

use super::codes;
use super::text::Word;
use super::tree::{Statement, finding};
use crate::config::finding::{Code, Findings, Severity, Span, nearest};
use crate::config::model::Config;
use crate::config::source::Source;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a keyword takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Flag,
    /// Nothing, or true/on/yes/false/off/no.
    Switch,
    /// At least and at most so many words; the text says what they are.
    Words(usize, usize, &'static str),
    /// A command line, then perhaps an account.
    Command,
    /// A block, after so many words.
    Block(usize),
    /// Whatever follows, block or not.
    Any,
}

/// What is done about a keyword.
pub(super) enum Status<T> {
    /// It is served by this function.
    Served(fn(&mut T, &mut Desk<'_>, &Statement)),
    /// It changes nothing that matters here; why, in words.
    Note(&'static str),
    /// Leaving it out would change routing or election; how, in words, and what to do.
    Refused(&'static str, &'static str),
}

/// One keyword.
pub(super) struct Keyword<T> {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// What holds without it, for the manual.
    pub(super) default: &'static str,
    /// What it may be, for the manual; empty when its shape says all.
    pub(super) range: &'static str,
    pub(super) status: Status<T>,
}

/// A keyword as the manual shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The block it stands in; empty outside of all blocks.
    pub block: &'static str,
    /// Keyword.
    pub word: &'static str,
    /// What holds without it; empty unless it is served.
    pub default: &'static str,
    /// What it may be; empty when anything of its kind may stand there.
    pub range: &'static str,
    /// What is done about it.
    pub done: Done,
}

/// What is done about a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is served.
    Served,
    /// It is read and has no effect; why.
    Note(&'static str),
    /// It is an error: what would be wrong without it, and what to write instead.
    Refused(&'static str, &'static str),
}

impl<T> Keyword<T> {
    /// Its row of the manual.
    pub(super) fn row(&self, block: &'static str) -> Row {
        let done = match &self.status {
            Status::Served(_) => Done::Served,
            Status::Note(why) => Done::Note(why),
            Status::Refused(effect, instead) => Done::Refused(effect, instead),
        };
        Row { block, word: self.name, default: self.default, range: self.range, done }
    }
}

/// A served keyword.
pub(super) const fn served<T>(
    name: &'static str,
    shape: Shape,
    default: &'static str,
    range: &'static str,
    apply: fn(&mut T, &mut Desk<'_>, &Statement),
) -> Keyword<T> {
    Keyword { name, shape, default, range, status: Status::Served(apply) }
}

/// A keyword without effect here.
pub(super) const fn note<T>(name: &'static str, shape: Shape, why: &'static str) -> Keyword<T> {
    Keyword { name, shape, default: "", range: "", status: Status::Note(why) }
}

/// A keyword that is refused.
pub(super) const fn refused<T>(
    name: &'static str,
    shape: Shape,
    effect: &'static str,
    help: &'static str,
) -> Keyword<T> {
    Keyword { name, shape, default: "", range: "", status: Status::Refused(effect, help) }
}

/// What can be tracked, besides interfaces.
#[derive(Debug, Default)]
pub(super) struct CheckDrafts {
    pub(super) scripts: Vec<super::script::ScriptDraft>,
    /// Where in `scripts` a name is.
    pub(super) index: BTreeMap<String, usize>,
    pub(super) watches: Vec<super::watch::WatchDraft>,
    pub(super) sessions: Vec<super::bfd::BfdDraft>,
}

/// What the handlers of keywords work with.
pub(super) struct Desk<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) findings: &'a mut Findings,
    pub(super) config: &'a mut Config,
    pub(super) globals: super::globals::Globals,
    pub(super) checks: CheckDrafts,
    pub(super) instances: Vec<super::instance::InstanceDraft>,
    /// Names of virtual routers so far.
    pub(super) instance_index: BTreeMap<String, usize>,
    pub(super) groups: Vec<super::group::GroupDraft>,
    /// Virtual routers with an error in their block: what is missing there was perhaps refused.
    pub(super) broken: BTreeSet<String>,
    /// The one being finished is among them.
    pub(super) broken_instance: bool,
    /// Addresses, routes and rules that are there for good.
    pub(super) statics: super::item::Statics,
    pub(super) links: super::link::LinkDrafts,
}

/// Suggestions are looked for as long as there are fewer findings than this; a file of nonsense ends soon.
const MAX_SUGGESTED: usize = 100;
/// Names compared for one suggestion.
const MAX_COMPARED: usize = 256;

impl Desk<'_> {
    /// `did you mean …`, when one of `known` is near; else empty.
    pub(super) fn near<'k>(&self, word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
        if self.findings.list().len() >= MAX_SUGGESTED || word.chars().count() < 3 {
            return String::new();
        }
        let found = nearest(word, known.into_iter().take(MAX_COMPARED));
        found.map(|near| format!("did you mean `{near}`?")).unwrap_or_default()
    }

    /// Where a script stands.
    pub(super) fn script(&self, name: &str) -> Option<usize> {
        self.checks.index.get(name).copied()
    }

    /// Says something; an empty `help` is none.
    pub(super) fn say(
        &mut self,
        severity: Severity,
        span: Span,
        code: Code,
        message: impl Into<String>,
        help: &str,
    ) {
        self.findings.push(finding(severity, span, code, message.into(), help));
    }

    /// Says an error.
    pub(super) fn error(&mut self, span: Span, code: Code, message: impl Into<String>, help: &str) {
        self.say(Severity::Error, span, code, message, help);
    }

    /// Says a warning.
    pub(super) fn warn(&mut self, span: Span, code: Code, message: impl Into<String>, help: &str) {
        self.say(Severity::Warning, span, code, message, help);
    }

    /// Says a note.
    pub(super) fn note(&mut self, span: Span, code: Code, message: impl Into<String>, help: &str) {
        self.say(Severity::Note, span, code, message, help);
    }

    /// Words from `most` on are not read.
    pub(super) fn no_more(&mut self, statement: &Statement, most: usize) {
        if let Some(word) = statement.arguments().get(most) {
            let message =
                format!("`{}` is not read: `{}` takes no more words", word.text, statement.keyword());
            self.warn(word.span(), codes::EXTRA_WORDS, message, "each entry stands on a line of its own");
        }
    }
}

/// Goes through `body`, keyword by keyword.
pub(super) fn apply<T: 'static>(
    table: &'static [Keyword<T>],
    place: &str,
    target: &mut T,
    desk: &mut Desk<'_>,
    body: &[Statement],
) {
    apply_all(&[table], place, target, desk, body);
}

/// The same for a block whose keywords stand in several tables.
pub(super) fn apply_all<T: 'static>(
    tables: &[&'static [Keyword<T>]],
    place: &str,
    target: &mut T,
    desk: &mut Desk<'_>,
    body: &[Statement],
) {
    for statement in body {
        let word = statement.keyword();
        match tables.iter().copied().flatten().find(|entry| entry.name == word) {
            None => unknown(tables, place, desk, statement),
            Some(entry) => {
                if !fits(entry.shape, desk, statement) {
                    continue;
                }
                match &entry.status {
                    Status::Served(apply) => apply(target, desk, statement),
                    Status::Note(why) => {
                        desk.note(
                            statement.span(),
                            codes::NO_EFFECT,
                            format!("`{word}` has no effect: {why}"),
                            "",
                        );
                    }
                    Status::Refused(effect, help) => {
                        desk.error(
                            statement.span(),
                            codes::UNSERVED,
                            format!("`{word}` is not served: {effect}"),
                            help,
                        );
                    }
                }
            }
        }
    }
}

/// A keyword that is in no table; its block goes with it.
fn unknown<T: 'static>(
    tables: &[&'static [Keyword<T>]],
    place: &str,
    desk: &mut Desk<'_>,
    statement: &Statement,
) {
    let Some(word) = statement.words.first() else { return };
    if word.poisoned {
        return;
    }
    let help = match where_known(&word.text) {
        Some(block) => format!("`{}` belongs {block}", word.text),
        None => desk.near(&word.text, tables.iter().copied().flatten().map(|entry| entry.name)),
    };
    desk.error(
        word.span(),
        codes::UNKNOWN_KEYWORD,
        format!("unknown keyword `{}` in {place}", word.text),
        &help,
    );
}

/// Where a keyword would be known.
fn where_known(word: &str) -> Option<&'static str> {
    fn has<T>(table: &[Keyword<T>], word: &str) -> bool {
        table.iter().any(|entry| entry.name == word)
    }
    if has(super::instance::TABLE, word) {
        Some("into a vrrp_instance")
    } else if has(super::globals::TABLE, word) || has(super::process::TABLE, word) {
        Some("into global_defs")
    } else if has(super::script::TABLE, word) {
        Some("into a vrrp_script")
    } else if has(super::root::TABLE, word) {
        Some("outside of all blocks")
    } else {
        None
    }
}

/// Has the statement the shape of its keyword? What is only too much is said and passed.
fn fits(shape: Shape, desk: &mut Desk<'_>, statement: &Statement) -> bool {
    let word = statement.keyword();
    let given = statement.arguments().len();
    let (least, most, what, block) = match shape {
        Shape::Flag => (0, 0, "", false),
        Shape::Switch => (0, 1, "", false),
        Shape::Words(least, most, what) => (least, most, what, false),
        Shape::Command => (1, usize::MAX, "a command", false),
        Shape::Block(names) => (names, names, "a name", true),
        Shape::Any => return true,
    };
    if block != statement.body.is_some() {
        if block {
            desk.error(statement.span(), codes::MISSING_BRACE, format!("`{word}` needs a block {{ … }}"), "");
        } else {
            desk.error(statement.span(), codes::NOT_A_BLOCK, format!("`{word}` takes no block"), "");
        }
        return false;
    }
    if given < least {
        // keepalived's process ends here.
        desk.error(statement.span(), codes::MISSING_ARGUMENT, format!("`{word}` needs {what}"), "");
        return false;
    }
    desk.no_more(statement, most);
    true
}

/// Does the keyword open a block, when so many words stand on its line?
pub(super) fn opens_block(word: &str, words: usize) -> bool {
    let names = match word {
        "vrrp_instance" | "vrrp_script" | "vrrp_sync_group" | "vrrp_track_process" | "track_group"
        | "bfd_instance" => 2,
        "vrrp_track_file" => 2,
        "global_defs"
        | "authentication"
        | "virtual_ipaddress"
        | "virtual_ipaddress_excluded"
        | "virtual_routes"
        | "virtual_rules"
        | "track_script"
        | "track_interface"
        | "track_process"
        | "track_bfd"
        | "unicast_peer"
        | "auth_hmac"
        | "static_ipaddress"
        | "static_routes"
        | "static_rules"
        | "notification_email"
        | "interface_up_down_delays"
        | "interfaces"
        | "garp_group" => 1,
        _ => return false,
    };
    words == names
}

/// Is it a keyword that only stands outside of all blocks?
pub(super) fn root_only(word: &str) -> bool {
    matches!(
        word,
        "global_defs"
            | "vrrp_instance"
            | "vrrp_script"
            | "vrrp_sync_group"
            | "vrrp_track_process"
            | "vrrp_track_file"
            | "virtual_server"
            | "virtual_server_group"
            | "bfd_instance"
    )
}

/// Does the keyword take a command line, which is cut into words by other rules?
pub(super) fn takes_command(word: &str) -> bool {
    matches!(
        word,
        "script"
            | "notify"
            | "notify_master"
            | "notify_backup"
            | "notify_fault"
            | "notify_stop"
            | "notify_deleted"
            | "notify_master_rx_lower_pri"
            | "startup_script"
            | "shutdown_script"
            | "notify_fifo_script"
            | "vrrp_notify_fifo_script"
            | "lvs_notify_fifo_script"
    )
}

/// The first argument of a statement whose shape has one.
pub(super) fn first(statement: &Statement) -> Option<&Word> {
    statement.arguments().first()
}
