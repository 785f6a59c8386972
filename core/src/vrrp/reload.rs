//! What a new configuration changes: by id, and only what differs. An unchanged virtual router keeps its role, its
//! timers and its counters, and causes no action at all.

use super::Routers;
use super::address::Hold;
use super::group::Group;
use super::instance::Instance;
use super::sweep::Orphan;
use super::transition::Parting;
use super::world::Desk;
use crate::config::diff;
use crate::config::model::{Config, InstanceConfig};
use crate::event::{Role, Why};
use crate::id::{GroupId, InstanceId};
use crate::outbox::Context;
use crate::timers::{RouterTimer, TimerKey};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The groups of a configuration; those that stay keep their role.
pub(super) fn groups(config: &Config, old: &BTreeMap<GroupId, Group>) -> BTreeMap<GroupId, Group> {
    let group = |id: &GroupId, config: &Arc<_>| {
        let role = old.get(id).map_or(Role::Init, |group| group.role);
        (*id, Group { config: Arc::clone(config), role })
    };
    config.groups.iter().map(|(id, config)| group(id, config)).collect()
}

impl Routers {
    /// Takes over a new configuration.
    pub(crate) fn configure(&mut self, cx: &mut Context<'_>, config: &Config) {
        self.wake(cx);
        if self.stage.stopping {
            return;
        }
        let renamed = self.renamed(config);
        let removed: Vec<InstanceId> = self
            .instances
            .values()
            .filter(|old| config.instances.get(&old.id()).is_none_or(|new| new.router != old.config.router))
            .map(Instance::id)
            .filter(|id| !renamed.contains_key(id))
            .collect();
        let mut orphans: Vec<Orphan> = removed.into_iter().flat_map(|id| self.remove(cx, id)).collect();
        self.rename(cx, config, &renamed);
        let had_lease = self.world.node.lease;
        self.world.configure(config);
        self.list_items(config);
        self.groups = groups(config, &self.groups);
        for (id, new) in &config.instances {
            match self.instances.get(id).map(|old| old.config == *new) {
                Some(true) => {
                    if had_lease != config.node.lease {
                        self.at_desk(cx, *id, Instance::renew_if_master);
                    }
                }
                Some(false) => {
                    let new = Arc::clone(new);
                    let left = self.at_desk(cx, *id, |instance, desk| instance.reconfigure(desk, new));
                    orphans.extend(left.unwrap_or_default());
                }
                None => {
                    self.instances.insert(*id, Instance::new(Arc::clone(new), cx.now));
                }
            }
        }
        self.adopt(cx, orphans);
        self.change_items(cx);
        self.debounce(cx);
        if self.stage.started {
            self.settle(cx);
            self.even_out_groups(cx);
        }
    }

    fn renamed(&self, config: &Config) -> BTreeMap<InstanceId, InstanceId> {
        let instances = self.instances.values().map(|old| (old.id(), Arc::clone(&old.config))).collect();
        diff::renamed(&Config { instances, ..Config::default() }, config)
    }

    /// A virtual router with another name is the same one, and nobody on the network must notice.
    fn rename(&mut self, cx: &mut Context<'_>, config: &Config, renamed: &BTreeMap<InstanceId, InstanceId>) {
        let taken: Vec<(InstanceId, Instance)> =
            renamed.iter().filter_map(|(old, new)| Some((*new, self.instances.remove(old)?))).collect();
        for (id, mut instance) in taken {
            let name = config.instances.get(&id).map_or(instance.config.name.clone(), |new| new.name.clone());
            instance.config = Arc::new(InstanceConfig { id, name, ..(*instance.config).clone() });
            self.instances.insert(id, instance);
        }
        if !renamed.is_empty() {
            self.tickets.rename(renamed);
            self.items.rename(renamed);
            cx.timers.rename(|key| match key {
                TimerKey::Router(id, timer) => {
                    TimerKey::Router(renamed.get(&id).copied().unwrap_or(id), timer)
                }
                TimerKey::Check(..)
                | TimerKey::Listen(_)
                | TimerKey::Bfd(..)
                | TimerKey::Leftover
                | TimerKey::Items
                | TimerKey::Debounce => key,
            });
        }
    }

    /// After a reload the pipes hear of every state, when their readers want it (`fifo_write_vrrp_states_on_reload`).
    pub(crate) fn tell_states(&mut self, cx: &mut Context<'_>) {
        if !self.world.node.states_on_reload || self.stage.stopping {
            return;
        }
        self.everyone(cx, |instance, desk| {
            if instance.role != Role::Init {
                let name = instance.name().clone();
                desk.write("INSTANCE", &name, instance.role.as_str(), instance.effective);
            }
        });
        let groups = self.groups.values().filter(|group| group.role != Role::Init);
        let told: Vec<(Arc<str>, Role)> =
            groups.map(|group| (group.config.name.clone(), group.role)).collect();
        for (name, role) in told {
            self.desk(cx).write("GROUP", &name, role.as_str(), 0);
        }
    }

    /// A virtual router that is gone, or stands for another one now.
    fn remove(&mut self, cx: &mut Context<'_>, id: InstanceId) -> Vec<Orphan> {
        let orphans = self.at_desk(cx, id, |instance, desk| {
            instance.finish_leaving(desk);
            instance.enter_deleted(desk);
            instance.holds.iter_mut().filter_map(|hold| hold.drop_request(desk)).collect::<Vec<Orphan>>()
        });
        self.instances.remove(&id);
        cx.timers.retain(|key| !matches!(key, TimerKey::Router(of, _) if *of == id));
        orphans.unwrap_or_default()
    }

    /// A new group may have one member that is master and one that is not: nobody is, until all would be.
    fn even_out_groups(&mut self, cx: &mut Context<'_>) {
        let half: Vec<InstanceId> = self
            .groups
            .values()
            .filter(|group| {
                group
                    .config
                    .members
                    .iter()
                    .filter_map(|id| self.instances.get(id))
                    .any(|i| i.role != Role::Master)
            })
            .flat_map(|group| group.config.members.iter().copied())
            .collect();
        for id in half {
            self.at_desk(cx, id, |instance, desk| {
                if instance.role == Role::Master {
                    let at = desk.counting_from() + instance.skew();
                    instance.enter_backup(desk, Why::Group, Parting::Farewell, at);
                }
            });
        }
        self.settle_groups(cx);
    }
}

impl Instance {
    /// Takes over a configuration for the same virtual router. A new priority takes effect through the election.
    fn reconfigure(&mut self, desk: &mut Desk<'_, '_>, new: Arc<InstanceConfig>) -> Vec<Orphan> {
        let before = self.master_down();
        if self.config.transport != new.transport {
            self.heard.old_checksum = false;
        }
        let interval_changed = self.config.election.interval != new.election.interval;
        self.config = new;
        if interval_changed {
            self.clock.interval = self.config.election.interval;
        }
        self.shift_down(desk, before);
        if self.duel.take().is_some() {
            self.disarm(desk, RouterTimer::Duel);
        }
        // Computed with the new base: `assess` would shift the deadline a second time.
        self.assess(desk);
        if self.config.election.preempt_delay.is_zero() || !self.config.election.preempt {
            self.standing.delay_over = false;
            self.disarm(desk, RouterTimer::Preempt);
        }
        self.complaints.clear();
        let orphans = self.change_addresses(desk);
        if self.role == Role::Master && self.standing.faults.is_empty() {
            self.advertise(desk); // what it says has changed
        }
        orphans
    }

    fn change_addresses(&mut self, desk: &mut Desk<'_, '_>) -> Vec<Orphan> {
        let (id, lease) = (self.id(), self.lease(desk.world));
        let holds_still = self.holds_addresses();
        let mut old = core::mem::take(&mut self.holds);
        for spec in &self.config.addresses {
            let mut hold = match old.iter().position(|hold| hold.is(spec)) {
                Some(at) => old.remove(at),
                None => Hold::new(spec.clone()),
            };
            let how_changed = hold.spec.how != spec.how;
            hold.spec = spec.clone();
            if holds_still && (how_changed || !hold.wanted) {
                hold.own(desk, id, lease);
            }
            self.holds.push(hold);
        }
        let gone = |mut hold: Hold| {
            hold.give_up(desk, id);
            hold.drop_request(desk)
        };
        let orphans = old.into_iter().filter_map(gone).collect();
        self.arm_retry(desk);
        orphans
    }

    fn renew_if_master(&mut self, desk: &mut Desk<'_, '_>) {
        if self.role == Role::Master {
            self.own_all(desk);
        }
    }
}
