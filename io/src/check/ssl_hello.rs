//! `option ssl-hello-chk`: does something at that port answer a very old TLS hello with a TLS record?
//!
//! Sends the 126-byte SSL 3.0 ClientHello and reads 5 bytes: an alert (0x15) or a handshake (0x16) record is good.
//! A modern server refuses SSL 3.0 with an alert, and that is enough; nothing is said about `/healthz`.

use super::verdict::{Failure, Passed, fail, words};
use standfast_core::input::CheckCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Bytes of the hello.
pub const LENGTH: usize = 126;
/// Bytes of an answer that decide: a record header.
const NEEDED: usize = 5;
/// Ours, since the time field and the "random" of a hello that is never finished protect nothing.
const RANDOM: &[u8; 28] = b"standfast old SSL hello chk\n";
/// The old cipher suites, the range of SSL 3.0 and that of the first AES suites, both ends included.
const CIPHERS: [(u8, u8); 2] = [(0x01, 0x1B), (0x2F, 0x3A)];

/// The hello, with `time` (seconds since 1970) in its time field.
#[must_use]
pub fn hello(time: u32) -> [u8; LENGTH] {
    let mut out = [0; LENGTH];
    // Record: handshake, version 3.0, 0x79 bytes. Message: ClientHello, 0x75 bytes, version 3.0.
    out[..11].copy_from_slice(&[0x16, 3, 0, 0, 0x79, 0x01, 0, 0, 0x75, 3, 0]);
    out[11..15].copy_from_slice(&time.to_be_bytes());
    out[15..43].copy_from_slice(RANDOM);
    // Empty session id, then 39 suites of two bytes, then one compression method: none.
    out[43..46].copy_from_slice(&[0, 0, 78]);
    let ciphers = CIPHERS.iter().flat_map(|(first, last)| *first..=*last);
    for (slot, cipher) in out[46..124].chunks_exact_mut(2).zip(ciphers) {
        slot[1] = cipher;
    }
    out[124..].copy_from_slice(&[1, 0]);
    out
}

/// Says hello on `stream` and judges the answer.
pub(super) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    end: Instant,
) -> Result<Passed, Failure> {
    let work = async {
        // The time field is zero: a clock would make two runs of the simulator differ, and no server reads it.
        stream.write_all(&hello(0)).await?;
        let mut answer = [0; NEEDED];
        let mut filled = 0;
        while filled < NEEDED {
            match stream.read(&mut answer[filled..]).await? {
                0 => break,
                n => filled += n,
            }
        }
        Ok::<_, std::io::Error>((answer, filled))
    };
    match timeout_at(end, work).await {
        Err(_) => fail(CheckCode::L6Timeout, ""),
        // haproxy's word for a connection that breaks after it was established.
        Ok(Err(error)) => fail(CheckCode::SocketError, words(&error)),
        Ok(Ok((_, 0))) => fail(CheckCode::L6Response, "empty response"),
        Ok(Ok(([0x15 | 0x16, ..], NEEDED))) => Ok(Passed::plain(CheckCode::L6Ok)),
        Ok(Ok((_, NEEDED))) => fail(CheckCode::L6Response, "the answer is not TLS"),
        Ok(Ok((_, n))) => fail(CheckCode::L6Response, format!("closed after {n} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_is_the_old_one_to_the_byte() {
        let hello = hello(0x0102_0304);
        assert_eq!(hello.len(), 126);
        assert_eq!(hello[..5], [0x16, 3, 0, 0, 0x79], "record: 121 bytes follow");
        assert_eq!(hello[5..11], [1, 0, 0, 0x75, 3, 0], "message: 117 bytes follow");
        assert_eq!(hello[11..15], [1, 2, 3, 4]);
        assert_eq!(hello[43], 0, "no session id");
        assert_eq!(hello[44..46], [0, 78], "39 suites");
        let suites: Vec<u16> = hello[46..124].chunks(2).map(|c| u16::from_be_bytes([c[0], c[1]])).collect();
        let wanted: Vec<u16> = (0x01..=0x1B).chain(0x2F..=0x3A).collect();
        assert_eq!(suites, wanted);
        assert_eq!(hello[124..], [1, 0], "one compression method: none");
    }
}
