//! The file of the flight recorder: made, given all its room at once, mapped.
//!
//! The recording of the run before is kept beside it as `.1`. A file that another process records to is left alone.
//! All blocks are allocated before the first byte is written, since a store to a mapped page that finds the disk
//! full ends the process.

use standfast_core::record::Key;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How large a recording is unless told otherwise.
pub const DEFAULT_BYTES: usize = 64 << 20;
/// Where it is unless systemd names a state directory.
pub const DEFAULT_PATH: &str = "/var/lib/standfast/flight.rec";

/// The recorder's file in memory. The file stays locked as long as this lives.
#[derive(Debug)]
pub struct Mapped {
    map: memmap2::MmapMut,
    _locked: File,
}

impl Deref for Mapped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl DerefMut for Mapped {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

/// Why there is no recording.
#[derive(Debug)]
pub enum CreateError {
    /// Another process records to the file.
    InUse,
    /// The host does not let us.
    Host(io::Error),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CreateError::InUse => f.write_str("another standfast records to it"),
            CreateError::Host(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CreateError {}

impl From<io::Error> for CreateError {
    fn from(error: io::Error) -> CreateError {
        CreateError::Host(error)
    }
}

/// The path when none is given: in systemd's state directory, else [`DEFAULT_PATH`].
#[must_use]
pub fn default_path() -> PathBuf {
    match std::env::var_os("STATE_DIRECTORY") {
        // systemd separates several by colons; the first is the service's own.
        Some(folders) if !folders.is_empty() => {
            let first = std::env::split_paths(&folders).next().unwrap_or_default();
            first.join("flight.rec")
        }
        Some(_) | None => PathBuf::from(DEFAULT_PATH),
    }
}

/// Makes the file at `path`, `bytes` long, readable by its owner only, and draws the key that hides secrets in it.
/// An older file is renamed to `path` with `.1` appended.
///
/// # Errors
/// When another process records to it, its folder cannot be made, or the disk has no room.
pub fn create(path: &Path, bytes: usize) -> Result<(Mapped, Key), CreateError> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match File::open(path) {
        Ok(old) => {
            match old.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(CreateError::InUse),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            std::fs::rename(path, previous(path))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    let made = allocate(&file, bytes).and_then(|()| map(&file, bytes)).and_then(|map| Ok((map, key()?)));
    match made {
        Ok((map, key)) => {
            file.lock()?;
            Ok((Mapped { map, _locked: file }, key))
        }
        Err(error) => {
            let _ = std::fs::remove_file(path); // half a file is worth nothing
            Err(error.into())
        }
    }
}

/// Where the recording of the run before is kept.
pub(super) fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

#[expect(unsafe_code, reason = "std has no fallocate")]
fn allocate(file: &File, bytes: usize) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open for the length of the call; no memory is passed.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[expect(unsafe_code, reason = "a mapping of a file is memory that others could change")]
fn map(file: &File, bytes: usize) -> io::Result<memmap2::MmapMut> {
    // SAFETY: the file was made by us a moment ago, is readable by its owner only, has all its blocks, and is not
    // truncated by us; we write bytes and read none back, so that another writer could only spoil the recording.
    unsafe { memmap2::MmapOptions::new().len(bytes).map_mut(file) }
}

fn key() -> io::Result<Key> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let number = u128::from_le_bytes(bytes);
    let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(number >> 64).unwrap_or_default();
    Ok(Key::new(low, high))
}
