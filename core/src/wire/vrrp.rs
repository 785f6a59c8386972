//! VRRP advertisements: version 2 (RFC 3768), version 3 (RFC 5798, RFC 9568), over IPv4 and IPv6.
//!
//! [`View`] looks at untrusted bytes through the eyes of one version and family: construction checks the length and
//! nothing else, so that the receive checks can be made in their order (`vrrp::receive`). [`Advertisement`] is what
//! goes out. Octets: version and type, VRID, priority, count, then version 2: authentication type, seconds;
//! version 3: four reserved bits, twelve of centiseconds; checksum, addresses, and in version 2 eight octets of
//! authentication data.

use super::checksum::{PROTOCOL_VRRP, Sum};
use crate::config::model::{Family, Version};
use crate::event::PacketError;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

/// Octets before the addresses.
pub const HEADER: usize = 8;
/// Octets of version 2's authentication data.
pub const AUTH_DATA: usize = 8;
/// The most addresses of an advertisement: its count has eight bits.
pub const MAX_ADDRESSES: usize = 255;
/// The only type of packet there is.
pub const TYPE_ADVERTISEMENT: u8 = 1;
/// The longest interval of version 3, in centiseconds: twelve bits.
pub const MAX_CENTISECONDS: u16 = 0x0fff;
/// Payload of the shortest Ethernet frame, and the IPv4 header before us: what a short packet may be padded to.
const ETHERNET_PAYLOAD: usize = 46;
const IPV4_HEADER: usize = 20;

/// How the checksum is computed. Version 2 never has a pseudo header, IPv6 always has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumForm {
    /// With pseudo header: RFC 5798 as keepalived and most others read it.
    #[default]
    Pseudo,
    /// Version 3 over IPv4 without (RFC 9568; `v3_checksum_as_v2`).
    Plain,
    /// Version 3 over IPv4 by unicast as keepalived did up to 1.3.6: the pseudo header names the multicast group,
    /// wherever the packet goes.
    OldUnicast,
}

/// The group in the pseudo header of [`ChecksumForm::OldUnicast`].
const OLD_UNICAST_TO: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

const fn address_size(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// The nibble on the wire.
#[must_use]
pub const fn number(version: Version) -> u8 {
    match version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

/// The VRID of any packet, if it is long enough to have one.
#[must_use]
pub fn vrid(bytes: &[u8]) -> Option<u8> {
    bytes.get(1).copied()
}

/// Untrusted bytes of the right length, seen as a packet of one version and family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    header: &'a [u8; HEADER],
    addresses: &'a [u8],
    auth: [u8; AUTH_DATA],
    whole: &'a [u8],
    version: Version,
    family: Family,
}

impl<'a> View<'a> {
    /// Looks at `bytes`; fails with `Length` unless they are header, addresses and authentication data, and no
    /// more than the padding of a short Ethernet frame.
    pub fn new(bytes: &'a [u8], version: Version, family: Family) -> Result<View<'a>, PacketError> {
        let header: &[u8; HEADER] = bytes.first_chunk().ok_or(PacketError::Length)?;
        let count = usize::from(header[3]);
        let addresses_end = HEADER + count * address_size(family);
        let end = match version {
            Version::V2 => addresses_end + AUTH_DATA,
            Version::V3 => addresses_end,
        };
        let whole = bytes.get(..end).ok_or(PacketError::Length)?;
        let room = match family {
            Family::V4 => ETHERNET_PAYLOAD.saturating_sub(IPV4_HEADER).max(end),
            Family::V6 => end,
        };
        if bytes.len() > room {
            return Err(PacketError::Length);
        }
        let addresses = whole.get(HEADER..addresses_end).ok_or(PacketError::Length)?;
        let auth = whole.get(addresses_end..).and_then(|tail| tail.first_chunk().copied());
        Ok(View { header, addresses, auth: auth.unwrap_or_default(), whole, version, family })
    }

    /// The version nibble.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.header[0] >> 4
    }

    /// The type nibble.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.header[0] & 0x0f
    }

    /// The VRID.
    #[must_use]
    pub const fn vrid(&self) -> u8 {
        self.header[1]
    }

    /// The priority; zero is a farewell, 255 the owner.
    #[must_use]
    pub const fn priority(&self) -> u8 {
        self.header[2]
    }

    /// Authentication type; zero in version 3, which has none.
    #[must_use]
    pub const fn auth_type(&self) -> u8 {
        match self.version {
            Version::V2 => self.header[4],
            Version::V3 => 0,
        }
    }

    /// Version 2's authentication data; zeros in version 3.
    #[must_use]
    pub const fn auth_data(&self) -> [u8; AUTH_DATA] {
        self.auth
    }

    /// The interval: seconds in version 2, centiseconds in version 3. May be zero.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self.version {
            Version::V2 => Duration::from_secs(u64::from(self.header[5])),
            Version::V3 => {
                let field = u16::from_be_bytes([self.header[4], self.header[5]]) & MAX_CENTISECONDS;
                Duration::from_millis(u64::from(field) * 10)
            }
        }
    }

    /// The addresses, in the packet's order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let family = self.family;
        self.addresses.chunks_exact(address_size(family)).filter_map(move |octets| match family {
            Family::V4 => octets.first_chunk::<4>().map(|o| IpAddr::V4(Ipv4Addr::from(*o))),
            Family::V6 => octets.first_chunk::<16>().map(|o| IpAddr::V6(Ipv6Addr::from(*o))),
        })
    }

    /// The checksum is right in the form this version and family has; version 3 over IPv4 may have either form,
    /// since implementations differ (RFC 5798 against RFC 9568 section 5.2.8). A wrong one never passes (keepalived
    /// 2.2.8 and later with `v3_checksum_as_v2` lets any pass).
    #[must_use]
    pub fn checksum_is_right(&self, from: IpAddr, to: IpAddr) -> bool {
        let plain = Sum::default().bytes(self.whole).finish() == 0;
        let pseudo = self.is_right_with(from, to);
        match (self.version, self.family) {
            (Version::V2, Family::V4) => plain,
            (Version::V3, Family::V4) => plain || pseudo,
            // The kernel computes it for raw IPv6 sockets, whatever the version.
            (Version::V2 | Version::V3, Family::V6) => pseudo,
        }
    }

    /// The checksum is right in the form of [`ChecksumForm::OldUnicast`], which only version 3 over IPv4 ever had.
    #[must_use]
    pub fn checksum_is_old(&self, from: IpAddr) -> bool {
        (self.version, self.family) == (Version::V3, Family::V4) && self.is_right_with(from, OLD_UNICAST_TO)
    }

    fn is_right_with(&self, from: IpAddr, to: IpAddr) -> bool {
        Sum::default().pseudo(from, to, PROTOCOL_VRRP, self.whole.len()).bytes(self.whole).finish() == 0
    }
}

/// An advertisement to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement<'a> {
    /// Protocol version.
    pub version: Version,
    /// Virtual router.
    pub vrid: u8,
    /// Priority; zero says farewell.
    pub priority: u8,
    /// Interval, rounded down to the wire's unit and limited to its field.
    pub interval: Duration,
    /// Addresses, all of one family; those past [`MAX_ADDRESSES`] are left out.
    pub addresses: &'a [IpAddr],
    /// Version 2: type and data.
    pub auth: Option<[u8; AUTH_DATA]>,
}

impl Advertisement<'_> {
    /// The bytes, with checksum, as sent from `from` to `to`.
    #[must_use]
    pub fn emit(&self, from: IpAddr, to: IpAddr, form: ChecksumForm) -> Vec<u8> {
        let addresses = self.addresses.get(..MAX_ADDRESSES).unwrap_or(self.addresses);
        let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
        let mut bytes = Vec::with_capacity(HEADER + addresses.len() * 16 + AUTH_DATA);
        bytes.extend_from_slice(&[
            (number(self.version) << 4) | TYPE_ADVERTISEMENT,
            self.vrid,
            self.priority,
            count,
        ]);
        match self.version {
            Version::V2 => {
                let seconds = u8::try_from(self.interval.as_secs()).unwrap_or(u8::MAX);
                bytes.extend_from_slice(&[u8::from(self.auth.is_some()), seconds]);
            }
            Version::V3 => {
                let field = u16::try_from(self.interval.as_millis() / 10).unwrap_or(u16::MAX);
                bytes.extend_from_slice(&field.min(MAX_CENTISECONDS).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[0, 0]);
        for address in addresses {
            match address {
                IpAddr::V4(a) => bytes.extend_from_slice(&a.octets()),
                IpAddr::V6(a) => bytes.extend_from_slice(&a.octets()),
            }
        }
        if self.version == Version::V2 {
            bytes.extend_from_slice(&self.auth.unwrap_or_default());
        }
        let pseudo = |to: IpAddr| Sum::default().pseudo(from, to, PROTOCOL_VRRP, bytes.len());
        let sum = match (self.version, from, form) {
            (Version::V2, IpAddr::V4(_), _) | (Version::V3, IpAddr::V4(_), ChecksumForm::Plain) => {
                Sum::default()
            }
            (Version::V3, IpAddr::V4(_), ChecksumForm::OldUnicast) => pseudo(OLD_UNICAST_TO),
            (Version::V3, IpAddr::V4(_), ChecksumForm::Pseudo)
            | (Version::V2 | Version::V3, IpAddr::V6(_), _) => pseudo(to),
        };
        let checksum = sum.bytes(&bytes).finish().to_be_bytes();
        for (at, octet) in bytes.iter_mut().skip(6).zip(checksum) {
            *at = octet;
        }
        bytes
    }
}

/// What the fuzz target and `cargo test` run: parses `bytes` in every combination, emits again what parsed, and
/// asserts that the round trip loses nothing and has a right checksum.
///
/// # Panics
/// When the codec is wrong.
pub fn fuzz_advertisement(bytes: &[u8]) {
    for (version, family) in [
        (Version::V2, Family::V4),
        (Version::V2, Family::V6),
        (Version::V3, Family::V4),
        (Version::V3, Family::V6),
    ] {
        let Ok(view) = View::new(bytes, version, family) else { continue };
        let (from, to): (IpAddr, IpAddr) = match family {
            Family::V4 => (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(224, 0, 0, 18).into()),
            Family::V6 => (
                Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into(),
                Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
            ),
        };
        let _ = view.checksum_is_right(from, to);
        let addresses: Vec<IpAddr> = view.addresses().collect();
        let again = Advertisement {
            version,
            vrid: view.vrid(),
            priority: view.priority(),
            interval: view.interval(),
            addresses: &addresses,
            auth: (version == Version::V2 && view.auth_type() == 1).then(|| view.auth_data()),
        };
        for form in [ChecksumForm::Pseudo, ChecksumForm::Plain] {
            let emitted = again.emit(from, to, form);
            let seen = View::new(&emitted, version, family).expect("what was emitted has the right length");
            assert!(seen.checksum_is_right(from, to), "checksum of {emitted:?}");
            assert_eq!(seen.version(), number(version));
            assert_eq!(seen.kind(), TYPE_ADVERTISEMENT);
            assert_eq!((seen.vrid(), seen.priority()), (view.vrid(), view.priority()));
            assert_eq!(seen.interval(), view.interval());
            assert!(seen.addresses().eq(view.addresses()));
        }
    }
}

#[cfg(test)]
#[path = "vrrp_tests.rs"]
mod tests;
