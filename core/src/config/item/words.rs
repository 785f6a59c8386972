//! The words of one line, taken one by one, and what can be wrong with one of them.

use crate::config::model::Family;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use core::ops::RangeInclusive;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why a line is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The word at fault, counted from 0.
    pub word: usize,
    /// It is a word of the language that is not served, not a mistake.
    pub unserved: bool,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// The words and how far they were read.
pub(super) struct Words<'a> {
    list: &'a [&'a str],
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(list: &'a [&'a str]) -> Words<'a> {
        Words { list, at: 0 }
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let word = self.list.get(self.at).copied()?;
        self.at += 1;
        Some(word)
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let there = self.list.get(self.at) == Some(&wanted);
        self.at += usize::from(there);
        there
    }

    /// The word that was read last is wrong.
    pub(super) fn wrong(&self, message: String, help: &'static str) -> Wrong {
        Wrong { word: self.at.saturating_sub(1), unserved: false, message, help }
    }

    /// The word that was read last is not served.
    pub(super) fn unserved(&self, message: String, help: &'static str) -> Wrong {
        Wrong { unserved: true, ..self.wrong(message, help) }
    }

    /// The value of the option that was read last.
    pub(super) fn value(&mut self) -> Result<&'a str, Wrong> {
        let option = self.at.checked_sub(1).and_then(|at| self.list.get(at)).copied().unwrap_or("");
        self.next().ok_or_else(|| self.wrong(format!("`{option}` needs a value"), ""))
    }

    pub(super) fn address(&mut self) -> Result<IpAddr, Wrong> {
        let family =
            if self.take("inet6") { Some(Family::V6) } else { self.take("inet").then_some(Family::V4) };
        let word = self.value()?;
        let found = word.parse::<IpAddr>().ok().filter(|a| family.is_none_or(|f| of(*a) == f));
        found.ok_or_else(|| {
            self.wrong(format!("`{word}` is not an IP address here"), "one address, without prefix")
        })
    }

    pub(super) fn interface(&mut self) -> Result<&'a str, Wrong> {
        let word = self.value()?;
        if (1..=15).contains(&word.len()) && !word.contains('/') {
            return Ok(word);
        }
        Err(self.wrong(format!("`{word}` is not the name of an interface"), "1 to 15 characters"))
    }

    pub(super) fn number(&mut self, range: RangeInclusive<u32>) -> Result<u32, Wrong> {
        let word = self.value()?;
        self.within(word, range)
    }

    /// A number, decimal or `0x`.
    pub(super) fn within(&self, word: &str, range: RangeInclusive<u32>) -> Result<u32, Wrong> {
        number(word).filter(|n| range.contains(n)).ok_or_else(|| {
            self.wrong(format!("`{word}` is not a number from {} to {}", range.start(), range.end()), "")
        })
    }

    /// A routing table.
    pub(super) fn table(&mut self) -> Result<u32, Wrong> {
        let word = self.value()?;
        match word {
            "main" => Ok(254),
            "local" => Ok(255),
            "default" => Ok(253),
            _ => number(word).filter(|n| *n > 0).ok_or_else(|| {
                let help = "write the number that /etc/iproute2/rt_tables gives for the name";
                self.wrong(format!("the table `{word}` is not known by name"), help)
            }),
        }
    }
}

/// The family of an address.
pub(super) fn of(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

/// All addresses of a family.
pub(super) fn everything(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::V4(Ipv4Net::default()),
        Family::V6 => IpNet::V6(Ipv6Net::default()),
    }
}

/// A network by itself; a host without a prefix length. Host bits must be clear, as for the kernel.
pub(super) fn net(word: &str) -> Option<IpNet> {
    let found = match word.parse::<IpNet>() {
        Ok(found) => found,
        Err(_) => IpNet::from(word.parse::<IpAddr>().ok()?),
    };
    (found.trunc() == found).then_some(found)
}

fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+')),
        None => word.parse().ok().filter(|_| word.starts_with(|c: char| c.is_ascii_digit())),
    }
}

/// A scope by name or number.
pub(super) fn scope(word: &str) -> Option<u8> {
    match word {
        "global" | "universe" => Some(0),
        "site" => Some(200),
        "link" => Some(253),
        "host" => Some(254),
        "nowhere" => Some(255),
        _ => number(word).and_then(|n| u8::try_from(n).ok()),
    }
}
