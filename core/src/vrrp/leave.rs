//! Make before break: a master that is told to go says farewell, and keeps its addresses until a peer has them.
//!
//! Waiting: no advertisement any more, addresses still held and their lease renewed. The wait ends when a peer is
//! heard, after a short grace for its announcements to reach the neighbours, or at the latest when the slowest peer
//! would have taken over (one second at most). Removing: the addresses are given up and the kernel's answers
//! awaited, for a bounded time. Then the operator's scripts are told.

use super::election;
use super::instance::Instance;
use super::receive::Advert;
use super::transition::State;
use super::world::Desk;
use crate::event::{Event, Role, Why};
use crate::timers::RouterTimer;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// From a peer's first advertisement until its announcements have surely reached the neighbours: it asks its kernel
/// for the addresses right after that advertisement and announces on the answer, some milliseconds in all.
pub const HANDOVER_GRACE: Duration = Duration::from_millis(30);
/// The longest wait for a peer.
pub const LEAVE_AT_MOST: Duration = Duration::from_secs(1);
/// The longest wait for the kernel to have removed the addresses.
pub(super) const REMOVE_AT_MOST: Duration = Duration::from_millis(500);

/// A clean departure that is under way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Leaving {
    stage: Stage,
    stops: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// For a peer.
    Waiting,
    /// A peer was heard; its announcements are on the way.
    Heard,
    /// The kernel removes the addresses.
    Removing,
}

impl Leaving {
    /// The addresses are still wanted.
    pub(super) fn holds(&self) -> bool {
        self.stage != Stage::Removing
    }
}

impl Instance {
    /// Leaves: for good when the daemon stops, else until it is told to rejoin.
    pub(super) fn leave(&mut self, desk: &mut Desk<'_, '_>, stops: bool) {
        self.standing.away = true;
        let why = if stops { Why::Stop } else { Why::Order };
        if let Some(leaving) = &mut self.standing.leaving {
            leaving.stops |= stops;
            return;
        }
        let was = self.role;
        if was == Role::Master {
            self.say_farewell(desk);
            self.counters.release_master += 1;
        }
        self.enter_init(desk, why);
        if was == Role::Master {
            self.standing.leaving = Some(Leaving { stage: Stage::Waiting, stops });
            let slowest = election::skew(self.config.router.version, 1, self.config.election.interval);
            let at = desk.now() + (slowest + HANDOVER_GRACE).min(LEAVE_AT_MOST);
            self.arm(desk, RouterTimer::Leave, at);
        } else if self.waits_for_kernel(desk) {
            self.standing.leaving = Some(Leaving { stage: Stage::Removing, stops });
            let at = desk.now() + REMOVE_AT_MOST;
            self.arm(desk, RouterTimer::Leave, at);
        } else if stops {
            self.notify(desk, State::Stop);
        }
    }

    /// While leaving, an advertisement was heard.
    pub(super) fn hear_successor(&mut self, desk: &mut Desk<'_, '_>, advert: &Advert) {
        let is_peer =
            advert.priority != election::FAREWELL && desk.world.source(&self.config) != Some(advert.from);
        if let Some(leaving) = self.standing.leaving.as_mut().filter(|l| is_peer && l.stage == Stage::Waiting)
        {
            leaving.stage = Stage::Heard;
            let at = desk.now() + HANDOVER_GRACE;
            self.arm(desk, RouterTimer::Leave, at);
            self.tell_leaving(desk, Some(advert.from));
        }
    }

    fn tell_leaving(&mut self, desk: &mut Desk<'_, '_>, heard: Option<IpAddr>) {
        desk.tell(Event::Leaving { name: self.name().clone(), heard });
    }

    /// A wait is over.
    pub(super) fn on_leave(&mut self, desk: &mut Desk<'_, '_>) {
        let Some(stage) = self.standing.leaving.as_ref().map(|leaving| leaving.stage) else { return };
        match stage {
            Stage::Waiting => {
                self.tell_leaving(desk, None);
                self.let_go(desk);
            }
            Stage::Heard => self.let_go(desk),
            Stage::Removing => self.finish_leaving(desk),
        }
    }

    fn let_go(&mut self, desk: &mut Desk<'_, '_>) {
        if let Some(leaving) = &mut self.standing.leaving {
            leaving.stage = Stage::Removing;
        }
        self.give_up_all(desk);
        let at = desk.now() + REMOVE_AT_MOST;
        self.arm(desk, RouterTimer::Leave, at);
        self.leave_if_done(desk);
    }

    /// The last answer may have come.
    pub(super) fn leave_if_done(&mut self, desk: &mut Desk<'_, '_>) {
        let removing = self.standing.leaving.as_ref().is_some_and(|leaving| leaving.stage == Stage::Removing);
        if removing && !self.waits_for_kernel(desk) {
            self.finish_leaving(desk);
        }
    }

    /// An answer about an address, a route or a rule is outstanding.
    fn waits_for_kernel(&self, desk: &Desk<'_, '_>) -> bool {
        self.holds.iter().any(super::address::Hold::is_asked) || desk.items.is_asked(Some(self.id()))
    }

    /// Breaks off: the addresses go now.
    pub(super) fn finish_leaving(&mut self, desk: &mut Desk<'_, '_>) {
        let Some(leaving) = self.standing.leaving.take() else { return };
        if leaving.holds() {
            self.give_up_all(desk);
        }
        self.disarm(desk, RouterTimer::Leave);
        self.notify(desk, if leaving.stops { State::Stop } else { State::Is(Role::Backup) });
    }
}
