//! The host side of the driver under simulation: packets and announcements as datagrams, a modelled kernel.
//!
//! A VRRP datagram is `4|6, source, destination, hops` (16 octets per address) and the payload; it goes to the group
//! by turmoil's multicast, or to a peer. A neighbour datagram is a kind and an address; it goes to all: broadcast in
//! place of ARP, the all-nodes group in place of neighbour discovery. One family per simulation, as turmoil has it.

use super::board::Shared;
use super::clock;
use crate::des::kernel::Request;
use standfast_core::action::BfdPath;
use standfast_core::config::item::Item;
use standfast_core::id::{BfdId, Interface, Ticket};
use standfast_core::input::{Errno, Input, KernelNotice};
use standfast_core::time::Time;
use standfast_io::host::{AddressRequest, Host};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use turmoil::net::UdpSocket;

/// Where VRRP datagrams go: the number of its IP protocol.
pub const VRRP_PORT: u16 = 112;
/// Where BFD's datagrams go, with the same head as VRRP's, since the simulation knows no TTL.
pub const BFD_PORT: u16 = standfast_core::bfd::PORT;
/// Where neighbour datagrams go.
pub const NEIGHBOUR_PORT: u16 = 2054;
/// Where neighbour discovery shouts.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The longest datagram.
const MAX_DATAGRAM: usize = 2_048;
/// Family, two addresses, hops.
const HEADER: usize = 34;
/// The longest that the modelled kernel takes for a request.
pub const APPLY: Duration = Duration::from_millis(2);
/// The one interface.
pub const LINK: Interface = Interface(2);

/// What a neighbour datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// Gratuitous ARP.
    Announce,
    /// Who has?
    Query,
    /// I have.
    Reply,
}

impl Neighbour {
    /// The datagram that says so of `address`.
    #[must_use]
    pub fn datagram(self, address: IpAddr) -> Vec<u8> {
        let mut bytes = vec![self as u8];
        bytes.extend(octets(address));
        bytes
    }

    /// What `bytes` say.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Neighbour, IpAddr)> {
        let kind = match bytes.first()? {
            0 => Neighbour::Announce,
            1 => Neighbour::Query,
            2 => Neighbour::Reply,
            _ => return None,
        };
        Some((kind, address(bytes.get(1..17)?)?))
    }
}

/// A socket for neighbour datagrams.
#[derive(Debug)]
pub struct Neighbours {
    socket: UdpSocket,
    all: IpAddr,
}

impl Neighbours {
    /// Opens it on the current host.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn open(v4: bool) -> io::Result<Neighbours> {
        let socket = UdpSocket::bind((any(v4), NEIGHBOUR_PORT)).await?;
        let all = if v4 {
            socket.set_broadcast(true)?;
            IpAddr::V4(Ipv4Addr::BROADCAST)
        } else {
            socket.join_multicast_v6(&ALL_NODES, 0)?;
            socket.set_multicast_loop_v6(false)?;
            IpAddr::V6(ALL_NODES)
        };
        Ok(Neighbours { socket, all })
    }

    /// Says `kind` of `address` to everybody; lost as a frame may be.
    pub fn shout(&self, kind: Neighbour, address: IpAddr) {
        let _ = self.socket.try_send_to(&kind.datagram(address), SocketAddr::new(self.all, NEIGHBOUR_PORT));
    }

    /// The next datagram, and who sent it. Cancel safe.
    pub async fn hear(&self) -> (Option<(Neighbour, IpAddr)>, SocketAddr) {
        let mut frame = [0; 64];
        match self.socket.recv_from(&mut frame).await {
            Ok((length, sender)) => (Neighbour::parse(&frame[..length]), sender),
            Err(_) => std::future::pending().await,
        }
    }
}

/// The unspecified address of a family.
#[must_use]
pub fn any(v4: bool) -> IpAddr {
    if v4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v6 = Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?);
    Some(v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4))
}

/// A datagram that carries what the simulation does not: addresses and hops.
fn with_head(from: IpAddr, to: IpAddr, hops: u8, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![if to.is_ipv4() { 4 } else { 6 }];
    datagram.extend(octets(from));
    datagram.extend(octets(to));
    datagram.push(hops);
    datagram.extend(payload);
    datagram
}

/// A simulated host, as the driver sees it.
#[derive(Debug)]
pub struct TurmoilHost {
    board: Shared,
    nth: usize,
    vrrp: UdpSocket,
    bfd: UdpSocket,
    sessions: BTreeMap<BfdId, BfdPath>,
    neighbours: Neighbours,
    receives: BTreeSet<IpAddr>,
    pending: BTreeMap<(Time, u64), Request>,
    asked: u64,
}

impl TurmoilHost {
    /// Opens the sockets of node number `nth` and begins with a dump of its kernel.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn open(board: Shared, nth: usize) -> io::Result<TurmoilHost> {
        let v4 = board.borrow().nodes[nth].own.is_ipv4();
        let vrrp = UdpSocket::bind((any(v4), VRRP_PORT)).await?;
        if v4 {
            vrrp.set_multicast_loop_v4(false)?;
        } else {
            vrrp.set_multicast_loop_v6(false)?;
        }
        let bfd = UdpSocket::bind((any(v4), BFD_PORT)).await?;
        let neighbours = Neighbours::open(v4).await?;
        {
            let mut board = board.borrow_mut();
            let node = &mut board.nodes[nth];
            node.inbox = node.kernel.dump().into_iter().map(Input::Kernel).collect();
        }
        let (receives, pending, sessions) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Ok(TurmoilHost { board, nth, vrrp, bfd, sessions, neighbours, receives, pending, asked: 0 })
    }

    fn tell(&self, input: Input<'static>) {
        self.board.borrow_mut().nodes[self.nth].tell(input);
    }

    /// Carries out the requests whose time has come.
    fn apply_due(&mut self) {
        let now = clock::now();
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= now) {
            let request = entry.remove();
            let mut board = self.board.borrow_mut();
            let node = &mut board.nodes[self.nth];
            let (result, notice) = node.kernel.apply(now, &request);
            if let Some(notice) = notice {
                node.tell(Input::Kernel(notice));
            }
            node.tell(Input::Done { ticket: request.ticket, result });
        }
    }

    fn packet(&self, bytes: &[u8]) -> Option<Input<'static>> {
        let (header, payload) = bytes.split_at_checked(HEADER)?;
        let (from, to, hops) = (address(&header[1..17])?, address(&header[17..33])?, header[33]);
        let payload = Cow::Owned(payload.to_vec());
        self.receives.contains(&to).then_some(Input::Packet { on: LINK, from, to, hops, payload })
    }

    fn datagram(&self, bytes: &[u8]) -> Option<Input<'static>> {
        let (header, payload) = bytes.split_at_checked(HEADER)?;
        let (from, hops) = (address(&header[1..17])?, header[33]);
        let payload = Cow::Owned(payload.to_vec());
        (!self.sessions.is_empty()).then_some(Input::Bfd { from, hops, payload })
    }

    fn neighbour(&self, kind: Neighbour, address: IpAddr, sender: SocketAddr) {
        let mut board = self.board.borrow_mut();
        let node = &mut board.nodes[self.nth];
        match kind {
            Neighbour::Announce => {
                node.neighbours.insert(address, sender.ip());
            }
            Neighbour::Query => {
                if node.kernel.addresses.keys().any(|(_, held)| held.addr() == address) {
                    let reply = Neighbour::Reply.datagram(address);
                    let _ = self.neighbours.socket.try_send_to(&reply, sender); // lost like a frame
                }
            }
            Neighbour::Reply => {}
        }
    }
}

impl Host for TurmoilHost {
    fn advertise(&mut self, on: Interface, from: IpAddr, to: IpAddr, hops: u8, payload: Vec<u8>) {
        let datagram = with_head(from, to, hops, &payload);
        if let Err(error) = self.vrrp.try_send_to(&datagram, SocketAddr::new(to, VRRP_PORT)) {
            let errno = Errno(error.raw_os_error().unwrap_or(101)); // ENETUNREACH
            self.tell(Input::Kernel(KernelNotice::Unsent { on, errno }));
        }
    }

    fn receive(&mut self, ticket: Ticket, _on: Interface, at: IpAddr, open: bool) {
        let joined = match at {
            IpAddr::V4(group) if group.is_multicast() && open => {
                self.vrrp.join_multicast_v4(group, Ipv4Addr::UNSPECIFIED)
            }
            IpAddr::V4(group) if group.is_multicast() => {
                self.vrrp.leave_multicast_v4(group, Ipv4Addr::UNSPECIFIED)
            }
            IpAddr::V6(group) if group.is_multicast() && open => self.vrrp.join_multicast_v6(&group, 0),
            IpAddr::V6(group) if group.is_multicast() => self.vrrp.leave_multicast_v6(&group, 0),
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(()),
        };
        if open {
            self.receives.insert(at);
        } else {
            self.receives.remove(&at);
        }
        let result = joined.map_err(|error| Errno(error.raw_os_error().unwrap_or(22)));
        self.tell(Input::Done { ticket, result });
    }

    fn address(&mut self, request: AddressRequest) {
        let AddressRequest { ticket, on, address, own, lease, how: _ } = request;
        let request = Request { ticket, on, address, own, lease };
        let at = self.board.borrow_mut().nodes[self.nth].kernel.turn(clock::now(), APPLY);
        self.asked += 1;
        self.pending.insert((at, self.asked), request);
    }

    fn item(&mut self, ticket: Ticket, item: &Item, own: bool) {
        let result = self.board.borrow_mut().nodes[self.nth].kernel.item(item, own);
        self.tell(Input::Done { ticket, result });
    }

    fn announce(&mut self, _on: Interface, address: IpAddr) {
        if !self.board.borrow().no_announcements {
            self.neighbours.shout(Neighbour::Announce, address);
        }
    }

    fn session(&mut self, ticket: Ticket, session: BfdId, open: Option<BfdPath>) {
        match open {
            Some(path) => self.sessions.insert(session, path),
            None => self.sessions.remove(&session),
        };
        self.tell(Input::Done { ticket, result: Ok(()) });
    }

    fn control(&mut self, session: BfdId, payload: &[u8]) {
        let Some(path) = self.sessions.get(&session) else { return };
        let own = self.board.borrow().nodes[self.nth].own;
        let datagram = with_head(path.from.unwrap_or(own), path.to, path.hops, payload);
        let _ = self.bfd.try_send_to(&datagram, SocketAddr::new(path.to, BFD_PORT)); // lost like a frame
    }

    async fn next(&mut self) -> Input<'static> {
        let bell = self.board.borrow().nodes[self.nth].bell.clone();
        loop {
            self.apply_due();
            let told = self.board.borrow_mut().nodes[self.nth].inbox.pop_front();
            if let Some(input) = told {
                return input;
            }
            let due = self.pending.first_key_value().map(|((at, _), _)| at.since(clock::now()));
            let mut packet = [0; MAX_DATAGRAM];
            let mut control = [0; MAX_DATAGRAM];
            tokio::select! { biased;
                () = bell.notified() => {}
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {}
                Ok((length, _)) = self.vrrp.recv_from(&mut packet) => {
                    if let Some(input) = self.packet(&packet[..length]) {
                        return input;
                    }
                }
                Ok((length, _)) = self.bfd.recv_from(&mut control) => {
                    if let Some(input) = self.datagram(&control[..length]) {
                        return input;
                    }
                }
                (heard, sender) = self.neighbours.hear() => {
                    if let Some((kind, address)) = heard {
                        self.neighbour(kind, address, sender);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbour_datagrams_come_back_as_they_went() {
        for address in ["192.0.2.100", "2001:db8::1"].map(|text| text.parse().unwrap()) {
            for kind in [Neighbour::Announce, Neighbour::Query, Neighbour::Reply] {
                assert_eq!(Neighbour::parse(&kind.datagram(address)), Some((kind, address)));
            }
        }
        assert_eq!(Neighbour::parse(&[0, 1, 2]), None);
        assert_eq!(Neighbour::parse(&[9; 17]), None);
    }
}
