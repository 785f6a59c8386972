//! Raw sockets of IP protocol 112: one receiver per interface and address, one sender per interface and family.
//!
//! Decides nothing about packets: a receiver hands up the payload with sender, destination and hop count as the
//! socket tells them, whole or not. Receivers are bound to their interface and address, so a packet reaches one
//! receiver only; senders switch multicast loop-back off, so a node never hears itself.

use super::sys;
use socket2::{Domain, MaybeUninitSlice, MsgHdr, MsgHdrMut, Protocol, SockAddr, SockFilter, Socket, Type};
use standfast_core::id::Interface;
use standfast_core::input::Input;
use std::borrow::Cow;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::Sender;

/// IP protocol number of VRRP.
pub(super) const VRRP: i32 = 112;
/// The largest packet read, header included; twice the largest valid one (255 IPv6 addresses). More is cut off.
const MAX_PACKET: usize = 8192;
/// Packets read from one socket before others get their turn.
const MAX_PACKETS_PER_WAKE: usize = 64;
/// Packets that may wait in a socket, in bytes as the kernel counts them.
const SOCKET_BUFFER: usize = 256 * 1024;
/// Internetwork control, RFC 9568 section 5.1.
const TRAFFIC_CLASS: u32 = 0xc0;
/// `TC_PRIO_INTERACTIVE`, the highest that needs no privilege.
const PRIORITY: u32 = 6;
/// Where the checksum of VRRP lies; the kernel fills it in for IPv6.
const CHECKSUM_OFFSET: i32 = 6;
/// Room for destination and hop limit.
const CONTROL: usize = 128;

/// Opens a receiver for packets to `at` that come in by `on`, whose name is `name`.
pub(super) fn receiver(on: Interface, name: &str, at: IpAddr) -> io::Result<AsyncFd<Socket>> {
    let socket = raw(name, at.is_ipv6())?;
    // Best effort: the default size serves too.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    match at {
        IpAddr::V4(at) => {
            socket.set_multicast_all_v4(false)?;
            if at.is_multicast() {
                socket.join_multicast_v4_n(&at, &socket2::InterfaceIndexOrAddress::Index(on.0))?;
            }
            socket.set_freebind_v4(true)?;
            socket.bind(&SocketAddrV4::new(at, 0).into())?;
        }
        IpAddr::V6(at) => {
            socket.set_recv_hoplimit_v6(true)?;
            sys::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
            if at.is_multicast() {
                socket.join_multicast_v6(&at, on.0)?;
            }
            socket.set_freebind_v6(true)?;
            socket.bind(&SocketAddrV6::new(at, 0, 0, on.0).into())?;
        }
    }
    sys::watch(socket)
}

/// Hands up packets until nobody listens any more, or the socket is dead.
pub(super) async fn receive(socket: AsyncFd<Socket>, on: Interface, at: IpAddr, to: Sender<Input<'static>>) {
    loop {
        let Ok(mut ready) = socket.readable().await else { return };
        for _ in 0..MAX_PACKETS_PER_WAKE {
            match ready.try_io(|socket| read(socket.get_ref(), on, at)) {
                Err(_would_block) => break,
                Ok(Ok(Some(packet))) => {
                    if to.send(packet).await.is_err() {
                        return;
                    }
                }
                // Not a packet, or an error of an earlier one (an unreachable peer, the link going down).
                Ok(Ok(None) | Err(_)) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

fn read(socket: &Socket, on: Interface, at: IpAddr) -> io::Result<Option<Input<'static>>> {
    let mut buffer = [MaybeUninit::new(0); MAX_PACKET];
    let mut control = [MaybeUninit::new(0); CONTROL];
    let mut address = SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
    let mut slices = [MaybeUninitSlice::new(&mut buffer)];
    let mut header =
        MsgHdrMut::new().with_addr(&mut address).with_buffers(&mut slices).with_control(&mut control);
    let length = socket.recvmsg(&mut header, 0)?;
    let control_length = header.control_len();
    let bytes = sys::filled(&buffer, length);
    let packet = match at {
        IpAddr::V4(_) => strip_ipv4(bytes),
        IpAddr::V6(at) => {
            let (to, hops) = ancillary(sys::filled(&control, control_length));
            let from = address.as_socket_ipv6().map(|from| *from.ip());
            from.zip(hops).map(|(from, hops)| (from.into(), to.unwrap_or(at).into(), hops, bytes))
        }
    };
    Ok(packet.map(|(from, to, hops, payload)| Input::Packet {
        on,
        from,
        to,
        hops,
        payload: Cow::Owned(payload.to_vec()),
    }))
}

/// Sender, destination, TTL and payload of an IPv4 packet, cut to the length its header states.
fn strip_ipv4(packet: &[u8]) -> Option<(IpAddr, IpAddr, u8, &[u8])> {
    let header = packet.first_chunk::<20>()?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]])).min(packet.len());
    if header[0] >> 4 != 4 || header_length < 20 {
        return None;
    }
    let payload = packet.get(header_length..total)?;
    let from = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let to = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
    Some((from.into(), to.into(), header[8], payload))
}

const CMSG_HEADER: usize = size_of::<libc::cmsghdr>();

/// Destination and hop limit or TTL, as the kernel attaches them to a packet.
pub(super) fn ancillary(mut control: &[u8]) -> (Option<Ipv6Addr>, Option<u8>) {
    let (mut to, mut hops) = (None, None);
    while let Some(length) = control.first_chunk().map(|bytes| usize::from_ne_bytes(*bytes)) {
        let Some(data) = control.get(CMSG_HEADER..length) else { break };
        let field = |at: usize| {
            control
                .get(at..)
                .and_then(|bytes| bytes.first_chunk())
                .map_or(0, |bytes| i32::from_ne_bytes(*bytes))
        };
        match (field(size_of::<usize>()), field(size_of::<usize>() + 4)) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                to = data.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) | (libc::IPPROTO_IP, libc::IP_TTL) => {
                let value = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
                hops = value.and_then(|hops| u8::try_from(hops).ok());
            }
            _ => {}
        }
        control = control.get(length.next_multiple_of(size_of::<usize>())..).unwrap_or(&[]);
    }
    (to, hops)
}

/// Opens a sender for one interface and family.
pub(super) fn sender(name: &str, ipv6: bool) -> io::Result<Socket> {
    let socket = raw(name, ipv6)?;
    // A raw socket also queues what comes in; this one is never read.
    socket.attach_filter(&[SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0)])?;
    socket.set_priority(PRIORITY)?;
    if ipv6 {
        socket.set_multicast_loop_v6(false)?;
        socket.set_tclass_v6(TRAFFIC_CLASS)?;
        sys::set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_CHECKSUM, CHECKSUM_OFFSET)?;
    } else {
        socket.set_multicast_loop_v4(false)?;
        socket.set_tos_v4(TRAFFIC_CLASS)?;
        // Never in fragments, whatever a forged "fragmentation needed" says.
        sys::set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
    }
    Ok(socket)
}

/// Sends one packet; never blocks.
pub(super) fn send(
    socket: &Socket,
    on: Interface,
    (from, to): (IpAddr, IpAddr),
    hops: u8,
    payload: &[u8],
) -> io::Result<()> {
    let mut control = Vec::with_capacity(CONTROL);
    let hops = i32::from(hops).to_ne_bytes();
    let to = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut info = [0; 12];
            info[..4].copy_from_slice(&on.0.to_ne_bytes());
            info[4..8].copy_from_slice(&from.octets());
            attach(&mut control, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            attach(&mut control, libc::IPPROTO_IP, libc::IP_TTL, &hops);
            SocketAddr::from((to, 0))
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut info = [0; 20];
            info[..16].copy_from_slice(&from.octets());
            info[16..].copy_from_slice(&on.0.to_ne_bytes());
            attach(&mut control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            attach(&mut control, libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &hops);
            SocketAddrV6::new(to, 0, 0, on.0).into()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
    };
    let to = SockAddr::from(to);
    let buffers = [IoSlice::new(payload)];
    let message = MsgHdr::new().with_addr(&to).with_buffers(&buffers).with_control(&control);
    socket.sendmsg(&message, 0).map(drop)
}

/// Appends one control message (`struct cmsghdr`, data, padding).
fn attach(control: &mut Vec<u8>, level: i32, kind: i32, data: &[u8]) {
    control.extend((CMSG_HEADER + data.len()).to_ne_bytes());
    control.extend(level.to_ne_bytes());
    control.extend(kind.to_ne_bytes());
    control.extend(data);
    control.resize(control.len().next_multiple_of(size_of::<usize>()), 0);
}

fn raw(name: &str, ipv6: bool) -> io::Result<Socket> {
    let domain = if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(VRRP)))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(name.as_bytes()))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(total: u16, ihl: u8) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x40 | ihl;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[8] = 255;
        packet[12..16].copy_from_slice(&[192, 0, 2, 11]);
        packet[16..20].copy_from_slice(&[224, 0, 0, 18]);
        packet[20..].copy_from_slice(b"payload.");
        packet
    }

    #[test]
    fn the_payload_is_what_the_header_states_and_no_more_than_came() {
        let ends = (IpAddr::from([192, 0, 2, 11]), IpAddr::from([224, 0, 0, 18]));
        let cases: [(u16, u8, Option<&[u8]>); 7] = [
            (28, 5, Some(b"payload.")),
            (24, 5, Some(b"payl")),
            (999, 5, Some(b"payload.")),
            (20, 5, Some(b"")),
            (28, 6, Some(b"oad.")),
            (19, 5, None),
            (28, 4, None),
        ];
        for (total, ihl, wanted) in cases {
            let wanted = wanted.map(|payload| (ends.0, ends.1, 255, payload));
            assert_eq!(strip_ipv4(&packet(total, ihl)), wanted, "total {total}, IHL {ihl}");
        }
        assert_eq!(strip_ipv4(&packet(28, 5)[..19]), None);
        assert_eq!(strip_ipv4(&[0x60; 40]), None);
    }

    #[test]
    fn control_messages_read_back_and_cuts_are_harmless() {
        let mut control = Vec::new();
        let to = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
        attach(&mut control, libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &255_i32.to_ne_bytes());
        let mut info = [0; 20];
        info[..16].copy_from_slice(&to.octets());
        attach(&mut control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        assert_eq!(ancillary(&control), (Some(to), Some(255)));
        for length in 0..control.len() {
            let _ = ancillary(&control[..length]);
        }
        assert_eq!(ancillary(&[0; 32]), (None, None), "a length of zero ends the list");
    }
}
