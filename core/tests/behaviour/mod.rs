//! A stage for the behaviour tables: one node that reads a keepalived.conf, a kernel that answers at once, peers whose
//! advertisements are written in words, and a trace of what the node does.
//!
//! A story is a list of steps, one per line or separated by `;`:
//! `+1.5` lets time pass; `freeze 5` too, with nobody scheduled; `hear PRIORITY [word=value …]` (see `packet`);
//! `link NAME up|down|gone`; `address +A/N NAME`, `address -A/N NAME`; `check NAME good|bad|hangs`; `number NAME N|none`;
//! `reload [OLD => NEW]` (`|` is a line feed); `start` is when the kernel first speaks, before the first
//! step unless it stands there; `stop`; `clear` forgets the trace, `mute` leaves regular advertisements out of it; `is ROLE [NAME]`, `priority N [NAME]` and
//! `count COUNTER N` assert. The trace has the seconds since the start, then: `A 200` an advertisement (`> peer` by
//! unicast), `+1.2.3.4` and `-1.2.3.4` addresses asked for and given up, `G 1.2.3.4 x5` announcements, a role, `run …`
//! and `fifo …` what was told, `odd …`, `drop …` and `lost …` what was said. Names stand behind when there are several routers.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it needs, and ends at the first surprise"
)]

pub mod packet;

use standfast_core::action::Action;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::{Config, Probe};
use standfast_core::config::source::MemorySource;
use standfast_core::config::watch::Watch;
use standfast_core::event::{Event, Role};
use standfast_core::id::{CheckId, Interface, Ticket};
use standfast_core::input::{CheckCode, Input, KernelNotice, Link, Outcome};
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_core::vrrp::RouterStatus;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The links of the host, by index from 2 on, with our addresses on the first.
pub const LINKS: [&str; 2] = ["eth0", "eth1"];
/// Our own addresses.
pub const OURS: [&str; 3] = ["192.0.2.10/24", "fe80::10/64", "2001:db8::10/64"];
/// The one who speaks unless told otherwise, by family.
pub const PEER: [&str; 2] = ["192.0.2.20", "fe80::20"];
/// When the node starts, since the boot of its machine.
pub const BOOT: Time = Time::from_millis(100_000);

/// A keepalived.conf with one instance `V` on eth0, VRID 7, and one address, with `inside` added.
pub fn conf(inside: &str) -> String {
    let address = if inside.contains("virtual_ipaddress") || inside.contains("no_virtual_ipaddress") {
        ""
    } else {
        "virtual_ipaddress {\n192.0.2.100/24\n}\n"
    };
    let inside = inside.replace(';', "\n");
    format!("vrrp_instance V {{\ninterface eth0\nvirtual_router_id 7\n{inside}\n{address}}}\n")
}

/// What a keepalived.conf means; panics with the findings when it is refused.
pub fn config_of(text: &str) -> Config {
    let source = MemorySource::with("keepalived.conf", text.as_bytes());
    let loaded = load(&[(Language::Keepalived, "keepalived.conf")], &source, None, &Options::default());
    let said: Vec<String> = loaded.findings.list().iter().map(|f| format!("{f}")).collect();
    loaded.config.unwrap_or_else(|| panic!("{text}\n{}", said.join("\n")))
}

/// One node on its stage.
pub struct Stage {
    pub node: Node,
    pub now: Time,
    text: String,
    links: BTreeMap<String, (Interface, bool)>,
    trace: Vec<(Time, String)>,
    /// What each script or look says, by name; one that is not here succeeds.
    checks: BTreeMap<String, Answer>,
    /// Scripts that have not ended.
    hanging: Vec<(CheckId, Ticket)>,
    held: BTreeSet<String>,
    /// Regular advertisements are left out of the trace.
    muted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Good,
    Bad,
    Hangs,
    Number(Option<i32>),
}

impl Stage {
    /// A node that has just started, on a host whose links are up.
    pub fn new(text: &str) -> Stage {
        let mut stage = Stage::cold(text, "");
        stage.boot();
        stage
    }

    /// A node that the kernel has told nothing yet; `before` are steps about checks.
    pub fn cold(text: &str, before: &str) -> Stage {
        let node = Node::new(Arc::new(config_of(text)), Seed(1), BOOT);
        let link = |(at, name): (usize, &&str)| {
            ((*name).to_owned(), (Interface(u32::try_from(at).unwrap() + 2), true))
        };
        let mut stage = Stage {
            node,
            now: BOOT,
            text: text.to_owned(),
            links: LINKS.iter().enumerate().map(link).collect(),
            trace: Vec::new(),
            checks: BTreeMap::new(),
            hanging: Vec::new(),
            held: BTreeSet::new(),
            muted: false,
        };
        for step in before.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            stage.step(step);
        }
        stage
    }

    /// The kernel tells of everything.
    pub fn boot(&mut self) {
        self.feed(Input::Kernel(KernelNotice::ResyncBegin));
        for name in LINKS {
            self.tell_link(name);
        }
        for address in OURS {
            self.address(true, address, "eth0");
        }
        self.feed(Input::Kernel(KernelNotice::ResyncEnd));
    }

    /// The trace of a story told to a fresh node.
    pub fn told(text: &str, story: &str) -> String {
        let mut stage = Stage::cold(text, "");
        if !story.lines().any(|line| line.trim() == "start") {
            stage.boot();
        }
        stage.tell(story);
        stage.trace()
    }

    /// Tells it a story.
    pub fn tell(&mut self, story: &str) {
        for line in story.lines() {
            let line = line.split('#').next().unwrap_or("");
            for step in line.split(';').map(str::trim).filter(|step| !step.is_empty()) {
                self.step(step);
            }
        }
    }

    fn step(&mut self, step: &str) {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words.as_slice() {
            [time] if time.starts_with('+') => self.run(seconds(&time[1..])),
            ["freeze", time] => {
                self.now = self.now + seconds(time);
                self.feed(Input::Tick);
            }
            ["hear", rest @ ..] => self.hear(rest),
            ["link", name, "gone"] => {
                let (on, _) = self.links[*name];
                self.feed(Input::Kernel(KernelNotice::LinkGone(on)));
            }
            ["link", name, stands] => {
                self.links.get_mut(*name).unwrap().1 = *stands == "up";
                self.tell_link(name);
            }
            ["address", address, name] => {
                self.address(address.starts_with('+'), &address[1..], name);
            }
            ["check", name, "good"] => self.answer(name, Answer::Good),
            ["check", name, "bad"] => self.answer(name, Answer::Bad),
            ["check", name, "hangs"] => self.answer(name, Answer::Hangs),
            ["number", name, number] => self.answer(name, Answer::Number(number.parse().ok())),
            ["reload"] => self.reload(),
            ["reload", ..] => {
                let (old, new) = step["reload".len()..].split_once("=>").unwrap();
                let (old, new) = (old.trim().replace('|', "\n"), new.trim().replace('|', "\n"));
                assert!(self.text.contains(&old), "{step}");
                self.text = self.text.replace(&old, &new);
                self.reload();
            }
            ["start"] => self.boot(),
            ["stop"] => self.feed(Input::Stop),
            ["clear"] => self.trace.clear(),
            ["mute"] => self.muted = true,
            ["is", role, name @ ..] => {
                let status = self.router(name.first().copied());
                assert_eq!(
                    status.role.as_str(),
                    *role,
                    "{step} at {}\n{}",
                    self.since(self.now),
                    self.trace()
                );
            }
            ["priority", number, name @ ..] => {
                let status = self.router(name.first().copied());
                assert_eq!(status.priority.effective.to_string(), *number, "{step}");
            }
            ["count", name, number] => {
                assert_eq!(self.counter(name).to_string(), *number, "{step}\n{}", self.trace());
            }
            _ => panic!("`{step}` is no step"),
        }
    }

    /// Lets time pass, and wakes the node when it wants to be woken.
    pub fn run(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((at, _)) = self.node.deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    fn reload(&mut self) {
        let config = config_of(&self.text);
        self.feed(Input::Configure(Arc::new(config)));
    }

    fn tell_link(&mut self, name: &str) {
        let (interface, up) = self.links[name];
        let (multicast, no_arp) = (true, false);
        let link =
            Link { interface, name: name.into(), up, running: up, multicast, no_arp, mtu: 1500, mac: None };
        self.feed(Input::Kernel(KernelNotice::Link(link)));
    }

    fn address(&mut self, there: bool, address: &str, name: &str) {
        let (on, address): (Interface, ipnet::IpNet) = (self.links[name].0, address.parse().unwrap());
        if !there {
            self.held.remove(&address.addr().to_string());
        }
        self.feed(Input::Kernel(if there {
            KernelNotice::Address { on, address, marked: false, tentative: false }
        } else {
            KernelNotice::AddressGone { on, address }
        }));
    }

    fn answer(&mut self, name: &str, answer: Answer) {
        self.checks.insert(name.to_owned(), answer);
        if answer != Answer::Hangs {
            for (check, ticket) in std::mem::take(&mut self.hanging) {
                self.check(check, ticket);
            }
        }
    }

    fn check(&mut self, check: CheckId, ticket: Ticket) {
        let config = self.node.config().checks[&check].clone();
        let answer = self.checks.get(&*config.name).copied().unwrap_or(Answer::Good);
        let (passed, code, status) = match (answer, &*config.probe) {
            (Answer::Hangs, _) => return self.hanging.push((check, ticket)),
            (Answer::Number(number), _) => {
                (number == Some(0), CheckCode::WatchGood, number.map(i32::cast_unsigned))
            }
            (_, Probe::Watch(watch)) => match &**watch {
                Watch::File(_) => (true, CheckCode::WatchGood, Some(0)),
                Watch::Process(_) => (answer == Answer::Good, CheckCode::WatchGood, Some(1)),
            },
            (_, _) => (answer == Answer::Good, CheckCode::ScriptExit, Some(u32::from(answer == Answer::Bad))),
        };
        let outcome = Outcome { passed, code, status, info: String::new(), took: Duration::ZERO };
        self.feed(Input::Checked { check, ticket, outcome });
    }

    /// Feeds an input, and answers everything that follows from it.
    pub fn feed(&mut self, input: Input<'_>) {
        self.node.handle(self.now, input);
        while let Some(action) = self.node.poll() {
            self.note(&action);
            match action {
                Action::Address { ticket, .. }
                | Action::Receive { ticket, .. }
                | Action::Script { ticket, .. } => {
                    self.feed(Input::Done { ticket, result: Ok(()) });
                }
                Action::Check { check, ticket, .. } => self.check(check, ticket),
                _ => {}
            }
        }
    }

    fn note(&mut self, action: &Action) {
        let line = match action {
            Action::Advertise { payload, .. } if self.muted && payload[2] != 0 => return,
            Action::Advertise { to, payload, .. } => {
                let peer = if to.is_multicast() { String::new() } else { format!(" > {to}") };
                format!("A {}{peer}{}", payload[2], self.name_of(payload[1], *to))
            }
            Action::Address { own, address, .. } => {
                let address = address.addr().to_string();
                let new = if *own { self.held.insert(address.clone()) } else { self.held.remove(&address) };
                match (own, new) {
                    (true, true) => format!("+{address}"),
                    (false, _) => format!("-{address}"),
                    (true, false) => return, // its lease is renewed
                }
            }
            Action::Announce { address, .. } => format!("G {address}"),
            Action::Script { argv, .. } => format!("run {}", argv.join(" ")),
            Action::Tell { line } => format!("fifo {}", line.trim_end()),
            Action::Event(event) => match self.words(event) {
                Some(words) => words,
                None => return,
            },
            _ => return,
        };
        self.trace.push((self.now, line));
    }

    fn words(&self, event: &Event) -> Option<String> {
        let several = self.node.config().instances.len() > 1;
        let behind = |name: &str| if several { format!(" {name}") } else { String::new() };
        Some(match event {
            Event::Role { name, to, .. } => format!("{}{}", to.as_str(), behind(name)),
            Event::GroupRole { name, to } => format!("group {name} {}", to.as_str()),
            Event::Rejected { from, error, .. } => format!("drop {from} {}", error.as_str()),
            Event::Odd { from, what, .. } => format!("odd {from} {what}"),
            Event::AddressLost { address, .. } => format!("lost {address}"),
            Event::Refused { what, .. } => format!("refused {what}"),
            _ => return None,
        })
    }

    /// The name of the router of an advertisement, when there are several.
    fn name_of(&self, vrid: u8, to: IpAddr) -> String {
        let instances = &self.node.config().instances;
        let mut named = instances.values().filter(|i| i.router.vrid == vrid);
        let fits = |i: &&Arc<standfast_core::config::model::InstanceConfig>| {
            (i.router.family == standfast_core::config::model::Family::V4) == to.is_ipv4()
        };
        match named.find(fits) {
            Some(one) if instances.len() > 1 => format!(" {}", one.name),
            _ => String::new(),
        }
    }

    fn hear(&mut self, words: &[&str]) {
        let packet = packet::Packet::read(self.node.config(), words);
        let on = self.links[&packet.on].0;
        let (from, to, hops) = (packet.from, packet.to, packet.hops);
        self.feed(Input::Packet { on, from, to, hops, payload: Cow::Borrowed(&packet.payload) });
    }

    /// How a router stands; the first one without a name.
    pub fn router(&self, name: Option<&str>) -> RouterStatus {
        let mut all = self.node.status().routers.into_iter();
        all.find(|router| name.is_none_or(|name| *router.name == *name)).unwrap()
    }

    /// A counter of the first router by its name, a dropped packet by the name of its reason, or a stray of the node.
    pub fn counter(&self, name: &str) -> u64 {
        let counters = self.router(None).counters;
        let table = serde_json::to_value(&counters).unwrap();
        let own = table.get(name).and_then(serde_json::Value::as_u64);
        let strays = self.node.status().strays;
        own.or(counters.rejected.get(name).copied()).or(strays.get(name).copied()).unwrap_or(0)
    }

    /// All counters that are not zero, in words.
    pub fn counters(&self) -> String {
        let counters = self.router(None).counters;
        let table = serde_json::to_value(&counters).unwrap();
        let own = table.as_object().unwrap().iter();
        let own = own.filter_map(|(name, count)| count.as_u64().map(|count| (name.clone(), count)));
        let all = own.chain(counters.rejected).chain(self.node.status().strays);
        let words: BTreeSet<String> =
            all.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect();
        words.into_iter().collect::<Vec<_>>().join(" ")
    }

    fn since(&self, at: Time) -> String {
        let past = at.since(BOOT);
        format!("{}.{:03}", past.as_secs(), past.subsec_millis())
    }

    /// What was done since the start or the last `clear`, a line each, with announcements of one moment together.
    pub fn trace(&self) -> String {
        let mut lines: Vec<(String, usize)> = Vec::new();
        for (at, words) in &self.trace {
            let line = format!("{} {words}", self.since(*at));
            match lines.last_mut() {
                Some((last, count)) if *last == line && words.starts_with('G') => *count += 1,
                _ => lines.push((line, 1)),
            }
        }
        let shown = lines.into_iter().map(|(line, n)| if n > 1 { format!("{line} x{n}") } else { line });
        shown.collect::<Vec<_>>().join("\n")
    }

    /// The role of the first router.
    pub fn role(&self) -> Role {
        self.router(None).role
    }
}

/// Seconds with up to nine decimals.
pub fn seconds(text: &str) -> Duration {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let nanos: u32 = format!("{part:0<9}").parse().unwrap();
    Duration::new(whole.parse().unwrap(), nanos)
}

/// One row of a table: what it is about, the instance's keywords (or a whole file), the story, the trace.
pub type Row = (&'static str, &'static str, &'static str, &'static str);

/// Tells every row's story to a node of its own and compares the trace; all rows that differ are shown.
pub fn play(rows: &[Row]) {
    let mut wrong = Vec::new();
    for (title, text, story, wanted) in rows {
        let text = if text.contains("vrrp_instance") { (*text).to_owned() } else { conf(text) };
        let found = Stage::told(&text, story);
        let lines =
            |text: &str| text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n");
        if found != lines(wanted) {
            wrong.push(format!("== {title}\n-- wanted\n{}\n-- found\n{found}", lines(wanted)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
