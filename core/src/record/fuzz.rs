//! The body of the fuzz target of recordings.
//!
//! A fuzzer never finds a right checksum, so that it is given the frames only: this puts a header, a segment and
//! checksums around them, and reads what comes of it, whole nodes included. Nothing is replayed: that a recording is
//! whole is what its checksums say, and a node that was made up may break every rule.

use super::layout::{HEAD, Head, Header, MIN_SEGMENT, SCHEMA, end_mark, frame_crc};
use super::read::{Frame, Item, Recording};
use super::{decode, encode};
use crate::node::Node;
use alloc::string::String;
use alloc::vec::Vec;

/// The sequence number of the one segment.
const SEQUENCE: u64 = 1;

/// Reads `bytes` as a recording, and as frames of one, each behind its length in two octets.
///
/// # Panics
/// When a whole frame is taken for a damaged one.
pub fn fuzz_recording(bytes: &[u8]) {
    if let Ok(recording) = Recording::open(bytes) {
        recording.items().for_each(drop);
    }
    let mut segment = Vec::from(Head { sequence: SEQUENCE, wall: 1, time: 1 }.emit());
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len()).max(1);
        let Some((body, after)) = after.split_at_checked(length) else { break };
        encode::varint(length as u64, &mut segment);
        segment.extend_from_slice(body);
        segment.extend_from_slice(&frame_crc(SEQUENCE, body).to_le_bytes());
        rest = after;
    }
    let place = segment.len();
    segment.extend_from_slice(&end_mark(SEQUENCE, place));
    segment.resize(segment.len().max(MIN_SEGMENT.max(HEAD)), 0);
    let header = Header {
        program: String::new(),
        schema: String::from(SCHEMA),
        host: String::new(),
        pid: 1,
        segments: 1,
        segment: u32::try_from(segment.len()).unwrap_or(u32::MAX),
    };
    let Ok(mut whole) = header.emit() else { return };
    whole.resize(header.begins(0), 0);
    whole.extend_from_slice(&segment);
    let recording = Recording::open(&whole).expect("header and segment are as they should be");
    for item in recording.items() {
        if let Item::Entry(entry) = item
            && let Frame::Node(node) = entry.frame
        {
            let _ = decode::decode::<Node>(node);
        }
    }
}
