//! Priorities: does the order of the nodes mean what it should, in every combination of failed checks?
//!
//! A backup takes over only from a strictly lower priority (RFC 9568 6.4.2; equal is accepted), so a failed check moves
//! the addresses if and only if it leaves the node strictly below a healthy one. Whether it does for every set of
//! living nodes follows from the pairs. All 2^n combinations of a node's n weighted checks are computed up to
//! [`MAX_CHECKS`]; beyond, single failures and the failure of all. Checks without weight are a fault: they always move.

use super::finding::list;
use super::place::Key;
use super::router::{Member, Router};
use super::{Report, codes};
use crate::config::finding::Severity;
use crate::config::model::{Config, Tracked, Tracker};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The most weighted checks of a node of which all combinations are computed: 4096 of them.
pub(super) const MAX_CHECKS: usize = 12;
/// An owner's priority, which no check changes.
const OWNER: u8 = 255;

/// All rules about priorities.
pub(super) fn rules(router: &Router<'_>, report: &mut Report) {
    ties(router, report);
    for member in &router.members {
        stays(router, member, report);
    }
}

fn ties(router: &Router<'_>, report: &mut Report) {
    let mut found: BTreeMap<u8, Vec<&Member<'_>>> = BTreeMap::new();
    for member in &router.members {
        found.entry(member.instance.election.priority).or_default().push(member);
    }
    for (priority, members) in found.iter().rev().filter(|(_, members)| members.len() > 1) {
        let names = list(&members.iter().map(|member| member.name()).collect::<Vec<_>>());
        let places = members.iter().map(|member| member.at(Key::Priority)).collect();
        if *priority == OWNER {
            let message = format!("{names} both have priority 255: each believes that it owns the addresses");
            let help = "write 255 on one node at most, or better on none";
            report.say(Severity::Error, codes::EQUAL_PRIORITY, places, message, help);
            continue;
        }
        let message = format!(
            "{names} have the same priority {priority}: when nobody better lives, they take over at the same moment, and the higher address wins"
        );
        let help = "give each node a priority of its own, and checks a weight larger than the distance from the highest to the lowest";
        report.say(Severity::Warning, codes::EQUAL_PRIORITY, places, message, help);
    }
}

/// What can fail on a node and changes its priority.
pub(super) fn weighted<'a>(member: &Member<'a>) -> Vec<&'a Tracker> {
    if member.instance.election.priority == OWNER {
        return Vec::new();
    }
    member.instance.trackers.iter().filter(|tracker| tracker.weight != 0).collect()
}

/// The priority with these weighted trackers failed (bit by bit in the order of [`weighted`]) and the others healthy.
pub(super) fn effective(member: &Member<'_>, failed: u64) -> u8 {
    let base = member.instance.election.priority;
    if base == OWNER {
        return OWNER;
    }
    let mut total = i32::from(base);
    for (tracker, bit) in weighted(member).into_iter().zip(0..64_u32) {
        let weight = i32::from(tracker.weight);
        let gain = if failed >> bit & 1 == 1 { weight.min(0) } else { weight.max(0) };
        total = total.saturating_add(if tracker.reverse { -gain } else { gain });
    }
    u8::try_from(total.clamp(1, 254)).unwrap_or(254)
}

/// What a tracker watches, in a word.
pub(super) fn watched(config: Option<&Config>, tracker: &Tracker) -> String {
    match &tracker.what {
        Tracked::Interface(name) => format!("interface {name}"),
        Tracked::Check(id) => {
            let check = config.and_then(|config| config.checks.get(id));
            check.map_or_else(|| "a check".to_string(), |check| check.name.to_string())
        }
        Tracked::Session(id) => {
            let session = config.and_then(|config| config.sessions.get(id));
            session.map_or_else(|| "a BFD session".to_string(), |session| session.name.to_string())
        }
    }
}

/// The combinations of failures of `count` checks, fewest failures first; none at all is not one of them.
fn combinations(count: usize) -> Vec<u64> {
    if count > MAX_CHECKS {
        let single = (0..count.min(64)).map(|bit| 1_u64 << bit);
        return single.chain([u64::MAX]).collect();
    }
    let mut all: Vec<u64> = (1..1_u64 << count).collect();
    all.sort_by_key(|failed| failed.count_ones());
    all
}

/// Says when a failure of `member`'s checks leaves it active although a healthy node stands by.
fn stays(router: &Router<'_>, member: &Member<'_>, report: &mut Report) {
    let trackers = weighted(member);
    if trackers.len() > MAX_CHECKS {
        let message = format!(
            "{} tracks {} checks with a weight: more than {MAX_CHECKS} are not looked at in every combination",
            member.name(),
            trackers.len()
        );
        let help = "single failures and the failure of all were computed";
        report.say(Severity::Note, codes::TOO_MANY_CHECKS, alloc::vec![member.at(Key::Track)], message, help);
    }
    let others: Vec<&Member<'_>> =
        router.members.iter().filter(|other| !core::ptr::eq(other.node, member.node)).collect();
    for failed in combinations(trackers.len()) {
        let left = effective(member, failed);
        let (below, above): (Vec<&&Member<'_>>, Vec<&&Member<'_>>) =
            others.iter().partition(|other| effective(other, 0) <= left);
        let names: Vec<String> = (trackers.iter().zip(0..64_u32))
            .filter(|(_, bit)| failed >> bit & 1 == 1)
            .map(|(tracker, _)| watched(member.node.config.as_ref(), tracker))
            .collect();
        let names = list(&names);
        if !below.is_empty() {
            order(report, member, (&names, left), &below, above.is_empty());
            return; // the fewest failures say it all
        }
        if above.iter().all(|other| !other.instance.election.preempt) {
            never(report, member, (&names, left), &above);
            return;
        }
    }
}

fn order(
    report: &mut Report,
    member: &Member<'_>,
    (failed, left): (&str, u8),
    below: &[&&Member<'_>],
    nobody: bool,
) {
    let name = member.name();
    let said: Vec<String> =
        below.iter().map(|other| format!("{} ({})", other.name(), effective(other, 0))).collect();
    let not = if nobody {
        "the addresses stay"
    } else {
        "none of these takes over, should it be the only one left"
    };
    let message = format!(
        "with {failed} failed {name} still has priority {left}, not below that of {}: {not}",
        list(&said)
    );
    let least = below.iter().map(|other| effective(other, 0)).min().unwrap_or(1);
    let lower = u32::from(left) + 1 - u32::from(least);
    let help = format!(
        "let the failure cost {name} at least {lower} more (a larger weight), or bring the priorities closer together"
    );
    let mut places = alloc::vec![member.at(Key::Priority)];
    let tracked = weighted(member).into_iter().find_map(|tracker| match tracker.what {
        Tracked::Check(id) => member.node.config.as_ref()?.checks.get(&id),
        Tracked::Interface(_) | Tracked::Session(_) => None,
    });
    places.extend(tracked.map(|check| member.node.at(member.node.places.check(&check.name, &["weight"]))));
    places.extend(below.iter().map(|other| other.at(Key::Priority)));
    let severity = if nobody { Severity::Warning } else { Severity::Note };
    report.say(severity, codes::ORDER, places, message, help);
}

fn never(report: &mut Report, member: &Member<'_>, (failed, left): (&str, u8), above: &[&&Member<'_>]) {
    let names = list(&above.iter().map(|other| other.name()).collect::<Vec<_>>());
    let verb = if above.len() == 1 { "has" } else { "have" };
    let message = format!(
        "with {failed} failed {} goes down to priority {left}, but {names} {verb} nopreempt: nobody takes over",
        member.name()
    );
    let help = "track the check without a weight (its failure is then a fault, and the node leaves), or drop nopreempt";
    let places = above.iter().map(|other| other.at(Key::Preempt)).chain([member.at(Key::Track)]).collect();
    report.say(Severity::Warning, codes::NEVER_TAKEN, places, message, help);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_combinations_are_computed_up_to_the_limit_and_single_ones_beyond() {
        assert_eq!(combinations(2), [1, 2, 3]);
        assert_eq!(combinations(MAX_CHECKS).len(), 4095);
        assert_eq!(combinations(MAX_CHECKS + 1).len(), MAX_CHECKS + 2);
        assert_eq!(combinations(100).len(), 65);
    }
}
