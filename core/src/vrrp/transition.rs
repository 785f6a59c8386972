//! What a virtual router does when its role changes. Whether it may is decided elsewhere (`election`, `group`).
//!
//! Order on becoming master: advertisement first, so that the old master removes its addresses before the
//! neighbours hear of us; then addresses; each is announced when the kernel has it. Order on leaving: farewell if
//! one is due, then addresses, then the operator's scripts.

use super::election::OWNER;
use super::instance::Instance;
use super::world::Desk;
use crate::config::model::{Command, Deleted, NotifyConfig};
use crate::event::{Event, Role, Why};
use crate::time::Time;
use crate::timers::RouterTimer;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The timers that belong to a role and end with it.
pub(super) const ROLE_TIMERS: [RouterTimer; 9] = [
    RouterTimer::Advertise,
    RouterTimer::MasterDown,
    RouterTimer::Preempt,
    RouterTimer::AnnounceAgain,
    RouterTimer::AnnounceLower,
    RouterTimer::AnnounceRefresh,
    RouterTimer::AnnounceExtra,
    RouterTimer::AnnouncePaced,
    RouterTimer::Duel,
];

/// How a master parts from its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// A better router is there.
    Silent,
    /// Nobody is: say farewell, so that a peer takes over soon.
    Farewell,
}

impl Instance {
    /// Becomes master.
    pub(super) fn enter_master(&mut self, desk: &mut Desk<'_, '_>, why: Why) {
        debug_assert_eq!(self.role, Role::Backup, "only a backup becomes master");
        self.silence(desk);
        self.complaints.clear();
        self.standing.wishes_master = true;
        self.standing.delay_over = false;
        // Our own interval counts from now on (keepalived resets it only when it logs in detail; defect B3).
        self.clock.interval = self.config.election.interval;
        self.heard.farewell = None;
        self.counters.become_master += 1;
        let from = self.change(desk, Role::Master);
        self.advertise(desk);
        self.own_all(desk);
        self.plan_announcements(desk);
        self.report(desk, from, why);
    }

    /// Becomes backup, with `Master_Down` ending at `down_at`.
    pub(super) fn enter_backup(
        &mut self,
        desk: &mut Desk<'_, '_>,
        why: Why,
        parting: Parting,
        down_at: Time,
    ) {
        let from = self.part(desk, parting, Role::Backup);
        self.standing.wishes_master = false;
        self.standing.delay_over = false;
        self.arm(desk, RouterTimer::MasterDown, down_at);
        self.report(desk, from, why);
    }

    /// May not take part.
    pub(super) fn enter_fault(&mut self, desk: &mut Desk<'_, '_>, why: Why) {
        let from = self.part(desk, Parting::Farewell, Role::Fault);
        self.standing.wishes_master = false;
        self.standing.delay_over = false;
        self.report(desk, from, why);
    }

    /// Stops taking part, without a word to the operator's scripts: they hear of it when all is given up.
    pub(super) fn enter_init(&mut self, desk: &mut Desk<'_, '_>, why: Why) {
        let from = self.change(desk, Role::Init);
        self.silence(desk);
        self.standing.wishes_master = false;
        self.standing.delay_over = false;
        self.tell_role(desk, from, why);
    }

    /// A reload removes it. Its scripts hear FAULT if it took part, as keepalived has always told them, or DELETED in any
    /// case (`notify_deleted`).
    pub(super) fn enter_deleted(&mut self, desk: &mut Desk<'_, '_>) {
        let took_part = matches!(self.role, Role::Master | Role::Backup);
        let from = self.part(desk, Parting::Farewell, Role::Init);
        self.tell_role(desk, from, Why::Reload);
        match self.config.notify.deleted {
            Deleted::Fault if took_part => self.notify(desk, State::Is(Role::Fault)),
            Deleted::Fault => {}
            Deleted::Told | Deleted::Run(_) => self.notify(desk, State::Deleted),
        }
    }

    /// Ends the role it has; a master gives up its addresses.
    fn part(&mut self, desk: &mut Desk<'_, '_>, parting: Parting, to: Role) -> Role {
        if self.role == Role::Master {
            if parting == Parting::Farewell {
                self.say_farewell(desk);
            }
            self.counters.release_master += 1;
        }
        let stepped_aside = self.duel.filter(|duel| *duel == super::instance::Duel::SteppedAside);
        self.silence(desk);
        self.duel = stepped_aside;
        self.give_up_all(desk);
        self.complaints.clear();
        self.change(desk, to)
    }

    fn change(&mut self, desk: &mut Desk<'_, '_>, to: Role) -> Role {
        if self.role == Role::Fault {
            self.clock.interval = self.config.election.interval;
        }
        self.since = desk.now();
        core::mem::replace(&mut self.role, to)
    }

    /// An owner that stepped aside in a duel is itself again.
    pub(super) fn step_back_in(&mut self, desk: &mut Desk<'_, '_>) {
        if self.duel.take() == Some(super::instance::Duel::SteppedAside) {
            self.set_effective(desk, OWNER);
        }
    }

    fn report(&mut self, desk: &mut Desk<'_, '_>, from: Role, why: Why) {
        self.tell_role(desk, from, why);
        self.notify(desk, State::Is(self.role));
    }

    fn tell_role(&mut self, desk: &mut Desk<'_, '_>, from: Role, why: Why) {
        if from == self.role {
            return;
        }
        let (instance, name, to) = (self.id(), self.name().clone(), self.role);
        desk.tell(Event::Role { instance, name, from, to, why, priority: self.effective });
    }

    /// Runs the operator's commands for a state.
    pub(super) fn notify(&mut self, desk: &mut Desk<'_, '_>, state: State) {
        let config = self.config.clone();
        run_hooks(desk, &config.notify, state, "INSTANCE", &config.name, self.effective);
    }
}

/// A state as scripts know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A role.
    Is(Role),
    /// The daemon stops.
    Stop,
    /// A reload has removed it.
    Deleted,
}

/// The specific command first, then `notify` with what, name, state and priority appended, then the pipes.
pub(super) fn run_hooks(
    desk: &mut Desk<'_, '_>,
    notify: &NotifyConfig,
    state: State,
    what: &str,
    name: &str,
    priority: u8,
) {
    let (specific, word): (Option<&Command>, &str) = match state {
        State::Is(Role::Init) => return,
        State::Is(Role::Master) => (notify.master.as_ref(), "MASTER"),
        State::Is(Role::Backup) => (notify.backup.as_ref(), "BACKUP"),
        State::Is(Role::Fault) => (notify.fault.as_ref(), "FAULT"),
        State::Stop => (notify.stop.as_ref(), "STOP"),
        State::Deleted => match &notify.deleted {
            Deleted::Run(command) => (Some(command), "DELETED"),
            Deleted::Fault | Deleted::Told => (None, "DELETED"),
        },
    };
    if let Some(command) = specific {
        desk.run(command, &[]);
    }
    if let Some(command) = &notify.any {
        let extra: Vec<String> =
            [what, name, word].into_iter().map(String::from).chain([priority.to_string()]).collect();
        desk.run(command, &extra);
    }
    desk.write(what, name, word, priority);
}
