//! Adds, renews and deletes addresses, routes and rules: one thread, one routing socket, one request at a time, in order.
//!
//! The kernel carries a request out while it is being sent, and may wait for its big routing lock in there (busy
//! container hosts); on a thread of its own that delays no advertisement. Decides only what is success (an address
//! that is there already, or gone already) and that a renewal which has waited too long is not carried out.

use super::messages::{self, Message};
use super::sys;
use crate::host::AddressRequest;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use standfast_core::id::Ticket;
use standfast_core::input::{Errno, Input};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Requests that may wait; one more is answered with `ENOBUFS` at once.
pub(super) const MAX_WAITING: usize = 4096;
/// Where a netlink header has its sequence number.
const SEQUENCE: std::ops::Range<usize> = 8..12;
const ANSWER: usize = 8 * 1024;
/// An interface index that cannot exist, for a request that can have no effect.
const NO_INTERFACE: u32 = i32::MAX as u32;

/// The waiting line in front of the thread.
#[derive(Debug)]
pub(super) struct Addresses {
    line: SyncSender<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    what: What,
    /// Boot time at which it was asked for.
    since: Duration,
}

#[derive(Debug)]
enum What {
    Address(AddressRequest),
    /// A whole message but for its sequence number.
    Item(Ticket, Vec<u8>),
}

impl Addresses {
    /// Starts the thread. `EPERM` when this process may not change addresses.
    pub(super) fn new(to: Sender<Input<'static>>) -> io::Result<Addresses> {
        let mut kernel = Kernel::new()?;
        kernel.check_permission()?;
        let (line, waiting) = sync_channel(MAX_WAITING);
        std::thread::Builder::new()
            .name("addresses".into())
            .spawn(move || serve(&mut kernel, &waiting, &to))?;
        Ok(Addresses { line })
    }

    /// Puts a request in line; its answer comes through the channel, or at once as an error.
    pub(super) fn request(&self, request: AddressRequest) -> Result<(), Errno> {
        self.put(What::Address(request))
    }

    /// The same for a route, a rule or a static address.
    pub(super) fn item(&self, ticket: Ticket, message: Vec<u8>) -> Result<(), Errno> {
        self.put(What::Item(ticket, message))
    }

    fn put(&self, what: What) -> Result<(), Errno> {
        let waiting = Waiting { what, since: sys::boot_time() };
        self.line.try_send(waiting).map_err(|_| Errno(libc::ENOBUFS))
    }
}

fn serve(kernel: &mut Kernel, line: &Receiver<Waiting>, to: &Sender<Input<'static>>) {
    for waiting in line {
        let late = sys::boot_time().saturating_sub(waiting.since);
        let (ticket, result) = match waiting.what {
            What::Address(request) if outlived(&request, late) => {
                (request.ticket, Err(Errno(libc::ECANCELED)))
            }
            What::Address(request) => (request.ticket, kernel.carry_out(&request)),
            What::Item(ticket, message) => (ticket, kernel.converse(message)),
        };
        if to.blocking_send(done(ticket, result)).is_err() {
            return;
        }
    }
}

/// A renewal that waited for half its lease may belong to a time when this node was still entitled to the address:
/// the process may have been frozen in between. The node asks again if it still wants it.
fn outlived(request: &AddressRequest, late: Duration) -> bool {
    request.own && request.lease.is_some_and(|lease| late > lease / 2)
}

pub(super) fn done(ticket: Ticket, result: Result<(), Errno>) -> Input<'static> {
    Input::Done { ticket, result }
}

/// A blocking conversation with the kernel.
struct Kernel {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Kernel {
    fn new() -> io::Result<Kernel> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        Ok(Kernel { socket, sequence: 0, buffer: Vec::with_capacity(ANSWER) })
    }

    /// Deletes an address from an interface that cannot exist: the kernel looks at the permission first.
    fn check_permission(&mut self) -> io::Result<()> {
        let request = AddressRequest {
            ticket: Ticket(0),
            on: standfast_core::id::Interface(NO_INTERFACE),
            address: ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::LOCALHOST, 32).into(),
            own: false,
            lease: None,
            how: std::sync::Arc::default(),
        };
        match self.ask(&request) {
            Err(Errno::EPERM) => Err(io::Error::from_raw_os_error(libc::EPERM)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn carry_out(&mut self, request: &AddressRequest) -> Result<(), Errno> {
        match (request.own, self.ask(request)) {
            (true, Err(Errno::EEXIST)) | (false, Err(Errno::EADDRNOTAVAIL)) => Ok(()),
            (_, answer) => answer,
        }
    }

    fn ask(&mut self, request: &AddressRequest) -> Result<(), Errno> {
        self.converse(messages::address(request, 0))
    }

    /// Sends a message under a sequence number of its own, and takes its answer.
    fn converse(&mut self, mut bytes: Vec<u8>) -> Result<(), Errno> {
        self.sequence = self.sequence.wrapping_add(1);
        bytes[SEQUENCE].copy_from_slice(&self.sequence.to_ne_bytes());
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0).map_err(|error| errno(&error))?;
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(errno(&error)),
            }
            for received in messages::parse(&self.buffer) {
                if let (true, Message::Answer(answer)) =
                    (received.sequence == self.sequence, received.message)
                {
                    return answer.map_or(Ok(()), Err);
                }
            }
        }
    }
}

/// The kernel's number behind an error; `EIO` when it has none.
pub(super) fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::id::Interface;

    fn request(own: bool, lease: Option<Duration>) -> AddressRequest {
        AddressRequest {
            ticket: Ticket(1),
            on: Interface(1),
            address: "192.0.2.100/24".parse().unwrap(),
            own,
            lease,
            how: std::sync::Arc::default(),
        }
    }

    #[test]
    fn only_a_renewal_that_waited_half_its_lease_is_dropped() {
        let lease = Some(Duration::from_secs(2));
        let late = Duration::from_millis(1001);
        assert!(outlived(&request(true, lease), late));
        assert!(!outlived(&request(true, lease), Duration::from_secs(1)));
        assert!(!outlived(&request(true, None), late));
        assert!(!outlived(&request(false, lease), late));
    }

    #[test]
    fn one_request_more_than_may_wait_is_refused_at_once() {
        let (line, _waiting) = sync_channel(MAX_WAITING);
        let addresses = Addresses { line };
        for _ in 0..MAX_WAITING {
            assert_eq!(addresses.request(request(true, None)), Ok(()));
        }
        assert_eq!(addresses.request(request(true, None)), Err(Errno(libc::ENOBUFS)));
    }
}
