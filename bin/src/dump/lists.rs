//! The sections of `keepalived.data` after the virtual routers: sync groups, what is tracked, interfaces.

use super::Snapshot;
use super::data::{Page, is_file, is_process, is_script, notify};
use super::words::{account, argv, decimal, first_of, truth, weight};
use standfast_core::config::model::{CheckConfig, Counter, GroupConfig, Probe, Tracked, Tracker};
use standfast_core::config::watch::Watch;
use standfast_core::event::Role;
use standfast_core::health::CheckStatus;
use standfast_core::id::CheckId;
use standfast_core::vrrp::LinkStatus;
use std::time::Duration;

/// The sync groups.
pub(super) fn groups(page: &mut Page, of: &Snapshot) {
    if !of.config.groups.is_empty() {
        page.section("VRRP Sync groups");
    }
    for group in of.config.groups.values() {
        let role = |role| members(of, group).filter(|member| *member == role).count();
        let (masters, faults, starting) = (role(Role::Master), role(Role::Fault), role(Role::Init));
        let state = match (masters, faults, starting) {
            (1.., 0, 0) => Role::Master,
            (_, 1.., _) => Role::Fault,
            (_, 0, 1..) => Role::Init,
            (0, 0, 0) => Role::Backup,
        };
        page.head(format_args!("VRRP Sync Group = {}, {}", group.name, state.as_str()));
        page.line(format_args!("Num member fault {faults}, num member init {starting}"));
        let names = group.members.iter().filter_map(|id| of.config.instances.get(id));
        page.list("VRRP member instances :", names.map(|member| member.name.to_string()));
        page.fact("Using smtp notification", "no");
        notify(page, &group.notify);
    }
}

fn members<'s>(of: &'s Snapshot, group: &'s GroupConfig) -> impl Iterator<Item = Role> + 's {
    of.status.routers.iter().filter(|router| group.members.contains(&router.id)).map(|router| router.role)
}

/// Who tracks a check, and how.
fn trackers(of: &Snapshot, check: CheckId) -> Vec<(&str, &Tracker)> {
    let all = of
        .config
        .instances
        .values()
        .flat_map(|router| router.trackers.iter().map(move |t| (&*router.name, t)));
    all.filter(|(_, tracker)| tracker.what == Tracked::Check(check)).collect()
}

/// A check's own weight is its trackers' by now: that of the first one.
fn own_weight(of: &Snapshot, check: CheckId) -> String {
    trackers(of, check).first().map_or_else(|| "0".to_owned(), |(_, tracker)| weight(tracker))
}

fn tracked_by(page: &mut Page, of: &Snapshot, check: CheckId) {
    page.line("Tracking instances :");
    for (name, tracker) in trackers(of, check) {
        page.item(format_args!("{name}, weight {}", weight(tracker)));
    }
}

/// The checks of one kind with how they stand.
fn checks(of: &Snapshot, wanted: fn(&Probe) -> bool) -> Vec<(&CheckConfig, &CheckStatus)> {
    let status = |check: &CheckConfig| of.status.checks.iter().find(|status| status.id == check.id);
    let all = of.config.checks.values().filter(|check| wanted(&check.probe));
    all.filter_map(|check| Some((&**check, status(check)?))).collect()
}

/// The scripts.
pub(super) fn scripts(page: &mut Page, of: &Snapshot) {
    for (n, (check, status)) in checks(of, is_script).into_iter().enumerate() {
        if n == 0 {
            page.section("VRRP Scripts");
        }
        let Probe::Script { command, .. } = &*check.probe else { continue };
        page.head(format_args!("VRRP Script = {}", check.name));
        page.fact("Command", argv(&command.argv));
        page.fact("Interval", format_args!("{} sec", decimal(check.schedule.interval)));
        page.fact("Timeout", format_args!("{} sec", decimal(check.schedule.timeout)));
        page.fact("Weight", own_weight(of, check.id));
        page.fact("Rise", check.rise);
        page.fact("Fall", check.fall);
        page.fact("Result", status.count);
        page.fact("Insecure", "no");
        let failed = check.counter == Counter::Script { init_fail: true };
        page.fact("Init state", if failed { "failed" } else { "unknown" });
        page.fact("Status", if status.count >= check.rise { "GOOD" } else { "BAD" });
        page.fact("Script uid:gid", account(command.user.as_deref()));
        page.line("VRRP instances :");
        tracked_by(page, of, check.id);
        page.fact("State", if status.running { "running" } else { "idle" });
    }
}

/// The files with a number.
pub(super) fn files(page: &mut Page, of: &Snapshot) {
    for (n, (check, status)) in checks(of, is_file).into_iter().enumerate() {
        if n == 0 {
            page.section("VRRP Track files");
        }
        let number = status.last.as_ref().and_then(|outcome| outcome.status).map_or(0, u32::cast_signed);
        page.head(format_args!("Track file = {}", check.name));
        if let Probe::Watch(watch) = &*check.probe
            && let Watch::File(file) = &**watch
        {
            page.fact("File", &file.path);
        }
        page.fact("Status", number);
        page.fact("Weight", own_weight(of, check.id));
        tracked_by(page, of, check.id);
    }
}

/// The processes.
pub(super) fn processes(page: &mut Page, of: &Snapshot) {
    for (n, (check, status)) in checks(of, is_process).into_iter().enumerate() {
        if n == 0 {
            page.section("VRRP Track processes");
        }
        let Probe::Watch(watch) = &*check.probe else { continue };
        let Watch::Process(process) = &**watch else { continue };
        page.head(format_args!("VRRP Track process = {}", check.name));
        page.fact("Process", process.argv.join(" "));
        page.fact("Min processes", process.quorum);
        if let Some(most) = process.quorum_max {
            page.fact("Max processes", most);
        }
        page.fact("Have quorum", truth(status.up == Some(true)));
        page.fact("Weight", own_weight(of, check.id));
        page.fact("Terminate delay", delay(check, check.fall));
        page.fact("Fork delay", delay(check, check.rise));
        page.fact("Full command", truth(process.full_command));
        tracked_by(page, of, check.id);
    }
}

/// How long a change must last, from the looks that it takes.
fn delay(check: &CheckConfig, looks: u32) -> String {
    let time: Duration = check.schedule.interval * looks.saturating_sub(1);
    format!("{:.6}s", time.as_secs_f64())
}

/// The interfaces.
pub(super) fn interfaces(page: &mut Page, of: &Snapshot) {
    page.section("Interfaces");
    for known in &of.links {
        let link = &known.link;
        let loopback = &*link.name == "lo";
        page.head(format_args!("Name = {}", link.name));
        page.fact("index", link.interface.0);
        page.fact("IPv4 address", address_of(of, known, true));
        page.fact("IPv6 address", address_of(of, known, false));
        if let Some([a, b, c, d, e, f]) = link.mac.filter(|_| !loopback) {
            page.fact("MAC", format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"));
        }
        let mut state = vec![if link.up { "UP" } else { "not UP" }];
        state.push(if link.running { "RUNNING" } else { "not RUNNING" });
        state.extend(loopback.then_some("no broadcast").into_iter().chain(loopback.then_some("loopback")));
        state.extend((!link.multicast).then_some("no multicast"));
        page.fact("State", state.join(", "));
        page.fact("MTU", link.mtu);
        page.fact("HW Type", if loopback { "LOOPBACK" } else { "ETHERNET" });
        let tracked = of.config.instances.values().flat_map(|router| {
            let here = |tracker: &&Tracker| super::words::tracked_interface(tracker) == Some(&*link.name);
            router.trackers.iter().filter(here).map(|t| format!("{}, weight {}", router.name, weight(t)))
        });
        page.list("Tracking VRRP instances :", tracked);
    }
}

/// The first address that is the host's own; of IPv6 the link-local one.
fn address_of(of: &Snapshot, known: &LinkStatus, v4: bool) -> String {
    let is_virtual = |address: &ipnet::IpNet| {
        of.config.instances.values().flat_map(|router| &router.addresses).any(|ours| ours.address == *address)
    };
    let own = known.addresses.iter().filter(|address| !is_virtual(address)).map(ipnet::IpNet::addr);
    let counts = |address: &std::net::IpAddr| match address {
        std::net::IpAddr::V4(_) => true,
        std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    first_of(v4, own.filter(counts))
}
