//! A story in the discrete-event tier: the same files, read by the same parsers, on simulated kernels and a LAN.
//!
//! Many runs, each with the story shifted against the nodes' rhythm (advertisements, checks), since nobody knows at
//! which moment of that rhythm the real thing happens. Simulated kernels and roles are looked at every
//! [`LOOK`]; what nodes tell is read from the trace.

use super::{Act, Case, Seen, What, note};
use sim::des::fault::Fault;
use sim::des::host::Host;
use sim::des::shape::{Tweak, host_address};
use sim::des::trace::Trace;
use sim::des::world::{Setting, Spec, World};
use standfast::lab::guide::{CHECK_PATH, Files};
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::{Config, Family};
use standfast_core::config::source::{MemorySource, ScriptState};
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Kernels are looked at so often.
const LOOK: Duration = Duration::from_millis(5);
/// The trace is read so often: it keeps its last lines only.
const READ: Duration = Duration::from_millis(100);
/// The cluster has settled after this time.
const SETTLED: Duration = Duration::from_secs(11);
/// So many shifts are tried.
pub const SHIFTS: u64 = 40;
/// They lie this far apart: together they cover the slowest rhythm, which is a second.
const SHIFT: Duration = Duration::from_millis(27);
/// Nodes start within so many milliseconds.
const STARTS: u64 = 1_500;

/// All runs of `case`.
///
/// # Panics
/// When its files have errors.
#[must_use]
pub fn runs(case: &Case) -> Vec<Seen> {
    let configs: Vec<Arc<Config>> = case.files.iter().map(|files| Arc::new(config(files))).collect();
    (0..SHIFTS).map(|shift| run(case, &configs, shift)).collect()
}

fn config(files: &Files) -> Config {
    let mut source = MemorySource::with("keepalived.conf", files.keepalived.as_bytes());
    source.scripts.insert(CHECK_PATH.to_owned(), ScriptState::Runnable);
    let mut inputs = vec![(Language::Keepalived, "keepalived.conf")];
    if let Some(haproxy) = &files.haproxy {
        source.files.insert("haproxy.cfg".to_owned(), haproxy.clone().into_bytes());
        inputs.push((Language::Haproxy, "haproxy.cfg"));
    }
    let loaded = load(&inputs, &source, None, &Options::default());
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings))
}

fn run(case: &Case, configs: &[Arc<Config>], shift: u64) -> Seen {
    let specs: Vec<Spec> = configs
        .iter()
        .enumerate()
        .map(|(nth, config)| Spec {
            name: format!("cp{}", nth + 1),
            own: vec![own(nth), host_address(nth, Family::V6)],
            config: config.clone(),
        })
        .collect();
    let setting = Setting {
        seed: 1 + shift,
        delay: (Duration::from_micros(60), Duration::from_micros(400)),
        apply: Duration::from_millis(1),
        clients: 1,
        probe: Duration::from_secs(3_600),
        words: false,
        echo: false,
        canary: None,
        shuffled: false,
    };
    let mut world = World::new(&specs, setting);
    // The rhythm of each node begins when it is started, and nobody knows how these lie to each other.
    let mut rng = Rng::new(Seed(shift));
    for host in 0..specs.len() {
        let after = Duration::from_secs(if case.first_alone && host > 0 { 4 } else { 0 });
        let back = after + Duration::from_millis(rng.below(STARTS));
        world.plan(Time::ZERO, Fault::PowerLoss { host, back });
    }
    let begin = Time::from_duration(SETTLED + SHIFT * u32::try_from(shift).unwrap_or(0));
    let (moments, length) = case.moments();
    for (act, at) in case.acts.iter().zip(moments.iter().step_by(2)) {
        for (after, fault) in faults(case, act) {
            world.plan(begin + *at + after, fault);
        }
    }
    let moments: Vec<i64> = moments.iter().map(|at| millis(*at)).collect();
    watch(case, &mut world, begin, length, &moments)
}

fn own(nth: usize) -> IpAddr {
    let last = u8::try_from(11 + nth).unwrap_or(u8::MAX);
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The faults of an act, and how long after its beginning they begin.
fn faults(case: &Case, act: &Act) -> Vec<(Duration, Fault)> {
    let Act { what, lasts, .. } = *act;
    let server = |node: usize| Fault::ServerDies { server: SocketAddr::new(own(node - 1), 6443), lasts };
    let now = |fault| vec![(Duration::ZERO, fault)];
    match what {
        What::Power(n) => now(Fault::PowerLoss { host: n - 1, back: lasts }),
        What::Stop(n) => now(Fault::Stop { host: n - 1, back: lasts }),
        What::Kill(n) => now(Fault::Kill { host: n - 1, back: lasts }),
        What::Freeze(n) => now(Fault::Pause { host: n - 1, lasts }),
        What::Link(n) => now(Fault::LinkDown { host: n - 1, lasts }),
        What::Split(n) => now(Fault::Isolate { port: n - 1, lasts }),
        What::Mute(n) => now(Fault::Mute { port: n - 1, lasts }),
        What::Check(n) => now(Fault::ScriptFails { host: n - 1, lasts }),
        What::Priority(n, by) => vec![
            (Duration::ZERO, Fault::Reload { host: n - 1, to: Tweak::Priority(by) }),
            (lasts, Fault::Reload { host: n - 1, to: Tweak::First }),
        ],
        What::Reload(n) => now(Fault::Reload { host: n - 1, to: Tweak::First }),
        What::Delete(n) => now(Fault::TakeAddresses { host: n - 1 }),
        What::Resign(n) => now(Fault::Resign { host: n - 1, back: lasts }),
        What::Server(n) => now(server(n)),
        What::Servers => (1..=case.files.len()).map(|n| (Duration::ZERO, server(n))).collect(),
    }
}

fn watch(case: &Case, world: &mut World, begin: Time, length: Duration, moments: &[i64]) -> Seen {
    let mut seen = Seen::new();
    let holders = |world: &World| -> Vec<bool> {
        let holds = |host: &Host| host.kernel.addresses.keys().any(|(_, held)| held.addr() == case.vip);
        world.hosts.iter().map(holds).collect()
    };
    // What the first act does at once is part of the story.
    let before = Time(begin.0 - 1_000_000);
    world.run_until(before);
    world.trace = Trace::new(true);
    let (mut now, mut read, mut held) = (begin, before, holders(world));
    while now <= begin + length {
        world.run_until(now);
        let at = millis(now.since(begin));
        let holds = holders(world);
        for (node, (is, was)) in holds.iter().zip(&held).enumerate() {
            if is != was {
                note(&mut seen, case, moments, at, (node + 1, "address", if *is { "held" } else { "gone" }));
            }
        }
        held = holds;
        if now.since(read) >= READ || now + LOOK > begin + length {
            for line in std::mem::replace(&mut world.trace, Trace::new(true)).lines() {
                told(&mut seen, case, moments, line, begin);
            }
            read = now;
        }
        now = now + LOOK;
    }
    seen
}

/// Takes in a line of the trace, `9.123456 n1 -> Event(...)`.
fn told(seen: &mut Seen, case: &Case, moments: &[i64], line: &str, begin: Time) {
    let mut words = line.splitn(4, ' ');
    let (Some(at), Some(who), Some("->"), Some(text)) =
        (words.next().and_then(time), words.next(), words.next(), words.next())
    else {
        return;
    };
    let node = who.strip_prefix('n').and_then(|number| number.parse().ok());
    if let (Some(node), Some((subject, state))) = (node, event(text)) {
        note(seen, case, moments, millis(at.since(begin)), (node, &subject, &state));
    }
}

fn time(text: &str) -> Option<Time> {
    let (seconds, micros) = text.split_once('.')?;
    Some(Time(seconds.parse::<u64>().ok()? * 1_000_000_000 + micros.parse::<u64>().ok()? * 1_000))
}

/// Subject and state of an event in its debug form.
fn event(text: &str) -> Option<(String, String)> {
    let text = text.strip_prefix("Event(")?;
    let (kind, rest) = text.split_once(" {")?;
    let field = |name: &str| {
        let (_, value) = rest.split_once(&format!(" {name}: "))?;
        value.split([',', ' ', '}']).next()
    };
    let name = || field("name").map(|name| name.trim_matches('"').to_owned());
    match kind {
        "Role" => Some(("role".into(), field("to")?.to_uppercase())),
        "Priority" => Some(("priority".into(), field("to")?.to_owned())),
        "Verdict" if !name()?.contains('/') => Some((
            format!("script {}", name()?),
            if field("up")? == "true" { "passes" } else { "fails" }.into(),
        )),
        "Server" => {
            let state = field("state")?.to_uppercase();
            let server = name()?.rsplit('/').next().map(|server| format!("server {server}"))?;
            (state == "UP" || state == "DOWN").then_some((server, state))
        }
        "PoolEmpty" => Some(("pool".into(), "empty".into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_the_trace() {
        let role = "Event(Role { instance: InstanceId(0), name: \"VI_1\", from: Backup, to: Master, why: Start, priority: 9 })";
        assert_eq!(event(role), Some(("role".into(), "MASTER".into())));
        let verdict = "Event(Verdict { check: CheckId(0), name: \"check\", up: false, outcome: Outcome { passed: false } })";
        assert_eq!(event(verdict), Some(("script check".into(), "fails".into())));
        let server = "Event(Server { pool: PoolId(0), server: ServerId(1), name: \"apiserver/cp2\", state: Down, active: 2 })";
        assert_eq!(event(server), Some(("server cp2".into(), "DOWN".into())));
        assert_eq!(event("Address { ticket: Ticket(3) }"), None);
    }
}
