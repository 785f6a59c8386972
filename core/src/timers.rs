//! Deadlines, ordered by time and, within one instant, by key: never by the order in which they were armed.

use crate::id::{BfdId, CheckId, FrontendId, InstanceId};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a virtual router waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RouterTimer {
    /// The next advertisement of an active router is due (RFC 9568 `Adver_Timer`).
    Advertise,
    /// No advertisement was heard for too long (RFC 9568 `Active_Down_Timer`).
    MasterDown,
    /// The wait before taking over from a lower router ends (`preempt_delay`).
    Preempt,
    /// The second block of announcements is due (`garp_master_delay`).
    AnnounceAgain,
    /// The second block after a lower advertisement is due (`garp_lower_prio_delay`).
    AnnounceLower,
    /// The periodic announcement is due (`garp_master_refresh`).
    AnnounceRefresh,
    /// The periodic announcement on other interfaces is due (`garp_extra_if`).
    AnnounceExtra,
    /// The announcements held back by the rate limit may go.
    AnnouncePaced,
    /// Two owners have duelled for long enough.
    Duel,
    /// The addresses' kernel lifetime must be renewed.
    Lease,
    /// A refused or unanswered address request is tried again.
    AddressRetry,
    /// Make before break: the longest wait for a peer ends.
    Leave,
}

/// What a health check waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CheckTimer {
    /// The next run is due.
    Start,
    /// The running one got no answer in time.
    Expire,
}

/// What a BFD session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BfdTimer {
    /// The next control packet is due.
    Transmit,
    /// The neighbour was not heard for a detection time.
    Detect,
    /// Sockets that were refused are asked for again.
    Open,
}

/// One deadline of a node; also the reason why it wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TimerKey {
    /// A virtual router's.
    Router(InstanceId, RouterTimer),
    /// A health check's.
    Check(CheckId, CheckTimer),
    /// A listening side that could not be opened is tried again.
    Listen(FrontendId),
    /// The removal of an address that no virtual router has is tried again.
    Leftover,
    /// Routes, rules and static addresses are looked at, or asked for again.
    Items,
    /// A link has stood otherwise for long enough to be believed (`interface_up_down_delays`).
    Debounce,
    /// A BFD session's.
    Bfd(BfdId, BfdTimer),
}

impl fmt::Display for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimerKey::Router(id, timer) => write!(f, "{id} {timer:?}"),
            TimerKey::Check(id, timer) => write!(f, "{id} {timer:?}"),
            TimerKey::Listen(id) => write!(f, "{id} Listen"),
            TimerKey::Leftover => write!(f, "Leftover"),
            TimerKey::Items => write!(f, "Items"),
            TimerKey::Debounce => write!(f, "Debounce"),
            TimerKey::Bfd(id, timer) => write!(f, "{id} {timer:?}"),
        }
    }
}

/// All deadlines of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    due: BTreeSet<(Time, TimerKey)>,
    at: BTreeMap<TimerKey, Time>,
}

impl Timers {
    /// Sets the deadline of `key`, in place of an earlier one.
    pub fn arm(&mut self, key: TimerKey, at: Time) {
        let before = self.at.insert(key, at);
        if before == Some(at) {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, key));
        }
        self.due.insert((at, key));
        debug_assert_eq!(self.due.len(), self.at.len());
    }

    /// Forgets the deadline of `key`, if any.
    pub fn disarm(&mut self, key: TimerKey) {
        if let Some(at) = self.at.remove(&key) {
            self.due.remove(&(at, key));
        }
    }

    /// When `key` is due.
    #[must_use]
    pub fn at(&self, key: TimerKey) -> Option<Time> {
        self.at.get(&key).copied()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<(Time, TimerKey)> {
        self.due.first().copied()
    }

    /// Takes the earliest deadline that is not later than `now`.
    pub fn take_due(&mut self, now: Time) -> Option<TimerKey> {
        if self.next()?.0 > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        self.at.remove(&key);
        Some(key)
    }

    /// Gives every deadline the key that `to` says; no two may get the same.
    pub fn rename(&mut self, to: impl Fn(TimerKey) -> TimerKey) {
        self.at = core::mem::take(&mut self.at).into_iter().map(|(key, at)| (to(key), at)).collect();
        self.due = self.at.iter().map(|(key, at)| (*at, *key)).collect();
    }

    /// Forgets every deadline for which `gone` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&TimerKey) -> bool) {
        self.at.retain(|key, _| keep(key));
        let at = &self.at;
        self.due.retain(|(_, key)| at.contains_key(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_fire_in_key_order_whatever_was_armed_first() {
        let (a, b) = (
            TimerKey::Router(InstanceId(1), RouterTimer::Advertise),
            TimerKey::Router(InstanceId(2), RouterTimer::Advertise),
        );
        let mut timers = Timers::default();
        timers.arm(b, Time(5));
        timers.arm(a, Time(9));
        timers.arm(a, Time(5));
        assert_eq!(timers.take_due(Time(4)), None);
        assert_eq!(timers.take_due(Time(5)), Some(a));
        assert_eq!(timers.take_due(Time(5)), Some(b));
        assert_eq!(timers.take_due(Time(9)), None);
    }
}
