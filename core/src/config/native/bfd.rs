//! `[[bfd]]`, both ways: a BFD session that virtual routers track.

use super::check::unless;
use super::codes;
use super::desk::Desk;
use super::file;
use super::value::{AtLeastOne, Time};
use crate::config::model::{BfdConfig, BfdTiming};
use crate::id::BfdId;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::time::Duration;

/// The longest time: its microseconds fit 32 bits (RFC 5880 section 4.1).
const LONGEST: Duration = Duration::from_millis(4_294_967);
/// RFC 5881 section 5.
const HOPS: u8 = 255;

fn timing() -> BfdTiming {
    let ten = Duration::from_millis(10);
    BfdTiming { min_tx: ten, min_rx: ten, idle_tx: Duration::from_secs(1), multiplier: 5 }
}

/// The session; `None` when an error was told.
pub(super) fn lower(desk: &mut Desk<'_>, table: &file::Bfd, id: BfdId) -> Option<BfdConfig> {
    let at = table.name.span();
    let own = timing();
    let time = |value: Option<Time>, default: Duration| value.map_or(default, |time| time.0);
    let timing = BfdTiming {
        min_tx: time(table.min_tx, own.min_tx),
        min_rx: time(table.min_rx, own.min_rx),
        idle_tx: time(table.idle_tx, own.idle_tx),
        multiplier: table.multiplier.map_or(own.multiplier, |number| number.0),
    };
    let (least, idle) = (Duration::from_millis(1), Duration::from_secs(1));
    for (name, time, least) in [
        ("min_tx", timing.min_tx, least),
        ("min_rx", timing.min_rx, least),
        ("idle_tx", timing.idle_tx, idle),
    ] {
        if !(least..=LONGEST).contains(&time) || time.subsec_nanos() % 1_000 != 0 {
            let message =
                format!("`{name}` is whole microseconds from {} ms to 4294967 ms", least.as_millis());
            desk.error(codes::CONTRADICTION, &at, message, None);
            return None;
        }
    }
    let local = matches!(table.neighbor, core::net::IpAddr::V6(six) if six.segments()[0] & 0xffc0 == 0xfe80);
    if local || table.neighbor.is_multicast() || table.neighbor.is_unspecified() {
        let message = "the neighbor is a unicast address, and not a link-local one".into();
        desk.error(codes::CONTRADICTION, &at, message, None);
        return None;
    }
    if table.source.is_some_and(|source| source.is_ipv4() != table.neighbor.is_ipv4()) {
        let message = "`source` and `neighbor` are of two families".into();
        desk.error(codes::CONTRADICTION, &at, message, None);
        return None;
    }
    Some(BfdConfig {
        id,
        name: Arc::from(table.name.get_ref().as_str()),
        to: table.neighbor,
        from: table.source,
        hops: table.hops.map_or(HOPS, |number| number.0),
        max_hops: table.max_hops.unwrap_or(0),
        timing,
        passive: table.passive.unwrap_or(false),
    })
}

/// The table of `session`.
pub(super) fn raise(session: &BfdConfig) -> file::Bfd {
    let own = timing();
    let time = |value: Duration, default: Duration| unless(value, default).map(Time);
    file::Bfd {
        name: toml::Spanned::new(0..0, session.name.to_string()),
        neighbor: session.to,
        source: session.from,
        hops: unless(session.hops, HOPS).map(AtLeastOne),
        max_hops: unless(session.max_hops, 0),
        min_tx: time(session.timing.min_tx, own.min_tx),
        min_rx: time(session.timing.min_rx, own.min_rx),
        idle_tx: time(session.timing.idle_tx, own.idle_tx),
        multiplier: unless(session.timing.multiplier, own.multiplier).map(AtLeastOne),
        passive: unless(session.passive, false),
    }
}
