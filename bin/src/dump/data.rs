//! `keepalived.data`: how the node is configured and how it stands, for people and for exporters that read its lines.
//!
//! Three blanks and `Key = value` under ` VRRP Instance = NAME`, lists five blanks deep: exporters depend on that. What is
//! about keepalived's own inside (descriptors, buffers, its parent process) is not there, and passwords are starred.

use super::words::{address, command, interval, moment, tracked_interface, truth, weight};
use super::{Snapshot, lists};
use standfast_core::config::model::{
    Authentication, Deleted, Destination, Family, InstanceConfig, NotifyConfig, Probe, Tracked, Tracker,
    Version, VirtualAddress,
};
use standfast_core::config::watch::Watch;
use standfast_core::vrrp::RouterStatus;
use std::fmt::{Display, Write as _};

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// `------< TITLE >------`.
    pub(super) fn section(&mut self, title: &str) {
        let _ = writeln!(self.0, "------< {title} >------");
    }

    /// A line that begins with one blank.
    pub(super) fn head(&mut self, text: impl Display) {
        let _ = writeln!(self.0, " {text}");
    }

    /// `Key = value`, three blanks deep.
    pub(super) fn fact(&mut self, key: &str, value: impl Display) {
        let _ = writeln!(self.0, "   {key} = {value}");
    }

    /// A line three blanks deep.
    pub(super) fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.0, "   {text}");
    }

    /// A line five blanks deep.
    pub(super) fn item(&mut self, text: impl Display) {
        let _ = writeln!(self.0, "     {text}");
    }

    /// A title and its items, when there are any.
    pub(super) fn list(&mut self, title: &str, items: impl IntoIterator<Item = String>) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            self.line(title);
        }
        for item in items {
            self.item(item);
        }
    }
}

/// The text of the file.
pub(super) fn text(of: &Snapshot) -> String {
    let mut page = Page::default();
    globals(&mut page, of);
    if !of.status.routers.is_empty() {
        page.section("VRRP Topology");
        for (config, router) in of.routers() {
            instance(&mut page, of, config, router);
        }
    }
    lists::groups(&mut page, of);
    lists::scripts(&mut page, of);
    lists::files(&mut page, of);
    lists::processes(&mut page, of);
    lists::interfaces(&mut page, of);
    page.0
}

/// What the configuration keeps of `global_defs`; defaults of virtual routers are shown where they hold, with them.
fn globals(page: &mut Page, of: &Snapshot) {
    let node = &of.config.node;
    let process = &node.process;
    page.section("Global definitions");
    page.head("Network namespace = (default)");
    page.head(format_args!("Router ID = {}", node.router_id.as_deref().unwrap_or("")));
    page.head(format_args!("Gratuitous ARP interval = {:.6}", node.links.gap.arp.as_secs_f64()));
    page.head(format_args!("Gratuitous NA interval = {:.6}", node.links.gap.na.as_secs_f64()));
    if !node.start.daemon.is_zero() {
        page.head(format_args!("VRRP startup delay = {:.6}", node.start.daemon.as_secs_f64()));
    }
    page.head(format_args!("VRRP process priority = {}", process.nice.unwrap_or(0)));
    page.head(format_args!("VRRP don't swap = {}", truth(process.no_swap)));
    page.head(format_args!("VRRP realtime priority = {}", process.realtime.unwrap_or(0)));
    let limit = process.realtime_limit.map_or(0, |limit| limit.as_micros());
    page.head(format_args!("VRRP realtime limit = {limit}"));
    for (n, pipe) in node.pipes.iter().enumerate() {
        page.head(format_args!("{} notify fifo = {}", if n == 0 { "Global" } else { "VRRP" }, pipe.path));
    }
    page.head(format_args!("umask = {:04o}", process.umask.unwrap_or(0o177)));
}

fn instance(page: &mut Page, of: &Snapshot, config: &InstanceConfig, router: &RouterStatus) {
    page.head(format_args!("VRRP Instance = {}", config.name));
    page.fact("VRRP Version", if config.router.version == Version::V2 { 2 } else { 3 });
    if let Some(group) = of.config.groups.values().find(|group| group.members.contains(&config.id)) {
        page.fact("Sync group", &group.name);
    }
    if config.router.family == Family::V6 {
        page.line("Using Native IPv6");
    }
    standing(page, of, config, router);
    page.fact("Interface", &config.router.interface);
    if !config.trackers.iter().any(|tracker| is_own(config, tracker)) {
        page.line("VRRP interface tracking disabled");
    }
    if config.election.strict {
        page.line("Enforcing strict VRRP compliance");
    }
    transport(page, of, config, router);
    announce(page, config);
    election(page, config, router);
    authentication(page, config);
    let addresses = |advertised: bool| {
        let all = config.addresses.iter().zip(router.addresses.iter());
        let some = all.filter(move |(spec, _)| spec.advertised == advertised);
        some.map(|(spec, status)| address(spec, Some(status))).collect::<Vec<_>>()
    };
    let advertised = addresses(true);
    page.list(&format!("Virtual IP ({}):", advertised.len()), advertised);
    page.list("Virtual IP Excluded :", addresses(false));
    if let Destination::Unicast(peers) = &config.transport.to {
        page.fact("Unicast TTL", config.transport.hops);
        page.line(format_args!("Check unicast src : {}", yes(config.transport.check_source)));
        let peer = |p: &standfast_core::config::model::Peer| {
            format!("{} min_ttl {} max_ttl {}", p.address, p.min_ttl, p.max_ttl)
        };
        page.list("Unicast Peer :", peers.iter().map(peer));
        page.fact("Unicast checksum compatibility", "no");
    }
    tracked(page, of, config);
    page.fact("Using smtp notification", "no");
    page.fact("Notify deleted", if config.notify.deleted == Deleted::Fault { "Fault" } else { "Deleted" });
    notify(page, &config.notify);
    page.fact("Notify priority changes", truth(config.notify.priorities));
}

const fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// Is it the tracker of the router's own interface, which every router has unless told otherwise?
pub(super) fn is_own(config: &InstanceConfig, tracker: &Tracker) -> bool {
    tracker.weight == 0 && tracked_interface(tracker) == Some(&*config.router.interface)
}

/// Or that of an interface where a tracked address is? keepalived lists neither among what is tracked.
pub(super) fn is_implied(config: &InstanceConfig, tracker: &Tracker) -> bool {
    let on = |address: &VirtualAddress| tracked_interface(tracker) == Some(&*address.interface);
    is_own(config, tracker) || (tracker.weight == 0 && config.addresses.iter().any(on))
}

fn standing(page: &mut Page, of: &Snapshot, config: &InstanceConfig, router: &RouterStatus) {
    let unicast = matches!(config.transport.to, Destination::Unicast(_));
    page.fact("State", router.role.as_str());
    let tracks_own = config.trackers.iter().any(|tracker| is_own(config, tracker));
    if unicast || !config.election.preempt || !tracks_own {
        page.line("Flags:");
    } else {
        page.line("Flags: none");
    }
    if unicast {
        page.item("Using unicast");
    }
    // keepalived's wish: it differs from the state while a sync group or a delay holds a router back.
    page.fact("Wantstate", router.role.as_str());
    page.fact("Number of config faults", 0);
    page.fact("Number of interface and track script faults", router.faults.len());
    let waiting = |tracker: &&Tracker| match tracker.what {
        Tracked::Check(id) if tracker.weight == 0 => {
            of.status.checks.iter().any(|check| check.id == id && check.up.is_none())
        }
        Tracked::Check(_) | Tracked::Interface(_) | Tracked::Session(_) => false,
    };
    page.fact("Number of track scripts init", config.trackers.iter().filter(waiting).count());
    page.fact("Last transition", moment(of.wall(router.since)));
    match router.pace.next {
        Some(at) => page.fact("Read timeout", moment(of.wall(at))),
        None => page.fact("Read timeout", "DISABLED"),
    }
    page.fact("Master down timer", format_args!("{} usecs", router.pace.master_down.as_micros()));
}

fn transport(page: &mut Page, of: &Snapshot, config: &InstanceConfig, router: &RouterStatus) {
    if let Some(source) = router.pace.source {
        let configured = if config.transport.source.is_some() { " (from configuration)" } else { "" };
        page.fact("Using src_ip", format_args!("{source}{configured}"));
    }
    if let Destination::Multicast(group) = config.transport.to {
        let link = of.links.iter().find(|known| known.link.name == config.router.interface);
        match link.filter(|_| group.is_ipv6()) {
            Some(known) => {
                page.line(format_args!("Multicast address {group}, ifindex {}", known.link.interface.0))
            }
            None => page.line(format_args!("Multicast address {group}")),
        }
    }
}

fn announce(page: &mut Page, config: &InstanceConfig) {
    let announce = &config.announce;
    page.fact("Gratuitous ARP delay", announce.delay.as_secs());
    page.fact("Gratuitous ARP repeat", announce.repeat);
    page.fact("Gratuitous ARP refresh", announce.refresh.as_secs());
    page.fact("Gratuitous ARP refresh repeat", announce.refresh_repeat);
    page.fact("Gratuitous ARP lower priority delay", announce.lower_delay.as_secs());
    page.fact("Gratuitous ARP lower priority repeat", announce.lower_repeat);
}

fn election(page: &mut Page, config: &InstanceConfig, router: &RouterStatus) {
    let election = &config.election;
    page.fact("Down timer adverts", election.down_adverts);
    page.fact("Send advert after receive lower priority advert", truth(!election.lower_no_advert));
    page.fact("Send advert after receive higher priority advert", truth(election.last_advert));
    page.fact("Virtual Router ID", config.router.vrid);
    page.fact("Priority", router.priority.base);
    page.fact("Effective priority", router.priority.effective);
    page.fact("Total priority", router.priority.effective);
    page.fact("Advert interval", interval(config.router.version, election.interval));
    page.fact("Accept", if election.strict { "disabled" } else { "enabled" });
    page.fact("Preempt", if election.preempt { "enabled" } else { "disabled" });
    if !election.preempt_delay.is_zero() {
        page.fact("Preempt delay", format_args!("{} secs", super::words::decimal(election.preempt_delay)));
    }
    page.fact("Promote_secondaries", "disabled");
}

fn authentication(page: &mut Page, config: &InstanceConfig) {
    match (&config.authentication, config.router.version) {
        (_, Version::V3) => {}
        (Authentication::None, Version::V2) => page.fact("Authentication type", "none"),
        (Authentication::Pass(_), Version::V2) => {
            page.fact("Authentication type", "SIMPLE_PASSWORD");
            page.fact("Password", super::json::STARS);
        }
    }
}

/// What is tracked, besides the own interface.
fn tracked(page: &mut Page, of: &Snapshot, config: &InstanceConfig) {
    let others = || config.trackers.iter().filter(|tracker| !is_implied(config, tracker));
    page.list(
        "Tracked interfaces :",
        others().filter_map(|t| Some(format!("{} weight {}", tracked_interface(t)?, weight(t)))),
    );
    let checks = |wanted: fn(&Probe) -> bool, comma: &'static str| {
        others().filter_map(move |tracker| {
            let Tracked::Check(id) = &tracker.what else { return None };
            let check = of.config.checks.get(id).filter(|check| wanted(&check.probe))?;
            Some(format!("{}{comma} weight {}", check.name, weight(tracker)))
        })
    };
    page.list("Tracked scripts :", checks(is_script, ""));
    page.list("Tracked files :", checks(is_file, ","));
    page.list("Tracked processes :", checks(is_process, ","));
}

pub(super) fn is_script(probe: &Probe) -> bool {
    matches!(probe, Probe::Script { .. })
}

pub(super) fn is_file(probe: &Probe) -> bool {
    matches!(probe, Probe::Watch(watch) if matches!(**watch, Watch::File(_)))
}

pub(super) fn is_process(probe: &Probe) -> bool {
    matches!(probe, Probe::Watch(watch) if matches!(**watch, Watch::Process(_)))
}

/// The commands of a router or a sync group.
pub(super) fn notify(page: &mut Page, notify: &NotifyConfig) {
    for (what, hook) in [
        ("Backup state transition", &notify.backup),
        ("Fault state transition", &notify.fault),
        ("Master state transition", &notify.master),
        ("Stop state transition", &notify.stop),
        ("Generic state transition", &notify.any),
        ("Master rx lower pri", &notify.lower),
    ] {
        if let Some(hook) = hook {
            page.fact(&format!("{what} script"), command(hook));
        }
    }
}
