//! The flight recorder's format: what went into a node, kept so that the same decisions can be made again.
//!
//! A recording is a header and a ring of segments. A segment begins with a node (as it started, or as it stood) and
//! goes on with inputs, each with its time; every frame also carries the hash of the actions polled before it.
//! Everything in here is pure: [`Writer`] fills memory that it is given, [`Recording`] reads untrusted bytes without
//! ever panicking, [`Replay`] feeds them to a node. Who maps files and reads clocks is `standfast-io`.
//!
//! Passwords never get into a recording: [`mod@encode`] replaces them by keyed fingerprints (`redact`), consistently, so
//! that a replay decides alike; action hashes are taken over the redacted action. Script arguments are kept.

mod check;
mod decode;
mod encode;
mod fuzz;
mod layout;
mod outside;
mod read;
mod redact;
mod replay;
mod write;

pub use check::{Hash, crc32c};
pub use decode::{DecodeError, decode};
pub use encode::{EncodeError, encode};
pub use fuzz::fuzz_recording;
pub use layout::{Header, MIN_BYTES, VERSION};
pub use outside::Outside;
pub use read::{Damage, Entry, Frame, Item, Items, Moment, Recording, Unreadable};
pub use redact::Key;
pub use replay::{Difference, Replay, Step};
pub use write::{Full, Start, Writer};
