//! A recording replays as it was made, also after its ring has wrapped, and holds no secret.

mod recording;

use recording::{Flight, KEY, PASSWORD, SMALL, SPOKEN, TOKEN, config, replay};
use standfast_core::input::Input;
use standfast_core::node::Node;
use standfast_core::record::{Full, MIN_BYTES, Recording, Replay, Start, Step, Writer, decode, encode};
use standfast_core::rng::Seed;
use standfast_core::time::Time;
use std::time::Duration;

fn contains(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

#[test]
fn what_was_recorded_replays_with_the_same_actions() {
    let mut flight = Flight::start(1 << 20);
    flight.pass(Duration::from_secs(60));
    flight.feed(Input::Stop);
    flight.pass(Duration::from_secs(2));
    let fed = flight.fed;
    let told = replay(&flight.finish()).unwrap();
    assert_eq!((told.fed, told.begins, told.differences, told.finished), (fed, 1, 0, true));
    assert!(told.damages.is_empty() && fed > 100);
}

#[test]
fn a_node_that_does_something_else_is_noticed_at_the_input_after_which_it_does() {
    let mut flight = Flight::start(1 << 20);
    flight.pass(Duration::from_secs(10));
    // Handled, but not recorded.
    flight.node.handle(flight.now, Input::Stop);
    flight.pass(Duration::from_secs(1));
    let told = replay(&flight.finish()).unwrap();
    assert!(told.differences > 0);
}

#[test]
fn after_the_ring_has_wrapped_the_replay_begins_with_the_oldest_segment_left() {
    let mut flight = Flight::start(SMALL);
    flight.pass(Duration::from_secs(5));
    assert_eq!(replay(&flight.memory).unwrap().fed, flight.fed, "nothing is lost before it wraps");
    let mut wrapped = false;
    for _ in 0..40 {
        flight.pass(Duration::from_secs(20));
        let told = replay(&flight.memory).unwrap();
        assert_eq!((told.differences, told.damages.len(), told.begins), (0, 0, 1), "{told:?}");
        wrapped |= told.fed < flight.fed;
        assert!(told.fed > 20, "at least one whole segment is there: {told:?}");
    }
    assert!(wrapped);
}

#[test]
fn no_secret_is_in_a_recording() {
    let mut flight = Flight::start(SMALL);
    flight.pass(Duration::from_secs(300));
    flight.feed(Input::Configure(config()));
    flight.pass(Duration::from_secs(5));
    let mut plain = Vec::new();
    encode(&flight.node, None, &mut plain).unwrap();
    assert!(
        contains(&plain, PASSWORD) && contains(&plain, TOKEN.as_bytes()) && contains(&plain, SPOKEN),
        "the test looks for the right things"
    );
    assert!(!contains(&flight.memory, PASSWORD));
    assert!(!contains(&flight.memory, TOKEN.as_bytes()));
    assert!(!contains(&flight.memory, b"hush"));
    assert!(!contains(&flight.memory, SPOKEN));
}

#[test]
fn a_node_decoded_from_its_encoding_is_encoded_the_same_and_decides_the_same() {
    let mut flight = Flight::start(1 << 20);
    flight.pass(Duration::from_secs(7));
    let mut before = Vec::new();
    encode(&flight.node, None, &mut before).unwrap();
    let mut copy: Node = decode(&before).unwrap();
    let mut after = Vec::new();
    encode(&copy, None, &mut after).unwrap();
    assert_eq!(before, after);
    for second in 1..20 {
        let at = flight.now + Duration::from_secs(second);
        copy.handle(at, Input::Tick);
        flight.node.handle(at, Input::Tick);
        loop {
            let (ours, theirs) = (copy.poll(), flight.node.poll());
            assert_eq!(ours, theirs);
            if ours.is_none() {
                break;
            }
        }
    }
}

#[test]
fn a_tick_takes_few_bytes_and_a_packet_heard_before_too() {
    let mut flight = Flight::start(1 << 20);
    flight.pass(Duration::from_secs(60));
    let (before, fed) = (used(&flight.memory), flight.fed);
    flight.pass(Duration::from_secs(600));
    let each = (used(&flight.memory) - before) / usize::try_from(flight.fed - fed).unwrap();
    assert!(each <= 20, "{each} bytes per input");
}

fn used(memory: &[u8]) -> usize {
    let segment = memory.len() / 16;
    memory.chunks(segment).map(|chunk| chunk.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)).sum()
}

#[test]
fn memory_one_byte_smaller_than_the_least_is_refused() {
    let config = config();
    let begin = |bytes: usize| {
        let start = Start {
            config: &config,
            seed: Seed(1),
            now: Time::ZERO,
            wall: 0,
            program: String::new(),
            host: String::new(),
            pid: 1,
        };
        Writer::begin(&mut vec![0; bytes], KEY, start)
    };
    assert!(begin(MIN_BYTES).is_ok());
    assert_eq!(begin(MIN_BYTES - 1).unwrap_err(), Full::Memory);
}

#[test]
fn the_moments_of_a_replay_are_those_of_the_recording() {
    let mut flight = Flight::start(SMALL);
    flight.pass(Duration::from_secs(60));
    let end = flight.now;
    let memory = flight.finish();
    let recording = Recording::open(&memory).unwrap();
    let mut replay = Replay::new(&recording);
    let mut last = Time::ZERO;
    while let Some(step) = replay.step() {
        if let Step::Fed { at, .. } = step {
            assert!(at.time >= last);
            last = at.time;
        }
    }
    assert!(end.since(last) < Duration::from_secs(1));
}

#[test]
fn one_packet_more_than_a_segment_remembers_is_written_whole_each_time() {
    let mut flight = Flight::start(8 << 20);
    let remembered = 1024;
    let before = flight.fed;
    for round in 0..2 {
        for n in 0..=remembered {
            let from = std::net::IpAddr::from(
                [198, 51, 100, 0].map(|octet: u8| octet.wrapping_add((n / 256) as u8)),
            );
            let payload = std::borrow::Cow::Owned(vec![0x31, 9, (n % 256) as u8, 0, 0, 100, 0, 0]);
            let to = "224.0.0.18".parse().unwrap();
            flight.feed(Input::Packet { on: standfast_core::id::Interface(2), from, to, hops: 255, payload });
        }
        assert_eq!(flight.fed - before, (round + 1) * (remembered + 1));
    }
    let fed = flight.fed;
    let told = replay(&flight.finish()).unwrap();
    assert_eq!((told.fed, told.differences, told.damages.len()), (fed, 0, 0));
}

#[test]
fn a_node_that_does_not_fit_a_segment_ends_the_recording_and_leaves_what_was_recorded() {
    let mut flight = Flight::start(MIN_BYTES);
    flight.pass(Duration::from_secs(2));
    let (fed, before) = (flight.fed, flight.memory.clone());
    // A configuration with a name longer than a segment.
    let mut config = (*config()).clone();
    config.node.router_id = Some("x".repeat(MIN_BYTES));
    let large = Input::Configure(std::sync::Arc::new(config));
    let result = flight.writer.input(&mut flight.memory, (flight.now, || 0), &flight.node, &large);
    assert!(matches!(result, Err(Full::Segment { .. })), "{result:?}");
    let told = replay(&flight.memory).unwrap();
    assert_eq!((told.differences, told.damages.len()), (0, 0));
    assert!(told.fed <= fed && replay(&before).unwrap().fed == fed);
}

#[test]
fn a_ring_has_no_more_segments_than_its_limit_however_large_it_is() {
    let flight = Flight::start(64 << 20);
    assert_eq!(flight.writer.header().segments, 16);
}
