//! `bfd_instance`: a session with a neighbour that virtual routers follow by `track_bfd`.
//!
//! Defaults are keepalived's, IPv6 hop limit included, though RFC 5881 asks for 255 there too. A session nobody tracks
//! is run all the same, as keepalived does: the neighbour may depend on it.

use super::codes;
use super::keyword::{Desk, Keyword, Shape, apply, first, refused, served};
use super::text::Word;
use super::tree::Statement;
use super::values::{address, argument, number};
use crate::config::model::{BfdConfig, BfdTiming};
use crate::config::names::Kind;
use crate::id::BfdId;
use alloc::format;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;

/// The longest name keepalived takes.
const MAX_NAME: usize = 31;
/// The longest time in milliseconds: its microseconds fit 32 bits.
const MAX_MS: i64 = 4_294_967;
/// The manual of keepalived warns above.
const SLOW_MS: i64 = 10_000;

/// A block as written.
#[derive(Clone, Debug)]
pub(super) struct BfdDraft {
    pub(super) name: Word,
    to: Option<(IpAddr, Word)>,
    from: Option<(IpAddr, Word)>,
    timing: BfdTiming,
    passive: bool,
    hops: (Option<u8>, Option<u8>),
    max_hops: u8,
    pub(super) weight: i16,
    pub(super) reverse: bool,
    /// `vrrp`, `checker`: which side uses it.
    sides: (bool, bool),
}

impl BfdDraft {
    /// Virtual routers may track it.
    pub(super) fn is_for_routers(&self) -> bool {
        self.sides.0 || !self.sides.1
    }
}

const ADDRESS: Shape = Shape::Words(1, 1, "an address");
const NUMBER: Shape = Shape::Words(1, 1, "a number");
const MILLIS: Shape = Shape::Words(1, 1, "milliseconds");

/// Keywords of `bfd_instance`.
pub(super) static TABLE: &[Keyword<BfdDraft>] = &[
    served("neighbor_ip", ADDRESS, "required", "", neighbor),
    served("neighbour_ip", ADDRESS, "as neighbor_ip", "", neighbor),
    served("source_ip", ADDRESS, "the kernel's choice", "of the neighbour's family", |draft, desk, s| {
        if let Some(word) = first(s) {
            draft.from = address(desk, word).map(|source| (source, word.clone())).or(draft.from.take());
        }
    }),
    served("min_rx", MILLIS, "10 ms", "1 to 4294967 ms", |draft, desk, s| {
        draft.timing.min_rx = millis(desk, s, 1).unwrap_or(draft.timing.min_rx);
    }),
    served("min_tx", MILLIS, "10 ms", "1 to 4294967 ms", |draft, desk, s| {
        draft.timing.min_tx = millis(desk, s, 1).unwrap_or(draft.timing.min_tx);
    }),
    served("idle_tx", MILLIS, "1000 ms", "1000 to 4294967 ms", |draft, desk, s| {
        draft.timing.idle_tx = millis(desk, s, 1000).unwrap_or(draft.timing.idle_tx);
    }),
    served("multiplier", NUMBER, "5", "1 to 255", |draft, desk, s| {
        draft.timing.multiplier = argument(desk, s, 1..=255).unwrap_or(draft.timing.multiplier);
    }),
    served("passive", Shape::Flag, "off", "", |draft, _, _| draft.passive = true),
    served("ttl", NUMBER, "255", "1 to 255; IPv4", |draft, desk, s| {
        draft.hops.0 = argument(desk, s, 1..=255).or(draft.hops.0);
    }),
    served("hoplimit", NUMBER, "64 (RFC 5881: 255)", "1 to 255; IPv6", |draft, desk, s| {
        draft.hops.1 = argument(desk, s, 1..=255).or(draft.hops.1);
    }),
    served("max_hops", NUMBER, "0", "0 to 255", |draft, desk, s| {
        draft.max_hops = argument(desk, s, 0..=255).unwrap_or(draft.max_hops);
    }),
    served("weight", Shape::Words(1, 2, "a number"), "0", "-253 to 253, reverse", weight),
    served("vrrp", Shape::Flag, "on", "", |draft, _, _| draft.sides.0 = true),
    served("checker", Shape::Flag, "on; there are no LVS checkers here", "", |draft, _, _| {
        draft.sides.1 = true
    }),
    refused(
        "multihop",
        Shape::Words(0, 1, ""),
        "the neighbour would listen at another port",
        "sessions over one hop only are served; track a host further away by a vrrp_script",
    ),
];

fn neighbor(draft: &mut BfdDraft, desk: &mut Desk<'_>, s: &Statement) {
    let Some(word) = first(s) else { return };
    let Some(to) = address(desk, word) else { return };
    let local = matches!(to, IpAddr::V6(six) if six.segments()[0] & 0xffc0 == 0xfe80);
    if to.is_multicast() || to.is_unspecified() || to == IpAddr::from([255; 4]) {
        desk.error(word.span(), codes::BAD_VALUE, format!("{to} is nobody's address"), "");
    } else if local {
        let message = format!("{to} is a link-local address, and a bfd_instance names no interface");
        desk.error(word.span(), codes::BAD_VALUE, message, "use a global or unique local address (fd00::/8)");
    } else {
        draft.to = Some((to, word.clone()));
    }
}

/// Milliseconds; `None` was said.
fn millis(desk: &mut Desk<'_>, s: &Statement, least: i64) -> Option<Duration> {
    let word = first(s)?;
    let value = number(desk, word, least..=MAX_MS)?;
    if value > SLOW_MS {
        let message = format!("{value} ms: a failure of the neighbour is seen only after several times this");
        desk.note(word.span(), codes::SLOW_DETECTION, message, "");
    }
    u64::try_from(value).ok().map(Duration::from_millis)
}

/// `weight N [reverse]`.
fn weight(draft: &mut BfdDraft, desk: &mut Desk<'_>, s: &Statement) {
    let Some(weight) = first(s).and_then(|word| number(desk, word, -253..=253)) else { return };
    match s.arguments().get(1) {
        Some(word) if word.text != "reverse" => {
            let message = format!("`{}` after a weight; only `reverse` may stand there", word.text);
            desk.error(word.span(), codes::BAD_VALUE, message, "");
        }
        reverse => {
            draft.weight = i16::try_from(weight).unwrap_or(0);
            draft.reverse = reverse.is_some();
        }
    }
}

/// Reads a block.
pub(super) fn read(desk: &mut Desk<'_>, statement: &Statement) {
    let (Some(name), Some(body)) = (first(statement), &statement.body) else { return };
    if name.text.chars().count() > MAX_NAME {
        let message = format!("the name of a bfd_instance has at most {MAX_NAME} characters");
        desk.error(name.span(), codes::OUT_OF_RANGE, message, "");
        return;
    }
    if desk.checks.sessions.iter().any(|other| other.name.text == name.text) {
        let message = format!("a second bfd_instance {}; keepalived skips it whole", name.text);
        desk.error(name.span(), codes::DUPLICATE, message, "give it a name of its own");
        return;
    }
    if desk.checks.sessions.len() >= BfdConfig::MAX_SESSIONS {
        let message = format!("more than {} BFD sessions", BfdConfig::MAX_SESSIONS);
        desk.error(name.span(), codes::OUT_OF_RANGE, message, "");
        return;
    }
    let ten = Duration::from_millis(10);
    let mut draft = BfdDraft {
        name: name.clone(),
        to: None,
        from: None,
        timing: BfdTiming { min_tx: ten, min_rx: ten, idle_tx: Duration::from_secs(1), multiplier: 5 },
        passive: false,
        hops: (None, None),
        max_hops: 0,
        weight: 0,
        reverse: false,
        sides: (false, false),
    };
    let before = desk.findings.errors();
    apply(TABLE, "bfd_instance", &mut draft, desk, body);
    let well = desk.findings.errors() == before && !body.iter().any(Statement::poisoned);
    if well && draft.to.is_none() {
        let message = format!("bfd_instance {} has no neighbor_ip", name.text);
        desk.error(name.span(), codes::MISSING_ARGUMENT, message, "add: neighbor_ip ADDRESS");
    }
    desk.checks.sessions.push(draft);
}

/// The id of a session.
pub(super) fn id(desk: &mut Desk<'_>, name: &str) -> BfdId {
    BfdId(desk.config.names.id(Kind::Bfd, name))
}

/// Turns all sessions into their model.
pub(super) fn finish(desk: &mut Desk<'_>) {
    for draft in core::mem::take(&mut desk.checks.sessions) {
        let Some((to, at)) = &draft.to else { continue };
        let (to, name) = (*to, draft.name.text.clone());
        if let Some((from, word)) = draft.from.as_ref().filter(|(from, _)| from.is_ipv4() != to.is_ipv4()) {
            let message = format!("the source {from} is not of the family of the neighbour {to}");
            desk.error(word.span(), codes::SOURCE, message, "");
            continue;
        }
        let same = desk.config.sessions.values().find(|other| other.to == to).map(|other| other.name.clone());
        if let Some(other) = same {
            // keepalived takes both, and gives each packet to the first.
            let message = format!("{to} is the neighbour of bfd_instance {other} too");
            desk.error(
                at.span(),
                codes::DUPLICATE,
                message,
                "one session per neighbour; track it several times",
            );
            continue;
        }
        let hops = if to.is_ipv4() { draft.hops.0.unwrap_or(255) } else { draft.hops.1.unwrap_or(64) };
        if to.is_ipv6() && draft.hops.1.is_none() {
            let message =
                "without `hoplimit` packets leave with 64, keepalived's default; RFC 5881 asks for 255";
            let help = "add `hoplimit 255` on both sides; routers drop anything less";
            desk.note(draft.name.span(), codes::ROUNDED, message, help);
        }
        let id = id(desk, &name);
        let config = BfdConfig {
            id,
            name: Arc::from(name.as_str()),
            to,
            from: draft.from.as_ref().map(|(from, _)| *from),
            hops,
            max_hops: draft.max_hops,
            timing: draft.timing,
            passive: draft.passive,
        };
        desk.config.sessions.insert(id, Arc::new(config));
    }
}
