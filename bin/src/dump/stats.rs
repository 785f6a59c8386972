//! `keepalived.stats`: what each virtual router has counted.

use super::Snapshot;
use standfast_core::event::PacketError;
use standfast_core::vrrp::Counters;
use std::fmt::Write as _;

/// keepalived's counters of one virtual router, under the names of its JSON.
pub(super) fn named(counters: &Counters) -> [(&'static str, u64); 14] {
    let dropped = |error| counters.rejected(error);
    [
        ("advert_rcvd", counters.advert_rcvd),
        ("advert_sent", counters.advert_sent),
        ("become_master", counters.become_master),
        ("release_master", counters.release_master),
        ("packet_len_err", dropped(PacketError::Length)),
        ("advert_interval_err", dropped(PacketError::Interval)),
        ("ip_ttl_err", dropped(PacketError::Ttl)),
        ("invalid_type_rcvd", dropped(PacketError::Type)),
        // One counter of keepalived for both: sent to the wrong kind of address, or naming other addresses.
        ("addr_list_err", dropped(PacketError::Destination).saturating_add(counters.addr_list_differs)),
        ("invalid_authtype", dropped(PacketError::AuthType)),
        ("authtype_mismatch", dropped(PacketError::AuthMismatch)),
        ("auth_failure", dropped(PacketError::AuthFailure)),
        ("pri_zero_rcvd", counters.pri_zero_rcvd),
        ("pri_zero_sent", counters.pri_zero_sent),
    ]
}

/// Takes away what had been counted when the counters were cleared. Whoever has counted less since is a new router.
pub(super) fn subtract(counters: &mut Counters, cleared: &Counters) {
    let less = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
    for (now, then) in [
        (&mut counters.advert_rcvd, cleared.advert_rcvd),
        (&mut counters.advert_sent, cleared.advert_sent),
        (&mut counters.become_master, cleared.become_master),
        (&mut counters.release_master, cleared.release_master),
        (&mut counters.pri_zero_rcvd, cleared.pri_zero_rcvd),
        (&mut counters.pri_zero_sent, cleared.pri_zero_sent),
        (&mut counters.addr_list_differs, cleared.addr_list_differs),
    ] {
        *now = less(*now, then);
    }
    for (error, now) in &mut counters.rejected {
        *now = less(*now, cleared.rejected.get(error).copied().unwrap_or(0));
    }
}

/// The lines of one virtual router: indent, label, and the counter, if the line has one.
const LAYOUT: [(&str, &str); 18] = [
    ("  Advertisements", ""),
    ("    Received", "advert_rcvd"),
    ("    Sent", "advert_sent"),
    ("  Became master", "become_master"),
    ("  Released master", "release_master"),
    ("  Packet Errors", ""),
    ("    Length", "packet_len_err"),
    ("    TTL", "ip_ttl_err"),
    ("    Invalid Type", "invalid_type_rcvd"),
    ("    Advertisement Interval", "advert_interval_err"),
    ("    Address List", "addr_list_err"),
    ("  Authentication Errors", ""),
    ("    Invalid Type", "invalid_authtype"),
    ("    Type Mismatch", "authtype_mismatch"),
    ("    Failure", "auth_failure"),
    ("  Priority Zero", ""),
    ("    Received", "pri_zero_rcvd"),
    ("    Sent", "pri_zero_sent"),
];

/// The text of the file.
pub(super) fn text(of: &Snapshot) -> String {
    let mut text = String::new();
    for (config, router) in of.routers() {
        let counted = named(&router.counters);
        let _ = writeln!(text, "VRRP Instance: {}", config.name);
        for (label, counter) in LAYOUT {
            let _ = match counted.iter().find(|(name, _)| *name == counter) {
                Some((_, count)) => writeln!(text, "{label}: {count}"),
                None => writeln!(text, "{label}:"),
            };
        }
    }
    text
}
