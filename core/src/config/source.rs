//! What a configuration language may ask of the world, so that the parsers stay pure: files, globs, scripts, the
//! environment, the host's name.

use alloc::string::String;
use alloc::vec::Vec;

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There is none.
    Missing,
    /// It is a directory, a device, or executable where it must not be; the reason in words.
    NotRegular(String),
    /// Larger than [`MAX_FILE`].
    TooLarge,
    /// The host refused; the reason in words.
    Refused(String),
}

/// How a command of the configuration stands on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptState {
    /// It can be run.
    Runnable,
    /// There is no such file.
    Missing,
    /// It is there but may not be executed.
    NotExecutable,
    /// Somebody other than root could change it (`enable_script_security`); who, in words.
    Insecure(String),
    /// This host cannot tell (a check on another machine).
    Unknown,
}

/// The largest configuration file, in bytes: 16 MiB.
pub const MAX_FILE: usize = 16 * 1024 * 1024;

/// The world as a configuration language sees it.
pub trait Source {
    /// The bytes of `path`, at most [`MAX_FILE`].
    ///
    /// # Errors
    /// What stood in the way.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;
    /// The paths that match the glob `pattern`, sorted; a pattern without wildcards matches itself if it exists.
    fn glob(&self, pattern: &str) -> Vec<String>;
    /// How the command at `path` stands.
    fn script(&self, path: &str) -> ScriptState;
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// The host's name, uncut.
    fn host(&self) -> String;
    /// Does the account `user` exist? `None` when this host cannot tell.
    fn user(&self, user: &str) -> Option<bool>;
    /// The addresses of a host name, as text; empty when it cannot be resolved.
    fn resolve(&self, name: &str) -> Vec<core::net::IpAddr>;
}
