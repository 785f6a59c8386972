//! `global_defs`: what all virtual routers inherit, and what concerns the node. Several blocks add up.

use super::command::{self, CommandDraft, account};
use super::garp::{self, Garp};
use super::keyword::{Desk, Keyword, Shape, first, note, refused, served};
use super::text::Word;
use super::tree::Statement;
use super::values::{address, argument, interface, seconds, switch};
use super::{codes, keyword, process};
use crate::config::model::{Pipe, Version};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;

/// What virtual routers inherit.
#[derive(Clone, Debug, Default)]
pub(super) struct Globals {
    pub(super) garp: Garp,
    pub(super) scripts: Scripts,
    pub(super) version: Version,
    pub(super) strict: bool,
    pub(super) skip_address_check: bool,
    pub(super) down_adverts: Option<u8>,
    pub(super) lower_no_advert: bool,
    pub(super) last_advert: Option<bool>,
    pub(super) owner_ignores: bool,
    pub(super) check_source: bool,
    pub(super) plain_checksum: bool,
    pub(super) groups: (Option<IpAddr>, Option<IpAddr>),
}

/// How scripts are run.
#[derive(Clone, Debug, Default)]
pub(super) struct Scripts {
    /// `script_user`.
    pub(super) user: Option<Arc<str>>,
    /// `enable_script_security`.
    pub(super) security: bool,
    /// `notify_fifo`, `vrrp_notify_fifo`.
    pub(super) pipes: [PipeDraft; Pipe::MOST],
    /// `vrrp_notify_priority_changes`.
    pub(super) priorities: bool,
}

/// A pipe as written.
#[derive(Clone, Debug, Default)]
pub(super) struct PipeDraft {
    pub(super) path: Option<(Word, Option<Arc<str>>)>,
    pub(super) reader: Option<CommandDraft>,
}

/// The pipe that a keyword is about.
fn pipe<'g>(globals: &'g mut Globals, s: &Statement) -> &'g mut PipeDraft {
    &mut globals.scripts.pipes[usize::from(s.keyword().starts_with("vrrp_"))]
}

/// `notify_fifo PATH [user [group]]`; the first one counts, as in keepalived.
fn fifo(globals: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let Some((path, rest)) = s.arguments().split_first().filter(|(path, _)| !path.poisoned) else { return };
    let user = account(desk, rest);
    let draft = pipe(globals, s);
    if draft.path.is_some() {
        let message = format!("a second `{}`; the first one counts", s.keyword());
        desk.warn(s.span(), codes::DUPLICATE, message, "remove one of them");
    } else if rest.is_empty() || user.is_some() {
        draft.path = Some((path.clone(), user));
    }
}

/// `notify_fifo_script CMD [user [group]]`.
fn fifo_script(globals: &mut Globals, desk: &mut Desk<'_>, s: &Statement) {
    let reader = command::draft(desk, s, true);
    let draft = pipe(globals, s);
    if draft.reader.is_some() {
        let message = format!("a second `{}`; the first one counts", s.keyword());
        desk.warn(s.span(), codes::DUPLICATE, message, "remove one of them");
    } else {
        draft.reader = reader;
    }
}

/// The pipes, with programs that can be run.
pub(super) fn pipes(desk: &mut Desk<'_>) {
    for draft in desk.globals.scripts.pipes.clone() {
        let reader = command::notify(desk, draft.reader.as_ref());
        match (draft.path, &draft.reader) {
            (Some((path, user)), _) => {
                let path = Arc::from(path.text.as_str());
                desk.config.node.pipes.push(Pipe { path, user, reader });
            }
            (None, Some(reader)) => {
                let message = "a program reads a notify pipe that is not there";
                desk.warn(reader.at.span(), codes::NO_COMMAND, message, "add notify_fifo PATH");
            }
            (None, None) => {}
        }
    }
}

/// Reads a block.
pub(super) fn read(desk: &mut Desk<'_>, body: &[Statement]) {
    let mut globals = core::mem::take(&mut desk.globals);
    keyword::apply_all(&[TABLE, process::TABLE], "global_defs", &mut globals, desk, body);
    desk.globals = globals;
}

const MAIL: &str = "mail is not sent; watch the log, or use notify";
const SNMP: &str = "there is no SNMP agent";
const LVS: &str = "there is no LVS here";
const FILES: &str = "reloading goes by SIGHUP, and a broken file changes nothing";
const FIREWALL: &str = "no firewall rules are made, since no_accept and use_vmac are not served";
const BUFFERS: &str = "buffer sizes are chosen by the daemon";
const ONE: Shape = Shape::Words(1, 1, "one word");
const SOME: Shape = Shape::Words(0, usize::MAX, "");

/// Keywords of `global_defs`.
pub(super) static TABLE: &[Keyword<Globals>] = &[
    served("router_id", ONE, "host name", "", router_id),
    served(
        "script_user",
        Shape::Words(1, 2, "an account"),
        "keepalived_script, else root",
        "",
        |g, desk, s| {
            g.scripts.user = account(desk, s.arguments()).or(g.scripts.user.take());
        },
    ),
    served("enable_script_security", Shape::Flag, "off", "", |g, _, _| g.scripts.security = true),
    served("vrrp_version", Shape::Words(1, 1, "2 or 3"), "2", "2, 3", |g, desk, s| {
        if let Some(version) = argument::<u8>(desk, s, 2..=3) {
            g.version = if version == 2 { Version::V2 } else { Version::V3 };
        }
    }),
    served("vrrp_strict", Shape::Switch, "off", "", |g, desk, s| {
        g.strict = switch(desk, s).unwrap_or(g.strict)
    }),
    served("vrrp_skip_check_adv_addr", Shape::Switch, "off", "", |g, desk, s| {
        g.skip_address_check = switch(desk, s).unwrap_or(g.skip_address_check);
    }),
    served("vrrp_garp_interval", Shape::Words(1, 1, "seconds"), "0 (none)", "0 to 4294 s", |_, desk, s| {
        if let Some(gap) = gap(desk, s) {
            desk.config.node.links.gap.arp = gap;
        }
    }),
    served("vrrp_gna_interval", Shape::Words(1, 1, "seconds"), "0 (none)", "0 to 4294 s", |_, desk, s| {
        if let Some(gap) = gap(desk, s) {
            desk.config.node.links.gap.na = gap;
        }
    }),
    served("vrrp_garp_master_delay", ONE, "5 s", "0 to 4294 s", |g, desk, s| {
        garp::delay(&mut g.garp, desk, s)
    }),
    served("vrrp_garp_master_repeat", ONE, "5", "1 to 1000", |g, desk, s| garp::repeat(&mut g.garp, desk, s)),
    served("vrrp_garp_master_refresh", ONE, "60 s (keepalived: 0)", "0 to 4294967295 s", |g, desk, s| {
        garp::refresh(&mut g.garp, desk, s)
    }),
    served("vrrp_garp_master_refresh_repeat", ONE, "1", "1 to 1000", |g, desk, s| {
        garp::refresh_repeat(&mut g.garp, desk, s)
    }),
    served("vrrp_garp_lower_prio_delay", ONE, "as master_delay", "0 to 4294 s", |g, desk, s| {
        garp::lower_delay(&mut g.garp, desk, s)
    }),
    served("vrrp_garp_lower_prio_repeat", ONE, "as master_repeat", "0 to 1000", |g, desk, s| {
        garp::lower_repeat(&mut g.garp, desk, s)
    }),
    served("vrrp_min_garp", Shape::Switch, "off", "", |g, desk, s| {
        g.garp.min = switch(desk, s).unwrap_or(g.garp.min);
    }),
    served("vrrp_down_timer_adverts", ONE, "3", "1 to 100", |g, desk, s| {
        g.down_adverts = argument(desk, s, 1..=100).or(g.down_adverts);
    }),
    served("vrrp_lower_prio_no_advert", Shape::Switch, "off", "", |g, desk, s| {
        g.lower_no_advert = switch(desk, s).unwrap_or(g.lower_no_advert);
    }),
    served("vrrp_higher_prio_send_advert", Shape::Switch, "on (keepalived: off)", "", |g, desk, s| {
        g.last_advert = switch(desk, s).or(g.last_advert);
    }),
    served("vrrp_owner_ignore_adverts", Shape::Switch, "off", "", |g, desk, s| {
        g.owner_ignores = switch(desk, s).unwrap_or(g.owner_ignores);
    }),
    served("vrrp_check_unicast_src", Shape::Switch, "off", "", |g, desk, s| {
        g.check_source = switch(desk, s).unwrap_or(g.check_source);
    }),
    served("v3_checksum_as_v2", Shape::Switch, "off", "", |g, desk, s| {
        g.plain_checksum = switch(desk, s).unwrap_or(g.plain_checksum);
    }),
    served(
        "vrrp_mcast_group4",
        Shape::Words(1, 1, "an address"),
        "224.0.0.18",
        "224.0.0.0/4",
        |g, desk, s| {
            g.groups.0 = group(desk, s, true).or(g.groups.0);
        },
    ),
    served("vrrp_mcast_group6", Shape::Words(1, 1, "an address"), "ff02::12", "ff00::/8", |g, desk, s| {
        g.groups.1 = group(desk, s, false).or(g.groups.1);
    }),
    served("vrrp_startup_delay", Shape::Words(1, 1, "seconds"), "0", "0 to 4294 s", |_, desk, s| {
        if let Some(delay) = first(s).and_then(|word| seconds(desk, word, 6, 0..=4_294_000_000)) {
            desk.config.node.start.daemon = delay;
        }
    }),
    served("log_unknown_vrids", Shape::Flag, "off", "", |_, desk, _| {
        desk.config.node.log_unknown_vrids = true
    }),
    served("vrrp_delay_after_boot", Shape::Words(1, 1, "seconds"), "0", "0 to 4294 s", |_, desk, s| {
        if let Some(delay) = first(s).and_then(|word| seconds(desk, word, 6, 0..=4_294_000_000)) {
            desk.config.node.start.boot = delay;
        }
    }),
    note("dynamic_interfaces", SOME, "interfaces may always come and go"),
    served("default_interface", ONE, "eth0", "for static addresses without dev", |_, desk, s| {
        desk.statics.interface =
            first(s).and_then(|word| interface(desk, word)).or(desk.statics.interface.take());
    }),
    note("disable_local_igmp", Shape::Flag, "reports of group memberships are left as they are"),
    served("vrrp_garp_extra_if", Shape::Words(1, 2, "seconds"), "none", "all, 1 to 86400 s", |g, desk, s| {
        garp::extra(&mut g.garp, desk, s, 1)
    }),
    served(
        "vrrp_vmac_garp_intvl",
        Shape::Words(1, 2, "seconds"),
        "none",
        "all, 1 to 86400 s",
        |g, desk, s| garp::extra(&mut g.garp, desk, s, 1),
    ),
    note("notification_email", Shape::Any, MAIL),
    note("notification_email_from", SOME, MAIL),
    note("smtp_server", SOME, MAIL),
    note("smtp_connect_timeout", SOME, MAIL),
    note("smtp_helo_name", SOME, MAIL),
    note("smtp_alert", SOME, MAIL),
    note("smtp_alert_vrrp", SOME, MAIL),
    note("smtp_alert_checker", SOME, MAIL),
    note("no_email_faults", SOME, MAIL),
    note("no_checker_emails", SOME, MAIL),
    note("checker_log_all_failures", SOME, LVS),
    note("rs_init_notifies", SOME, LVS),
    note("use_symlink_paths", SOME, "scripts are run through the path as written"),
    note("set_supplementary_groups", SOME, "scripts run with the groups of their account only"),
    note("startup_script", SOME, "run it from the service unit (ExecStartPre=)"),
    note("shutdown_script", SOME, "run it from the service unit (ExecStopPost=)"),
    note("startup_script_timeout", SOME, "run it from the service unit (ExecStartPre=)"),
    note("shutdown_script_timeout", SOME, "run it from the service unit (ExecStopPost=)"),
    served("notify_fifo", Shape::Words(1, 3, "a path"), "none", "a path, an account", fifo),
    served("vrrp_notify_fifo", Shape::Words(1, 3, "a path"), "none", "a path, an account", fifo),
    note("lvs_notify_fifo", SOME, LVS),
    served("notify_fifo_script", Shape::Command, "none", "a command, an account", fifo_script),
    served("vrrp_notify_fifo_script", Shape::Command, "none", "a command, an account", fifo_script),
    note("lvs_notify_fifo_script", SOME, LVS),
    served("vrrp_notify_priority_changes", Shape::Switch, "off", "", |g, desk, s| {
        g.scripts.priorities = switch(desk, s).unwrap_or(g.scripts.priorities);
    }),
    served("fifo_write_vrrp_states_on_reload", Shape::Flag, "off", "", |_, desk, _| {
        desk.config.node.states_on_reload = true
    }),
    note("random_seed", SOME, "${_RANDOM} is drawn from the host's name"),
    note("reload_check_config", SOME, FILES),
    note("reload_time_file", SOME, FILES),
    note("reload_repeat", SOME, FILES),
    note("reload_file", SOME, FILES),
    note("iproute_usr_dir", SOME, "names of tables and scopes are the usual ones"),
    note("iproute_etc_dir", SOME, "names of tables and scopes are the usual ones"),
    note("nftables_counters", SOME, FIREWALL),
    note("nftables", SOME, FIREWALL),
    note("nftables_priority", SOME, FIREWALL),
    note("nftables_ifindex", SOME, FIREWALL),
    note("vrrp_iptables", SOME, FIREWALL),
    note("vrrp_ipsets", SOME, FIREWALL),
    note("vmac_prefix", SOME, FIREWALL),
    note("vmac_addr_prefix", SOME, FIREWALL),
    note("enable_dbus", SOME, "there is no D-Bus object"),
    note("dbus_service_name", SOME, "there is no D-Bus object"),
    note("dbus_no_interface_name", SOME, "there is no D-Bus object"),
    note("snmp_socket", SOME, SNMP),
    note("enable_traps", SOME, SNMP),
    note("enable_snmp_vrrp", SOME, SNMP),
    note("enable_snmp_keepalived", SOME, SNMP),
    note("enable_snmp_rfc", SOME, SNMP),
    note("enable_snmp_rfcv2", SOME, SNMP),
    note("enable_snmp_rfcv3", SOME, SNMP),
    note("enable_snmp_checker", SOME, SNMP),
    note("snmp_vs_stats_update_interval", SOME, SNMP),
    note("snmp_rs_stats_update_interval", SOME, SNMP),
    note("lvs_timeouts", SOME, LVS),
    note("lvs_flush", SOME, LVS),
    note("lvs_flush_on_stop", SOME, LVS),
    note("lvs_flush_onstop", SOME, LVS),
    note("nftables_ipvs", SOME, LVS),
    note("nftables_ipvs_start_fwmark", SOME, LVS),
    note("nftables_ipvs_priority", SOME, LVS),
    refused(
        "lvs_sync_daemon",
        SOME,
        "connections would not be synchronised",
        "remove it with the virtual_server blocks",
    ),
    note("vrrp_rx_bufs_policy", SOME, BUFFERS),
    note("vrrp_rx_bufs_multiplier", SOME, BUFFERS),
    note("vrrp_netlink_cmd_rcv_bufs", SOME, BUFFERS),
    note("vrrp_netlink_cmd_rcv_bufs_force", SOME, BUFFERS),
    note("vrrp_netlink_monitor_rcv_bufs", SOME, BUFFERS),
    note("vrrp_netlink_monitor_rcv_bufs_force", SOME, BUFFERS),
    note("lvs_netlink_cmd_rcv_bufs", SOME, BUFFERS),
    note("lvs_netlink_cmd_rcv_bufs_force", SOME, BUFFERS),
    note("lvs_netlink_monitor_rcv_bufs", SOME, BUFFERS),
    note("lvs_netlink_monitor_rcv_bufs_force", SOME, BUFFERS),
    note("process_monitor_rcv_bufs", SOME, BUFFERS),
    note("process_monitor_rcv_bufs_force", SOME, BUFFERS),
];

/// `router_id`: a name for people.
fn router_id(_: &mut Globals, desk: &mut Desk<'_>, statement: &Statement) {
    if let Some(word) = first(statement) {
        desk.config.node.router_id = Some(String::from(word.text.as_str()));
    }
}

/// A gap between announcements. keepalived's packaged file says 0, which its own test refuses; 0 is none.
fn gap(desk: &mut Desk<'_>, statement: &Statement) -> Option<Duration> {
    first(statement).and_then(|word| seconds(desk, word, 6, 0..=4_294_000_000))
}

/// A multicast group of one family; `None` was said.
pub(super) fn group(desk: &mut Desk<'_>, statement: &Statement, v4: bool) -> Option<IpAddr> {
    let word = first(statement)?;
    let found = address(desk, word)?;
    if !found.is_multicast() || found.is_ipv4() != v4 {
        let family = if v4 { "IPv4" } else { "IPv6" };
        let message = format!("{found} is not an {family} multicast group");
        desk.error(word.span(), codes::BAD_VALUE, message, "");
        return None;
    }
    Some(found)
}
