//! Carries out what `standfast-core` decides: sockets, netlink, checks, the TCP proxy, logs.
//!
//! The driver owns the node and performs its actions by enqueueing only. What differs between Linux and the
//! simulator stands behind four small traits: [`host::Host`], [`fabric::Fabric`], [`check::Scripts`] and
//! [`proxy::DataPlane`].

pub mod check;
pub mod clock;
pub mod control;
pub mod driver;
pub mod fabric;
pub mod host;
pub mod linux;
pub mod log;
pub mod proxy;
pub mod recorder;
