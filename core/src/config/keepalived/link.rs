//! What is said about links outside of all blocks: `interface_up_down_delays` and `garp_group`.

use super::codes;
use super::keyword::{Desk, Keyword, Shape, apply, first, served};
use super::text::Word;
use super::tree::Statement;
use super::values::{interface, seconds};
use crate::config::model::{AnnounceGap, Debounce, GapGroup, LinksConfig};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

/// The longest delay of a link, in microseconds.
const LONGEST_DELAY: u64 = 255_000_000;
/// The longest gap between announcements, in microseconds.
pub(super) const LONGEST_GAP: u64 = 4_294_000_000;

/// `interface_up_down_delays`: lines `INTERFACE DOWN [UP]`.
pub(super) fn delays(desk: &mut Desk<'_>, s: &Statement) {
    for line in s.body.iter().flatten() {
        let Some((name, times)) = line.words.split_first() else { continue };
        let Some(link) = interface(desk, name) else { continue };
        let Some(down) = times.first() else {
            let message = format!("`{}` needs a delay", name.text);
            desk.error(name.span(), codes::MISSING_ARGUMENT, message, "INTERFACE DOWN [UP], in seconds");
            continue;
        };
        if let Some(extra) = times.get(2) {
            let message = format!("`{}` is not read", extra.text);
            desk.warn(extra.span(), codes::EXTRA_WORDS, message, "INTERFACE DOWN [UP], in seconds");
        }
        // keepalived's manual says that up is as down unless told otherwise; what runs everywhere is none.
        let up = times.get(1).map_or(Some(Duration::ZERO), |up| seconds(desk, up, 6, 0..=LONGEST_DELAY));
        let (Some(down), Some(up)) = (seconds(desk, down, 6, 0..=LONGEST_DELAY), up) else { continue };
        if times.len() == 1 {
            let message =
                format!("interface_up_down_delays: {link} counts as up at once, since only down is delayed");
            desk.note(name.span(), codes::LINK_DELAY, message, "a second number delays up");
        }
        if desk.links.delays.iter().any(|(other, _)| other.text == name.text) {
            let message = format!("{link} has delays already; this line does not count");
            desk.warn(name.span(), codes::DUPLICATE, message, "remove one of them");
        } else if desk.links.delays.len() >= LinksConfig::MAX_INTERFACES {
            let message = format!("more than {} interfaces", LinksConfig::MAX_INTERFACES);
            desk.error(name.span(), codes::OUT_OF_RANGE, message, "");
            return;
        } else {
            desk.links.delays.push((name.clone(), Debounce { down, up }));
        }
    }
}

/// What is said about links.
#[derive(Debug, Default)]
pub(super) struct LinkDrafts {
    pub(super) delays: Vec<(Word, Debounce)>,
    groups: Vec<GapGroup>,
}

/// A `garp_group` as written.
#[derive(Default)]
pub(super) struct GroupDraft {
    interfaces: Vec<Arc<str>>,
    gap: AnnounceGap,
}

/// Keywords of `garp_group`.
pub(super) static GARP_GROUP: &[Keyword<GroupDraft>] = &[
    served("garp_interval", Shape::Words(1, 1, "seconds"), "0 (none)", "0 to 4294 s", |g, desk, s| {
        g.gap.arp = first(s).and_then(|word| seconds(desk, word, 6, 0..=LONGEST_GAP)).unwrap_or(g.gap.arp);
    }),
    served("gna_interval", Shape::Words(1, 1, "seconds"), "0 (none)", "0 to 4294 s", |g, desk, s| {
        g.gap.na = first(s).and_then(|word| seconds(desk, word, 6, 0..=LONGEST_GAP)).unwrap_or(g.gap.na);
    }),
    served("interface", Shape::Words(1, 1, "an interface"), "required", "one", |g, desk, s| {
        g.interfaces.extend(first(s).and_then(|word| interface(desk, word)));
    }),
    served("interfaces", Shape::Block(0), "required", "several", |g, desk, s| {
        for word in s.body.iter().flatten().flat_map(|line| &line.words) {
            g.interfaces.extend(interface(desk, word));
        }
    }),
];

/// Reads a `garp_group`.
pub(super) fn garp_group(desk: &mut Desk<'_>, s: &Statement) {
    let mut draft = GroupDraft::default();
    let before = desk.findings.errors();
    apply(GARP_GROUP, "garp_group", &mut draft, desk, s.body.as_deref().unwrap_or(&[]));
    if desk.findings.errors() > before {
        return;
    }
    let taken = |name: &Arc<str>| desk.links.groups.iter().any(|group| group.interfaces.contains(name));
    if let Some(twice) = draft.interfaces.iter().find(|name| taken(name)) {
        let message = format!("{twice} is in a garp_group already; the first one counts");
        desk.warn(s.span(), codes::DUPLICATE, message, "remove it from one of them");
    }
    let all: usize = desk.links.groups.iter().map(|group| group.interfaces.len()).sum();
    if draft.gap == AnnounceGap::default() {
        let message = "a garp_group without garp_interval and gna_interval has no effect";
        desk.warn(s.span(), codes::MISSING_ARGUMENT, message, "add: garp_interval SECONDS");
    } else if draft.interfaces.is_empty() {
        desk.warn(
            s.span(),
            codes::MISSING_ARGUMENT,
            "a garp_group without an interface",
            "add: interface NAME",
        );
    } else if all + draft.interfaces.len() > LinksConfig::MAX_INTERFACES {
        let message = format!("more than {} interfaces in all groups", LinksConfig::MAX_INTERFACES);
        desk.error(s.span(), codes::OUT_OF_RANGE, message, "");
    } else {
        desk.links.groups.push(GapGroup { interfaces: draft.interfaces, gap: draft.gap });
    }
}

/// Takes over what was said, once the virtual routers are known: a link may not be down without being believed for
/// longer than the backups wait.
pub(super) fn finish(desk: &mut Desk<'_>) {
    let LinkDrafts { delays, groups } = core::mem::take(&mut desk.links);
    desk.config.node.links.groups = groups;
    for (name, mut delay) in delays {
        let instances = desk.config.instances.values();
        let on_it = instances.filter(|instance| *instance.router.interface == *name.text);
        let most =
            on_it.map(|i| crate::vrrp::longest_debounce(i.election.down_adverts, i.election.interval)).min();
        if let Some(most) = most.filter(|most| delay.down > *most) {
            let message = format!(
                "interface_up_down_delays: down of {} is delayed by {} ms only: later its backups have taken over",
                name.text,
                most.as_millis()
            );
            desk.warn(
                name.span(),
                codes::LINK_DELAY,
                message,
                "a longer advert_int or down_timer_adverts leaves more room",
            );
            delay.down = most;
        }
        desk.config.node.links.debounce.insert(Arc::from(name.text.as_str()), delay);
    }
}
