//! `track_file` and `track_process`, from keepalived.conf to priority and FAULT (2.10).
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test")]

use standfast_core::action::Action;
use standfast_core::config::load::{Language, Loaded, Options, load};
use standfast_core::config::model::Probe;
use standfast_core::config::source::MemorySource;
use standfast_core::config::watch::{EVERY, Watch};
use standfast_core::event::Role;
use standfast_core::id::Interface;
use standfast_core::input::{CheckCode, Input, KernelNotice, Link, Outcome};
use standfast_core::node::Node;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use std::sync::Arc;
use std::time::Duration;

fn read(before: &str, inside: &str) -> Loaded {
    let body = "interface eth0\nvirtual_router_id 7\npriority 100\nvirtual_ipaddress {\n192.0.2.100/24\n}";
    let text = format!("{before}\nvrrp_instance V {{\n{body}\n{inside}\n}}\n");
    let source = MemorySource::with("k", text.as_bytes());
    load(&[(Language::Keepalived, "k")], &source, None, &Options::default())
}

/// A node and what its host says: the number in the file, or how many of the process run.
struct Bench {
    node: Node,
    now: Time,
    says: i32,
}

impl Bench {
    fn new(before: &str, inside: &str, says: i32) -> Bench {
        let loaded = read(before, inside);
        let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings.list()));
        let now = Time::from_millis(1000);
        let mut bench = Bench { node: Node::new(Arc::new(config), Seed(1), now), now, says };
        let link = Link {
            interface: Interface(2),
            name: "eth0".into(),
            up: true,
            running: true,
            multicast: true,
            no_arp: false,
            mtu: 1500,
            mac: None,
        };
        let address = "192.0.2.10/24".parse().unwrap();
        let ours = KernelNotice::Address { on: Interface(2), address, marked: false, tentative: false };
        for notice in [KernelNotice::ResyncBegin, KernelNotice::Link(link), ours, KernelNotice::ResyncEnd] {
            bench.feed(Input::Kernel(notice));
        }
        bench.looks(1);
        bench
    }

    fn feed(&mut self, input: Input<'_>) {
        self.node.handle(self.now, input);
        while let Some(action) = self.node.poll() {
            match action {
                Action::Address { ticket, .. } | Action::Receive { ticket, .. } => {
                    self.feed(Input::Done { ticket, result: Ok(()) });
                }
                Action::Check { check, ticket, probe, .. } => {
                    let Probe::Watch(watch) = &*probe else { panic!("{probe:?} is no look") };
                    let passed = match &**watch {
                        Watch::File(_) => self.says == 0,
                        Watch::Process(wanted) => wanted.enough(self.says.cast_unsigned()),
                    };
                    let code = if passed { CheckCode::WatchGood } else { CheckCode::WatchBad };
                    let status = Some(self.says.cast_unsigned());
                    let outcome = Outcome { passed, code, status, info: String::new(), took: Duration::ZERO };
                    self.feed(Input::Checked { check, ticket, outcome });
                }
                _ => {}
            }
        }
    }

    /// So many looks from now on.
    fn looks(&mut self, count: u32) {
        let end = self.now + EVERY * count;
        while let Some((at, _)) = self.node.deadline().filter(|(at, _)| *at < end) {
            self.now = self.now.max(at);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    fn say(&mut self, says: i32) {
        self.says = says;
        self.looks(1);
    }

    fn stands(&self) -> (u8, bool) {
        let status = self.node.status();
        (status.routers[0].priority.effective, status.routers[0].role == Role::Fault)
    }
}

const FILE: &str = "track_file f {\nfile /run/f\n}";

#[test]
fn the_number_of_a_file_counts_as_often_as_its_weight_says() {
    let mut bench = Bench::new(FILE, "track_file {\nf weight 2\n}", 0);
    assert_eq!(bench.stands(), (100, false));
    for (says, priority) in [(5, 110), (-5, 90), (6, 112), (7, 114), (1000, 254), (0, 100)] {
        bench.say(says);
        assert_eq!(bench.stands(), (priority, false), "{says}");
    }
}

#[test]
fn a_file_counts_once_unless_told_otherwise_and_backwards_in_reverse() {
    let mut plain = Bench::new(FILE, "track_file {\nf\n}", 5);
    assert_eq!(plain.stands(), (105, false));
    plain.say(-5);
    assert_eq!(plain.stands(), (95, false));
    assert_eq!(Bench::new(FILE, "track_file {\nf weight 3 reverse\n}", 5).stands(), (85, false));
}

#[test]
fn a_file_asks_for_a_fault_by_a_product_of_minus_254_or_without_weight_by_any_number() {
    let mut bench = Bench::new(FILE, "track_file {\nf\n}", -253);
    assert_eq!(bench.stands(), (1, false));
    bench.say(-254);
    assert!(bench.stands().1);
    bench.say(3);
    assert_eq!(bench.stands(), (103, false));
    let mut bare = Bench::new(FILE, "track_file {\nf weight 0\n}", 0);
    assert!(!bare.stands().1);
    bare.say(1);
    assert!(bare.stands().1);
    assert_eq!(bare.node.status().routers[0].faults, ["file f says so"]);
}

#[test]
fn a_process_without_weight_is_a_fault_while_it_does_not_run() {
    let process = "vrrp_track_process p {\nprocess nginx\nquorum 2\n}";
    let mut bench = Bench::new(process, "track_process {\np\n}", 2);
    assert!(!bench.stands().1);
    bench.say(1);
    assert!(bench.stands().1);
    assert_eq!(bench.node.status().routers[0].faults, ["process p does not run as it should"]);
    bench.say(3);
    assert!(!bench.stands().1);
}

#[test]
fn a_process_with_weight_moves_the_priority_and_must_not_run_under_quorum_max_0() {
    let process = "vrrp_track_process p {\nprocess nginx\nweight 10\nquorum_max 0\n}";
    let mut bench = Bench::new(process, "track_process {\np\n}", 0);
    assert_eq!(bench.stands(), (110, false));
    bench.say(1);
    assert_eq!(bench.stands(), (100, false));
}

#[test]
fn the_delays_of_a_process_are_waited_out() {
    let process = "vrrp_track_process p {\nprocess nginx\nweight -20\nfork_delay 1\nterminate_delay 0.5\n}";
    let mut bench = Bench::new(process, "track_process {\np\n}", 1);
    bench.say(0);
    assert_eq!(bench.stands(), (100, false), "gone for less than half a second");
    bench.looks(1);
    assert_eq!(bench.stands(), (80, false));
    bench.say(1);
    bench.looks(1);
    assert_eq!(bench.stands(), (80, false), "back for less than a second");
    bench.looks(1);
    assert_eq!(bench.stands(), (100, false));
}

#[test]
fn in_a_sync_group_a_file_without_a_weight_is_a_fault() {
    let other =
        "vrrp_instance W {\ninterface eth0\nvirtual_router_id 8\nvirtual_ipaddress {\n192.0.2.101/24\n}\n}";
    let before = format!("{FILE}\n{other}\nvrrp_sync_group G {{\ngroup {{\nV\nW\n}}\n}}");
    let loaded = read(&before, "track_file {\nf\n}");
    let config = loaded.config.unwrap();
    let router = config.instances.values().find(|router| &*router.name == "V").unwrap();
    assert_eq!(router.trackers.last().map(|tracker| tracker.weight), Some(0));
}

#[test]
fn what_cannot_be_meant_is_an_error() {
    for (before, inside) in [
        ("track_file f {\nweight 2\n}", "track_file {\nf\n}"),
        ("vrrp_track_process p {\nweight 2\n}", "track_process {\np\n}"),
        ("vrrp_track_process p {\nprocess x\nquorum 6\nquorum_max 5\n}", "track_process {\np\n}"),
        ("vrrp_track_process p {\nprocess x\nquorum 65536\n}", "track_process {\np\n}"),
        ("vrrp_track_process p {\nprocess x\nparam_match some\n}", "track_process {\np\n}"),
        (FILE, "track_file {\ng\n}"),
        (FILE, "track_process {\nf\n}"),
        (FILE, "track_file {\nf weight 255\n}"),
    ] {
        assert!(read(before, inside).findings.errors() > 0, "{before}\n{inside}");
    }
    let many: String = (0..=1024).map(|n| format!("track_file f{n} {{\nfile /run/f\n}}\n")).collect();
    assert_eq!(read(&many, "").findings.errors(), 1, "one more than the limit");
}
