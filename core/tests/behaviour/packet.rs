//! A peer's advertisement in words: `PRIORITY` as the first router's peers would send it, then any of `from= to= on= of=`
//! (name of the router it is for) `ttl= every=` (seconds) `list=` (addresses, comma) `vrid= version= type= auth= pass=`
//! `sum=bad|plain|old` `cut=` (so many octets) `pad=` (so many more).

use super::{PEER, seconds};
use standfast_core::config::model::{Authentication, Config, Destination, Family, Version};
use standfast_core::wire::vrrp::{Advertisement, ChecksumForm};
use std::net::IpAddr;

/// A packet.
pub struct Packet {
    pub on: String,
    pub from: IpAddr,
    pub to: IpAddr,
    pub hops: u8,
    pub payload: Vec<u8>,
}

impl Packet {
    /// Reads the words.
    pub fn read(config: &Config, words: &[&str]) -> Packet {
        let value = |key: &str| {
            words[1..].iter().find_map(|word| word.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')))
        };
        let known = "from to on of ttl every list vrid version type auth pass sum cut pad";
        for word in &words[1..] {
            let key = word.split('=').next().unwrap();
            assert!(known.split(' ').any(|k| k == key), "`{word}` is no word of a packet");
        }
        let mut all = config.instances.values();
        let one = all.find(|i| value("of").is_none_or(|name| *i.name == *name)).unwrap();
        let v4 = one.router.family == Family::V4;
        let from: IpAddr = value("from").unwrap_or(PEER[usize::from(!v4)]).parse().unwrap();
        let to: IpAddr = match (value("to"), &one.transport.to) {
            (Some(to), _) => to.parse().unwrap(),
            (None, Destination::Multicast(group)) => *group,
            (None, Destination::Unicast(_)) => if v4 { "192.0.2.10" } else { "fe80::10" }.parse().unwrap(),
        };
        let number = |key: &str, default: u8| value(key).map_or(default, |n| n.parse().unwrap());
        let ours = || one.addresses.iter().filter(|a| a.advertised).map(|a| a.address.addr()).collect();
        let addresses: Vec<IpAddr> =
            value("list").map_or_else(ours, |list| list.split(',').map(|a| a.parse().unwrap()).collect());
        let version = match value("version") {
            Some("2") => Version::V2,
            Some("3") => Version::V3,
            _ => one.router.version,
        };
        let auth = match (version, &one.authentication) {
            (Version::V2, Authentication::Pass(key)) => Some(*key),
            _ => None,
        };
        let advertisement = Advertisement {
            version,
            vrid: number("vrid", one.router.vrid),
            priority: words[0].parse().unwrap(),
            interval: value("every").map_or(one.election.interval, seconds),
            addresses: &addresses,
            auth,
        };
        let form = match value("sum") {
            Some("plain") => ChecksumForm::Plain,
            Some("old") => ChecksumForm::OldUnicast,
            _ => ChecksumForm::Pseudo,
        };
        let mut payload = advertisement.emit(from, to, form);
        let mut changed = false;
        if let Some(kind) = value("type") {
            payload[0] = (payload[0] & 0xf0) | kind.parse::<u8>().unwrap();
            changed = true;
        }
        if let Some(kind) = value("auth") {
            payload[4] = kind.parse().unwrap();
            changed = true;
        }
        if let Some(word) = value("pass") {
            let at = payload.len() - 8;
            payload[at..].fill(0);
            payload[at..at + word.len()].copy_from_slice(word.as_bytes());
            changed = true;
        }
        if changed {
            resum(&mut payload);
        }
        if value("sum") == Some("bad") {
            payload[7] ^= 0x41;
        }
        payload.truncate(value("cut").map_or(payload.len(), |n| n.parse().unwrap()));
        payload.resize(payload.len() + usize::from(number("pad", 0)), 0);
        let on = value("on").unwrap_or("eth0").to_owned();
        Packet { on, from, to, hops: number("ttl", 255), payload }
    }
}

/// Puts version 2's checksum right after a change.
fn resum(bytes: &mut [u8]) {
    bytes[6..8].fill(0);
    let mut sum: u32 =
        bytes.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(*two.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    bytes[6..8].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
}
