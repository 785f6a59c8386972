//! Routes, rules and static addresses as the routing socket is asked for them, as bytes.
//!
//! Decides nothing but how an item is written: names of interfaces are looked up by the caller. Additions are
//! exclusive, so that `EEXIST` says that the item is there already. Everything carries the protocol number 18, and a
//! deletion names it, so that only what a VRRP daemon has added is ever deleted (linux/rtnetlink.h, linux/fib_rules.h).

use super::messages::{self, ADDRESS_PROTOCOL as PROTOCOL};
use crate::host::AddressRequest;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use standfast_core::config::item::{Item, NextHop, Route, RouteKind, Rule, RuleAction};
use standfast_core::config::model::Family;
use standfast_core::id::{Interface, Ticket};
use standfast_core::input::Errno;
use std::net::IpAddr;

/// The index of an interface by its name.
pub(super) type Lookup<'l> = &'l dyn Fn(&str) -> Option<Interface>;

const HEADER_LEN: usize = 16;
const FLAGS_AT: usize = 6;
/// `RTNH_F_ONLINK` of linux/rtnetlink.h; libc lacks it.
const ONLINK: u8 = 4;

/// A request to add or remove `item`, with the sequence number left at zero; `ENODEV` when an interface is not there.
pub(super) fn request(ticket: Ticket, item: &Item, own: bool, lookup: Lookup<'_>) -> Result<Vec<u8>, Errno> {
    match item {
        Item::Address(address) => {
            let request = AddressRequest {
                ticket,
                on: lookup(&address.interface).ok_or(Errno::ENODEV)?,
                address: address.address,
                own,
                lease: None,
                how: address.how.clone(),
            };
            let mut bytes = messages::address(&request, 0);
            if own {
                bytes[FLAGS_AT..FLAGS_AT + 2].copy_from_slice(&flags(true).to_ne_bytes());
            }
            Ok(bytes)
        }
        Item::Route(route) => self::route(route, own, lookup),
        Item::Rule(rule) => Ok(self::rule(rule, own)),
    }
}

fn flags(own: bool) -> u16 {
    NLM_F_REQUEST | NLM_F_ACK | if own { NLM_F_CREATE | NLM_F_EXCL } else { 0 }
}

/// A message while it is written.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, own: bool, body: [u8; 12]) -> Message {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[FLAGS_AT..FLAGS_AT + 2].copy_from_slice(&flags(own).to_ne_bytes());
        bytes.extend(body);
        Message(bytes)
    }

    /// An attribute, padded to four bytes.
    fn put(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.0.extend(value);
        self.close(start);
    }

    fn number(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    fn address(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.put(kind, &v4.octets()),
            IpAddr::V6(v6) => self.put(kind, &v6.octets()),
        }
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.0.len();
        self.0.extend(0_u16.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        self.length_at(start);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn length_at(&mut self, start: usize) {
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

fn family(family: Family) -> u8 {
    match family {
        Family::V4 => libc::AF_INET as u8,
        Family::V6 => libc::AF_INET6 as u8,
    }
}

/// The field for tables of the old numbers; the attribute beside it has the whole number.
fn short_table(table: u32) -> u8 {
    u8::try_from(table).unwrap_or(libc::RT_TABLE_UNSPEC)
}

fn route(route: &Route, own: bool, lookup: Lookup<'_>) -> Result<Vec<u8>, Errno> {
    const RTA_METRICS: u16 = libc::RTA_METRICS;
    let kind = match route.kind {
        RouteKind::Unicast => libc::RTN_UNICAST,
        RouteKind::Local => libc::RTN_LOCAL,
        RouteKind::Blackhole => libc::RTN_BLACKHOLE,
        RouteKind::Unreachable => libc::RTN_UNREACHABLE,
        RouteKind::Prohibit => libc::RTN_PROHIBIT,
        RouteKind::Throw => libc::RTN_THROW,
    };
    let single = route.hops.first().filter(|hop| route.hops.len() == 1 && hop.weight == 0);
    let mut body = [0; 12];
    body[0] = family(route.family());
    body[1] = route.to.prefix_len();
    body[3] = route.tos;
    body[4] = short_table(route.table);
    body[5] = PROTOCOL;
    body[6] = route.scope();
    body[7] = kind;
    if single.is_some_and(|hop| hop.onlink) {
        body[8..].copy_from_slice(&u32::from(ONLINK).to_ne_bytes());
    }
    let message_kind = if own { libc::RTM_NEWROUTE } else { libc::RTM_DELROUTE };
    let mut message = Message::new(message_kind, own, body);
    if route.to.prefix_len() > 0 {
        message.address(libc::RTA_DST, route.to.addr());
    }
    message.number(libc::RTA_TABLE, route.table);
    if route.metric > 0 {
        message.number(libc::RTA_PRIORITY, route.metric);
    }
    if let Some(source) = route.source {
        message.address(libc::RTA_PREFSRC, source);
    }
    match single {
        Some(hop) => {
            if let Some(via) = hop.via {
                message.address(libc::RTA_GATEWAY, via);
            }
            if let Some(name) = &hop.interface {
                message.number(libc::RTA_OIF, lookup(name).ok_or(Errno::ENODEV)?.0);
            }
        }
        None if route.hops.is_empty() => {}
        None => {
            let start = message.open(libc::RTA_MULTIPATH);
            for hop in &route.hops {
                next_hop(&mut message, hop, lookup)?;
            }
            message.close(start);
        }
    }
    if !route.metrics.is_empty() {
        let start = message.open(RTA_METRICS);
        let locked = route.metrics.iter().filter(|(_, (_, locked))| *locked);
        let locks = locked.fold(0, |mask, (metric, _)| mask | 1 << (*metric as u16));
        if locks != 0 {
            message.number(1, locks); // RTAX_LOCK
        }
        for (metric, (value, _)) in &route.metrics {
            message.number(*metric as u16, *value);
        }
        message.close(start);
    }
    Ok(message.finish())
}

/// `struct rtnexthop` and its gateway.
fn next_hop(message: &mut Message, hop: &NextHop, lookup: Lookup<'_>) -> Result<(), Errno> {
    let index = match &hop.interface {
        Some(name) => lookup(name).ok_or(Errno::ENODEV)?.0,
        None => 0,
    };
    let start = message.0.len();
    message.0.extend(0_u16.to_ne_bytes());
    message.0.push(if hop.onlink { ONLINK } else { 0 });
    message.0.push(u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX));
    message.0.extend(index.to_ne_bytes());
    if let Some(via) = hop.via {
        message.address(libc::RTA_GATEWAY, via);
    }
    message.length_at(start);
    Ok(())
}

fn rule(rule: &Rule, own: bool) -> Vec<u8> {
    let (action, table) = match rule.action {
        RuleAction::Table(table) => (1, table),
        RuleAction::Goto(_) => (2, 0),
        RuleAction::Nop => (3, 0),
        RuleAction::Blackhole => (6, 0),
        RuleAction::Unreachable => (7, 0),
        RuleAction::Prohibit => (8, 0),
    };
    let matches = &rule.matches;
    let mut body = [0; 12];
    body[0] = family(rule.family);
    body[1] = matches.to.map_or(0, |net| net.prefix_len());
    body[2] = matches.from.map_or(0, |net| net.prefix_len());
    body[3] = matches.tos;
    body[4] = short_table(table);
    body[7] = action;
    if matches.not {
        body[8..].copy_from_slice(&2_u32.to_ne_bytes()); // FIB_RULE_INVERT
    }
    let kind = if own { libc::RTM_NEWRULE } else { libc::RTM_DELRULE };
    let mut message = Message::new(kind, own, body);
    // FRA_* of linux/fib_rules.h, in its order.
    for (kind, net) in [(1, matches.to), (2, matches.from)] {
        if let Some(net) = net.filter(|net| net.prefix_len() > 0) {
            message.address(kind, net.addr());
        }
    }
    for (kind, name) in [(3, &matches.iif), (17, &matches.oif)] {
        if let Some(name) = name {
            message.put(kind, &[name.as_bytes(), &[0]].concat());
        }
    }
    if let RuleAction::Goto(target) = rule.action {
        message.number(4, target);
    }
    if let Some(priority) = rule.priority {
        message.number(6, priority);
    }
    if let Some((mark, mask)) = matches.mark {
        message.number(10, mark);
        message.number(16, mask);
    }
    for (kind, number) in [(13, rule.suppress_group), (14, rule.suppress_prefix)] {
        if let Some(number) = number {
            message.number(kind, number);
        }
    }
    message.number(15, table);
    if matches.l3mdev {
        message.put(19, &[1]);
    }
    if let Some((first, last)) = matches.uids {
        message.put(20, &[first.to_ne_bytes(), last.to_ne_bytes()].concat());
    }
    message.put(21, &[PROTOCOL]);
    if let Some(protocol) = matches.protocol {
        message.put(22, &[protocol]);
    }
    for (kind, ports) in [(23, matches.sport), (24, matches.dport)] {
        if let Some(ports) = ports {
            message.put(kind, &[ports.first.to_ne_bytes(), ports.last.to_ne_bytes()].concat());
        }
    }
    message.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
    use rtnetlink::packet_route::RouteNetlinkMessage;

    fn bytes(item: &Item, own: bool) -> Vec<u8> {
        let lookup = |name: &str| name.strip_prefix("eth").and_then(|n| n.parse().ok()).map(Interface);
        request(Ticket(1), item, own, &lookup).unwrap()
    }

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    fn read_back(bytes: &[u8]) -> String {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).unwrap();
        assert_eq!(usize::try_from(message.header.length).unwrap(), bytes.len());
        let NetlinkPayload::InnerMessage(inner) = message.payload else { panic!("no inner message") };
        format!("{inner:?}")
    }

    #[test]
    fn a_route_is_what_an_independent_reader_finds_in_its_bytes() {
        let line = "203.0.113.0/24 via 192.0.2.1 dev eth7 src 192.0.2.9 table 1000 metric 5 mtu lock 1400";
        let text = read_back(&bytes(&Item::Route(Route::read(&words(line)).unwrap()), true));
        for part in [
            "NewRoute",
            "203.0.113.0",
            "192.0.2.1",
            "Oif(7)",
            "192.0.2.9",
            "Table(1000)",
            "Priority(5)",
            "Mtu(1400)",
            "Lock(4)",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let line =
            "default nexthop via 192.0.2.1 dev eth3 weight 2 nexthop via 192.0.2.2 dev eth4 weight 1 onlink";
        let text = read_back(&bytes(&Item::Route(Route::read(&words(line)).unwrap()), false));
        for part in ["DelRoute", "MultiPath", "192.0.2.1", "192.0.2.2", "hops: 1", "Onlink"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_rule_is_what_an_independent_reader_finds_in_its_bytes() {
        let line =
            "not from 192.0.2.0/24 iif eth0 fwmark 0x18/0xff ipproto tcp dport 443 table 1000 priority 50";
        let text = read_back(&bytes(&Item::Rule(Rule::read(&words(line)).unwrap()), true));
        for part in [
            "NewRule",
            "192.0.2.0",
            "Iifname(\"eth0\")",
            "FwMark(24)",
            "FwMask(255)",
            "Table(1000)",
            "Priority(50)",
            "443",
            "Invert",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn an_interface_that_is_not_there_is_said_and_nothing_is_sent() {
        let route = Item::Route(Route::read(&words("default dev wan0")).unwrap());
        assert_eq!(request(Ticket(1), &route, true, &|_| None), Err(Errno::ENODEV));
    }
}
