//! Virtual routers: VRRP versions 2 and 3 over IPv4 and IPv6, as keepalived runs them, minus its defects.
//!
//! [`Routers`] is the facade: it finds the instance that an input is for, lets sync groups act as one, and shares
//! out what the host reports. The behaviour of one virtual router is in `instance` and its neighbours. Nothing
//! happens before the first complete dump of links and addresses; what a killed run left behind is dealt with
//! then, before anything is sent.

mod address;
mod advert;
mod announce;
mod burst;
mod debounce;
pub mod election;
mod group;
mod instance;
mod items;
mod lease;
mod leave;
mod links;
mod priority;
mod receive;
mod reception;
mod reload;
mod start;
mod status;
mod stray;
mod sweep;
mod transition;
mod world;

pub use debounce::longest as longest_debounce;
pub use lease::{lease_for, lease_is_safe};
pub use leave::{HANDOVER_GRACE, LEAVE_AT_MOST};
pub use receive::Packet;
pub use status::{
    AddressStatus, Counters, LinkStatus, MasterStatus, PaceStatus, PriorityStatus, RouterStatus,
};

use crate::config::model::Config;
use crate::event::{Event, Role, Why};
use crate::id::{BfdId, CheckId, GroupId, InstanceId, Interface, Ticket};
use crate::input::{Errno, KernelNotice};
use crate::outbox::{Context, Signal};
use crate::record::Outside;
use crate::time::Time;
use crate::timers::{RouterTimer, TimerKey};
use advert::Ripple;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use group::Group;
use instance::Instance;
use items::Items;
use reception::Receptions;
use serde::{Deserialize, Serialize};
use stray::Strays;
use sweep::Leftovers;
use transition::Parting;
use world::{Asked, Desk, Pace, Tickets, World};

/// A gap between two inputs that is worth asking whether somebody overslept.
const NOTABLE_GAP: Duration = Duration::from_millis(1);

/// All virtual routers of a node.
#[derive(Debug, Serialize, Deserialize)]
pub struct Routers {
    instances: BTreeMap<InstanceId, Instance>,
    groups: BTreeMap<GroupId, Group>,
    world: World,
    tickets: Tickets,
    pace: Pace,
    receptions: Receptions,
    /// Interfaces on which sending fails, and was told of.
    unsent: BTreeMap<Interface, Errno>,
    leftovers: Leftovers,
    items: Items,
    strays: Strays,
    last_input: Time,
    stage: Stage,
}

/// How far the virtual routers are, from the first dump to the end.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stage {
    /// The first dump of links and addresses is in.
    started: bool,
    /// A clean stop was ordered.
    stopping: bool,
    /// Until when the removal of static items is waited for.
    last_wait: Option<Time>,
    /// Everything has been given up, and that was told.
    left: bool,
}

impl Routers {
    /// Virtual routers that wait for the first `KernelNotice::ResyncEnd`.
    pub(crate) fn new(config: &Config) -> Routers {
        let mut world = World::default();
        world.configure(config);
        let instance =
            |config: &alloc::sync::Arc<_>| Instance::new(alloc::sync::Arc::clone(config), Time::ZERO);
        let mut routers = Routers {
            instances: config.instances.iter().map(|(id, config)| (*id, instance(config))).collect(),
            groups: reload::groups(config, &BTreeMap::new()),
            world,
            tickets: Tickets::default(),
            pace: Pace::default(),
            receptions: Receptions::default(),
            unsent: BTreeMap::new(),
            leftovers: Leftovers::new(),
            items: Items::default(),
            strays: Strays::default(),
            last_input: Time::ZERO,
            stage: Stage::default(),
        };
        routers.list_items(config);
        routers
    }

    /// A packet of IP protocol 112.
    pub(crate) fn on_packet(&mut self, cx: &mut Context<'_>, packet: &Packet<'_>) {
        self.wake(cx);
        if !self.stage.started || cx.now < self.world.quiet_until {
            return;
        }
        let best = self
            .instances
            .values()
            .filter(|instance| receive::concerns(&instance.config, packet))
            .filter(|instance| self.world.interface(&instance.config) == Some(packet.on))
            .max_by_key(|instance| instance.fit(packet))
            .filter(|i| i.standing.leaving.is_some() || matches!(i.role, Role::Backup | Role::Master));
        let Some(id) = best.map(Instance::id) else {
            self.on_stray(cx, packet);
            return;
        };
        let ripple = self.at_desk(cx, id, |instance, desk| instance.on_packet(desk, packet));
        match ripple {
            None | Some(Ripple::None) => {}
            Some(Ripple::Yielded) => self.drag_to_backup(cx, id),
            Some(Ripple::Announced) => {
                for other in self.others(id) {
                    self.at_desk(cx, other, |instance, desk| instance.announce_after_lower(desk));
                }
            }
        }
        self.settle_groups(cx);
    }

    /// The kernel says how a link or its addresses stand.
    pub(crate) fn on_kernel(&mut self, cx: &mut Context<'_>, notice: &KernelNotice) {
        self.wake(cx);
        if let KernelNotice::Unsent { on, errno } = notice {
            self.on_unsent(cx, *on, *errno);
            return;
        }
        if matches!(notice, KernelNotice::ItemsTouched) {
            self.on_items_touched(cx);
            return;
        }
        let usable =
            |routers: &Routers, on: Interface| routers.world.links.link(on).map(|l| l.up && l.running);
        let before = match notice {
            KernelNotice::Link(link) => usable(self, link.interface),
            KernelNotice::LinkGone(_)
            | KernelNotice::Address { .. }
            | KernelNotice::AddressGone { .. }
            | KernelNotice::ResyncBegin
            | KernelNotice::ResyncEnd
            | KernelNotice::ItemsTouched
            | KernelNotice::Unsent { .. } => None,
        };
        let change = self.world.links.learn(cx.now, notice);
        self.debounce(cx);
        if !self.stage.started {
            if change.complete.is_some() {
                self.start(cx);
            }
            return;
        }
        for on in &change.links_gone {
            self.unsent.remove(on);
            self.everyone(cx, |instance, desk| instance.on_link_gone(desk, *on));
        }
        if let Some(link) = change.link.and_then(|on| self.world.links.link(on)) {
            let (on, name, now_usable) = (link.interface, link.name.clone(), link.up && link.running);
            if before != Some(now_usable) && self.cares_about(&name) {
                cx.out.tell(Event::Link { name, usable: now_usable, exists: true });
            }
            self.unsent.remove(&on);
            self.everyone(cx, |instance, desk| instance.on_link(desk));
        }
        let mut gone = change.gone;
        if let Some(dump) = &change.complete {
            gone.retain(|(on, address)| !self.instances.values().any(|one| one.has_given_up(*on, *address)));
            gone.extend(self.instances.values_mut().flat_map(|instance| instance.missing_from(dump)));
        }
        for (on, address) in gone {
            self.on_address_gone(cx, on, address);
            self.on_static_address_gone(cx, on, address);
        }
        if change.relevant {
            self.settle(cx);
        }
        self.sweep_named(cx, notice);
    }

    fn cares_about(&self, name: &str) -> bool {
        self.instances.values().any(|instance| {
            &*instance.config.router.interface == name
                || instance.config.addresses.iter().any(|address| &*address.interface == name)
        })
    }

    fn on_unsent(&mut self, cx: &mut Context<'_>, on: Interface, errno: Errno) {
        if self.unsent.insert(on, errno) != Some(errno) {
            let name = self.world.links.link(on).map_or_else(|| "?".into(), |link| link.name.clone());
            cx.out.tell(Event::Refused { what: format!("send on {name}"), errno });
        }
    }

    /// Somebody else took an address from a master: it and its sync group give up everything and stand for election
    /// again at once, so that either they or a peer has all of it soon (keepalived).
    fn on_address_gone(&mut self, cx: &mut Context<'_>, on: Interface, address: ipnet::IpNet) {
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            let lost =
                self.at_desk(cx, id, |instance, desk| instance.on_address_gone(desk, on, address)).flatten();
            let Some(address) = lost else { continue };
            for member in self.together(id) {
                self.at_desk(cx, member, |instance, desk| {
                    if instance.role != Role::Master {
                        return;
                    }
                    let why = if member == id { Why::AddressLost { address } } else { Why::Group };
                    if member == id {
                        let name = instance.name().clone();
                        let then = "everything is given up, and the election starts anew".into();
                        desk.tell(Event::AddressLost { name, on, address, then });
                    }
                    instance.clock.interval = instance.config.election.interval;
                    let at = desk.counting_from() + instance.skew();
                    instance.enter_backup(desk, why, Parting::Farewell, at);
                });
            }
        }
        self.settle_groups(cx);
    }

    /// An answer; false when it is not to one of our requests.
    pub(crate) fn on_done(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) -> bool {
        self.wake(cx);
        let Some(asked) = self.tickets.take(ticket) else { return false };
        match asked {
            Asked::Address(id) => {
                self.at_desk(cx, id, |instance, desk| instance.on_address_done(desk, ticket, result));
                self.leave_if_all_left(cx);
            }
            Asked::Receive(on, at) => self.on_received(cx, on, at, ticket, result),
            Asked::Leftover(on, address) => self.on_leftover_done(cx, (on, address), ticket, result),
            Asked::Item(owner) => self.on_item_done(cx, owner, ticket, result),
            Asked::Script => {}
        }
        true
    }

    /// A deadline has passed.
    pub(crate) fn on_timer(&mut self, cx: &mut Context<'_>, id: InstanceId, timer: RouterTimer) {
        self.wake(cx);
        // Taken as due, but oversleeping has set it anew.
        if cx.timers.at(TimerKey::Router(id, timer)).is_some() {
            return;
        }
        match timer {
            RouterTimer::MasterDown => self.on_silence(cx, id),
            RouterTimer::Preempt => {
                self.at_desk(cx, id, |instance, _| instance.standing.delay_over = true);
                self.on_silence(cx, id);
            }
            RouterTimer::AddressRetry => {
                self.at_desk(cx, id, Instance::on_retry);
                self.retry_receptions(cx);
            }
            RouterTimer::Leave => {
                self.at_desk(cx, id, Instance::on_leave);
                self.leave_if_all_left(cx);
            }
            RouterTimer::Advertise
            | RouterTimer::AnnounceAgain
            | RouterTimer::AnnounceLower
            | RouterTimer::AnnounceRefresh
            | RouterTimer::AnnounceExtra
            | RouterTimer::AnnouncePaced
            | RouterTimer::Duel
            | RouterTimer::Lease => {
                self.at_desk(cx, id, |instance, desk| instance.on_own_timer(desk, timer));
            }
        }
        self.settle_groups(cx);
    }

    /// `Master_Down` or the preemption delay is over. The latter means a takeover right now (keepalived waits for one
    /// more `Master_Down`; defect B11).
    fn on_silence(&mut self, cx: &mut Context<'_>, id: InstanceId) {
        let why = self.at_desk(cx, id, |instance, desk| {
            instance.step_back_in(desk);
            instance.why_takeover(desk.now())
        });
        let takes_over = self.instances.get(&id).is_some_and(|instance| {
            election::step(instance.role, election::Preempt::Now, election::Happening::Silence)
                == election::Step::TakeOver
        });
        if let (Some(why), true) = (why, takes_over) {
            self.claim(cx, id, &why);
        }
    }

    /// The number of a tracked file, or that there is none.
    pub(crate) fn on_number(&mut self, cx: &mut Context<'_>, check: CheckId, number: Option<i32>) {
        let before = match number {
            Some(number) => self.world.numbers.insert(check, number),
            None => self.world.numbers.remove(&check),
        };
        if before != number && self.stage.started {
            self.settle(cx);
        }
    }

    /// A check changed its mind.
    pub(crate) fn on_verdict(&mut self, cx: &mut Context<'_>, check: CheckId, up: Option<bool>) {
        self.wake(cx);
        let before = match up {
            Some(up) => self.world.verdicts.insert(check, up),
            None => self.world.verdicts.remove(&check),
        };
        if before != up && self.stage.started {
            self.settle(cx);
        }
    }

    /// A BFD session came up, or went down.
    pub(crate) fn on_session(&mut self, cx: &mut Context<'_>, session: BfdId, up: bool) {
        self.wake(cx);
        if self.world.learn_session(session, up) && self.stage.started && !self.stage.left {
            self.settle(cx);
        }
    }

    /// Hands an instance, and its sync group, over to a peer.
    pub(crate) fn resign(&mut self, cx: &mut Context<'_>, id: InstanceId) {
        self.wake(cx);
        if self.stage.started && !self.stage.stopping {
            for member in self.together(id) {
                self.at_desk(cx, member, |instance, desk| {
                    if !instance.standing.away {
                        instance.leave(desk, false);
                    }
                });
            }
            self.settle_groups(cx);
        }
    }

    /// Lets an instance, and its sync group, take part again.
    pub(crate) fn rejoin(&mut self, cx: &mut Context<'_>, id: InstanceId) {
        self.wake(cx);
        if self.stage.started && !self.stage.stopping {
            for member in self.together(id) {
                self.at_desk(cx, member, |instance, desk| {
                    instance.finish_leaving(desk);
                    instance.standing.away = false;
                });
            }
            self.settle(cx);
        }
    }

    /// Leaves for good; `Signal::Left` follows when all is given up.
    pub(crate) fn stop(&mut self, cx: &mut Context<'_>) {
        self.wake(cx);
        if self.stage.stopping {
            return;
        }
        self.stage.stopping = true;
        if self.stage.started {
            self.everyone(cx, |instance, desk| instance.leave(desk, true));
            self.settle_groups(cx);
        }
        self.leave_if_all_left(cx);
    }

    fn leave_if_all_left(&mut self, cx: &mut Context<'_>) {
        let all = self.instances.values().all(|instance| instance.standing.leaving.is_none());
        if self.stage.stopping && all && !self.stage.left {
            if !self.has_released_static(cx) {
                return;
            }
            self.stage.left = true;
            self.close_receptions(cx);
            cx.out.signal(Signal::Left);
        }
    }

    /// Links, addresses and open receptions, as far as known.
    pub(crate) fn outside(&self) -> Outside {
        let addresses = self.world.links.all().map(|(on, _, held)| (on, held.address, held.marked));
        Outside {
            links: self.world.links.every().cloned().collect(),
            addresses: addresses.collect(),
            receives: self.receptions.places(),
            ..Outside::default()
        }
    }

    /// How the virtual routers stand.
    pub(crate) fn status(&self) -> Vec<RouterStatus> {
        self.instances.values().map(|instance| instance.status(&self.world)).collect()
    }

    /// The links of the host with their addresses.
    pub(crate) fn links(&self) -> Vec<LinkStatus> {
        self.world.links.status()
    }

    /// What must hold after every input.
    pub(crate) fn check_invariants(&self) {
        self.instances.values().for_each(Instance::check_invariants);
        for group in self.groups.values() {
            let roles = group.config.members.iter().filter_map(|id| self.instances.get(id)).map(|i| i.role);
            let (masters, others) = roles.fold((0, 0), |(masters, others), role| match role {
                Role::Master => (masters + 1, others),
                Role::Init | Role::Backup | Role::Fault => (masters, others + 1),
            });
            debug_assert!(masters == 0 || others == 0, "group {} is half master", group.config.name);
        }
        debug_assert!(!self.stage.left || self.stage.stopping);
    }

    /// The node was not scheduled for some time: whoever slept past what its peers wait must listen first, since
    /// they may have taken over. What they said meanwhile is still in the sockets' buffers.
    fn wake(&mut self, cx: &mut Context<'_>) {
        let gap = cx.now.since(core::mem::replace(&mut self.last_input, cx.now));
        if gap < NOTABLE_GAP || !self.stage.started || self.stage.stopping {
            return;
        }
        let masters = self.instances.values().filter(|instance| instance.role == Role::Master);
        let masters: Vec<InstanceId> = masters.map(Instance::id).collect();
        self.everyone(cx, Instance::wake);
        // A group's members waited for different times; whoever slept too long takes the others along.
        for id in masters {
            if self.instances.get(&id).is_some_and(|instance| instance.role == Role::Backup) {
                self.drag_to_backup(cx, id);
            }
        }
        self.settle_groups(cx);
    }

    fn desk<'d, 'c>(&'d mut self, cx: &'d mut Context<'c>) -> Desk<'d, 'c> {
        let Routers { world, tickets, pace, items, .. } = self;
        Desk { cx, world, tickets, pace, items }
    }

    fn at_desk<R>(
        &mut self,
        cx: &mut Context<'_>,
        id: InstanceId,
        act: impl FnOnce(&mut Instance, &mut Desk<'_, '_>) -> R,
    ) -> Option<R> {
        let Routers { instances, world, tickets, pace, items, .. } = self;
        let instance = instances.get_mut(&id)?;
        Some(act(instance, &mut Desk { cx, world, tickets, pace, items }))
    }

    fn everyone(&mut self, cx: &mut Context<'_>, mut act: impl FnMut(&mut Instance, &mut Desk<'_, '_>)) {
        let Routers { instances, world, tickets, pace, items, .. } = self;
        for instance in instances.values_mut() {
            act(instance, &mut Desk { cx, world, tickets, pace, items });
        }
    }
}

#[cfg(test)]
mod tests;
