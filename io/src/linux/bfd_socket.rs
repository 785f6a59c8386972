//! UDP sockets of BFD (RFC 5881 section 4): one listener per family at port 3784, one sender per session.
//!
//! Decides nothing about packets: the listener hands up the payload with the sender and the TTL as the socket tells
//! them. A sender has the session's source address and port and is never read. Failures to send are like losses on
//! the wire: the session's own detection says what they mean.

use super::sys;
use super::vrrp_socket::ancillary;
use socket2::{Domain, MaybeUninitSlice, MsgHdrMut, Protocol, SockAddr, SockFilter, Socket, Type};
use standfast_core::action::BfdPath;
use standfast_core::bfd::PORT;
use standfast_core::id::BfdId;
use standfast_core::input::Input;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

/// The largest packet read: a control packet with the longest authentication section is far shorter.
const MAX_PACKET: usize = 512;
/// Packets read before others get their turn.
const MAX_PACKETS_PER_WAKE: usize = 64;
/// Internetwork control, as routers send it.
const TRAFFIC_CLASS: u32 = 0xc0;
/// `TC_PRIO_INTERACTIVE`, the highest that needs no privilege.
const PRIORITY: u32 = 6;
/// Room for the TTL or hop limit.
const CONTROL: usize = 128;

/// The sockets of all sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<BfdId, Session>,
    /// By family: is it IPv6?
    listeners: BTreeMap<bool, Listener>,
}

#[derive(Debug)]
struct Session {
    sender: Socket,
    to: SocketAddr,
}

#[derive(Debug)]
struct Listener(JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sessions {
    /// Opens the sender of a session, and the listener of its family unless another session has it open.
    pub(super) fn open(&mut self, id: BfdId, path: &BfdPath, to: &Sender<Input<'static>>) -> io::Result<()> {
        let is_ipv6 = path.to.is_ipv6();
        let sender = sender(path)?;
        if let Entry::Vacant(place) = self.listeners.entry(is_ipv6) {
            place.insert(Listener(tokio::spawn(listen(listener(is_ipv6)?, to.clone()))));
        }
        self.open.insert(id, Session { sender, to: SocketAddr::new(path.to, PORT) });
        Ok(())
    }

    /// Closes a session, and the listener of its family with the last one.
    pub(super) fn close(&mut self, id: BfdId) {
        self.open.remove(&id);
        let open = &self.open;
        self.listeners.retain(|is_ipv6, _| open.values().any(|session| session.to.is_ipv6() == *is_ipv6));
    }

    /// Sends one packet; never blocks.
    pub(super) fn send(&self, id: BfdId, payload: &[u8]) {
        if let Some(session) = self.open.get(&id) {
            let _ = session.sender.send_to(payload, &session.to.into()); // lost as on the wire
        }
    }
}

fn any(is_ipv6: bool) -> IpAddr {
    if is_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

fn datagrams(is_ipv6: bool) -> io::Result<Socket> {
    let domain = if is_ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if is_ipv6 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn listener(is_ipv6: bool) -> io::Result<AsyncFd<Socket>> {
    let socket = datagrams(is_ipv6)?;
    if is_ipv6 {
        socket.set_recv_hoplimit_v6(true)?;
    } else {
        sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
    }
    socket.bind(&SocketAddr::new(any(is_ipv6), PORT).into())?;
    sys::watch(socket)
}

fn sender(path: &BfdPath) -> io::Result<Socket> {
    let is_ipv6 = path.to.is_ipv6();
    let socket = datagrams(is_ipv6)?;
    // Nobody reads what comes to the source port.
    socket.attach_filter(&[SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0)])?;
    socket.set_priority(PRIORITY)?;
    if is_ipv6 {
        socket.set_unicast_hops_v6(u32::from(path.hops))?;
        socket.set_tclass_v6(TRAFFIC_CLASS)?;
    } else {
        socket.set_ttl_v4(u32::from(path.hops))?;
        socket.set_tos_v4(TRAFFIC_CLASS)?;
    }
    socket.bind(&SocketAddr::new(path.from.unwrap_or(any(is_ipv6)), path.port).into())?;
    Ok(socket)
}

/// Hands up packets until nobody listens any more, or the socket is dead.
async fn listen(socket: AsyncFd<Socket>, to: Sender<Input<'static>>) {
    loop {
        let Ok(mut ready) = socket.readable().await else { return };
        for _ in 0..MAX_PACKETS_PER_WAKE {
            match ready.try_io(|socket| read(socket.get_ref())) {
                Err(_would_block) => break,
                Ok(Ok(Some(packet))) => {
                    if to.send(packet).await.is_err() {
                        return;
                    }
                }
                Ok(Ok(None) | Err(_)) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

fn read(socket: &Socket) -> io::Result<Option<Input<'static>>> {
    let mut buffer = [MaybeUninit::new(0); MAX_PACKET];
    let mut control = [MaybeUninit::new(0); CONTROL];
    let mut address = SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
    let mut slices = [MaybeUninitSlice::new(&mut buffer)];
    let mut header =
        MsgHdrMut::new().with_addr(&mut address).with_buffers(&mut slices).with_control(&mut control);
    let length = socket.recvmsg(&mut header, 0)?;
    let control_length = header.control_len();
    let (_, hops) = ancillary(sys::filled(&control, control_length));
    let payload = sys::filled(&buffer, length).to_vec();
    let from = address.as_socket().map(|from| from.ip());
    Ok(from.zip(hops).map(|(from, hops)| Input::Bfd { from, hops, payload: Cow::Owned(payload) }))
}
