//! One behaviour per file, driven through [`Routers`] with a clock of our own.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test picks the few actions it asks about")]

mod backup;
pub(super) mod bench;
mod defects;
mod faults;
mod groups;
mod ipv6;
mod items;
mod leasing;
mod leaving;
mod master;
mod notified;
mod pacing;
mod strays;
mod sweeping;
mod traces;
