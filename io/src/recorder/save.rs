//! Copies a recording, also one that is being written to, without asking the daemon.
//!
//! Frames are only ever added, and count from the moment their first octet is written, so that a copy is sound unless
//! a segment turned or a frame was in the making while it was taken. Then it is taken again: the copy is read through,
//! and whatever is damaged after several tries was damaged in the file. It works for a daemon that lives, hangs, or
//! has died; the daemon itself calls it from a thread of its own.

use standfast_core::record::{Item, Recording, Unreadable};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// How often a copy is taken before damage is believed.
const TRIES: u32 = 5;

/// A saved recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: usize,
    /// Inputs in it.
    pub inputs: u64,
    /// Some of it is damaged.
    pub damaged: bool,
}

/// Why a recording was not saved.
#[derive(Debug)]
pub enum SaveError {
    /// It cannot be read.
    From(PathBuf, io::Error),
    /// It is no recording.
    Unreadable(PathBuf, Unreadable),
    /// The copy cannot be written.
    To(PathBuf, io::Error),
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::From(path, error) => write!(f, "{}: cannot be read: {error}", path.display()),
            SaveError::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            SaveError::To(path, error) => write!(f, "{}: cannot be written: {error}", path.display()),
        }
    }
}

impl std::error::Error for SaveError {}

/// Copies the recording at `from` to `to`, which must not exist.
///
/// # Errors
/// When one cannot be read or the other not be written.
pub fn save(from: &Path, to: &Path) -> Result<Saved, SaveError> {
    let mut taken = take(from)?;
    for _ in 1..TRIES {
        if !taken.2 {
            break;
        }
        taken = take(from)?;
    }
    let (bytes, inputs, damaged) = taken;
    let failed = |error| SaveError::To(to.to_owned(), error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(Saved { path: to.to_owned(), bytes: bytes.len(), inputs, damaged })
}

/// A copy, the inputs in it, and whether something of it is damaged.
fn take(from: &Path) -> Result<(Vec<u8>, u64, bool), SaveError> {
    let bytes = std::fs::read(from).map_err(|error| SaveError::From(from.to_owned(), error))?;
    let recording = Recording::open(&bytes).map_err(|error| SaveError::Unreadable(from.to_owned(), error))?;
    let (mut inputs, mut damaged) = (0, false);
    for item in recording.items() {
        match item {
            Item::Entry(_) => inputs += 1,
            Item::Damage(_) => damaged = true,
        }
    }
    Ok((bytes, inputs, damaged))
}

/// Where a copy of `path` goes unless told otherwise: beside it, with the time in its name.
#[must_use]
pub fn dated(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut to = path.with_file_name(format!("{stem}-{}.rec", crate::log::file_stamp()));
    let mut nth = 1;
    while to.exists() {
        nth += 1;
        to = path.with_file_name(format!("{stem}-{}-{nth}.rec", crate::log::file_stamp()));
    }
    to
}
