//! `replay` and `record save` on recordings that are sound, damaged, of another version, or of another node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::MemorySource;
use standfast_core::id::Interface;
use standfast_core::input::{Input, KernelNotice, Link};
use standfast_core::node::Node;
use standfast_core::record::Key;
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use standfast_io::driver::Observer as _;
use standfast_io::recorder::Tape;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 52
    priority 101
    virtual_ipaddress {
        192.0.2.100/24
    }
}";

/// A node that becomes master and stops; `secretly` it is told to stop by nobody.
fn recording(secretly: bool) -> Vec<u8> {
    let source = MemorySource::with("k", FILE.as_bytes());
    let config = load(&[(Language::Keepalived, "k")], &source, None, &Options::default()).config.unwrap();
    let (config, mut now) = (Arc::new(config), Time::from_millis(1_000));
    let mut tape = Tape::new(vec![0; 1 << 20], Key::new(1, 2), || 1_800_000_000_000_000_000);
    tape.start(&config, Seed(1), now);
    let mut node = Node::new(config, Seed(1), now);
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
    let feed =
        |tape: &mut Tape<Vec<u8>>, node: &mut Node, now: Time, input: Input<'static>, recorded: bool| {
            if recorded {
                tape.input(now, node, &input);
            }
            node.handle(now, input);
            while let Some(action) = node.poll() {
                tape.action(now, node.config(), &action);
            }
        };
    for notice in [
        KernelNotice::ResyncBegin,
        KernelNotice::Link(link),
        KernelNotice::Address { on: Interface(2), address, marked: false, tentative: false },
        KernelNotice::ResyncEnd,
    ] {
        feed(&mut tape, &mut node, now, Input::Kernel(notice), true);
    }
    while now < Time::from_millis(20_000) {
        now = node.deadline().map_or(now, |(at, _)| at.max(now)) + Duration::from_millis(1);
        feed(&mut tape, &mut node, now, Input::Tick, true);
    }
    feed(&mut tape, &mut node, now, Input::Stop, !secretly);
    for _ in 0..5 {
        now = now + Duration::from_millis(500);
        feed(&mut tape, &mut node, now, Input::Tick, true);
    }
    tape.finish();
    tape.bytes().to_vec()
}

struct Case(PathBuf);

impl Case {
    fn new(name: &str, bytes: &[u8]) -> Case {
        let folder = std::env::temp_dir().join(format!("standfast-replay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("flight.rec"), bytes).unwrap();
        Case(folder)
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } =
            Command::new(env!("CARGO_BIN_EXE_standfast")).args(args).current_dir(&self.0).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_sound_recording_is_told_in_the_words_of_the_log_and_ends_with_0() {
    let case = Case::new("sound", &recording(false));
    let (code, out, err) = case.run(&["replay", "flight.rec", "--svg", "picture.svg"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for words in
        ["The node starts", "(VI_1) Entering BACKUP STATE", "(VI_1) Entering MASTER STATE", "Stopping"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert!(out.ends_with("every action as recorded. The daemon stopped there.\n"), "{out}");
    let picture = std::fs::read_to_string(case.0.join("picture.svg")).unwrap();
    assert!(picture.contains("(VI_1)") && picture.contains(">MASTER<"), "{picture}");
}

#[test]
fn until_stops_the_story_and_nonsense_for_it_is_a_usage_error() {
    let case = Case::new("until", &recording(false));
    let (code, out, _) = case.run(&["replay", "flight.rec", "--until", "2s"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("BACKUP STATE") && !out.contains("MASTER STATE"), "{out}");
    let (code, _, err) = case.run(&["replay", "flight.rec", "--until", "noon"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("09:04:05"), "{err}");
}

#[test]
fn a_flipped_bit_is_named_with_its_place_and_ends_with_1() {
    let mut bytes = recording(false);
    bytes[4_700] ^= 4;
    let (code, out, err) = Case::new("flip", &bytes).run(&["replay", "flight.rec"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("The node starts"), "{out}");
    assert!(err.contains("byte 46") || err.contains("byte 4700"), "{err}");
    assert!(err.contains("damaged"), "{err}");
}

#[test]
fn a_cut_recording_a_foreign_file_and_no_file_are_said_and_end_with_1() {
    let bytes = recording(false);
    let (code, _, err) = Case::new("cut", &bytes[..5_000]).run(&["replay", "flight.rec"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("cut off") && err.contains("byte 5000"), "{err}");
    let case = Case::new("foreign", b"hello");
    let (code, _, err) = case.run(&["replay", "flight.rec"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("not a flight recording"), "{err}");
    let (code, _, err) = case.run(&["replay", "missing.rec"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("missing.rec: cannot be read"), "{err}");
}

#[test]
fn a_node_that_did_something_else_is_named_with_the_moment() {
    let (code, out, err) = Case::new("other", &recording(true)).run(&["replay", "flight.rec"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(err.contains("was recorded, after the input at"), "{err}");
}

#[test]
fn json_says_the_same_for_machines() {
    let (code, out, _) = Case::new("json", &recording(false)).run(&["replay", "flight.rec", "--json"]);
    assert_eq!(code, Some(0));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["same"], &json["finished"]), (&true.into(), &true.into()));
    let story = json["story"].as_array().unwrap();
    assert!(story.iter().any(|line| line["event"]["Role"]["to"] == "Master"), "{out}");
}

#[test]
fn a_dead_daemons_recording_is_saved_from_its_file() {
    let case = Case::new("save", &recording(false));
    let (code, out, err) = case.run(&["record", "save", "--from", "flight.rec"]);
    assert_eq!(code, Some(0), "{err}");
    let (code, ..) = case.run(&["replay", out.trim()]);
    assert_eq!(code, Some(0), "{out}");
    let (code, _, err) = case.run(&["record", "save", "--from", "nowhere.rec"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("--from"), "{err}");
}
