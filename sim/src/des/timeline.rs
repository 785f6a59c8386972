//! What happened, for people: who holds an address when, which checks fail, what a client saw.
//!
//! [`Story`] is written while a world runs, when somebody asked for it; [`Timeline`] is the finished story, and its
//! text. Bounded: a story that grows too long says that it was cut.

use super::client::Answer;
use super::fault::Fault;
use ipnet::IpNet;
use standfast_core::event::Event;
use standfast_core::time::Time;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// The most lines of a story.
pub const MAX_LINES: usize = 10_000;

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

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Time,
    /// Whom it is about.
    pub who: Who,
    /// What happened.
    pub text: String,
}

/// A time without service, as a client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The client.
    pub client: usize,
    /// The address that it tried.
    pub address: IpNet,
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

#[derive(Clone, Copy, Debug)]
struct Sight {
    answer: Answer,
    served: Option<Time>,
    worst: Answer,
}

/// A story while it is written.
#[derive(Debug, Default)]
pub struct Story {
    told: bool,
    lines: Vec<Line>,
    holders: BTreeMap<IpNet, Vec<usize>>,
    sights: BTreeMap<(usize, IpNet), Sight>,
    outages: Vec<Outage>,
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

    fn line(&mut self, at: Time, who: Who, text: String) {
        if self.told && self.lines.len() < MAX_LINES {
            self.lines.push(Line { at, who, text });
        }
    }

    pub(crate) fn fault(&mut self, at: Time, fault: &Fault, begins: bool) {
        if self.told
            && let Some((host, text)) = words(fault, begins)
        {
            self.line(at, host.map_or(Who::World, Who::Node), text);
        }
    }

    pub(crate) fn stopped(&mut self, at: Time, host: usize) {
        self.line(at, Who::Node(host), String::from("has stopped"));
    }

    pub(crate) fn told(&mut self, at: Time, host: usize, event: &Event) {
        if !self.told {
            return;
        }
        let text = if let Event::Role { name, from, to, why, priority, .. } = event {
            format!("({name}) {} -> {}, priority {priority}: {why:?}", from.as_str(), to.as_str())
        } else if let Event::Priority { name, from, to, .. } = event {
            format!("({name}) effective priority {from} -> {to}")
        } else if let Event::Verdict { name, up, outcome, .. } = event {
            format!("check {name} {} ({})", if *up { "passes" } else { "fails" }, outcome.code.as_str())
        } else if let Event::AddressLost { name, address, then, .. } = event {
            format!("({name}) somebody took {address} away: {then}")
        } else if let Event::PoolEmpty { name, .. } = event {
            format!("pool {name} has no usable server")
        } else {
            return;
        };
        self.line(at, Who::Node(host), text);
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
            self.line(at, Who::Address(address), text);
        }
    }

    pub(crate) fn client(&mut self, at: Time, client: usize, address: IpNet, answer: Answer) {
        if !self.told {
            return;
        }
        let sight =
            self.sights.entry((client, address)).or_insert(Sight { answer, served: None, worst: answer });
        let before = *sight;
        sight.answer = answer;
        sight.worst = if answer == Answer::Served { answer } else { sight.worst.max(answer) };
        if answer == Answer::Served {
            sight.served = Some(at);
        }
        if before.answer == answer {
            return;
        }
        let text = match (answer, before.served) {
            (Answer::Served, Some(from)) => {
                self.outages.push(Outage { client, address, from, until: at, worst: before.worst });
                format!("is served again at {}, after {} s", address.addr(), seconds(at.since(from)))
            }
            (Answer::Served, None) => format!("is served at {}", address.addr()),
            (Answer::Refused | Answer::Silent, _) => {
                format!("gets {} from {}", answer.as_str(), address.addr())
            }
        };
        self.line(at, Who::Client(client), text);
    }

    /// The finished story.
    #[must_use]
    pub fn finish(self, nodes: Vec<String>, length: Duration) -> Timeline {
        let open = self.sights.iter().filter_map(|((client, address), sight)| {
            let unserved = sight.answer != Answer::Served;
            unserved.then_some(Open {
                client: *client,
                address: *address,
                since: sight.served,
                worst: sight.worst,
            })
        });
        let open = open.collect();
        Timeline { nodes, length, lines: self.lines, outages: self.outages, open }
    }
}

/// A client that is still without service at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The client.
    pub client: usize,
    /// The address that it tries.
    pub address: IpNet,
    /// Its last success, if it ever had one.
    pub since: Option<Time>,
    /// What it gets, the worst of it.
    pub worst: Answer,
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
    /// What clients missed.
    pub outages: Vec<Outage>,
    /// Who is still without service at its end.
    pub open: Vec<Open>,
}

impl Timeline {
    /// The longest outage that began at or after `from` and before `until`.
    #[must_use]
    pub fn longest_outage(&self, from: Time, until: Time) -> Option<Outage> {
        let within = self.outages.iter().filter(|outage| outage.until >= from && outage.from < until);
        within.max_by_key(|outage| outage.lasted()).copied()
    }

    /// The story as text: one line per event, seconds first, and what clients missed at its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let width = self.nodes.iter().map(String::len).max().unwrap_or(0).max("address".len());
        for line in &self.lines {
            let (who, mark) = match line.who {
                Who::World => (String::from("-"), "*"),
                Who::Node(host) => (self.name(host), " "),
                Who::Address(_) => (String::from("address"), "="),
                Who::Client(_) => (String::from("client"), "~"),
            };
            let mut said = line.text.clone();
            if let Who::Address(address) = line.who {
                said = format!("{} {said}", address.addr());
            }
            for (host, name) in self.nodes.iter().enumerate() {
                said = said.replace(&format!("{{{host}}}"), name);
            }
            let at = seconds(line.at.since_origin());
            let _ = writeln!(text, "{at:>9} {mark} {who:<width$} {said}");
        }
        if self.lines.len() >= MAX_LINES {
            let _ = writeln!(text, "(cut after {MAX_LINES} lines)");
        }
        for outage in &self.outages {
            let (from, lasted) = (seconds(outage.from.since_origin()), seconds(outage.lasted()));
            let (to, worst) = (outage.address.addr(), outage.worst.as_str());
            let _ = writeln!(
                text,
                "client {} at {to}: {lasted} s without service from {from} s on ({worst})",
                outage.client + 1
            );
        }
        for open in &self.open {
            let (to, worst) = (open.address.addr(), open.worst.as_str());
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

    fn name(&self, host: usize) -> String {
        self.nodes.get(host).cloned().unwrap_or_default()
    }
}

/// `duration` in seconds with three places.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}

/// What a fault, or its end, looks like to people: whom it hits, and what it is.
fn words(fault: &Fault, begins: bool) -> Option<(Option<usize>, String)> {
    let say = |host: usize, start: &str, end: &str| {
        Some((Some(host), String::from(if begins { start } else { end })))
    };
    match fault {
        Fault::PowerLoss { host, .. } => say(*host, "LOSES POWER", "has power again, its daemon starts"),
        Fault::Kill { host, .. } => say(*host, "its daemon IS KILLED", "its daemon starts again"),
        Fault::Stop { host, .. } => say(*host, "its daemon IS TOLD TO STOP", "its daemon starts again"),
        Fault::Pause { host, .. } => say(*host, "its daemon IS FROZEN", "its daemon goes on"),
        Fault::LinkDown { host, .. } => say(*host, "LOSES ITS LINK", "has its link again"),
        Fault::ScriptFails { host, .. } => {
            say(*host, "its check script BEGINS TO FAIL", "its check script passes again")
        }
        Fault::Resign { host, .. } => say(*host, "IS ORDERED TO RESIGN", "may take part again"),
        Fault::Reload { host, to } => Some((Some(*host), format!("RELOADS ({to:?})"))),
        Fault::TakeAddresses { host } => {
            Some((Some(*host), String::from("other software TAKES ITS ADDRESSES AWAY")))
        }
        Fault::ServerDies { server, .. } => {
            Some((None, format!("server {server} {}", if begins { "DIES" } else { "is back" })))
        }
        Fault::ServerHangs { server, .. } => {
            Some((None, format!("server {server} {}", if begins { "HANGS" } else { "answers again" })))
        }
        Fault::Note(text) => begins.then(|| (None, text.clone())),
        Fault::OneWay { .. }
        | Fault::Cut { .. }
        | Fault::Isolate { .. }
        | Fault::Mute { .. }
        | Fault::Deafen { .. }
        | Fault::Split { .. }
        | Fault::Trouble { .. }
        | Fault::Clog { .. }
        | Fault::AddAddresses { .. }
        | Fault::Renumber { .. }
        | Fault::Drift { .. }
        | Fault::SlowCpu { .. }
        | Fault::ScriptFlaps { .. }
        | Fault::SlowChecks { .. }
        | Fault::ServerTrickles { .. }
        | Fault::ServerFlaps { .. }
        | Fault::Admin { .. }
        | Fault::Weight { .. }
        | Fault::Attack { .. }
        | Fault::Refuse { .. }
        | Fault::SlowKernel { .. }
        | Fault::MuteKernel { .. }
        | Fault::BlindKernel { .. } => {
            Some((None, format!("{}: {fault:?}", if begins { "network or kernel trouble" } else { "over" })))
        }
    }
}
