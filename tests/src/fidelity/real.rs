//! A story in network namespaces: the real binary, real kernels, a switch whose ports and rules can be changed.
//!
//! What each daemon says is read from its log, with the log's own time stamps; who held the address comes from the
//! kernels' notices. How late this machine was meanwhile is measured by a thread that only sleeps.

use super::{Act, Case, Seen, What, note};
use crate::{BROKEN, Bench, HEALTHY};
use standfast::control;
use standfast::lab::cluster::Cluster;
use standfast::lab::net::Plan;
use standfast::lab::node::{self, Kind, replace_check};
use standfast::lab::now_us;
use standfast::lab::process::{Result, Trouble, wait_until};
use standfast_io::control::Request;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a run in namespaces has shown.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened.
    pub seen: Seen,
    /// How long it took to do what each moment asks for, in milliseconds: what follows may be as much later.
    pub took: Vec<i64>,
    /// The latest wake-up of a sleeping thread meanwhile, in milliseconds.
    pub late: i64,
    /// What every daemon wrote.
    pub said: String,
}

/// The longest a start of the cluster may take.
const STARTS: Duration = Duration::from_secs(20);
/// The longest that a daemon may take from its start to its first word, in milliseconds, on a busy machine.
const LONGEST_START: i64 = 1_500;
/// Between the settled cluster and the first act.
const CALM: Duration = Duration::from_millis(1_500);

/// Runs `case`.
///
/// # Errors
/// When the laboratory fails, or the first node does not come to hold the address.
pub fn run(bench: &Bench, case: &Case) -> Result<Run> {
    let Kind::Standfast(program) = bench.standfast() else { return Err(no_standfast()) };
    // Time stamps of the log are local time: of the laboratory, as of everybody else here.
    let kind = Kind::Standfast(["env", "TZ=UTC"].map(str::to_owned).into_iter().chain(program).collect());
    let files = case.files.iter().map(|files| (kind.clone(), files.clone())).collect();
    let mut cluster = Cluster::new(&Plan { snooping: true, ..bench.plan() }, case.vip, files)?;
    for node in 1..=case.files.len() {
        cluster.start_node(node)?;
        if case.first_alone {
            cluster.watch().wait_for("cp1", STARTS)?;
        }
    }
    cluster.watch().wait_for("cp1", STARTS)?;
    // Each story begins at another phase of the nodes' rhythm.
    let phase = u64::try_from(case.name.len()).unwrap_or(0) * 70 % 1_000;
    std::thread::sleep(CALM + Duration::from_millis(phase));
    let (stop, latest) = (AtomicBool::new(false), AtomicU64::new(0));
    let (moments, took) = std::thread::scope(|scope| {
        scope.spawn(|| sleeper(&stop, &latest));
        let played = play(case, &mut cluster);
        stop.store(true, Ordering::Relaxed);
        played
    })?;
    let seen = look(case, &cluster, &moments);
    let took = took.iter().enumerate().map(|(moment, took)| starts(case, &seen, moment).max(*took)).collect();
    let late = i64::try_from(latest.into_inner() / 1_000).unwrap_or(i64::MAX);
    Ok(Run { seen, took, late, said: cluster.said() })
}

/// How long the daemon that a moment starts took until its first word, if not longer than it ever may.
fn starts(case: &Case, seen: &Seen, moment: usize) -> i64 {
    let Some(node) = case.started(moment) else { return 0 };
    let key = super::Key { moment, node, subject: "role".to_owned() };
    let first = seen.get(&key).and_then(|states| states.first()).map_or(0, |(_, at)| *at);
    if first <= LONGEST_START { first } else { 0 }
}

/// The error of a bench that has no standfast.
fn no_standfast() -> standfast::lab::Trouble {
    standfast::lab::Trouble::new("PEER_ONLY leaves nothing to compare the model with")
}

fn sleeper(stop: &AtomicBool, latest: &AtomicU64) {
    const NAP: Duration = Duration::from_millis(10);
    while !stop.load(Ordering::Relaxed) {
        let before = Instant::now();
        std::thread::sleep(NAP);
        let late = u64::try_from(before.elapsed().saturating_sub(NAP).as_micros()).unwrap_or(u64::MAX);
        latest.fetch_max(late, Ordering::Relaxed);
    }
}

/// Does what the story asks for; the moments in microseconds since 1970, and how long each took.
fn play(case: &Case, cluster: &mut Cluster) -> Result<(Vec<u64>, Vec<i64>)> {
    let (mut moments, mut took) = (Vec::new(), Vec::new());
    for act in &case.acts {
        for (begins, wait) in [(true, act.lasts), (false, act.rest)] {
            let at = now_us();
            toggle(case, cluster, act, begins)?;
            moments.push(at);
            took.push(since(at, now_us()));
            std::thread::sleep(wait.saturating_sub(Duration::from_micros(now_us() - at)));
        }
    }
    Ok((moments, took))
}

fn since(from: u64, to: u64) -> i64 {
    i64::try_from(to / 1_000).unwrap_or(0) - i64::try_from(from / 1_000).unwrap_or(0)
}

fn toggle(case: &Case, cluster: &mut Cluster, act: &Act, begins: bool) -> Result<()> {
    let name = |node: usize| format!("cp{node}");
    match (act.what, begins) {
        (What::Power(n), true) => cluster.power_off(n).map(drop),
        (What::Power(n), false) => {
            cluster.lab().power_on(&name(n))?;
            // A machine that boots has its link before its daemons.
            let link =
                || cluster.lab().node(n).ip("link show dev eth0").is_ok_and(|said| said.contains("LOWER_UP"));
            wait_until(Duration::from_secs(2), link);
            cluster.start_node(n)
        }
        (What::Stop(n), true) => {
            cluster.service(n).signal("TERM");
            Ok(())
        }
        (What::Stop(n) | What::Kill(n), false) => cluster.start_node(n),
        (What::Kill(n), true) => {
            cluster.service(n).signal("KILL");
            Ok(())
        }
        (What::Freeze(n), _) => {
            cluster.service(n).signal(if begins { "STOP" } else { "CONT" });
            Ok(())
        }
        (What::Link(n), true) => cluster.lab().cut(&name(n)),
        (What::Link(n), false) => cluster.lab().plug(&name(n)),
        (What::Split(n), true) => {
            let others: Vec<String> = (1..=case.files.len()).filter(|other| *other != n).map(name).collect();
            let mut rest: Vec<&str> = others.iter().map(String::as_str).collect();
            rest.push("client");
            cluster.lab_mut().split(&[&[&name(n)], &rest])
        }
        (What::Mute(n), true) => {
            let others: Vec<String> = (1..=case.files.len()).filter(|other| *other != n).map(name).collect();
            others.iter().try_for_each(|other| cluster.lab_mut().one_way(&name(n), other))
        }
        (What::Split(_) | What::Mute(_), false) => cluster.lab_mut().heal(),
        (What::Check(n), _) => replace_check(cluster.lab().node(n), if begins { BROKEN } else { HEALTHY }),
        (What::Priority(n, by), _) => reload(case, cluster, n, if begins { by } else { 0 }),
        (What::Reload(n), true) => reload(case, cluster, n, 0),
        (What::Delete(n), true) => {
            let prefix = if case.vip.is_ipv4() { 32 } else { 128 };
            cluster.lab().node(n).ip(&format!("address del {}/{prefix} dev eth0", case.vip)).map(drop)
        }
        (What::Reload(_) | What::Delete(_), false) => Ok(()),
        (What::Resign(n), _) => order(cluster, n, begins),
        (What::Server(n), true) => {
            cluster.kill_backend(n);
            Ok(())
        }
        (What::Server(n), false) => cluster.start_backend(n),
        (What::Servers, true) => {
            for n in 1..=case.files.len() {
                cluster.kill_backend(n);
            }
            Ok(())
        }
        (What::Servers, false) => (1..=case.files.len()).try_for_each(|n| cluster.start_backend(n)),
    }
}

/// Tells the node's only virtual router to resign, or to rejoin.
fn order(cluster: &Cluster, number: usize, resigns: bool) -> Result<()> {
    let router = String::from("VI_1");
    let request = if resigns { Request::Resign { router } } else { Request::Rejoin { router } };
    let reply = control::ask(&node::socket(cluster.lab().node(number)), &request).map_err(Trouble::new)?;
    if reply.ok { Ok(()) } else { Err(Trouble::new(reply.lines.join("\n"))) }
}

/// Writes the node's file with its priority moved, and has it read again.
fn reload(case: &Case, cluster: &Cluster, node: usize, by: i16) -> Result<()> {
    let text = &case.files[node - 1].keepalived;
    let moved = text.lines().map(|line| match line.trim().strip_prefix("priority ") {
        Some(number) => format!("    priority {}", number.parse::<i16>().unwrap_or(0) + by),
        None => line.to_owned(),
    });
    let moved: Vec<String> = moved.collect();
    let path = cluster.lab().node(node).dir().join("etc/keepalived.conf");
    std::fs::write(path, moved.join("\n") + "\n")?;
    cluster.service(node).signal("HUP");
    Ok(())
}

/// Collects logs and kernels' notices.
fn look(case: &Case, cluster: &Cluster, moments: &[u64]) -> Seen {
    let mut seen = Seen::new();
    let (first, last) = (moments.first().copied().unwrap_or(0), moments.last().copied().unwrap_or(0));
    let relative: Vec<i64> = moments.iter().map(|at| since(first, *at)).collect();
    let end = since(first, last)
        + case.acts.last().map_or(0, |act| i64::try_from(act.rest.as_millis()).unwrap_or(0));
    let mut found: Vec<(i64, usize, String, String)> = Vec::new();
    for hold in cluster.watch().holds() {
        let node = hold.host.trim_start_matches("cp").parse().unwrap_or(0);
        let edges = [(Some(hold.from), "held"), (hold.to, "gone")];
        let edges = edges.into_iter().filter_map(|(at, state)| Some((since(first, at?), state)));
        found.extend(edges.map(|(at, state)| (at, node, "address".to_owned(), state.to_owned())));
    }
    for host in cluster.lab().nodes() {
        let node = host.name().trim_start_matches("cp").parse().unwrap_or(0);
        let log = std::fs::read_to_string(host.dir().join("standfast.log")).unwrap_or_default();
        for (at, subject, state) in log.lines().filter_map(|line| told(line, first)) {
            found.push((at, node, subject, state));
        }
    }
    found.retain(|(at, ..)| (0..=end).contains(at));
    found.sort_by_key(|found| found.0);
    for (at, node, subject, state) in found {
        note(&mut seen, case, &relative, at, (node, &subject, &state));
    }
    seen
}

/// Time (in milliseconds since `first`), subject and state of a line of the log.
fn told(line: &str, first: u64) -> Option<(i64, String, String)> {
    // `Nov 23 13:05:16.123 (VI_1) Entering ...`
    let clock = line.get(7..19)?;
    let text = line.get(20..)?;
    let mut parts = clock.split([':', '.']).map(|part| part.parse::<i64>().ok());
    let (hour, minute, second, ms) = (parts.next()??, parts.next()??, parts.next()??, parts.next()??);
    let of_day = ((hour * 60 + minute) * 60 + second) * 1_000 + ms;
    const DAY: i64 = 86_400_000;
    let began = i64::try_from(first / 1_000).ok()? % DAY;
    let at = (of_day - began + DAY / 2).rem_euclid(DAY) - DAY / 2;
    let (subject, state) = event(text)?;
    Some((at, subject, state))
}

fn event(text: &str) -> Option<(String, String)> {
    let word_after =
        |phrase: &str| text.split_once(phrase).and_then(|(_, rest)| rest.split_whitespace().next());
    if let Some(role) = word_after("Entering ") {
        return Some(("role".into(), role.to_owned()));
    }
    if text.contains("Changing effective priority from ") {
        return Some(("priority".into(), word_after(" to ")?.to_owned()));
    }
    if let Some(rest) = text.strip_prefix("VRRP_Script(") {
        let (name, rest) = rest.split_once(") ")?;
        let state = if rest.starts_with("succeeded") { "passes" } else { "fails" };
        return Some((format!("script {name}"), state.into()));
    }
    if let Some(rest) = text.strip_prefix("Server ") {
        let (name, rest) = rest.split_once(" is ")?;
        let state = ["UP", "DOWN"].into_iter().find(|state| rest.starts_with(state))?;
        return Some((format!("server {}", name.rsplit('/').next()?), state.into()));
    }
    let empty = text.starts_with("Pool ") && text.contains("has no server available");
    empty.then(|| ("pool".into(), "empty".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_the_log() {
        let line = "Nov 23 00:00:01.500 (VI_1) Entering MASTER STATE, was BACKUP: nothing heard; priority 9";
        let midnight = 20_000 * 86_400_000_000;
        assert_eq!(told(line, midnight), Some((1_500, "role".into(), "MASTER".into())));
        assert_eq!(told(line, midnight - 500_000), Some((2_000, "role".into(), "MASTER".into())));
        let of = |text: &str| event(text).map(|(subject, state)| format!("{subject} {state}"));
        assert_eq!(
            of("VRRP_Script(check) failed (exited with status 1)").as_deref(),
            Some("script check fails")
        );
        assert_eq!(of("Server apiserver/cp2 is DOWN (L4CON); usable").as_deref(), Some("server cp2 DOWN"));
        assert_eq!(of("Server apiserver/cp2 is going down (L4CON)"), None);
        assert_eq!(of("(VI_1) Changing effective priority from 150 to 130").as_deref(), Some("priority 130"));
    }
}
