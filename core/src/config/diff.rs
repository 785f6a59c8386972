//! What a reload changes, in words: one line for each difference, nothing for what stayed.

use super::model::{
    Authentication, BfdConfig, CheckConfig, Config, Destination, FrontendConfig, InstanceConfig, PoolConfig,
    ServerConfig,
};
use crate::id::InstanceId;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;

/// One line for each difference between `old` and `new`, in words: `VI_1: priority 100 -> 110`. Empty if and only if
/// both configurations mean the same.
#[must_use]
pub fn changes(old: &Config, new: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    if old.node != new.node {
        lines.push("node: settings changed".to_string());
    }
    let name = |i: &Arc<InstanceConfig>| i.name.to_string();
    let renamed = renamed(old, new);
    let mut before = old.instances.clone();
    for id in renamed.keys() {
        before.remove(id);
    }
    for (from, to) in &renamed {
        if let (Some(was), Some(is)) = (old.instances.get(from), new.instances.get(to)) {
            lines.push(format!("{}: is called {} now", was.name, is.name));
            let same = InstanceConfig { id: is.id, name: is.name.clone(), ..(**was).clone() };
            before.insert(*to, Arc::new(same));
        }
    }
    each(&mut lines, "virtual router", &before, &new.instances, &name, &instance);
    each(&mut lines, "sync group", &old.groups, &new.groups, &|g| g.name.to_string(), &|lines, old, new| {
        field(lines, &new.name, "members", &old.members.len(), &new.members.len());
    });
    each(&mut lines, "check", &old.checks, &new.checks, &|c: &Arc<CheckConfig>| c.name.to_string(), &check);
    let session = |s: &Arc<BfdConfig>| s.name.to_string();
    each(&mut lines, "BFD session", &old.sessions, &new.sessions, &session, &|lines, old, new| {
        field(lines, &new.name, "neighbor", &old.to, &new.to);
        field(lines, &new.name, "min_tx", &time(old.timing.min_tx), &time(new.timing.min_tx));
        field(lines, &new.name, "min_rx", &time(old.timing.min_rx), &time(new.timing.min_rx));
        field(lines, &new.name, "multiplier", &old.timing.multiplier, &new.timing.multiplier);
    });
    each(&mut lines, "frontend", &old.frontends, &new.frontends, &|f| f.name.to_string(), &frontend);
    each(&mut lines, "pool", &old.pools, &new.pools, &|p: &Arc<PoolConfig>| p.name.to_string(), &pool);
    lines
}

/// Virtual routers that go on under another name, old id to new one: the same link, family, version and VRID, both by
/// multicast or both by unicast from the same source. (keepalived looks at nothing but these, and never at the name.)
#[must_use]
pub fn renamed(old: &Config, new: &Config) -> BTreeMap<InstanceId, InstanceId> {
    fn unmatched<'c>(here: &'c Config, there: &'c Config) -> impl Iterator<Item = &'c InstanceConfig> {
        let stays =
            |one: &InstanceConfig| there.instances.get(&one.id).is_some_and(|o| o.router == one.router);
        here.instances.values().map(|one| &**one).filter(move |one| !stays(one))
    }
    let speaks = |one: &InstanceConfig| match &one.transport.to {
        Destination::Multicast(_) => None,
        Destination::Unicast(_) => Some(one.transport.source),
    };
    let mut found = BTreeMap::new();
    for after in unmatched(new, old) {
        let same = |before: &&InstanceConfig| {
            before.router == after.router
                && speaks(before) == speaks(after)
                && !found.contains_key(&before.id)
        };
        if let Some(before) = unmatched(old, new).find(same) {
            found.insert(before.id, after.id);
        }
    }
    found
}

/// What came, went, and changed in one table.
fn each<K: Ord, T: PartialEq>(
    lines: &mut Vec<String>,
    kind: &str,
    old: &BTreeMap<K, Arc<T>>,
    new: &BTreeMap<K, Arc<T>>,
    name: &dyn Fn(&Arc<T>) -> String,
    differ: &dyn Fn(&mut Vec<String>, &T, &T),
) {
    for (_, gone) in old.iter().filter(|(id, _)| !new.contains_key(id)) {
        lines.push(format!("{}: {kind} removed", name(gone)));
    }
    for (id, now) in new {
        match old.get(id) {
            None => lines.push(format!("{}: {kind} added", name(now))),
            Some(before) if before == now => {}
            Some(before) => {
                let told = lines.len();
                differ(lines, before, now);
                if lines.len() == told {
                    lines.push(format!("{}: {kind} changed", name(now)));
                }
            }
        }
    }
}

/// One line if the values differ.
fn field<T: PartialEq + core::fmt::Display>(
    lines: &mut Vec<String>,
    name: &str,
    what: &str,
    old: &T,
    new: &T,
) {
    if old != new {
        lines.push(format!("{name}: {what} {old} -> {new}"));
    }
}

/// One line if two values without a text differ.
fn opaque<T: PartialEq>(lines: &mut Vec<String>, name: &str, what: &str, old: &T, new: &T) {
    if old != new {
        lines.push(format!("{name}: {what} changed"));
    }
}

/// A time in words.
fn time(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// A time that may be for ever.
fn perhaps(value: Option<Duration>) -> String {
    value.map_or_else(|| "none".to_string(), time)
}

/// The debug text of a small enum.
fn word(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn instance(lines: &mut Vec<String>, old: &InstanceConfig, new: &InstanceConfig) {
    let name = &*new.name;
    field(lines, name, "interface", &old.router.interface, &new.router.interface);
    field(lines, name, "virtual router id", &old.router.vrid, &new.router.vrid);
    field(lines, name, "version", &word(&old.router.version), &word(&new.router.version));
    field(lines, name, "family", &word(&old.router.family), &word(&new.router.family));
    let (a, b) = (&old.election, &new.election);
    field(lines, name, "priority", &a.priority, &b.priority);
    field(lines, name, "interval", &time(a.interval), &time(b.interval));
    field(lines, name, "preempt", &a.preempt, &b.preempt);
    field(lines, name, "preempt delay", &time(a.preempt_delay), &time(b.preempt_delay));
    field(lines, name, "down_timer_adverts", &a.down_adverts, &b.down_adverts);
    let held = |config: &InstanceConfig| -> BTreeMap<String, super::model::VirtualAddress> {
        config.addresses.iter().map(|a| (format!("{} on {}", a.address, a.interface), a.clone())).collect()
    };
    let (a, b) = (held(old), held(new));
    lines.extend(a.keys().filter(|k| !b.contains_key(*k)).map(|k| format!("{name}: -{k}")));
    lines.extend(b.keys().filter(|k| !a.contains_key(*k)).map(|k| format!("{name}: +{k}")));
    lines.extend(
        b.iter()
            .filter(|(k, v)| a.get(*k).is_some_and(|o| o != *v))
            .map(|(k, _)| format!("{name}: {k} changed")),
    );
    let to = |to: &Destination| match to {
        Destination::Multicast(group) => format!("{group}"),
        Destination::Unicast(peers) => {
            let list: Vec<String> = peers.iter().map(|peer| peer.address.to_string()).collect();
            format!("peers {}", list.join(", "))
        }
    };
    field(lines, name, "destination", &to(&old.transport.to), &to(&new.transport.to));
    // The password itself is never told.
    let kind = |auth: &Authentication| match auth {
        Authentication::None => "none",
        Authentication::Pass(_) => "PASS",
    };
    field(lines, name, "authentication", &kind(&old.authentication), &kind(&new.authentication));
    if kind(&old.authentication) == kind(&new.authentication) {
        opaque(lines, name, "password", &old.authentication, &new.authentication);
    }
    opaque(lines, name, "announcements", &old.announce, &new.announce);
    opaque(lines, name, "trackers", &old.trackers, &new.trackers);
    opaque(lines, name, "notify commands", &old.notify, &new.notify);
}

fn check(lines: &mut Vec<String>, old: &CheckConfig, new: &CheckConfig) {
    let name = &*new.name;
    opaque(lines, name, "check", &old.probe, &new.probe);
    field(lines, name, "interval", &time(old.schedule.interval), &time(new.schedule.interval));
    field(lines, name, "timeout", &time(old.schedule.timeout), &time(new.schedule.timeout));
    field(lines, name, "rise", &old.rise, &new.rise);
    field(lines, name, "fall", &old.fall, &new.fall);
}

fn frontend(lines: &mut Vec<String>, old: &FrontendConfig, new: &FrontendConfig) {
    let name = &*new.name;
    let binds = |f: &FrontendConfig| f.binds.iter().map(|b| b.at.to_string()).collect::<Vec<_>>().join(", ");
    field(lines, name, "bind", &binds(old), &binds(new));
    opaque(lines, name, "pool", &old.pool, &new.pool);
    field(lines, name, "timeout client", &perhaps(old.client), &perhaps(new.client));
    field(lines, name, "maxconn", &old.max_connections, &new.max_connections);
}

fn pool(lines: &mut Vec<String>, old: &PoolConfig, new: &PoolConfig) {
    let name = &*new.name;
    field(lines, name, "timeout connect", &perhaps(old.connect), &perhaps(new.connect));
    field(lines, name, "timeout server", &perhaps(old.server), &perhaps(new.server));
    field(lines, name, "retries", &old.retries, &new.retries);
    let balance = |p: &PoolConfig| p.algorithm.words();
    field(lines, name, "balance", &balance(old), &balance(new));
    field(lines, name, "option allbackups", &old.all_backups, &new.all_backups);
    let by_id = |p: &PoolConfig| -> BTreeMap<_, Arc<ServerConfig>> {
        p.servers.iter().map(|s| (s.id, Arc::new(s.clone()))).collect()
    };
    let full = |s: &Arc<ServerConfig>| format!("{name}/{}", s.name);
    each(lines, "server", &by_id(old), &by_id(new), &full, &|lines, a, b| {
        let full = format!("{name}/{}", b.name);
        field(lines, &full, "address", &a.address, &b.address);
        field(lines, &full, "weight", &a.weight, &b.weight);
        field(lines, &full, "backup", &a.backup, &b.backup);
        field(lines, &full, "disabled", &a.disabled, &b.disabled);
    });
}
