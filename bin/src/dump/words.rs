//! Values as keepalived words them: addresses, commands, moments, intervals.

use standfast_core::config::model::{Command, Scope, Tracked, Tracker, Version, VirtualAddress};
use standfast_core::event::Role;
use standfast_core::vrrp::AddressStatus;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

/// `192.0.2.100/24 dev eth0 scope global set`.
pub(super) fn address(config: &VirtualAddress, status: Option<&AddressStatus>) -> String {
    let net = config.address;
    let mut text = net.addr().to_string();
    if net.prefix_len() != net.max_prefix_len() {
        let _ = write!(text, "/{}", net.prefix_len());
    }
    if let Some(broadcast) = config.how.broadcast {
        let _ = write!(text, " brd {broadcast}");
    }
    let _ = write!(text, " dev {} scope {}", config.interface, scope(config.how.scope));
    if let Some(label) = &config.how.label {
        let _ = write!(text, " label {label}");
    }
    if !config.tracked {
        text.push_str(" no_track");
    }
    if config.how.deprecated {
        text.push_str(" deprecated");
    } else if net.addr().is_ipv6() {
        text.push_str(" preferred_lft forever");
    }
    if status.is_some_and(|status| status.held) {
        text.push_str(" set");
    }
    text
}

fn scope(scope: Scope) -> String {
    match scope.0 {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    }
}

/// `'/usr/bin/true' 'x'`.
pub(super) fn argv(words: &[String]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

/// `'/usr/bin/true' 'x', uid:gid 0:0`.
pub(super) fn command(command: &Command) -> String {
    format!("{}, uid:gid {}", argv(&command.argv), account(command.user.as_deref()))
}

/// `0:0`: an account's numbers, else our own.
pub(super) fn account(user: Option<&str>) -> String {
    let own = || std::fs::metadata("/proc/self").map(|us| (us.uid(), us.gid())).unwrap_or((0, 0));
    let (uid, gid) = user.and_then(standfast_io::linux::numbers_of).unwrap_or_else(own);
    format!("{uid}:{gid}")
}

/// `1795449647.288437 (Mon Nov 23 16:00:47.288437 2026)`; nanoseconds since 1970.
pub(super) fn moment(wall: u64) -> String {
    format!("{} ({})", seconds(wall), standfast_io::log::spelt(wall))
}

/// `1795449647.288437`; nanoseconds since 1970.
pub(super) fn seconds(wall: u64) -> String {
    format!("{}.{:06}", wall / 1_000_000_000, wall / 1_000 % 1_000_000)
}

/// `1 sec`, or `500 milli-sec` in version 3.
pub(super) fn interval(version: Version, interval: Duration) -> String {
    match version {
        Version::V3 if interval.subsec_millis() != 0 => format!("{} milli-sec", interval.as_millis()),
        Version::V2 | Version::V3 => format!("{} sec", interval.as_secs()),
    }
}

/// A number of seconds as JSON has it: `1`, `0.5`.
pub(super) fn decimal(time: Duration) -> String {
    let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The number of a role in JSON.
pub(super) const fn number(role: Role) -> u8 {
    match role {
        Role::Init => 0,
        Role::Backup => 1,
        Role::Master => 2,
        Role::Fault => 3,
    }
}

/// `-20`, or `-20 reverse`.
pub(super) fn weight(tracker: &Tracker) -> String {
    format!("{}{}", tracker.weight, if tracker.reverse { " reverse" } else { "" })
}

/// The interface of a tracker.
pub(super) fn tracked_interface(tracker: &Tracker) -> Option<&str> {
    match &tracker.what {
        Tracked::Interface(name) => Some(name),
        Tracked::Check(_) | Tracked::Session(_) => None,
    }
}

/// `true` or `false`.
pub(super) const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The first address of a family.
pub(super) fn first_of(v4: bool, addresses: impl Iterator<Item = IpAddr>) -> String {
    let found = { addresses }.find(|address| address.is_ipv4() == v4);
    found.map_or_else(|| "(none)".to_owned(), |address| address.to_string())
}
