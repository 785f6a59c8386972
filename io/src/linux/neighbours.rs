//! Tells the neighbours who owns an address: gratuitous ARP and unsolicited neighbour advertisements on one packet
//! socket that is never read.
//!
//! Decides only whether the interface can carry such a frame at all: one without ARP, or without an Ethernet
//! address, is skipped, as keepalived does.

use super::sys;
use socket2::{Domain, Socket, Type};
use standfast_core::input::Link;
use standfast_core::wire::{arp, ndp};
use std::io;
use std::net::IpAddr;

/// The packet socket.
#[derive(Debug)]
pub(super) struct Neighbours {
    socket: Socket,
}

impl Neighbours {
    /// Opens the socket. `EPERM` without `CAP_NET_RAW`.
    pub(super) fn new() -> io::Result<Neighbours> {
        // Protocol 0: nothing is ever received.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        Ok(Neighbours { socket })
    }

    /// Announces `address` on `link`; never blocks.
    pub(super) fn announce(&self, link: &Link, address: IpAddr) -> io::Result<()> {
        let (Some(mac), false) = (link.mac, link.no_arp) else { return Ok(()) };
        let index = link.interface.0;
        match address {
            IpAddr::V4(address) => {
                let frame = arp::gratuitous(mac, address);
                self.socket.send_to(&frame, &sys::link_layer(index, arp::ETHERTYPE, &frame[..6]))?;
            }
            IpAddr::V6(address) => {
                let frame = ndp::unsolicited(mac, address, forwards(&link.name));
                self.socket.send_to(&frame, &sys::link_layer(index, ndp::ETHERTYPE, &frame[..6]))?;
            }
        }
        Ok(())
    }
}

/// Whether this host is a router on interface `name`. The file is the kernel's, so reading it does not block.
fn forwards(name: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/forwarding");
    std::fs::read(path).is_ok_and(|value| value.first().is_some_and(|digit| *digit != b'0'))
}
