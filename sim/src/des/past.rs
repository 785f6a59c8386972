//! A daemon that was not started here: it is fed what it was fed when it was recorded, then lives on.
//!
//! While its tape plays it hears nothing of this world, but its advertisements, announcements and requests are carried
//! out, so that by the end of the tape its peers and its kernel stand as it believes. Then the tape's last answers may
//! still be on their way, which its core allows for. The invariants know nothing of what it did before, and are off.

use super::host::{Chapter, Open, Past, Process, Seen};
use super::kernel::{Held, LinkState};
use super::queue::Event;
use super::world::World;
use crate::flight::Flown;
use ipnet::IpNet;
use standfast_core::config::model::Config;
use standfast_core::id::Interface;
use standfast_core::input::{Input, KernelNotice};
use standfast_core::node::Node;
use standfast_core::record::Outside;
use standfast_core::time::Time;
use standfast_core::vrrp::lease_for;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// A recorded node, and what it was fed after.
#[derive(Clone, Debug)]
pub struct Tape {
    /// The node as it stood when the tape begins, encoded.
    pub node: Vec<u8>,
    /// When that is, by the node's clock.
    pub begins: Time,
    /// What it was fed from then on, and when.
    pub inputs: Vec<(Time, Input<'static>)>,
    /// Where the tape ends and the node lives on.
    pub ends: Time,
}

impl World {
    /// Puts the node of `tape` on `host` in the place of the one that was started there; its tape ends `lead` after
    /// the origin. False when the node cannot be understood.
    pub(crate) fn place(&mut self, host: usize, tape: &Tape, lead: Duration) -> bool {
        let Ok(node) = standfast_core::record::decode::<Node>(&tape.node) else { return false };
        let origin = tape.ends.0.saturating_sub(u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX));
        let at = |time: Time| Time(time.0.saturating_sub(origin));
        let h = &mut self.hosts[host];
        h.generation += 1; // what the other one asked for is for nobody
        h.process = None;
        h.machine.clock = super::clock::Clock::new(Time(origin));
        self.queue.push(at(tape.begins), Event::Past { host });
        for (time, _) in &tape.inputs {
            self.queue.push(at(*time), Event::Past { host });
        }
        self.queue.push(at(tape.ends), Event::Past { host });
        let mut past = VecDeque::from([Chapter::Begin(Box::new(node))]);
        past.extend(tape.inputs.iter().map(|(_, input)| Chapter::Input(Box::new(input.clone()))));
        past.push_back(Chapter::End);
        let h = &mut self.hosts[host];
        let segments = h.kernel.links.iter().map(|(on, link)| (link.name.clone(), *on)).collect();
        h.machine.past = Past::Tape(past, segments);
        true
    }

    /// The next chapter of the past of `host`.
    pub(crate) fn relive(&mut self, host: usize) {
        let Past::Tape(past, _) = &mut self.hosts[host].machine.past else { return };
        match past.pop_front() {
            None => {}
            Some(Chapter::Begin(node)) => self.revive(host, *node),
            Some(Chapter::Input(input)) => {
                self.believe_tape(host, &input);
                let now = self.hosts[host].read(self.now);
                if let Some(process) = &mut self.hosts[host].process {
                    process.node.handle(now, *input);
                }
                self.carry_out(host);
            }
            Some(Chapter::End) => {
                self.hosts[host].machine.past = Past::Recorded;
                self.plan_wake(host);
            }
        }
    }

    fn revive(&mut self, host: usize, node: Node) {
        let outside = node.outside();
        let status = node.status();
        self.furnish(host, &outside, node.config());
        let h = &mut self.hosts[host];
        (h.config, h.first) = (node.config().clone(), node.config().clone());
        let mut seen = Seen {
            open: Open {
                receives: outside.receives,
                listening: outside.listening,
                sessions: outside.sessions,
            },
            views: outside.views,
            ..Seen::default()
        };
        seen.roles.extend(status.routers.iter().map(|router| (router.id, router.role)));
        let pools: Vec<_> = seen.views.keys().copied().collect();
        let node = Flown::resume(node);
        h.process = Some(Process { node, wake: (0, None), frozen: None, stopping: status.stopping, seen });
        for pool in pools {
            self.viewed(host, pool);
        }
        self.addresses_changed(host);
        self.trace.say(self.now, Some(host), format_args!("goes on as recorded"));
    }

    /// Gives `host` the links and addresses that its node believes in, under the numbers that it knows.
    fn furnish(&mut self, host: usize, outside: &Outside, config: &Config) {
        let now = self.now;
        let h = &mut self.hosts[host];
        h.kernel.links = outside
            .links
            .iter()
            .map(|link| {
                let state = LinkState { name: link.name.clone(), running: link.up && link.running };
                (link.interface, state)
            })
            .collect();
        h.kernel.addresses.clear();
        let lease = config.instances.values().map(|instance| lease_for(instance)).max();
        for (on, address, marked) in &outside.addresses {
            let ends = lease.filter(|_| *marked && config.node.lease).map(|lease| now + lease);
            h.kernel.addresses.insert((*on, *address), Held { marked: *marked, ends, renewal: 0 });
            if let Some(ends) = ends {
                self.queue.push(ends, Event::LeaseEnds { host, held: Box::new((*on, *address)), renewal: 0 });
            }
        }
        self.number(host);
    }

    /// Interfaces have the numbers that the recorded kernel gave them; a host whose link is down hears nobody.
    fn number(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        let Past::Tape(_, segments) = &h.machine.past else { return };
        let (numbers, kernel) = (&mut h.machine.numbers, &h.kernel);
        for (on, link) in &kernel.links {
            if let Some(segment) = segments.get(&link.name) {
                numbers.insert(*segment, *on);
            }
        }
        let used: BTreeSet<Interface> = numbers.values().copied().collect();
        let own = kernel.addresses.iter().filter(|((on, _), held)| used.contains(on) && !held.marked);
        h.own = own.map(|((on, address), _)| (*on, address.addr())).collect();
        let down = used.iter().filter_map(|on| kernel.links.get(on)).any(|link| !link.running);
        h.unplugged = u32::from(down);
    }

    /// What the recorded kernel said is so in this one, too.
    fn believe_tape(&mut self, host: usize, input: &Input<'_>) {
        let h = &mut self.hosts[host];
        if let Input::Configure(config) = input {
            (h.config, h.first) = (config.clone(), config.clone());
        }
        let Input::Kernel(notice) = input else { return };
        if let KernelNotice::Link(link) = notice {
            let state = LinkState { name: link.name.clone(), running: link.up && link.running };
            h.kernel.links.insert(link.interface, state);
        } else if let KernelNotice::LinkGone(on) = notice {
            h.kernel.links.remove(on);
        } else if let KernelNotice::Address { on, address, marked, .. } = notice {
            let held = Held { marked: *marked, ends: None, renewal: 0 };
            let place: (Interface, IpNet) = (*on, *address);
            h.kernel.addresses.entry(place).or_insert(held);
        } else if let KernelNotice::AddressGone { on, address } = notice {
            h.kernel.take_away(*on, *address);
        }
        self.number(host);
        self.addresses_changed(host);
    }
}
