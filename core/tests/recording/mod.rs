//! A small node with a password, driven by hand and recorded.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use standfast_core::action::Action;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::Config;
use standfast_core::config::source::MemorySource;
use standfast_core::id::Interface;
use standfast_core::input::{CheckCode, Input, KernelNotice, Link, Outcome};
use standfast_core::node::Node;
use standfast_core::record::{Key, Recording, Replay, Start, Step, Writer};
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PASSWORD: &[u8] = b"s3cretpw";
pub(crate) const TOKEN: &str = "Bearer hush-hush";
/// `AUTH hush` as a check of Redis holds it.
pub(crate) const SPOKEN: &[u8] = b"415554482068757368";
pub(crate) const KEY: Key = Key::new(11, 22);
pub(crate) const SMALL: usize = standfast_core::record::MIN_BYTES * 2;

/// The password guards an advertisement, a token and a login a check each.
const KEEPALIVED: &str = "vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 101
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass s3cretpw
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
}";
const HAPROXY: &str = "defaults
    mode tcp
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend f
    bind 192.0.2.100:6443
    default_backend b
backend b
    option httpchk
    http-check send meth GET uri /healthz hdr authorization \"Bearer hush-hush\"
    server s1 192.0.2.11:6443 check inter 500ms
backend redis
    option tcp-check
    tcp-check send \"AUTH hush\\r\\n\"
    tcp-check expect string +OK
    server r1 192.0.2.12:6379 check inter 500ms
";

pub(crate) fn config() -> Arc<Config> {
    let mut source = MemorySource::with("k.conf", KEEPALIVED.as_bytes());
    source.files.insert("h.cfg".into(), HAPROXY.as_bytes().to_vec());
    let files = [(Language::Keepalived, "k.conf"), (Language::Haproxy, "h.cfg")];
    let loaded = load(&files, &source, None, &Options::default());
    Arc::new(loaded.config.expect("the files are right"))
}

/// A node with everything around it that answers at once, and its recording.
pub(crate) struct Flight {
    pub(crate) node: Node,
    pub(crate) memory: Vec<u8>,
    pub(crate) writer: Writer,
    pub(crate) now: Time,
    /// Everything it has asked for.
    pub(crate) asked: Vec<Action>,
    pub(crate) fed: u64,
}

impl Flight {
    pub(crate) fn start(bytes: usize) -> Flight {
        let (config, now, seed) = (config(), Time::from_millis(5_000), Seed(7));
        let mut memory = vec![0; bytes];
        let start = Start {
            config: &config,
            seed,
            now,
            wall: 1_000_000_000,
            program: "test".into(),
            host: "n1".into(),
            pid: 42,
        };
        let writer = Writer::begin(&mut memory, KEY, start).expect("there is room");
        let node = Node::new(config, seed, now);
        let mut flight = Flight { node, memory, writer, now, asked: Vec::new(), fed: 0 };
        flight.react();
        let link = Link {
            interface: Interface(2),
            name: "eth0".into(),
            up: true,
            running: true,
            multicast: true,
            no_arp: false,
            mtu: 1500,
            mac: Some([2, 0, 0, 0, 0, 1]),
        };
        let address = "192.0.2.1/24".parse().unwrap();
        for notice in [
            KernelNotice::ResyncBegin,
            KernelNotice::Link(link),
            KernelNotice::Address { on: Interface(2), address, marked: false, tentative: false },
            KernelNotice::ResyncEnd,
        ] {
            flight.feed(Input::Kernel(notice));
        }
        flight
    }

    pub(crate) fn feed(&mut self, input: Input<'_>) {
        let wall = || self.now.0 + 1;
        self.writer
            .input(&mut self.memory, (self.now, wall), &self.node, &input)
            .expect("the node fits its segments");
        self.node.handle(self.now, input);
        self.fed += 1;
        self.react();
    }

    fn react(&mut self) {
        let mut answers = Vec::new();
        while let Some(action) = self.node.poll() {
            self.writer.action(&action).expect("actions can be encoded");
            match &action {
                Action::Address { ticket, .. }
                | Action::Item { ticket, .. }
                | Action::Receive { ticket, .. }
                | Action::Listen { ticket, .. } => {
                    answers.push(Input::Done { ticket: *ticket, result: Ok(()) });
                }
                Action::Check { check, ticket, .. } => {
                    let outcome = Outcome {
                        passed: true,
                        code: CheckCode::L7Ok,
                        status: Some(200),
                        info: String::new(),
                        took: Duration::from_millis(1),
                    };
                    answers.push(Input::Checked { check: *check, ticket: *ticket, outcome });
                }
                Action::Advertise { .. }
                | Action::Bfd { .. }
                | Action::BfdSend { .. }
                | Action::Announce { .. }
                | Action::Cancel { .. }
                | Action::Script { .. }
                | Action::Publish { .. }
                | Action::Event(_)
                | Action::Tell { .. }
                | Action::Stopped => {}
            }
            self.asked.push(action);
        }
        for answer in answers {
            self.feed(answer);
        }
    }

    /// Lets `by` pass, and hears what it last advertised from another router every 300 ms.
    pub(crate) fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        let mut next_packet = self.now;
        loop {
            let due = self.node.deadline().map_or(end, |(at, _)| at).min(next_packet);
            if due > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(due);
            if due == next_packet {
                next_packet = next_packet + Duration::from_millis(300);
                if let Some(payload) = self.advertised() {
                    let (from, to) = ("192.0.2.2".parse().unwrap(), "224.0.0.18".parse().unwrap());
                    self.feed(Input::Packet {
                        on: Interface(2),
                        from,
                        to,
                        hops: 254,
                        payload: Cow::Owned(payload),
                    });
                    continue;
                }
            }
            self.feed(Input::Tick);
        }
    }

    fn advertised(&self) -> Option<Vec<u8>> {
        self.asked.iter().rev().find_map(|action| {
            if let Action::Advertise { payload, .. } = action { Some(payload.clone()) } else { None }
        })
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.writer.finish(&mut self.memory);
        self.memory
    }
}

/// What came of replaying `bytes`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) fed: u64,
    pub(crate) begins: u64,
    pub(crate) differences: u64,
    pub(crate) damages: Vec<usize>,
    pub(crate) finished: bool,
}

pub(crate) fn replay(bytes: &[u8]) -> Result<Told, standfast_core::record::Unreadable> {
    let recording = Recording::open(bytes)?;
    let mut replay = Replay::new(&recording);
    let mut told = Told::default();
    while let Some(step) = replay.step() {
        match step {
            Step::Begins { .. } => told.begins += 1,
            Step::Fed { .. } => told.fed += 1,
            Step::Differs(_) => told.differences += 1,
            Step::Damaged(damage) => told.damages.push(damage.offset),
            Step::Finished { .. } => told.finished = true,
        }
    }
    Ok(told)
}
