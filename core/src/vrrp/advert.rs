//! What a valid advertisement does to one virtual router; others of its sync group are `group`'s business.

use super::election::{self, Advert as Rank, Happening, OWNER, Preempt, Step};
use super::instance::{Duel, Instance};
use super::receive::{Advert, Complaint, Judged, Packet, check};
use super::transition::Parting;
use super::world::Desk;
use crate::config::model::{OldChecksum, Version};
use crate::event::{Event, Role, Why};
use crate::timers::RouterTimer;
use alloc::format;
use alloc::string::String;
use core::net::IpAddr;
use core::time::Duration;

/// The shortest time between two advertisements provoked by lower ones: whoever is told once was told.
pub(super) const ASSERT_GAP: Duration = Duration::from_millis(5);

/// What the sync group must hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ripple {
    /// Nothing.
    None,
    /// We yielded; so must the others.
    Yielded,
    /// We announced again; so must the others.
    Announced,
}

impl Instance {
    /// A packet for this virtual router came in.
    pub(super) fn on_packet(&mut self, desk: &mut Desk<'_, '_>, packet: &Packet<'_>) -> Ripple {
        let from = packet.from;
        let advert = match check(&self.config, packet) {
            Judged::Valid(advert) => advert,
            Judged::OwnerIgnores => {
                self.odd(desk, from, Complaint::Owner, String::from("another router advertises what we own"));
                return Ripple::None;
            }
            Judged::Rejected(error) => {
                self.counters.reject(error);
                if self.complaints.is_new(from, Complaint::Rejected(error)) {
                    let (instance, name) = (Some(self.id()), self.name().clone());
                    desk.tell(Event::Rejected { instance, name, from, error });
                }
                return Ripple::None;
            }
        };
        self.counters.advert_rcvd += 1;
        self.remark(desk, &advert);
        if advert.priority == election::FAREWELL {
            self.counters.pri_zero_rcvd += 1;
        }
        if self.standing.leaving.is_some() {
            self.hear_successor(desk, &advert);
            return Ripple::None;
        }
        match self.role {
            Role::Init | Role::Fault => Ripple::None,
            Role::Backup => {
                self.hear_as_backup(desk, &advert);
                Ripple::None
            }
            Role::Master => self.hear_as_master(desk, &advert),
        }
    }

    /// Oddities that do not keep an advertisement from counting.
    fn remark(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) {
        let is_new_sender = self.heard.master.is_none_or(|(from, _, _)| from != advert.from);
        // With `skip_check_adv_addr` a backup compares the list only when the sender changes.
        let compare = !self.config.transport.skip_address_check || is_new_sender || self.role == Role::Master;
        if compare && advert.list_differs {
            // Accepted: rejecting it makes two masters while one side has an address more (keepalived < 2.3.3).
            self.counters.addr_list_differs += 1;
            let what = String::from("its address list is not ours (addr_list_differs)");
            self.odd(desk, advert.from, Complaint::AddressList, what);
        }
        if self.config.router.version == Version::V3 && advert.interval != self.config.election.interval {
            self.counters.interval_differs += 1;
            let ours = self.config.election.interval;
            let what = format!("its interval is {:?}, not {ours:?} (interval_differs)", advert.interval);
            self.odd(desk, advert.from, Complaint::Interval, what);
        }
        if advert.is_stranger {
            // keepalived hears it without a word, and two lists that disagree end in two masters.
            self.counters.not_listed += 1;
            let what = String::from("it is none of our unicast_peers (not_listed), so it does not hear us");
            self.odd(desk, advert.from, Complaint::Stranger, what);
        }
        let detects = self.config.transport.old_checksum == OldChecksum::Detect;
        if advert.old_checksum && detects && !advert.is_stranger && !self.heard.old_checksum {
            self.heard.old_checksum = true;
            let what = String::from("its checksum is that of keepalived up to 1.3.6, as ours is from now on");
            desk.tell(Event::Odd { name: self.name().clone(), from: advert.from, what });
        }
    }

    fn odd(&mut self, desk: &mut Desk<'_, '_>, from: IpAddr, complaint: Complaint, what: String) {
        if self.complaints.is_new(from, complaint) {
            desk.tell(Event::Odd { name: self.name().clone(), from, what });
        }
    }

    fn compare(&self, desk: &Desk<'_, '_>, advert: &Advert) -> Rank {
        let unspecified = if advert.from.is_ipv4() {
            IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED)
        };
        let source = desk.world.source(&self.config).unwrap_or(unspecified);
        election::compare((advert.priority, advert.from), (self.effective, source))
    }

    fn preempt(&self) -> Preempt {
        let election = &self.config.election;
        if !election.preempt {
            Preempt::Never
        } else if election.preempt_delay.is_zero() {
            Preempt::Now
        } else {
            Preempt::Delayed
        }
    }

    fn hear_as_backup(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) {
        let is_new = self.heard.master.is_none_or(|(from, _, _)| from != advert.from);
        if self.duel == Some(Duel::SteppedAside) && (is_new || advert.priority != OWNER) {
            self.step_back_in(desk);
        }
        if advert.priority == election::FAREWELL && desk.world.source(&self.config) == Some(advert.from) {
            return; // an echo of our own
        }
        match election::step(self.role, self.preempt(), Happening::Heard(self.compare(desk, advert))) {
            Step::Hurry => {
                self.heard.farewell = Some(advert.from);
                // Never later than the running deadline: repeated farewells must not put a takeover off for ever.
                let at = desk.counting_from() + self.skew();
                let at = self.clock.down_at.map_or(at, |running| running.min(at));
                self.arm(desk, RouterTimer::MasterDown, at);
            }
            Step::Accept => {
                self.standing.delay_over = false;
                self.disarm(desk, RouterTimer::Preempt);
                self.accept(desk, advert);
            }
            Step::AcceptForNow => {
                // Once is enough: the delays of a sync group's members end one after the other, and with a new one for each
                // they would never all be over at once.
                if !self.standing.delay_over && !self.is_armed(desk, RouterTimer::Preempt) {
                    let at = desk.now() + self.config.election.preempt_delay;
                    self.arm(desk, RouterTimer::Preempt, at);
                }
                self.accept(desk, advert);
            }
            Step::Discard => {
                self.heard.farewell = None;
                self.heard.master = Some((advert.from, advert.priority, desk.now()));
            }
            Step::Ignore | Step::TakeOver | Step::Advertise | Step::Assert | Step::Warn | Step::Yield => {}
        }
    }

    /// Takes an advertisement as the master's.
    fn accept(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) {
        self.learn(desk, advert);
        self.standing.wishes_master = false;
        let at = desk.counting_from() + self.master_down();
        self.arm(desk, RouterTimer::MasterDown, at);
    }

    fn learn(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) {
        if self.config.router.version == Version::V3 {
            self.clock.interval = advert.interval;
        }
        self.heard.farewell = None;
        self.heard.master = Some((advert.from, advert.priority, desk.now()));
    }

    fn hear_as_master(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) -> Ripple {
        let rank = self.compare(desk, advert);
        if self.is_owner() && advert.priority == OWNER && rank != Rank::Own {
            self.odd(
                desk,
                advert.from,
                Complaint::Duel,
                String::from("it claims to own our addresses too (priority 255)"),
            );
            if rank != Rank::Better {
                self.go_on_with_duel(desk);
            }
        }
        match election::step(self.role, self.preempt(), Happening::Heard(rank)) {
            Step::Advertise => {
                self.advertise(desk);
                Ripple::None
            }
            Step::Assert => self.assert_ourselves(desk, advert),
            Step::Warn => {
                self.odd(
                    desk,
                    advert.from,
                    Complaint::OwnAddress,
                    String::from("somebody has our own address"),
                );
                Ripple::None
            }
            Step::Yield => {
                // So that the winner notices that there were two, and announces again.
                if self.config.election.last_advert {
                    self.advertise_last(desk, advert.interval);
                }
                self.learn(desk, advert);
                let why = Why::Better { from: advert.from, priority: advert.priority };
                let at = desk.counting_from() + self.master_down();
                self.enter_backup(desk, why, Parting::Silent, at);
                Ripple::Yielded
            }
            Step::Ignore
            | Step::Hurry
            | Step::Accept
            | Step::AcceptForNow
            | Step::Discard
            | Step::TakeOver => Ripple::None,
        }
    }

    fn assert_ourselves(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) -> Ripple {
        if !self.config.election.lower_no_advert && desk.now().since(self.clock.sent) >= ASSERT_GAP {
            self.advertise(desk);
        }
        if !self.announce_after_lower(desk) {
            return Ripple::None;
        }
        let (name, from, priority) = (self.name().clone(), advert.from, advert.priority);
        desk.tell(Event::LowerHeard { name: name.clone(), from, priority });
        if let Some(command) = &self.config.notify.lower {
            desk.run(command, &[]);
        }
        desk.write("INSTANCE", &name, "MASTER_RX_LOWER_PRI", self.effective);
        Ripple::Announced
    }

    /// Another owner with a smaller address does not yield: it may not listen at all. After two of our
    /// advertisements and some more time it is we who step aside, since two holders are worse than the wrong one.
    fn go_on_with_duel(&mut self, desk: &mut Desk<'_, '_>) {
        match self.duel {
            None => self.duel = Some(Duel::Waiting(0)),
            Some(Duel::Ripe) => {
                self.disarm(desk, RouterTimer::Duel);
                self.duel = Some(Duel::SteppedAside);
                self.set_effective(desk, election::HIGHEST);
            }
            Some(Duel::Waiting(_) | Duel::SteppedAside) => {}
        }
    }

    /// One more regular advertisement went out.
    pub(super) fn count_for_duel(&mut self, desk: &mut Desk<'_, '_>) {
        const PATIENCE: u8 = 2;
        if let Some(Duel::Waiting(sent)) = self.duel {
            self.duel = Some(Duel::Waiting(sent + 1));
            if sent + 1 >= PATIENCE {
                self.duel = Some(Duel::Ripe);
                let at = desk.now() + self.clock.interval * 6 / 5;
                self.arm(desk, RouterTimer::Duel, at);
            }
        }
    }

    /// The other owner has fallen silent in time.
    pub(super) fn on_duel_over(&mut self) {
        if self.duel == Some(Duel::Ripe) {
            self.duel = None;
        }
    }
}
