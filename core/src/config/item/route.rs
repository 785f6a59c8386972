//! Routes, in the words of `ip route`: `[TYPE] DEST [via ADDR] [dev IF] [src ADDR] [table T] [metric N] …`.
//!
//! Served is what changes where packets go, and the metrics that are plain numbers. Refused by name: encapsulation,
//! realms, `expires`, congestion control, `from`, `pref`. Every route carries [`super::PROTOCOL`], so that what is
//! deleted is ours (keepalived: only tracked routes have to).

use super::words::{Words, Wrong, everything, net, of, scope};
use super::{MAIN_TABLE, PROTOCOL};
use crate::config::model::Family;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The most next hops of a route.
pub const MAX_HOPS: usize = 64;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// What happens to packets that match.
    pub kind: RouteKind,
    /// Which packets.
    pub to: IpNet,
    /// `table`; 254 is `main`.
    pub table: u32,
    /// `metric`; zero is the kernel's default.
    pub metric: u32,
    /// `tos`.
    pub tos: u8,
    /// `scope`; `None` is link without a gateway, global with one.
    pub scope: Option<u8>,
    /// `src`: the source address of what this host sends.
    pub source: Option<IpAddr>,
    /// Where packets go: none for a blackhole and its kin, several for multipath.
    pub hops: Vec<NextHop>,
    /// Values of the kernel's route metrics, and whether each is locked.
    pub metrics: BTreeMap<Metric, (u32, bool)>,
    /// Not `no_track`.
    pub tracked: bool,
}

/// What happens to packets that match a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RouteKind {
    /// They go on.
    #[default]
    Unicast,
    /// They are delivered here (`local`).
    Local,
    /// They vanish.
    Blackhole,
    /// They vanish, and the sender is told that nobody is there.
    Unreachable,
    /// They vanish, and the sender is told that it may not.
    Prohibit,
    /// The search goes on with the next rule.
    Throw,
}

const KINDS: [(&str, RouteKind); 6] = [
    ("unicast", RouteKind::Unicast),
    ("local", RouteKind::Local),
    ("blackhole", RouteKind::Blackhole),
    ("unreachable", RouteKind::Unreachable),
    ("prohibit", RouteKind::Prohibit),
    ("throw", RouteKind::Throw),
];

/// A next hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextHop {
    /// Gateway.
    pub via: Option<IpAddr>,
    /// `dev`.
    pub interface: Option<Arc<str>>,
    /// The gateway is on the link whatever the addresses say.
    pub onlink: bool,
    /// `weight`, 1..=256; zero when none was given.
    pub weight: u16,
}

/// A route metric of the kernel (`RTAX_*`, linux/rtnetlink.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u16)]
pub enum Metric {
    /// `mtu`.
    Mtu = 2,
    /// `window`.
    Window = 3,
    /// `ssthresh`.
    SlowStart = 6,
    /// `cwnd`.
    Congestion = 7,
    /// `advmss`.
    Mss = 8,
    /// `reordering`.
    Reordering = 9,
    /// `hoplimit`.
    HopLimit = 10,
    /// `initcwnd`.
    FirstCongestion = 11,
    /// `initrwnd`.
    FirstWindow = 14,
    /// `quickack`.
    QuickAck = 15,
}

const METRICS: [(&str, Metric); 10] = [
    ("mtu", Metric::Mtu),
    ("window", Metric::Window),
    ("ssthresh", Metric::SlowStart),
    ("cwnd", Metric::Congestion),
    ("advmss", Metric::Mss),
    ("reordering", Metric::Reordering),
    ("hoplimit", Metric::HopLimit),
    ("initcwnd", Metric::FirstCongestion),
    ("initrwnd", Metric::FirstWindow),
    ("quickack", Metric::QuickAck),
];

/// Words of the language that are not served.
const UNSERVED: [&str; 16] = [
    "as",
    "from",
    "encap",
    "expires",
    "rtt",
    "rttvar",
    "realms",
    "rto_min",
    "features",
    "congctl",
    "pref",
    "ttl-propagate",
    "fastopen_no_cookie",
    "or",
    "vrf",
    "nhid",
];

/// What was read so far.
#[derive(Default)]
struct Draft {
    family: Option<Family>,
    to: Option<IpNet>,
    /// `default` was said.
    any: bool,
    hop: NextHop,
}

impl Route {
    /// Reads the words of a line.
    ///
    /// # Errors
    /// Which word is wrong, and why.
    pub fn read(words: &[&str]) -> Result<Route, Wrong> {
        let mut words = Words::new(words);
        let mut draft = Draft::default();
        let mut route = Route {
            kind: RouteKind::Unicast,
            to: everything(Family::V4),
            table: MAIN_TABLE,
            metric: 0,
            tos: 0,
            scope: None,
            source: None,
            hops: Vec::new(),
            metrics: BTreeMap::new(),
            tracked: true,
        };
        while let Some(word) = words.next() {
            if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == word) {
                route.kind = *kind;
            } else if let Some((_, metric)) = METRICS.iter().find(|(name, _)| *name == word) {
                let locked = words.take("lock");
                route.metrics.insert(*metric, (words.number(0..=u32::MAX)?, locked));
            } else {
                option(&mut words, word, &mut draft, &mut route)?;
            }
        }
        finish(&words, draft, route)
    }

    /// The family of its destination.
    #[must_use]
    pub fn family(&self) -> Family {
        of(self.to.addr())
    }

    /// The scope that the kernel is told.
    #[must_use]
    pub fn scope(&self) -> u8 {
        let gateway = self.hops.iter().any(|hop| hop.via.is_some());
        match (self.scope, self.kind) {
            (Some(scope), _) => scope,
            (None, RouteKind::Local) => 254,
            (None, RouteKind::Unicast) if !gateway && self.family() == Family::V4 => 253,
            (None, _) => 0,
        }
    }
}

/// One option of a route; what is none is the destination.
fn option(words: &mut Words<'_>, word: &str, draft: &mut Draft, route: &mut Route) -> Result<(), Wrong> {
    match word {
        "inet" => draft.family = Some(Family::V4),
        "inet6" => draft.family = Some(Family::V6),
        "default" | "any" | "all" => draft.any = true,
        "default6" => {
            draft.any = true;
            draft.family = Some(Family::V6);
        }
        "to" => {
            let next = words.value()?;
            return option(words, next, draft, route);
        }
        "src" => route.source = Some(words.address()?),
        "via" | "gw" => draft.hop.via = Some(words.address()?),
        "dev" | "oif" => draft.hop.interface = Some(Arc::from(words.interface()?)),
        "onlink" => draft.hop.onlink = true,
        "table" => route.table = words.table()?,
        "metric" | "priority" | "preference" => route.metric = words.number(0..=u32::MAX)?,
        "tos" | "dsfield" => route.tos = u8::try_from(words.number(0..=255)?).unwrap_or(0),
        "scope" => {
            let name = words.value()?;
            let help = "global, site, link, host, nowhere, or 0 to 255";
            let found = scope(name).ok_or_else(|| words.wrong(format!("`{name}` is not a scope"), help))?;
            route.scope = Some(found);
        }
        "protocol" | "proto" => protocol(words)?,
        "nexthop" => hop(words, route)?,
        "no_track" => route.tracked = false,
        // How keepalived puts it in; one of the same key is never overwritten here.
        "add" | "append" | "prepend" => {}
        _ if UNSERVED.contains(&word) => {
            return Err(words.unserved(
                format!("`{word}` is not served: the route would be there without it"),
                "run `ip route` from notify_master for such a route",
            ));
        }
        _ => {
            let help =
                "DEST [via ADDRESS] [dev IF] [src ADDRESS] [table N] [metric N]; DEST with host bits clear";
            let found = net(word)
                .ok_or_else(|| words.wrong(format!("`{word}` is not a network or an option"), help))?;
            if draft.to.replace(found).is_some() {
                return Err(
                    words.wrong(format!("`{word}` is a second destination"), "one route on each line")
                );
            }
        }
    }
    Ok(())
}

/// Every route carries our own mark, as keepalived's tracked ones do.
fn protocol(words: &mut Words<'_>) -> Result<(), Wrong> {
    let name = words.value()?;
    let known = matches!(name, "keepalived") || name.parse() == Ok(PROTOCOL);
    if known {
        return Ok(());
    }
    let message =
        format!("the protocol `{name}` is not served: what this daemon adds is marked as its own (18)");
    Err(words.unserved(message, "remove `protocol`"))
}

/// `nexthop [via ADDR] [dev IF] [weight N] [onlink]`.
fn hop(words: &mut Words<'_>, route: &mut Route) -> Result<(), Wrong> {
    let mut hop = NextHop::default();
    loop {
        if words.take("via") {
            hop.via = Some(words.address()?);
        } else if words.take("dev") {
            hop.interface = Some(Arc::from(words.interface()?));
        } else if words.take("weight") {
            hop.weight = u16::try_from(words.number(1..=256)?).unwrap_or(1);
        } else if words.take("onlink") {
            hop.onlink = true;
        } else {
            break;
        }
    }
    if hop.via.is_none() && hop.interface.is_none() {
        return Err(words.wrong("a next hop needs `via` or `dev`".to_string(), ""));
    }
    if route.hops.len() >= MAX_HOPS {
        return Err(words.wrong(format!("more than {MAX_HOPS} next hops"), ""));
    }
    route.hops.push(hop);
    Ok(())
}

/// What concerns several words.
fn finish(words: &Words<'_>, draft: Draft, mut route: Route) -> Result<Route, Wrong> {
    let single = draft.hop != NextHop::default();
    if single && !route.hops.is_empty() {
        return Err(words.wrong("`nexthop` and `via` or `dev` do not go together".to_string(), ""));
    }
    if single {
        route.hops.push(draft.hop);
    }
    let hint = route.source.or_else(|| route.hops.iter().find_map(|hop| hop.via)).map(of);
    route.to = match (draft.to, draft.any) {
        (Some(to), false) => to,
        (None, true) => everything(draft.family.or(hint).unwrap_or_default()),
        (Some(_), true) => return Err(words.wrong("two destinations".to_string(), "one route on each line")),
        (None, false) => {
            return Err(words.wrong("a route needs a destination".to_string(), "ADDRESS/PREFIX, or default"));
        }
    };
    let family = route.family();
    let same = |address: IpAddr| of(address) == family;
    if draft.family.is_some_and(|wanted| wanted != family)
        || !route.source.is_none_or(same)
        || !route.hops.iter().filter_map(|hop| hop.via).all(same)
    {
        return Err(words.wrong("addresses of both families in one route".to_string(), ""));
    }
    let goes = matches!(route.kind, RouteKind::Unicast | RouteKind::Local);
    if goes && route.hops.is_empty() {
        let help = "say where it leads: via ADDRESS, or dev INTERFACE";
        return Err(words.wrong("a route without `via` and `dev`".to_string(), help));
    }
    Ok(route)
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(interface) = &self.interface {
            write!(f, " dev {interface}")?;
        }
        if self.weight > 0 {
            write!(f, " weight {}", self.weight)?;
        }
        if self.onlink { write!(f, " onlink") } else { Ok(()) }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) =
            KINDS.iter().find(|(_, kind)| *kind == self.kind && self.kind != RouteKind::Unicast)
        {
            write!(f, "{name} ")?;
        }
        match (self.to == everything(self.family()), self.family()) {
            (false, _) => write!(f, "{}", self.to)?,
            (true, Family::V4) => write!(f, "default")?,
            (true, Family::V6) => write!(f, "default6")?,
        }
        match self.hops.as_slice() {
            [one] if one.weight == 0 => write!(f, "{one}")?,
            several => several.iter().try_for_each(|hop| write!(f, " nexthop{hop}"))?,
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        if self.table != MAIN_TABLE {
            write!(f, " table {}", self.table)?;
        }
        for (name, value) in [("metric", self.metric), ("tos", u32::from(self.tos))] {
            if value != 0 {
                write!(f, " {name} {value}")?;
            }
        }
        if let Some(scope) = self.scope {
            write!(f, " scope {scope}")?;
        }
        for (name, metric) in METRICS {
            if let Some((value, locked)) = self.metrics.get(&metric) {
                write!(f, " {name} {}{value}", if *locked { "lock " } else { "" })?;
            }
        }
        if self.tracked { Ok(()) } else { write!(f, " no_track") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Route, Wrong> {
        Route::read(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn a_route_is_read_and_says_itself_in_the_words_of_ip_route() {
        for (line, text) in [
            ("203.0.113.0/24 via 192.0.2.1", "203.0.113.0/24 via 192.0.2.1"),
            (
                "src 192.0.2.5 to 203.0.113.0/24 gw 192.0.2.1 oif eth1",
                "203.0.113.0/24 via 192.0.2.1 dev eth1 src 192.0.2.5",
            ),
            (
                "default via 2001:db8::1 dev eth0 table 100 priority 7",
                "default6 via 2001:db8::1 dev eth0 table 100 metric 7",
            ),
            ("blackhole 203.0.113.9", "blackhole 203.0.113.9/32"),
            (
                "203.0.113.0/24 dev eth0 scope link mtu lock 1400 advmss 1360 no_track",
                "203.0.113.0/24 dev eth0 scope 253 mtu lock 1400 advmss 1360 no_track",
            ),
            (
                "default nexthop via 192.0.2.1 weight 2 nexthop via 192.0.2.2 dev eth1 onlink",
                "default nexthop via 192.0.2.1 weight 2 nexthop via 192.0.2.2 dev eth1 onlink",
            ),
            ("default dev eth0 table main tos 0x10", "default dev eth0 tos 16"),
        ] {
            let route = read(line).unwrap();
            assert_eq!(route.to_string(), text);
            assert_eq!(read(text).unwrap(), route, "{text}");
        }
    }

    #[test]
    fn what_would_lead_elsewhere_is_refused_at_its_word() {
        for (line, word, unserved) in [
            ("203.0.113.0/24 via 192.0.2.1 encap mpls 16", 3, true),
            ("203.0.113.0/24 via 192.0.2.1 protocol bird", 4, true),
            ("203.0.113.1/24 via 192.0.2.1", 0, false),
            ("203.0.113.0/24 via 2001:db8::1", 2, false),
            ("203.0.113.0/24 via", 1, false),
            ("203.0.113.0/24", 0, false),
            ("via 192.0.2.1", 1, false),
            ("default via 192.0.2.1 table blue", 4, false),
            ("default nexthop weight 257", 3, false),
        ] {
            let wrong = read(line).unwrap_err();
            assert_eq!((wrong.word, wrong.unserved), (word, unserved), "{line}: {}", wrong.message);
        }
    }

    #[test]
    fn one_next_hop_more_than_the_limit_is_refused() {
        let line = |hops: usize| alloc::format!("default{}", " nexthop via 192.0.2.1".repeat(hops));
        assert!(read(&line(MAX_HOPS)).is_ok());
        assert!(read(&line(MAX_HOPS + 1)).is_err());
    }
}
