//! Is this the answer that was waited for? Pure functions of the octets received so far.
//!
//! A verdict is given as soon as it cannot change any more; until then [`Judgement::More`]. Replies of protocols
//! are read as far as the verdict needs: MySQL's and PostgreSQL's error texts, LDAP's result code, SMTP's lines.

use super::verdict::Failure;
use regex::bytes::Regex;
use standfast_core::config::talk::{Answer, Reply, Wanted};
use standfast_core::input::CheckCode;

/// What is known of an answer.
#[derive(Debug)]
pub enum Judgement {
    /// It may still turn out either way.
    More,
    /// It is what was waited for.
    Good {
        /// The protocol's own code, if it has one.
        status: Option<u32>,
        /// Words for the operator.
        info: String,
    },
    /// It is not.
    Bad(Failure),
}

use Judgement::{Bad, Good, More};

fn good(status: Option<u32>, info: impl Into<String>) -> Judgement {
    Good { status, info: info.into() }
}

fn bad(code: CheckCode, status: Option<u32>, info: impl Into<String>) -> Judgement {
    Bad(Failure { code, status, info: info.into() })
}

/// Judges `got`, of which `more` may come; `pattern` is what `answer` names, compiled.
#[must_use]
pub fn judge(answer: &Answer, pattern: Option<&Regex>, got: &[u8], more: bool) -> Judgement {
    if let Wanted::Reply(reply) = &answer.what {
        return match (protocol(*reply, got), more) {
            (More, true) => More,
            (More, false) => closed(got),
            (verdict, _) => verdict,
        };
    }
    let least = answer.least.map_or(0, |least| usize::try_from(least).unwrap_or(usize::MAX));
    if got.len() < least && more {
        return More;
    }
    let found = match (&answer.what, pattern) {
        (Wanted::Octets(said), _) => holds(got, &said.octets()),
        (Wanted::Pattern(_), Some(pattern)) => pattern.is_match(got),
        (Wanted::HexPattern(_), Some(pattern)) => {
            let digits: String = got.iter().map(|octet| format!("{octet:02X}")).collect();
            pattern.is_match(digits.as_bytes())
        }
        (Wanted::Pattern(_) | Wanted::HexPattern(_) | Wanted::Reply(_), _) => false,
    };
    // As haproxy: without `min-recv` what is not there may still come, whether it is wanted or not.
    if !found && more && answer.least.is_none() {
        return More;
    }
    match (found == answer.negated, found) {
        (false, _) => good(None, ""),
        (true, true) => bad(CheckCode::L7Response, None, "matched unwanted content"),
        (true, false) if got.is_empty() => bad(CheckCode::L7Response, None, "got an empty response"),
        (true, false) => bad(CheckCode::L7Response, None, "did not match content"),
    }
}

fn closed(got: &[u8]) -> Judgement {
    let why = if got.is_empty() { "got an empty response" } else { "the answer is incomplete" };
    bad(CheckCode::L7Response, None, why)
}

fn holds(got: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || got.windows(wanted.len()).any(|window| window == wanted)
}

fn protocol(reply: Reply, got: &[u8]) -> Judgement {
    match reply {
        Reply::Pong => redis(got),
        Reply::Smtp => smtp(got),
        Reply::MysqlGreeting => mysql(got, true),
        Reply::MysqlLogin => mysql(got, false),
        Reply::Pgsql => pgsql(got),
        Reply::Ldap => ldap(got),
    }
}

/// One line; `+PONG` is good.
fn redis(got: &[u8]) -> Judgement {
    let Some(end) = got.iter().position(|octet| *octet == b'\n') else { return More };
    let line = got[..end].trim_ascii_end();
    match line {
        b"+PONG" => good(None, "Redis server is ok"),
        _ => bad(CheckCode::L7Status, None, String::from_utf8_lossy(line)),
    }
}

/// All lines of a reply; the first one counts.
fn smtp(got: &[u8]) -> Judgement {
    let mut first = None;
    let mut rest = got;
    while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
        let line = rest[..end].trim_ascii_end();
        rest = &rest[end + 1..];
        let digits = line.first_chunk::<3>().filter(|code| code.iter().all(u8::is_ascii_digit));
        let Some(code) = digits else {
            return bad(CheckCode::L7Response, None, String::from_utf8_lossy(line));
        };
        let code = code.iter().fold(0, |code, digit| code * 10 + u32::from(digit - b'0'));
        let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned();
        let (code, text) = first.get_or_insert((code, text));
        if !(200..300).contains(code) {
            return bad(CheckCode::L7Status, Some(*code), text.clone());
        }
        if line.get(3) != Some(&b'-') {
            return good(Some(*code), text.clone());
        }
    }
    More
}

/// A packet of MySQL: 3 octets of length, a number, then 0xff for an error (its code, its text).
fn mysql(got: &[u8], greeting: bool) -> Judgement {
    let Some(&[a, b, c, number]) = got.first_chunk::<4>() else { return More };
    let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    if greeting && (number != 0 || length == 0) || length > super::http::MAX_ANSWER - 4 {
        return bad(CheckCode::L7Response, None, "the answer is not MySQL");
    }
    let Some(packet) = got.get(4..4 + length) else { return More };
    match packet {
        [0xff, low, high, text @ ..] => {
            let code = u32::from(u16::from_le_bytes([*low, *high]));
            // `#` and five characters of SQL state come first since version 4.1.
            let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
            bad(CheckCode::L7Status, Some(code), String::from_utf8_lossy(text))
        }
        [0xff, ..] => bad(CheckCode::L7Response, None, "the answer is not MySQL"),
        [_, version @ ..] if greeting => {
            let end = version.iter().position(|octet| *octet == 0).unwrap_or(version.len());
            good(None, String::from_utf8_lossy(&version[..end]))
        }
        _ => good(None, "MySQL server is ok"),
    }
}

/// `R`, a length, a kind of authentication; or `E`, a length, fields of an error.
fn pgsql(got: &[u8]) -> Judgement {
    match got.first() {
        None => More,
        Some(b'E') => {
            let Some(length) = got.get(1..5).and_then(|octets| octets.first_chunk()).copied() else {
                return More;
            };
            let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
            let Some(fields) = got.get(5..length.saturating_add(1).min(super::http::MAX_ANSWER)) else {
                return More;
            };
            let message = fields.split(|octet| *octet == 0).find_map(|field| field.strip_prefix(b"M"));
            let text = message.map_or_else(|| "PostgreSQL unknown error".into(), String::from_utf8_lossy);
            bad(CheckCode::L7Response, None, text)
        }
        Some(b'R') => match got.get(5..9).and_then(|octets| octets.first_chunk()).copied() {
            None => More,
            // haproxy 2.6 takes 0 and 2 to 6. 10 is SASL, which PostgreSQL asks for by default since version 14:
            // a server that asks for it is as alive as any.
            Some(kind) => match u32::from_be_bytes(kind) {
                0 | 2..=6 | 10 => good(None, "PostgreSQL server is ok"),
                _ => bad(CheckCode::L7Response, None, "PostgreSQL unknown error"),
            },
        },
        Some(_) => bad(CheckCode::L7Response, None, "PostgreSQL unknown error"),
    }
}

/// The length of a BER element and where its content begins; `None` while octets are missing.
fn element(octets: &[u8]) -> Option<Result<(usize, usize), ()>> {
    let first = *octets.get(1)?;
    if first < 0x80 {
        return Some(Ok((usize::from(first), 2)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Some(Err(()));
    }
    let length =
        octets.get(2..2 + count)?.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    Some(Ok((length, 2 + count)))
}

/// An LDAPMessage with a BindResponse (0x61), whose first element is the result code.
fn ldap(got: &[u8]) -> Judgement {
    fn walk(got: &[u8]) -> Option<Result<u32, ()>> {
        if *got.first()? != 0x30 {
            return Some(Err(()));
        }
        let inner = match element(got)? {
            Ok((_, at)) => got.get(at..)?,
            Err(()) => return Some(Err(())),
        };
        let after_id = match element(inner)? {
            Ok((length, at)) if inner.first() == Some(&2) => inner.get(at.checked_add(length)?..)?,
            Ok(_) | Err(()) => return Some(Err(())),
        };
        if *after_id.first()? != 0x61 {
            return Some(Err(()));
        }
        let response = match element(after_id)? {
            Ok((_, at)) => after_id.get(at..)?,
            Err(()) => return Some(Err(())),
        };
        match response.first_chunk::<3>()? {
            [0x0a, 1, code] => Some(Ok(u32::from(*code))),
            _ => Some(Err(())),
        }
    }
    match walk(got) {
        None => More,
        Some(Ok(0)) => good(None, "Success"),
        Some(Ok(code)) => {
            bad(CheckCode::L7Status, Some(code), "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9")
        }
        Some(Err(())) => bad(CheckCode::L7Response, None, "Not LDAPv3 protocol"),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
