//! What the kernel's routing socket says and is told, as bytes: links, addresses, ends of dumps, answers.
//!
//! Decides nothing. Reads only the few attributes the core knows and skips all others, so that an attribute of a
//! newer kernel never costs us a whole message; malformed messages are skipped too.

use crate::host::AddressRequest;
use ipnet::IpNet;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NlasIterator,
};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, CacheInfo,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use standfast_core::id::Interface;
use standfast_core::input::{Errno, KernelNotice, Link};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The protocol number that marks the addresses of a VRRP daemon (`keepalived` in `/etc/iproute2/rt_addrprotos`).
pub(super) const ADDRESS_PROTOCOL: u8 = 18;

const FOREVER: u32 = u32::MAX;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_DUMP_INTR: u16 = 0x10;
const HEADER_LEN: usize = 16;
const LINK_HEADER_LEN: usize = 16;
const ADDRESS_HEADER_LEN: usize = 8;
const RULE_HEADER_LEN: usize = 12;

/// One message from the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// How a link or address stands.
    Notice(KernelNotice),
    /// A dump is over.
    Done,
    /// The answer to a request; `None` is success.
    Answer(Option<Errno>),
    /// Nothing that concerns us.
    Other,
}

/// A message with what its header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) sequence: u32,
    /// The dump it belongs to was disturbed by a change and must be repeated.
    pub(super) interrupted: bool,
    pub(super) message: Message,
}

/// What is dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Links,
    Addresses,
}

/// A request for all links or all addresses.
pub(super) fn dump(table: Table, sequence: u32) -> Vec<u8> {
    let (kind, body) = match table {
        Table::Links => (libc::RTM_GETLINK, LINK_HEADER_LEN),
        Table::Addresses => (libc::RTM_GETADDR, ADDRESS_HEADER_LEN),
    };
    let length = HEADER_LEN + body;
    let mut bytes = vec![0; length];
    let mut buffer = NetlinkBuffer::new(&mut bytes);
    buffer.set_length(length as u32);
    buffer.set_message_type(kind);
    buffer.set_flags(NLM_F_REQUEST | NLM_F_DUMP);
    buffer.set_sequence_number(sequence);
    bytes
}

/// A request to add, renew or delete an address.
pub(super) fn address(request: &AddressRequest, sequence: u32) -> Vec<u8> {
    let mut message = AddressMessage::default();
    message.header.index = request.on.0;
    message.header.prefix_len = request.address.prefix_len();
    let address = request.address.addr();
    message.header.family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let list = &mut message.attributes;
    list.push(AddressAttribute::Local(address));
    list.push(AddressAttribute::Address(address));
    let mut header = NetlinkHeader::default();
    header.sequence_number = sequence;
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let payload = if request.own {
        header.flags |= NLM_F_CREATE | NLM_F_REPLACE;
        describe(request, &mut message);
        RouteNetlinkMessage::NewAddress(message)
    } else {
        RouteNetlinkMessage::DelAddress(message)
    };
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(payload));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Everything about an address that only its addition needs.
fn describe(request: &AddressRequest, message: &mut AddressMessage) {
    let how = &request.how;
    let list = &mut message.attributes;
    list.push(AddressAttribute::Protocol(AddressProtocol::Other(ADDRESS_PROTOCOL)));
    let valid = request.lease.map_or(FOREVER, seconds);
    let mut times = CacheInfo::default();
    times.ifa_valid = valid;
    times.ifa_preferred = if how.deprecated { 0 } else { valid };
    list.push(AddressAttribute::CacheInfo(times));
    match request.address {
        IpNet::V4(_) => {
            message.header.scope = how.scope.0.into();
            if let Some(broadcast) = how.broadcast {
                list.push(AddressAttribute::Broadcast(broadcast));
            }
            if let Some(label) = &how.label {
                list.push(AddressAttribute::Label(label.clone()));
            }
        }
        // Labels and scopes of IPv6 addresses are not the administrator's to set.
        IpNet::V6(_) if !how.dad => list.push(AddressAttribute::Flags(AddressFlags::Nodad)),
        IpNet::V6(_) => {}
    }
}

/// The kernel counts whole seconds; rounding down keeps a lease from outliving its promise, but zero would be
/// refused.
fn seconds(lease: Duration) -> u32 {
    u32::try_from(lease.as_secs()).unwrap_or(FOREVER - 1).clamp(1, FOREVER - 1)
}

/// All messages of one datagram.
pub(super) fn parse(mut datagram: &[u8]) -> Vec<Received> {
    let mut found = Vec::new();
    while let Ok(buffer) = NetlinkBuffer::new_checked(datagram) {
        let length = buffer.length() as usize;
        let body = datagram.get(HEADER_LEN..length).unwrap_or(&[]);
        found.push(Received {
            sequence: buffer.sequence_number(),
            interrupted: buffer.flags() & NLM_F_DUMP_INTR != 0,
            message: message(buffer.message_type(), body).unwrap_or(Message::Other),
        });
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    found
}

/// Whether a datagram tells of the removal of a route or rule with the protocol number of a VRRP daemon.
pub(super) fn removes_marked(mut datagram: &[u8]) -> bool {
    const FRA_PROTOCOL: u16 = 21; // linux/fib_rules.h; libc lacks it
    while let Ok(buffer) = NetlinkBuffer::new_checked(datagram) {
        let length = buffer.length() as usize;
        let body = datagram.get(HEADER_LEN..length).unwrap_or(&[]);
        let marked = match buffer.message_type() {
            libc::RTM_DELROUTE => body.get(5) == Some(&ADDRESS_PROTOCOL),
            libc::RTM_DELRULE => NlasIterator::new(body.get(RULE_HEADER_LEN..).unwrap_or(&[]))
                .map_while(Result::ok)
                .any(|attribute| attribute.kind() == FRA_PROTOCOL && attribute.value() == [ADDRESS_PROTOCOL]),
            _ => false,
        };
        if marked {
            return true;
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    false
}

fn message(kind: u16, body: &[u8]) -> Option<Message> {
    Some(match kind {
        NLMSG_DONE => Message::Done,
        NLMSG_ERROR => {
            let code = i32::from_ne_bytes(*body.first_chunk::<4>()?);
            Message::Answer((code != 0).then(|| Errno(code.saturating_neg())))
        }
        libc::RTM_NEWLINK => Message::Notice(KernelNotice::Link(link(body)?)),
        libc::RTM_DELLINK => Message::Notice(KernelNotice::LinkGone(link(body)?.interface)),
        libc::RTM_NEWADDR => Message::Notice(on_address(body, true)?),
        libc::RTM_DELADDR => Message::Notice(on_address(body, false)?),
        _ => Message::Other,
    })
}

/// `struct ifinfomsg` and the attributes we know. Messages of another family than `AF_UNSPEC` tell of bridge ports
/// and the like: their "deletion" is no deletion of the link.
fn link(body: &[u8]) -> Option<Link> {
    let header = body.first_chunk::<LINK_HEADER_LEN>()?;
    if i32::from(header[0]) != libc::AF_UNSPEC {
        return None;
    }
    let flags = u32::from_ne_bytes(*header[8..].first_chunk()?);
    let has = |flag: i32| flags & flag as u32 != 0;
    let mut link = Link {
        interface: Interface(u32::from_ne_bytes(*header[4..].first_chunk()?)),
        name: Arc::from(""),
        up: has(libc::IFF_UP),
        running: has(libc::IFF_RUNNING),
        multicast: has(libc::IFF_MULTICAST),
        no_arp: has(libc::IFF_NOARP),
        mtu: 0,
        mac: None,
    };
    for attribute in NlasIterator::new(&body[LINK_HEADER_LEN..]).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFLA_IFNAME => {
                let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
                link.name = String::from_utf8_lossy(&value[..end]).into();
            }
            libc::IFLA_ADDRESS => link.mac = value.try_into().ok(),
            libc::IFLA_MTU => link.mtu = u32::from_ne_bytes(*value.first_chunk()?),
            _ => {}
        }
    }
    Some(link)
}

/// `struct ifaddrmsg` and the attributes we know.
fn on_address(body: &[u8], present: bool) -> Option<KernelNotice> {
    const IFA_PROTO: u16 = 11; // linux/if_addr.h; libc lacks it
    let header = body.first_chunk::<ADDRESS_HEADER_LEN>()?;
    let on = Interface(u32::from_ne_bytes(*header[4..].first_chunk()?));
    let mut flags = u32::from(header[2]);
    let (mut local, mut address, mut marked) = (None, None, false);
    for attribute in NlasIterator::new(&body[ADDRESS_HEADER_LEN..]).map_while(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFA_LOCAL => local = ip(value),
            libc::IFA_ADDRESS => address = ip(value),
            libc::IFA_FLAGS => flags = u32::from_ne_bytes(*value.first_chunk()?),
            IFA_PROTO => marked = value == [ADDRESS_PROTOCOL],
            _ => {}
        }
    }
    // With a peer (point to point), IFA_ADDRESS is the peer's and IFA_LOCAL is ours.
    let address = IpNet::new(local.or(address)?, header[1]).ok()?;
    let tentative = flags & libc::IFA_F_TENTATIVE != 0;
    Some(if present {
        KernelNotice::Address { on, address, marked, tentative }
    } else {
        KernelNotice::AddressGone { on, address }
    })
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(value).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::action::AddressOptions;
    use standfast_core::id::Ticket;

    fn request(address: &str, own: bool, lease: Option<Duration>) -> AddressRequest {
        AddressRequest {
            ticket: Ticket(1),
            on: Interface(7),
            address: address.parse().unwrap(),
            own,
            lease,
            how: Arc::new(AddressOptions::default()),
        }
    }

    #[test]
    fn a_request_reads_back_as_the_notice_of_its_effect() {
        for net in ["192.0.2.100/24", "2001:db8::100/64"] {
            let added = parse(&address(&request(net, true, None), 3));
            let on = Interface(7);
            let address_ = net.parse().unwrap();
            assert_eq!(added.len(), 1);
            assert_eq!(added[0].sequence, 3);
            let wanted = KernelNotice::Address { on, address: address_, marked: true, tentative: false };
            assert_eq!(added[0].message, Message::Notice(wanted), "{net}");
            let deleted = parse(&address(&request(net, false, None), 4));
            let wanted = KernelNotice::AddressGone { on, address: address_ };
            assert_eq!(deleted[0].message, Message::Notice(wanted), "{net}");
        }
    }

    #[test]
    fn a_lease_is_rounded_down_to_seconds_but_never_to_nothing() {
        assert_eq!(seconds(Duration::from_millis(300)), 1);
        assert_eq!(seconds(Duration::from_millis(2999)), 2);
        assert_eq!(seconds(Duration::from_secs(u64::MAX)), FOREVER - 1);
    }

    #[test]
    fn every_cut_of_a_datagram_is_read_without_panic_and_without_invention() {
        let mut datagram = address(&request("192.0.2.100/24", true, None), 3);
        datagram.extend(address(&request("2001:db8::100/64", false, None), 4));
        assert_eq!(parse(&datagram).len(), 2);
        for length in 0..datagram.len() {
            assert!(parse(&datagram[..length]).len() < 2, "{length} bytes");
        }
    }

    #[test]
    fn random_bytes_are_read_without_panic() {
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let mut bytes = [0_u8; 64];
            for byte in &mut bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            let length = u32::from(bytes[0] % 65);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let kind = 16 + u16::from(bytes[4] % 8);
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn a_bridge_port_that_leaves_is_not_a_link_that_is_gone() {
        let mut body = [0_u8; LINK_HEADER_LEN];
        body[4] = 9;
        assert_eq!(
            message(libc::RTM_DELLINK, &body),
            Some(Message::Notice(KernelNotice::LinkGone(Interface(9))))
        );
        body[0] = libc::AF_BRIDGE as u8;
        assert_eq!(message(libc::RTM_DELLINK, &body), None);
    }
}
