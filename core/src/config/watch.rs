//! Things of the host that are looked at again and again: a file with a number in it, a process that must run.
//!
//! keepalived's `track_file` and `vrrp_track_process`. What a look means is decided here, without a file system: which
//! number a file says, which processes are meant, how many are right. A look itself is the shell's.

use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Between two looks. keepalived is told by the kernel (inotify, process events), which needs more privilege and
/// misses events under load; a look twice a second is late by half a second at most.
pub const EVERY: Duration = Duration::from_millis(500);
/// The most processes of a quorum.
pub const MAX_QUORUM: u32 = 65_535;
/// The most bytes of a file that are read for its number.
pub const MAX_NUMBER: usize = 128;
/// The kernel keeps this much of a process's name.
const NAME: usize = 15;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watch {
    /// A file whose number counts; 0 is good.
    File(WatchedFile),
    /// Processes that must run, so many of them.
    Process(WatchedProcess),
}

/// `track_file`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedFile {
    /// The file; one that is not there says 0.
    pub path: Arc<str>,
    /// `init_file`: what is written to it at the start.
    pub start: Option<FileStart>,
}

/// `init_file [VALUE] [overwrite]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStart {
    /// The number.
    pub value: i32,
    /// Also when the file is there.
    pub overwrite: bool,
}

/// `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedProcess {
    /// Program and parameters, at least the program.
    pub argv: Arc<[String]>,
    /// Compare the command line even without parameters.
    pub full_command: bool,
    /// How parameters are compared.
    pub parameters: Parameters,
    /// The fewest that must run.
    pub quorum: u32,
    /// The most that may run; `None` is any number.
    pub quorum_max: Option<u32>,
}

/// `param_match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parameters {
    /// All of them, and no others.
    #[default]
    Exact,
    /// The same number; the last one may go on.
    Initial,
    /// These first; others may follow.
    Partial,
}

impl Watch {
    /// The words of its program or its file, for a model that knows commands only.
    #[must_use]
    pub fn words(&self) -> Arc<[String]> {
        match self {
            Watch::File(file) => Arc::from([String::from(&*file.path)]),
            Watch::Process(process) => process.argv.clone(),
        }
    }
}

impl WatchedProcess {
    /// Is it the process with this short name (`/proc/PID/comm`) and this command line?
    #[must_use]
    pub fn is(&self, name: &[u8], line: &[&[u8]]) -> bool {
        let Some((program, wanted)) = self.argv.split_first() else { return false };
        if wanted.is_empty() && !self.full_command {
            let base = base(program.as_bytes());
            return name == &base[..base.len().min(NAME)];
        }
        let Some((first, given)) = line.split_first() else { return false };
        let same = |wanted: &String, given: &&[u8]| wanted.as_bytes() == *given;
        let exact = |wanted: &[String], given: &[&[u8]]| {
            wanted.len() == given.len() && wanted.iter().zip(given).all(|(w, g)| same(w, g))
        };
        let named = if program.contains('/') { *first } else { base(first) };
        named == program.as_bytes()
            && match (self.parameters, wanted.split_last(), given.split_last()) {
                (Parameters::Exact, _, _) | (Parameters::Initial, None, _) => exact(wanted, given),
                (Parameters::Partial, _, _) => {
                    given.len() >= wanted.len() && exact(wanted, &given[..wanted.len()])
                }
                (Parameters::Initial, Some(_), None) => false,
                (Parameters::Initial, Some((last, before)), Some((given_last, given_before))) => {
                    exact(before, given_before) && given_last.starts_with(last.as_bytes())
                }
            }
    }

    /// Are so many right?
    #[must_use]
    pub fn enough(&self, running: u32) -> bool {
        running >= self.quorum && self.quorum_max.is_none_or(|most| running <= most)
    }
}

/// What comes after the last slash.
fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// The number that a file says, by C's rules: `0x` is hexadecimal, a leading 0 octal; what follows the digits does
/// not count, and no digits are 0. keepalived ignores a number beyond 32 bits; here it is the nearest that fits, since
/// a look has no memory.
#[must_use]
pub fn number(text: &[u8]) -> i32 {
    let start = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(text.len());
    let text = &text[start..];
    let (negative, text) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        Some(_) | None => (false, text),
    };
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', rest @ ..] => (8, rest),
        rest => (10, rest),
    };
    let value = digits
        .iter()
        .map_while(|byte| char::from(*byte).to_digit(radix))
        .fold(0_i64, |sum, digit| sum.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit)));
    let value = if negative { value.saturating_neg() } else { value };
    i32::try_from(value).unwrap_or(if negative { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn process(line: &str, full_command: bool, parameters: Parameters) -> WatchedProcess {
        let argv = line.split(' ').map(ToString::to_string).collect();
        WatchedProcess { argv, full_command, parameters, quorum: 1, quorum_max: None }
    }

    fn is(wanted: &WatchedProcess, line: &str) -> bool {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let name = base(words[0]);
        wanted.is(&name[..name.len().min(NAME)], &words)
    }

    #[test]
    fn a_file_says_a_number_by_the_rules_of_c() {
        for (text, value) in [
            ("5\n", 5),
            (" -7 trailing", -7),
            ("0x1f", 31),
            ("010", 8),
            ("+3", 3),
            ("", 0),
            ("junk", 0),
            ("08", 0),
            ("99999999999999999999", i32::MAX),
            ("-99999999999", i32::MIN),
        ] {
            assert_eq!(number(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn a_process_without_parameters_is_known_by_its_name_alone() {
        let wanted = process("/usr/sbin/a-name-beyond-15", false, Parameters::Exact);
        assert!(is(&wanted, "/opt/a-name-beyond-15 -x"));
        assert!(!is(&wanted, "/usr/sbin/other"));
        assert!(!is(&process("nginx", true, Parameters::Exact), "nginx -g x"));
        assert!(is(&process("nginx", true, Parameters::Exact), "/usr/sbin/nginx"));
    }

    #[test]
    fn parameters_are_compared_as_param_match_says() {
        for (parameters, line, expected) in [
            (Parameters::Exact, "sshd -D -p 22", true),
            (Parameters::Exact, "sshd -D -p 22 -x", false),
            (Parameters::Exact, "sshd -D -p 221", false),
            (Parameters::Initial, "sshd -D -p 221", true),
            (Parameters::Initial, "sshd -D -p 22 -x", false),
            (Parameters::Initial, "sshd", false),
            (Parameters::Partial, "sshd -D -p 22 -x", true),
            (Parameters::Partial, "sshd -D -p 221", false),
            (Parameters::Partial, "sshd -D", false),
        ] {
            assert_eq!(
                is(&process("sshd -D -p 22", false, parameters), line),
                expected,
                "{parameters:?} {line}"
            );
        }
        assert!(!is(&process("/usr/sbin/sshd -D", false, Parameters::Exact), "/sbin/sshd -D"));
    }

    #[test]
    fn a_quorum_has_both_ends() {
        let wanted =
            WatchedProcess { quorum: 2, quorum_max: Some(3), ..process("x", false, Parameters::Exact) };
        assert_eq!([1, 2, 3, 4].map(|n| wanted.enough(n)), [false, true, true, false]);
        let none = WatchedProcess { quorum: 0, quorum_max: Some(0), ..wanted };
        assert!(none.enough(0) && !none.enough(1));
    }
}
