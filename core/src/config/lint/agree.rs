//! What all nodes of a virtual router must say alike: VRID, version, interval, password, addresses, destination,
//! preemption. RFC 9568 7.1 and RFC 3768 7.1 drop an advertisement that differs, and the node that drops it elects itself.

use super::finding::{Place, list};
use super::place::Key;
use super::router::{Member, Router};
use super::{Report, codes};
use crate::config::finding::{Code, Severity};
use crate::config::model::{Authentication, Destination, Version};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

/// All of them.
pub(super) fn rules(router: &Router<'_>, report: &mut Report) {
    vrid(router, report);
    version(router, report);
    interval(router, report);
    password(router, report);
    addresses(router, report);
    form(router, report);
    destination(router, report);
    preemption(router, report);
}

/// The members by what they say, the smallest group first; `None` when they agree.
fn groups<'r, 'a, K: Ord>(
    router: &'r Router<'a>,
    key: impl Fn(&Member<'a>) -> K,
) -> Option<Vec<(K, Vec<&'r Member<'a>>)>> {
    let mut found: BTreeMap<K, Vec<&Member<'a>>> = BTreeMap::new();
    for member in &router.members {
        found.entry(key(member)).or_default().push(member);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, members)| members.len());
    (found.len() > 1).then_some(found)
}

fn names(members: &[&Member<'_>]) -> String {
    let names: Vec<&str> = members.iter().map(|member| member.name()).collect();
    list(&names)
}

/// One place of each member, the odd ones out first.
fn places<K>(groups: &[(K, Vec<&Member<'_>>)], key: Key) -> Vec<Place> {
    groups.iter().flat_map(|(_, members)| members.iter().map(|member| member.at(key))).collect()
}

/// Says that `what` differs.
fn differs<K>(
    report: &mut Report,
    (severity, code): (Severity, Code),
    groups: &[(K, Vec<&Member<'_>>)],
    (what, key): (&str, Key),
    show: impl Fn(&K) -> String,
    help: &str,
) {
    let said: Vec<String> =
        groups.iter().map(|(value, members)| format!("{} on {}", show(value), names(members))).collect();
    let message = format!("{what} differs: {}", said.join(", "));
    report.say(severity, code, places(groups, key), message, help);
}

fn vrid(router: &Router<'_>, report: &mut Report) {
    let Some(found) = groups(router, |member| member.instance.router.vrid) else { return };
    let what = ("virtual_router_id", Key::Vrid);
    let help = "write the same on all nodes: these do not hear each other, and each holds the same addresses";
    differs(report, (Severity::Error, codes::VRID), &found, what, ToString::to_string, help);
}

fn version(router: &Router<'_>, report: &mut Report) {
    let Some(found) = groups(router, |member| member.instance.router.version) else { return };
    let show = |version: &Version| {
        String::from(match version {
            Version::V2 => "2",
            Version::V3 => "3",
        })
    };
    let help = "write the same vrrp_version on all nodes: advertisements of another version are dropped, and both sides hold the addresses";
    let what = ("the VRRP version", Key::Version);
    differs(report, (Severity::Error, codes::VERSION), &found, what, show, help);
}

fn interval(router: &Router<'_>, report: &mut Report) {
    let Some(found) = groups(router, |member| member.instance.election.interval) else { return };
    let v2 = router.members.iter().any(|member| member.instance.router.version == Version::V2);
    let (severity, help) = if v2 {
        let help = "write the same advert_int on all nodes: version 2 drops advertisements with another one, and both sides hold the addresses";
        (Severity::Error, help)
    } else {
        let help = "write the same advert_int on all nodes: backups follow the active node's, so that takeover times change with who is active";
        (Severity::Warning, help)
    };
    let show = |interval: &core::time::Duration| super::timing::seconds(*interval);
    differs(report, (severity, codes::INTERVAL), &found, ("advert_int", Key::Interval), show, help);
}

/// Passwords are compared, never shown.
fn password(router: &Router<'_>, report: &mut Report) {
    let key = |member: &Member<'_>| match member.instance.authentication {
        Authentication::None => None,
        Authentication::Pass(word) => Some(word),
    };
    let Some(found) = groups(router, key) else { return };
    let said: Vec<String> = found
        .iter()
        .map(|(word, members)| match word {
            None => format!("none on {}", names(members)),
            Some(_) => format!("one of its own on {}", names(members)),
        })
        .collect();
    let message = format!("the password differs: {}", said.join(", "));
    let help = "write the same authentication block on all nodes: advertisements with another password are dropped, and both sides hold the addresses";
    report.say(Severity::Error, codes::PASSWORD, places(&found, Key::Password), message, help);
}

fn addresses(router: &Router<'_>, report: &mut Report) {
    let Some(found) = groups(router, Member::addresses) else { return };
    let all: BTreeSet<IpAddr> = found.iter().flat_map(|(addresses, _)| addresses.iter().copied()).collect();
    let mut said = Vec::new();
    let mut shown = Vec::new();
    for address in &all {
        let (have, lack): (Vec<&Member<'_>>, Vec<&Member<'_>>) =
            router.members.iter().partition(|member| member.addresses().contains(address));
        if !lack.is_empty() {
            said.push(format!("{address} is missing on {}", names(&lack)));
            let has = have.first().map(|member| {
                member.node.at(member.node.places.item(&member.instance.name, Key::Addresses, address))
            });
            shown.extend(lack.iter().map(|member| member.at(Key::Addresses)).chain(has));
        }
    }
    let more = said.len().saturating_sub(4);
    said.truncate(4);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    shown.dedup();
    let message = format!("the addresses of {} differ: {}", router.title(), said.join(", "));
    let apart = found
        .iter()
        .enumerate()
        .any(|(nth, (one, _))| found[..nth].iter().any(|(other, _)| one.is_disjoint(other)));
    let help = if apart {
        "write the same virtual_ipaddress block on all nodes; if these are two clusters, give each a virtual_router_id of its own"
    } else {
        "write the same virtual_ipaddress block on all nodes: an address that a node lacks is nowhere while that node is active"
    };
    report.say(Severity::Error, codes::ADDRESSES, shown, message, help);
}

/// Order, prefix length, advertised or not, of lists with the same addresses.
fn form(router: &Router<'_>, report: &mut Report) {
    if groups(router, Member::addresses).is_some() {
        return;
    }
    let full = |member: &Member<'_>| -> Vec<_> {
        member.instance.addresses.iter().map(|one| (one.address, one.advertised)).collect()
    };
    let Some(found) = groups(router, full) else { return };
    let sorted = |member: &Member<'_>| {
        let mut all = full(member);
        all.sort_unstable();
        all
    };
    let (severity, what, help) = if groups(router, sorted).is_some() {
        let help = "write the same virtual_ipaddress block on all nodes: with another prefix length the network behind the address changes with the active node";
        (Severity::Warning, "prefix lengths or exclusions", help)
    } else {
        let help = "keepalived and standfast compare lists without their order, other routers may not: write the same order on all nodes";
        (Severity::Note, "order", help)
    };
    let odd = found.first().map_or_else(String::new, |(_, members)| names(members));
    let message =
        format!("the {what} of the addresses of {} on {odd} differ from the other nodes", router.title());
    report.say(severity, codes::ADDRESS_FORM, places(&found, Key::Addresses), message, help);
}

fn destination(router: &Router<'_>, report: &mut Report) {
    let to = |member: &Member<'_>| match &member.instance.transport.to {
        Destination::Multicast(group) => Some(*group),
        Destination::Unicast(_) => None,
    };
    let Some(found) = groups(router, to) else { return };
    let show =
        |to: &Option<IpAddr>| to.map_or_else(|| String::from("peers"), |group| format!("group {group}"));
    let help = "let all nodes send to peers (unicast_peer), or all to the same group: these do not hear each other, and each holds the addresses";
    let what = ("where advertisements go", Key::Peers);
    differs(report, (Severity::Error, codes::TRANSPORT), &found, what, show, help);
}

/// An owner always preempts, whatever it says.
fn preemption(router: &Router<'_>, report: &mut Report) {
    let free = |member: &Member<'_>| member.instance.election.preempt;
    let members = router.members.iter().filter(|member| member.instance.election.priority != 255).copied();
    let router = Router { members: members.collect() };
    let Some(found) = groups(&router, free) else { return };
    let show = |preempt: &bool| String::from(if *preempt { "off" } else { "on" });
    let help = "write `nopreempt` and `state BACKUP` on all nodes, or `nopreempt` on none (it has no effect with state MASTER): now it depends on who returns whether the address moves twice";
    let what = ("nopreempt", Key::Preempt);
    differs(report, (Severity::Warning, codes::PREEMPTION), &found, what, show, help);
}
