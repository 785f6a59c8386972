//! Where things are in a recording: a header, then segments of equal length, each with a head and frames.
//!
//! All fixed numbers are little-endian. Header: magic (8), version (2), length of the encoded [`Header`] (2), the
//! same, CRC-32C of all that. Head of a segment: magic (4), sequence number (8), wall clock and node time where it
//! begins (8 each, nanoseconds), CRC-32C. Frame: length of the body as LEB128, body, CRC-32C of the sequence number
//! and the body, so that what an earlier lap left behind is never taken for a frame of this one. Where the last
//! frame ends stands a zero and a CRC-32C of sequence number and place: an end that a damaged length cannot feign.

use super::check::crc32c;
use super::decode::decode;
use super::encode::{EncodeError, encode};
use super::read::Unreadable;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The version of the format; a reader takes no other.
pub const VERSION: u16 = 1;
/// Fingerprint of the types that a recording holds, made by the build.
pub(super) const SCHEMA: &str = env!("STANDFAST_SCHEMA");
/// The smallest recording that makes sense, in bytes.
pub const MIN_BYTES: usize = HEADER_BYTES + 2 * MIN_SEGMENT;

/// Room for the header.
pub(super) const HEADER_BYTES: usize = 4096;
/// The shortest segment.
pub(super) const MIN_SEGMENT: usize = 4096;
/// The most segments of a ring: the share of it that is lost when it wraps is one of them.
pub(super) const MAX_SEGMENTS: usize = 16;
/// A segment holds its first node at least so many times, or copies of the node would be most of the ring.
pub(super) const NODES_PER_SEGMENT: usize = 8;
/// Octets of a segment's head.
pub(super) const HEAD: usize = 32;
/// Octets of the mark after the last frame.
pub(super) const END: usize = 5;
/// Octets of a frame's checksum.
pub(super) const CRC: usize = 4;

const MAGIC: &[u8; 8] = b"stdfast\x1a";
const SEGMENT_MAGIC: &[u8; 4] = b"SEG\x1a";
/// Octets before the encoded header: magic, version, length.
const PREFIX: usize = 12;

/// What a recording says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the program that made it.
    pub program: String,
    /// Fingerprint of the types that its build had.
    pub schema: String,
    /// Name of the host.
    pub host: String,
    /// Process that made it.
    pub pid: u32,
    /// Segments of the ring.
    pub segments: u32,
    /// Octets of each segment.
    pub segment: u32,
}

impl Header {
    /// The whole length of the recording, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        (self.segment as usize).saturating_mul(self.segments as usize).saturating_add(HEADER_BYTES)
    }

    /// Where the segment `index` begins.
    pub(super) fn begins(&self, index: u32) -> usize {
        (self.segment as usize).saturating_mul(index as usize).saturating_add(HEADER_BYTES)
    }

    /// The octets of the header.
    pub(super) fn emit(&self) -> Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        encode(self, None, &mut body)?;
        let mut bytes = Vec::with_capacity(PREFIX + body.len() + CRC);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&crc32c(0, &bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads a header, total on untrusted bytes.
    pub(super) fn parse(bytes: &[u8]) -> Result<Header, Unreadable> {
        if bytes.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(Unreadable::NotARecording);
        }
        let field = |at: usize| bytes.get(at..at + 2).and_then(|b| b.first_chunk().copied());
        let (version, length) = field(8).zip(field(10)).ok_or(Unreadable::Header)?;
        let end = PREFIX + usize::from(u16::from_le_bytes(length));
        let whole = bytes.get(..end).ok_or(Unreadable::Header)?;
        let crc = bytes.get(end..end + CRC).and_then(|b| b.first_chunk().copied());
        if crc.map(u32::from_le_bytes) != Some(crc32c(0, whole)) {
            return Err(Unreadable::Header);
        }
        let version = u16::from_le_bytes(version);
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let header: Header =
            decode(whole.get(PREFIX..).unwrap_or_default()).map_err(|_| Unreadable::Header)?;
        let sane = (1..=MAX_SEGMENTS).contains(&(header.segments as usize))
            && header.segment as usize >= MIN_SEGMENT;
        if !sane {
            return Err(Unreadable::Header);
        }
        if header.schema == SCHEMA { Ok(header) } else { Err(Unreadable::Build(header.program)) }
    }
}

/// The head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Counts up from 1 over the whole recording.
    pub(super) sequence: u64,
    /// Nanoseconds since 1970 where it begins.
    pub(super) wall: u64,
    /// The node's time then.
    pub(super) time: u64,
}

impl Head {
    pub(super) fn emit(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let numbers = [self.sequence, self.wall, self.time].map(u64::to_le_bytes);
        let octets = SEGMENT_MAGIC.iter().chain(numbers.iter().flatten());
        bytes.iter_mut().zip(octets).for_each(|(at, octet)| *at = *octet);
        let crc = crc32c(0, bytes.get(..HEAD - CRC).unwrap_or_default()).to_le_bytes();
        bytes.iter_mut().skip(HEAD - CRC).zip(crc).for_each(|(at, octet)| *at = octet);
        bytes
    }

    /// `None` when the bytes are not a head.
    pub(super) fn parse(bytes: &[u8]) -> Option<Head> {
        let bytes: &[u8; HEAD] = bytes.first_chunk()?;
        let number =
            |at: usize| bytes.get(at..).and_then(|b| b.first_chunk()).map(|b| u64::from_le_bytes(*b));
        let head = Head { sequence: number(4)?, wall: number(12)?, time: number(20)? };
        (head.emit() == *bytes).then_some(head)
    }
}

/// The checksum of a frame.
pub(super) fn frame_crc(sequence: u64, body: &[u8]) -> u32 {
    crc32c(crc32c(0, &sequence.to_le_bytes()), body)
}

/// The mark after the last frame, which ends at `place` in its segment.
pub(super) fn end_mark(sequence: u64, place: usize) -> [u8; END] {
    let [a, b, c, d] = crc32c(frame_crc(sequence, b"end"), &(place as u64).to_le_bytes()).to_le_bytes();
    [0, a, b, c, d]
}

/// Kinds of frames.
pub(super) const START: u8 = 1;
/// A node as it stands.
pub(super) const NODE: u8 = 2;
/// An input.
pub(super) const INPUT: u8 = 3;
/// The recorder was told that the node has ended.
pub(super) const FINISH: u8 = 4;
/// A packet that this segment has had before.
pub(super) const AGAIN: u8 = 5;
/// Flag of a kind: the hash of the actions polled before follows.
pub(super) const HASHED: u8 = 0x80;
/// Packets that a segment remembers, so that the next one like it takes a few bytes.
pub(super) const MAX_REMEMBERED: usize = 1024;
