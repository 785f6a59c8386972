//! The words for every event: one line each, for people first, then in haproxy's own form for servers.
//!
//! Decides nothing about where lines go. Lines keep keepalived's familiar beginnings, since people's alerts match on
//! them; then come the state before, why, and for how long nothing was heard.

use standfast_core::config::item::Item;
use standfast_core::config::model::Config;
use standfast_core::event::{Event, ItemNews, PacketError, Role, ServerState, Why};
use standfast_core::id::PoolId;
use standfast_core::input::{CheckCode, Errno, Outcome};
use standfast_core::wire::bfd::{Diagnostic, State};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// Syslog severity: the system is unusable.
pub const EMERGENCY: u8 = 0;
/// Syslog severity: act at once.
pub const ALERT: u8 = 1;
/// Syslog severity: error.
pub const ERROR: u8 = 3;
/// Syslog severity: warning.
pub const WARNING: u8 = 4;
/// Syslog severity: normal but significant.
pub const NOTICE: u8 = 5;
/// Syslog severity: informational.
pub const INFO: u8 = 6;

/// Severity and words of an event.
#[must_use]
pub fn human(event: &Event) -> (u8, String) {
    match event {
        Event::Role { name, from, to, why, priority, .. } => {
            (if *to == Role::Fault { ERROR } else { NOTICE }, role(name, *from, *to, why, *priority))
        }
        Event::GroupRole { name, to } => {
            (NOTICE, format!("VRRP_Group({name}) Syncing instances to {} state", to.as_str()))
        }
        Event::Priority { name, from, to, .. } => {
            (NOTICE, format!("({name}) Changing effective priority from {from} to {to}"))
        }
        Event::Rejected { name, from, error, .. } => {
            let name = if name.is_empty() { String::new() } else { format!("({name}) ") };
            (WARNING, format!("{name}Dropping advert from {from}: {} ({})", rejected(*error), error.as_str()))
        }
        Event::LowerHeard { name, from, priority } => (
            NOTICE,
            format!(
                "({name}) Received advert from {from} with lower priority {priority}, forcing new election"
            ),
        ),
        Event::Odd { name, from, what } => (WARNING, format!("({name}) Advert from {from}: {what}")),
        Event::Address { name, address, owned, .. } => {
            let what = if *owned { "Address added" } else { "Address removed" };
            (INFO, format!("({name}) {what}: {address}"))
        }
        Event::AddressLost { name, address, then, .. } => {
            (ERROR, format!("({name}) Somebody else removed address {address}: {then}"))
        }
        Event::Item { name, item, news } => self::item(name, item, *news),
        Event::Leftover { address, adopted, on } => {
            let then = if *adopted { "kept" } else { "removed" };
            (NOTICE, format!("Address {address} on {on} is left over from an earlier run: {then}"))
        }
        Event::Refused { what, errno } => (ERROR, format!("The kernel refused: {what}: {}", words(*errno))),
        Event::Link { name, usable, exists } => link(name, *usable, *exists),
        Event::Verdict { name, up, outcome, .. } => verdict(name, *up, outcome),
        Event::Checked { name, count, of, rising, outcome, .. } => {
            let towards = if *rising { "up" } else { "down" };
            (INFO, format!("{}: {count} of {of} towards {towards}", ran(name, outcome)))
        }
        Event::Overrun { name } => {
            (WARNING, format!("Script `{name}` is still running at its next turn; this turn is skipped"))
        }
        Event::Server { name, state, outcome, active, backup, .. } => {
            server(name, *state, outcome.as_ref(), *active, *backup)
        }
        Event::PoolEmpty { name, .. } => (EMERGENCY, format!("Pool {name} has no server available!")),
        Event::Listening { name, open, .. } => {
            let what = if *open { "listening" } else { "no longer listening" };
            (NOTICE, format!("Frontend {name} is {what}"))
        }
        Event::Reloaded { changes } if changes.is_empty() => (NOTICE, "Reloaded: nothing changed".to_owned()),
        Event::Reloaded { changes } => (NOTICE, format!("Reloaded: {}", changes.join("; "))),
        Event::Ordered { what } => (NOTICE, format!("Ordered by an operator: {what}")),
        Event::Leaving { name, heard: Some(peer) } => {
            (NOTICE, format!("({name}) Left: {peer} has taken over"))
        }
        Event::Session { name, to, why, neighbor, .. } => session(name, *to, *neighbor, *why),
        Event::BfdRejected { name, from, error } => {
            let (words, counter) = (error.words(), error.as_str());
            (WARNING, format!("BFD_Instance({name}) dropped a packet from {from}: {words} ({counter})"))
        }
        Event::Leaving { name, heard: None } => (NOTICE, format!("({name}) Left: no peer was heard in time")),
    }
}

fn link(name: &str, usable: bool, exists: bool) -> (u8, String) {
    let how = match (exists, usable) {
        (true, true) => "up",
        (true, false) => "down",
        (false, _) => "deleted",
    };
    (if usable { NOTICE } else { WARNING }, format!("Netlink reports {name} {how}"))
}

/// The beginning is keepalived's.
fn session(name: &str, to: State, neighbor: IpAddr, why: Diagnostic) -> (u8, String) {
    let entering = format!("BFD_Instance({name}) Entering {} state", to.as_str());
    match to {
        State::Up | State::Init => (NOTICE, format!("{entering} (neighbour {neighbor})")),
        State::Down | State::AdminDown => {
            (WARNING, format!("{entering} (neighbour {neighbor}, {})", why.as_str()))
        }
    }
}

fn item(name: &str, item: &Item, news: ItemNews) -> (u8, String) {
    match news {
        ItemNews::Added => (INFO, format!("({name}) Added: {item}")),
        ItemNews::Removed => (INFO, format!("({name}) Removed: {item}")),
        ItemNews::Restored => {
            (ERROR, format!("({name}) Somebody else removed {item}: it is put back, each time it happens"))
        }
    }
}

fn role(name: &str, from: Role, to: Role, why: &Why, priority: u8) -> String {
    let entering = format!("({name}) Entering {} STATE", to.as_str());
    let was = from.as_str();
    match why {
        Why::Start => format!("{entering} (init)"),
        Why::Better { from: peer, priority: theirs } => {
            // keepalived says this in two lines; one event is one line here, and both phrases can be found in it.
            let compared = if *theirs > priority {
                format!("higher priority {theirs}, ours {priority}")
            } else {
                format!("same priority {theirs} but higher address than ours")
            };
            let heard = if from == Role::Master { "Master received advert" } else { "Received advert" };
            format!("({name}) {heard} from {peer} with {compared}: {entering}, was {was}")
        }
        Why::Owner
        | Why::MasterDown { .. }
        | Why::Farewell { .. }
        | Why::Tracked { .. }
        | Why::Recovered
        | Why::Group
        | Why::AddressLost { .. }
        | Why::Order
        | Why::Stop
        | Why::Reload => format!("{entering}, was {was}: {}; priority {priority}", because(why)),
    }
}

fn because(why: &Why) -> String {
    match why {
        Why::Start => "started".to_owned(),
        Why::Owner => "owner of the addresses".to_owned(),
        Why::MasterDown { last: Some(last), silent } => {
            format!("nothing heard from {last} for {}", seconds(*silent))
        }
        Why::MasterDown { last: None, silent } => format!("no master heard for {}", seconds(*silent)),
        Why::Farewell { from } => format!("{from} said farewell (priority 0)"),
        Why::Better { from, priority } => format!("{from} is better (priority {priority})"),
        Why::Tracked { what } => what.clone(),
        Why::Recovered => "the fault is gone".to_owned(),
        Why::Group => "its sync group asked for it".to_owned(),
        Why::AddressLost { address } => format!("somebody else removed {address}"),
        Why::Order => "ordered by an operator".to_owned(),
        Why::Stop => "stopping".to_owned(),
        Why::Reload => "the configuration changed".to_owned(),
    }
}

fn rejected(error: PacketError) -> &'static str {
    match error {
        PacketError::Length => "wrong length",
        PacketError::Ttl => "wrong TTL or hop limit",
        PacketError::Version => "wrong VRRP version",
        PacketError::AuthType => "unknown authentication type",
        PacketError::AuthMismatch => "authentication type is not ours",
        PacketError::AuthFailure => "wrong password",
        PacketError::Interval => "advertisement interval is not ours",
        PacketError::Type => "not an advertisement",
        PacketError::Checksum => "wrong checksum",
        PacketError::Destination => "multicast and unicast do not match",
        PacketError::NotAPeer => "not a configured peer",
        PacketError::UnknownVrid => "unknown virtual router id",
    }
}

/// Scripts in keepalived's words, servers' checks (named `pool/server`) in plain ones.
fn verdict(name: &str, up: bool, outcome: &Outcome) -> (u8, String) {
    let script = match outcome.code {
        CheckCode::ScriptOk
        | CheckCode::ScriptExit
        | CheckCode::ScriptSignal
        | CheckCode::ScriptTimeout
        | CheckCode::ScriptMissing => true,
        CheckCode::L4Ok
        | CheckCode::L4Timeout
        | CheckCode::L4Connection
        | CheckCode::L6Ok
        | CheckCode::L6Timeout
        | CheckCode::L6Response
        | CheckCode::L7Ok
        | CheckCode::L7Timeout
        | CheckCode::L7Response
        | CheckCode::L7Status
        | CheckCode::WatchGood
        | CheckCode::WatchBad
        | CheckCode::SocketError => false,
    };
    let level = if up { NOTICE } else { WARNING };
    let text = match (script, up) {
        (true, true) => format!("VRRP_Script({name}) succeeded"),
        (true, false) => format!("VRRP_Script({name}) failed ({})", ended(outcome)),
        (false, true) => format!("Check `{name}` succeeded ({})", ended(outcome)),
        (false, false) => format!("Check `{name}` failed ({})", ended(outcome)),
    };
    (level, text)
}

/// One run, in keepalived's words when it was a script that came to its end.
fn ran(name: &str, outcome: &Outcome) -> String {
    match (outcome.code, outcome.status) {
        (CheckCode::ScriptOk, _) => format!("Script `{name}` now returning 0"),
        (CheckCode::ScriptExit, Some(status)) => format!("Script `{name}` now returning {status}"),
        _ => format!("Check `{name}` {}", ended(outcome)),
    }
}

/// How a run ended: `exited with status 1`, `L4CON: Connection refused, after 0ms`.
fn ended(outcome: &Outcome) -> String {
    let status = outcome.status.unwrap_or(0);
    let mut text = match outcome.code {
        CheckCode::ScriptOk => "exited with status 0".to_owned(),
        CheckCode::ScriptExit => format!("exited with status {status}"),
        CheckCode::ScriptSignal => format!("killed by signal {status}"),
        CheckCode::ScriptTimeout => format!("timed out after {}", seconds(outcome.took)),
        CheckCode::ScriptMissing => "could not be started".to_owned(),
        CheckCode::WatchGood | CheckCode::WatchBad => outcome.info.clone(),
        CheckCode::L4Ok
        | CheckCode::L4Timeout
        | CheckCode::L4Connection
        | CheckCode::L6Ok
        | CheckCode::L6Timeout
        | CheckCode::L6Response
        | CheckCode::L7Ok
        | CheckCode::L7Timeout
        | CheckCode::L7Response
        | CheckCode::L7Status
        | CheckCode::SocketError => {
            let status = outcome.status.map_or(String::new(), |status| format!(" {status}"));
            format!("{}{status} after {}ms", outcome.code.as_str(), outcome.took.as_millis())
        }
    };
    if !outcome.info.is_empty() {
        let _ = write!(text, ": {}", outcome.info);
    }
    text
}

fn server(
    name: &str,
    state: ServerState,
    outcome: Option<&Outcome>,
    active: u32,
    backup: u32,
) -> (u8, String) {
    let (level, how) = match state {
        ServerState::Up => (NOTICE, "is UP"),
        ServerState::GoingDown => (INFO, "is going down"),
        ServerState::Down => (ALERT, "is DOWN"),
        ServerState::GoingUp => (INFO, "is coming up"),
        ServerState::Maintenance => (ALERT, "is in maintenance"),
        ServerState::Drain => (NOTICE, "is draining"),
    };
    let why = outcome.map_or(String::new(), |outcome| format!(" ({})", ended(outcome)));
    (level, format!("Server {name} {how}{why}; usable now: {active} active, {backup} backup"))
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

fn words(errno: Errno) -> String {
    std::io::Error::from_raw_os_error(errno.0).to_string()
}

/// What haproxy says of a server or pool, for the pool's targets in haproxy.cfg: pool, level and text; `None` for all
/// other events.
/// haproxy prefixes backup servers and tells pools of a `listen` section apart, which the configuration knows.
#[must_use]
pub fn haproxy_lines(config: &Config, event: &Event) -> Option<(PoolId, u8, String)> {
    match event {
        Event::Server { pool, server, name, state, outcome, active, backup, sessions } => {
            let is_backup = config
                .pools
                .get(pool)
                .and_then(|pool| pool.servers.iter().find(|known| known.id == *server))
                .is_some_and(|server| server.backup);
            let (level, text) = haproxy_server(*state, outcome.as_ref())?;
            let prefix = if is_backup { "Backup " } else { "" };
            let counts = haproxy_counts(*state, outcome.is_some(), (*active, *backup), *sessions);
            Some((*pool, level, format!("{prefix}Server {name} {text}{counts}")))
        }
        Event::PoolEmpty { pool, name } => {
            let listen = config.pools.get(pool).is_some_and(|pool| pool.listen);
            let kind = if listen { "proxy" } else { "backend" };
            Some((*pool, EMERGENCY, format!("{kind} {name} has no server available!")))
        }
        Event::Role { .. }
        | Event::GroupRole { .. }
        | Event::Priority { .. }
        | Event::Rejected { .. }
        | Event::LowerHeard { .. }
        | Event::Odd { .. }
        | Event::Address { .. }
        | Event::AddressLost { .. }
        | Event::Item { .. }
        | Event::Leftover { .. }
        | Event::Refused { .. }
        | Event::Link { .. }
        | Event::Verdict { .. }
        | Event::Checked { .. }
        | Event::Overrun { .. }
        | Event::Listening { .. }
        | Event::Reloaded { .. }
        | Event::Session { .. }
        | Event::BfdRejected { .. }
        | Event::Ordered { .. }
        | Event::Leaving { .. } => None,
    }
}

/// Level and what follows the server's name, up to the counts. Steps on the way up or down are said only with
/// `option log-health-checks`, so not here.
fn haproxy_server(state: ServerState, outcome: Option<&Outcome>) -> Option<(u8, String)> {
    Some(match (state, outcome) {
        (ServerState::GoingDown | ServerState::GoingUp, _) => return None,
        (ServerState::Up, Some(outcome)) => (NOTICE, format!("is UP, {}.", reason(outcome))),
        (ServerState::Up, None) => (NOTICE, "is UP/READY (leaving forced maintenance).".to_owned()),
        (ServerState::Down, Some(outcome)) => (ALERT, format!("is DOWN, {}.", reason(outcome))),
        (ServerState::Down, None) => (ALERT, "is DOWN.".to_owned()),
        (ServerState::Maintenance, _) => (ALERT, "is going DOWN for maintenance.".to_owned()),
        (ServerState::Drain, _) => (NOTICE, "enters drain state.".to_owned()),
    })
}

/// The tail with the counts. Nothing is ever requeued and no queue remains: connections do not wait for a server here.
fn haproxy_counts(state: ServerState, by_check: bool, (active, backup): (u32, u32), sessions: u32) -> String {
    let running = if active == 0 && backup > 0 { " Running on backup." } else { "" };
    match state {
        // Leaving maintenance is said without counts.
        ServerState::Up if !by_check => String::new(),
        ServerState::Up | ServerState::GoingUp | ServerState::Drain => format!(
            " {active} active and {backup} backup servers online.{running} 0 sessions requeued, 0 total in queue."
        ),
        ServerState::Down | ServerState::GoingDown | ServerState::Maintenance => format!(
            " {active} active and {backup} backup servers left.{running} {sessions} sessions active, 0 requeued, 0 remaining in queue."
        ),
    }
}

fn reason(outcome: &Outcome) -> String {
    let code = outcome.status.map_or(String::new(), |status| format!(", code: {status}"));
    let info = if outcome.info.is_empty() { String::new() } else { format!(", info: \"{}\"", outcome.info) };
    let took = outcome.took.as_millis();
    format!("reason: {}{code}{info}, check duration: {took}ms", description(outcome.code))
}

fn description(code: CheckCode) -> &'static str {
    match code {
        CheckCode::L4Ok => "Layer4 check passed",
        CheckCode::L4Timeout => "Layer4 timeout",
        CheckCode::L4Connection => "Layer4 connection problem",
        CheckCode::L6Ok => "Layer6 check passed",
        CheckCode::L6Timeout => "Layer6 timeout",
        CheckCode::L6Response => "Layer6 invalid response",
        CheckCode::L7Ok => "Layer7 check passed",
        CheckCode::L7Timeout => "Layer7 timeout",
        CheckCode::L7Response => "Layer7 invalid response",
        CheckCode::L7Status => "Layer7 wrong status",
        CheckCode::SocketError => "Socket error",
        CheckCode::ScriptOk => "External check passed",
        CheckCode::ScriptExit | CheckCode::ScriptSignal | CheckCode::ScriptMissing => "External check error",
        CheckCode::ScriptTimeout => "External check timeout",
        CheckCode::WatchGood => "Look at the host passed",
        CheckCode::WatchBad => "Look at the host failed",
    }
}

#[cfg(test)]
mod tests;
