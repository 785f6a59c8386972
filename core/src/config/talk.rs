//! A conversation with a server: what `tcp-check` rules, and the checks haproxy makes of such rules, come to.
//!
//! A connect, then steps in order. What is sent and what is waited for are octets; both may hold a
//! password (`AUTH` of Redis), so the type [`Said`] is what recordings replace. `config::haproxy` writes the steps
//! of `option redis-check` and its kin, nothing else needs to know how those protocols open.

use super::model::TlsProbe;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// The most steps of a conversation.
pub const MAX_STEPS: usize = 64;
/// The most octets of all that a conversation sends and waits for: each checked server gets a copy.
pub const MAX_OCTETS: usize = 16_384;
/// The most memory of one compiled pattern, in bytes.
pub const MAX_PATTERN: usize = 256 * 1024;

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// Where it begins.
    pub first: Dial,
    /// The longest each connect may take.
    pub connect: Duration,
    /// What is done once connected, in order.
    pub steps: Vec<Step>,
}

impl Talk {
    /// Octets that each checked server gets a copy of.
    #[must_use]
    pub fn octets(&self) -> usize {
        let name = |dial: &Dial| dial.tls.as_ref().and_then(|tls| tls.name.as_ref()).map_or(0, String::len);
        let of = |step: &Step| match step {
            Step::Connect(dial) => name(dial),
            Step::Send(said) => said.0.len() / 2,
            Step::Expect(answer) => match &answer.what {
                Wanted::Octets(said) => said.0.len() / 2,
                Wanted::Pattern(text) | Wanted::HexPattern(text) => text.len(),
                Wanted::Reply(_) => 0,
            },
        };
        self.steps.iter().map(of).fold(name(&self.first), usize::saturating_add)
    }
}

/// One step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Open a connection; one that is open is left.
    Connect(Dial),
    /// Send these octets.
    Send(Said),
    /// Read until this can be judged.
    Expect(Answer),
}

/// How a connection is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dial {
    /// Where.
    pub to: SocketAddr,
    /// Over TLS.
    pub tls: Option<TlsProbe>,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What.
    pub what: Wanted,
    /// `!`: it must not come.
    pub negated: bool,
    /// `min-recv`: judged once so many octets are there, and then for good; without it, what is not there yet may
    /// still come.
    pub least: Option<u32>,
}

/// What an answer must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// These octets, anywhere (`string`, `binary`).
    Octets(Said),
    /// Something this pattern matches (`rstring`); see [`pattern`].
    Pattern(String),
    /// The same over the answer in hexadecimal, upper case (`rbinary`).
    HexPattern(String),
    /// The good reply of a protocol.
    Reply(Reply),
}

/// Replies that need more than a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Redis: `+PONG`.
    Pong,
    /// SMTP: lines that begin with 2xx, the last one with a blank behind it (RFC 5321 4.2).
    Smtp,
    /// MySQL: the server's greeting, not an error packet.
    MysqlGreeting,
    /// MySQL: the answer to the login, not an error packet.
    MysqlLogin,
    /// PostgreSQL: a request for authentication, not an error.
    Pgsql,
    /// LDAP: result code 0 of a bind (RFC 4511 4.2.2).
    Ldap,
}

/// Octets as pairs of hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said(String);

impl Said {
    /// These octets.
    #[must_use]
    pub fn new(octets: &[u8]) -> Said {
        let mut digits = String::with_capacity(octets.len() * 2);
        for octet in octets {
            let _ = write!(digits, "{octet:02x}"); // a String takes all
        }
        Said(digits)
    }

    /// The octets that `digits` spell, two of them each; `None` unless they do.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Said> {
        let good = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        good.then(|| Said(digits.to_ascii_lowercase()))
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let digit = |d: u8| (d as char).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
        self.0
            .as_bytes()
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |octet, d| octet << 4 | digit(*d)))
            .collect()
    }

    /// The digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// The octets as text, if they are one that a file can hold: ASCII, printable but for tabs and line ends.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let octets = self.octets();
        let plain = octets.iter().all(|o| matches!(o, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
        plain.then(|| octets.iter().map(|octet| char::from(*octet)).collect())
    }
}

/// Compiles a pattern: over octets, no Unicode classes, in time linear to the answer.
///
/// # Errors
/// In words, for what is no pattern, is larger than [`MAX_PATTERN`], or uses what only backtracking engines have
/// (references back, looking around), which haproxy's PCRE would take.
pub fn pattern(text: &str) -> Result<Arc<Regex>, String> {
    let built = RegexBuilder::new(text).unicode(false).size_limit(MAX_PATTERN).build();
    built.map(Arc::new).map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return String::from("the pattern is too large");
        }
        let text = alloc::format!("{error}");
        let last = text.lines().last().unwrap_or_default();
        String::from(last.strip_prefix("error: ").unwrap_or(last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_survive_the_way_to_digits_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(Said::new(&all).octets(), all);
        assert_eq!(Said::from_hex("0D0a"), Some(Said::new(b"\r\n")));
        assert!(Said::from_hex("0d0").is_none() && Said::from_hex("0g").is_none());
        assert_eq!(Said::new(b"PING\r\n").text().as_deref(), Some("PING\r\n"));
        assert_eq!(Said::new(&[0]).text(), None);
    }

    #[test]
    fn a_pattern_is_bounded_and_told_in_words() {
        assert!(pattern("^role:master").is_ok() && pattern(r"^2\d\d[ \r]").is_ok());
        assert_eq!(pattern("(").err().as_deref(), Some("unclosed group"));
        assert!(pattern(r"(a)\1").is_err() && pattern("(?=a)").is_err());
        assert_eq!(pattern("(a{1000}){1000}").err().as_deref(), Some("the pattern is too large"));
    }
}
