//! Secrets are replaced before they are written: by fingerprints of the same length under a key that nobody keeps.
//!
//! The key is drawn when a recording begins and never leaves memory, so that a password of eight bytes cannot be
//! guessed from the file. Equal secrets have equal fingerprints and others do not (but for a chance of 2^-64), and
//! that is all a node asks of them. The checksum of an advertisement is adjusted for the exchanged words (RFC 1624
//! equation 3), so that a right one stays right and a wrong one stays wrong. Fingerprints are SipHash-2-4.

use crate::wire::vrrp::{AUTH_DATA, HEADER};
use alloc::format;
use alloc::string::String;

/// What fingerprints are made with; to be drawn at random.
#[derive(Clone, Copy)]
pub struct Key {
    k0: u64,
    k1: u64,
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)") // would undo the redaction
    }
}

impl Key {
    /// The key of these random numbers.
    #[must_use]
    pub const fn new(k0: u64, k1: u64) -> Key {
        Key { k0, k1 }
    }

    /// SipHash-2-4 of `bytes` (Aumasson and Bernstein 2012).
    fn hash(self, bytes: &[u8]) -> u64 {
        let mut v = [
            self.k0 ^ 0x736f_6d65_7073_6575,
            self.k1 ^ 0x646f_7261_6e64_6f6d,
            self.k0 ^ 0x6c79_6765_6e65_7261,
            self.k1 ^ 0x7465_6462_7974_6573,
        ];
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = u64::from_le_bytes(chunk.first_chunk().copied().unwrap_or_default());
            absorb(&mut v, word);
        }
        let mut last = [0_u8; 8];
        for (at, byte) in last.iter_mut().zip(chunks.remainder()) {
            *at = *byte;
        }
        last[7] = bytes.len().to_le_bytes()[0];
        absorb(&mut v, u64::from_le_bytes(last));
        v[2] ^= 0xff;
        for _ in 0..4 {
            round(&mut v);
        }
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }

    /// Replaces `secret` by its fingerprint. Zeros, which say that there is none, stay zeros.
    pub(super) fn replace(self, secret: &mut [u8]) {
        if secret.iter().all(|byte| *byte == 0) {
            return;
        }
        let seed = self.hash(secret);
        for (nth, chunk) in (0_u64..).zip(secret.chunks_mut(8)) {
            let word = if nth == 0 { seed } else { self.hash(&(seed ^ nth).to_le_bytes()) };
            // The low bit of the first byte makes sure that it does not become zeros.
            let bytes = (word | 1).to_le_bytes();
            chunk.iter_mut().zip(bytes).for_each(|(at, byte)| *at = byte);
        }
    }

    /// The fingerprint of a text, as text; of an empty one nothing.
    pub(super) fn text(self, secret: &str) -> String {
        if secret.is_empty() { String::new() } else { format!("{:016x}", self.hash(secret.as_bytes())) }
    }

    /// Redacts the payload of an advertisement: version 2's password, and whatever stands where none should.
    ///
    /// What the receive checks never look at before they reject a packet is zeroed, since a damaged packet may hold
    /// the password anywhere.
    pub(super) fn replace_in_packet(self, payload: &mut [u8], is_ipv6: bool) {
        let Some(header) = payload.first_chunk::<HEADER>().copied() else { return };
        let address = if is_ipv6 { 16 } else { 4 };
        let end = HEADER + usize::from(header[3]) * address;
        let version = header[0] >> 4;
        match (version, payload.get_mut(end..end + AUTH_DATA)) {
            (2, Some(auth)) => {
                let before: [u8; AUTH_DATA] = auth.first_chunk().copied().unwrap_or_default();
                self.replace(auth);
                let after: [u8; AUTH_DATA] = auth.first_chunk().copied().unwrap_or_default();
                let checksum = adjusted(u16::from_be_bytes([header[6], header[7]]), &before, &after);
                for (at, byte) in payload.iter_mut().skip(6).zip(checksum.to_be_bytes()) {
                    *at = byte;
                }
                payload.iter_mut().skip(end + AUTH_DATA).for_each(|byte| *byte = 0);
            }
            (3, _) => payload.iter_mut().skip(end).for_each(|byte| *byte = 0),
            // Too short, or of a version that nobody takes.
            _ => payload.iter_mut().skip(HEADER).for_each(|byte| *byte = 0),
        }
    }
}

/// RFC 1624 equation 3: HC' = ~(~HC + ~m + m').
fn adjusted(checksum: u16, before: &[u8; AUTH_DATA], after: &[u8; AUTH_DATA]) -> u16 {
    let words = |bytes: &[u8; AUTH_DATA]| {
        let [a, b, c, d, e, f, g, h] = *bytes;
        [[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes)
    };
    let mut sum = u32::from(!checksum);
    for (old, new) in words(before).into_iter().zip(words(after)) {
        sum += u32::from(!old) + u32::from(new);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum & 0xffff).unwrap_or_default()
}

fn absorb(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
#[path = "tests/redact.rs"]
mod tests;
