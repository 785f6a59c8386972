//! The lines that `check` ends with: which address, how long a takeover takes, how servers are checked, counts.
//!
//! Integer milliseconds throughout. "After power loss" is the slowest case of this node as a backup: its whole
//! master-down interval. "After a failed check" is the slowest script that can move this node's priority, from the
//! failure to the other router's takeover: a check without weight is a fault, so that the node says farewell and the
//! other waits for its skew only; with a weight the other's running timer expires (RFC 9568 6.4.2).

use super::finding::{Findings, Severity};
use super::model::{BfdConfig, CheckConfig, Config, HttpProbe, InstanceConfig, PoolConfig, Probe, Tracked};
use super::talk::{Reply, Step, Talk, Wanted};
use crate::vrrp::election::{master_down, skew};
use crate::vrrp::lease_for;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// How `config` stands, in about four lines, each ended.
#[must_use]
pub fn summary(config: &Config, findings: &Findings) -> String {
    let mut lines: Vec<String> = Vec::new();
    for instance in config.instances.values() {
        lines.push(address(config, instance));
        lines.push(takeover(config, instance));
    }
    if config.instances.is_empty() {
        lines.push("no virtual address".to_string());
    }
    lines.extend(config.sessions.values().map(|session| self::session(session)));
    lines.extend(config.pools.values().map(|pool| servers(config, pool)));
    lines.push(counts(findings));
    lines.join("\n") + "\n"
}

/// `1 error, 2 warnings, 0 notes`.
#[must_use]
pub fn counts(findings: &Findings) -> String {
    let count = |number: u64, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let many = |severity| u64::try_from(findings.count(severity)).unwrap_or(u64::MAX);
    format!(
        "{}, {}, {}",
        count(u64::from(findings.errors()), "error"),
        count(many(Severity::Warning), "warning"),
        count(many(Severity::Note), "note")
    )
}

fn address(config: &Config, instance: &InstanceConfig) -> String {
    let shown: Vec<String> =
        instance.addresses.iter().take(4).map(|a| a.address.addr().to_string()).collect();
    let more = instance.addresses.len().saturating_sub(4);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let held = if config.node.lease {
        format!("held by a {} kernel lease", seconds(lease_for(instance)))
    } else {
        "held without a lease".to_string()
    };
    let (on, vrid, priority) = (&instance.router.interface, instance.router.vrid, instance.election.priority);
    if shown.is_empty() {
        return format!("{} holds no address, on {on}, VRID {vrid}, priority {priority}", instance.name);
    }
    format!("address {}{more} on {on}, VRID {vrid}, priority {priority}, {held}", shown.join(", "))
}

fn takeover(config: &Config, instance: &InstanceConfig) -> String {
    let election = &instance.election;
    let (adverts, priority) = (election.down_adverts, election.priority);
    let down = master_down(instance.router.version, adverts, priority, election.interval);
    let farewell = skew(instance.router.version, priority, election.interval);
    let mut text = format!("takeover after power loss {}", seconds(down));
    let slowest = instance
        .trackers
        .iter()
        .filter_map(|tracker| match &tracker.what {
            Tracked::Check(id) => Some((config.checks.get(id)?, tracker.weight)),
            Tracked::Interface(_) | Tracked::Session(_) => None,
        })
        .map(|(check, weight)| {
            let wait = if weight == 0 { farewell } else { down };
            check.schedule.interval.saturating_mul(check.fall).saturating_add(wait)
        })
        .max();
    if let Some(slowest) = slowest {
        text.push_str(&format!(", after a failed check {}", seconds(slowest)));
    }
    text
}

/// The neighbour is taken to have the same times.
fn session(session: &BfdConfig) -> String {
    let timing = &session.timing;
    let believed = timing.min_rx.max(timing.min_tx).saturating_mul(u32::from(timing.multiplier));
    let (name, to) = (&session.name, session.to);
    format!("BFD session {name} with {to}: a failure is believed after {} ms of silence", millis(believed))
}

fn servers(config: &Config, pool: &PoolConfig) -> String {
    let number = pool.servers.len();
    let start = format!("{number} server{} of {}", if number == 1 { "" } else { "s" }, pool.name);
    let checks: Vec<&CheckConfig> = pool
        .servers
        .iter()
        .filter_map(|s| s.check.and_then(|id| config.checks.get(&id)))
        .map(AsRef::as_ref)
        .collect();
    let Some(first) = checks.first() else { return format!("{start} not checked") };
    let how = kind(&first.probe);
    let every = seconds(first.schedule.interval);
    let same = checks.iter().all(|c| kind(&c.probe) == how && c.schedule.interval == first.schedule.interval);
    let which = if checks.len() == number { String::new() } else { format!(", {} of them", checks.len()) };
    if same {
        format!("{start}{which} checked by {how} every {every}")
    } else {
        format!("{start}{which} checked in different ways, the first by {how} every {every}")
    }
}

fn kind(probe: &Probe) -> String {
    match probe {
        Probe::Script { .. } => "a script".to_string(),
        Probe::Watch(_) => "a look at this host".to_string(),
        Probe::Tcp { .. } => "a TCP connect".to_string(),
        Probe::SslHello { .. } => "an old TLS hello (any answer counts)".to_string(),
        Probe::Tls { .. } => "a TLS handshake".to_string(),
        Probe::Talk(talk) => talked(talk),
        Probe::Http(HttpProbe { method, uri, tls, .. }) => {
            let over = if tls.is_some() { " over TLS" } else { "" };
            format!("{method} {}{over}", uri.chars().take(80).collect::<String>())
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `3.61 s`: seconds, rounded to two decimals, from ten on to one.
fn seconds(time: Duration) -> String {
    let millis = millis(time);
    let (unit, digits) = if millis >= 10_000 { (100, 1) } else { (10, 2) };
    let parts = millis.saturating_add(unit / 2) / unit;
    let whole = parts * unit / 1000;
    let rest = parts * unit % 1000 / unit;
    let text = format!("{whole}.{rest:0digits$}");
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// What a conversation is, by the last reply it waits for.
fn talked(talk: &Talk) -> String {
    let last = talk.steps.iter().rev().find_map(|step| match step {
        Step::Expect(answer) => Some(&answer.what),
        Step::Connect(_) | Step::Send(_) => None,
    });
    let steps = talk.steps.len();
    match last {
        Some(Wanted::Reply(Reply::Pong)) => "a PING of Redis".to_string(),
        Some(Wanted::Reply(Reply::Smtp)) => "a greeting of SMTP".to_string(),
        Some(Wanted::Reply(Reply::MysqlGreeting)) => "the greeting of MySQL".to_string(),
        Some(Wanted::Reply(Reply::MysqlLogin)) => "a login of MySQL".to_string(),
        Some(Wanted::Reply(Reply::Pgsql)) => "a hello of PostgreSQL".to_string(),
        Some(Wanted::Reply(Reply::Ldap)) => "an anonymous bind of LDAP".to_string(),
        Some(Wanted::Octets(_) | Wanted::Pattern(_) | Wanted::HexPattern(_)) | None => {
            format!("a conversation of {steps} steps")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_and_short() {
        for (ms, text) in [
            (3606, "3.61 s"),
            (33_606, "33.6 s"),
            (2000, "2 s"),
            (300, "0.3 s"),
            (10, "0.01 s"),
            (30_000, "30 s"),
            (0, "0 s"),
            (1000, "1 s"),
            (9_999, "10 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(ms)), text);
        }
    }
}
