//! `[[watch]]`, both ways: a file with a number in it, or a process that must run.

use super::codes;
use super::desk::Desk;
use super::file::{NamedWatch, WatchFile, WatchProcess};
use super::value::{Pause, Runs};
use crate::config::model::{CheckConfig, Counter, Probe, Schedule};
use crate::config::watch::{EVERY, FileStart, MAX_QUORUM, Parameters, Watch, WatchedFile, WatchedProcess};
use crate::id::CheckId;
use alloc::string::ToString;
use alloc::sync::Arc;

/// What is looked at, as a check; `None` when an error was told.
pub(super) fn lower(desk: &mut Desk<'_>, table: &NamedWatch, id: CheckId) -> Option<CheckConfig> {
    let watch = watch(desk, table)?;
    let every = table.every.map_or(EVERY, |time| time.0);
    Some(CheckConfig {
        id,
        name: Arc::from(table.name.get_ref().as_str()),
        probe: Arc::new(Probe::Watch(Arc::new(watch))),
        schedule: Schedule { interval: every, fast: every, down: every, timeout: every },
        counter: Counter::Script { init_fail: false },
        rise: table.rise.map_or(1, |runs| runs.0),
        fall: table.fall.map_or(1, |runs| runs.0),
    })
}

fn watch(desk: &mut Desk<'_>, table: &NamedWatch) -> Option<Watch> {
    let at = table.name.span();
    match (&table.file, &table.process) {
        (Some(file), None) => {
            let start =
                file.first.map(|value| FileStart { value, overwrite: file.overwrite.unwrap_or(false) });
            Some(Watch::File(WatchedFile { path: Arc::from(file.path.as_str()), start }))
        }
        (None, Some(process)) => {
            let (least, most) = (process.least.unwrap_or(1), process.most);
            if process.argv.is_empty() {
                desk.error(codes::MISSING, &at, "the process's `argv` is empty".into(), None);
                return None;
            }
            if least > MAX_QUORUM || most.is_some_and(|most| most < least || most > MAX_QUORUM) {
                let message = "`least` and `most` are numbers up to 65535, `least` not above `most`".into();
                desk.error(codes::CONTRADICTION, &at, message, None);
                return None;
            }
            Some(Watch::Process(WatchedProcess {
                argv: process.argv.clone().into(),
                full_command: process.full_command.unwrap_or(false),
                parameters: process.parameters.unwrap_or_default(),
                quorum: least,
                quorum_max: most,
            }))
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "each `watch` has either a `file` or a `process`".into();
            desk.error(codes::CONTRADICTION, &at, message, None);
            None
        }
    }
}

/// The table of `check`, when it looks at something of this host.
pub(super) fn raise(check: &CheckConfig) -> Option<NamedWatch> {
    let Probe::Watch(watch) = &*check.probe else { return None };
    let (mut file, mut process) = (None, None);
    match &**watch {
        Watch::File(watched) => {
            file = Some(WatchFile {
                path: watched.path.to_string(),
                first: watched.start.map(|start| start.value),
                overwrite: watched.start.and_then(|start| start.overwrite.then_some(true)),
            });
        }
        Watch::Process(watched) => {
            process = Some(WatchProcess {
                argv: watched.argv.to_vec(),
                full_command: watched.full_command.then_some(true),
                parameters: (watched.parameters != Parameters::Exact).then_some(watched.parameters),
                least: (watched.quorum != 1).then_some(watched.quorum),
                most: watched.quorum_max,
            });
        }
    }
    let every = check.schedule.interval;
    Some(NamedWatch {
        name: toml::Spanned::new(0..0, check.name.to_string()),
        every: (every != EVERY).then_some(Pause(every)),
        rise: (check.rise != 1).then_some(Runs(check.rise)),
        fall: (check.fall != 1).then_some(Runs(check.fall)),
        file,
        process,
    })
}
