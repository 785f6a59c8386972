//! The unsolicited neighbour advertisement that tells the neighbours where an IPv6 address lives now: a whole
//! Ethernet frame.
//!
//! Decides nothing about when to send. Emission cannot fail; parsing accepts any bytes and applies the checks of
//! RFC 4861 section 7.1.2 (hop limit 255, checksum, code 0, target not multicast, no option of length zero).
//! Source and target are the address itself and the override flag is set, as keepalived sends it.

use core::net::Ipv6Addr;

/// The group of all nodes on the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Length of an Ethernet frame with such an advertisement.
pub const FRAME_LEN: usize = ETHERNET_LEN + IPV6_LEN + BODY_LEN;
/// EtherType of IPv6.
pub const ETHERTYPE: u16 = 0x86dd;

const ETHERNET_LEN: usize = 14;
const IPV6_LEN: usize = 40;
const FIXED_LEN: usize = 24;
const BODY_LEN: usize = FIXED_LEN + 8;
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const TARGET_LINK_LAYER: u8 = 2;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// A valid neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// Source of the frame.
    pub source_mac: [u8; 6],
    /// Source of the packet.
    pub source: Ipv6Addr,
    /// Destination of the packet.
    pub destination: Ipv6Addr,
    /// The address it is about.
    pub target: Ipv6Addr,
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation.
    pub solicited: bool,
    /// It replaces what the neighbour knew.
    pub overrides: bool,
    /// Target link-layer option.
    pub target_mac: Option<[u8; 6]>,
}

/// The frame by which the owner of `mac` claims `address`; `router` says whether it forwards packets.
#[must_use]
pub fn unsolicited(mac: [u8; 6], address: Ipv6Addr, router: bool) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    let (ethernet, packet) = frame.split_at_mut(ETHERNET_LEN);
    ethernet[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]); // ff02::1, RFC 2464 section 7
    ethernet[6..12].copy_from_slice(&mac);
    ethernet[12..].copy_from_slice(&ETHERTYPE.to_be_bytes());

    let (ip, body) = packet.split_at_mut(IPV6_LEN);
    ip[0] = 0x60;
    ip[5] = BODY_LEN as u8;
    ip[6] = ICMPV6;
    ip[7] = 255;
    ip[8..24].copy_from_slice(&address.octets());
    ip[24..].copy_from_slice(&ALL_NODES.octets());

    body[0] = NEIGHBOUR_ADVERTISEMENT;
    body[4] = if router { ROUTER | OVERRIDE } else { OVERRIDE };
    body[8..24].copy_from_slice(&address.octets());
    body[24] = TARGET_LINK_LAYER;
    body[25] = 1;
    body[26..].copy_from_slice(&mac);
    let sum = !folded_sum(address, ALL_NODES, body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Reads an Ethernet frame; `None` when it is not a valid neighbour advertisement.
#[must_use]
pub fn parse(frame: &[u8]) -> Option<Advertisement> {
    let (ethernet, packet) = frame.split_first_chunk::<ETHERNET_LEN>()?;
    let (ip, rest) = packet.split_first_chunk::<IPV6_LEN>()?;
    let length = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
    let body = rest.get(..length)?;
    let (fixed, options) = body.split_first_chunk::<FIXED_LEN>()?;
    let source = address(ip, 8)?;
    let destination = address(ip, 24)?;
    let target = address(fixed, 8)?;
    let valid = ethernet[12..] == ETHERTYPE.to_be_bytes()
        && ip[0] >> 4 == 6
        && ip[6] == ICMPV6
        && ip[7] == 255
        && fixed[0] == NEIGHBOUR_ADVERTISEMENT
        && fixed[1] == 0
        && !target.is_multicast()
        && folded_sum(source, destination, body) == u16::MAX;
    if !valid {
        return None;
    }
    Some(Advertisement {
        source_mac: core::array::from_fn(|i| ethernet[6 + i]),
        source,
        destination,
        target,
        router: fixed[4] & ROUTER != 0,
        solicited: fixed[4] & SOLICITED != 0,
        overrides: fixed[4] & OVERRIDE != 0,
        target_mac: target_link_layer(options)?,
    })
}

/// The address option, if any; `None` when an option is malformed.
fn target_link_layer(mut options: &[u8]) -> Option<Option<[u8; 6]>> {
    let mut found = None;
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * 8;
        if length == 0 || length > options.len() {
            return None;
        }
        let (option, rest) = options.split_at(length);
        if kind == TARGET_LINK_LAYER && length == 8 {
            found = Some(core::array::from_fn(|i| option[2 + i]));
        }
        options = rest;
    }
    options.is_empty().then_some(found)
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    bytes.get(at..)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets))
}

/// One's complement sum over the pseudo header of RFC 8200 section 8.1 and `body`; 0xffff when a packet is whole.
fn folded_sum(source: Ipv6Addr, destination: Ipv6Addr, body: &[u8]) -> u16 {
    let words = source.segments().into_iter().chain(destination.segments());
    let pseudo = words.map(u64::from).sum::<u64>() + body.len() as u64 + u64::from(ICMPV6);
    let mut sum = pseudo;
    for pair in body.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > u64::from(u16::MAX) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x02, 0, 0x5e, 0x10, 0, 0x01];
    const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);

    #[test]
    fn a_claim_has_exactly_these_bytes() {
        #[rustfmt::skip]
        let wanted: [u8; FRAME_LEN] = [
            0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x86, 0xdd,
            0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 58, 255,
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
            0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            // By hand: 2eb9 + ff03 + 20 + 3a + 8800 + a000 + 2eb9 + 201 + 200 + 5e10 + 1 = 2e6e1, so e6e3, so 191c.
            136, 0, 0x19, 0x1c, 0xa0, 0, 0, 0,
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
            2, 1, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01,
        ];
        assert_eq!(unsolicited(MAC, VIP, true), wanted);
    }

    #[test]
    fn what_is_emitted_is_read_back() {
        for router in [false, true] {
            let wanted = Advertisement {
                source_mac: MAC,
                source: VIP,
                destination: ALL_NODES,
                target: VIP,
                router,
                solicited: false,
                overrides: true,
                target_mac: Some(MAC),
            };
            assert_eq!(parse(&unsolicited(MAC, VIP, router)), Some(wanted));
        }
    }

    #[test]
    fn every_cut_and_every_single_wrong_bit_behind_the_frame_header_is_refused() {
        let frame = unsolicited(MAC, VIP, false);
        for length in 0..FRAME_LEN {
            assert_eq!(parse(&frame[..length]), None, "{length} bytes");
        }
        // Traffic class and flow label (bytes 14 to 17, but for the version) are in no sum.
        for bit in (12 * 8..14 * 8).chain(14 * 8 + 4..14 * 8 + 8).chain(18 * 8..FRAME_LEN * 8) {
            let mut wrong = frame;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&wrong), None, "bit {bit}");
        }
    }

    #[test]
    fn options_of_length_zero_and_options_that_run_out_are_refused() {
        assert_eq!(target_link_layer(&[2, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(target_link_layer(&[2, 2, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(target_link_layer(&[2]), None);
        assert_eq!(target_link_layer(&[]), Some(None));
        assert_eq!(target_link_layer(&[9, 1, 0, 0, 0, 0, 0, 0]), Some(None));
    }
}
