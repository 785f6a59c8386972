//! The host a node acts upon, as the driver sees it: links, addresses, raw packets, BFD's datagrams.
//!
//! Every call only enqueues and returns at once; what came of it, and whatever else happens on the host, comes out
//! of [`Host::next`] as inputs.

use ipnet::IpNet;
use standfast_core::action::{AddressOptions, BfdPath};
use standfast_core::config::item::Item;
use standfast_core::id::{BfdId, Interface, Ticket};
use standfast_core::input::Input;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Links, addresses and raw packets of a host.
pub trait Host: 'static {
    /// Sends an advertisement (IP protocol 112). A failure comes out as `KernelNotice::Unsent`.
    fn advertise(&mut self, on: Interface, from: IpAddr, to: IpAddr, hops: u8, payload: Vec<u8>);
    /// Opens or closes the reception of advertisements to `at` on `on`; answered by `Input::Done`.
    fn receive(&mut self, ticket: Ticket, on: Interface, at: IpAddr, open: bool);
    /// Owns or gives up an address; answered by `Input::Done`.
    fn address(&mut self, request: AddressRequest);
    /// Adds or removes a route, a rule or a static address; answered by `Input::Done`, an addition of what is there by
    /// `EEXIST`.
    fn item(&mut self, ticket: Ticket, item: &Item, own: bool);
    /// Sends one gratuitous ARP request or unsolicited neighbour advertisement.
    fn announce(&mut self, on: Interface, address: IpAddr);
    /// Opens or closes the sockets of a BFD session; answered by `Input::Done`.
    fn session(&mut self, ticket: Ticket, session: BfdId, open: Option<BfdPath>);
    /// Sends a BFD control packet over an open session; a failure is like a loss on the wire.
    fn control(&mut self, session: BfdId, payload: &[u8]);
    /// The next packet, answer or notice; starts with a full dump of links and addresses. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Input<'static>>;
}

/// A request to own or give up an address (`Action::Address`).
#[derive(Clone, Debug)]
pub struct AddressRequest {
    /// For the answer.
    pub ticket: Ticket,
    /// Where.
    pub on: Interface,
    /// Address and prefix length.
    pub address: IpNet,
    /// Own it, or give it up.
    pub own: bool,
    /// Kernel lifetime; `None` is for ever.
    pub lease: Option<Duration>,
    /// Label, scope, broadcast, flags.
    pub how: Arc<AddressOptions>,
}
