//! What happens to hosts and their daemons: starts, freezes, kills, power, carrier, clocks, other software's hands.
//!
//! Faults call in here; nothing in here decides when. A kernel outlives its daemon, never a power loss.

use super::fault::Fault;
use super::host::{Process, Seen, Thawed};
use super::kernel;
use super::marks::Mark;
use super::queue::Event;
use super::shape::{RouterKey, Tweak};
use super::world::World;
use crate::flight::Flown;
use ipnet::IpNet;
use standfast_core::event::Role;
use standfast_core::id::{InstanceId, Interface};
use standfast_core::input::{Input, KernelNotice, Order};
use standfast_core::rng::Seed;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A started daemon has its first dump after at most this time.
const BOOT: Duration = Duration::from_millis(5);
/// So long after a failed start of a daemon it is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// A renumbered interface's number is greater by so much.
const RENUMBERED: u32 = 10;

impl World {
    /// Starts a process on `host`.
    pub(crate) fn launch(&mut self, host: usize) {
        let now = self.now;
        let h = &mut self.hosts[host];
        h.generation += 1;
        h.machine.killed = false;
        h.machine.taken.clear();
        let seed = Seed(h.rng.fork(h.generation).next_u64());
        let node = Flown::new(h.config.clone(), seed, h.read(now));
        h.process =
            Some(Process { node, wake: (0, None), frozen: None, stopping: false, seen: Seen::default() });
        self.trace.say(self.now, Some(host), format_args!("starts"));
        let boot = self.hosts[host].rng.below(u64::try_from(BOOT.as_nanos()).unwrap_or(1));
        self.carry_out(host);
        self.dump_after(host, Duration::from_nanos(boot));
    }

    pub(crate) fn freeze(&mut self, host: usize) {
        let now = self.now;
        self.watch.sleepy = true;
        if let Some(process) = &mut self.hosts[host].process {
            process.frozen.get_or_insert_with(|| (now, VecDeque::new()));
        }
    }

    /// Thaws the process of `host`: its deadline first, then what waited, as the driver does it.
    pub(crate) fn thaw(&mut self, host: usize) {
        let now = self.now;
        let others: Vec<RouterKey> = self.masters_elsewhere(host);
        let slept = self.slept_through(host);
        let h = &mut self.hosts[host];
        let generation = h.generation;
        let Some(process) = &mut h.process else { return };
        let Some((since, waiting)) = process.frozen.take() else { return };
        // Whoever was frozen for longer than its rivals wait may have been replaced.
        let replaced = |id: &InstanceId| {
            h.config.instances.get(id).is_some_and(|instance| {
                let election = &instance.election;
                now.since(since)
                    > election.interval * (u32::from(election.down_adverts) + 1) + Duration::from_secs(1)
            })
        };
        let is_master = |(_, role): &(&InstanceId, &Role)| **role == Role::Master;
        let masters: Vec<InstanceId> =
            process.seen.roles.iter().filter(is_master).map(|(id, _)| *id).collect();
        let of = |id: &InstanceId| h.config.instances.get(id).map(|instance| RouterKey::of(instance));
        let taken = masters.iter().filter_map(of).any(|key| others.contains(&key));
        let stale = masters.into_iter().filter(replaced).collect();
        let slept =
            slept.into_iter().filter(|id| process.seen.roles.get(id) == Some(&Role::Backup)).collect();
        process.seen.thawed = Some(Thawed { adverts: BTreeMap::new(), stale, slept });
        process.seen.heard.lower.clear();
        process.seen.farewells.parting.clear();
        if taken {
            self.mark(Mark::PauseAcrossTakeover);
        }
        self.feed(host, Input::Tick);
        for input in waiting {
            self.queue.push(self.now, Event::Feed { host, generation, input: Box::new(input) });
        }
        self.queue.push(self.now, Event::Drain { host, generation });
    }

    /// The virtual routers whose backups wait for less than `host` has been frozen for, whatever interval they have learnt.
    fn slept_through(&self, host: usize) -> Vec<InstanceId> {
        let h = &self.hosts[host];
        let frozen = h.process.as_ref().and_then(|process| process.frozen.as_ref());
        let Some((since, _)) = frozen else { return Vec::new() };
        let asleep = self.now.since(*since);
        let longest = |key: &RouterKey| {
            let theirs = self.hosts.iter().filter_map(|other| other.instance(key));
            theirs.map(|(_, instance)| instance.election.interval).max().unwrap_or_default()
        };
        let mine = h.config.instances.values().filter(|instance| {
            let adverts = u32::from(instance.election.down_adverts) + 3;
            asleep > longest(&RouterKey::of(instance)) * adverts + Duration::from_secs(1)
        });
        mine.map(|instance| instance.id).collect()
    }

    fn masters_elsewhere(&self, host: usize) -> Vec<RouterKey> {
        let others = (0..self.hosts.len()).filter(|other| *other != host).map(|other| &self.hosts[other]);
        let keys = self.routers.keys();
        keys.filter(|key| others.clone().any(|other| other.role(key) == Some(Role::Master)))
            .cloned()
            .collect()
    }

    /// What waited for a frozen process has been read.
    pub(crate) fn drain(&mut self, host: usize) {
        if let Some(process) = &mut self.hosts[host].process {
            process.seen.thawed = None;
        }
    }

    /// Carrier of `host` comes, or goes.
    pub(crate) fn plug(&mut self, host: usize, plugged: bool) {
        let h = &mut self.hosts[host];
        h.unplugged = if plugged { h.unplugged.saturating_sub(1) } else { h.unplugged + 1 };
        let running = h.unplugged == 0;
        let mut notices = Vec::new();
        for (on, link) in &mut h.kernel.links {
            if link.running != running {
                link.running = running;
                notices.push(kernel::notice(*on, link));
            }
        }
        for notice in notices {
            self.notify(host, notice);
        }
    }

    /// The interfaces of `host` are made anew, under other numbers: virtual addresses are gone, its own come back.
    pub(crate) fn renumber(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        if !h.powered {
            return;
        }
        h.machine.taken.extend(h.kernel.addresses.keys().map(|(_, address)| *address));
        let mut notices = Vec::new();
        for (old, link) in std::mem::take(&mut h.kernel.links) {
            let new = Interface(old.0 + RENUMBERED);
            let segment = h.machine.segment(old);
            h.machine.numbers.insert(segment, new);
            h.kernel.addresses.retain(|(on, _), held| *on != old || !held.marked);
            let kept: Vec<_> = h.kernel.addresses.iter().filter(|((on, _), _)| *on == old).collect();
            let kept: Vec<(IpNet, kernel::Held)> =
                kept.into_iter().map(|((_, a), held)| (*a, *held)).collect();
            h.kernel.addresses.retain(|(on, _), _| *on != old);
            notices.extend([KernelNotice::LinkGone(old), kernel::notice(new, &link)]);
            for (address, held) in kept {
                h.kernel.addresses.insert((new, address), held);
                let tentative = h.kernel.tentative(address, held);
                notices.push(KernelNotice::Address { on: new, address, marked: false, tentative });
            }
            h.own.iter_mut().filter(|own| own.0 == old).for_each(|own| own.0 = new);
            h.kernel.links.insert(new, link);
        }
        self.addresses_changed(host);
        for notice in notices {
            self.notify(host, notice);
        }
    }

    /// Somebody else has the IPv6 addresses of `host`, or has them no longer.
    pub(crate) fn duplicate(&mut self, host: usize, begins: bool) {
        let kernel = &mut self.hosts[host].kernel;
        let count = &mut kernel.mood.doubled;
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        let kernel = &self.hosts[host].kernel;
        let six =
            kernel.addresses.iter().filter(|((_, address), held)| !held.marked && address.addr().is_ipv6());
        let six = six.map(|((on, address), held)| KernelNotice::Address {
            on: *on,
            address: *address,
            marked: false,
            tentative: kernel.tentative(*address, *held),
        });
        for notice in six.collect::<Vec<_>>() {
            self.notify(host, notice);
        }
    }

    /// The clock of `host` runs fast or slow by so many parts per million.
    pub(crate) fn drift(&mut self, host: usize, ppm: i32) {
        let now = self.now;
        self.hosts[host].machine.clock.drift(now, ppm);
        self.plan_wake_anew(host);
    }

    /// Other software takes every virtual address of `host` away.
    pub(crate) fn take_addresses(&mut self, host: usize) {
        self.take_some(host, usize::MAX);
    }

    /// Other software takes so many virtual addresses of `host` away.
    pub(crate) fn take_some(&mut self, host: usize, count: usize) {
        let marked = self.hosts[host].kernel.addresses.iter().filter(|(_, held)| held.marked);
        let marked: Vec<_> = marked.map(|((on, address), _)| (*on, *address)).take(count).collect();
        let master = self.hosts[host]
            .awake()
            .is_some_and(|process| process.seen.roles.values().any(|role| *role == Role::Master));
        if master && !marked.is_empty() {
            self.mark(Mark::AddressDeleted);
        }
        self.take(host, marked);
    }

    fn take(&mut self, host: usize, which: Vec<(Interface, IpNet)>) {
        for (on, address) in which {
            self.hosts[host].machine.taken.insert(address);
            let notice = self.hosts[host].kernel.take_away(on, address);
            self.addresses_changed(host);
            if let Some(notice) = notice {
                self.notify(host, notice);
            }
        }
    }

    /// An operator adds every virtual address to `host` by hand, or takes away what was so added.
    pub(crate) fn add_addresses(&mut self, host: usize, begins: bool) {
        let h = &mut self.hosts[host];
        if !h.powered {
            return;
        }
        let Some(on) = h.kernel.links.keys().next().copied() else { return };
        if !begins {
            let virtual_ones = &self.watch.addresses;
            let by_hand =
                h.kernel.addresses.iter().filter(|((_, a), held)| !held.marked && virtual_ones.contains(a));
            let by_hand = by_hand.map(|(at, _)| *at).collect();
            return self.take(host, by_hand);
        }
        let wanted: Vec<IpNet> =
            self.routers.values().flatten().copied().filter(|address| !h.kernel.owns(*address)).collect();
        for address in wanted {
            let by_hand = kernel::Held { marked: false, ends: None, renewal: 0 };
            self.hosts[host].kernel.addresses.insert((on, address), by_hand);
            self.notify(host, KernelNotice::Address { on, address, marked: false, tentative: false });
        }
        self.addresses_changed(host);
    }

    /// The virtual routers of `host` are sent away, or called back.
    pub(crate) fn resign(&mut self, host: usize, begins: bool) {
        let ids: Vec<InstanceId> = self.hosts[host].config.instances.keys().copied().collect();
        for id in ids {
            let order = if begins { Order::Resign(id) } else { Order::Rejoin(id) };
            self.feed(host, Input::Order(order));
        }
    }

    /// The configuration on disk changes, and the daemon reads it.
    pub(crate) fn reload(&mut self, host: usize, to: Tweak) {
        let model = if let Tweak::As(other) = to { other % self.hosts.len() } else { host };
        let model = self.hosts[model].first.clone();
        let new = Arc::new(to.apply(&self.hosts[host].first, &model));
        self.watch.addresses.extend(
            new.instances.values().flat_map(|instance| instance.addresses.iter().map(|held| held.address)),
        );
        let old = std::mem::replace(&mut self.hosts[host].config, new.clone());
        if old != new {
            self.hosts[host].machine.reloaded = Some(self.now);
        }
        self.hosts[host].machine.tweak = Some(to);
        self.replaced = Some(old);
        self.feed(host, Input::Configure(new));
        self.replaced = None;
    }

    /// Cuts the power of `host`: its process and its virtual addresses are gone at once.
    pub fn power_loss(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.powered = false;
        h.process = None;
        h.kernel.power_loss();
        h.neighbours.clear();
        self.addresses_changed(host);
    }

    /// Kills the daemon of `host`: its kernel keeps what it holds.
    pub fn kill(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        h.machine.killed |= h.process.is_some();
        h.process = None;
    }

    /// Lets the daemon of `host` stop; nobody starts it again.
    pub fn stop_for_good(&mut self, host: usize) {
        self.stop(host);
    }

    /// Asks the daemon of `host` to stop.
    pub fn stop(&mut self, host: usize) {
        self.feed(host, Input::Stop);
    }

    /// Starts the daemon of `host`, powering the host if need be; waits for one that is just stopping.
    pub fn start(&mut self, host: usize) {
        self.hosts[host].powered = true;
        match &self.hosts[host].process {
            Some(process) if process.stopping => {
                let again = Fault::Stop { host, back: Duration::ZERO };
                self.queue.push(self.now + AGAIN, Event::Undo(Box::new(again)));
            }
            Some(_) => {}
            None => self.launch(host),
        }
    }
}
