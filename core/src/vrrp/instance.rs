//! One virtual router: its state, its timers, and what it sends.
//!
//! The behaviour is written by concern beside this file: `advert` (what is heard), `transition` (roles), `priority`
//! (trackers), `announce`, `address`, `leave`. Invariants: a master has its advertisement timer armed, a backup its
//! `Master_Down`, anybody else neither; addresses are wanted only by a master, or while leaving.

use super::address::{Hold, Told};
use super::announce::Announcing;
use super::election::{self, FAREWELL, OWNER};
use super::leave::Leaving;
use super::links::Dump;
use super::priority::Fault;
use super::receive::Complaints;
use super::status::{AddressStatus, Counters, MasterStatus, PaceStatus, PriorityStatus, RouterStatus};
use super::world::{Desk, World};
use super::{lease, transition};
use crate::action::Action;
use crate::config::model::{Authentication, Destination, InstanceConfig, OldChecksum, Version};
use crate::event::Role;
use crate::id::{InstanceId, Interface, Ticket};
use crate::input::Errno;
use crate::time::Time;
use crate::timers::{RouterTimer, TimerKey};
use crate::wire::vrrp::{Advertisement, ChecksumForm};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One virtual router.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) config: Arc<InstanceConfig>,
    pub(super) role: Role,
    pub(super) since: Time,
    pub(super) effective: u8,
    pub(super) standing: Standing,
    pub(super) heard: Heard,
    pub(super) clock: Clock,
    pub(super) duel: Option<Duel>,
    pub(super) holds: Vec<Hold>,
    pub(super) announcing: Announcing,
    pub(super) complaints: Complaints,
    pub(super) counters: Counters,
}

/// Whether it may take part.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Why it may not.
    pub(super) faults: BTreeSet<Fault>,
    /// It waits for the first result of a script without weight.
    pub(super) held: bool,
    /// An operator sent it away, or the daemon stops.
    pub(super) away: bool,
    /// It would be master, were it not for its sync group.
    pub(super) wishes_master: bool,
    /// Its preemption delay is over, and its sync group is what it waits for.
    pub(super) delay_over: bool,
    /// Make before break is under way.
    pub(super) leaving: Option<Leaving>,
}

/// What was heard of others.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Heard {
    /// The last accepted or noted sender, its priority, and when.
    pub(super) master: Option<(IpAddr, u8, Time)>,
    /// It has said farewell since.
    pub(super) farewell: Option<IpAddr>,
    /// A peer has keepalived's checksum of before 1.3.7 (`OldChecksum::Detect`).
    pub(super) old_checksum: bool,
}

/// Deadlines that others depend on, beside the timers themselves.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Clock {
    /// The master's interval: learnt in version 3, else our own.
    pub(super) interval: Duration,
    /// When `Master_Down` ends, while it runs.
    pub(super) down_at: Option<Time>,
    /// When the next advertisement is due, while master.
    pub(super) advert_at: Option<Time>,
    /// When the last advertisement went out.
    pub(super) sent: Time,
    /// The lease is to be renewed with the next advertisement.
    pub(super) lease_due: bool,
}

/// Two owners, both of priority 255, the other with the smaller address: it should yield, and does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Duel {
    /// We have advertised so often since it was first heard.
    Waiting(u8),
    /// It has had time enough; another advertisement of it and we step aside.
    Ripe,
    /// We go on as 254 and yield to the next one.
    SteppedAside,
}

impl Instance {
    pub(super) fn new(config: Arc<InstanceConfig>, now: Time) -> Instance {
        let interval = config.election.interval;
        Instance {
            role: Role::Init,
            since: now,
            effective: config.election.priority,
            standing: Standing::default(),
            heard: Heard::default(),
            clock: Clock { interval, down_at: None, advert_at: None, sent: now, lease_due: false },
            duel: None,
            holds: config.addresses.iter().cloned().map(Hold::new).collect(),
            announcing: Announcing::default(),
            complaints: Complaints::default(),
            counters: Counters::default(),
            config,
        }
    }

    pub(super) fn id(&self) -> InstanceId {
        self.config.id
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.config.name
    }

    pub(super) fn is_owner(&self) -> bool {
        self.config.election.priority == OWNER
    }

    /// Becomes master as soon as it starts: owner, and not told otherwise.
    pub(super) fn starts_as_master(&self) -> bool {
        self.is_owner() && self.config.election.wish_master
    }

    pub(super) fn arm(&mut self, desk: &mut Desk<'_, '_>, timer: RouterTimer, at: Time) {
        self.note(timer, Some(at));
        desk.cx.timers.arm(TimerKey::Router(self.config.id, timer), at);
    }

    pub(super) fn disarm(&mut self, desk: &mut Desk<'_, '_>, timer: RouterTimer) {
        self.note(timer, None);
        desk.cx.timers.disarm(TimerKey::Router(self.config.id, timer));
    }

    pub(super) fn is_armed(&self, desk: &Desk<'_, '_>, timer: RouterTimer) -> bool {
        desk.cx.timers.at(TimerKey::Router(self.config.id, timer)).is_some()
    }

    fn note(&mut self, timer: RouterTimer, at: Option<Time>) {
        if timer == RouterTimer::MasterDown {
            self.clock.down_at = at;
        } else if timer == RouterTimer::Advertise {
            self.clock.advert_at = at;
        }
    }

    /// The priority that the skew is computed with: an owner's stays 255 even while it stepped aside.
    fn skew_priority(&self) -> u8 {
        if self.is_owner() { OWNER } else { self.effective }
    }

    pub(super) fn skew(&self) -> Duration {
        election::skew(self.config.router.version, self.skew_priority(), self.clock.interval)
    }

    pub(super) fn master_down(&self) -> Duration {
        let (version, adverts) = (self.config.router.version, self.config.election.down_adverts);
        election::master_down(version, adverts, self.skew_priority(), self.clock.interval)
    }

    /// How long a master may be silent before a peer could have taken over: one of the priority that
    /// `timer_expired_backup` names, else one like itself.
    pub(super) fn oversleeping_time(&self) -> Duration {
        let (version, adverts) = (self.config.router.version, self.config.election.down_adverts);
        let priority = self.config.election.oversleep_priority.unwrap_or(self.skew_priority());
        election::master_down(version, adverts, priority, self.clock.interval)
    }

    /// How long a node that was not scheduled listens before it believes the silence: any living master speaks
    /// within one interval.
    pub(super) fn listening_time(&self) -> Duration {
        self.clock.interval + self.skew()
    }

    /// Sends an advertisement with the effective priority, and arms the next one.
    pub(super) fn advertise(&mut self, desk: &mut Desk<'_, '_>) {
        debug_assert_eq!(self.role, Role::Master, "only a master advertises");
        self.send(desk, self.effective, self.config.election.interval);
        let at = desk.now() + self.config.election.interval;
        self.arm(desk, RouterTimer::Advertise, at);
        if self.clock.lease_due {
            self.renew(desk);
        }
    }

    /// The last advertisement before yielding. It names the winner's interval: that is what the other backups have to
    /// wait for from now on. With our own, shorter one (VRRPv3) two of them would take turns as master for ever.
    pub(super) fn advertise_last(&mut self, desk: &mut Desk<'_, '_>, winners: Duration) {
        debug_assert_eq!(self.role, Role::Master, "only a master advertises");
        self.send(desk, self.effective, winners);
    }

    /// Says farewell. IPv6 without a source has nothing to send it from.
    pub(super) fn say_farewell(&mut self, desk: &mut Desk<'_, '_>) {
        self.send(desk, FAREWELL, self.config.election.interval);
    }

    fn send(&mut self, desk: &mut Desk<'_, '_>, priority: u8, interval: Duration) {
        let config = self.config.clone();
        let (Some(on), Some(from)) = (desk.world.interface(&config), desk.world.source(&config)) else {
            return;
        };
        let addresses: Vec<IpAddr> =
            config.addresses.iter().filter(|a| a.advertised).map(|a| a.address.addr()).collect();
        let advertisement = Advertisement {
            version: config.router.version,
            vrid: config.router.vrid,
            priority,
            interval,
            addresses: &addresses,
            auth: match (config.router.version, &config.authentication) {
                (Version::V2, Authentication::Pass(key)) => Some(*key),
                (Version::V2, Authentication::None) | (Version::V3, _) => None,
            },
        };
        let form = self.checksum_form();
        let mut put = |to: IpAddr, hops: u8| {
            let payload = advertisement.emit(from, to, form);
            desk.cx.out.act(Action::Advertise { on, from, to, hops, payload });
        };
        match &config.transport.to {
            // `unicast_ttl` without peers must not reach multicast (keepalived sends TTL 0 then, and nobody hears).
            Destination::Multicast(group) => put(*group, MULTICAST_HOPS),
            Destination::Unicast(peers) => peers.iter().for_each(|p| put(p.address, config.transport.hops)),
        }
        self.clock.sent = desk.now();
        self.counters.advert_sent += 1;
        if priority == FAREWELL {
            self.counters.pri_zero_sent += 1;
        }
    }

    /// How the checksum of what we send is computed.
    fn checksum_form(&self) -> ChecksumForm {
        let transport = &self.config.transport;
        let unicast = matches!(transport.to, Destination::Unicast(_));
        let old = match transport.old_checksum {
            OldChecksum::Always => unicast,
            OldChecksum::Detect => unicast && self.heard.old_checksum,
            OldChecksum::Never => false,
        };
        match (old, transport.plain_checksum) {
            (true, _) => ChecksumForm::OldUnicast,
            (false, true) => ChecksumForm::Plain,
            (false, false) => ChecksumForm::Pseudo,
        }
    }

    /// The kernel lifetime of the addresses, unless the operator does not want one.
    pub(super) fn lease(&self, world: &World) -> Option<Duration> {
        world.node.lease.then(|| lease::lease_for(&self.config))
    }

    /// It is entitled to its addresses.
    pub(super) fn holds_addresses(&self) -> bool {
        self.role == Role::Master || self.standing.leaving.as_ref().is_some_and(Leaving::holds)
    }

    /// Asks for every address, and keeps its lease running; then for the routes and rules.
    pub(super) fn own_all(&mut self, desk: &mut Desk<'_, '_>) {
        let (id, lease) = (self.id(), self.lease(desk.world));
        for hold in &mut self.holds {
            hold.own(desk, id, lease);
        }
        desk.install(Some(id));
        self.arm_lease(desk);
        self.arm_retry(desk);
    }

    /// Gives up every address, and before them the rules and routes.
    pub(super) fn give_up_all(&mut self, desk: &mut Desk<'_, '_>) {
        let id = self.id();
        self.disarm(desk, RouterTimer::Lease);
        self.clock.lease_due = false;
        desk.release(Some(id));
        // In reverse, so that a secondary address goes before its primary takes it along.
        for hold in self.holds.iter_mut().rev() {
            hold.give_up(desk, id);
        }
        self.arm_retry(desk);
    }

    fn arm_lease(&mut self, desk: &mut Desk<'_, '_>) {
        self.clock.lease_due = false;
        match self.lease(desk.world) {
            Some(lease) => {
                let at = lease::next_renewal(desk.now(), lease);
                self.arm(desk, RouterTimer::Lease, at);
            }
            None => self.disarm(desk, RouterTimer::Lease),
        }
    }

    /// The lease is a third over. With short intervals the renewal waits for the next advertisement, so that a node
    /// frozen in between has renewed nothing after it last spoke.
    pub(super) fn on_lease(&mut self, desk: &mut Desk<'_, '_>) {
        if self.role == Role::Master && lease::rides_on_adverts(&self.config) {
            self.clock.lease_due = true;
        } else {
            self.renew(desk);
        }
    }

    fn renew(&mut self, desk: &mut Desk<'_, '_>) {
        let (id, lease) = (self.id(), self.lease(desk.world));
        for hold in self.holds.iter_mut().filter(|hold| hold.wanted && hold.owned) {
            hold.own(desk, id, lease);
        }
        self.arm_lease(desk);
        self.arm_retry(desk);
    }

    pub(super) fn arm_retry(&mut self, desk: &mut Desk<'_, '_>) {
        let deaf = desk.world.listens_at(&self.config).and_then(|at| desk.world.deaf.get(&at).copied());
        match self.holds.iter().filter_map(Hold::retry_at).chain(deaf).min() {
            Some(at) => self.arm(desk, RouterTimer::AddressRetry, at),
            None => self.disarm(desk, RouterTimer::AddressRetry),
        }
    }

    pub(super) fn on_retry(&mut self, desk: &mut Desk<'_, '_>) {
        let id = self.id();
        for hold in &mut self.holds {
            hold.retry(desk, id);
        }
        self.arm_retry(desk);
    }

    /// An answer to an address request.
    pub(super) fn on_address_done(
        &mut self,
        desk: &mut Desk<'_, '_>,
        ticket: Ticket,
        result: Result<(), Errno>,
    ) {
        let name = self.name().clone();
        let mut arrived = None;
        for hold in &mut self.holds {
            match hold.on_done(desk, &name, ticket, result) {
                Told::Arrived => arrived = hold.on().map(|on| (on, hold.spec.address.addr())),
                Told::Nothing | Told::Left | Told::RanOut | Told::Lost => {}
            }
        }
        // Announced only now: before the kernel has the address it would not answer whom the announcement brings.
        if let (Some((on, address)), Role::Master) = (arrived, self.role) {
            let repeat = self.config.announce.repeat;
            self.announce_one(desk, on, address, repeat);
        }
        self.arm_retry(desk);
        self.leave_if_done(desk);
    }

    /// The kernel says that an address is gone; the address when somebody else took it away from a master.
    pub(super) fn on_address_gone(
        &mut self,
        desk: &mut Desk<'_, '_>,
        on: Interface,
        address: IpNet,
    ) -> Option<IpNet> {
        let id = self.id();
        let mut lost = None;
        for hold in &mut self.holds {
            match hold.on_gone(desk, id, on, address) {
                Told::Lost if self.role == Role::Master => lost = Some(address),
                Told::Nothing | Told::Arrived | Told::Left | Told::RanOut | Told::Lost => {}
            }
        }
        self.arm_retry(desk);
        lost
    }

    /// The addresses that the kernel once granted and that a whole dump does not name.
    pub(super) fn missing_from(&mut self, dump: &Dump) -> Vec<(Interface, IpNet)> {
        self.holds.iter_mut().filter_map(|hold| hold.missing_from(dump)).collect()
    }

    /// The address at `on` is one of ours that we do not want any more.
    pub(super) fn has_given_up(&self, on: Interface, address: IpNet) -> bool {
        self.holds.iter().any(|hold| hold.is_given_up_at(on, address))
    }

    /// A link is gone, and all addresses with it.
    pub(super) fn on_link_gone(&mut self, desk: &mut Desk<'_, '_>, on: Interface) {
        for hold in &mut self.holds {
            hold.forget_link(desk, on);
        }
        self.arm_retry(desk);
    }

    /// A link has come (back): ask for what is wanted there.
    pub(super) fn on_link(&mut self, desk: &mut Desk<'_, '_>) {
        let (id, lease) = (self.id(), self.lease(desk.world));
        for hold in self.holds.iter_mut().filter(|hold| hold.is_missing()) {
            hold.own(desk, id, lease);
        }
        self.arm_retry(desk);
    }

    /// Disarms all that belongs to a role.
    pub(super) fn silence(&mut self, desk: &mut Desk<'_, '_>) {
        for timer in transition::ROLE_TIMERS {
            self.disarm(desk, timer);
        }
        self.announcing.clear();
        self.duel = None;
    }

    pub(super) fn status(&self, world: &World) -> RouterStatus {
        let mut faults: Vec<String> = self.standing.faults.iter().map(Fault::describe).collect();
        if self.standing.away {
            faults.push(String::from("away by order"));
        }
        RouterStatus {
            id: self.config.id,
            name: self.config.name.clone(),
            interface: self.config.router.interface.clone(),
            vrid: self.config.router.vrid,
            role: self.role,
            since: self.since,
            priority: PriorityStatus { effective: self.effective, base: self.config.election.priority },
            master: self
                .heard
                .master
                .filter(|_| self.role != Role::Master)
                .map(|(address, priority, heard)| MasterStatus { address, priority, heard }),
            faults,
            addresses: self
                .holds
                .iter()
                .map(|hold| AddressStatus {
                    address: hold.spec.address,
                    interface: hold.spec.interface.clone(),
                    wanted: hold.wanted,
                    held: hold.owned,
                })
                .collect(),
            counters: self.counters.clone(),
            pace: PaceStatus {
                source: world.source(&self.config),
                interval: self.clock.interval,
                master_down: self.master_down(),
                next: self.clock.advert_at.or(self.clock.down_at),
            },
        }
    }

    /// What must hold after every input.
    pub(super) fn check_invariants(&self) {
        debug_assert_eq!(
            self.role == Role::Master,
            self.clock.advert_at.is_some(),
            "{} advert timer",
            self.name()
        );
        debug_assert_eq!(
            self.role == Role::Backup,
            self.clock.down_at.is_some(),
            "{} down timer",
            self.name()
        );
        let stepped_aside = self.duel == Some(Duel::SteppedAside);
        if self.is_owner() && !stepped_aside {
            debug_assert_eq!(self.effective, OWNER, "{} is the owner", self.name());
        } else {
            debug_assert!((1..=election::HIGHEST).contains(&self.effective), "{} priority", self.name());
        }
        let may_want =
            self.role == Role::Master || self.standing.leaving.as_ref().is_some_and(Leaving::holds);
        debug_assert!(
            may_want || self.holds.iter().all(|hold| !hold.wanted),
            "{} wants addresses",
            self.name()
        );
        debug_assert!(
            self.role != Role::Master || self.standing.faults.is_empty(),
            "{} faulty master",
            self.name()
        );
        debug_assert!(self.standing.leaving.is_none() || self.role == Role::Init, "{} leaves", self.name());
        debug_assert!(self.counters.release_master <= self.counters.become_master);
    }
}

/// TTL or hop limit of multicast advertisements (RFC 9568 section 5.1.1.3).
pub(super) const MULTICAST_HOPS: u8 = 255;
