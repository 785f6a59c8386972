//! Lines of `track_script`, `track_bfd` and their kin, for one virtual router or for a sync group.

use super::codes;
use super::keyword::Desk;
use super::text::Word;
use super::tree::Statement;
use super::values::{interface, number};
use super::watch::{self, Sort, WatchDraft};
use super::{bfd, script};
use crate::config::model::{Tracked, Tracker};
use alloc::format;
use alloc::vec::Vec;

/// The most trackers of one virtual router or group.
pub(super) const MAX_TRACKERS: usize = 1024;

/// A tracker and where it was asked for.
#[derive(Clone, Debug)]
pub(super) struct TrackerDraft {
    pub(super) tracker: Tracker,
    pub(super) at: Word,
    /// Its weight was written, or has no default but 0.
    pub(super) weighed: bool,
}

/// Lines of `track_script`.
pub(super) fn scripts(list: &mut Vec<TrackerDraft>, desk: &mut Desk<'_>, block: &Statement) {
    for line in block.body.iter().flatten() {
        let Some(name) = line.words.first().filter(|word| !word.poisoned) else { continue };
        let Some(found) = desk.script(&name.text) else {
            let near = desk.checks.index.keys().map(alloc::string::String::as_str);
            let mut help = desk.near(&name.text, near);
            if help.is_empty() {
                help = "the vrrp_script block must stand above this one".into();
            }
            desk.error(name.span(), codes::NO_SUCH_NAME, format!("no vrrp_script `{}`", name.text), &help);
            continue;
        };
        let draft = &mut desk.checks.scripts[found];
        draft.used = true;
        let default = (draft.weight, draft.reverse);
        let what = Tracked::Check(script::id(desk, &name.text));
        if let Some((weight, reverse)) = weight(desk, line, default) {
            add(list, desk, name, Tracker { what, weight, reverse });
        }
    }
}

/// Lines of `track_file` and `track_process`.
pub(super) fn watches(list: &mut Vec<TrackerDraft>, desk: &mut Desk<'_>, block: &Statement, sort: Sort) {
    for line in block.body.iter().flatten() {
        let Some(name) = line.words.first().filter(|word| !word.poisoned) else { continue };
        let known = |draft: &&mut WatchDraft| draft.name.text == name.text && draft.sort == sort;
        let Some(draft) = desk.checks.watches.iter_mut().find(known) else {
            let what = if sort == Sort::File { "track_file" } else { "vrrp_track_process" };
            let near = desk.checks.watches.iter().map(|draft| draft.name.text.as_str());
            let mut help = desk.near(&name.text, near);
            if help.is_empty() {
                help = format!("the {what} block must stand above this one");
            }
            desk.error(name.span(), codes::NO_SUCH_NAME, format!("no {what} `{}`", name.text), &help);
            continue;
        };
        draft.used = true;
        let default = (draft.default_weight(), draft.reverse);
        // The number of a file counts once where nobody says how often; a sync group then takes it for a fault.
        let weighed = sort == Sort::Process || draft.weight.is_some() || line.words.len() > 1;
        let what = Tracked::Check(watch::id(desk, &name.text));
        if let Some((weight, reverse)) = weight(desk, line, default) {
            // 254 is more than any priority can change; the model ends at 253.
            let weight = weight.clamp(-253, 253);
            add(list, desk, name, Tracker { what, weight, reverse });
            if let Some(added) = list.last_mut().filter(|added| added.at.line.number == name.line.number) {
                added.weighed = weighed;
            }
        }
    }
}

/// Lines of `track_bfd`.
pub(super) fn sessions(list: &mut Vec<TrackerDraft>, desk: &mut Desk<'_>, block: &Statement) {
    for line in block.body.iter().flatten() {
        let Some(name) = line.words.first().filter(|word| !word.poisoned) else { continue };
        let Some(draft) = desk.checks.sessions.iter().find(|draft| draft.name.text == name.text) else {
            let near = desk.checks.sessions.iter().map(|draft| draft.name.text.as_str());
            let mut help = desk.near(&name.text, near);
            if help.is_empty() {
                help = "the bfd_instance block must stand above this one".into();
            }
            desk.error(name.span(), codes::NO_SUCH_NAME, format!("no bfd_instance `{}`", name.text), &help);
            continue;
        };
        if !draft.is_for_routers() {
            let message = format!("bfd_instance `{}` is for checkers only", name.text);
            desk.error(
                name.span(),
                codes::NO_SUCH_NAME,
                message,
                "add the line `vrrp` to it, or remove `checker`",
            );
            continue;
        }
        let default = (draft.weight, draft.reverse);
        let what = Tracked::Session(bfd::id(desk, &name.text));
        if let Some((weight, reverse)) = weight(desk, line, default) {
            add(list, desk, name, Tracker { what, weight, reverse });
        }
    }
}

/// Lines of `track_interface`.
pub(super) fn interfaces(list: &mut Vec<TrackerDraft>, desk: &mut Desk<'_>, block: &Statement) {
    for line in block.body.iter().flatten() {
        let Some(word) = line.words.first() else { continue };
        let Some(name) = interface(desk, word) else { continue };
        if let Some((weight, reverse)) = weight(desk, line, (0, false)) {
            add(list, desk, word, Tracker { what: Tracked::Interface(name), weight, reverse });
        }
    }
}

/// Adds a tracker unless the same thing is tracked already.
fn add(list: &mut Vec<TrackerDraft>, desk: &mut Desk<'_>, at: &Word, tracker: Tracker) {
    if list.iter().any(|other| other.tracker.what == tracker.what) {
        let message = format!("`{}` is tracked twice; the first line counts", at.text);
        desk.warn(at.span(), codes::DUPLICATE, message, "");
        return;
    }
    if list.len() >= MAX_TRACKERS {
        let message = format!("more than {MAX_TRACKERS} trackers");
        desk.error(at.span(), codes::OUT_OF_RANGE, message, "");
        return;
    }
    list.push(TrackerDraft { tracker, at: at.clone(), weighed: true });
}

/// `[weight N [reverse|noreverse]]`; `None` was said and drops the line, as keepalived does.
fn weight(desk: &mut Desk<'_>, line: &Statement, default: (i16, bool)) -> Option<(i16, bool)> {
    let rest = line.words.get(1..).unwrap_or(&[]);
    let Some(first) = rest.first() else { return Some(default) };
    if first.text != "weight" {
        if !first.poisoned {
            let help = "each line is: NAME [weight N [reverse]]";
            desk.error(
                first.span(),
                codes::BAD_VALUE,
                format!("`{}` after a tracked name", first.text),
                help,
            );
        }
        return None;
    }
    let Some(word) = rest.get(1) else {
        desk.error(first.span(), codes::MISSING_ARGUMENT, "`weight` needs a number", "");
        return None;
    };
    let mut value = number(desk, word, -254..=254)?;
    if value.abs() == 254 {
        desk.warn(word.span(), codes::ROUNDED, format!("{value} is reduced to {}", value.signum() * 253), "");
        value = value.signum() * 253;
    }
    let reverse = match rest.get(2).map(|word| (word, word.text.as_str())) {
        None => default.1 && value == i64::from(default.0),
        Some((_, "reverse")) => true,
        Some((_, "noreverse")) => false,
        Some((word, other)) => {
            desk.error(
                word.span(),
                codes::BAD_VALUE,
                format!("`{other}` after a weight"),
                "only `reverse` may stand there",
            );
            return None;
        }
    };
    if let Some(extra) = rest.get(3) {
        desk.warn(extra.span(), codes::EXTRA_WORDS, format!("`{}` is not read", extra.text), "");
    }
    Some((i16::try_from(value).unwrap_or(0), reverse))
}
