//! Somebody on the segment who means harm, or a broken box: changed copies, replays, forged advertisements, garbage.
//!
//! What the receive checks can tell apart (`noise`, random bytes) may move nobody, ever. Valid forgeries and replays
//! are an attack that VRRP without real authentication cannot withstand: while they last only the machine's own
//! safety is asked, and recovery when they end.

use super::host::Host;
use super::lan::{Body, Frame};
use super::queue::Event;
use super::shape::RouterKey;
use super::world::World;
use standfast_core::config::model::{Authentication, Destination, Family, Version};
use standfast_core::rng::{Rng, Seed};
use standfast_core::time::Time;
use standfast_core::wire::checksum::Sum;
use standfast_core::wire::vrrp::{Advertisement, ChecksumForm};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

/// The most advertisements that an attacker remembers.
pub const MAX_HEARD: usize = 32;
/// Between two changed copies, in units of the clients' own pace.
const NOISE_EVERY: (u32, u32) = (7, 10);

/// What an attacker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Valid advertisements of this priority, for all virtual routers.
    Priority(u8),
    /// The same, but for an address of its own: a foreign cluster on the segment has the same VRIDs.
    Foreign(u8),
    /// What was heard before, unchanged.
    Replay,
    /// Random bytes.
    Garbage,
}

/// An attack that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack {
    /// What is sent.
    pub what: Forgery,
    /// Between two rounds.
    pub every: Duration,
    /// When it ends.
    pub until: Time,
}

impl World {
    /// Somebody replays the last advertisement with something changed; no receiver may be moved by it.
    pub(crate) fn noise(&mut self, nth: u64) {
        let every = self.setting.probe * NOISE_EVERY.0 / NOISE_EVERY.1;
        self.queue.push(self.now + every, Event::Noise { nth: nth + 1 });
        let Some((_, frame)) = self.watch.heard.back().cloned() else { return };
        let Body::Advert { from, to, hops, payload } = &frame.body else { return };
        let (mut from, mut hops, mut changed) = (*from, *hops, payload.to_vec());
        match nth % 8 {
            0 if to.is_multicast() => hops = 254, // right in everything else, but it came through a router
            1 => changed.truncate(7),
            2 => changed[0] = 0x51,
            3 => {
                // Another virtual router, whole and valid, of the highest priority.
                let Some(other) = self.unknown_vrid(to.is_ipv6()) else { return };
                let Some(whole) = self.forge(&other, 255, from, *to, None) else { return };
                changed = whole;
            }
            4 => {
                // Not of the version that is spoken here.
                changed[0] = if changed[0] >> 4 == 2 { 0x31 } else { 0x21 };
            }
            6 | 7 => return self.counterfeit(&frame, nth % 8 == 6),
            5 if to.is_ipv4() => from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 250)),
            _ => {}
        }
        if !matches!(nth % 8, 0 | 3) && changed.len() > 2 {
            changed[2] = changed[2].wrapping_add(1); // another priority, the old checksum
        }
        if changed[..] == payload[..] && hops == 255 {
            return;
        }
        // It comes from the true sender's port, so that only the receive checks can tell.
        let body = Body::Advert { from, to: *to, hops, payload: changed };
        self.send_forged(frame.sender, frame.on, body);
    }

    /// Another member seems to send a better advertisement with a right checksum, but of the other version, or with a
    /// wrong password.
    fn counterfeit(&mut self, heard: &Frame, other_version: bool) {
        let Body::Advert { to, payload, .. } = &heard.body else { return };
        let v4 = |own: &IpAddr| own.is_ipv4();
        let own = |host: &Host| host.own.iter().map(|(_, own)| *own).find(v4);
        let member = (0..self.hosts.len()).find(|nth| *nth != heard.sender);
        let (Some(member), Some(vrid)) = (member, payload.get(1)) else { return };
        let (Some(from), Some(sender)) =
            (own(&self.hosts[member]), self.hosts.get(heard.sender).and_then(own))
        else {
            return;
        };
        if !to.is_ipv4() {
            return; // the kernel computes that checksum
        }
        let to = if to.is_multicast() { *to } else { sender };
        let key = self.routers.keys().find(|key| key.vrid == *vrid && key.family == Family::V4).cloned();
        let Some(mut bytes) = key.and_then(|key| self.forge(&key, 254, from, to, None)) else { return };
        let version = bytes[0] >> 4;
        if other_version {
            bytes[0] = if version == 2 { 0x31 } else { 0x21 };
        } else if let (2, Some(last)) = (version, bytes.last_mut()) {
            *last ^= 0x55;
        } else {
            return;
        }
        bytes[6..8].fill(0);
        let sum = Sum::default().bytes(&bytes).finish().to_be_bytes();
        bytes[6..8].copy_from_slice(&sum);
        self.send_forged(member, heard.on, Body::Advert { from, to, hops: 255, payload: bytes });
    }

    /// Starts the noise.
    pub fn make_noise(&mut self) {
        self.queue.push(self.now, Event::Noise { nth: 0 });
    }

    fn unknown_vrid(&self, v6: bool) -> Option<RouterKey> {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let interface = self.routers.keys().next()?.interface.clone();
        (200..=254)
            .map(|vrid| RouterKey { interface: interface.clone(), vrid, family })
            .find(|key| !self.routers.contains_key(key))
    }

    /// A valid advertisement as a member of `key` would send it, or one that guards `another` address; of the first
    /// virtual router's kind if there is none.
    fn forge(
        &self,
        key: &RouterKey,
        priority: u8,
        from: IpAddr,
        to: IpAddr,
        another: Option<IpAddr>,
    ) -> Option<Vec<u8>> {
        let known = self.hosts.iter().find_map(|host| host.instance(key));
        let any = self.hosts.iter().find_map(|host| host.config.instances.values().next());
        let config = known.map(|(_, config)| config).or(any)?;
        let version = if key.family == Family::V6 { Version::V3 } else { config.router.version };
        let ours = || config.addresses.iter().map(|held| held.address.addr()).collect();
        let addresses: Vec<IpAddr> = another.map_or_else(ours, |address| vec![address]);
        let of_family = addresses.iter().all(|address| address.is_ipv6() == to.is_ipv6());
        let auth = match (version, &config.authentication) {
            (Version::V2, Authentication::Pass(key)) => Some(*key),
            (Version::V2, Authentication::None) | (Version::V3, _) => None,
        };
        let interval = config.election.interval;
        let addresses: &[IpAddr] = if of_family { &addresses } else { &[] };
        let advertisement = Advertisement { version, vrid: key.vrid, priority, interval, addresses, auth };
        Some(advertisement.emit(from, to, ChecksumForm::Pseudo))
    }

    /// An attack begins.
    pub(crate) fn attack(&mut self, attack: Attack) {
        self.queue.push(self.now, Event::Attack { attack: Box::new(attack), nth: 0 });
    }

    /// The next round of an attack.
    pub(crate) fn attack_again(&mut self, attack: Box<Attack>, nth: u64) {
        if self.now > attack.until {
            return;
        }
        match attack.what {
            Forgery::Priority(priority) => self.forge_all(priority, false),
            Forgery::Foreign(priority) => self.forge_all(priority, true),
            Forgery::Replay => {
                let len = self.watch.heard.len().max(1);
                let at = usize::try_from(nth).unwrap_or(0) % len;
                if let Some((_, frame)) = self.watch.heard.get(at).cloned() {
                    self.inject(frame.on, frame.body.clone());
                }
            }
            Forgery::Garbage => self.garbage(nth),
        }
        self.queue.push(self.now + attack.every, Event::Attack { attack, nth: nth + 1 });
    }

    fn forge_all(&mut self, priority: u8, foreign: bool) {
        let keys: Vec<RouterKey> = self.routers.keys().cloned().collect();
        for key in keys {
            let Some((_, config)) = self.hosts.iter().find_map(|host| host.instance(&key)) else { continue };
            let goals: Vec<IpAddr> = match &config.transport.to {
                Destination::Multicast(group) => vec![*group],
                // To everybody, the one included whose list of peers this is.
                Destination::Unicast(_) => {
                    let v6 = key.family == Family::V6;
                    let own = self.hosts.iter().flat_map(|host| host.own.iter().map(|(_, own)| *own));
                    own.filter(|own| own.is_ipv6() == v6).collect()
                }
            };
            let from = stranger(key.family);
            let guarded = foreign.then(|| foreign_address(key.family));
            for to in goals {
                if let Some(payload) = self.forge(&key, priority, from, to, guarded) {
                    let on = standfast_core::id::Interface(super::world::FIRST_LINK);
                    self.inject(on, Body::Advert { from, to, hops: 255, payload });
                }
            }
        }
    }

    fn garbage(&mut self, nth: u64) {
        let mut rng = Rng::new(Seed(self.setting.seed)).fork(0xBAD).fork(nth);
        let Some((_, frame)) = self.watch.heard.back().cloned() else { return };
        let Body::Advert { from, to, hops, .. } = &frame.body else { return };
        let len = rng.below(60);
        let mut payload: Vec<u8> = (0..len).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
        if let (true, Some(head)) = (rng.chance(700), payload.get_mut(0..2)) {
            // Near enough to a packet to get past the first look.
            let vrid = self.routers.keys().next().map_or(1, |key| key.vrid);
            head.copy_from_slice(&[if rng.chance(500) { 0x21 } else { 0x31 }, vrid]);
        }
        self.inject(frame.on, Body::Advert { from: *from, to: *to, hops: *hops, payload });
    }

    /// Puts a frame on every wire at once: the attacker's own port is never in trouble.
    fn inject(&mut self, on: standfast_core::id::Interface, body: Body) {
        let frame = Rc::new(Frame { sender: self.lan.ports(), order: u64::MAX, honest: false, on, body });
        let at = self.now + Duration::from_micros(40);
        for to in 0..self.hosts.len() {
            self.queue.push(at, Event::Arrive { to, frame: frame.clone() });
        }
    }

    /// Damages a frame: a bit flips, or the end is cut off.
    pub(crate) fn damaged(frame: &Frame, damage: u64) -> Frame {
        let mut frame = Frame { honest: false, ..frame.clone() };
        if let Body::Advert { payload, .. } | Body::Control { payload, .. } = &mut frame.body {
            let at = usize::try_from(damage >> 8).unwrap_or(0) % payload.len().max(1);
            if damage.is_multiple_of(4) {
                payload.truncate(at);
            } else if let Some(byte) = payload.get_mut(at) {
                *byte ^= 1 << ((damage >> 2) % 8);
            }
        }
        frame
    }
}

/// What a foreign cluster guards.
fn foreign_address(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 7)),
    }
}

/// Nobody's address.
fn stranger(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 251)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xbad)),
    }
}
