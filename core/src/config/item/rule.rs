//! Rules of policy routing, in the words of `ip rule`:
//! `[not] [from NET] [to NET] [iif IF] [oif IF] [fwmark N[/MASK]] … table N priority N`.
//!
//! Refused by name: realms, tunnel ids and named protocols. A rule without a priority would be numbered by the kernel,
//! and could not be told from another one; the language gives it one (keepalived: from 16384 on).

use super::words::{Words, Wrong, net, of};
use super::{MAIN_TABLE, PROTOCOL};
use crate::config::model::Family;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::fmt;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The first priority that is given to a rule without one.
pub const FIRST_PRIORITY: u32 = 16_384;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// Family of the packets.
    pub family: Family,
    /// Which packets.
    pub matches: Matches,
    /// `priority`; `None` until one is given.
    pub priority: Option<u32>,
    /// What is done.
    pub action: RuleAction,
    /// `suppress_prefixlength`: a route of at most so many bits is passed over.
    pub suppress_prefix: Option<u32>,
    /// `suppress_ifgroup`: a route to an interface of this group is passed over.
    pub suppress_group: Option<u32>,
    /// Not `no_track`.
    pub tracked: bool,
}

/// Which packets a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Matches {
    /// All but these (`not`).
    pub not: bool,
    /// `from`.
    pub from: Option<IpNet>,
    /// `to`.
    pub to: Option<IpNet>,
    /// `iif` or `dev`: came in by.
    pub iif: Option<Arc<str>>,
    /// `oif`: bound to.
    pub oif: Option<Arc<str>>,
    /// `fwmark`: value and mask.
    pub mark: Option<(u32, u32)>,
    /// `tos`.
    pub tos: u8,
    /// `ipproto`, by number.
    pub protocol: Option<u8>,
    /// `sport`.
    pub sport: Option<Ports>,
    /// `dport`.
    pub dport: Option<Ports>,
    /// `uidrange`.
    pub uids: Option<(u32, u32)>,
    /// `l3mdev`.
    pub l3mdev: bool,
}

/// First and last port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    /// First.
    pub first: u16,
    /// Last.
    pub last: u16,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RuleAction {
    /// Looks in this table; 0 with `l3mdev`, whose device names it.
    Table(u32),
    /// Goes on at the rule of this priority.
    Goto(u32),
    /// Nothing.
    Nop,
    /// Drops.
    Blackhole,
    /// Drops, and says that nobody is there.
    Unreachable,
    /// Drops, and says that it is not allowed.
    Prohibit,
}

/// Words of the language that are not served.
const UNSERVED: [&str; 5] = ["realms", "tunnel-id", "nat", "map-to", "vrf"];

impl Rule {
    /// Reads the words of a line.
    ///
    /// # Errors
    /// Which word is wrong, and why.
    pub fn read(words: &[&str]) -> Result<Rule, Wrong> {
        let mut words = Words::new(words);
        let mut rule = Rule {
            family: Family::V4,
            matches: Matches::default(),
            priority: None,
            action: RuleAction::Table(0),
            suppress_prefix: None,
            suppress_group: None,
            tracked: true,
        };
        let mut family = None;
        while let Some(word) = words.next() {
            match word {
                "inet" => family = Some(Family::V4),
                "inet6" => family = Some(Family::V6),
                "priority" | "preference" | "order" => rule.priority = Some(words.number(0..=32_767 << 16)?),
                "table" | "lookup" => rule.action = RuleAction::Table(words.table()?),
                "goto" => rule.action = RuleAction::Goto(words.number(1..=u32::MAX)?),
                "nop" => rule.action = RuleAction::Nop,
                "blackhole" => rule.action = RuleAction::Blackhole,
                "unreachable" => rule.action = RuleAction::Unreachable,
                "prohibit" => rule.action = RuleAction::Prohibit,
                "type" => {}
                "suppress_prefixlength" | "sup_pl" => rule.suppress_prefix = Some(words.number(0..=128)?),
                "suppress_ifgroup" | "sup_group" => rule.suppress_group = Some(words.number(0..=u32::MAX)?),
                "protocol" => protocol(&mut words)?,
                "no_track" => rule.tracked = false,
                _ => rule.matches.option(&mut words, word)?,
            }
        }
        rule.finish(&words, family)
    }

    fn finish(mut self, words: &Words<'_>, family: Option<Family>) -> Result<Rule, Wrong> {
        let (from, to) = (self.matches.from, self.matches.to);
        let mut families =
            family.into_iter().chain([from, to].into_iter().flatten().map(|net| of(net.addr())));
        self.family = families.clone().next().unwrap_or_default();
        if !families.all(|one| one == self.family) {
            return Err(words.wrong("addresses of both families in one rule".to_string(), ""));
        }
        if let (RuleAction::Goto(target), Some(priority)) = (self.action, self.priority)
            && target <= priority
        {
            return Err(words.wrong(format!("`goto {target}` does not lead forward"), "a rule further on"));
        }
        if self.action == RuleAction::Table(0) && !self.matches.l3mdev {
            let help = "add: table N, or blackhole, unreachable, prohibit, goto N, nop";
            return Err(words.wrong("a rule that does nothing".to_string(), help));
        }
        Ok(self)
    }
}

impl Matches {
    fn option(&mut self, words: &mut Words<'_>, word: &str) -> Result<(), Wrong> {
        match word {
            "not" => self.not = true,
            "from" => self.from = any_or_net(words)?,
            "to" => self.to = any_or_net(words)?,
            "iif" | "dev" => self.iif = Some(Arc::from(words.interface()?)),
            "oif" => self.oif = Some(Arc::from(words.interface()?)),
            "fwmark" => {
                let text = words.value()?;
                let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
                self.mark = Some((words.within(value, 0..=u32::MAX)?, words.within(mask, 0..=u32::MAX)?));
            }
            "tos" | "dsfield" => self.tos = u8::try_from(words.number(0..=255)?).unwrap_or(0),
            "ipproto" => {
                let name = words.value()?;
                self.protocol = Some(match name {
                    "icmp" => 1,
                    "tcp" => 6,
                    "udp" => 17,
                    "ipv6-icmp" => 58,
                    "sctp" => 132,
                    other => u8::try_from(words.within(other, 1..=255)?).unwrap_or(0),
                });
            }
            // keepalived refuses a single port by mistake.
            "sport" => self.sport = Some(ports(words)?),
            "dport" => self.dport = Some(ports(words)?),
            "uidrange" => self.uids = Some(range(words, u32::MAX)?),
            "l3mdev" => self.l3mdev = true,
            _ if UNSERVED.contains(&word) => {
                return Err(words.unserved(
                    format!("`{word}` is not served: the rule would be there without it"),
                    "run `ip rule` from notify_master for such a rule",
                ));
            }
            _ => {
                let help = "[from NET] [to NET] [iif IF] [fwmark N] … table N priority N";
                return Err(words.wrong(format!("`{word}` is not an option of a rule"), help));
            }
        }
        Ok(())
    }
}

fn any_or_net(words: &mut Words<'_>) -> Result<Option<IpNet>, Wrong> {
    if words.take("all") || words.take("any") || words.take("default") {
        return Ok(None);
    }
    let word = words.value()?;
    let help = "ADDRESS/PREFIX with host bits clear, or all";
    net(word).map(Some).ok_or_else(|| words.wrong(format!("`{word}` is not a network"), help))
}

fn range(words: &mut Words<'_>, most: u32) -> Result<(u32, u32), Wrong> {
    let text = words.value()?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (words.within(first, 0..=most)?, words.within(last, 0..=most)?);
    if first > last {
        return Err(words.wrong(format!("`{text}` ends before it begins"), "FIRST-LAST"));
    }
    Ok((first, last))
}

fn ports(words: &mut Words<'_>) -> Result<Ports, Wrong> {
    let (first, last) = range(words, 65_535)?;
    let port = |n| u16::try_from(n).unwrap_or(u16::MAX);
    Ok(Ports { first: port(first), last: port(last) })
}

fn protocol(words: &mut Words<'_>) -> Result<(), Wrong> {
    let name = words.value()?;
    if name == "keepalived" || name.parse() == Ok(PROTOCOL) {
        return Ok(());
    }
    let message =
        format!("the protocol `{name}` is not served: what this daemon adds is marked as its own (18)");
    Err(words.unserved(message, "remove `protocol`"))
}

impl fmt::Display for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.not {
            write!(f, "not ")?;
        }
        match self.from {
            Some(net) => write!(f, "from {net}")?,
            None => write!(f, "from all")?,
        }
        if let Some(net) = self.to {
            write!(f, " to {net}")?;
        }
        for (name, interface) in [("iif", &self.iif), ("oif", &self.oif)] {
            if let Some(interface) = interface {
                write!(f, " {name} {interface}")?;
            }
        }
        match self.mark {
            Some((value, u32::MAX)) => write!(f, " fwmark {value:#x}")?,
            Some((value, mask)) => write!(f, " fwmark {value:#x}/{mask:#x}")?,
            None => {}
        }
        if self.tos != 0 {
            write!(f, " tos {}", self.tos)?;
        }
        if let Some(protocol) = self.protocol {
            write!(f, " ipproto {protocol}")?;
        }
        for (name, ports) in [("sport", self.sport), ("dport", self.dport)] {
            if let Some(Ports { first, last }) = ports {
                write!(f, " {name} {first}-{last}")?;
            }
        }
        if let Some((first, last)) = self.uids {
            write!(f, " uidrange {first}-{last}")?;
        }
        if self.l3mdev { write!(f, " l3mdev") } else { Ok(()) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.matches.from.is_none() && self.matches.to.is_none();
        if plain && self.family == Family::V6 {
            write!(f, "inet6 ")?;
        }
        write!(f, "{}", self.matches)?;
        match self.action {
            RuleAction::Table(0) => {}
            RuleAction::Table(MAIN_TABLE) => write!(f, " table main")?,
            RuleAction::Table(table) => write!(f, " table {table}")?,
            RuleAction::Goto(target) => write!(f, " goto {target}")?,
            RuleAction::Nop => write!(f, " nop")?,
            RuleAction::Blackhole => write!(f, " blackhole")?,
            RuleAction::Unreachable => write!(f, " unreachable")?,
            RuleAction::Prohibit => write!(f, " prohibit")?,
        }
        let numbers = [
            ("suppress_prefixlength", self.suppress_prefix),
            ("suppress_ifgroup", self.suppress_group),
            ("priority", self.priority),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                write!(f, " {name} {number}")?;
            }
        }
        if self.tracked { Ok(()) } else { write!(f, " no_track") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read(line: &str) -> Result<Rule, Wrong> {
        Rule::read(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn a_rule_is_read_and_says_itself_in_the_words_of_ip_rule() {
        for (line, text) in [
            ("from 192.0.2.0/24 table 100 priority 50", "from 192.0.2.0/24 table 100 priority 50"),
            (
                "not from 192.0.2.0/24 to 203.0.113.0/24 lookup main",
                "not from 192.0.2.0/24 to 203.0.113.0/24 table main",
            ),
            (
                "inet6 fwmark 24/0xff iif eth0 blackhole order 9",
                "inet6 from all iif eth0 fwmark 0x18/0xff blackhole priority 9",
            ),
            ("dport 443 ipproto tcp table 7 no_track", "from all ipproto 6 dport 443-443 table 7 no_track"),
            (
                "uidrange 10-20 sup_pl 0 table main preference 5",
                "from all uidrange 10-20 table main suppress_prefixlength 0 priority 5",
            ),
            ("from all oif eth1 goto 40 priority 39", "from all oif eth1 goto 40 priority 39"),
            ("l3mdev priority 1000", "from all l3mdev priority 1000"),
        ] {
            let rule = read(line).unwrap();
            assert_eq!(rule.to_string(), text);
            assert_eq!(read(text).unwrap(), rule, "{text}");
        }
    }

    #[test]
    fn what_would_match_other_packets_is_refused_at_its_word() {
        for (line, word, unserved) in [
            ("from 192.0.2.0/24 realms 1/2 table 5", 2, true),
            ("from 192.0.2.0/24", 1, false),
            ("from 192.0.2.0/24 to 2001:db8::/32 table 5", 5, false),
            ("from 192.0.2.1/24 table 5", 1, false),
            ("fwmark x table 5", 1, false),
            ("from all goto 3 priority 4", 5, false),
            ("dport 9-3 table 5", 1, false),
            ("with table 5", 0, false),
        ] {
            let wrong = read(line).unwrap_err();
            assert_eq!((wrong.word, wrong.unserved), (word, unserved), "{line}: {}", wrong.message);
        }
    }
}
