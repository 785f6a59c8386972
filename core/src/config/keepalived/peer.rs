//! Whom a virtual router talks to, and how: `unicast_peer`, its source, the old checksum.

use super::codes;
use super::instance::InstanceDraft;
use super::keyword::{Desk, first};
use super::text::Word;
use super::tree::Statement;
use super::values::{address as ip, number};
use crate::config::model::{OldChecksum, Peer};
use alloc::format;
use core::net::IpAddr;

/// The most peers of a virtual router.
pub(super) const MAX_PEERS: usize = 1024;

/// A source address.
pub(super) fn source(desk: &mut Desk<'_>, s: &Statement) -> Option<(IpAddr, Word)> {
    let word = first(s)?;
    ip(desk, word).map(|found| (found, word.clone()))
}

/// The address of a peer; keepalived reads one with a prefix length as if the length were not there.
fn peer_address(desk: &mut Desk<'_>, word: &Word) -> Option<IpAddr> {
    let bare = word.text.split_once('/').and_then(|(address, length)| {
        length.parse::<u8>().ok().filter(|n| *n <= 128).and_then(|_| address.parse().ok())
    });
    if bare.is_some() {
        let message = format!("a peer has no prefix length; {} is read without it", word.text);
        desk.warn(word.span(), codes::EXTRA_WORDS, message, "remove the / and what follows it");
        return bare;
    }
    ip(desk, word)
}

/// `unicast_peer`: lines `IP [min_ttl N] [max_ttl N]`.
pub(super) fn peers(i: &mut InstanceDraft, desk: &mut Desk<'_>, s: &Statement) {
    i.transport.unicast = Some(s.span());
    for line in s.body.iter().flatten() {
        let Some((at, rest)) = line.words.split_first() else { continue };
        let Some(address) = peer_address(desk, at) else { continue };
        let mut peer = Peer { address, min_ttl: 0, max_ttl: 255 };
        let mut rest = rest.iter();
        while let Some(word) = rest.next() {
            let place = match word.text.as_str() {
                "min_ttl" => &mut peer.min_ttl,
                "max_ttl" => &mut peer.max_ttl,
                other => {
                    let message = format!("`{other}` after a peer");
                    desk.error(
                        word.span(),
                        codes::EXTRA_WORDS,
                        message,
                        "one peer on each line: IP [min_ttl N] [max_ttl N]",
                    );
                    break;
                }
            };
            let Some(value) = rest.next() else {
                desk.error(
                    word.span(),
                    codes::MISSING_ARGUMENT,
                    format!("`{}` needs a number", word.text),
                    "",
                );
                break;
            };
            if let Some(ttl) = number(desk, value, 0..=255) {
                *place = u8::try_from(ttl).unwrap_or(255);
                i.transport.check_source = true;
            }
        }
        if peer.min_ttl > peer.max_ttl {
            let message = format!("min_ttl {} is above max_ttl {}", peer.min_ttl, peer.max_ttl);
            let help = "every advertisement of this peer would be dropped";
            desk.warn(at.span(), codes::OUT_OF_RANGE, message, help);
        }
        if i.transport.peers.iter().any(|(other, _)| other.address == peer.address) {
            desk.warn(at.span(), codes::DUPLICATE, format!("the peer {address} is listed twice"), "");
        } else if i.transport.peers.len() >= MAX_PEERS {
            desk.error(at.span(), codes::OUT_OF_RANGE, format!("more than {MAX_PEERS} peers"), "");
            return;
        } else {
            i.transport.peers.push((peer, at.clone()));
        }
    }
}

/// `old_unicast_checksum [never]`.
pub(super) fn old_checksum(i: &mut InstanceDraft, desk: &mut Desk<'_>, s: &Statement) {
    i.transport.unicast = Some(s.span());
    match first(s) {
        None => i.transport.old_checksum = OldChecksum::Always,
        Some(word) if word.text == "never" => i.transport.old_checksum = OldChecksum::Never,
        Some(word) => {
            let message = format!("`{}` after old_unicast_checksum", word.text);
            desk.error(word.span(), codes::BAD_VALUE, message, "nothing, or never");
        }
    }
}
