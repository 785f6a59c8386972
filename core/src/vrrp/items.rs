//! Routes, rules and static addresses as desired state: what is wanted, what was asked of the kernel, what it
//! answered.
//!
//! An addition is refused with `EEXIST` when the item is there, so asking again is how one looks: each second, and
//! whenever the kernel says that something of ours was taken. What was missing is put back in its place, without a
//! word to the peers (keepalived gives up the role for a lost route or rule, and comes back; the traffic that the
//! others would get meanwhile has no use for that). Order on gain: addresses, routes, rules; on loss the reverse.
//! Invariant: an item is removed only while no owner wants it.

use super::Routers;
use super::address::retry_after;
use super::burst::Burst;
use super::world::{Asked, Desk, Tickets};
use crate::action::Action;
use crate::config::item::Item;
use crate::config::model::Config;
use crate::event::{Event, ItemNews};
use crate::id::{InstanceId, Interface, Ticket};
use crate::input::Errno;
use crate::outbox::Context;
use crate::time::Time;
use crate::timers::TimerKey;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Between two looks at what is there: routes can vanish without a word of the kernel.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// From the kernel's word to the look: removals come in swarms.
const LOOK_SOON: Duration = Duration::from_millis(20);

/// Whose an item is: a virtual router's, or the node's own.
pub(super) type Owner = Option<InstanceId>;

/// All items of a node, in the order in which they are added.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Items {
    of: BTreeMap<Owner, Vec<Entry>>,
    /// When all that is wanted is asked for again.
    look_at: Option<Time>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    item: Arc<Item>,
    /// In the configuration; else only its removal is waited for.
    listed: bool,
    wanted: bool,
    there: bool,
    asked: Option<Asking>,
    attempts: u32,
    burst: Burst,
    /// It is not put back before.
    not_before: Time,
}

#[derive(Debug, Serialize, Deserialize)]
struct Asking {
    ticket: Ticket,
    own: bool,
    retry: Time,
}

impl Entry {
    fn new(item: Arc<Item>) -> Entry {
        Entry {
            item,
            listed: true,
            wanted: false,
            there: false,
            asked: None,
            attempts: 0,
            burst: Burst::default(),
            not_before: Time::ZERO,
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>, tickets: &mut Tickets, owner: Owner, own: bool) {
        if let Some(old) = self.asked.take() {
            tickets.take(old.ticket); // its answer no longer counts
            if old.own != own {
                self.attempts = 0;
            }
        }
        let ticket = cx.out.ticket();
        tickets.give(ticket, Asked::Item(owner));
        self.asked = Some(Asking { ticket, own, retry: cx.now + retry_after(self.attempts) });
        cx.out.act(Action::Item { ticket, item: self.item.clone(), own });
    }

    /// It is wanted, and the kernel has refused it.
    fn is_refused(&self) -> bool {
        self.wanted && !self.there && self.attempts > 0
    }
}

impl Items {
    /// Sets what an owner has in the configuration.
    pub(super) fn list<'i>(&mut self, owner: Owner, items: impl Iterator<Item = &'i Arc<Item>>) {
        let entries = self.of.entry(owner).or_default();
        entries.iter_mut().for_each(|entry| entry.listed = false);
        for item in items {
            match entries.iter().position(|entry| entry.item == *item) {
                Some(at) => {
                    let mut entry = entries.remove(at);
                    entry.listed = true;
                    entries.push(entry);
                }
                None => entries.push(Entry::new(item.clone())),
            }
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        self.of.retain(|_, entries| {
            entries.retain(|entry| entry.listed || entry.wanted || entry.asked.is_some());
            !entries.is_empty()
        });
    }

    /// Follows virtual routers to their new ids.
    pub(super) fn rename(&mut self, renamed: &BTreeMap<InstanceId, InstanceId>) {
        let taken: Vec<(Owner, Vec<Entry>)> = renamed
            .iter()
            .filter_map(|(old, new)| Some((Some(*new), self.of.remove(&Some(*old))?)))
            .collect();
        self.of.extend(taken);
    }

    /// An answer is outstanding.
    pub(super) fn is_asked(&self, owner: Owner) -> bool {
        self.of.get(&owner).is_some_and(|entries| entries.iter().any(|entry| entry.asked.is_some()))
    }

    /// A static address of this node, or one whose removal is under way.
    pub(super) fn has_address(&self, interface: &str, address: IpNet) -> bool {
        self.of.values().flatten().any(|entry| is_address(&entry.item, interface, address))
    }

    /// Static items that the kernel has refused.
    fn refused(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.of.get(&None).into_iter().flatten().filter(|entry| entry.is_refused()).map(|entry| &entry.item)
    }

    fn is_wanted(&self, item: &Item) -> bool {
        self.of.values().flatten().any(|entry| entry.wanted && *entry.item == *item)
    }

    fn deadline(&self) -> Option<Time> {
        let entries = || self.of.values().flatten();
        let look = self.look_at.filter(|_| entries().any(|entry| entry.wanted));
        entries().filter_map(|entry| entry.asked.as_ref()).map(|asked| asked.retry).chain(look).min()
    }

    fn arm(&self, cx: &mut Context<'_>) {
        match self.deadline() {
            Some(at) => cx.timers.arm(TimerKey::Items, at),
            None => cx.timers.disarm(TimerKey::Items),
        }
    }
}

fn is_address(item: &Item, interface: &str, address: IpNet) -> bool {
    matches!(item, Item::Address(one) if one.address == address && *one.interface == *interface)
}

impl Desk<'_, '_> {
    /// Wants all items of an owner; what is there stays as it is.
    pub(super) fn install(&mut self, owner: Owner) {
        let Desk { cx, tickets, items, .. } = self;
        for entry in items.of.get_mut(&owner).into_iter().flatten().filter(|entry| entry.listed) {
            let asked = entry.asked.as_ref().is_some_and(|asked| asked.own);
            entry.wanted = true;
            if !asked && (!entry.there || entry.asked.is_some()) {
                entry.ask(cx, tickets, owner, true);
            }
        }
        if items.look_at.is_none() {
            items.look_at = Some(cx.now + LOOK_EVERY);
        }
        items.arm(cx);
    }

    /// Wants no item of an owner; the last one goes first.
    pub(super) fn release(&mut self, owner: Owner) {
        self.drop_items(owner, |_| true, |entry| entry.there || entry.asked.as_ref().is_some_and(|a| a.own));
    }

    /// Removes what a reload has taken from an owner.
    pub(super) fn release_unlisted(&mut self, owner: Owner) {
        self.drop_items(
            owner,
            |entry| !entry.listed && entry.wanted,
            |entry| entry.there || entry.asked.as_ref().is_some_and(|a| a.own),
        );
    }

    /// Removes all items of an owner, whoever put them there: what a killed run left behind.
    pub(super) fn sweep_items(&mut self, owner: Owner) {
        self.drop_items(owner, |_| true, |_| true);
    }

    fn drop_items(
        &mut self,
        owner: Owner,
        which: impl Fn(&Entry) -> bool,
        may_be_there: impl Fn(&Entry) -> bool,
    ) {
        let Desk { cx, tickets, items, .. } = self;
        let Some(mut entries) = items.of.remove(&owner) else { return };
        for entry in entries.iter_mut().rev().filter(|entry| which(entry)) {
            entry.wanted = false;
            if items.is_wanted(&entry.item) {
                entry.there = false; // somebody else here keeps it
                if let Some(asked) = entry.asked.take() {
                    tickets.take(asked.ticket);
                }
            } else if may_be_there(entry) && entry.asked.as_ref().is_none_or(|asked| asked.own) {
                entry.ask(cx, tickets, owner, false);
            }
        }
        items.of.insert(owner, entries);
        items.tidy();
        items.arm(cx);
    }
}

impl Routers {
    /// Takes over the items of a configuration, and who follows which.
    pub(super) fn list_items(&mut self, config: &Config) {
        let gone = self.items.of.keys().flatten().filter(|id| !config.instances.contains_key(id));
        for id in gone.copied().collect::<Vec<InstanceId>>() {
            self.items.list(Some(id), core::iter::empty());
        }
        for (id, instance) in &config.instances {
            self.items.list(Some(*id), instance.items.iter());
        }
        self.items.list(None, config.items.iter().map(|one| &one.item));
        self.world.followers = config
            .items
            .iter()
            .flat_map(|one| one.routers.iter().map(|router| (one.item.clone(), *router)))
            .collect();
    }

    /// Deals with what a killed run left of the routers' items, and puts the static ones in place.
    pub(super) fn sweep_all_items(&mut self, cx: &mut Context<'_>) {
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        for id in ids {
            if !self.starts_at_once(cx.now, id) {
                self.desk(cx).sweep_items(Some(id));
            }
        }
        self.desk(cx).install(None);
    }

    /// After a reload: what is no longer listed goes, what is new comes where its owner is active.
    pub(super) fn change_items(&mut self, cx: &mut Context<'_>) {
        let owners: Vec<Owner> = self.items.of.keys().copied().collect();
        for owner in owners {
            self.desk(cx).release_unlisted(owner);
            let holds = match owner.and_then(|id| self.instances.get(&id)) {
                Some(instance) => instance.holds_addresses(),
                None => owner.is_none() && self.stage.started,
            };
            if holds {
                self.desk(cx).install(owner);
            }
        }
    }

    /// The stop: static items are given up last, and their removal waited for a little; true when that is over.
    pub(super) fn has_released_static(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stage.last_wait.is_none() {
            self.stage.last_wait = Some(cx.now + super::leave::REMOVE_AT_MOST);
            self.desk(cx).release(None);
        }
        !self.items.is_asked(None) || self.stage.last_wait.is_some_and(|until| until <= cx.now)
    }

    /// The kernel's answer.
    pub(super) fn on_item_done(
        &mut self,
        cx: &mut Context<'_>,
        owner: Owner,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) {
        let name: Arc<str> = match owner {
            Some(id) => self.instances.get(&id).map_or_else(|| "gone".into(), |i| i.name().clone()),
            None => "static".into(),
        };
        let entries = self.items.of.get_mut(&owner).into_iter().flatten();
        let is = |entry: &&mut Entry| entry.asked.as_ref().is_some_and(|asked| asked.ticket == ticket);
        if let Some(entry) = entries.into_iter().find(is) {
            answered(cx, &name, entry, result);
        }
        self.items.tidy();
        self.items.arm(cx);
        if owner.is_none() {
            self.follow_static(cx);
        }
        if let Some(id) = owner {
            self.at_desk(cx, id, |instance, desk| instance.leave_if_done(desk));
        }
        self.leave_if_all_left(cx);
    }

    /// Static items that cannot be there are faults of the routers that follow them (`track_group`).
    fn follow_static(&mut self, cx: &mut Context<'_>) {
        let refused: BTreeSet<&Arc<Item>> = self.items.refused().collect();
        let followers = self.world.followers.iter().filter(|(item, _)| refused.contains(item));
        let missing: BTreeSet<(InstanceId, String)> =
            followers.map(|(item, router)| (*router, format!("{item} is not there"))).collect();
        if missing != self.world.missing {
            self.world.missing = missing;
            if self.stage.started {
                self.settle(cx);
            }
        }
    }

    /// The kernel says that a route or rule of ours was taken, by whomever.
    pub(super) fn on_items_touched(&mut self, cx: &mut Context<'_>) {
        let soon = cx.now + LOOK_SOON;
        self.items.look_at = Some(self.items.look_at.map_or(soon, |at| at.min(soon)));
        self.items.arm(cx);
    }

    /// A static address is gone from a link.
    pub(super) fn on_static_address_gone(&mut self, cx: &mut Context<'_>, on: Interface, address: IpNet) {
        let Some(name) = self.world.links.link(on).map(|link| link.name.clone()) else { return };
        if self.items.has_address(&name, address) {
            self.on_items_touched(cx);
        }
    }

    /// Asks again for what was refused or not answered, and for all that is wanted when it is time to look.
    pub(crate) fn on_items_timer(&mut self, cx: &mut Context<'_>) {
        self.wake(cx);
        let Routers { items, tickets, .. } = self;
        let look = items.look_at.is_some_and(|at| at <= cx.now);
        if look {
            items.look_at = Some(cx.now + LOOK_EVERY);
        }
        for (owner, entries) in &mut items.of {
            for entry in entries {
                let again = entry.asked.as_ref().filter(|asked| asked.retry <= cx.now).map(|asked| asked.own);
                if let Some(own) = again {
                    entry.attempts = entry.attempts.saturating_add(1);
                    entry.ask(cx, tickets, *owner, own);
                } else if look && entry.wanted && entry.asked.is_none() && entry.not_before <= cx.now {
                    entry.ask(cx, tickets, *owner, true);
                }
            }
        }
        items.arm(cx);
        self.leave_if_all_left(cx);
    }
}

/// What an answer to the last request for an item means.
fn answered(cx: &mut Context<'_>, name: &Arc<str>, entry: &mut Entry, result: Result<(), Errno>) {
    let Some(asking) = entry.asked.as_mut() else { return };
    let own = asking.own;
    let settled = match result {
        Ok(()) => true,
        Err(errno) if own => errno == Errno::EEXIST,
        Err(errno) => [Errno::ESRCH, Errno::ENOENT, Errno::ENODEV, Errno::EADDRNOTAVAIL].contains(&errno),
    };
    if let Err(errno) = result
        && !settled
    {
        asking.retry = cx.now + retry_after(entry.attempts);
        if entry.attempts == 0 {
            let verb = if own { "add" } else { "remove" };
            cx.out.tell(Event::Refused { what: format!("({name}) {verb} {}", entry.item), errno });
        }
        entry.attempts = entry.attempts.max(1);
        entry.there &= !own;
        return;
    }
    entry.asked = None;
    entry.attempts = 0;
    let before = core::mem::replace(&mut entry.there, own);
    let news = match (before, own, result) {
        // It was believed to be there, and could be added.
        (true, true, Ok(())) => {
            let loss = entry.burst.count(cx.now);
            entry.not_before = cx.now + loss.wait;
            if loss.first && entry.item.tracked() { ItemNews::Restored } else { return }
        }
        (false, true, _) => ItemNews::Added,
        (true, false, Ok(())) => ItemNews::Removed,
        (true, true, Err(_)) | (false, false, _) | (true, false, Err(_)) => return,
    };
    cx.out.tell(Event::Item { name: name.clone(), item: entry.item.clone(), news });
}
