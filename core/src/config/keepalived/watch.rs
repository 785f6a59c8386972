//! `track_file` (`vrrp_track_file`) and `vrrp_track_process`: things of the host that are looked at again and again.

use super::codes;
use super::keyword::{Desk, Keyword, Shape, apply, first, served};
use super::text::Word;
use super::tree::Statement;
use super::values::{argument, number, seconds};
use crate::config::model::{CheckConfig, Counter, Probe, Schedule};
use crate::config::names::Kind;
use crate::config::watch::{EVERY, FileStart, MAX_QUORUM, Parameters, Watch, WatchedFile, WatchedProcess};
use crate::id::CheckId;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

/// The most files and processes that are looked at.
pub(super) const MAX_WATCHES: usize = 1024;

/// Which of the two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// `track_file`.
    File,
    /// `vrrp_track_process`.
    Process,
}

/// A block as written.
#[derive(Clone, Debug)]
pub(super) struct WatchDraft {
    pub(super) name: Word,
    pub(super) sort: Sort,
    path: Option<String>,
    start: Option<FileStart>,
    process: ProcessDraft,
    pub(super) weight: Option<i16>,
    pub(super) reverse: bool,
    /// Somebody tracks it.
    pub(super) used: bool,
}

/// What only a process has.
#[derive(Clone, Debug, Default)]
struct ProcessDraft {
    argv: Vec<String>,
    full_command: bool,
    parameters: Parameters,
    quorum: Option<u32>,
    quorum_max: Option<u32>,
    /// `fork_delay`, `terminate_delay`.
    delays: (Duration, Duration),
}

impl WatchDraft {
    /// A file's number counts once unless told otherwise, a process is a fault.
    pub(super) fn default_weight(&self) -> i16 {
        self.weight.unwrap_or(if self.sort == Sort::File { 1 } else { 0 })
    }
}

/// Keywords of `track_file`.
pub(super) static FILE: &[Keyword<WatchDraft>] = &[
    served("file", Shape::Words(1, 1, "a path"), "required", "", |draft, desk, s| {
        if draft.path.is_some() {
            desk.warn(s.span(), codes::DUPLICATE, "a second `file`; the first one counts", "");
        } else {
            draft.path = first(s).filter(|word| !word.poisoned).map(|word| word.text.clone());
        }
    }),
    served("weight", Shape::Words(1, 2, "a number"), "1", "-254 to 254, reverse", weight),
    served("init_file", Shape::Words(0, 2, ""), "not written", "a number, overwrite", |draft, desk, s| {
        let mut start = FileStart { value: 0, overwrite: false };
        for word in s.arguments() {
            if word.text == "overwrite" {
                start.overwrite = true;
            } else {
                let Some(value) = number(desk, word, i64::from(i32::MIN)..=i64::from(i32::MAX)) else {
                    return;
                };
                start.value = i32::try_from(value).unwrap_or(0);
            }
        }
        draft.start = Some(start);
    }),
];

/// Keywords of `vrrp_track_process`.
pub(super) static PROCESS: &[Keyword<WatchDraft>] = &[
    served("process", Shape::Words(1, usize::MAX, "a command"), "required", "", |draft, desk, s| {
        if !draft.process.argv.is_empty() {
            desk.warn(s.span(), codes::DUPLICATE, "a second `process`; the first one counts", "");
        } else if !s.poisoned() {
            // A command in one pair of quotes is the same as its words.
            let words = s.arguments().iter().flat_map(|word| word.text.split_whitespace());
            draft.process.argv = words.map(String::from).collect();
        }
    }),
    served("param_match", Shape::Words(0, 1, ""), "exact", "initial, partial", |draft, desk, s| {
        draft.process.full_command = true;
        draft.process.parameters = match first(s).map(|word| (word, word.text.as_str())) {
            None => Parameters::Exact,
            Some((_, "initial")) => Parameters::Initial,
            Some((_, "partial")) => Parameters::Partial,
            Some((word, other)) => {
                let message = format!("`{other}` is no way to compare parameters");
                desk.error(word.span(), codes::BAD_VALUE, message, "initial or partial");
                Parameters::Exact
            }
        };
    }),
    served("weight", Shape::Words(1, 2, "a number"), "0", "-254 to 254, reverse", weight),
    served("quorum", Shape::Words(1, 1, "a number"), "1", "1 to 65535", |draft, desk, s| {
        draft.process.quorum = argument(desk, s, 1..=i64::from(MAX_QUORUM)).or(draft.process.quorum);
    }),
    served("quorum_max", Shape::Words(1, 1, "a number"), "any", "0 to 65535", |draft, desk, s| {
        draft.process.quorum_max = argument(desk, s, 0..=i64::from(MAX_QUORUM)).or(draft.process.quorum_max);
    }),
    served("fork_delay", SECONDS, "0", "0.000001 to 3600 s", |draft, desk, s| {
        draft.process.delays.0 = delay(desk, s).unwrap_or(draft.process.delays.0);
    }),
    served("terminate_delay", SECONDS, "0", "0.000001 to 3600 s", |draft, desk, s| {
        draft.process.delays.1 = delay(desk, s).unwrap_or(draft.process.delays.1);
    }),
    served("delay", SECONDS, "0", "0.000001 to 3600 s", |draft, desk, s| {
        if let Some(delay) = delay(desk, s) {
            draft.process.delays = (delay, delay);
        }
    }),
    served("full_command", Shape::Flag, "off", "", |draft, _, _| draft.process.full_command = true),
];

const SECONDS: Shape = Shape::Words(1, 1, "seconds");

fn delay(desk: &mut Desk<'_>, s: &Statement) -> Option<Duration> {
    first(s).and_then(|word| seconds(desk, word, 6, 1..=3_600_000_000))
}

/// `weight N [reverse]`.
fn weight(draft: &mut WatchDraft, desk: &mut Desk<'_>, s: &Statement) {
    let Some(weight) = first(s).and_then(|word| number(desk, word, -254..=254)) else { return };
    match s.arguments().get(1) {
        Some(word) if word.text != "reverse" => {
            let message = format!("`{}` after a weight; only `reverse` may stand there", word.text);
            desk.error(word.span(), codes::BAD_VALUE, message, "");
        }
        reverse => {
            draft.weight = i16::try_from(weight).ok();
            draft.reverse = reverse.is_some();
        }
    }
}

/// Reads a block.
pub(super) fn read(desk: &mut Desk<'_>, statement: &Statement) {
    let (Some(name), Some(body)) = (first(statement), &statement.body) else { return };
    let process = statement.keyword() == "vrrp_track_process";
    let (sort, table, place) = if process {
        (Sort::Process, PROCESS, "vrrp_track_process")
    } else {
        (Sort::File, FILE, "track_file")
    };
    let mut draft = WatchDraft {
        name: name.clone(),
        sort,
        path: None,
        start: None,
        process: ProcessDraft::default(),
        weight: None,
        reverse: false,
        used: false,
    };
    let before = desk.findings.errors();
    apply(table, place, &mut draft, desk, body);
    let well = desk.findings.errors() == before && !body.iter().any(Statement::poisoned);
    if well && draft.path.is_none() && draft.process.argv.is_empty() {
        let (missing, help) = match sort {
            Sort::File => ("file", "add: file \"/path\""),
            Sort::Process => ("process", "add: process NAME"),
        };
        let message = format!("{place} {} has no `{missing}`", name.text);
        desk.error(name.span(), codes::NO_COMMAND, message, help);
    }
    let quorum = draft.process.quorum.unwrap_or(1);
    if draft.process.quorum_max.is_some_and(|most| most > 0 && most < quorum) {
        let message = format!("the quorum {quorum} is above quorum_max");
        desk.error(name.span(), codes::OUT_OF_RANGE, message, "it could never be met");
    }
    let taken = desk.script(&name.text).is_some()
        || desk.checks.watches.iter().any(|other| other.name.text == name.text);
    if taken {
        let message = format!("`{}` is the name of another script, file or process above", name.text);
        desk.error(name.span(), codes::DUPLICATE, message, "give it a name of its own");
    } else if desk.checks.watches.len() >= MAX_WATCHES {
        let message = format!("more than {MAX_WATCHES} files and processes to look at");
        desk.error(name.span(), codes::OUT_OF_RANGE, message, "");
    } else {
        desk.checks.watches.push(draft);
    }
}

/// The id of what is looked at.
pub(super) fn id(desk: &mut Desk<'_>, name: &str) -> CheckId {
    CheckId(desk.config.names.id(Kind::Check, name))
}

/// Turns all that is tracked into checks.
pub(super) fn finish(desk: &mut Desk<'_>) {
    for draft in core::mem::take(&mut desk.checks.watches) {
        let name = draft.name.text.clone();
        if !draft.used {
            let message = format!("`{name}` is not looked at: no virtual router tracks it");
            let block = if draft.sort == Sort::File { "track_file" } else { "track_process" };
            let help = format!("add {block} {{ {name} }} to a vrrp_instance");
            desk.warn(draft.name.span(), codes::SCRIPT_UNUSED, message, &help);
            continue;
        }
        // So many looks in a row as the delay is long, and one.
        let looks = |delay: Duration| {
            let looks = delay.as_micros().div_ceil(EVERY.as_micros());
            u32::try_from(looks).unwrap_or(u32::MAX).saturating_add(1)
        };
        let (rise, fall) = (looks(draft.process.delays.0), looks(draft.process.delays.1));
        let id = id(desk, &name);
        let check = CheckConfig {
            id,
            name: Arc::from(name.as_str()),
            probe: Arc::new(Probe::Watch(Arc::new(watch(draft)))),
            schedule: Schedule { interval: EVERY, fast: EVERY, down: EVERY, timeout: EVERY },
            counter: Counter::Script { init_fail: false },
            rise,
            fall,
        };
        desk.config.checks.insert(id, Arc::new(check));
    }
}

fn watch(draft: WatchDraft) -> Watch {
    match draft.sort {
        Sort::File => {
            Watch::File(WatchedFile { path: draft.path.unwrap_or_default().into(), start: draft.start })
        }
        Sort::Process => {
            let process = draft.process;
            let most = process.quorum_max;
            Watch::Process(WatchedProcess {
                argv: process.argv.into(),
                full_command: process.full_command,
                parameters: process.parameters,
                // `quorum_max 0`: it must not run.
                quorum: if most == Some(0) { 0 } else { process.quorum.unwrap_or(1) },
                quorum_max: most,
            })
        }
    }
}
