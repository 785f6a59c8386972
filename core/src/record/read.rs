//! Reads a recording: untrusted bytes, perhaps cut, perhaps damaged, perhaps still being written.
//!
//! Segments are taken in the order in which they were written. Where a frame is damaged, the rest of its segment
//! cannot be found; reading goes on with the next segment, which begins with a whole node. Every damage is an
//! [`Item`] with its place, never a panic, and never a silent end.

use super::decode::{DecodeError, decode, error, varint};
use super::layout::{
    AGAIN, CRC, END, FINISH, HASHED, HEAD, Head, Header, INPUT, MAX_REMEMBERED, NODE, START, VERSION,
    end_mark, frame_crc,
};
use crate::config::model::Config;
use crate::input::Input;
use crate::rng::Seed;
use crate::time::Time;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Why nothing of a recording can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is something else.
    NotARecording,
    /// Its header is damaged.
    Header,
    /// It has this version of the format, not ours.
    Version(u16),
    /// It was made by another build of this version of standfast, with other types.
    Build(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::NotARecording => f.write_str("this is not a flight recording of standfast"),
            Unreadable::Header => f.write_str("its header is damaged (byte 0), so that nothing can be read"),
            Unreadable::Version(version) => write!(
                f,
                "it has version {version} of the format, this program reads version {VERSION}; replay it with the \
                 standfast that made it"
            ),
            Unreadable::Build(program) => write!(
                f,
                "it was made by another build (standfast {program}), whose data this one would misread; replay it \
                 with the standfast that made it"
            ),
        }
    }
}

impl core::error::Error for Unreadable {}

/// A point in time, on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// On the node's clock.
    pub time: Time,
    /// In nanoseconds since 1970.
    pub wall: u64,
}

/// Something that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// At which byte of the file.
    pub offset: usize,
    /// After which moment, if that is known.
    pub after: Option<Moment>,
    /// What is wrong.
    pub what: &'static str,
}

/// What a frame holds.
#[derive(Clone, Debug)]
pub enum Frame<'a> {
    /// A node starts.
    Start {
        /// With this configuration.
        config: Arc<Config>,
        /// And this randomness.
        seed: Seed,
    },
    /// A whole node, encoded.
    Node(&'a [u8]),
    /// An input.
    Input(Input<'static>),
    /// The node was given up.
    Finish,
}

/// One frame.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// At which byte of the file.
    pub offset: usize,
    /// When.
    pub at: Moment,
    /// The hash of the actions polled before it, if there were any.
    pub polled: Option<u32>,
    /// What it holds.
    pub frame: Frame<'a>,
}

/// What reading a recording gives.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A frame.
    Entry(Entry<'a>),
    /// A place that cannot be read; what follows begins with a node.
    Damage(Damage),
}

/// A recording, opened.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    bytes: &'a [u8],
    header: Header,
    segments: VecDeque<(u32, Head)>,
    broken: Vec<Damage>,
}

impl<'a> Recording<'a> {
    /// Looks at the header and the heads of the segments.
    ///
    /// # Errors
    /// When the bytes are no recording that this version can read.
    pub fn open(bytes: &'a [u8]) -> Result<Recording<'a>, Unreadable> {
        let header = Header::parse(bytes)?;
        let (mut segments, mut broken) = (Vec::new(), Vec::new());
        for index in 0..header.segments {
            let offset = header.begins(index);
            let Some(head) = bytes.get(offset..offset + HEAD) else { break };
            match Head::parse(head) {
                Some(head) => segments.push((index, head)),
                None if head.iter().all(|byte| *byte == 0) => {}
                None => broken.push(Damage { offset, after: None, what: "the head of a segment is damaged" }),
            }
        }
        segments.sort_by_key(|(_, head)| head.sequence);
        Ok(Recording { bytes, header, segments: segments.into(), broken })
    }

    /// What it says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The moments at which its segments begin, oldest first.
    pub fn begins(&self) -> impl Iterator<Item = Moment> {
        self.segments.iter().map(|(_, head)| Moment { time: Time(head.time), wall: head.wall })
    }

    /// Everything in it, oldest first.
    #[must_use]
    pub fn items(&self) -> Items<'a> {
        let missing = self.header.length() > self.bytes.len();
        let cut = Damage { offset: self.bytes.len(), after: None, what: "the file is cut off" };
        Items {
            bytes: self.bytes,
            header: self.header.clone(),
            segments: self.segments.clone(),
            broken: self.broken.clone().into(),
            cut: missing.then_some(cut),
            cursor: None,
            sequence: None,
        }
    }
}

/// Reads frame by frame.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    bytes: &'a [u8],
    header: Header,
    segments: VecDeque<(u32, Head)>,
    broken: VecDeque<Damage>,
    cut: Option<Damage>,
    cursor: Option<Cursor<'a>>,
    /// Of the segment before.
    sequence: Option<u64>,
}

#[derive(Clone, Debug)]
struct Cursor<'a> {
    head: Head,
    /// Where the segment begins in the file.
    begins: usize,
    bytes: &'a [u8],
    place: usize,
    time: Time,
    known: Vec<&'a [u8]>,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            if let Some(cursor) = &mut self.cursor {
                match cursor.next() {
                    Some(Ok(entry)) => return Some(Item::Entry(entry)),
                    None => self.cursor = None,
                    Some(Err(what)) => {
                        let (offset, after) = (cursor.begins + cursor.place, Some(cursor.moment()));
                        self.cursor = None;
                        return Some(Item::Damage(Damage { offset, after, what }));
                    }
                }
            }
            let Some((index, head)) = self.segments.front().copied() else {
                return self.broken.pop_front().or_else(|| self.cut.take()).map(Item::Damage);
            };
            let begins = self.header.begins(index);
            let follows = self.sequence.is_none_or(|before| before.checked_add(1) == Some(head.sequence));
            self.sequence = Some(head.sequence);
            if !follows {
                self.sequence = head.sequence.checked_sub(1); // said once
                let gap =
                    Damage { offset: begins, after: None, what: "a segment before this one is missing" };
                return Some(Item::Damage(self.broken.pop_front().unwrap_or(gap)));
            }
            self.segments.pop_front();
            let ends = begins.saturating_add(self.header.segment as usize).min(self.bytes.len());
            let bytes = self.bytes.get(begins..ends).unwrap_or_default();
            let time = Time(head.time);
            self.cursor = Some(Cursor { head, begins, bytes, place: HEAD, time, known: Vec::new() });
        }
    }
}

impl<'a> Cursor<'a> {
    fn moment(&self) -> Moment {
        let wall = self.head.wall.saturating_add(self.time.0.saturating_sub(self.head.time));
        Moment { time: self.time, wall }
    }

    /// The next frame; `None` at the end of the segment.
    fn next(&mut self) -> Option<Result<Entry<'a>, &'static str>> {
        let rest = self.bytes.get(self.place..).unwrap_or_default();
        let Some(first) = rest.first() else { return Some(Err("the file is cut off")) };
        if *first == 0 {
            let mark = end_mark(self.head.sequence, self.place);
            let is_end = rest.get(..END) == Some(&mark);
            return if is_end { None } else { Some(Err("a frame is damaged, or was being written")) };
        }
        let offset = self.begins + self.place;
        let Some(body) = self.body(rest) else { return Some(Err("a frame is damaged")) };
        // What has a right checksum and does not decode was written by another build of the same version.
        let frame = self.entry(offset, body);
        Some(frame.map_err(|_| "a frame is sound, but this build of standfast does not understand it"))
    }

    /// The body of the frame, if its checksum is right; moves behind the frame.
    fn body(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let mut tail = rest;
        let length = usize::try_from(varint(&mut tail).ok()?).ok()?;
        let (body, tail) = tail.split_at_checked(length)?;
        let crc = u32::from_le_bytes(*tail.first_chunk()?);
        if crc != frame_crc(self.head.sequence, body) {
            return None;
        }
        self.place += rest.len() - tail.len() + CRC;
        Some(body)
    }

    fn entry(&mut self, offset: usize, body: &'a [u8]) -> Result<Entry<'a>, DecodeError> {
        let short = || error("a frame is too short");
        let (kind, mut rest) = body.split_first().ok_or_else(short)?;
        let mut polled = None;
        if kind & HASHED != 0 {
            let (hash, tail) = rest.split_first_chunk().ok_or_else(short)?;
            polled = Some(u32::from_le_bytes(*hash));
            rest = tail;
        }
        let frame = match kind & !HASHED {
            START => {
                let ((seed, now), config) = decode::<((Seed, Time), Arc<Config>)>(rest)?;
                self.time = now;
                Frame::Start { config, seed }
            }
            NODE => Frame::Node(rest),
            FINISH => Frame::Finish,
            kind @ (INPUT | AGAIN) => {
                self.time = Time(self.time.0.saturating_add(varint(&mut rest)?));
                if kind == AGAIN {
                    let nth = usize::try_from(varint(&mut rest)?).map_err(|_| short())?;
                    rest = self.known.get(nth).copied().ok_or_else(short)?;
                }
                let input = decode(rest)?;
                let is_packet = matches!(input, Input::Packet { .. } | Input::Bfd { .. });
                if kind == INPUT && is_packet && self.known.len() < MAX_REMEMBERED {
                    self.known.push(rest);
                }
                Frame::Input(input)
            }
            _ => return Err(error("a frame of an unknown kind")),
        };
        Ok(Entry { offset, at: self.moment(), polled, frame })
    }
}
