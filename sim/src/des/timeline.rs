//! What happened, for people: who holds an address when, which checks fail, what a client saw.
//!
//! [`Story`] is written while a world runs, when somebody asked for it; [`Timeline`] is the finished story. Nothing in
//! here decides how it is shown: text, picture and JSON are made of a timeline by [`crate::story`]. Bounded: a story
//! that grows too long says that it was cut.

use super::client::{Answer, Counts, Target};
use super::fault::Fault;
use super::service::{Episode, Tries};
use super::world::World;
use ipnet::IpNet;
use standfast_core::event::{Event, Role};
use standfast_core::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most lines of a story.
pub const MAX_LINES: usize = 10_000;
/// The most addresses whose holders a story samples for pictures.
pub const MAX_SAMPLED: usize = 8;

/// Whom a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// What was done to the cluster.
    World,
    /// A node.
    Node(usize),
    /// An address.
    Address(IpNet),
    /// A client.
    Client(usize),
}

/// What kind of thing a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A fault begins, or somebody does something.
    Fault,
    /// A fault ends.
    Over,
    /// A heading.
    Note,
    /// A role changed.
    Role,
    /// An effective priority changed.
    Priority,
    /// A check passes, or fails.
    Check,
    /// Something else that a node told.
    Told,
    /// An address is held by somebody else now.
    Holder,
    /// Clients are served again, or not any more.
    Service,
    /// Open connections were opened, cut, or have no answer.
    Connections,
}

impl Kind {
    /// A word for JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fault => "fault",
            Kind::Over => "over",
            Kind::Note => "note",
            Kind::Role => "role",
            Kind::Priority => "priority",
            Kind::Check => "check",
            Kind::Told => "told",
            Kind::Holder => "holder",
            Kind::Service => "service",
            Kind::Connections => "connections",
        }
    }
}

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Time,
    /// Whom it is about.
    pub who: Who,
    /// What kind of thing it tells.
    pub kind: Kind,
    /// What happened; `{2}` stands for the name of node number 2.
    pub text: String,
}

/// A time without service, as a client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The client.
    pub client: usize,
    /// What it tried.
    pub target: Target,
    /// Its last success before.
    pub from: Time,
    /// Its first success after.
    pub until: Time,
    /// What it got in between, the worst of it.
    pub worst: Answer,
}

impl Outage {
    /// How long it was.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.until.since(self.from)
    }
}

/// How a node stands, as a picture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No power.
    Off,
    /// Power, but no daemon.
    Down,
    /// The daemon is frozen.
    Frozen,
    /// The daemon runs.
    Role(Role),
}

/// How a node stands towards one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stance {
    /// The node.
    pub standing: Standing,
    /// Its kernel holds the address.
    pub holds: bool,
    /// It has its link.
    pub linked: bool,
}

/// A story while it is written.
#[derive(Debug, Default)]
pub struct Story {
    told: bool,
    lines: Vec<Line>,
    holders: BTreeMap<IpNet, Vec<usize>>,
    tries: BTreeMap<(usize, usize), Tries>,
    stances: BTreeMap<(usize, IpNet), Vec<(Time, Stance)>>,
    connections: Counts,
}

impl Story {
    /// A story that is written.
    #[must_use]
    pub fn told_from_now() -> Story {
        Story { told: true, ..Story::default() }
    }

    /// Somebody wants to read it.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.told
    }

    fn line(&mut self, at: Time, who: Who, kind: Kind, text: String) {
        if self.told && self.lines.len() < MAX_LINES {
            self.lines.push(Line { at, who, kind, text });
        }
    }

    pub(crate) fn fault(&mut self, at: Time, fault: &Fault, begins: bool) {
        if self.told
            && let Some((host, text)) = crate::story::words::fault(fault, begins)
        {
            let kind = match (fault, begins) {
                (Fault::Note(_), _) => Kind::Note,
                (_, true) => Kind::Fault,
                (_, false) => Kind::Over,
            };
            self.line(at, host.map_or(Who::World, Who::Node), kind, text);
        }
    }

    pub(crate) fn stopped(&mut self, at: Time, host: usize) {
        self.line(at, Who::Node(host), Kind::Told, String::from("has stopped"));
    }

    pub(crate) fn told(&mut self, at: Time, host: usize, event: &Event) {
        if self.told
            && let Some((kind, text)) = crate::story::words::event(event)
        {
            self.line(at, Who::Node(host), kind, text);
        }
    }

    pub(crate) fn holders(&mut self, at: Time, address: IpNet, holders: &[usize]) {
        let before = self.holders.insert(address, holders.to_vec()).unwrap_or_default();
        if before != holders {
            let text = match holders {
                [] => String::from("is held by nobody"),
                some => {
                    let names: Vec<String> = some.iter().map(|host| format!("{{{host}}}")).collect();
                    format!("is held by {}", names.join(" and "))
                }
            };
            self.line(at, Who::Address(address), Kind::Holder, text);
        }
    }

    pub(crate) fn tried(&mut self, began: Time, client: usize, target: usize, answer: Answer) {
        if self.told {
            self.tries.entry((client, target)).or_default().push(began, answer);
        }
    }

    pub(crate) fn held(&mut self, at: Time, client: usize, seen: Counts) {
        if !self.told {
            return;
        }
        self.connections.opened += seen.opened;
        self.connections.cut += seen.cut;
        self.connections.hung += seen.hung;
        let many = |n: u64, one: &str, more: &str| {
            if n == 1 { format!("1 connection {one}") } else { format!("{n} connections {more}") }
        };
        for (n, text) in [
            (seen.cut, many(seen.cut, "is cut", "are cut")),
            (seen.hung, many(seen.hung, "has no answer for 1 s", "have no answer for 1 s")),
            (seen.opened, many(seen.opened, "is open", "are open")),
        ] {
            if n > 0 {
                self.line(at, Who::Client(client), Kind::Connections, text);
            }
        }
    }

    /// The finished story of a world whose clients had these `targets`.
    #[must_use]
    pub fn finish(mut self, nodes: Vec<String>, targets: &[Target], length: Duration) -> Timeline {
        let end = Time::from_duration(length);
        let cut = self.lines.len() >= MAX_LINES;
        let (mut outages, mut open, mut episodes) = (Vec::new(), Vec::new(), Vec::new());
        let mut served = Vec::new();
        let mut totals = Totals { connections: self.connections, ..Totals::default() };
        for ((client, nth), tries) in std::mem::take(&mut self.tries) {
            let Some(target) = targets.get(nth).copied() else { continue };
            let seen = tries.judge(end);
            served.push((target, seen.first));
            totals.tries += seen.tries;
            totals.refused += seen.refused;
            totals.silent += seen.silent;
            let outage = |(from, until, worst)| Outage { client, target, from, until, worst };
            outages.extend(seen.gaps.into_iter().map(outage));
            if let Some((since, worst)) = seen.unserved {
                open.push(Open { client, target, since, worst });
            }
            if let Some(first) = seen.first {
                let text = format!("is served at {target}");
                self.line(first, Who::Client(client), Kind::Service, text);
            }
            for episode in seen.episodes {
                for (at, text) in episode.words(target) {
                    self.line(at, Who::Client(client), Kind::Service, text);
                }
                episodes.push((client, target, episode));
            }
        }
        self.lines.sort_by_key(|line| line.at); // stable: what was told in one instant keeps its order
        if cut {
            let text = format!("and more than {MAX_LINES} lines, which are left out");
            self.lines.push(Line { at: end, who: Who::World, kind: Kind::Note, text });
        }
        outages.sort_by_key(|outage| (outage.from, outage.target));
        Timeline {
            nodes,
            length,
            lines: self.lines,
            outages,
            open,
            episodes,
            served,
            stances: self.stances,
            totals,
        }
    }
}

impl World {
    /// Notes how all nodes stand, for pictures.
    pub(crate) fn sample(&mut self) {
        let sampled = self
            .routers
            .iter()
            .flat_map(|(key, addresses)| addresses.iter().map(move |address| (key.clone(), *address)));
        let sampled: Vec<_> = sampled.take(MAX_SAMPLED).collect();
        for (host, h) in self.hosts.iter().enumerate() {
            for (key, address) in &sampled {
                let role = h.instance(key).filter(|(_, i)| i.addresses.iter().any(|a| a.address == *address));
                if role.is_none() && !h.kernel.owns(*address) {
                    continue; // another cluster's address
                }
                let frozen = h.process.as_ref().is_some_and(|process| process.frozen.is_some());
                let standing = match (h.powered, &h.process) {
                    (false, _) => Standing::Off,
                    (true, None) => Standing::Down,
                    (true, Some(_)) if frozen => Standing::Frozen,
                    (true, Some(_)) => Standing::Role(role.and_then(|_| h.role(key)).unwrap_or(Role::Init)),
                };
                let linked = h.unplugged == 0;
                let stance = Stance { standing, holds: h.powered && h.kernel.owns(*address), linked };
                let seen = self.story.stances.entry((host, *address)).or_default();
                if seen.last().is_none_or(|(_, last)| *last != stance) && seen.len() < MAX_LINES {
                    seen.push((self.now, stance));
                }
            }
        }
    }
}

/// A client that is still without service at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The client.
    pub client: usize,
    /// What it tries.
    pub target: Target,
    /// Its last success, if it ever had one.
    pub since: Option<Time>,
    /// What it gets, the worst of it.
    pub worst: Answer,
}

/// What all clients saw, counted from their first success on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Short connections.
    pub tries: u64,
    /// Of these refused.
    pub refused: u64,
    /// Of these without answer.
    pub silent: u64,
    /// Connections that were held open.
    pub connections: Counts,
}

/// A finished story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// How long it is.
    pub length: Duration,
    /// What happened, in order.
    pub lines: Vec<Line>,
    /// What clients missed: from the last success before to the first one after.
    pub outages: Vec<Outage>,
    /// Who is still without service at its end.
    pub open: Vec<Open>,
    /// Times of trouble, by client and target.
    pub episodes: Vec<(usize, Target, Episode)>,
    /// What clients try, and when it was served first.
    pub served: Vec<(Target, Option<Time>)>,
    /// How each node stood towards each address, from when on.
    pub stances: BTreeMap<(usize, IpNet), Vec<(Time, Stance)>>,
    /// Counts.
    pub totals: Totals,
}

impl Timeline {
    /// The longest outage that ended at or after `from` and began before `until`.
    #[must_use]
    pub fn longest_outage(&self, from: Time, until: Time) -> Option<Outage> {
        let within = self.outages.iter().filter(|outage| outage.until >= from && outage.from < until);
        within.max_by_key(|outage| outage.lasted()).copied()
    }

    /// The name of node number `host`.
    #[must_use]
    pub fn name(&self, host: usize) -> &str {
        self.nodes.get(host).map_or("?", String::as_str)
    }

    /// What clients try.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        self.served.iter().map(|(target, _)| *target).collect()
    }

    /// When `target` was served first.
    #[must_use]
    pub fn first_served(&self, target: Target) -> Option<Time> {
        self.served.iter().find(|(at, _)| *at == target)?.1
    }

    /// The text of `line`, with names in place of numbers.
    #[must_use]
    pub fn said(&self, line: &Line) -> String {
        let mut said = line.text.clone();
        if let Who::Address(address) = line.who {
            said = format!("{} {said}", address.addr());
        }
        for (host, name) in self.nodes.iter().enumerate() {
            said = said.replace(&format!("{{{host}}}"), name);
        }
        said
    }

    /// The story as text: one line per event, seconds first, and what clients missed at its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        crate::story::text::events(self)
    }
}

/// `duration` in seconds with three places.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}
