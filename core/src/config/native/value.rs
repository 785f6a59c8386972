//! Single values of the native file: times with units, numbers with ranges, log targets.
//!
//! Each checks itself while it is read, so that an error points at the value.

use crate::config::model::{Algorithm, LogTo as Target};
use crate::config::process::MAX_NAME;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::SocketAddr;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

macro_rules! ranged {
    ($($(#[doc = $doc:literal])* $name:ident($type:ty) in $low:literal..=$high:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "i64")]
        pub(super) struct $name(pub(super) $type);

        impl TryFrom<i64> for $name {
            type Error = String;
            fn try_from(number: i64) -> Result<$name, String> {
                let fits = ($low..=$high).contains(&number);
                let value = <$type>::try_from(number).ok().filter(|_| fits);
                value.map($name).ok_or_else(|| format!("{number} is not between {} and {}", $low, $high))
            }
        }
    )*};
}

ranged! {
    /// A VRID or a priority.
    AtLeastOne(u8) in 1..=255;
    /// Advertisements missed.
    Hundred(u8) in 1..=100;
    /// VRRP version.
    VersionNumber(u8) in 2..=3;
    /// Weight of a server.
    Weight(u16) in 0..=256;
    /// Weight of a tracked thing.
    TrackWeight(i16) in -253..=253;
    /// Per cent of an interval.
    Percent(u8) in 0..=50;
    /// Syslog facility.
    Facility(u8) in 0..=23;
    /// Syslog level.
    Level(u8) in 0..=7;
    /// Length of a log line.
    LineLength(u16) in 80..=65535;
    /// Nice value.
    Nice(i8) in -20..=19;
    /// Real-time priority.
    Realtime(u8) in 1..=99;
    /// Number of a processor.
    Processor(u16) in 0..=1023;
    /// Runs of a check.
    Runs(u32) in 1..=1_000_000;
}

/// How servers are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Balance(pub(super) Algorithm);

impl TryFrom<String> for Balance {
    type Error = String;
    fn try_from(text: String) -> Result<Balance, String> {
        Algorithm::from_words(&text).map(Balance).ok_or_else(|| {
            format!(
                "`{text}` is not an algorithm; write \"roundrobin\", \"static-rr\", \"leastconn\", \"source\", \
                 \"source consistent\" or \"random(2)\""
            )
        })
    }
}

impl From<Balance> for String {
    fn from(balance: Balance) -> String {
        balance.0.words()
    }
}

/// A time: a number with `ns`, `us`, `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Time(pub(super) Duration);

/// A time longer than zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Pause(pub(super) Duration);

/// Units and their nanoseconds, smallest first.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// The longest time: a thousand years, so that sums with the node's clock do not saturate early.
const MAX_NANOS: u128 = 1000 * 365 * 86_400_000_000_000;

impl TryFrom<String> for Time {
    type Error = String;
    fn try_from(text: String) -> Result<Time, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, nanos)| *nanos);
        let number = number.parse::<u64>().ok();
        let (Some(factor), Some(number)) = (factor, number) else {
            return Err(format!(
                "`{text}` is not a time; write a whole number and a unit, such as \"250ms\" or \"2s\""
            ));
        };
        let nanos = u128::from(number) * factor;
        if nanos > MAX_NANOS {
            return Err(format!("`{text}` is longer than a thousand years"));
        }
        let whole = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        Ok(Time(Duration::new(whole, u32::try_from(nanos % 1_000_000_000).unwrap_or(0))))
    }
}

impl From<Time> for String {
    fn from(time: Time) -> String {
        let nanos = time.0.as_nanos();
        let fits = |unit: &&(&str, u128)| nanos > 0 && nanos.is_multiple_of(unit.1);
        // Minutes and more only where they are round, since 90 s reads better than 90000 ms and 120 s as 2 m.
        let (unit, factor) = UNITS.iter().rev().find(fits).copied().unwrap_or(("s", 1_000_000_000));
        format!("{}{unit}", nanos / factor)
    }
}

impl TryFrom<String> for Pause {
    type Error = String;
    fn try_from(text: String) -> Result<Pause, String> {
        let time = Time::try_from(text)?.0;
        if time.is_zero() { Err("the time must be longer than zero".to_string()) } else { Ok(Pause(time)) }
    }
}

impl From<Pause> for String {
    fn from(pause: Pause) -> String {
        String::from(Time(pause.0))
    }
}

/// An address with its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Net(pub(super) IpNet);

impl TryFrom<String> for Net {
    type Error = String;
    fn try_from(text: String) -> Result<Net, String> {
        let net =
            text.parse::<IpNet>().ok().or_else(|| text.parse().ok().map(|ip: core::net::IpAddr| ip.into()));
        net.map(Net).ok_or_else(|| format!("`{text}` is not an address such as 192.0.2.100/24"))
    }
}

impl From<Net> for String {
    fn from(net: Net) -> String {
        net.0.to_string()
    }
}

/// The label of an address: at most 15 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Label(pub(super) String);

impl TryFrom<String> for Label {
    type Error = String;
    fn try_from(text: String) -> Result<Label, String> {
        if text.len() > 15 { Err(format!("`{text}` is longer than 15 characters")) } else { Ok(Label(text)) }
    }
}

impl From<Label> for String {
    fn from(label: Label) -> String {
        label.0
    }
}

/// The name of a process: 1 to 15 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct ProcessName(pub(super) String);

impl TryFrom<String> for ProcessName {
    type Error = String;
    fn try_from(text: String) -> Result<ProcessName, String> {
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(format!("`{text}` does not have 1 to {MAX_NAME} characters"));
        }
        Ok(ProcessName(text))
    }
}

impl From<ProcessName> for String {
    fn from(name: ProcessName) -> String {
        name.0
    }
}

/// Permissions taken from new files, in octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Umask(pub(super) u16);

impl TryFrom<String> for Umask {
    type Error = String;
    fn try_from(text: String) -> Result<Umask, String> {
        let mask = u16::from_str_radix(&text, 8).ok().filter(|mask| *mask <= 0o777);
        mask.map(Umask).ok_or_else(|| format!("`{text}` is not a umask such as \"0177\""))
    }
}

impl From<Umask> for String {
    fn from(mask: Umask) -> String {
        format!("{:04o}", mask.0)
    }
}

/// A VRRPv2 password: at most 8 bytes; bytes that are no plain text are written as `hex:` and 16 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Password(pub(super) [u8; 8]);

impl TryFrom<String> for Password {
    type Error = String;
    fn try_from(text: String) -> Result<Password, String> {
        let mut bytes = [0; 8];
        if let Some(digits) = text.strip_prefix("hex:") {
            let number = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16);
            let number = number.ok_or_else(|| "`hex:` needs 16 hexadecimal digits".to_string())?;
            return Ok(Password(number.to_be_bytes()));
        }
        if text.len() > 8 || text.is_empty() {
            return Err("a password has 1 to 8 bytes; more do not fit an advertisement".to_string());
        }
        for (place, byte) in bytes.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        Ok(Password(bytes))
    }
}

impl From<Password> for String {
    fn from(password: Password) -> String {
        let end = password.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = core::str::from_utf8(&password.0[..end]).ok();
        match text.filter(|text| !text.is_empty() && !text.contains('\0') && !text.starts_with("hex:")) {
            Some(text) => text.to_string(),
            None => format!("hex:{:016x}", u64::from_be_bytes(password.0)),
        }
    }
}

/// Where log lines go: `stdout`, `stderr`, an absolute path, or `ADDRESS:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct LogTo(pub(super) Target);

impl TryFrom<String> for LogTo {
    type Error = String;
    fn try_from(text: String) -> Result<LogTo, String> {
        let target = match text.as_str() {
            "stdout" => Target::Stdout,
            "stderr" => Target::Stderr,
            path if path.starts_with('/') => Target::Unix(text),
            other => match other.parse::<SocketAddr>() {
                Ok(to) => Target::Udp(to),
                Err(_) => return Err(format!("`{text}` is not stdout, stderr, a path or ADDRESS:PORT")),
            },
        };
        Ok(LogTo(target))
    }
}

impl From<LogTo> for String {
    fn from(to: LogTo) -> String {
        match to.0 {
            Target::Unix(path) => path,
            Target::Udp(to) => to.to_string(),
            Target::Stdout => "stdout".to_string(),
            Target::Stderr => "stderr".to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_they_are_written() {
        for (text, nanos) in
            [("2s", 2_000_000_000), ("250ms", 250_000_000), ("1ns", 1), ("0s", 0), ("2h", 7_200_000_000_000)]
        {
            let time = Time::try_from(text.to_string()).expect(text);
            assert_eq!((time.0.as_nanos(), String::from(time).as_str()), (nanos, text));
        }
        for bad in ["2", "s", "-1s", "1.5s", "99999999999999999999s", "366000d", "2 weeks"] {
            assert!(Time::try_from(bad.to_string()).is_err(), "{bad}");
        }
        assert!(Pause::try_from("0ms".to_string()).is_err());
    }

    #[test]
    fn numbers_outside_their_range_are_errors() {
        assert!(AtLeastOne::try_from(0).is_err() && AtLeastOne::try_from(256).is_err());
        assert_eq!(AtLeastOne::try_from(255), Ok(AtLeastOne(255)));
        assert!(Weight::try_from(257).is_err() && TrackWeight::try_from(-254).is_err());
    }

    #[test]
    fn the_process_has_a_short_name_and_a_umask_in_octal() {
        assert!(ProcessName::try_from("a".repeat(MAX_NAME)).is_ok());
        assert!(ProcessName::try_from("a".repeat(MAX_NAME + 1)).is_err());
        assert_eq!(Umask::try_from("0177".to_string()).map(String::from), Ok("0177".to_string()));
        assert!(Umask::try_from("1000".to_string()).is_err() && Umask::try_from("8".to_string()).is_err());
        assert!(
            Realtime::try_from(100).is_err()
                && Nice::try_from(-21).is_err()
                && Processor::try_from(1024).is_err()
        );
    }

    #[test]
    fn passwords_of_any_bytes_come_back() {
        for bytes in [*b"42\0\0\0\0\0\0", *b"hex:1234", [0; 8], [255, 0, 1, 0, 0, 0, 0, 9], *b"password"] {
            let text = String::from(Password(bytes));
            assert_eq!(Password::try_from(text), Ok(Password(bytes)));
        }
        assert!(Password::try_from("ninebytes".to_string()).is_err());
    }
}
