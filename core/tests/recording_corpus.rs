//! The fuzz target of recordings, replayed: corpus, cuts of it, and frames of a flight as it was.

mod recording;

use recording::{Flight, SMALL};
use standfast_core::record::fuzz_recording;
use std::path::Path;
use std::time::Duration;

#[test]
fn no_recording_of_the_corpus_breaks_the_reader() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/recording");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus is in the repository") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a corpus file");
        for end in (0..=bytes.len()).step_by(1 + bytes.len() / 64) {
            fuzz_recording(&bytes[..end]);
        }
        fuzz_recording(&bytes);
        read += 1;
    }
    assert!(read >= 8, "{read}");
}

#[test]
fn the_frames_of_a_flight_with_any_octet_changed_do_not_break_the_reader() {
    let mut flight = Flight::start(SMALL);
    flight.pass(Duration::from_secs(1));
    let frames = frames(&flight.finish());
    assert!(frames.len() > 5);
    for frame in &frames {
        for at in 0..frame.len().min(200) {
            for to in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] = to;
                fuzz_recording(&with_length(&changed));
            }
        }
    }
}

/// The bodies of the frames of the first segment.
fn frames(whole: &[u8]) -> Vec<Vec<u8>> {
    let (mut frames, mut at) = (Vec::new(), 4096 + 32);
    loop {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = usize::from(whole[at]);
            at += 1;
            length |= (byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        if length == 0 {
            return frames;
        }
        frames.push(whole[at..at + length].to_vec());
        at += length + 4;
    }
}

fn with_length(frame: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(frame.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    bytes
}
