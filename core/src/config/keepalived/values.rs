//! Arguments: numbers, seconds, switches, addresses, each with its own words when it is wrong (1 = decimal only, no
//! 0x, no comma in seconds, switches in lower case).

use super::codes;
use super::keyword::{Desk, first};
use super::text::Word;
use super::tree::Statement;
use alloc::format;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

/// A whole number in `range`; `None` was said.
pub(super) fn number(desk: &mut Desk<'_>, word: &Word, range: RangeInclusive<i64>) -> Option<i64> {
    if word.poisoned {
        return None;
    }
    let digits = word.text.strip_prefix(['+', '-']).unwrap_or(&word.text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{}` is not a whole number", word.text);
        desk.error(word.span(), codes::BAD_VALUE, message, "decimal digits only");
        return None;
    }
    let value = word.text.strip_prefix('+').unwrap_or(&word.text).parse::<i64>().ok();
    let found = value.filter(|value| range.contains(value));
    if found.is_none() {
        let message = format!("{} is outside {} to {}", word.text, range.start(), range.end());
        desk.error(word.span(), codes::OUT_OF_RANGE, message, "");
    }
    found
}

/// The first argument as a number that fits `T`; `None` was said.
pub(super) fn argument<T: TryFrom<i64>>(
    desk: &mut Desk<'_>,
    statement: &Statement,
    range: RangeInclusive<i64>,
) -> Option<T> {
    let word = first(statement)?;
    number(desk, word, range).and_then(|value| T::try_from(value).ok())
}

/// Seconds with `digits` decimals kept, in microseconds `range`; `None` was said.
pub(super) fn seconds(
    desk: &mut Desk<'_>,
    word: &Word,
    digits: usize,
    range: RangeInclusive<u64>,
) -> Option<Duration> {
    if word.poisoned {
        return None;
    }
    let text = word.text.strip_prefix('+').unwrap_or(&word.text);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let number = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !number(whole) || !number(part) || (whole.is_empty() && part.is_empty()) {
        let help = if text.contains(',') { "the decimal point is a point" } else { "for example 1 or 0.25" };
        desk.error(word.span(), codes::BAD_VALUE, format!("`{}` is not a time in seconds", word.text), help);
        return None;
    }
    // Rounded half up at the digit after the last one kept.
    let kept: u64 =
        (0..digits).fold(0, |sum, i| sum * 10 + part.as_bytes().get(i).map_or(0, |b| u64::from(b - b'0')));
    let up = u64::from(part.as_bytes().get(digits).is_some_and(|b| *b >= b'5'));
    let unit = 10_u64.pow(u32::try_from(6 - digits.min(6)).unwrap_or(0));
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    let micros = whole.saturating_mul(1_000_000).saturating_add((kept + up).saturating_mul(unit));
    if part.trim_end_matches('0').len() > digits {
        let message = format!("{} is rounded to {digits} decimals", word.text);
        desk.warn(word.span(), codes::ROUNDED, message, "");
    }
    if !range.contains(&micros) {
        let (low, high) = (shown(*range.start()), shown(*range.end()));
        let message = format!("{} is outside {low} to {high} seconds", word.text);
        desk.error(word.span(), codes::OUT_OF_RANGE, message, "");
        return None;
    }
    Some(Duration::from_micros(micros))
}

/// Microseconds as seconds.
fn shown(micros: u64) -> alloc::string::String {
    let part = format!("{:06}", micros % 1_000_000);
    match part.trim_end_matches('0') {
        "" => format!("{}", micros / 1_000_000),
        part => format!("{}.{part}", micros / 1_000_000),
    }
}

/// A switch: alone it means true; `None` was said.
pub(super) fn switch(desk: &mut Desk<'_>, statement: &Statement) -> Option<bool> {
    let Some(word) = first(statement) else { return Some(true) };
    match word.text.as_str() {
        _ if word.poisoned => None,
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        other => {
            let help = "true, on, yes, false, off or no, in lower case";
            desk.error(word.span(), codes::BAD_VALUE, format!("`{other}` is not a switch"), help);
            None
        }
    }
}

/// An address without prefix; `None` was said.
pub(super) fn address(desk: &mut Desk<'_>, word: &Word) -> Option<IpAddr> {
    let found = word.text.parse().ok();
    if found.is_none() && !word.poisoned {
        let message = format!("`{}` is not an IP address", word.text);
        desk.error(word.span(), codes::BAD_VALUE, message, "an IPv4 or IPv6 address without prefix length");
    }
    found
}

/// An interface's name; `None` was said.
pub(super) fn interface(desk: &mut Desk<'_>, word: &Word) -> Option<alloc::sync::Arc<str>> {
    if word.poisoned {
        return None;
    }
    let text = word.text.as_str();
    let good =
        !text.is_empty() && text.len() < 16 && !text.contains(['/', ' ', ':']) && text != "." && text != "..";
    if !good {
        let message = format!("`{text}` cannot be the name of an interface");
        desk.error(word.span(), codes::BAD_VALUE, message, "at most 15 characters, no blank, slash or colon");
    } else if text == "lo" {
        desk.error(word.span(), codes::BAD_VALUE, "VRRP does not run on the loopback interface", "");
        return None;
    }
    good.then(|| alloc::sync::Arc::from(text))
}
