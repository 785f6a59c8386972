//! `vrrp_instance`: its keywords, as written. What they mean together is `finish`'s.

use super::address::{self, AddressDraft};
use super::command::{self, CommandDraft};
use super::garp::{self, Garp};
use super::globals::Globals;
use super::item::{self, ItemDraft};
use super::keyword::{Desk, Keyword, Shape, apply, first, note, refused, served};
use super::text::Word;
use super::tracker::{self, TrackerDraft};
use super::tree::Statement;
use super::values::{argument, interface, seconds, switch};
use super::watch::Sort;
use super::{codes, globals, peer};
use crate::config::finding::Span;
use crate::config::model::{Config, OldChecksum, Peer, Version};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// A virtual router as written.
#[derive(Clone, Debug)]
pub(super) struct InstanceDraft {
    pub(super) name: Word,
    pub(super) identity: Identity,
    pub(super) election: Election,
    pub(super) transport: Transport,
    pub(super) held: Held,
    pub(super) authentication: Option<Auth>,
    pub(super) garp: Garp,
    pub(super) trackers: Vec<TrackerDraft>,
    pub(super) notify: NotifyDraft,
    pub(super) flags: Flags,
    /// `global_defs` as it stood when the block began.
    pub(super) inherited: Globals,
}

/// What it holds while it is active.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    pub(super) addresses: Vec<AddressDraft>,
    pub(super) excluded: Vec<AddressDraft>,
    pub(super) routes: Vec<ItemDraft>,
    pub(super) rules: Vec<ItemDraft>,
}

/// Who it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    pub(super) interface: Option<Arc<str>>,
    pub(super) vrid: Option<(u8, Word)>,
    pub(super) version: Option<(Version, Word)>,
    pub(super) native_ipv6: bool,
}

/// How it is elected.
#[derive(Clone, Debug, Default)]
pub(super) struct Election {
    pub(super) state: Option<(bool, Word)>,
    pub(super) priority: Option<(u8, Word)>,
    pub(super) interval: Option<(Duration, Word)>,
    pub(super) nopreempt: Option<Span>,
    pub(super) preempt_delay: Option<(Duration, Word)>,
    pub(super) down_adverts: Option<(u8, Word)>,
    pub(super) strict: Option<bool>,
    pub(super) lower_no_advert: Option<bool>,
    pub(super) last_advert: Option<bool>,
    pub(super) owner_ignores: Option<bool>,
    /// `timer_expired_backup`.
    pub(super) oversleep: Option<(u8, Word)>,
}

/// How its packets travel.
#[derive(Clone, Debug, Default)]
pub(super) struct Transport {
    pub(super) multicast_source: Option<(IpAddr, Word)>,
    pub(super) unicast_source: Option<(IpAddr, Word)>,
    pub(super) peers: Vec<(Peer, Word)>,
    /// Some keyword says that unicast is meant.
    pub(super) unicast: Option<Span>,
    pub(super) check_source: bool,
    pub(super) ttl: Option<(u8, Word)>,
    pub(super) group: Option<(IpAddr, Word)>,
    pub(super) track_source: Option<Span>,
    pub(super) skip_address_check: Option<bool>,
    pub(super) plain_checksum: Option<bool>,
    pub(super) old_checksum: OldChecksum,
}

/// `authentication`.
#[derive(Clone, Debug)]
pub(super) struct Auth {
    pub(super) kind: Option<Word>,
    pub(super) password: Option<Word>,
    pub(super) at: Span,
}

/// Commands as written.
#[derive(Clone, Debug, Default)]
pub(super) struct NotifyDraft {
    pub(super) master: Option<CommandDraft>,
    pub(super) backup: Option<CommandDraft>,
    pub(super) fault: Option<CommandDraft>,
    pub(super) stop: Option<CommandDraft>,
    pub(super) any: Option<CommandDraft>,
    pub(super) lower: Option<CommandDraft>,
    pub(super) priorities: Option<bool>,
    /// `notify_deleted`, with its command if it has one.
    pub(super) deleted: Option<Option<CommandDraft>>,
}

/// Small wishes.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    pub(super) dont_track_primary: bool,
    pub(super) no_addresses: bool,
    pub(super) accept: bool,
    /// `unicast_fault_no_peer`.
    pub(super) fault_no_peer: bool,
}

/// Anything that has commands to be told.
pub(super) trait Notified {
    /// Its commands.
    fn notify(&mut self) -> &mut NotifyDraft;
}

impl Notified for InstanceDraft {
    fn notify(&mut self) -> &mut NotifyDraft {
        &mut self.notify
    }
}

/// Sets one of the commands; the first one counts, as in keepalived.
pub(super) fn tell<T: Notified>(target: &mut T, desk: &mut Desk<'_>, s: &Statement) {
    let notify = target.notify();
    let place = match s.keyword() {
        "notify_master" => &mut notify.master,
        "notify_backup" => &mut notify.backup,
        "notify_fault" => &mut notify.fault,
        "notify_stop" => &mut notify.stop,
        "notify_master_rx_lower_pri" => &mut notify.lower,
        _ => &mut notify.any,
    };
    if place.is_some() {
        desk.warn(
            s.span(),
            codes::DUPLICATE,
            format!("a second `{}`; the first one counts", s.keyword()),
            "",
        );
        return;
    }
    *place = command::draft(desk, s, true);
}

/// `notify_priority_changes`.
pub(super) fn priorities<T: Notified>(target: &mut T, desk: &mut Desk<'_>, s: &Statement) {
    let wish = switch(desk, s);
    let notify = target.notify();
    notify.priorities = wish.or(notify.priorities);
}

const ONE: Shape = Shape::Words(1, 1, "one word");
const SOME: Shape = Shape::Words(0, usize::MAX, "");
const NUMBER: Shape = Shape::Words(1, 1, "a number");
const SECONDS: Shape = Shape::Words(1, 1, "seconds");
const ADDRESS: Shape = Shape::Words(1, 1, "an address");
const VMAC: &str = "frames would carry the interface's own MAC";
const TELL: &str = "remove it: neighbours follow by gratuitous ARP and unsolicited neighbour advertisements";

/// Keywords of `vrrp_instance`.
pub(super) static TABLE: &[Keyword<InstanceDraft>] = &[
    served("state", Shape::Words(1, 1, "MASTER or BACKUP"), "by priority", "MASTER, BACKUP", state),
    served(
        "interface",
        Shape::Words(1, 1, "an interface"),
        "required",
        "a name of at most 15 characters",
        |i, desk, s| {
            if let Some(name) = first(s).and_then(|word| interface(desk, word)) {
                i.identity.interface = Some(name);
            }
        },
    ),
    served("virtual_router_id", NUMBER, "required", "1 to 255", |i, desk, s| {
        if let (Some(vrid), Some(word)) = (argument(desk, s, 1..=255), first(s)) {
            i.identity.vrid = Some((vrid, word.clone()));
        }
    }),
    served("priority", NUMBER, "100", "1 to 255", |i, desk, s| {
        if let (Some(priority), Some(word)) = (argument(desk, s, 1..=255), first(s)) {
            i.election.priority = Some((priority, word.clone()));
        }
    }),
    served(
        "advert_int",
        SECONDS,
        "1 s",
        "0.01 to 255 s; version 2 whole seconds, version 3 up to 40.95 s",
        |i, desk, s| {
            if let Some(word) = first(s) {
                let found = seconds(desk, word, 6, 10_000..=255_000_000);
                i.election.interval = found.map(|time| (time, word.clone())).or(i.election.interval.take());
            }
        },
    ),
    served("version", Shape::Words(1, 1, "2 or 3"), "vrrp_version; IPv6: 3", "2, 3", version),
    served("native_ipv6", Shape::Flag, "off", "", |i, _, _| i.identity.native_ipv6 = true),
    served("nopreempt", Shape::Flag, "off", "", |i, _, s| i.election.nopreempt = Some(s.span())),
    served("preempt", Shape::Flag, "on", "", |i, _, _| i.election.nopreempt = None),
    served("preempt_delay", SECONDS, "0", "0 to 1000 s", |i, desk, s| {
        if let Some(word) = first(s) {
            let found = seconds(desk, word, 6, 0..=1_000_000_000);
            i.election.preempt_delay =
                found.map(|time| (time, word.clone())).or(i.election.preempt_delay.take());
        }
    }),
    served("down_timer_adverts", NUMBER, "3", "1 to 100", |i, desk, s| {
        if let (Some(n), Some(word)) = (argument(desk, s, 1..=100), first(s)) {
            i.election.down_adverts = Some((n, word.clone()));
        }
    }),
    served("strict_mode", Shape::Switch, "vrrp_strict", "", |i, desk, s| {
        i.election.strict = switch(desk, s).or(i.election.strict);
    }),
    served("owner_ignore_adverts", Shape::Switch, "vrrp_owner_ignore_adverts", "", |i, desk, s| {
        i.election.owner_ignores = switch(desk, s).or(i.election.owner_ignores);
    }),
    served("lower_prio_no_advert", Shape::Switch, "vrrp_lower_prio_no_advert", "", |i, desk, s| {
        i.election.lower_no_advert = switch(desk, s).or(i.election.lower_no_advert);
    }),
    served("higher_prio_send_advert", Shape::Switch, "on (keepalived: off)", "", |i, desk, s| {
        i.election.last_advert = switch(desk, s).or(i.election.last_advert);
    }),
    // keepalived takes an explicit false for true here and in v3_checksum_as_v2; a switch is a switch.
    served("skip_check_adv_addr", Shape::Switch, "vrrp_skip_check_adv_addr", "", |i, desk, s| {
        i.transport.skip_address_check = switch(desk, s).or(i.transport.skip_address_check);
    }),
    served("v3_checksum_as_v2", Shape::Switch, "off", "", |i, desk, s| {
        i.transport.plain_checksum = switch(desk, s).or(i.transport.plain_checksum);
    }),
    served("mcast_src_ip", ADDRESS, "primary address", "", |i, desk, s| {
        i.transport.multicast_source = peer::source(desk, s)
    }),
    served("unicast_src_ip", ADDRESS, "primary address", "", |i, desk, s| {
        i.transport.unicast_source = peer::source(desk, s);
        i.transport.unicast = Some(s.span());
    }),
    served("unicast_peer", Shape::Block(0), "none", "at most 1024; min_ttl, max_ttl", peer::peers),
    served("check_unicast_src", Shape::Flag, "vrrp_check_unicast_src", "", |i, _, s| {
        i.transport.check_source = true;
        i.transport.unicast = Some(s.span());
    }),
    served("unicast_ttl", NUMBER, "255", "1 to 255", |i, desk, s| {
        if let (Some(ttl), Some(word)) = (argument(desk, s, 1..=255), first(s)) {
            i.transport.ttl = Some((ttl, word.clone()));
        }
    }),
    served("mcast_dst_ip", ADDRESS, "224.0.0.18, ff02::12", "multicast", |i, desk, s| {
        let v4 = first(s).is_none_or(|word| !word.text.contains(':'));
        if let (Some(group), Some(word)) = (globals::group(desk, s, v4), first(s)) {
            i.transport.group = Some((group, word.clone()));
        }
    }),
    served("track_src_ip", Shape::Flag, "off", "", |i, _, s| i.transport.track_source = Some(s.span())),
    served(
        "virtual_ipaddress",
        Shape::Block(0),
        "required for version 3",
        "255 are advertised (IPv6: 90), 1024 held",
        |i, desk, s| {
            address::read(&mut i.held.addresses, desk, s);
        },
    ),
    served("virtual_ipaddress_excluded", Shape::Block(0), "none", "", |i, desk, s| {
        address::read(&mut i.held.excluded, desk, s)
    }),
    served("no_virtual_ipaddress", Shape::Flag, "off", "", |i, _, _| i.flags.no_addresses = true),
    served("accept", Shape::Flag, "on", "", |i, _, _| i.flags.accept = true),
    refused(
        "no_accept",
        Shape::Flag,
        "hosts would reach the virtual address all the same",
        "remove it, or write a firewall rule",
    ),
    served("authentication", Shape::Block(0), "none", "", authentication),
    refused(
        "auth_hmac",
        Shape::Any,
        "advertisements would go unsigned and peers would drop them",
        "remove it on all nodes",
    ),
    served("track_script", Shape::Block(0), "none", "", |i, desk, s| {
        tracker::scripts(&mut i.trackers, desk, s)
    }),
    served("track_interface", Shape::Block(0), "none", "", |i, desk, s| {
        tracker::interfaces(&mut i.trackers, desk, s)
    }),
    served("track_file", Shape::Block(0), "none", "at most 1024", |i, desk, s| {
        tracker::watches(&mut i.trackers, desk, s, Sort::File);
    }),
    served("track_process", Shape::Block(0), "none", "at most 1024", |i, desk, s| {
        tracker::watches(&mut i.trackers, desk, s, Sort::Process);
    }),
    served("track_bfd", Shape::Block(0), "none", "at most 1024", |i, desk, s| {
        tracker::sessions(&mut i.trackers, desk, s);
    }),
    served("dont_track_primary", Shape::Flag, "off", "", |i, _, _| i.flags.dont_track_primary = true),
    served("garp_master_delay", NUMBER, "5 s", "0 to 4294 s", |i, desk, s| garp::delay(&mut i.garp, desk, s)),
    served("garp_master_repeat", NUMBER, "5", "1 to 1000", |i, desk, s| garp::repeat(&mut i.garp, desk, s)),
    served("garp_master_refresh", NUMBER, "60 s (keepalived: 0)", "0 to 4294967295 s", |i, desk, s| {
        garp::refresh(&mut i.garp, desk, s)
    }),
    served("garp_master_refresh_repeat", NUMBER, "1", "1 to 1000", |i, desk, s| {
        garp::refresh_repeat(&mut i.garp, desk, s)
    }),
    served("garp_lower_prio_delay", NUMBER, "as master_delay", "0 to 4294 s", |i, desk, s| {
        garp::lower_delay(&mut i.garp, desk, s)
    }),
    served("garp_lower_prio_repeat", NUMBER, "as master_repeat", "0 to 1000", |i, desk, s| {
        garp::lower_repeat(&mut i.garp, desk, s)
    }),
    served("notify_master", Shape::Command, "none", "", tell),
    served("notify_backup", Shape::Command, "none", "", tell),
    served("notify_fault", Shape::Command, "none", "", tell),
    served("notify_stop", Shape::Command, "none", "", tell),
    served("notify", Shape::Command, "none", "", tell),
    served("notify_deleted", SOME, "off: notify_fault is run", "nothing, or a command", |i, desk, s| {
        if i.notify.deleted.is_some() {
            desk.warn(s.span(), codes::DUPLICATE, "a second `notify_deleted`; the first one counts", "");
        } else if s.arguments().is_empty() {
            i.notify.deleted = Some(None);
        } else {
            i.notify.deleted = command::draft(desk, s, true).map(Some);
        }
    }),
    served("notify_master_rx_lower_pri", Shape::Command, "none", "", tell),
    served("notify_priority_changes", Shape::Switch, "vrrp_notify_priority_changes", "", priorities),
    note("smtp_alert", SOME, "mail is not sent; watch the log, or use notify"),
    note("debug", SOME, "it has none in keepalived either"),
    served(
        "garp_extra_if",
        Shape::Words(1, 2, "seconds"),
        "vrrp_garp_extra_if",
        "all, 0 to 86400 s",
        |i, desk, s| garp::extra(&mut i.garp, desk, s, 0),
    ),
    served(
        "vmac_garp_intvl",
        Shape::Words(1, 2, "seconds"),
        "as garp_extra_if",
        "all, 0 to 86400 s",
        |i, desk, s| garp::extra(&mut i.garp, desk, s, 0),
    ),
    note("promote_secondaries", SOME, "addresses are watched and put back when the kernel takes them"),
    note("kernel_rx_buf_size", SOME, "buffer sizes are chosen by the daemon"),
    note("linkbeat_use_polling", SOME, "links are watched by netlink"),
    served(
        "timer_expired_backup",
        Shape::Words(0, 1, ""),
        "a peer of its own priority",
        "1 to 254",
        oversleep,
    ),
    served("thread_timer_expired", Shape::Words(0, 1, ""), "as timer_expired_backup", "1 to 254", oversleep),
    served("unicast_fault_no_peer", Shape::Flag, "off", "", |i, _, s| {
        i.flags.fault_no_peer = true;
        i.transport.unicast = Some(s.span());
    }),
    served(
        "old_unicast_checksum",
        Shape::Words(0, 1, ""),
        "detected",
        "nothing, or never",
        peer::old_checksum,
    ),
    refused("vrf", ONE, "packets would leave by another routing domain", "name the `interface` instead"),
    refused("use_vmac", SOME, VMAC, TELL),
    refused("vmac_xmit_base", SOME, VMAC, TELL),
    refused("use_vmac_addr", SOME, VMAC, TELL),
    refused("use_ipvlan", SOME, VMAC, TELL),
    served("virtual_routes", Shape::Block(0), "none", "at most 1024", |i, desk, s| {
        item::routes(&mut i.held.routes, desk, s);
    }),
    served("virtual_rules", Shape::Block(0), "none", "at most 1024", |i, desk, s| {
        item::rules(&mut i.held.rules, desk, s);
    }),
    refused("lvs_sync_daemon_interface", SOME, "connections would not be synchronised", "remove it"),
];

/// Reads a block.
pub(super) fn read(desk: &mut Desk<'_>, statement: &Statement) {
    let (Some(name), Some(body)) = (first(statement), &statement.body) else { return };
    if desk.instance_index.contains_key(&name.text) {
        let message = format!("a second vrrp_instance {}; keepalived skips it whole", name.text);
        desk.error(name.span(), codes::DUPLICATE, message, "give it a name of its own");
        return;
    }
    if desk.instances.len() >= Config::MAX_INSTANCES {
        // The first one too many is in the index only, so that it is said once.
        if desk.instance_index.len() == desk.instances.len() {
            desk.instance_index.insert(name.text.clone(), Config::MAX_INSTANCES);
            let message =
                format!("more than {} virtual routers; the rest is not read", Config::MAX_INSTANCES);
            desk.error(name.span(), codes::TOO_MANY_INSTANCES, message, "");
        }
        return;
    }
    let inherited = desk.globals.clone();
    let mut draft = InstanceDraft {
        name: name.clone(),
        identity: Identity::default(),
        election: Election::default(),
        transport: Transport::default(),
        held: Held::default(),
        authentication: None,
        garp: Garp::default(),
        trackers: Vec::new(),
        notify: NotifyDraft::default(),
        flags: Flags::default(),
        inherited,
    };
    let before = desk.findings.errors();
    apply(TABLE, "vrrp_instance", &mut draft, desk, body);
    if desk.findings.errors() > before || body.iter().any(Statement::poisoned) {
        desk.broken.insert(name.text.clone());
    }
    desk.instance_index.insert(name.text.clone(), desk.instances.len());
    desk.instances.push(draft);
}

/// `state`: the first one counts when it is MASTER.
fn state(i: &mut InstanceDraft, desk: &mut Desk<'_>, s: &Statement) {
    let Some(word) = first(s).filter(|word| !word.poisoned) else { return };
    let master = match word.text.as_str() {
        "MASTER" => true,
        "BACKUP" => false,
        other => {
            let message = format!("`{other}` is not a state");
            desk.error(word.span(), codes::BAD_VALUE, message, "MASTER or BACKUP, in capitals");
            return;
        }
    };
    if let Some((true, _)) = &i.election.state {
        if !master {
            let message = "`state BACKUP` after `state MASTER` is not read";
            desk.warn(word.span(), codes::DUPLICATE, message, "remove one of the two");
        }
        return;
    }
    i.election.state = Some((master, word.clone()));
}

/// `version`: one that contradicts an earlier one is not read.
fn version(i: &mut InstanceDraft, desk: &mut Desk<'_>, s: &Statement) {
    let (Some(number), Some(word)) = (argument::<u8>(desk, s, 2..=3), first(s)) else { return };
    let version = if number == 2 { Version::V2 } else { Version::V3 };
    match &i.identity.version {
        Some((earlier, _)) if *earlier != version => {
            desk.warn(word.span(), codes::DUPLICATE, "a second `version`; the first one counts", "");
        }
        Some(_) | None => i.identity.version = Some((version, word.clone())),
    }
}

/// `timer_expired_backup [PRIORITY]`.
fn oversleep(i: &mut InstanceDraft, desk: &mut Desk<'_>, s: &Statement) {
    if s.keyword() == "thread_timer_expired" {
        let message = "thread_timer_expired is the old name of timer_expired_backup";
        desk.warn(s.span(), codes::DEPRECATED, message, "write timer_expired_backup");
    }
    let Some(at) = s.words.first() else { return };
    let priority = if s.arguments().is_empty() { Some(254) } else { argument(desk, s, 1..=254) };
    i.election.oversleep = priority.map(|priority| (priority, at.clone())).or(i.election.oversleep.take());
}

/// Keywords of `authentication`.
pub(super) static AUTHENTICATION: &[Keyword<Auth>] = &[
    served("auth_type", Shape::Words(1, 1, "PASS"), "none", "PASS", |auth, desk, s| {
        let Some(word) = first(s).filter(|word| !word.poisoned) else { return };
        match word.text.as_str() {
            "PASS" => auth.kind = Some(word.clone()),
            "AH" => {
                let message = "`auth_type AH` is not served: peers would drop the advertisements";
                desk.error(
                    word.span(),
                    codes::UNSERVED,
                    message,
                    "use PASS, or version 3 without authentication, on all nodes",
                );
            }
            other => {
                desk.error(
                    word.span(),
                    codes::BAD_VALUE,
                    format!("`{other}` is not a kind of authentication"),
                    "write `auth_type PASS`, the only kind that is served",
                );
            }
        }
    }),
    served("auth_pass", Shape::Words(1, 1, "a password"), "none", "8 bytes count", |auth, _, s| {
        auth.password = first(s).cloned()
    }),
];

/// `authentication`.
fn authentication(i: &mut InstanceDraft, desk: &mut Desk<'_>, s: &Statement) {
    let mut auth = i.authentication.take().unwrap_or(Auth { kind: None, password: None, at: s.span() });
    let before = desk.findings.errors();
    apply(AUTHENTICATION, "authentication", &mut auth, desk, s.body.as_deref().unwrap_or(&[]));
    if desk.findings.errors() == before {
        i.authentication = Some(auth);
    }
}
