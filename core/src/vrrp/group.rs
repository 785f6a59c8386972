//! Sync groups: virtual routers that are master together, or not at all.
//!
//! A member becomes master only when every member would; one that hears a better router, loses an address or has a
//! fault takes the others along.

use super::Routers;
use super::transition::{Parting, State, run_hooks};
use crate::config::model::GroupConfig;
use crate::event::{Event, Role, Why};
use crate::id::InstanceId;
use crate::outbox::Context;
use crate::timers::RouterTimer;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A sync group and the role that all its members had last.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) config: Arc<GroupConfig>,
    pub(super) role: Role,
}

impl Routers {
    /// The members of an instance's sync group, itself included; only itself when it has none.
    pub(super) fn together(&self, id: InstanceId) -> Vec<InstanceId> {
        self.groups
            .values()
            .find(|group| group.config.members.contains(&id))
            .map_or_else(|| vec![id], |group| group.config.members.clone())
    }

    /// The other members.
    pub(super) fn others(&self, id: InstanceId) -> Vec<InstanceId> {
        let mut members = self.together(id);
        members.retain(|member| *member != id);
        members
    }

    /// An instance would be master: it becomes so when all members agree, and waits for them otherwise.
    pub(super) fn claim(&mut self, cx: &mut Context<'_>, id: InstanceId, why: &Why) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.standing.wishes_master = true;
        }
        let members = self.together(id);
        let all = members.iter().filter_map(|member| self.instances.get(member)).all(|member| {
            (member.standing.wishes_master || member.standing.delay_over)
                && matches!(member.role, Role::Backup | Role::Master)
        });
        if !all {
            self.at_desk(cx, id, |instance, desk| {
                let at = desk.counting_from() + instance.master_down();
                instance.arm(desk, RouterTimer::MasterDown, at);
            });
            return;
        }
        for member in members {
            let why = if member == id { why.clone() } else { Why::Group };
            self.at_desk(cx, member, |instance, desk| {
                if instance.role == Role::Backup {
                    instance.enter_master(desk, why);
                }
            });
        }
    }

    /// An instance has become backup: the masters among the others follow, without a farewell.
    pub(super) fn drag_to_backup(&mut self, cx: &mut Context<'_>, id: InstanceId) {
        for other in self.others(id) {
            self.at_desk(cx, other, |instance, desk| {
                if instance.role == Role::Master {
                    let at = desk.counting_from() + instance.master_down();
                    instance.enter_backup(desk, Why::Group, Parting::Silent, at);
                }
                instance.standing.wishes_master = false;
                instance.standing.delay_over = false;
            });
        }
    }

    /// Tells of groups whose members have all come to one role.
    pub(super) fn settle_groups(&mut self, cx: &mut Context<'_>) {
        let mut changed = Vec::new();
        for group in self.groups.values_mut() {
            let mut roles =
                group.config.members.iter().filter_map(|id| self.instances.get(id)).map(|i| i.role);
            let Some(first) = roles.next() else { continue };
            if roles.all(|role| role == first) && first != group.role {
                group.role = first;
                changed.push(group.config.clone());
                cx.out.tell(Event::GroupRole { name: group.config.name.clone(), to: first });
            }
        }
        for config in changed {
            let role = self.groups.get(&config.id).map_or(Role::Init, |group| group.role);
            let stopped = self.stage.stopping && role == Role::Init;
            let state = if stopped { State::Stop } else { State::Is(role) };
            run_hooks(&mut self.desk(cx), &config.notify, state, "GROUP", &config.name, 0);
        }
    }
}
