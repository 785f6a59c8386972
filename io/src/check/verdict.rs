//! From what happened on a connection to an outcome: codes, times, words.
//!
//! The words are the system's own for errors ("Connection refused", as haproxy prints them), bounded and printable.

use standfast_core::input::{CheckCode, Outcome};
use std::io;
use std::time::Duration;

/// A run that ended well.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) code: CheckCode,
    pub(super) status: Option<u32>,
    pub(super) info: String,
}

impl Passed {
    /// With nothing to add.
    pub(super) fn plain(code: CheckCode) -> Passed {
        Passed { code, status: None, info: String::new() }
    }
}

/// A run that did not end well.
#[derive(Debug)]
pub struct Failure {
    /// In which layer, and how.
    pub code: CheckCode,
    /// The protocol's own code, if it has one.
    pub status: Option<u32>,
    /// Words for the operator.
    pub info: String,
}

/// A failure with `code` and a few words.
pub(super) fn fail<T>(code: CheckCode, info: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { code, status: None, info: info.into() })
}

/// The system's words for `error`, without its number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_owned(),
        Some(_) | None => text,
    }
}

/// `text` on one line without control characters, cut to [`Outcome::MAX_INFO`] bytes.
pub(crate) fn printable(text: &str) -> String {
    let mut line = String::new();
    for c in text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() > Outcome::MAX_INFO {
            break;
        }
        line.push(c);
    }
    line
}

/// The outcome of a run that took `took`.
pub(super) fn outcome(result: Result<Passed, Failure>, took: Duration) -> Outcome {
    let (passed, code, status, info) = match result {
        Ok(Passed { code, status, info }) => (true, code, status, info),
        Err(Failure { code, status, info }) => (false, code, status, info),
    };
    Outcome { passed, code, status, info: printable(&info), took }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_the_system_s_words() {
        assert_eq!(words(&io::Error::from_raw_os_error(libc::ECONNREFUSED)), "Connection refused");
        assert_eq!(words(&io::Error::other("odd (os error 3)")), "odd (os error 3)");
    }

    #[test]
    fn words_are_one_printable_line_of_bounded_length() {
        assert_eq!(printable("a\r\nb\x1b[31m\n"), "a  b [31m");
        assert_eq!(printable(&"é".repeat(200)).len(), Outcome::MAX_INFO);
        assert_eq!(printable(&"x".repeat(Outcome::MAX_INFO + 1)).len(), Outcome::MAX_INFO);
    }
}
