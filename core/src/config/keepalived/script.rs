//! `vrrp_script`: a command run again and again, and what its exit status is worth.

use super::command::{self, CommandDraft};
use super::keyword::{Desk, Keyword, Shape, apply, first, served};
use super::text::Word;
use super::tree::Statement;
use super::values::{argument, number, seconds};
use super::{codes, command::settle};
use crate::config::model::{CheckConfig, Counter, Probe, Schedule};
use crate::config::names::Kind;
use crate::id::CheckId;
use alloc::format;
use alloc::sync::Arc;
use core::time::Duration;

/// A detection slower than this is worth a warning (the guide's own is 30 s).
const SLOW: Duration = Duration::from_secs(15);

/// A `vrrp_script` as written.
#[derive(Clone, Debug)]
pub(super) struct ScriptDraft {
    pub(super) name: Word,
    command: Option<CommandDraft>,
    interval: Duration,
    timeout: Option<Duration>,
    pub(super) weight: i16,
    pub(super) reverse: bool,
    rise: u32,
    fall: u32,
    init_fail: bool,
    user: Option<Arc<str>>,
    /// Something in it was complained about.
    spoilt: bool,
    /// Somebody tracks it.
    pub(super) used: bool,
}

/// Keywords of `vrrp_script`.
pub(super) static TABLE: &[Keyword<ScriptDraft>] = &[
    served("script", Shape::Command, "required", "", |draft, desk, s| {
        if draft.command.is_some() {
            desk.warn(
                s.span(),
                codes::DUPLICATE,
                "a second `script`; the last one counts",
                "remove one of the two",
            );
        }
        draft.command = command::draft(desk, s, false);
    }),
    served("interval", Shape::Words(1, 1, "seconds"), "1 s", "0.001 to 4294 s", |draft, desk, s| {
        draft.interval = time(desk, s).unwrap_or(draft.interval);
    }),
    served("timeout", Shape::Words(1, 1, "seconds"), "interval", "0.001 to 4294 s", |draft, desk, s| {
        draft.timeout = time(desk, s).or(draft.timeout);
    }),
    served("weight", Shape::Words(1, 2, "a number"), "0", "-253 to 253, reverse", |draft, desk, s| {
        let Some(weight) = first(s).and_then(|word| number(desk, word, -253..=253)) else { return };
        draft.weight = i16::try_from(weight).unwrap_or(0);
        draft.reverse = match s.arguments().get(1) {
            None => false,
            Some(word) if word.text == "reverse" => true,
            Some(word) => {
                let message = format!("`{}` after a weight; only `reverse` may stand there", word.text);
                desk.error(word.span(), codes::BAD_VALUE, message, "");
                false
            }
        };
    }),
    served("rise", Shape::Words(1, 1, "a number"), "1", "1 to 2147483647", |draft, desk, s| {
        draft.rise = argument(desk, s, 1..=i64::from(i32::MAX)).unwrap_or(draft.rise);
    }),
    served("fall", Shape::Words(1, 1, "a number"), "1", "1 to 2147483647", |draft, desk, s| {
        draft.fall = argument(desk, s, 1..=i64::from(i32::MAX)).unwrap_or(draft.fall);
    }),
    served("user", Shape::Words(1, 2, "an account"), "script_user", "", |draft, desk, s| {
        draft.user = command::account(desk, s.arguments()).or(draft.user.take());
    }),
    served("init_fail", Shape::Flag, "off", "", |draft, desk, s| {
        draft.init_fail = true;
        let message = "init_fail: the check counts as failed until it has risen";
        desk.note(s.span(), codes::INIT_FAIL, message, "keepalived documents this, but has no effect for it");
    }),
];

/// A time in milliseconds; 0 becomes one second, as keepalived does.
fn time(desk: &mut Desk<'_>, statement: &Statement) -> Option<Duration> {
    let word = first(statement)?;
    let found = seconds(desk, word, 3, 0..=4_294_000_000)?;
    if found.is_zero() {
        let message = format!("`{} 0` means 1 second", statement.keyword());
        desk.warn(word.span(), codes::ROUNDED, message, "");
        return Some(Duration::from_secs(1));
    }
    Some(found)
}

/// Reads a block.
pub(super) fn read(desk: &mut Desk<'_>, statement: &Statement) {
    let (Some(name), Some(body)) = (first(statement), &statement.body) else { return };
    let mut draft = ScriptDraft {
        name: name.clone(),
        command: None,
        interval: Duration::from_secs(1),
        timeout: None,
        weight: 0,
        reverse: false,
        rise: 1,
        fall: 1,
        init_fail: false,
        user: None,
        spoilt: false,
        used: false,
    };
    let before = desk.findings.errors();
    apply(TABLE, "vrrp_script", &mut draft, desk, body);
    draft.spoilt = desk.findings.errors() > before || body.iter().any(Statement::poisoned);
    if draft.command.is_none() && !draft.spoilt {
        let message = format!("vrrp_script {} has no `script`", name.text);
        desk.error(name.span(), codes::NO_COMMAND, message, "add: script \"/path/to/command\"");
    }
    if desk.script(&name.text).is_some() {
        let message = format!("a second vrrp_script {}; the first one counts", name.text);
        desk.warn(name.span(), codes::DUPLICATE, message, "give it a name of its own, or remove it");
        return;
    }
    desk.checks.index.insert(name.text.clone(), desk.checks.scripts.len());
    desk.checks.scripts.push(draft);
}

/// The id of a script's check.
pub(super) fn id(desk: &mut Desk<'_>, name: &str) -> CheckId {
    CheckId(desk.config.names.id(Kind::Check, name))
}

/// Turns all scripts into checks.
pub(super) fn finish(desk: &mut Desk<'_>) {
    let mut told = false;
    for draft in core::mem::take(&mut desk.checks.scripts) {
        let name = draft.name.text.clone();
        if !draft.used {
            let message = format!("vrrp_script {name} is not run: no virtual router tracks it");
            let help = format!("add track_script {{ {name} }} to a vrrp_instance");
            desk.warn(draft.name.span(), codes::SCRIPT_UNUSED, message, &help);
            continue;
        }
        let Some(mut command) = draft.command.clone() else { continue };
        command.user = draft.user.clone();
        let (command, broken) = settle(desk, &command);
        if let Some(why) = &broken {
            let at = draft.command.as_ref().map_or_else(|| draft.name.span(), |c| c.at.span());
            let message = format!("the check {name} fails at each run: {why}");
            let help =
                "put that right; until then the check counts as failed (keepalived would not check at all)";
            desk.warn(at, codes::SCRIPT_MISSING, message, help);
        }
        if !told && command.user.is_none() && broken.is_none() && !draft.spoilt {
            told = true;
            let message = format!("the script of {name} runs as the daemon's own account, normally root");
            let help = "add to global_defs: script_user nobody (or an account keepalived_script), and enable_script_security";
            desk.warn(draft.name.span(), codes::SCRIPT_SECURITY, message, help);
        }
        slow(desk, &draft);
        let id = id(desk, &name);
        let check = CheckConfig {
            id,
            name: Arc::from(name.as_str()),
            probe: Arc::new(Probe::Script { command, broken }),
            schedule: Schedule {
                interval: draft.interval,
                fast: draft.interval,
                down: draft.interval,
                timeout: draft.timeout.unwrap_or(draft.interval),
            },
            counter: Counter::Script { init_fail: draft.init_fail },
            rise: draft.rise,
            fall: draft.fall,
        };
        desk.config.checks.insert(id, Arc::new(check));
    }
}

/// How long a failure goes on before it is believed.
fn slow(desk: &mut Desk<'_>, draft: &ScriptDraft) {
    let detection = draft.interval.saturating_mul(draft.fall);
    if detection > SLOW {
        let message = format!(
            "a failure of {} is only believed after {} s ({} runs, one each {} s)",
            draft.name.text,
            detection.as_secs(),
            draft.fall,
            shown(draft.interval),
        );
        desk.warn(draft.name.span(), codes::SLOW_DETECTION, message, "lower `interval` or `fall`");
    }
}

/// Seconds, with milliseconds where there are some.
fn shown(time: Duration) -> alloc::string::String {
    if time.subsec_millis() == 0 {
        format!("{}", time.as_secs())
    } else {
        format!("{}.{:03}", time.as_secs(), time.subsec_millis())
    }
}
