//! What a configuration language may ask of the world, so that the parsers stay pure: files, globs, scripts, the
//! environment, the host's name.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

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
    /// Does the group `group` exist? `None` when this host cannot tell.
    fn group(&self, group: &str) -> Option<bool> {
        let _ = group;
        None
    }
    /// `path` from the root of the file system, where this host has one.
    fn absolute(&self, path: &str) -> String {
        path.to_string()
    }
    /// The addresses of a host name, as text; empty when it cannot be resolved.
    fn resolve(&self, name: &str) -> Vec<IpAddr>;
}

/// A world that is a few tables: for tests, fuzzing, and files of another machine.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    /// Path and content.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Commands and how they stand; one that is not listed is [`ScriptState::Unknown`].
    pub scripts: BTreeMap<String, ScriptState>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// The host's name.
    pub host: String,
    /// Accounts; `None`: this host cannot tell.
    pub users: Option<Vec<String>>,
    /// Host names and their addresses.
    pub names: BTreeMap<String, Vec<IpAddr>>,
}

impl MemorySource {
    /// A world with one file.
    #[must_use]
    pub fn with(path: &str, content: &[u8]) -> MemorySource {
        let mut source = MemorySource { host: "node1".to_string(), ..MemorySource::default() };
        source.files.insert(path.to_string(), content.to_vec());
        source
    }
}

impl Source for MemorySource {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        match self.files.get(path) {
            None => Err(ReadError::Missing),
            Some(content) if content.len() > MAX_FILE => Err(ReadError::TooLarge),
            Some(content) => Ok(content.clone()),
        }
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.files.keys().filter(|path| matches_path(pattern, path)).cloned().collect()
    }

    fn script(&self, path: &str) -> ScriptState {
        self.scripts.get(path).cloned().unwrap_or(ScriptState::Unknown)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn host(&self) -> String {
        self.host.clone()
    }

    fn user(&self, user: &str) -> Option<bool> {
        self.users.as_ref().map(|known| known.iter().any(|name| name == user))
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        if let Ok(address) = name.parse() {
            return alloc::vec![address];
        }
        self.names.get(name).cloned().unwrap_or_default()
    }
}

/// Does the glob `pattern` match the whole of `path`? Component by component; a wildcard never matches `/` nor a
/// leading dot.
#[must_use]
pub fn matches_path(pattern: &str, path: &str) -> bool {
    let mut patterns = pattern.split('/');
    let mut names = path.split('/');
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(p), Some(n)) if matches_name(p, n) => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

/// Does the glob `pattern` match one file name? `*`, `?`, `[a-z]`, `[!a-z]`, and a backslash before a literal
/// character. At most the product of both lengths in steps.
#[must_use]
pub fn matches_name(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    if name.first() == Some(&'.') && pattern.first() != Some(&'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            back = Some((p + 1, n));
            p += 1;
            continue;
        }
        if let Some(next) = step(&pattern, p, name[n]) {
            p = next;
            n += 1;
            continue;
        }
        let Some((star, from)) = back else { return false };
        back = Some((star, from + 1));
        p = star;
        n = from + 1;
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on when its piece at `p` matches `c`.
fn step(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match *pattern.get(p)? {
        '?' => Some(p + 1),
        '\\' if p + 1 < pattern.len() => (pattern[p + 1] == c).then_some(p + 2),
        '[' => {
            let close = p + 2 + pattern.get(p + 2..)?.iter().position(|x| *x == ']')?;
            let set = &pattern[p + 1..close];
            let (negated, set) = match set.split_first() {
                Some(('!' | '^', rest)) => (true, rest),
                Some(_) | None => (false, set),
            };
            (in_set(set, c) != negated).then_some(close + 1)
        }
        other => (other == c).then_some(p + 1),
    }
}

/// Is `c` one of the characters and ranges of `set`?
fn in_set(set: &[char], c: char) -> bool {
    let mut i = 0;
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == '-' {
            if (set[i]..=set[i + 2]).contains(&c) {
                return true;
            }
            i += 3;
        } else {
            if set[i] == c {
                return true;
            }
            i += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_a_shell_does() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("[", "[", false),
        ] {
            assert_eq!(matches_name(pattern, name), expected, "{pattern} {name}");
        }
        assert!(matches_path("/etc/*/x.conf", "/etc/k/x.conf"));
        assert!(!matches_path("/etc/*", "/etc/k/x.conf"));
    }

    #[test]
    fn a_glob_of_many_stars_ends() {
        let name: String = "a".repeat(2000);
        assert!(!matches_name(&"*a".repeat(300), &(name + "b")));
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused() {
        let source = MemorySource::with("x", &alloc::vec![b' '; MAX_FILE + 1]);
        assert_eq!(source.read("x"), Err(ReadError::TooLarge));
        assert!(MemorySource::with("x", &alloc::vec![b' '; MAX_FILE]).read("x").is_ok());
    }
}
