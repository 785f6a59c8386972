//! What the keywords of a virtual router mean together: the corrections that keepalived makes once its file is read
//! (vrrp.c, `vrrp_complete_instance`), each a named step with a finding, in keepalived's order.

use super::instance::InstanceDraft;
use super::keyword::Desk;
use super::{codes, command};
use crate::config::model::{
    Authentication, Config, Deleted, Destination, ElectionConfig, Family, InstanceConfig, NotifyConfig, Peer,
    RouterConfig, TransportConfig, Version, VirtualAddress,
};
use crate::id::InstanceId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// 224.0.0.18.
const GROUP4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
/// ff02::12.
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
/// The virtual router id of every tutorial.
const COMMON_VRID: u8 = 51;
/// Most IPv6 addresses of an advertisement of 1500 bytes.
const MAX_V6: usize = 90;

/// A virtual router with its meaning, still without trackers; `None` was said.
pub(super) fn instance(desk: &mut Desk<'_>, id: InstanceId, draft: &InstanceDraft) -> Option<InstanceConfig> {
    let strict = draft.election.strict.unwrap_or(desk.globals.strict);
    let family = family(desk, draft);
    let version = version(desk, draft, family, strict);
    let election = election(desk, draft, version, strict);
    let authentication = authentication(desk, draft, version, strict);
    let transport = transport(desk, draft, family, strict);
    let router = router(desk, draft, family, version);
    let addresses = addresses(desk, draft, family, version, strict);
    let notify = notify(desk, &draft.notify);
    let announce = draft.garp.settle(&draft.inherited.garp, &desk.globals.garp, strict);
    let router = router?;
    Some(InstanceConfig {
        id,
        name: Arc::from(draft.name.text.as_str()),
        addresses: held(&addresses, &router.interface),
        items: super::item::held(&draft.held.routes, &draft.held.rules),
        router,
        election,
        transport,
        authentication,
        announce,
        trackers: Vec::new(),
        notify,
    })
}

/// All commands of a draft.
pub(super) fn notify(desk: &mut Desk<'_>, draft: &super::instance::NotifyDraft) -> NotifyConfig {
    NotifyConfig {
        master: command::notify(desk, draft.master.as_ref()),
        backup: command::notify(desk, draft.backup.as_ref()),
        fault: command::notify(desk, draft.fault.as_ref()),
        stop: command::notify(desk, draft.stop.as_ref()),
        any: command::notify(desk, draft.any.as_ref()),
        lower: command::notify(desk, draft.lower.as_ref()),
        priorities: draft.priorities.unwrap_or(desk.globals.scripts.priorities),
        deleted: match &draft.deleted {
            None => Deleted::Fault,
            Some(None) => Deleted::Told,
            Some(Some(run)) => command::notify(desk, Some(run)).map_or(Deleted::Told, Deleted::Run),
        },
    }
}

/// The family is that of the first virtual address, else of a source, a peer or the group.
fn family(_: &mut Desk<'_>, draft: &InstanceDraft) -> Family {
    let transport = &draft.transport;
    let hint = draft
        .held
        .addresses
        .first()
        .map(|a| a.address.addr())
        .or(transport.unicast_source.as_ref().map(|s| s.0))
        .or(transport.multicast_source.as_ref().map(|s| s.0))
        .or(transport.peers.first().map(|p| p.0.address))
        .or(transport.group.as_ref().map(|g| g.0));
    match hint {
        _ if draft.identity.native_ipv6 => Family::V6,
        Some(IpAddr::V6(_)) => Family::V6,
        Some(IpAddr::V4(_)) | None => Family::V4,
    }
}

/// IPv6 is version 3 unless the instance itself says 2 (and is not strict); we have no version 2 over IPv6.
fn version(desk: &mut Desk<'_>, draft: &InstanceDraft, family: Family, strict: bool) -> Version {
    match (&draft.identity.version, family) {
        (Some((Version::V2, word)), Family::V6) => {
            let why = if strict { "strict_mode" } else { "RFC 9568" };
            let message = "IPv6 goes with version 3 only; version 2 is not read";
            desk.warn(word.span(), codes::VERSION, message, &format!("remove it ({why})"));
            Version::V3
        }
        (Some((version, _)), _) => *version,
        (None, Family::V6) => Version::V3,
        (None, Family::V4) => desk.globals.version,
    }
}

/// What identifies it; without an id or an interface there is nothing to run.
fn router(
    desk: &mut Desk<'_>,
    draft: &InstanceDraft,
    family: Family,
    version: Version,
) -> Option<RouterConfig> {
    let name = &draft.name;
    // One that was written and refused was said already.
    let silent = desk.broken_instance;
    if draft.identity.vrid.is_none() && !silent {
        let message = format!("vrrp_instance {} has no virtual_router_id", name.text);
        desk.error(
            name.span(),
            codes::NO_VRID,
            message,
            "add: virtual_router_id N (1 to 255, the same on all nodes)",
        );
    }
    if draft.identity.interface.is_none() && !silent {
        // keepalived can do without one for unicast with a source address; addresses need one here in any case.
        let message = format!("vrrp_instance {} has no interface", name.text);
        desk.error(name.span(), codes::NO_INTERFACE, message, "add: interface NAME");
    }
    let (vrid, at) = draft.identity.vrid.clone()?;
    if vrid == COMMON_VRID {
        let message =
            "virtual_router_id 51 is the one of every tutorial: somebody else on this network may use it";
        desk.note(at.span(), codes::COMMON_VRID, message, "");
    }
    Some(RouterConfig { interface: draft.identity.interface.clone()?, vrid, version, family })
}

/// State, priority, preemption, interval.
fn election(desk: &mut Desk<'_>, draft: &InstanceDraft, version: Version, strict: bool) -> ElectionConfig {
    let wish = &draft.election;
    let state = wish.state.as_ref().map(|(master, _)| *master);
    let priority = match (&wish.priority, state) {
        (Some((priority, _)), _) => *priority,
        (None, Some(true)) => {
            let at = wish.state.as_ref().map_or_else(|| draft.name.span(), |(_, word)| word.span());
            let message = "state MASTER without a priority means priority 255, the owner of the addresses";
            // A priority that was written and refused was said already.
            if !desk.broken_instance {
                desk.warn(at, codes::STATE, message, "add: priority N");
            }
            255
        }
        (None, _) => 100,
    };
    let owner = priority == 255;
    let mut wish_master = state.unwrap_or(owner);
    if strict && wish_master != owner {
        let message = "strict_mode: state is MASTER if and only if the priority is 255; it is set so";
        desk.warn(draft.name.span(), codes::STRICT, message, "");
        wish_master = owner;
    }
    if let Some((true, word)) = wish.state.as_ref().filter(|_| !owner && !strict) {
        let message = format!("state MASTER is a wish: with priority {priority} the router starts as backup");
        desk.note(word.span(), codes::WISH_WITHOUT_EFFECT, message, "the highest priority wins the election");
    }
    let (preempt, preempt_delay) = preempt(desk, draft, wish_master, owner, strict);
    let mut down_adverts =
        wish.down_adverts.as_ref().map(|d| d.0).or(draft.inherited.down_adverts).unwrap_or(3);
    if strict && down_adverts != 3 {
        desk.warn(draft.name.span(), codes::STRICT, "strict_mode: down_timer_adverts is 3", "");
        down_adverts = 3;
    }
    let owner_ignores = wish.owner_ignores.unwrap_or(desk.globals.owner_ignores);
    ElectionConfig {
        priority,
        wish_master,
        interval: interval(desk, draft, version),
        down_adverts,
        preempt,
        preempt_delay,
        lower_no_advert: strict || wish.lower_no_advert.unwrap_or(desk.globals.lower_no_advert),
        // Ours is on: without it a healed split leaves neighbours at the wrong router.
        last_advert: !strict && wish.last_advert.or(desk.globals.last_advert).unwrap_or(true),
        owner_ignores: owner && (strict || owner_ignores),
        oversleep_priority: oversleep(desk, draft, preempt),
        strict,
    }
}

/// `timer_expired_backup` is for routers that would not preempt. Here everybody who slept for too long listens first, so
/// that without nopreempt nothing is lost.
fn oversleep(desk: &mut Desk<'_>, draft: &InstanceDraft, preempt: bool) -> Option<u8> {
    let (priority, word) = draft.election.oversleep.as_ref()?;
    if preempt {
        let message = "timer_expired_backup has no effect without nopreempt";
        desk.warn(word.span(), codes::OVERSLEEP, message, "add nopreempt, or remove it");
        return None;
    }
    Some(*priority)
}

/// nopreempt is cleared by 255 and by MASTER; preempt_delay by MASTER, strict and nopreempt.
fn preempt(
    desk: &mut Desk<'_>,
    draft: &InstanceDraft,
    wish: bool,
    owner: bool,
    strict: bool,
) -> (bool, Duration) {
    let mut preempt = draft.election.nopreempt.is_none();
    if let Some(at) = draft.election.nopreempt.clone().filter(|_| wish || owner) {
        let why = if owner { "priority 255" } else { "state MASTER" };
        let message = format!("nopreempt has no effect with {why}");
        desk.warn(at, codes::PREEMPT, message, "write state BACKUP on all nodes");
        preempt = true;
    }
    let Some((delay, word)) = &draft.election.preempt_delay else { return (preempt, Duration::ZERO) };
    let why = match () {
        () if delay.is_zero() => None,
        () if wish => Some("state MASTER"),
        () if strict => Some("strict_mode"),
        () if !preempt => Some("nopreempt"),
        () => None,
    };
    if let Some(why) = why {
        let message = format!("preempt_delay has no effect with {why}");
        desk.warn(word.span(), codes::PREEMPT, message, "");
        return (preempt, Duration::ZERO);
    }
    (preempt, *delay)
}

/// Version 2 carries whole seconds, 1 to 255; version 3 hundredths, up to 40.95 s.
fn interval(desk: &mut Desk<'_>, draft: &InstanceDraft, version: Version) -> Duration {
    let Some((wanted, word)) = &draft.election.interval else { return Duration::from_secs(1) };
    let millis = u64::try_from(wanted.as_millis()).unwrap_or(u64::MAX);
    let micros = u64::try_from(wanted.as_micros()).unwrap_or(u64::MAX);
    let (found, carries) = match version {
        Version::V2 => {
            let seconds = millis.saturating_add(500) / 1000;
            (Duration::from_secs(seconds.clamp(1, 255)), "version 2 carries whole seconds")
        }
        Version::V3 => {
            let hundredths = micros.saturating_add(5_000) / 10_000;
            (
                Duration::from_millis(hundredths.clamp(1, 4095) * 10),
                "version 3 carries up to 40.95 s in steps of 10 ms",
            )
        }
    };
    if found != *wanted {
        let message = format!("advert_int {} becomes {} ms: {carries}", word.text, found.as_millis());
        let help =
            if version == Version::V2 { "set version 3 on all nodes for shorter intervals" } else { "" };
        desk.warn(word.span(), codes::INTERVAL, message, help);
    }
    found
}

/// Only version 2 without strict_mode has a password; its first 8 bytes count.
fn authentication(
    desk: &mut Desk<'_>,
    draft: &InstanceDraft,
    version: Version,
    strict: bool,
) -> Authentication {
    let Some(auth) = &draft.authentication else { return Authentication::None };
    let reason = if strict {
        Some("strict_mode has none")
    } else if version == Version::V3 {
        Some("version 3 has none")
    } else {
        None
    };
    if let Some(reason) = reason {
        let message = format!("authentication is dropped: {reason}");
        desk.warn(auth.at.clone(), codes::AUTHENTICATION, message, "remove the block on all nodes");
        return Authentication::None;
    }
    let (Some(_), Some(word)) = (&auth.kind, &auth.password) else {
        let missing = if auth.kind.is_none() { "auth_type PASS" } else { "auth_pass" };
        let message = format!("authentication without {missing} is dropped");
        desk.warn(auth.at.clone(), codes::AUTHENTICATION, message, &format!("add {missing}"));
        return Authentication::None;
    };
    if word.poisoned {
        return Authentication::None;
    }
    let bytes = word.text.as_bytes();
    if bytes.is_empty() {
        desk.warn(word.span(), codes::AUTHENTICATION, "an empty password: authentication is dropped", "");
        return Authentication::None;
    }
    if bytes.len() > 8 {
        let message = format!("a password of {} bytes: only the first 8 count", bytes.len());
        desk.warn(word.span(), codes::PASSWORD_CUT, message, "choose one of at most 8 bytes on all nodes");
    }
    let message = "the password goes over the network in clear, in each advertisement";
    desk.note(
        word.span(),
        codes::CLEAR_PASSWORD,
        message,
        "it keeps foreign routers apart; it does not keep anybody out",
    );
    let mut pass = [0; 8];
    for (to, from) in pass.iter_mut().zip(bytes) {
        *to = *from;
    }
    Authentication::Pass(pass)
}

/// Where packets go and come from.
fn transport(desk: &mut Desk<'_>, draft: &InstanceDraft, family: Family, strict: bool) -> TransportConfig {
    let wish = &draft.transport;
    let right = |address: IpAddr| address.is_ipv4() == (family == Family::V4);
    let mut peers: Vec<Peer> = Vec::new();
    for (peer, word) in &wish.peers {
        if right(peer.address) {
            peers.push(*peer);
        } else {
            let message = format!("the peer {} is not of the family of the virtual addresses", peer.address);
            desk.error(word.span(), codes::FAMILY, message, "");
        }
    }
    // With unicast_fault_no_peer an empty list stays one, and the router in FAULT; else it falls back to multicast.
    let unicast = !peers.is_empty() || draft.flags.fault_no_peer;
    if peers.is_empty() && draft.flags.fault_no_peer {
        let message = "unicast_fault_no_peer without a peer: the router stays in FAULT";
        desk.warn(draft.name.span(), codes::UNICAST, message, "add: unicast_peer { ADDRESS … }");
    }
    if let Some(at) = wish.unicast.clone().filter(|_| !unicast && wish.peers.is_empty()) {
        let message = "unicast without a peer: advertisements go by multicast";
        desk.warn(at, codes::UNICAST, message, "add: unicast_peer { ADDRESS … }");
    }
    if strict && unicast {
        let at = wish.unicast.clone().unwrap_or_else(|| draft.name.span());
        // keepalived 2.2 runs such a file; later releases stop at it.
        desk.warn(
            at,
            codes::STRICT,
            "strict_mode and unicast peers exclude each other by the standard; newer keepalived refuses the file",
            "remove vrrp_strict or strict_mode",
        );
    }
    let source = if unicast { &wish.unicast_source } else { &wish.multicast_source };
    let source =
        source.clone().or_else(|| wish.unicast_source.clone()).or_else(|| wish.multicast_source.clone());
    if let Some((address, word)) = source.as_ref().filter(|(address, _)| !right(*address)) {
        let message = format!("the source {address} is not of the family of the virtual addresses");
        desk.error(word.span(), codes::SOURCE, message, "");
    }
    if let (Some(at), None) = (&wish.track_source, &source) {
        let message = "track_src_ip without mcast_src_ip or unicast_src_ip has no effect";
        desk.warn(at.clone(), codes::SOURCE, message, "");
    }
    let globals = &desk.globals;
    let (default, global) = match family {
        Family::V4 => (GROUP4, globals.groups.0),
        Family::V6 => (GROUP6, globals.groups.1),
    };
    let check_source = unicast && (wish.check_source || globals.check_source);
    let plain_checksum = wish.plain_checksum.unwrap_or(draft.inherited.plain_checksum);
    let skip_address_check = wish.skip_address_check.unwrap_or(draft.inherited.skip_address_check);
    let group = group(desk, draft, family).or(global).unwrap_or(default);
    let hops = match &wish.ttl {
        Some((ttl, _)) if unicast => *ttl,
        Some((_, word)) => {
            // keepalived then sends its multicast with a TTL of 0, which never leaves the host.
            desk.warn(word.span(), codes::UNICAST, "unicast_ttl has no effect without peers", "");
            255
        }
        None => 255,
    };
    TransportConfig {
        track_source: wish.track_source.is_some() && source.is_some(),
        source: source.map(|(address, _)| address),
        to: if unicast { Destination::Unicast(peers) } else { Destination::Multicast(group) },
        hops,
        check_source,
        skip_address_check,
        plain_checksum,
        old_checksum: wish.old_checksum,
    }
}

/// `mcast_dst_ip`, if it fits.
fn group(desk: &mut Desk<'_>, draft: &InstanceDraft, family: Family) -> Option<IpAddr> {
    let (group, word) = draft.transport.group.as_ref()?;
    if group.is_ipv4() == (family == Family::V4) {
        return Some(*group);
    }
    let message = format!("the group {group} is not of the family of the virtual addresses");
    desk.error(word.span(), codes::FAMILY, message, "");
    None
}

/// The addresses of a virtual router; the second value says whether it is advertised.
fn addresses<'d>(
    desk: &mut Desk<'_>,
    draft: &'d InstanceDraft,
    family: Family,
    version: Version,
    strict: bool,
) -> Vec<(&'d super::address::AddressDraft, bool)> {
    let most = if family == Family::V4 { Config::MAX_ADDRESSES } else { MAX_V6 };
    let mut advertised = 0;
    let mut found = Vec::new();
    for (address, listed) in
        draft.held.addresses.iter().map(|a| (a, true)).chain(draft.held.excluded.iter().map(|a| (a, false)))
    {
        let ip = address.address.addr();
        if listed && ip.is_ipv4() != (family == Family::V4) {
            let message = format!("{ip} is not of the family of this virtual router");
            let help = "use a vrrp_instance of its own, or virtual_ipaddress_excluded";
            desk.error(address.at.span(), codes::FAMILY, message, help);
            continue;
        }
        if !desk.statics.virtual_addresses.insert(ip) {
            let message = format!("{ip} is listed twice; the second line does not count");
            desk.warn(address.at.span(), codes::SAME_ADDRESS, message, "remove one of them");
            continue;
        }
        if listed && advertised == most {
            let message = format!(
                "{ip} does not fit the advertisement ({most} addresses) and is held without being advertised"
            );
            desk.warn(address.at.span(), codes::TOO_MANY_ADDRESSES, message, "");
        }
        let fits = listed && advertised < most;
        advertised += usize::from(fits);
        found.push((address, fits));
    }
    if advertised == 0 && !desk.broken_instance {
        let name = &draft.name;
        if strict || (version == Version::V3 && !draft.flags.no_addresses) {
            let message = format!("vrrp_instance {} has no virtual address", name.text);
            desk.error(name.span(), codes::NO_ADDRESS, message, "add: virtual_ipaddress { ADDRESS }");
        } else if !draft.flags.no_addresses {
            let message =
                format!("vrrp_instance {} has no virtual address: it only holds an election", name.text);
            let help = "add: virtual_ipaddress { ADDRESS }; or no_virtual_ipaddress, if notify scripts do all the work";
            desk.warn(name.span(), codes::NO_ADDRESS, message, help);
        }
    }
    if strict && !draft.flags.accept {
        let message =
            "strict_mode: keepalived would drop packets to the virtual addresses; here they are accepted";
        desk.note(draft.name.span(), codes::STRICT, message, "");
    }
    found
}

/// Addresses as the model has them: advertised ones first, in the file's order.
fn held(list: &[(&super::address::AddressDraft, bool)], own: &Arc<str>) -> Vec<VirtualAddress> {
    let one = |(draft, advertised): &(&super::address::AddressDraft, bool)| VirtualAddress {
        address: draft.address,
        interface: draft.interface.clone().unwrap_or_else(|| own.clone()),
        advertised: *advertised,
        tracked: draft.tracked,
        how: Arc::new(draft.how.clone()),
    };
    let first = list.iter().filter(|(_, advertised)| *advertised);
    first.chain(list.iter().filter(|(_, advertised)| !*advertised)).map(one).collect()
}

/// Two routers that would hear each other as one: same interface, family, id, and multicast group, or local address
/// and one of the peers.
pub(super) fn clashes(desk: &mut Desk<'_>, drafts: &[InstanceDraft]) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let id = desk.config.names.id(crate::config::names::Kind::Instance, &draft.name.text);
        let Some(one) = desk.config.instances.get(&InstanceId(id)).cloned() else { continue };
        let (source, to): (Option<IpAddr>, Vec<IpAddr>) = match &one.transport.to {
            Destination::Multicast(group) => (None, alloc::vec![*group]),
            Destination::Unicast(peers) => {
                (one.transport.source, peers.iter().map(|peer| peer.address).collect())
            }
        };
        let mut clash = None;
        for to in to {
            let key = (one.router.interface.clone(), one.router.family, one.router.vrid, source, to);
            match seen.get(&key) {
                Some(other) => clash = clash.or(Some(*other)),
                None => {
                    seen.insert(key, index);
                }
            }
        }
        if let Some(other) = clash {
            let (vrid, interface, other) = (one.router.vrid, &one.router.interface, &drafts[other].name.text);
            let message = format!("virtual_router_id {vrid} is that of {other} on {interface} too");
            let at = draft.identity.vrid.as_ref().map_or_else(|| draft.name.span(), |(_, word)| word.span());
            desk.error(
                at,
                codes::SAME_VRID,
                message,
                "each virtual router of an interface has an id of its own",
            );
        }
    }
}
