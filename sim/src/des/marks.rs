//! The *sometimes* marks: rare states that random runs must reach, or the generator is weak.
//!
//! A mark says that something happened, never that it was wrong. `tests/marks.rs` asks for every one of them within
//! 2,000 seeds. What other balancers call panic mode is here a pool that is left with its backups.

use std::collections::BTreeSet;

/// A rare state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Two nodes are master of one virtual router.
    TwoMasters,
    /// Three are.
    ThreeMasters,
    /// A farewell did not reach somebody.
    FarewellLost,
    /// A farewell was overtaken by an older advertisement.
    AdvertAfterFarewell,
    /// A node became master right after a reload.
    TakeoverDuringReload,
    /// The answer to a request came after the opposite had been asked for.
    DoneAfterChangedBack,
    /// The answer to a run came that no longer counts.
    StaleCheckAnswer,
    /// A dump came while a new master did not have all addresses.
    ResyncInTakeover,
    /// A kernel refused an address for want of buffers while a new master did not have all of them.
    RefusedInTakeover,
    /// All servers of a pool were unusable at once.
    AllServersDown,
    /// A server was drained while another one was dead.
    DrainInOutage,
    /// One member of a sync group had a fault of its own.
    GroupMemberInFault,
    /// Somebody deleted an address that a master held.
    AddressDeleted,
    /// A frozen master was thawed after another one had taken over.
    PauseAcrossTakeover,
    /// Two candidates had the same priority at a takeover.
    EqualPriorities,
    /// A master yielded to one of the same priority, by address.
    TieByAddress,
    /// A connection was given to a server by a view that was no longer the newest.
    OldView,
    /// No active server was usable, and a backup took connections.
    ServedByBackup,
    /// An active server took connections again after that.
    BackFromBackup,
    /// A connect failed, and another server was tried.
    Redispatched,
}

impl Mark {
    /// All of them.
    pub const ALL: [Mark; 20] = [
        Mark::TwoMasters,
        Mark::ThreeMasters,
        Mark::FarewellLost,
        Mark::AdvertAfterFarewell,
        Mark::TakeoverDuringReload,
        Mark::DoneAfterChangedBack,
        Mark::StaleCheckAnswer,
        Mark::ResyncInTakeover,
        Mark::RefusedInTakeover,
        Mark::AllServersDown,
        Mark::DrainInOutage,
        Mark::GroupMemberInFault,
        Mark::AddressDeleted,
        Mark::PauseAcrossTakeover,
        Mark::EqualPriorities,
        Mark::TieByAddress,
        Mark::OldView,
        Mark::ServedByBackup,
        Mark::BackFromBackup,
        Mark::Redispatched,
    ];

    /// It in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mark::TwoMasters => "two masters at once",
            Mark::ThreeMasters => "three masters at once",
            Mark::FarewellLost => "farewell lost",
            Mark::AdvertAfterFarewell => "advertisement overtaken by a later farewell",
            Mark::TakeoverDuringReload => "takeover during a reload",
            Mark::DoneAfterChangedBack => "answer after the opposite was asked for",
            Mark::StaleCheckAnswer => "stale answer of a check",
            Mark::ResyncInTakeover => "dump in the middle of a takeover",
            Mark::RefusedInTakeover => "out of buffers in the middle of a takeover",
            Mark::AllServersDown => "all servers of a pool down",
            Mark::DrainInOutage => "drain during an outage",
            Mark::GroupMemberInFault => "sync group with one member in fault",
            Mark::AddressDeleted => "held address deleted by an operator",
            Mark::PauseAcrossTakeover => "pause across a takeover",
            Mark::EqualPriorities => "equal priorities at a takeover",
            Mark::TieByAddress => "tie decided by address",
            Mark::OldView => "pick from an old view",
            Mark::ServedByBackup => "no active server usable, a backup serves",
            Mark::BackFromBackup => "active servers serve again after a backup did",
            Mark::Redispatched => "connect failed, another server was tried",
        }
    }
}

/// The marks that a run has reached.
pub type Marks = BTreeSet<Mark>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_in_the_list_once_and_has_words_of_its_own() {
        let words: BTreeSet<&str> = Mark::ALL.iter().map(|mark| mark.as_str()).collect();
        assert_eq!(words.len(), Mark::ALL.len());
        assert!(Mark::ALL.is_sorted());
        assert_eq!(Mark::ALL[Mark::ALL.len() - 1], Mark::Redispatched);
    }
}
