//! Fills a ring of segments, one frame per input, in memory that is somebody else's.
//!
//! A frame counts from the moment its first octet is written, which is last: whoever reads the memory after a crash,
//! or while it is written, finds whole frames. The oldest segment makes room when the newest is full; a node that
//! does not fit a segment ends the recording instead of destroying it.

use super::check::Hash;
use super::encode::{EncodeError, encode, varint};
use super::layout::{
    AGAIN, CRC, END, FINISH, HASHED, HEAD, HEADER_BYTES, Head, Header, INPUT, MAX_REMEMBERED, MAX_SEGMENTS,
    MIN_BYTES, MIN_SEGMENT, NODE, NODES_PER_SEGMENT, SCHEMA, START, end_mark, frame_crc,
};
use super::redact::Key;
use crate::action::Action;
use crate::config::model::Config;
use crate::input::Input;
use crate::node::Node;
use crate::rng::Seed;
use crate::time::Time;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{Ordering, compiler_fence};

/// Room kept for the last frame of all.
const FINISH_ROOM: usize = 32;

/// Why a recording cannot begin or go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node needs more room than a segment has; both in bytes.
    Segment {
        /// Needed.
        needed: usize,
        /// There.
        room: usize,
    },
    /// The memory is smaller than [`MIN_BYTES`].
    Memory,
    /// Something cannot be encoded.
    Encode(EncodeError),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Full::Segment { needed, room } => {
                write!(f, "a copy of this node takes {needed} bytes, a segment of the recording has {room}")
            }
            Full::Memory => write!(f, "a recording takes at least {MIN_BYTES} bytes"),
            Full::Encode(error) => write!(f, "cannot be encoded: {error}"),
        }
    }
}

impl core::error::Error for Full {}

impl From<EncodeError> for Full {
    fn from(error: EncodeError) -> Full {
        Full::Encode(error)
    }
}

/// What a node was started with, and by whom.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Its configuration.
    pub config: &'a Config,
    /// Its randomness.
    pub seed: Seed,
    /// When, on its own clock.
    pub now: Time,
    /// When, in nanoseconds since 1970.
    pub wall: u64,
    /// Version of the program.
    pub program: String,
    /// Name of the host.
    pub host: String,
    /// Process.
    pub pid: u32,
}

/// Writes one recording.
#[derive(Debug)]
pub struct Writer {
    header: Header,
    key: Key,
    /// The newest segment: its place in the ring and its head.
    segment: u32,
    head: Head,
    /// Where its next frame goes.
    place: usize,
    last: Time,
    /// Of the actions polled since the last frame, if there were any.
    polled: Option<Hash>,
    /// Packets of this segment, and the how manieth each was.
    known: BTreeMap<Vec<u8>, u64>,
    body: Vec<u8>,
    scratch: Vec<u8>,
}

impl Writer {
    /// Begins a recording in `memory`, whose old content is lost.
    ///
    /// # Errors
    /// When `memory` is too small for the configuration.
    pub fn begin(memory: &mut [u8], key: Key, start: Start<'_>) -> Result<Writer, Full> {
        if memory.len() < MIN_BYTES {
            return Err(Full::Memory);
        }
        let mut body = alloc::vec![START];
        encode(&(start.seed, start.now), None, &mut body)?;
        encode(start.config, Some(&key), &mut body)?;
        let room = memory.len() - HEADER_BYTES;
        let least = (body.len() * NODES_PER_SEGMENT).max(MIN_SEGMENT);
        let segments = (room / least).clamp(2, MAX_SEGMENTS);
        let header = Header {
            program: start.program,
            schema: SCHEMA.into(),
            host: start.host,
            pid: start.pid,
            segments: u32::try_from(segments).unwrap_or(u32::MAX),
            segment: u32::try_from(room / segments).unwrap_or(u32::MAX),
        };
        let head = Head { sequence: 0, wall: start.wall, time: start.now.0 };
        let mut writer = Writer {
            segment: header.segments - 1,
            header,
            key,
            head,
            place: 0,
            last: start.now,
            polled: None,
            known: BTreeMap::new(),
            body,
            scratch: Vec::new(),
        };
        let header = writer.header.emit()?;
        for index in 0..writer.header.segments {
            let begins = writer.header.begins(index);
            write_at(memory, begins, &[0; HEAD]);
        }
        write_at(memory, 0, &header);
        writer.turn(memory, start.wall, start.now)?;
        Ok(writer)
    }

    /// `input` is about to be handled by `node` at `now`; `wall` is asked when a segment begins.
    ///
    /// # Errors
    /// When the node has grown too large for a segment; the recording then ends with what it has.
    pub fn input(
        &mut self,
        memory: &mut [u8],
        (now, wall): (Time, impl FnOnce() -> u64),
        node: &Node,
        input: &Input<'_>,
    ) -> Result<(), Full> {
        self.input_frame(now, input)?;
        if !self.put(memory, FINISH_ROOM) {
            self.kind(NODE);
            encode(node, Some(&self.key), &mut self.body)?;
            self.turn(memory, wall(), now)?;
            self.polled = None;
            self.input_frame(now, input)?;
            if !self.put(memory, FINISH_ROOM) {
                return Err(Full::Segment { needed: self.body.len(), room: self.header.segment as usize });
            }
        }
        self.polled = None;
        self.last = self.last.max(now);
        Ok(())
    }

    /// The node has asked for `action`.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn action(&mut self, action: &Action) -> Result<(), Full> {
        self.scratch.clear();
        encode(action, Some(&self.key), &mut self.scratch)?;
        self.polled.get_or_insert_default().bytes(&self.scratch);
        Ok(())
    }

    /// The node is given up, after its actions were polled.
    pub fn finish(&mut self, memory: &mut [u8]) {
        self.kind(FINISH);
        self.put(memory, 0);
        self.polled = None;
    }

    /// What the recording says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Begins a frame of this kind.
    fn kind(&mut self, kind: u8) {
        self.body.clear();
        match self.polled {
            None => self.body.push(kind),
            Some(hash) => {
                self.body.push(kind | HASHED);
                self.body.extend_from_slice(&hash.folded().to_le_bytes());
            }
        }
    }

    fn input_frame(&mut self, now: Time, input: &Input<'_>) -> Result<(), Full> {
        self.scratch.clear();
        encode(input, Some(&self.key), &mut self.scratch)?;
        let later = now.0.saturating_sub(self.last.0);
        if let Input::Packet { .. } | Input::Bfd { .. } = input {
            if let Some(nth) = self.known.get(&self.scratch).copied() {
                self.kind(AGAIN);
                varint(later, &mut self.body);
                varint(nth, &mut self.body);
                return Ok(());
            }
            if self.known.len() < MAX_REMEMBERED {
                self.known.insert(self.scratch.clone(), self.known.len() as u64);
            }
        }
        self.kind(INPUT);
        varint(later, &mut self.body);
        self.body.extend_from_slice(&self.scratch);
        Ok(())
    }

    /// Puts the frame behind the others, if it fits with `spare` left; true when it does.
    fn put(&mut self, memory: &mut [u8], spare: usize) -> bool {
        self.scratch.clear();
        varint(self.body.len() as u64, &mut self.scratch);
        let length = self.scratch.len();
        let end = self.place + length + self.body.len() + CRC;
        if end + END + spare > self.header.segment as usize {
            return false;
        }
        let begins = self.header.begins(self.segment) + self.place;
        let crc = frame_crc(self.head.sequence, &self.body).to_le_bytes();
        write_at(memory, begins + length, &self.body);
        write_at(memory, begins + length + self.body.len(), &crc);
        let mark = end_mark(self.head.sequence, end);
        write_at(memory, begins + length + self.body.len() + CRC, &mark);
        write_at(memory, begins + 1, self.scratch.get(1..).unwrap_or_default());
        compiler_fence(Ordering::Release);
        write_at(memory, begins, self.scratch.get(..1).unwrap_or_default());
        self.place = end;
        true
    }

    /// Goes on in the next segment, which begins with the frame at hand.
    fn turn(&mut self, memory: &mut [u8], wall: u64, now: Time) -> Result<(), Full> {
        let (needed, room) = (self.body.len() * 2, self.header.segment as usize - HEAD);
        if needed + 64 > room {
            return Err(Full::Segment { needed, room });
        }
        self.segment = (self.segment + 1) % self.header.segments;
        self.head = Head { sequence: self.head.sequence + 1, wall, time: now.0 };
        self.place = HEAD;
        self.last = now;
        self.known.clear();
        let begins = self.header.begins(self.segment);
        write_at(memory, begins, &[0; HEAD]);
        compiler_fence(Ordering::Release);
        self.put(memory, 0);
        compiler_fence(Ordering::Release);
        write_at(memory, begins, &self.head.emit());
        Ok(())
    }
}

fn write_at(memory: &mut [u8], place: usize, bytes: &[u8]) {
    if let Some(room) = memory.get_mut(place..place.saturating_add(bytes.len())) {
        room.copy_from_slice(bytes);
    }
}
