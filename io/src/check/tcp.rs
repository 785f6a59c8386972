//! The connect step that every network check begins with.
//!
//! Bounded by the probe's own connect time and by the end of the whole run. From here on the connection ends with a
//! reset, so that a check leaves no TIME_WAIT behind (haproxy 3.3).

use super::LONGEST;
use super::verdict::{Failure, fail, words};
use crate::fabric::Fabric;
use standfast_core::input::CheckCode;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Connects to `to` within `within`, at the latest by `end`.
pub(super) async fn connect<F: Fabric>(
    fabric: &F,
    to: SocketAddr,
    within: Duration,
    end: Instant,
) -> Result<F::Stream, Failure> {
    let until = end.min(Instant::now() + within.min(LONGEST));
    match timeout_at(until, fabric.connect(to)).await {
        Err(_) => fail(CheckCode::L4Timeout, ""),
        Ok(Ok(stream)) => {
            fabric.reset_on_drop(&stream);
            Ok(stream)
        }
        Ok(Err(error)) if ours(&error) => fail(CheckCode::SocketError, words(&error)),
        Ok(Err(error)) => fail(CheckCode::L4Connection, words(&error)),
    }
}

/// The host could not even try.
fn ours(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EMFILE
                | libc::ENFILE
                | libc::ENOBUFS
                | libc::ENOMEM
                | libc::EAGAIN
                | libc::EADDRINUSE
                | libc::EADDRNOTAVAIL
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_our_own_is_not_the_server_s_fault() {
        assert!(ours(&io::Error::from_raw_os_error(libc::EMFILE)));
        assert!(!ours(&io::Error::from_raw_os_error(libc::ECONNREFUSED)));
        assert!(!ours(&io::Error::from_raw_os_error(libc::EHOSTUNREACH)));
    }
}
