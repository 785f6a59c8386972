//! Unicast peer lists: who is sent to must send back, and must be one of the nodes.
//!
//! A node's own address is its configured source, else the one address of all lists that it does not list itself. Where
//! that is not to be told, nothing is said about the node: better silent than wrong.

use super::finding::{Place, list};
use super::place::Key;
use super::router::{Member, Router};
use super::{Report, codes};
use crate::config::finding::Severity;
use crate::config::model::Destination;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The peers that a member sends to; `None` when it sends to a group.
fn listed(member: &Member<'_>) -> Option<BTreeSet<IpAddr>> {
    match &member.instance.transport.to {
        Destination::Multicast(_) => None,
        Destination::Unicast(peers) => Some(peers.iter().map(|peer| peer.address).collect()),
    }
}

/// The address that each member sends from, as far as it can be told.
fn own(router: &Router<'_>) -> Vec<Option<IpAddr>> {
    let members = &router.members;
    let known: Vec<Option<IpAddr>> = members.iter().map(|member| member.instance.transport.source).collect();
    let spoken: BTreeSet<IpAddr> = members.iter().filter_map(listed).flatten().collect();
    let deduced = |member: &Member<'_>| {
        let mine = listed(member)?;
        let mut left = spoken.iter().filter(|one| !mine.contains(*one) && !known.contains(&Some(**one)));
        let first = left.next().copied();
        first.filter(|_| left.next().is_none())
    };
    members.iter().zip(&known).map(|(member, known)| known.or_else(|| deduced(member))).collect()
}

/// All rules about peers.
pub(super) fn rules(router: &Router<'_>, report: &mut Report) {
    let own = own(router);
    let unicast: Vec<(&Member<'_>, BTreeSet<IpAddr>, Option<IpAddr>)> = router
        .members
        .iter()
        .zip(own)
        .filter_map(|(member, own)| Some((member, listed(member)?, own)))
        .collect();
    for (nth, (one, its, at)) in unicast.iter().enumerate() {
        for (other, theirs, there) in &unicast[nth + 1..] {
            let (Some(at), Some(there)) = (at, there) else { continue };
            let lacking = match (its.contains(there), theirs.contains(at)) {
                (true, true) => continue,
                (true, false) => Some((other, at, one, there)),
                (false, true) => Some((one, there, other, at)),
                (false, false) => None,
            };
            match lacking {
                Some((lacks, missing, has, named)) => one_way(report, lacks, missing, has, named),
                None => strangers(report, (one, at), (other, there)),
            }
        }
    }
    let all: BTreeSet<IpAddr> = unicast.iter().filter_map(|(_, _, own)| *own).collect();
    if unicast.iter().any(|(_, _, own)| own.is_none()) || unicast.len() < 2 {
        return;
    }
    for (member, its, _) in &unicast {
        for unknown in its.difference(&all) {
            let message =
                format!("{} sends to {unknown}, which is the address of none of these nodes", member.name());
            let help = "correct the address, or give the node that has it to lint as well";
            report.say(Severity::Warning, codes::PEERS, alloc::vec![place(member, *unknown)], message, help);
        }
    }
}

fn place(member: &Member<'_>, peer: IpAddr) -> Place {
    member.node.at(member.node.places.item(&member.instance.name, Key::Peers, &peer))
}

/// `has` sends to `lacks`, which does not send back.
fn one_way(report: &mut Report, lacks: &Member<'_>, missing: &IpAddr, has: &Member<'_>, named: &IpAddr) {
    let (lacks_name, has_name) = (lacks.name(), has.name());
    let message = format!(
        "{lacks_name} does not list {has_name} ({missing}) as its peer, but {has_name} lists {lacks_name}"
    );
    let help = format!(
        "add {missing} to unicast_peer of {lacks_name}: {has_name} does not hear it, and takes the addresses while {lacks_name} holds them"
    );
    let places = alloc::vec![lacks.at(Key::Peers), place(has, *named)];
    report.say(Severity::Error, codes::PEERS, places, message, help);
}

/// Neither sends to the other.
fn strangers(report: &mut Report, one: (&Member<'_>, &IpAddr), other: (&Member<'_>, &IpAddr)) {
    let names = list(&[one.0.name(), other.0.name()]);
    let message = format!("{names} do not list each other as peers ({} and {})", one.1, other.1);
    let help =
        "add each to unicast_peer of the other: they do not hear each other, and both take the addresses";
    report.say(
        Severity::Error,
        codes::PEERS,
        alloc::vec![one.0.at(Key::Peers), other.0.at(Key::Peers)],
        message,
        help,
    );
}
