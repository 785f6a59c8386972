//! The lease: for how long the kernel keeps an address that its daemon does not renew.
//!
//! A killed or frozen daemon must lose its addresses before a peer takes over, by the kernel's hand. The earliest
//! takeover is `down_adverts` intervals after our last advertisement (the skew of the best peer is next to nothing),
//! and a renewal may come up to one interval after that advertisement, so the lease is the largest whole number of
//! seconds within `down_adverts - 1` intervals: whole, since that is the kernel's grain; it removes an address from a
//! few hundredths before the time is up to a quarter of a second after it. Where less than two seconds are left, the
//! lease is one second, and renewals go out together with advertisements, never after them.

use crate::config::model::InstanceConfig;
use crate::time::Time;
use core::time::Duration;

/// The kernel's grain, and the shortest lease.
const GRAIN: Duration = Duration::from_secs(1);
/// The longest lease: far below what the kernel's field holds.
const LONGEST: Duration = Duration::from_secs(86_400);
/// A lease is renewed this many times in its life.
const RENEWALS: u32 = 3;

/// The kernel lifetime of the addresses of `config`.
#[must_use]
pub fn lease_for(config: &InstanceConfig) -> Duration {
    let room = config.election.interval * u32::from(config.election.down_adverts.saturating_sub(1));
    Duration::from_secs(room.as_secs()).clamp(GRAIN, LONGEST)
}

/// Whether the lease of a frozen daemon ends before any peer may take over, so that no two nodes hold an address.
#[must_use]
pub fn lease_is_safe(config: &InstanceConfig) -> bool {
    let down = config.election.interval * u32::from(config.election.down_adverts);
    let late = if rides_on_adverts(config) { Duration::ZERO } else { config.election.interval };
    lease_for(config) + late <= down
}

/// Whether renewals go out right after an advertisement (short intervals), instead of by a timer of their own.
pub(super) fn rides_on_adverts(config: &InstanceConfig) -> bool {
    config.election.interval * 2 < lease_for(config)
}

/// When a lease is renewed next: a third of it later at most, at moments that all leases of this length share. They must
/// end together: once Linux has looked for ended ones, it looks again only a second later (`check_lifetime`), and the
/// address of a killed daemon's second virtual router would outlive its lease by that second.
pub(super) fn next_renewal(now: Time, lease: Duration) -> Time {
    let step = Time::from_duration(lease / RENEWALS).0.max(1);
    Time(now.0 - now.0 % step) + Duration::from_nanos(step)
}

/// Whether the kernel has dropped an address by itself, since it was not renewed for so long. It does so a few
/// hundredths early, hence nine tenths.
pub(super) fn ran_out(lease: Duration, unrenewed: Duration) -> bool {
    unrenewed >= lease * 9 / 10
}
