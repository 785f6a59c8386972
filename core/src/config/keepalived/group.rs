//! `vrrp_sync_group`: instances that change state together.

use super::codes;
use super::instance::{Notified, NotifyDraft, priorities, tell};
use super::keyword::{Desk, Keyword, Shape, apply, first, note, served};
use super::text::Word;
use super::tracker::{self, TrackerDraft};
use super::tree::Statement;
use super::watch::Sort;
use alloc::format;
use alloc::vec::Vec;

/// The most sync groups.
pub(super) const MAX_GROUPS: usize = 2048;

/// A sync group as written.
#[derive(Clone, Debug)]
pub(super) struct GroupDraft {
    pub(super) name: Word,
    pub(super) members: Vec<Word>,
    pub(super) trackers: Vec<TrackerDraft>,
    pub(super) notify: NotifyDraft,
    /// `sync_group_tracking_weight`.
    pub(super) weights: bool,
}

impl Notified for GroupDraft {
    fn notify(&mut self) -> &mut NotifyDraft {
        &mut self.notify
    }
}

/// Keywords of `vrrp_sync_group`.
pub(super) static TABLE: &[Keyword<GroupDraft>] = &[
    served("group", Shape::Block(0), "required", "", |g, _, s| {
        g.members.extend(s.body.iter().flatten().flat_map(|line| line.words.iter().cloned()));
    }),
    served("track_script", Shape::Block(0), "none", "", |g, desk, s| {
        tracker::scripts(&mut g.trackers, desk, s)
    }),
    served("track_interface", Shape::Block(0), "none", "", |g, desk, s| {
        tracker::interfaces(&mut g.trackers, desk, s)
    }),
    served("track_file", Shape::Block(0), "none", "at most 1024", |g, desk, s| {
        tracker::watches(&mut g.trackers, desk, s, Sort::File);
    }),
    served("track_process", Shape::Block(0), "none", "at most 1024", |g, desk, s| {
        tracker::watches(&mut g.trackers, desk, s, Sort::Process);
    }),
    served("track_bfd", Shape::Block(0), "none", "at most 1024", |g, desk, s| {
        tracker::sessions(&mut g.trackers, desk, s);
    }),
    served("notify_master", Shape::Command, "none", "", tell),
    served("notify_backup", Shape::Command, "none", "", tell),
    served("notify_fault", Shape::Command, "none", "", tell),
    served("notify_stop", Shape::Command, "none", "", tell),
    served("notify", Shape::Command, "none", "", tell),
    served("sync_group_tracking_weight", Shape::Flag, "off", "", |g, _, _| g.weights = true),
    served("global_tracking", Shape::Flag, "off", "", |g, desk, s| {
        g.weights = true;
        let message = "global_tracking is the old name of sync_group_tracking_weight";
        desk.warn(s.span(), codes::DEPRECATED, message, "write sync_group_tracking_weight");
    }),
    note("smtp_alert", Shape::Words(0, 1, ""), "mail is not sent; watch the log, or use notify"),
    served("notify_priority_changes", Shape::Switch, "vrrp_notify_priority_changes", "", priorities),
];

/// Reads a block. Before keepalived 2.0 the members stood in it directly; keepalived then removes the group as empty,
/// here each such name counts, with a warning.
pub(super) fn read(desk: &mut Desk<'_>, statement: &Statement) {
    let (Some(name), Some(body)) = (first(statement), &statement.body) else { return };
    if desk.groups.iter().any(|group| group.name.text == name.text) {
        let message = format!("a second vrrp_sync_group {}; keepalived skips it whole", name.text);
        desk.error(name.span(), codes::DUPLICATE, message, "give it a name of its own");
        return;
    }
    if desk.groups.len() >= MAX_GROUPS {
        let message = format!("more than {MAX_GROUPS} sync groups");
        desk.error(name.span(), codes::OUT_OF_RANGE, message, "");
        return;
    }
    let mut draft = GroupDraft {
        name: name.clone(),
        members: Vec::new(),
        trackers: Vec::new(),
        notify: NotifyDraft::default(),
        weights: false,
    };
    let known = |word: &str| TABLE.iter().any(|entry| entry.name == word);
    let old = |s: &Statement| s.words.len() == 1 && s.body.is_none() && !known(s.keyword());
    if !body.is_empty() && !body.iter().any(|s| s.keyword() == "group") && body.iter().any(old) {
        legacy(desk, &mut draft, body, &old);
    } else {
        apply(TABLE, "vrrp_sync_group", &mut draft, desk, body);
    }
    if draft.members.is_empty() {
        let message = format!("vrrp_sync_group {} has no members", name.text);
        desk.error(name.span(), codes::NO_SUCH_NAME, message, "add: group { NAME … }");
    }
    desk.groups.push(draft);
}

/// The old form: names of members where keywords stand.
fn legacy(desk: &mut Desk<'_>, draft: &mut GroupDraft, body: &[Statement], old: &dyn Fn(&Statement) -> bool) {
    for statement in body {
        if old(statement) {
            draft.members.extend(statement.words.iter().cloned());
        } else {
            apply(TABLE, "vrrp_sync_group", draft, desk, core::slice::from_ref(statement));
        }
    }
    let message = "members without `group { }`: the form of before keepalived 2.0, which 2.x does not read";
    desk.warn(draft.name.span(), codes::LEGACY_GROUP, message, "write: group { … } around the names");
}
