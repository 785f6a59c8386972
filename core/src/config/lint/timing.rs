//! How long a takeover takes, in figures: after power loss, and after a failed check; and what each failure leads to.
//!
//! Power loss: the successor's master-down interval. A failed check: `fall` runs, one each `interval`, until it is
//! believed; then the skew when the check has no weight (the node says farewell), else the master-down interval, since a
//! backup lets its running timer expire when it hears a lower priority (RFC 9568 6.4.2). Worst cases, integer
//! milliseconds; a slow script adds its own time.

use super::finding::{Place, list};
use super::order::{effective, watched, weighted};
use super::place::Key;
use super::router::{Member, Router};
use super::{Report, codes};
use crate::config::finding::Severity;
use crate::config::model::{CheckConfig, Tracked, Tracker};
use crate::vrrp::election;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// A takeover that takes longer is warned about.
const SLOW: Duration = Duration::from_secs(15);

/// `3.61 s`: seconds, rounded to two decimals, from ten on to one.
pub(super) fn seconds(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (unit, digits) = if millis >= 10_000 { (100, 1) } else { (10, 2) };
    let parts = millis.saturating_add(unit / 2) / unit;
    let text = format!("{}.{:0digits$}", parts * unit / 1000, parts * unit % 1000 / unit);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Who takes over from `member`, all of equal rank.
fn successors<'r, 'a>(router: &'r Router<'a>, member: &Member<'a>) -> Vec<&'r Member<'a>> {
    let others: Vec<&Member<'a>> =
        router.members.iter().filter(|other| !core::ptr::eq(other.node, member.node)).collect();
    let best = others.iter().map(|other| effective(other, 0)).max();
    others.into_iter().filter(|other| Some(effective(other, 0)) == best).collect()
}

fn master_down(member: &Member<'_>) -> Duration {
    let (router, how) = (&member.instance.router, &member.instance.election);
    election::master_down(router.version, how.down_adverts, effective(member, 0), how.interval)
}

fn skew(member: &Member<'_>) -> Duration {
    election::skew(member.instance.router.version, effective(member, 0), member.instance.election.interval)
}

/// A tracked check of `member`.
fn check<'a>(member: &Member<'a>, tracker: &Tracker) -> Option<&'a CheckConfig> {
    match tracker.what {
        Tracked::Check(id) => member.node.config.as_ref()?.checks.get(&id).map(AsRef::as_ref),
        Tracked::Interface(_) | Tracked::Session(_) => None,
    }
}

/// How long until a failure of `check` is believed.
fn believed(check: &CheckConfig) -> Duration {
    check.schedule.interval.saturating_mul(check.fall)
}

/// The lines about `router`, and a warning when it is slow.
pub(super) fn rules(router: &Router<'_>, report: &mut Report) {
    let mut order: Vec<&Member<'_>> = router.members.iter().collect();
    order.sort_by_key(|member| core::cmp::Reverse(effective(member, 0)));
    let Some(first) = order.first().copied() else { return };
    let shown: Vec<String> =
        order.iter().map(|member| format!("{} {}", member.name(), effective(member, 0))).collect();
    let addresses: Vec<String> =
        first.instance.addresses.iter().take(4).map(|one| one.address.addr().to_string()).collect();
    let more = first.instance.addresses.len().saturating_sub(4);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    report.routers.push(format!("{}, {}{more}: {}", router.title(), list(&addresses), shown.join(", ")));
    let after = successors(router, first);
    let Some(next) = after.first().copied() else { return };
    let names = after.iter().map(|member| member.name()).collect::<Vec<_>>().join(" or ");
    let lost = after.iter().map(|member| master_down(member)).max().unwrap_or_default();
    report.routers.push(format!(
        "  {} loses power: {names} takes over within {}",
        first.name(),
        seconds(lost)
    ));
    let mut slowest: Option<(Duration, &CheckConfig)> = None;
    for tracker in &first.instance.trackers {
        let Some(check) = check(first, tracker) else { continue };
        let Some((left, wait)) = leaves(first, tracker, next) else { continue };
        let all = believed(check) + wait;
        report.routers.push(format!(
            "  {} fails on {}: believed after {}, {left}, {names} takes over within {}",
            check.name,
            first.name(),
            seconds(believed(check)),
            seconds(all)
        ));
        if slowest.is_none_or(|(time, _)| time < all) {
            slowest = Some((all, check));
        }
    }
    together(router, report);
    slow(first, lost, slowest, report);
}

/// What is left of the priority of `first` when `tracker` fails, and how long `next` then waits; `None` when it
/// stays active.
fn leaves(first: &Member<'_>, tracker: &Tracker, next: &Member<'_>) -> Option<(String, Duration)> {
    if tracker.weight == 0 {
        return Some((String::from("a fault"), skew(next)));
    }
    let bit = weighted(first).iter().position(|other| core::ptr::eq(*other, tracker))?;
    let left = effective(first, 1 << bit.min(63));
    let moves = left < effective(next, 0) && next.instance.election.preempt;
    let delay = next.instance.election.preempt_delay;
    // The delay begins with the first lower advertisement; without one the running timer expires.
    let wait = if delay.is_zero() { master_down(next) } else { next.instance.election.interval + delay };
    moves.then(|| (format!("priority {left}"), wait))
}

/// Who is active when the weighted checks of all nodes fail together.
fn together(router: &Router<'_>, report: &mut Report) {
    let named = |member: &Member<'_>| {
        let all = weighted(member).into_iter().map(|tracker| watched(member.node.config.as_ref(), tracker));
        all.collect::<Vec<String>>()
    };
    let Some(first) = router.members.first().map(named).filter(|names| !names.is_empty()) else { return };
    if router.members.iter().any(|member| named(member) != first) {
        return;
    }
    let best = router.members.iter().map(|member| effective(member, u64::MAX)).max();
    let left: Vec<&str> = (router.members.iter())
        .filter(|member| Some(effective(member, u64::MAX)) == best)
        .map(|member| member.name())
        .collect();
    let line = format!(
        "  {} fails on all: {} is active, with {}",
        list(&first),
        left.join(" or "),
        best.unwrap_or(1)
    );
    report.routers.push(line);
}

fn slow(first: &Member<'_>, lost: Duration, slowest: Option<(Duration, &CheckConfig)>, report: &mut Report) {
    if let Some((all, check)) = slowest.filter(|(all, _)| *all > SLOW) {
        let message = format!(
            "a failure of {} on {} moves the addresses only after {}: {} runs, one each {}, then the takeover",
            check.name,
            first.name(),
            seconds(all),
            check.fall,
            seconds(check.schedule.interval)
        );
        let at = |keys: &[&str]| -> Place { first.node.at(first.node.places.check(&check.name, keys)) };
        let places = alloc::vec![at(&["interval"]), at(&["fall"])];
        let help = "lower `interval` or `fall`: interval 1 and fall 3 tell a failure from a hiccup in 3 s";
        report.say(Severity::Warning, codes::DETECTION, places, message, help);
    }
    if lost > SLOW {
        let message =
            format!("after power loss of {} the addresses are nowhere for {}", first.name(), seconds(lost));
        let help = "lower advert_int: three of them pass before anybody takes over";
        report.say(Severity::Warning, codes::DETECTION, alloc::vec![first.at(Key::Interval)], message, help);
    }
}
