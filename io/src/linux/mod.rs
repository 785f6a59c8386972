//! Linux: netlink, raw sockets, BFD's UDP sockets, ARP, neighbour discovery, processes.
//!
//! [`LinuxHost`] is what the driver sees. Packets and announcements are sent at once by non-blocking system calls;
//! address requests go to a thread in order; everything that comes back shares one bounded channel, so that no
//! source can crowd out another for long. A flood of packets fills the sockets' buffers and is dropped by the
//! kernel; a flood of notices ends in a new dump.

mod accounts;
mod addresses;
mod bfd_socket;
mod items;
mod messages;
mod neighbours;
mod netlink;
pub mod pipes;
pub mod process;
mod process_sys;
mod receivers;
pub mod scheduling;
pub(crate) mod sys;
mod vrrp_socket;
pub mod watch;

use crate::host::{AddressRequest, Host};
use addresses::{Addresses, done, errno};
use bfd_socket::Sessions;
use neighbours::Neighbours;
use netlink::Monitor;
pub use receivers::MAX_RECEIVERS;
use receivers::Receivers;
use socket2::Socket;
use standfast_core::action::BfdPath;
use standfast_core::config::item::Item;
use standfast_core::id::{BfdId, Interface, Ticket};
use standfast_core::input::{Errno, Input, KernelNotice, Link};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// The numbers of `user[:group]`, when there is such an account.
#[must_use]
pub fn numbers_of(spec: &str) -> Option<(u32, u32)> {
    accounts::account(spec).ok().map(|account| (account.uid, account.gid))
}

/// Packets, notices and answers that may wait for the driver together.
pub const MAX_WAITING: usize = 1024;

/// Why this process cannot act as a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A capability is missing.
    #[error(
        "needs {capability} {purpose}; run as root, or with AmbientCapabilities={capability} or --cap-add"
    )]
    Capability {
        /// Its name.
        capability: &'static str,
        /// What it is needed for.
        purpose: &'static str,
    },
    /// The kernel refused for another reason.
    #[error("{what}: {source}")]
    Kernel {
        /// What was asked.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl HostError {
    fn new(capability: &'static str, purpose: &'static str, source: io::Error) -> HostError {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => HostError::Capability { capability, purpose },
            _ => HostError::Kernel { what: purpose, source },
        }
    }
}

/// The links, addresses and raw packets of the network namespace it was made in.
#[derive(Debug)]
pub struct LinuxHost {
    inputs: Receiver<Input<'static>>,
    to: Sender<Input<'static>>,
    /// Answers that need no kernel; taken before `inputs`.
    ready: VecDeque<Input<'static>>,
    links: BTreeMap<Interface, Link>,
    /// Links named by the running dump.
    seen: Option<BTreeSet<Interface>>,
    receivers: Receivers,
    sockets: Sockets,
    neighbours: Neighbours,
    addresses: Addresses,
    monitor: JoinHandle<()>,
    /// Watches routes and rules, once there are any of ours.
    item_monitor: Option<JoinHandle<()>>,
    /// Failures told and not yet followed by a success.
    failing: BTreeSet<(Interface, Errno)>,
}

/// Sockets that are sent by: of VRRP by interface and family (is it IPv6?), of BFD by session.
#[derive(Debug, Default)]
struct Sockets {
    senders: BTreeMap<(Interface, bool), Socket>,
    sessions: Sessions,
}

impl Drop for LinuxHost {
    fn drop(&mut self) {
        self.monitor.abort();
        if let Some(monitor) = &self.item_monitor {
            monitor.abort();
        }
    }
}

impl LinuxHost {
    /// Opens what every host needs. Must be called within a tokio runtime with IO and time.
    ///
    /// # Errors
    /// Names the missing capability: `CAP_NET_RAW` for packets, `CAP_NET_ADMIN` for addresses.
    pub fn new() -> Result<LinuxHost, HostError> {
        let (to, inputs) = channel(MAX_WAITING);
        let neighbours = Neighbours::new()
            .map_err(|error| HostError::new("CAP_NET_RAW", "to send and receive raw packets", error))?;
        let addresses = Addresses::new(to.clone())
            .map_err(|error| HostError::new("CAP_NET_ADMIN", "to add and remove addresses", error))?;
        let monitor = Monitor::new(to.clone())
            .map_err(|error| HostError::new("CAP_NET_ADMIN", "to watch links and addresses", error))?;
        Ok(LinuxHost {
            inputs,
            to,
            ready: VecDeque::new(),
            links: BTreeMap::new(),
            seen: None,
            receivers: Receivers::default(),
            sockets: Sockets::default(),
            neighbours,
            addresses,
            monitor: tokio::spawn(monitor.run()),
            item_monitor: None,
            failing: BTreeSet::new(),
        })
    }

    /// Hosts with whole routing tables of the internet have more notices than one should read for nothing, so routes
    /// are watched only where there are some of ours. Without the watcher they are still looked at each second.
    fn monitor_items(&mut self) {
        if self.item_monitor.is_none()
            && let Ok(watcher) = netlink::ItemMonitor::new(self.to.clone())
        {
            self.item_monitor = Some(tokio::spawn(watcher.run()));
        }
    }

    fn open(&mut self, on: Interface, at: IpAddr) -> Result<(), Errno> {
        let LinuxHost { receivers, links, to, .. } = self;
        let name = &links.get(&on).ok_or(Errno::ENODEV)?.name;
        receivers.open(on, at, || {
            let socket = vrrp_socket::receiver(on, name, at).map_err(|error| errno(&error))?;
            Ok(tokio::spawn(vrrp_socket::receive(socket, on, at, to.clone())))
        })
    }

    fn send(&mut self, on: Interface, ends: (IpAddr, IpAddr), hops: u8, payload: &[u8]) -> Result<(), Errno> {
        let name = &self.links.get(&on).ok_or(Errno::ENODEV)?.name;
        let socket = match self.sockets.senders.entry((on, ends.1.is_ipv6())) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                place.insert(vrrp_socket::sender(name, ends.1.is_ipv6()).map_err(|error| errno(&error))?)
            }
        };
        vrrp_socket::send(socket, on, ends, hops, payload).map_err(|error| errno(&error))
    }

    /// Tells the first failure of its kind on an interface until something succeeds there again.
    fn sent(&mut self, on: Interface, result: Result<(), Errno>) {
        match result {
            Ok(()) => self.failing.retain(|(interface, _)| *interface != on),
            Err(errno) => {
                if self.failing.insert((on, errno)) {
                    self.ready.push_back(Input::Kernel(KernelNotice::Unsent { on, errno }));
                }
            }
        }
    }

    /// Keeps names and hardware addresses up to date; false when the notice says nothing new.
    fn observe(&mut self, notice: &KernelNotice) -> bool {
        match notice {
            KernelNotice::Link(link) => {
                let known = self.links.insert(link.interface, link.clone());
                match &mut self.seen {
                    Some(seen) => {
                        seen.insert(link.interface);
                        true
                    }
                    None => known.as_ref() != Some(link),
                }
            }
            KernelNotice::LinkGone(on) => {
                self.forget(*on);
                true
            }
            KernelNotice::ResyncBegin => {
                self.seen = Some(BTreeSet::new());
                true
            }
            KernelNotice::ResyncEnd => {
                let seen = self.seen.take().unwrap_or_default();
                let gone = self.links.keys().filter(|on| !seen.contains(on)).copied().collect::<Vec<_>>();
                gone.into_iter().for_each(|on| self.forget(on));
                true
            }
            KernelNotice::Address { .. }
            | KernelNotice::AddressGone { .. }
            | KernelNotice::ItemsTouched
            | KernelNotice::Unsent { .. } => true,
        }
    }

    /// Closes everything on a link that no longer exists; its index never comes back.
    fn forget(&mut self, gone: Interface) {
        self.links.remove(&gone);
        self.receivers.forget(gone);
        self.sockets.senders.retain(|(on, _), _| *on != gone);
        self.failing.retain(|(on, _)| *on != gone);
    }
}

impl Host for LinuxHost {
    fn advertise(&mut self, on: Interface, from: IpAddr, to: IpAddr, hops: u8, payload: Vec<u8>) {
        let result = self.send(on, (from, to), hops, &payload);
        self.sent(on, result);
    }

    fn receive(&mut self, ticket: Ticket, on: Interface, at: IpAddr, open: bool) {
        let result = if open {
            self.open(on, at)
        } else {
            self.receivers.close(on, at);
            Ok(())
        };
        self.ready.push_back(done(ticket, result));
    }

    fn address(&mut self, request: AddressRequest) {
        let ticket = request.ticket;
        if let Err(errno) = self.addresses.request(request) {
            self.ready.push_back(done(ticket, Err(errno)));
        }
    }

    fn item(&mut self, ticket: Ticket, item: &Item, own: bool) {
        self.monitor_items();
        let lookup = |name: &str| self.links.values().find(|link| *link.name == *name).map(|l| l.interface);
        let asked = items::request(ticket, item, own, &lookup);
        if let Err(errno) = asked.and_then(|message| self.addresses.item(ticket, message)) {
            self.ready.push_back(done(ticket, Err(errno)));
        }
    }

    fn announce(&mut self, on: Interface, address: IpAddr) {
        let result = match self.links.get(&on) {
            Some(link) => self.neighbours.announce(link, address).map_err(|error| errno(&error)),
            None => Err(Errno::ENODEV),
        };
        self.sent(on, result);
    }

    fn session(&mut self, ticket: Ticket, session: BfdId, open: Option<BfdPath>) {
        let result = match open {
            Some(path) => self.sockets.sessions.open(session, &path, &self.to).map_err(|error| errno(&error)),
            None => {
                self.sockets.sessions.close(session);
                Ok(())
            }
        };
        self.ready.push_back(done(ticket, result));
    }

    fn control(&mut self, session: BfdId, payload: &[u8]) {
        self.sockets.sessions.send(session, payload);
    }

    async fn next(&mut self) -> Input<'static> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return input;
            }
            let input = self.inputs.recv().await.expect("the host itself holds a sender");
            if let Input::Kernel(notice) = &input
                && !self.observe(notice)
            {
                continue;
            }
            return input;
        }
    }
}
