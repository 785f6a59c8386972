//! The gratuitous ARP request that tells the neighbours where an IPv4 address lives now: a whole Ethernet frame.
//!
//! Decides nothing about when to send. Emission cannot fail; parsing accepts any bytes and names nothing but
//! ARP for IPv4 over Ethernet. RFC 826, RFC 5227 section 3; a request rather than a reply, as keepalived sends it.

use core::net::Ipv4Addr;

/// The Ethernet broadcast address.
pub const BROADCAST: [u8; 6] = [0xff; 6];
/// Length of an Ethernet frame with an ARP packet for IPv4, without padding.
pub const FRAME_LEN: usize = 42;
/// EtherType of ARP.
pub const ETHERTYPE: u16 = 0x0806;

const HEADER: [u8; 10] = [0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4, 0, 0];

/// What an ARP packet asks or says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender address is at the sender's hardware address.
    Reply,
    /// Anything else.
    Other(u16),
}

/// An ARP packet for IPv4 in an Ethernet frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Destination of the frame.
    pub destination: [u8; 6],
    /// Source of the frame.
    pub source: [u8; 6],
    /// Request or reply.
    pub operation: Operation,
    /// Sender hardware address.
    pub sender_mac: [u8; 6],
    /// Sender protocol address.
    pub sender: Ipv4Addr,
    /// Target hardware address.
    pub target_mac: [u8; 6],
    /// Target protocol address.
    pub target: Ipv4Addr,
}

impl Arp {
    /// True when the sender tells everybody about its own address.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target && !self.sender.is_unspecified()
    }
}

/// The frame by which the owner of `mac` claims `address`.
#[must_use]
pub fn gratuitous(mac: [u8; 6], address: Ipv4Addr) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    frame[..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&mac);
    frame[12..22].copy_from_slice(&HEADER);
    frame[21] = 1; // request
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&address.octets());
    frame[32..38].copy_from_slice(&BROADCAST);
    frame[38..].copy_from_slice(&address.octets());
    frame
}

/// Reads an Ethernet frame; `None` when it is not ARP for IPv4 over Ethernet. Padding behind it is ignored.
#[must_use]
pub fn parse(frame: &[u8]) -> Option<Arp> {
    let (frame, _padding) = frame.split_first_chunk::<FRAME_LEN>()?;
    if frame[12..20] != HEADER[..8] {
        return None;
    }
    let mac = |at: usize| -> [u8; 6] { core::array::from_fn(|i| frame[at + i]) };
    let address = |at: usize| Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3]);
    let operation = match u16::from_be_bytes([frame[20], frame[21]]) {
        1 => Operation::Request,
        2 => Operation::Reply,
        other => Operation::Other(other),
    };
    Some(Arp {
        destination: mac(0),
        source: mac(6),
        operation,
        sender_mac: mac(22),
        sender: address(28),
        target_mac: mac(32),
        target: address(38),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x02, 0, 0x5e, 0x10, 0, 0x01];
    const VIP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);

    #[test]
    fn a_claim_is_a_broadcast_request_for_its_own_address() {
        #[rustfmt::skip]
        let wanted = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x08, 0x06,
            0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
            0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 192, 0, 2, 100,
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192, 0, 2, 100,
        ];
        assert_eq!(gratuitous(MAC, VIP), wanted);
    }

    #[test]
    fn what_is_emitted_is_read_back_even_with_padding() {
        let mut padded = [0u8; 60];
        padded[..FRAME_LEN].copy_from_slice(&gratuitous(MAC, VIP));
        let arp = parse(&padded).unwrap();
        assert_eq!(
            arp,
            Arp {
                destination: BROADCAST,
                source: MAC,
                operation: Operation::Request,
                sender_mac: MAC,
                sender: VIP,
                target_mac: BROADCAST,
                target: VIP,
            }
        );
        assert!(arp.is_gratuitous());
    }

    #[test]
    fn every_cut_and_every_foreign_header_is_refused() {
        let frame = gratuitous(MAC, VIP);
        for length in 0..FRAME_LEN {
            assert_eq!(parse(&frame[..length]), None, "{length} bytes");
        }
        for at in 12..20 {
            let mut foreign = frame;
            foreign[at] ^= 0x40;
            assert_eq!(parse(&foreign), None, "byte {at}");
        }
    }

    #[test]
    fn a_probe_for_a_free_address_is_not_gratuitous() {
        let mut frame = gratuitous(MAC, VIP);
        frame[28..32].fill(0);
        assert!(!parse(&frame).unwrap().is_gratuitous());
        frame[21] = 2;
        assert_eq!(parse(&frame).unwrap().operation, Operation::Reply);
        frame[20] = 1;
        assert_eq!(parse(&frame).unwrap().operation, Operation::Other(0x0102));
    }
}
