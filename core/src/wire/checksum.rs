//! The Internet checksum (RFC 1071) and the pseudo headers that VRRP puts in front of it.
//!
//! Sums are kept in 32 bits and folded once at the end: 255 addresses of 16 octets are 2,048 words at most, so the
//! sum cannot overflow for anything an advertisement may hold, and longer input is folded on the way.

use core::net::IpAddr;

/// IP protocol number of VRRP.
pub const PROTOCOL_VRRP: u8 = 112;

/// A running one's complement sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u32);

impl Sum {
    /// Adds bytes as big-endian words; an odd last byte is padded with zero.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Sum {
        let mut sum = self.0;
        for word in bytes.chunks(2) {
            let high = u32::from(word.first().copied().unwrap_or(0)) << 8;
            let low = u32::from(word.get(1).copied().unwrap_or(0));
            sum += high | low;
            sum = (sum & 0xffff) + (sum >> 16);
        }
        Sum(sum)
    }

    /// Adds the pseudo header of RFC 9293 (IPv4) or RFC 8200 section 8.1 (IPv6).
    #[must_use]
    pub fn pseudo(self, from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Sum {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        self.address(from).address(to).bytes(&[0, protocol]).bytes(&length)
    }

    fn address(self, address: IpAddr) -> Sum {
        match address {
            IpAddr::V4(a) => self.bytes(&a.octets()),
            IpAddr::V6(a) => self.bytes(&a.octets()),
        }
    }

    /// The checksum to put on the wire; zero when the summed bytes hold a right one.
    #[must_use]
    pub fn finish(self) -> u16 {
        let folded = (self.0 & 0xffff) + (self.0 >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        !u16::try_from(folded & 0xffff).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_sums_up() {
        let sum = Sum::default().bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.finish(), !0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half_of_a_word() {
        assert_eq!(Sum::default().bytes(&[0x12]).finish(), !0x1200);
    }

    #[test]
    fn long_input_folds_instead_of_overflowing() {
        let zeros_complement = Sum::default().bytes(&[0xff; 200_000]).finish();
        assert_eq!(zeros_complement, 0);
    }

    #[test]
    fn the_pseudo_header_counts_both_addresses_protocol_and_length() {
        let from = "192.0.2.1".parse().unwrap();
        let to = "224.0.0.18".parse().unwrap();
        let by_hand = Sum::default().bytes(&[192, 0, 2, 1, 224, 0, 0, 18, 0, 112, 0, 12]);
        assert_eq!(Sum::default().pseudo(from, to, PROTOCOL_VRRP, 12).finish(), by_hand.finish());
    }
}
