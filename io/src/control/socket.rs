//! The socket's file: who may have it, and what is done about one that exists.
//!
//! A socket that nobody answers at and that belongs to our own user was left behind by a killed run: it is replaced.
//! Anything else that stands in its place is not ours to remove. The file goes when the daemon stops.

use std::fmt;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Where it is unless systemd names a runtime directory.
pub const DEFAULT_PATH: &str = "/run/standfast/control.sock";

/// The path when none is given: in systemd's runtime directory, else [`DEFAULT_PATH`].
#[must_use]
pub fn default_path() -> PathBuf {
    match std::env::var_os("RUNTIME_DIRECTORY") {
        // systemd separates several by colons; the first is the service's own.
        Some(folders) if !folders.is_empty() => {
            std::env::split_paths(&folders).next().unwrap_or_default().join("control.sock")
        }
        Some(_) | None => PathBuf::from(DEFAULT_PATH),
    }
}

/// Why there is no local socket.
#[derive(Debug)]
pub enum OpenError {
    /// Another program answers there.
    Taken(PathBuf),
    /// Something that is no socket is there.
    NoSocket(PathBuf),
    /// A socket of another user is there.
    Foreign(PathBuf, u32),
    /// The host does not let us.
    Host(PathBuf, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Taken(path) => write!(
                f,
                "{}: another program answers there, perhaps another standfast; name another path by --socket FILE",
                path.display()
            ),
            OpenError::NoSocket(path) => write!(
                f,
                "{}: something that is no socket is in its place; remove it, or name another path by --socket FILE",
                path.display()
            ),
            OpenError::Foreign(path, user) => write!(
                f,
                "{}: a socket of user {user} is in its place; remove it, or name another path by --socket FILE",
                path.display()
            ),
            OpenError::Host(path, error) => write!(
                f,
                "{}: cannot be made: {error}; name another path by --socket FILE, or --socket off",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// The open socket. Its file goes with it.
#[derive(Debug)]
pub struct Control {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// The user that the daemon runs as, besides root the only one that is served.
    pub(super) user: u32,
    /// The file that we made, among all that may come to have its name.
    inode: u64,
}

impl Control {
    /// Opens the socket at `path`, for its owner only. Needs a tokio runtime with IO.
    ///
    /// # Errors
    /// When something else is there, or the host does not let us.
    pub fn open(path: &Path) -> Result<Control, OpenError> {
        let failed = |error| OpenError::Host(path.to_owned(), error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(failed)?;
        }
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                clear(path)?;
                UnixListener::bind(path).map_err(failed)?
            }
            bound => bound.map_err(failed)?,
        };
        // Until here others could have connected; they are turned away by their credentials.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let made = std::fs::symlink_metadata(path).map_err(failed)?;
        Ok(Control { listener, path: path.to_owned(), user: made.uid(), inode: made.ino() })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|now| now.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes what a killed run of ours has left at `path`.
fn clear(path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::Host(path.to_owned(), error);
    let there = std::fs::symlink_metadata(path).map_err(failed)?;
    if !there.file_type().is_socket() {
        return Err(OpenError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        Ok(_) => return Err(OpenError::Taken(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(OpenError::Taken(path.to_owned())),
        Err(error) => return Err(failed(error)),
    }
    let own = std::fs::metadata("/proc/self").map_err(failed)?.uid();
    if there.uid() != own {
        return Err(OpenError::Foreign(path.to_owned(), there.uid()));
    }
    std::fs::remove_file(path).map_err(failed)
}
