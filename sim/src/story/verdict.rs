//! What a story comes to: figures, and one line in words.
//!
//! Figures count from the clients' first success on, over all targets; the outage is the longest time between two
//! successes at one target with a failure between them. Counted from the first fault on, so that the start of the
//! cluster is nobody's fault.

use crate::des::scenario::Scenario;
use crate::des::timeline::{Kind, Line, Timeline, Who};
use standfast_core::time::Time;
use std::time::Duration;

/// What a story comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The longest time that a client was without service.
    pub outage: Duration,
    /// It lasts to the end of the story.
    pub open: bool,
    /// Open connections that were cut.
    pub cut: u64,
    /// Open connections that had no answer for a while.
    pub hung: u64,
    /// Short connections that were refused.
    pub refused: u64,
    /// Short connections that had no answer.
    pub unanswered: u64,
    /// Short connections that were served.
    pub served: u64,
}

impl Figures {
    /// The figures of `timeline`.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Figures {
        let end = Time::from_duration(timeline.length);
        let closed = timeline.outages.iter().map(|outage| (outage.lasted(), false));
        let open = timeline.open.iter().map(|open| (end.since(open.since.unwrap_or(Time::ZERO)), true));
        let (outage, open) = closed.chain(open).max().unwrap_or_default();
        let totals = &timeline.totals;
        Figures {
            outage,
            open,
            cut: totals.connections.cut,
            hung: totals.connections.hung,
            refused: totals.refused,
            unanswered: totals.silent,
            served: totals.tries.saturating_sub(totals.refused + totals.silent),
        }
    }
}

/// `3.61 s`, `20 ms`: to the length of one turn of a client.
#[must_use]
pub fn human(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1_000 {
        return format!("{millis} ms");
    }
    format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10)
}

/// The last line: what was done, what clients missed, who took over.
#[must_use]
pub fn words(scenario: &Scenario, timeline: &Timeline) -> String {
    let figures = Figures::of(timeline);
    let mut said = vec![service(timeline, &figures)];
    if figures.cut > 0 {
        said.push(format!("{} connection{} cut", figures.cut, if figures.cut == 1 { "" } else { "s" }));
    }
    said.extend(takeover(scenario, timeline));
    let mut title = scenario.title.clone();
    for (host, name) in timeline.nodes.iter().enumerate() {
        title = title.replace(&format!("{{{host}}}"), name);
    }
    format!("{title}: {}", said.join(", "))
}

fn service(timeline: &Timeline, figures: &Figures) -> String {
    let partly = timeline.episodes.iter().any(|(_, _, episode)| episode.partly());
    let failed = figures.refused + figures.unanswered;
    let mostly_refused = figures.unanswered * 4 < figures.refused;
    if timeline.open.iter().any(|open| open.since.is_none()) {
        return String::from("clients were never served");
    }
    if figures.open {
        let how = if mostly_refused { "refused" } else { "without answer" };
        return format!("clients {how} for {} and still at the end", human(figures.outage));
    }
    if failed == 0 && figures.cut == 0 {
        return String::from("clients noticed nothing");
    }
    if failed == 0 {
        return String::from("every new connection served");
    }
    if partly && figures.outage < Duration::from_secs(1) {
        let tries = figures.served + failed;
        let how = if mostly_refused { "refused" } else { "without answer" };
        return format!("{failed} of {tries} connections {how}");
    }
    let how = if mostly_refused { "refused" } else { "without answer" };
    format!("clients {how} for {}", human(figures.outage))
}

/// A node that held the address alone for less than this on the way to another is not worth telling.
const BRIEF: Duration = Duration::from_millis(500);

/// Who held the first address in turn, from the first fault on.
fn takeover(scenario: &Scenario, timeline: &Timeline) -> Option<String> {
    let began = scenario.began();
    let turns = holders(timeline);
    let at = turns.iter().position(|turn| turn.from >= began).unwrap_or(turns.len());
    let (before, after) = turns.split_at(at);
    let first = &before.last()?.hosts;
    let mut alone: Vec<usize> = Vec::new();
    for turn in after.iter().filter(|turn| turn.lasted() >= BRIEF) {
        if let [one] = turn.hosts[..]
            && alone.last().or(first.first()) != Some(&one)
        {
            alone.push(one);
        }
    }
    let mut said: Vec<String> = Vec::new();
    let together: Duration = after.iter().filter(|turn| turn.hosts.len() > 1).map(Turn::lasted).sum();
    if together >= BRIEF {
        let tenths = (together.as_millis() + 50) / 100;
        said.push(format!("two nodes held the address for {}.{} s", tenths / 10, tenths % 10));
    }
    if let Some((one, rest)) = alone.split_first() {
        said.push(format!("{} took over", timeline.name(*one)));
        if let Some(last) = rest.last() {
            let word = if Some(last) == first.first() { "took it back" } else { "has it in the end" };
            said.push(format!("{} {word}", timeline.name(*last)));
        }
    } else if after.is_empty() && !first.is_empty() {
        said.push(format!("{} kept the address", names(timeline, first)));
    }
    match &turns.last()?.hosts[..] {
        [] => said.push(String::from("nobody holds the address at the end")),
        [_] => {}
        more => said.push(format!("{} both hold the address at the end", names(timeline, more))),
    }
    (!said.is_empty()).then(|| said.join(", "))
}

/// Some nodes hold the first address for a time.
struct Turn {
    hosts: Vec<usize>,
    from: Time,
    until: Time,
}

impl Turn {
    fn lasted(&self) -> Duration {
        self.until.since(self.from)
    }
}

fn holders(timeline: &Timeline) -> Vec<Turn> {
    let Some(address) = timeline.targets().first().map(|target| target.address) else { return Vec::new() };
    let about = |line: &&Line| line.kind == Kind::Holder && line.who == Who::Address(address);
    let mut turns: Vec<Turn> = Vec::new();
    for line in timeline.lines.iter().filter(about) {
        if let Some(last) = turns.last_mut() {
            last.until = line.at;
        }
        let hosts = (0..timeline.nodes.len()).filter(|host| line.text.contains(&format!("{{{host}}}")));
        turns.push(Turn {
            hosts: hosts.collect(),
            from: line.at,
            until: Time::from_duration(timeline.length),
        });
    }
    turns
}

fn names(timeline: &Timeline, hosts: &[usize]) -> String {
    let names: Vec<&str> = hosts.iter().map(|host| timeline.name(*host)).collect();
    names.join(" and ")
}
