//! From drafts to the model: instances, groups, trackers, and the corrections that need all of them.

use super::group::GroupDraft;
use super::instance::InstanceDraft;
use super::keyword::Desk;
use super::tracker::TrackerDraft;
use super::{bfd, codes, finish, globals, link, script, watch};
use crate::config::model::{GroupConfig, InstanceConfig, Tracked, Tracker};
use crate::config::names::Kind;
use crate::id::{GroupId, InstanceId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Lowers all drafts of `desk` into its configuration.
pub(super) fn all(desk: &mut Desk<'_>) {
    let drafts = core::mem::take(&mut desk.instances);
    let groups = core::mem::take(&mut desk.groups);
    let member_of = members(desk, &groups);
    for draft in &drafts {
        let id = InstanceId(desk.config.names.id(Kind::Instance, &draft.name.text));
        desk.broken_instance = desk.broken.contains(&draft.name.text);
        if let Some(mut config) = finish::instance(desk, id, draft) {
            let group = member_of.get(&draft.name.text).map(|index| &groups[*index]);
            config.trackers = trackers(desk, draft, &config, group);
            if let (None, Some(wish)) = (draft.notify.priorities, group.and_then(|g| g.notify.priorities)) {
                config.notify.priorities = wish;
            }
            desk.config.instances.insert(id, Arc::new(config));
        }
    }
    finish::clashes(desk, &drafts);
    for (index, draft) in groups.iter().enumerate() {
        group(desk, draft, index, &member_of);
    }
    link::finish(desk);
    globals::pipes(desk);
    super::item::finish(desk);
    script::finish(desk);
    watch::finish(desk);
    bfd::finish(desk);
}

/// Which group each instance is in; the first one that names it counts.
fn members(desk: &mut Desk<'_>, groups: &[GroupDraft]) -> BTreeMap<alloc::string::String, usize> {
    let mut found = BTreeMap::new();
    for (index, group) in groups.iter().enumerate() {
        for word in group.members.iter().filter(|word| !word.poisoned) {
            if !desk.instance_index.contains_key(&word.text) {
                let near = desk.instance_index.keys().map(alloc::string::String::as_str);
                let help = desk.near(&word.text, near);
                desk.error(
                    word.span(),
                    codes::NO_SUCH_NAME,
                    format!("no vrrp_instance `{}`", word.text),
                    &help,
                );
            } else if found.contains_key(&word.text) {
                let message = format!("`{}` is in a sync group already; this line does not count", word.text);
                desk.warn(word.span(), codes::DUPLICATE, message, "");
            } else {
                found.insert(word.text.clone(), index);
            }
        }
    }
    found
}

/// A sync group.
fn group(
    desk: &mut Desk<'_>,
    draft: &GroupDraft,
    index: usize,
    member_of: &BTreeMap<alloc::string::String, usize>,
) {
    let mut members: Vec<InstanceId> = Vec::new();
    for word in &draft.members {
        if member_of.get(&word.text) == Some(&index) {
            let id = InstanceId(desk.config.names.id(Kind::Instance, &word.text));
            if !members.contains(&id) {
                members.push(id);
            }
        }
    }
    if members.len() == 1 {
        let message = format!("vrrp_sync_group {} has one member only", draft.name.text);
        desk.warn(draft.name.span(), codes::NO_SUCH_NAME, message, "a group is for two or more");
    }
    let id = GroupId(desk.config.names.id(Kind::Group, &draft.name.text));
    let notify = finish::notify(desk, &draft.notify);
    let config = GroupConfig { id, name: Arc::from(draft.name.text.as_str()), members, notify };
    desk.config.groups.insert(id, Arc::new(config));
}

/// What an instance follows: its own interface, those of its tracked addresses, its own trackers, its group's.
fn trackers(
    desk: &mut Desk<'_>,
    draft: &InstanceDraft,
    config: &InstanceConfig,
    group: Option<&GroupDraft>,
) -> Vec<Tracker> {
    let own = config.router.interface.clone();
    let primary = !draft.flags.dont_track_primary;
    let mut found: Vec<Tracker> = Vec::new();
    let fault = |name: Arc<str>| Tracker { what: Tracked::Interface(name), weight: 0, reverse: false };
    if primary {
        found.push(fault(own.clone()));
    }
    for address in config.addresses.iter().filter(|address| address.tracked) {
        let known = found.iter().any(|t| t.what == Tracked::Interface(address.interface.clone()));
        if !known && (primary || address.interface != own) {
            found.push(fault(address.interface.clone()));
        }
    }
    // A tracked route needs its interface: keepalived 2.2.7 says so of a virtual router's tracked routes.
    for name in config.items.iter().filter(|item| item.tracked()).flat_map(|item| item.interfaces()) {
        let known = found.iter().any(|t| t.what == Tracked::Interface(name.clone()));
        if !known && (primary || name != own) {
            found.push(fault(name));
        }
    }
    let weights = group.is_none_or(|group| group.weights);
    let theirs = group.map_or(&[][..], |group| &group.trackers);
    for tracker in draft.trackers.iter().chain(theirs) {
        let Some(tracker) = weighed(desk, tracker, config.election.priority == 255, weights) else {
            continue;
        };
        let own_interface = tracker.what == Tracked::Interface(own.clone());
        if own_interface && (primary || tracker.weight == 0) {
            let at = draft.trackers.iter().chain(theirs).find(|t| t.tracker.what == tracker.what);
            if let Some(at) = at {
                let message = format!(
                    "{own} is the instance's own interface and is tracked anyhow; this line does not count"
                );
                desk.warn(at.at.span(), codes::DUPLICATE, message, "dont_track_primary frees it");
            }
            continue;
        }
        if let Some(same) = found.iter_mut().find(|t| t.what == tracker.what) {
            // A line of its own says more than the address on that interface.
            *same = tracker;
        } else {
            found.push(tracker);
        }
    }
    found
}

/// Weights have no place at an owner, nor in a sync group without `sync_group_tracking_weight`.
fn weighed(desk: &mut Desk<'_>, draft: &TrackerDraft, owner: bool, weights: bool) -> Option<Tracker> {
    let tracker = draft.tracker.clone();
    if !draft.weighed && !owner && !weights {
        return Some(Tracker { weight: 0, ..tracker });
    }
    if tracker.weight == 0 || (!owner && weights) {
        return Some(tracker);
    }
    let why = if owner { "priority 255 never changes" } else { "members of a sync group change together" };
    let name = &draft.at.text;
    let (kept, effect) = match (&tracker.what, owner) {
        (Tracked::Interface(_), false) => {
            (Some(Tracker { weight: 0, ..tracker }), "its failure is a fault instead")
        }
        (Tracked::Interface(_) | Tracked::Check(_) | Tracked::Session(_), _) => (None, "it is not tracked"),
    };
    let help = if owner { "" } else { "add sync_group_tracking_weight to the group, or remove the weight" };
    let message = format!("the weight of `{name}` has no place here ({why}): {effect}");
    desk.warn(draft.at.span(), codes::TRACKER_WEIGHT, message, help);
    kept
}
