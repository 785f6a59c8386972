//! What recording costs: 250 virtual routers with 100 ms advertisements, as backup and as active router.
//!
//! Feeds the same inputs to a node with and without a recorder in a mapped file, and prints nanoseconds per input and
//! the share of one core that recording takes at that rate. `cargo bench -p standfast-io`.
#![allow(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]
#![allow(clippy::float_arithmetic, reason = "only printed")]

use standfast_core::action::Action;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::Config;
use standfast_core::config::source::MemorySource;
use standfast_core::id::Interface;
use standfast_core::input::{Input, KernelNotice, Link};
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::clock::{BootClock, Clock as _};
use standfast_io::driver::Observer as _;
use standfast_io::recorder::{DEFAULT_BYTES, Mapped, Tape, create, wall_clock};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

const ROUTERS: u32 = 250;
const EVERY: Duration = Duration::from_millis(100);
const LASTS: Duration = Duration::from_secs(20);
const ROUNDS: usize = 5;

fn config(priority: u8) -> Arc<Config> {
    let mut text = "global_defs {\n vrrp_version 3\n}\n".to_owned();
    for n in 1..=ROUTERS {
        let _ = write!(
            text,
            "vrrp_instance VI_{n} {{\n interface eth0\n virtual_router_id {n}\n priority {priority}\n advert_int 0.1\n \
             virtual_ipaddress {{\n 198.51.100.{n}/24\n }}\n}}\n"
        );
    }
    let source = MemorySource::with("k", text.as_bytes());
    let loaded = load(&[(Language::Keepalived, "k")], &source, None, &Options::default());
    let Some(config) = loaded.config else { panic!("{:?}", loaded.findings.list().first()) };
    Arc::new(config)
}

struct Bench {
    node: Node,
    tape: Option<Tape<Mapped>>,
    now: Time,
    inputs: u64,
    adverts: Vec<Vec<u8>>,
}

impl Bench {
    fn new(priority: u8, tape: Option<Tape<Mapped>>) -> Bench {
        let (config, now) = (config(priority), Time::from_millis(1));
        let node = Node::new(config.clone(), Seed(1), now);
        let mut bench = Bench { node, tape, now, inputs: 0, adverts: Vec::new() };
        if let Some(tape) = &mut bench.tape {
            tape.start(&config, Seed(1), now);
        }
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
        bench.feed(Input::Kernel(KernelNotice::ResyncBegin));
        bench.feed(Input::Kernel(KernelNotice::Link(link)));
        bench.feed(Input::Kernel(KernelNotice::Address {
            on: Interface(2),
            address,
            marked: false,
            tentative: false,
        }));
        bench.feed(Input::Kernel(KernelNotice::ResyncEnd));
        bench
    }

    fn feed(&mut self, input: Input<'_>) {
        self.inputs += 1;
        if let Some(tape) = &mut self.tape {
            tape.input(self.now, &self.node, &input);
        }
        self.node.handle(self.now, input);
        let mut done = Vec::new();
        while let Some(action) = self.node.poll() {
            if let Some(tape) = &mut self.tape {
                tape.action(self.now, self.node.config(), &action);
            }
            match action {
                Action::Advertise { payload, .. } if self.adverts.len() < ROUTERS as usize => {
                    self.adverts.push(payload)
                }
                Action::Address { ticket, .. } | Action::Receive { ticket, .. } => done.push(ticket),
                Action::Advertise { .. }
                | Action::Bfd { .. }
                | Action::BfdSend { .. }
                | Action::Item { .. }
                | Action::Announce { .. }
                | Action::Check { .. }
                | Action::Cancel { .. }
                | Action::Script { .. }
                | Action::Listen { .. }
                | Action::Publish { .. }
                | Action::Tell { .. }
                | Action::Event(_)
                | Action::Stopped => {}
            }
        }
        for ticket in done {
            self.feed(Input::Done { ticket, result: Ok(()) });
        }
    }

    /// Ticks until `end`.
    fn active(&mut self, end: Time) {
        while let Some((at, _)) = self.node.deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    /// Hears every router of `adverts` once per interval until `end`.
    fn backup(&mut self, adverts: &[Vec<u8>], end: Time) {
        let (from, to) = ("192.0.2.2".parse().unwrap(), "224.0.0.18".parse().unwrap());
        while self.now < end {
            let gap = EVERY / ROUTERS;
            for advert in adverts {
                self.now = self.now + gap;
                let payload = Cow::Borrowed(&**advert);
                self.feed(Input::Packet { on: Interface(2), from, to, hops: 255, payload });
            }
        }
    }
}

/// Nanoseconds per input and inputs per second of node time.
fn measure(recorded: bool, adverts: Option<&[Vec<u8>]>) -> (f64, f64) {
    let file = std::env::temp_dir().join(format!("standfast-bench-{}.rec", std::process::id()));
    let tape = recorded.then(|| {
        let (memory, key) = create(&file, DEFAULT_BYTES).unwrap();
        Tape::new(memory, key, wall_clock)
    });
    let mut bench = Bench::new(if adverts.is_some() { 100 } else { 200 }, tape);
    if adverts.is_none() {
        bench.active(bench.now + Duration::from_secs(2)); // until it is active
    }
    let (inputs, began) = (bench.inputs, BootClock.now());
    let end = bench.now + LASTS;
    match adverts {
        Some(adverts) => bench.backup(adverts, end),
        None => bench.active(end),
    }
    let took = BootClock.now().since(began);
    let inputs = (bench.inputs - inputs) as f64;
    drop(bench);
    let _ = std::fs::remove_file(&file);
    (took.as_nanos() as f64 / inputs, inputs / LASTS.as_secs_f64())
}

fn main() {
    let mut active = Bench::new(255, None);
    active.active(active.now + Duration::from_secs(2));
    let adverts = active.adverts;
    assert_eq!(adverts.len(), ROUTERS as usize, "the routers advertise");
    for (name, heard) in [("active", None), ("backup", Some(&*adverts))] {
        let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
            .map(|_| {
                let (without, rate) = measure(false, heard);
                let (with, _) = measure(true, heard);
                (with - without, without, rate)
            })
            .collect();
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (cost, node, rate) = rounds[ROUNDS / 2];
        println!(
            "{name}: recording {cost:.0} ns per input (median of {ROUNDS}, {:.0} to {:.0}), the node itself {node:.0} ns; \
             {rate:.0} inputs/s: {:.2} % of one core",
            rounds[0].0,
            rounds[ROUNDS - 1].0,
            cost * rate / 1e7
        );
    }
}
