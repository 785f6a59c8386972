//! Who is master: the pure transition table, and the arithmetic of its two intervals.
//!
//! [`step`] decides what one happening means for a virtual router in one role; it has no state and asks nobody.
//! What is done about it is written in `advert` and `transition`. RFC 9568 section 6.4, with keepalived's
//! extensions (`nopreempt`, `preempt_delay`, FAULT). All time is integer nanoseconds: version 2's skew has 1/256 s
//! as its unit and does not scale with the interval, version 3's scales with the master's interval.

use crate::config::model::Version;
use crate::event::Role;
use core::cmp::Ordering;
use core::net::IpAddr;
use core::time::Duration;

/// The priority of the owner of the addresses.
pub const OWNER: u8 = 255;
/// The highest priority of anybody else.
pub const HIGHEST: u8 = 254;
/// The priority that says farewell.
pub const FAREWELL: u8 = 0;

/// `Skew_Time`: (256 - priority) / 256 of a second (version 2), or of the master's interval (version 3).
#[must_use]
pub fn skew(version: Version, priority: u8, interval: Duration) -> Duration {
    let unit = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval,
    };
    unit * (256 - u32::from(priority)) / 256
}

/// `Master_Down_Interval` (`Active_Down_Interval`): so many of the master's intervals, and the skew.
#[must_use]
pub fn master_down(version: Version, adverts: u8, priority: u8, interval: Duration) -> Duration {
    interval * u32::from(adverts) + skew(version, priority, interval)
}

/// Who wins between an advertisement and us: priority first, then the address as an unsigned number.
#[must_use]
pub fn rank(theirs: (u8, IpAddr), ours: (u8, IpAddr)) -> Ordering {
    theirs.0.cmp(&ours.0).then_with(|| number(theirs.1).cmp(&number(ours.1)))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// How a valid advertisement compares with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advert {
    /// Priority zero.
    Farewell,
    /// A higher priority, or the same and a larger address.
    Better,
    /// The same priority and a smaller address.
    Even,
    /// The same priority and our own address: somebody has it too.
    Own,
    /// A lower priority.
    Lower,
}

/// What a backup does about a lower advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preempt {
    /// Nothing, ever (`nopreempt`).
    Never,
    /// Nothing, until a delay is over (`preempt_delay`).
    Delayed,
    /// It lets the running time out end.
    Now,
}

/// One happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A valid advertisement.
    Heard(Advert),
    /// `Master_Down` is over, or the preemption delay.
    Silence,
    /// It is time to advertise.
    Beat,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Ignore,
    /// Wait for the skew only.
    Hurry,
    /// Take it as the master's: learn the interval, start `Master_Down` anew.
    Accept,
    /// The same, and let the preemption delay run.
    AcceptForNow,
    /// Remember who sent it; the running time out goes on.
    Discard,
    /// Become master.
    TakeOver,
    /// Advertise; nothing else changes.
    Advertise,
    /// Advertise at once and announce again.
    Assert,
    /// Warn that somebody has our address.
    Warn,
    /// Become backup.
    Yield,
}

/// The table.
#[must_use]
pub fn step(role: Role, preempt: Preempt, happening: Happening) -> Step {
    match (role, happening) {
        (Role::Init | Role::Fault, Happening::Heard(_) | Happening::Silence | Happening::Beat) => {
            Step::Ignore
        }

        (Role::Backup, Happening::Silence) => Step::TakeOver,
        (Role::Backup, Happening::Beat) => Step::Ignore,
        (Role::Backup, Happening::Heard(Advert::Farewell)) => Step::Hurry,
        // Between equals there is no preemption, so addresses do not matter here (RFC 9568 section 6.4.2).
        (Role::Backup, Happening::Heard(Advert::Better | Advert::Even | Advert::Own)) => Step::Accept,
        (Role::Backup, Happening::Heard(Advert::Lower)) => match preempt {
            Preempt::Never => Step::Accept,
            Preempt::Delayed => Step::AcceptForNow,
            Preempt::Now => Step::Discard,
        },

        (Role::Master, Happening::Silence) => Step::Ignore,
        (Role::Master, Happening::Beat | Happening::Heard(Advert::Farewell)) => Step::Advertise,
        (Role::Master, Happening::Heard(Advert::Better)) => Step::Yield,
        (Role::Master, Happening::Heard(Advert::Even | Advert::Lower)) => Step::Assert,
        (Role::Master, Happening::Heard(Advert::Own)) => Step::Warn,
    }
}

/// How an advertisement of `theirs` compares with `ours`.
#[must_use]
pub fn compare(theirs: (u8, IpAddr), ours: (u8, IpAddr)) -> Advert {
    if theirs.0 == FAREWELL {
        return Advert::Farewell;
    }
    match (rank(theirs, ours), theirs.0 == ours.0) {
        (Ordering::Greater, _) => Advert::Better,
        (Ordering::Equal, _) => Advert::Own,
        (Ordering::Less, true) => Advert::Even,
        (Ordering::Less, false) => Advert::Lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_of_the_table_is_as_written() {
        use Advert::{Better, Even, Farewell, Lower, Own};
        use Happening::{Beat, Heard, Silence};
        use Preempt::{Delayed, Never, Now};
        let rows = [
            (Role::Backup, Now, Heard(Farewell), Step::Hurry),
            (Role::Backup, Never, Heard(Farewell), Step::Hurry),
            (Role::Backup, Now, Heard(Better), Step::Accept),
            (Role::Backup, Now, Heard(Even), Step::Accept),
            (Role::Backup, Now, Heard(Own), Step::Accept),
            (Role::Backup, Now, Heard(Lower), Step::Discard),
            (Role::Backup, Never, Heard(Lower), Step::Accept),
            (Role::Backup, Delayed, Heard(Lower), Step::AcceptForNow),
            (Role::Backup, Never, Silence, Step::TakeOver),
            (Role::Backup, Now, Beat, Step::Ignore),
            (Role::Master, Never, Heard(Farewell), Step::Advertise),
            (Role::Master, Never, Heard(Better), Step::Yield),
            (Role::Master, Now, Heard(Even), Step::Assert),
            (Role::Master, Now, Heard(Lower), Step::Assert),
            (Role::Master, Now, Heard(Own), Step::Warn),
            (Role::Master, Now, Beat, Step::Advertise),
            (Role::Master, Now, Silence, Step::Ignore),
        ];
        for (role, preempt, happening, expected) in rows {
            assert_eq!(step(role, preempt, happening), expected, "{role:?} {preempt:?} {happening:?}");
        }
        for role in [Role::Init, Role::Fault] {
            for happening in [Heard(Farewell), Heard(Better), Heard(Lower), Silence, Beat] {
                assert_eq!(step(role, Now, happening), Step::Ignore);
            }
        }
    }

    #[test]
    fn the_skew_of_version_2_does_not_scale_and_that_of_version_3_does() {
        let long = Duration::from_secs(10);
        assert_eq!(skew(Version::V2, 200, long), Duration::from_micros(218_750));
        assert_eq!(skew(Version::V3, 200, long), Duration::from_micros(2_187_500));
        assert_eq!(skew(Version::V2, 255, long), Duration::from_nanos(3_906_250));
        assert_eq!(
            master_down(Version::V2, 3, 101, Duration::from_secs(1)),
            Duration::from_nanos(3_605_468_750)
        );
        assert_eq!(
            master_down(Version::V3, 3, 150, Duration::from_millis(300)),
            Duration::from_nanos(1_024_218_750)
        );
    }

    #[test]
    fn addresses_decide_between_equal_priorities_as_unsigned_numbers() {
        let ours = (100, ip("10.0.0.9"));
        assert_eq!(compare((100, ip("200.0.0.1")), ours), Advert::Better);
        assert_eq!(compare((100, ip("10.0.0.8")), ours), Advert::Even);
        assert_eq!(compare((100, ip("10.0.0.9")), ours), Advert::Own);
        assert_eq!(compare((99, ip("200.0.0.1")), ours), Advert::Lower);
        assert_eq!(compare((101, ip("1.0.0.1")), ours), Advert::Better);
        assert_eq!(compare((101, ip("10.0.0.9")), ours), Advert::Better);
        assert_eq!(compare((0, ip("200.0.0.1")), ours), Advert::Farewell);
    }
}
