//! A timeline on a terminal: one line per event, and a bar per node and target.
//!
//! Plain ASCII, so that it can be compared, mailed and grepped. Bars have one character per equal part of the time;
//! the most telling state within a part wins.

use crate::des::service::Episode;
use crate::des::timeline::{Stance, Standing, Timeline, Who, seconds};
use ipnet::IpNet;
use standfast_core::event::Role;
use standfast_core::time::Time;
use std::fmt::Write;

/// How many characters a bar has.
pub const WIDTH: u64 = 72;
/// What the characters of bars mean.
pub const LEGEND: &str = "nodes: # holds the address  - backup  x may not take part  z frozen  (blank) no power or no daemon\n\
                          client: = served  ~ partly served  r refused  ! no answer\n";

/// One line per event, seconds first, and what clients missed at its end.
#[must_use]
pub fn events(timeline: &Timeline) -> String {
    let mut text = String::new();
    let width = timeline.nodes.iter().map(String::len).max().unwrap_or(0).max("address".len());
    for line in &timeline.lines {
        let (who, mark) = match line.who {
            Who::World => ("-", "*"),
            Who::Node(host) => (timeline.name(host), " "),
            Who::Address(_) => ("address", "="),
            Who::Client(_) => ("client", "~"),
        };
        let at = seconds(line.at.since_origin());
        let _ = writeln!(text, "{at:>9} {mark} {who:<width$} {}", timeline.said(line));
    }
    for outage in &timeline.outages {
        let (from, lasted) = (seconds(outage.from.since_origin()), seconds(outage.lasted()));
        let (to, worst) = (outage.target, outage.worst.as_str());
        if !inside_partial(timeline, outage.from) {
            let _ = writeln!(
                text,
                "client {} at {to}: {lasted} s without service from {from} s on ({worst})",
                outage.client + 1
            );
        }
    }
    for open in &timeline.open {
        let (to, worst) = (open.target, open.worst.as_str());
        let since = open.since.map_or(String::from("from the beginning"), |since| {
            format!("since {} s", seconds(since.since_origin()))
        });
        let _ = writeln!(
            text,
            "client {} at {to}: without service {since}, to the end ({worst})",
            open.client + 1
        );
    }
    text
}

/// The many short gaps of an episode of partial service are told by the episode alone.
fn inside_partial(timeline: &Timeline, from: Time) -> bool {
    let within = |e: &Episode| e.partly() && e.from <= from && e.until.is_none_or(|until| from < until);
    timeline.episodes.iter().any(|(_, _, episode)| within(episode))
}

/// The bars: who holds each address, what clients get, and a scale below.
#[must_use]
pub fn bars(timeline: &Timeline) -> String {
    let mut text = String::new();
    let width = timeline.nodes.iter().map(String::len).max().unwrap_or(0).max("client".len());
    let addresses = addresses(timeline);
    for address in &addresses {
        if addresses.len() > 1 {
            let _ = writeln!(text, "  {}", address.addr());
        }
        for (host, name) in timeline.nodes.iter().enumerate() {
            let bar: String = (0..WIDTH).map(|nth| node_cell(timeline, host, *address, nth)).collect();
            if !bar.trim().is_empty() {
                let _ = writeln!(text, "  {name:<width$} {}", bar.trim_end());
            }
        }
    }
    let mut targets: Vec<_> = timeline.targets();
    targets.dedup();
    for target in &targets {
        let bar: String = (0..WIDTH).map(|nth| client_cell(timeline, *target, nth)).collect();
        let label = if targets.len() > 1 { format!("  {target}") } else { String::new() };
        let _ = writeln!(text, "  {:<width$} {}{label}", "client", bar.trim_end());
    }
    let _ = writeln!(text, "  {:<width$} {}", "seconds", scale(timeline));
    text
}

fn addresses(timeline: &Timeline) -> Vec<IpNet> {
    let mut all: Vec<IpNet> = timeline.stances.keys().map(|(_, address)| *address).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Beginning and end of part number `nth` of the time.
fn part(timeline: &Timeline, nth: u64) -> (Time, Time) {
    let length = u64::try_from(timeline.length.as_nanos()).unwrap_or(u64::MAX);
    let at = |nth: u64| Time(length / WIDTH * nth);
    (at(nth), at(nth + 1))
}

fn node_cell(timeline: &Timeline, host: usize, address: IpNet, nth: u64) -> char {
    let (from, until) = part(timeline, nth);
    let Some(stances) = timeline.stances.get(&(host, address)) else { return ' ' };
    let first = stances.partition_point(|(at, _)| *at <= from).saturating_sub(1);
    let within = stances[first..].iter().take_while(|(at, _)| *at < until);
    let rank = |stance: &Stance| match (stance.holds, stance.standing) {
        (_, Standing::Off | Standing::Down) if !stance.holds => (1, ' '),
        (true, Standing::Frozen) => (5, 'Z'),
        (true, _) => (4, '#'),
        (false, Standing::Frozen) => (3, 'z'),
        (false, Standing::Role(Role::Fault)) => (2, 'x'),
        (false, Standing::Role(_)) => (0, '-'),
        (false, Standing::Off | Standing::Down) => (1, ' '),
    };
    within.map(|(_, stance)| rank(stance)).max().map_or(' ', |(_, cell)| cell)
}

fn client_cell(timeline: &Timeline, target: crate::des::client::Target, nth: u64) -> char {
    use crate::des::client::Answer;
    let (from, until) = part(timeline, nth);
    if timeline.first_served(target).is_none_or(|first| until <= first) {
        return ' ';
    }
    let end = Time::from_duration(timeline.length);
    let mine = timeline.episodes.iter().filter(|(_, at, _)| *at == target).map(|(_, _, episode)| episode);
    let mut touching = mine.filter(|e| e.failed < until && e.until.unwrap_or(end) > from);
    let Some(episode) = touching.next() else { return '=' };
    if episode.partly() {
        return '~';
    }
    let last = episode.changes.iter().rfind(|(at, _)| *at < until).map(|(_, answer)| *answer);
    match last {
        Some(Answer::Refused) => 'r',
        Some(Answer::Silent | Answer::Served) | None => '!',
    }
}

/// Ticks at round seconds.
fn scale(timeline: &Timeline) -> String {
    let length = timeline.length.as_secs().max(1);
    let step = tick(length, 8);
    let mut line = String::new();
    for at in (0..=length).step_by(usize::try_from(step).unwrap_or(1)) {
        let place = usize::try_from(at * WIDTH / length).unwrap_or(0);
        if line.len() <= place {
            let _ = write!(line, "{:width$}{at}", "", width = place - line.len());
        }
    }
    line
}

/// A round number of seconds, so that `length` has at most `most` of them.
#[must_use]
pub fn tick(length: u64, most: u64) -> u64 {
    let round = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 18_000, 36_000];
    round.into_iter().find(|step| length / step <= most).unwrap_or(length.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!((tick(60, 8), tick(200, 8), tick(7, 8)), (10, 30, 1));
        assert!(1_000_000 / tick(1_000_000, 8) <= 27);
    }
}
