//! How virtual routers start, and what follows from a change of the host.

use super::Routers;
use super::election::OWNER;
use super::instance::Instance;
use super::transition::Parting;
use super::world::Desk;
use crate::event::{Role, Why};
use crate::id::InstanceId;
use crate::outbox::Context;
use crate::time::Time;
use crate::timers::{RouterTimer, TimerKey};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// A deadline served later than this part of an interval was overslept.
const LATE_PART: u32 = 4;

impl Routers {
    /// The first dump is complete.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        self.stage.started = true;
        // Our clock counts from the boot of the machine.
        let boot = Time::from_duration(self.world.node.start.boot);
        self.world.quiet_until = boot.max(cx.now + self.world.node.start.daemon);
        if self.stage.stopping {
            return;
        }
        self.everyone(cx, |instance, desk| {
            instance.since = desk.now();
            instance.assess(desk);
        });
        self.sweep(cx);
        self.sweep_all_items(cx);
        self.settle(cx);
    }

    /// Looks at everything anew after the host, a verdict or the configuration changed.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        self.everyone(cx, Instance::assess);
        let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
        // Who has a fault itself goes first, and says why; the others of its group follow.
        for id in &ids {
            let fault = self
                .instances
                .get(id)
                .and_then(|i| i.standing.faults.first())
                .map(super::priority::Fault::describe);
            if let Some(what) = fault {
                self.fail(cx, *id, &Why::Tracked { what });
            }
        }
        for id in ids {
            let members = self.together(id);
            let members = || members.iter().filter_map(|member| self.instances.get(member));
            let faulty = members().any(|member| !member.standing.faults.is_empty() && !member.standing.away);
            let held = members().any(|member| member.standing.held);
            if faulty {
                self.fail(cx, id, &Why::Group);
            } else if !held {
                self.take_part(cx, id);
            }
        }
        self.sync_receptions(cx);
        self.settle_groups(cx);
    }

    fn fail(&mut self, cx: &mut Context<'_>, id: InstanceId, why: &Why) {
        self.at_desk(cx, id, |instance, desk| {
            if !instance.standing.away && instance.role != Role::Fault {
                instance.enter_fault(desk, why.clone());
            }
        });
    }

    /// Nothing stands in the way (any more): from INIT or FAULT to BACKUP, and on to MASTER for an owner.
    fn take_part(&mut self, cx: &mut Context<'_>, id: InstanceId) {
        let Some(instance) = self.instances.get(&id).filter(|instance| !instance.standing.away) else {
            return;
        };
        let recovered = match instance.role {
            Role::Init => false,
            Role::Fault => true,
            Role::Backup | Role::Master => return,
        };
        let members = self.together(id);
        let owners = members.iter().filter_map(|m| self.instances.get(m)).all(Instance::starts_as_master);
        let is_member = members.len() > 1;
        self.at_desk(cx, id, |instance, desk| {
            let wait = instance.first_wait(owners, is_member && !recovered);
            let why = if recovered { Why::Recovered } else { Why::Start };
            let at = desk.counting_from() + wait;
            instance.clock.interval = instance.config.election.interval;
            instance.enter_backup(desk, why, Parting::Silent, at);
            if recovered {
                instance.announce_source(desk);
            }
        });
        if owners && self.world.quiet_until <= cx.now {
            self.claim(cx, id, &Why::Owner);
        }
    }
}

impl Instance {
    /// How long a backup waits at first: not at all as the owner; all of `Master_Down` otherwise, whatever `state`
    /// says, except for a member of a sync group that wishes to be master.
    fn first_wait(&self, owners: bool, member_starts: bool) -> Duration {
        if owners {
            Duration::ZERO
        } else if member_starts && self.config.election.wish_master {
            let election = &self.config.election;
            election.interval + super::election::skew(self.config.router.version, OWNER, election.interval)
        } else {
            self.master_down()
        }
    }

    /// Why it is about to take over.
    pub(super) fn why_takeover(&self, now: Time) -> Why {
        match (self.heard.farewell, self.heard.master) {
            (Some(from), _) => Why::Farewell { from },
            (None, Some((last, _, heard))) => Why::MasterDown { last: Some(last), silent: now.since(heard) },
            (None, None) => Why::MasterDown { last: None, silent: now.since(self.since) },
        }
    }

    pub(super) fn on_own_timer(&mut self, desk: &mut Desk<'_, '_>, timer: RouterTimer) {
        match timer {
            RouterTimer::Advertise => {
                if self.role == Role::Master {
                    self.advertise(desk);
                    self.count_for_duel(desk);
                }
            }
            RouterTimer::AnnounceAgain => self.on_announce_again(desk),
            RouterTimer::AnnounceLower => self.on_announce_lower(desk),
            RouterTimer::AnnounceRefresh => self.on_announce_refresh(desk),
            RouterTimer::AnnounceExtra => self.on_announce_extra(desk),
            RouterTimer::AnnouncePaced => self.pump(desk),
            RouterTimer::Duel => self.on_duel_over(),
            RouterTimer::Lease => self.on_lease(desk),
            RouterTimer::MasterDown
            | RouterTimer::Preempt
            | RouterTimer::AddressRetry
            | RouterTimer::Leave => {}
        }
    }

    /// After a time without input: a master that was silent for longer than its peers wait may have a successor, and
    /// a backup whose deadline passed long ago has not read what came meanwhile. Both listen for as long as any
    /// living master needs to speak, and believe only then.
    pub(super) fn wake(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.now();
        match self.role {
            Role::Init | Role::Fault => {}
            Role::Master => {
                let silent = now.since(self.clock.sent);
                if silent > self.oversleeping_time() {
                    let what = format!(
                        "the daemon was not scheduled for {}.{:03} s",
                        silent.as_secs(),
                        silent.subsec_millis()
                    );
                    let at = now + self.listening_time();
                    self.enter_backup(desk, Why::Tracked { what }, Parting::Silent, at);
                }
            }
            Role::Backup => {
                let late = self.clock.down_at.map_or(Duration::ZERO, |at| now.since(at));
                if late > self.clock.interval / LATE_PART {
                    let at = now + self.listening_time();
                    self.arm(desk, RouterTimer::MasterDown, at);
                    // Not before it has listened, nor before its delay is over.
                    let running = desk.cx.timers.at(TimerKey::Router(self.id(), RouterTimer::Preempt));
                    if let Some(running) = running {
                        self.arm(desk, RouterTimer::Preempt, running.max(at));
                    }
                }
            }
        }
    }
}

/// In words, for what is told once.
pub(super) fn reception_words(name: &str) -> String {
    format!("receive advertisements on {name}")
}
