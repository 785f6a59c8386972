//! Frames on their way: who gets which, when, and what a host or client does with one that arrives.
//!
//! Hosts hand advertisements to their process when it has opened the reception; announcements change the neighbour
//! caches of hosts, queries are answered by whoever holds the address.

use super::invariant;
use super::lan::{Body, Frame};
use super::marks::Mark;
use super::queue::Event;
use super::world::{Canary, World};
use standfast_core::id::{BfdId, Interface};
use standfast_core::input::Input;
use standfast_core::time::Time;
use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// Between two frames that a clogged link releases.
const RELEASED_EVERY: Duration = Duration::from_micros(20);

/// VRID and priority of an advertisement's payload.
pub(crate) fn vrid_and_priority(payload: &[u8]) -> Option<(u8, u8)> {
    Some((*payload.get(1)?, *payload.get(2)?))
}

impl World {
    /// Sends `body` from `port`, on the segment `on`, to everybody whom it concerns.
    pub(crate) fn send(&mut self, port: usize, on: Interface, body: Body) {
        self.transmit(port, on, body, true);
    }

    /// Sends what somebody else than its sender has made, as if from `port`.
    pub(crate) fn send_forged(&mut self, port: usize, on: Interface, body: Body) {
        self.transmit(port, on, body, false);
    }

    fn transmit(&mut self, port: usize, on: Interface, body: Body, honest: bool) {
        if self.hosts.get(port).is_some_and(|host| !host.powered || host.unplugged > 0) {
            return;
        }
        let (mut to, mut end) = (0, self.lan.ports());
        let mut farewell = false;
        if let Body::Advert { payload, .. } = &body {
            end = self.hosts.len(); // clients do not listen
            farewell = payload.get(2) == Some(&0);
        }
        if let Body::Advert { to: at, .. } | Body::Control { to: at, .. } = &body
            && !at.is_multicast()
        {
            let owner = self.hosts.iter().position(|host| host.own.iter().any(|(_, own)| own == at));
            let Some(owner) = owner else { return };
            (to, end) = (owner, owner + 1);
        }
        self.watch.frames += 1;
        let frame = Rc::new(Frame { sender: port, order: self.watch.frames, honest, on, body });
        while to < end {
            if to != port || self.setting.echo && (to, end) == (port, self.hosts.len()) {
                let arrives = self.put(port, to, &frame);
                if honest && farewell && !arrives {
                    self.mark(Mark::FarewellLost);
                }
            }
            to += 1;
        }
        if honest && matches!(frame.body, Body::Advert { .. }) {
            self.overhear(frame);
        }
    }

    /// Sends a BFD control packet to whoever has the address of the session's neighbour, on a segment that both are on.
    pub(crate) fn send_control(&mut self, host: usize, session: BfdId, payload: &[u8]) {
        let h = &self.hosts[host];
        let Some(path) = h.process.as_ref().and_then(|p| p.seen.open.sessions.get(&session)).copied() else {
            return;
        };
        let there = self.hosts.iter().flat_map(|other| &other.own).find(|(_, own)| *own == path.to);
        let Some((on, _)) = there else { return };
        let same =
            |(segment, own): &&(Interface, IpAddr)| segment == on && own.is_ipv4() == path.to.is_ipv4();
        let Some(own) = h.own.iter().find(same).map(|(_, own)| *own) else { return };
        let (from, to, hops) = (path.from.unwrap_or(own), path.to, path.hops);
        self.send(host, *on, Body::Control { from, to, hops, payload: payload.to_vec() });
    }

    /// The attacker listens, too. Frames of one instant stand in the order of their senders, so that what is replayed
    /// does not depend on who acted first.
    fn overhear(&mut self, frame: Rc<Frame>) {
        let heard = &mut self.watch.heard;
        let later = |(at, other): &(Time, Rc<Frame>)| *at == self.now && other.sender > frame.sender;
        let behind = heard.iter().rev().take_while(|entry| later(entry)).count();
        heard.insert(heard.len() - behind, (self.now, frame));
        if heard.len() > super::adversary::MAX_HEARD {
            heard.pop_front();
        }
    }

    /// Puts a frame on one link; false when it is lost.
    fn put(&mut self, from: usize, to: usize, frame: &Rc<Frame>) -> bool {
        if self.lan.is_clogged(from, to) {
            self.lan.hold(from, to, frame.clone());
            return true;
        }
        let passage = self.lan.pass(self.now, from, to, &frame.body);
        let Some(at) = passage.at else { return false };
        let frame = match passage.damage {
            Some(damage) => Rc::new(World::damaged(frame, damage)),
            None => frame.clone(),
        };
        if let Some(again) = passage.again {
            self.queue.push(again, Event::Arrive { to, frame: frame.clone() });
        }
        self.queue.push(at, Event::Arrive { to, frame });
        true
    }

    /// Clogs the links of `port`, or releases what they held.
    pub(crate) fn clog(&mut self, port: usize, begins: bool) {
        let mut at = self.now;
        for (_, to, frame) in self.lan.clog(port, begins) {
            at = at + RELEASED_EVERY;
            self.queue.push(at, Event::Arrive { to, frame });
        }
    }

    pub(crate) fn arrive(&mut self, to: usize, frame: &Frame) {
        let Some(host) = self.hosts.get_mut(to) else {
            let client = to - self.hosts.len();
            return self.clients[client].hear(frame, self.setting.canary);
        };
        if !host.powered || host.unplugged > 0 {
            return;
        }
        match &frame.body {
            Body::Advert { from, to: at, hops, payload } => {
                let on = host.machine.numbered(frame.on);
                let Some(process) = &mut host.process else { return };
                if !process.seen.open.receives.contains(&(on, *at)) {
                    return;
                }
                if let (true, Some((vrid, priority))) = (frame.honest, vrid_and_priority(payload)) {
                    let last = process.seen.farewells.heard.entry((frame.sender, vrid)).or_insert(0);
                    if priority == 0 {
                        *last = (*last).max(frame.order);
                    } else if frame.order < *last {
                        self.watch.marks.insert(Mark::AdvertAfterFarewell);
                    }
                }
                // A changed copy must be refused; a forgery may be believed.
                if frame.honest || frame.sender >= self.lan.ports() {
                    invariant::on_advert(self, to, frame);
                }
                let payload = Cow::Borrowed(&payload[..]);
                self.feed(to, Input::Packet { on, from: *from, to: *at, hops: *hops, payload });
                invariant::frame_handled(self, to);
            }
            Body::Control { from, hops, payload, .. } => {
                let Some(process) = &mut host.process else { return };
                if !process.seen.open.sessions.is_empty() {
                    let payload = Cow::Borrowed(&payload[..]);
                    self.feed(to, Input::Bfd { from: *from, hops: *hops, payload });
                }
            }
            Body::Announce(address) => {
                if self.setting.canary != Some(Canary::DeafNeighbours) {
                    host.neighbours.insert(*address, frame.sender);
                }
            }
            Body::Query(address) => {
                if host.holds(*address) {
                    let address = *address;
                    self.send(to, frame.on, Body::Reply(address));
                }
            }
            Body::Reply(_) => {}
        }
    }
}
