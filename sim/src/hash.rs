//! The trace hash: what two runs of one seed must agree on.
//!
//! Over what happened, in order: a multiplication per number, FNV-1a for text. Only facts go in (times, hosts, actions),
//! never addresses in memory or iteration order of anything unordered.

use std::fmt;

/// A running 64-bit hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> TraceHash {
        TraceHash(0xCBF2_9CE4_8422_2325)
    }
}

impl TraceHash {
    /// Takes in `bytes`, and how many they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.number(u64::from_le_bytes(*word)));
        self.text(rest);
    }

    /// Takes in a number.
    pub fn number(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// Takes in text byte by byte, so that the pieces in which it comes do not matter.
    fn text(&mut self, text: &[u8]) {
        for byte in text {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// Takes in numbers.
    pub fn numbers<const N: usize>(&mut self, numbers: [u64; N]) {
        numbers.into_iter().for_each(|number| self.number(number));
    }

    /// Takes in an address.
    pub fn address(&mut self, address: std::net::IpAddr) {
        match address {
            std::net::IpAddr::V4(address) => self.bytes(&address.octets()),
            std::net::IpAddr::V6(address) => self.bytes(&address.octets()),
        }
    }

    /// Takes in the debug form of `thing`, without making a string of it.
    pub fn debug(&mut self, thing: &impl fmt::Debug) {
        use fmt::Write;
        write!(self, "{thing:?}").expect("hashing cannot fail");
    }

    /// The hash so far.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Write for TraceHash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_what_happened_matters() {
        let (mut a, mut b) = (TraceHash::default(), TraceHash::default());
        a.number(1);
        a.number(2);
        b.number(2);
        b.number(1);
        assert_ne!(a.value(), b.value());
    }

    #[test]
    fn one_bit_anywhere_makes_another_hash() {
        let of = |bytes: &[u8]| {
            let mut hash = TraceHash::default();
            hash.bytes(bytes);
            hash.value()
        };
        let plain = [0x31, 51, 200, 1, 0, 100, 0x12, 0x34, 192, 0, 2, 100];
        for bit in 0..plain.len() * 8 {
            let mut other = plain;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&plain), of(&other), "bit {bit}");
        }
        assert_ne!(of(&plain), of(&plain[..11]));
        assert_ne!(of(&[0]), of(&[0, 0]));
    }
}
