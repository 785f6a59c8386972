//! The few system calls that neither std, tokio, socket2 nor netlink-sys offer: the boot-time clock, the local
//! calendar, three socket options, link-layer addresses. Safe functions; all `unsafe` of the Linux host is here.
//!
//! Decides nothing. Each block says why it is sound.

use socket2::{SockAddr, Socket};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Time since boot, suspension included (`CLOCK_BOOTTIME`).
#[expect(unsafe_code, reason = "clock_gettime; std has no boot-time clock")]
pub(crate) fn boot_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, writable timespec for the length of the call.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    debug_assert_eq!(status, 0, "CLOCK_BOOTTIME exists since Linux 2.6.39");
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// Makes a named pipe with this mode.
#[expect(unsafe_code, reason = "mkfifo; std makes no pipes with names")]
pub(crate) fn make_pipe(path: &str, mode: libc::mode_t) -> io::Result<()> {
    let path = std::ffi::CString::new(path)?;
    // SAFETY: `path` ends in a NUL and lives for the length of the call.
    if unsafe { libc::mkfifo(path.as_ptr(), mode) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The account this process works as.
#[expect(unsafe_code, reason = "geteuid; std does not tell it")]
pub(crate) fn user() -> u32 {
    // SAFETY: the call has no arguments and never fails.
    unsafe { libc::geteuid() }
}

/// A moment in the host's time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calendar {
    pub(crate) year: i32,
    /// 0..=11.
    pub(crate) month: usize,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
    /// 0..=6, from Sunday.
    pub(crate) weekday: usize,
    /// Seconds east of UTC.
    pub(crate) offset: i64,
}

/// The calendar of the host's time zone, `seconds` after 1970.
#[expect(unsafe_code, reason = "localtime_r; std knows no time zones")]
pub(crate) fn calendar(seconds: i64) -> Calendar {
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; an all-zero `tm` is a valid value (its pointer may be null), so
    // it is initialised whether or not the call succeeds.
    let parts = unsafe {
        libc::localtime_r(&raw const seconds, parts.as_mut_ptr());
        parts.assume_init()
    };
    Calendar {
        year: parts.tm_year + 1900,
        month: usize::try_from(parts.tm_mon).unwrap_or(0).min(11),
        day: parts.tm_mday,
        hour: parts.tm_hour,
        minute: parts.tm_min,
        second: parts.tm_sec,
        weekday: usize::try_from(parts.tm_wday).unwrap_or(0).min(6),
        offset: parts.tm_gmtoff,
    }
}

/// An integer socket option that socket2 does not know.
#[expect(unsafe_code, reason = "setsockopt for IP_MTU_DISCOVER, IPV6_RECVPKTINFO and IPV6_CHECKSUM")]
pub(crate) fn set_option(socket: &Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `socket` lives; the value is an i32 and its size is given.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The link-layer address of an Ethernet destination behind interface `index` (`sockaddr_ll`).
#[expect(unsafe_code, reason = "socket2 has no constructor for sockaddr_ll")]
pub(crate) fn link_layer(index: u32, protocol: u16, destination: &[u8]) -> SockAddr {
    let mut octets = [0; 8];
    let length = destination.len().min(octets.len());
    octets[..length].copy_from_slice(&destination[..length]);
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol.to_be(),
        sll_ifindex: index as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: length as u8,
        sll_addr: octets,
    };
    // SAFETY: the storage is at least as large and as aligned as any sockaddr; a whole sockaddr_ll is written to
    // it and its length is set.
    let made = unsafe {
        SockAddr::try_init(|storage, length| {
            storage.cast::<libc::sockaddr_ll>().write(address);
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    };
    made.map(|((), address)| address).expect("the closure always succeeds")
}

/// The bytes that a system call has written at the start of `buffer`.
#[expect(unsafe_code, reason = "socket2 receives into MaybeUninit")]
pub(crate) fn filled(buffer: &[MaybeUninit<u8>], length: usize) -> &[u8] {
    let part = &buffer[..length.min(buffer.len())];
    // SAFETY: every caller makes its buffer with `MaybeUninit::new(0)`, so all of it is initialised.
    unsafe { &*(std::ptr::from_ref(part) as *const [u8]) }
}

/// Watches an open socket for something to read. Needs a tokio runtime with IO.
#[expect(unsafe_code, reason = "AsyncFd must be promised that the descriptor is the socket's for good")]
pub(crate) fn watch<T: AsFd + AsRawFd>(socket: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: `socket` owns its descriptor (`AsFd`), gives the same one at each call, and closes it only when it is
    // dropped, which `AsyncFd` does after it has deregistered it.
    unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }.map_err(Into::into)
}
