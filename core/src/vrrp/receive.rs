//! The receive checks: which packets count, in keepalived's order, and who is told of the others.
//!
//! [`check`] only judges; whatever fails is counted and told of, and changes nothing else: no timer, no role.
//! (keepalived re-arms a master's advertisement timer for any packet with its VRID, so that a stream of garbage
//! silences it; reference defect B1.)

use super::election::OWNER;
use super::instance::{Instance, MULTICAST_HOPS};
use crate::config::model::{Authentication, Destination, Family, InstanceConfig, OldChecksum, Version};
use crate::event::PacketError;
use crate::id::Interface;
use crate::wire::vrrp::{self, TYPE_ADVERTISEMENT, View};
use alloc::collections::BTreeSet;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The most complaints remembered as told, per virtual router; further ones are counted, but not told.
pub(super) const MAX_COMPLAINTS: usize = 64;

/// A packet as the socket handed it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The interface it came in by.
    pub on: Interface,
    /// The sender.
    pub from: IpAddr,
    /// The destination.
    pub to: IpAddr,
    /// TTL or hop limit as received.
    pub hops: u8,
    /// VRRP header and what follows; untrusted.
    pub payload: &'a [u8],
}

/// A valid advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advert {
    pub(super) from: IpAddr,
    pub(super) priority: u8,
    pub(super) interval: Duration,
    /// Its address list differs from ours.
    pub(super) list_differs: bool,
    /// It came by unicast from somebody who is no configured peer.
    pub(super) is_stranger: bool,
    /// Its checksum is that of keepalived up to 1.3.6.
    pub(super) old_checksum: bool,
}

/// A kind of complaint, told once per sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Complaint {
    /// Dropped.
    Rejected(PacketError),
    /// Another interval in version 3.
    Interval,
    /// Another address list.
    AddressList,
    /// Our own address as sender.
    OwnAddress,
    /// Another owner.
    Duel,
    /// Ignored, since we are the owner.
    Owner,
    /// Not in our list of peers.
    Stranger,
}

/// What was told already.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Complaints {
    told: BTreeSet<(IpAddr, Complaint)>,
}

impl Complaints {
    /// Whether this one is new, and there is room to remember it.
    pub(super) fn is_new(&mut self, from: IpAddr, complaint: Complaint) -> bool {
        (self.told.len() < MAX_COMPLAINTS || self.told.contains(&(from, complaint)))
            && self.told.insert((from, complaint))
    }

    /// Something changed: everything may be told again.
    pub(super) fn clear(&mut self) {
        self.told.clear();
    }
}

/// The outcome of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Counts.
    Valid(Advert),
    /// Dropped.
    Rejected(PacketError),
    /// Valid, but an owner does not listen (`owner_ignore_adverts`).
    OwnerIgnores,
}

/// Whether a packet speaks of this virtual router at all.
pub(super) fn concerns(config: &InstanceConfig, packet: &Packet<'_>) -> bool {
    let family = if packet.from.is_ipv4() { Family::V4 } else { Family::V6 };
    config.router.family == family && vrrp::vrid(packet.payload) == Some(config.router.vrid)
}

/// Whether it was sent the way this virtual router is spoken to.
pub(super) fn fits_destination(config: &InstanceConfig, packet: &Packet<'_>) -> bool {
    match &config.transport.to {
        Destination::Multicast(group) => packet.to == *group,
        Destination::Unicast(_) => !packet.to.is_multicast(),
    }
}

/// Makes the checks, first failure first.
pub(super) fn check(config: &InstanceConfig, packet: &Packet<'_>) -> Judged {
    match try_check(config, packet) {
        Ok(_) if config.election.priority == OWNER && config.election.owner_ignores => Judged::OwnerIgnores,
        Ok(advert) => Judged::Valid(advert),
        Err(error) => Judged::Rejected(error),
    }
}

fn try_check(config: &InstanceConfig, packet: &Packet<'_>) -> Result<Advert, PacketError> {
    let router = &config.router;
    let view = View::new(packet.payload, router.version, router.family)?;
    let is_multicast = matches!(config.transport.to, Destination::Multicast(_));
    if is_multicast && packet.hops != MULTICAST_HOPS {
        return Err(PacketError::Ttl);
    }
    if view.version() != vrrp::number(router.version) {
        return Err(PacketError::Version);
    }
    match router.version {
        Version::V2 => {
            authenticate(&config.authentication, &view)?;
            if view.interval() != config.election.interval {
                return Err(PacketError::Interval);
            }
        }
        Version::V3 => {}
    }
    if view.kind() != TYPE_ADVERTISEMENT {
        return Err(PacketError::Type);
    }
    // No interval at all would make the time out nothing but skew: a flood of takeovers.
    if view.interval().is_zero() {
        return Err(PacketError::Interval);
    }
    let old_checksum = match config.transport.old_checksum {
        _ if view.checksum_is_right(packet.from, packet.to) => false,
        OldChecksum::Detect | OldChecksum::Always if !is_multicast && view.checksum_is_old(packet.from) => {
            true
        }
        OldChecksum::Detect | OldChecksum::Always | OldChecksum::Never => return Err(PacketError::Checksum),
    };
    if !fits_destination(config, packet) {
        return Err(PacketError::Destination);
    }
    let is_stranger = !check_peer(config, packet)?;
    Ok(Advert {
        from: packet.from,
        priority: view.priority(),
        interval: view.interval(),
        list_differs: list_differs(config, &view),
        is_stranger,
        old_checksum,
    })
}

/// Version 2: the type is known, is ours, and the password matches over all eight octets in constant time.
fn authenticate(ours: &Authentication, view: &View<'_>) -> Result<(), PacketError> {
    const TYPES: u8 = 2;
    let theirs = view.auth_type();
    if theirs > TYPES {
        return Err(PacketError::AuthType);
    }
    match ours {
        Authentication::None if theirs == 0 => Ok(()),
        Authentication::Pass(key) if theirs == 1 => {
            let difference = key.iter().zip(view.auth_data()).fold(0, |sum, (a, b)| sum | (a ^ b));
            if difference == 0 { Ok(()) } else { Err(PacketError::AuthFailure) }
        }
        Authentication::None | Authentication::Pass(_) => Err(PacketError::AuthMismatch),
    }
}

/// Whether a sender is one we talk to. With `check_unicast_src` nobody else is heard, and not from farther away, or
/// nearer, than the operator says.
fn check_peer(config: &InstanceConfig, packet: &Packet<'_>) -> Result<bool, PacketError> {
    let Destination::Unicast(peers) = &config.transport.to else { return Ok(true) };
    let peer = peers.iter().find(|peer| peer.address == packet.from);
    match (peer, config.transport.check_source) {
        (Some(peer), true) if !(peer.min_ttl..=peer.max_ttl).contains(&packet.hops) => Err(PacketError::Ttl),
        (None, true) => Err(PacketError::NotAPeer),
        (Some(_), _) => Ok(true),
        (None, false) => Ok(false),
    }
}

/// The number differs, or one of ours is missing.
fn list_differs(config: &InstanceConfig, view: &View<'_>) -> bool {
    let mut ours = config.addresses.iter().filter(|address| address.advertised).map(|a| a.address.addr());
    if ours.clone().eq(view.addresses()) {
        return false; // as nearly always; the order need not be the same
    }
    let theirs: BTreeSet<IpAddr> = view.addresses().collect();
    let count = ours.clone().count();
    count != view.addresses().count() || !ours.all(|address| theirs.contains(&address))
}

impl Instance {
    /// How well this virtual router fits a packet that several could take: by last sender, then by peer list.
    pub(super) fn fit(&self, packet: &Packet<'_>) -> u8 {
        let is_last = self.heard.master.is_some_and(|(from, _, _)| from == packet.from);
        let is_peer = match &self.config.transport.to {
            Destination::Multicast(_) => false,
            Destination::Unicast(peers) => peers.iter().any(|peer| peer.address == packet.from),
        };
        u8::from(fits_destination(&self.config, packet)) * 4 + u8::from(is_last) * 2 + u8::from(is_peer)
    }
}

#[cfg(test)]
#[path = "tests/receive.rs"]
mod tests;
