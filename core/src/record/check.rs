//! Checksums of the recording: CRC-32C against damage, FNV-1a for what actions were.
//!
//! Neither protects against an attacker; a recording is read as untrusted bytes all the same.

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

static TABLE: [u32; 256] = table();

/// The CRC-32C (Castagnoli, RFC 3720) of `bytes`, which follow those whose CRC is `before` (zero: none).
#[must_use]
pub fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let mut crc = !before;
    for byte in bytes {
        let index = usize::from((crc.to_le_bytes()[0]) ^ byte);
        crc = (crc >> 8) ^ TABLE.get(index).copied().unwrap_or_default();
    }
    !crc
}

/// A running 64-bit FNV-1a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Hash {
        Hash(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    /// Takes in `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// The hash so far, folded to the 32 bits that a frame has room for.
    #[must_use]
    pub fn folded(self) -> u32 {
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        u32::from_le_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_of_the_digits_is_the_known_one() {
        assert_eq!(crc32c(0, b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(crc32c(0, b"1234"), b"56789"), 0xE306_9283);
    }

    #[test]
    fn the_order_of_bytes_matters_to_the_hash() {
        let (mut ab, mut ba) = (Hash::default(), Hash::default());
        ab.bytes(b"ab");
        ba.bytes(b"ba");
        assert_ne!(ab.folded(), ba.folded());
    }
}
