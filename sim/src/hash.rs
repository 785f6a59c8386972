//! The trace hash: what two runs of one seed must agree on.
//!
//! FNV-1a over what happened, in order. Only facts go in (times, hosts, actions), never addresses in memory or
//! iteration order of anything unordered.

use std::fmt;

/// A running 64-bit FNV-1a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> TraceHash {
        TraceHash(0xCBF2_9CE4_8422_2325)
    }
}

impl TraceHash {
    /// Takes in `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// Takes in a number.
    pub fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
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
        self.bytes(text.as_bytes());
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
}
