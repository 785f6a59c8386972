//! Health checks: when to run them, and how runs add up to a verdict.
//!
//! [`checks`] is the facade that the node calls, [`check`] one check with its run in flight, [`verdict`] the two
//! counters (keepalived's scripts, haproxy's servers), [`schedule`] the moments. What a run *does* is not decided here: `Action::Check` carries the probe out, and
//! `Input::Checked` brings the outcome back.

mod check;
pub mod checks;
mod schedule;
mod verdict;

pub use checks::{CheckStatus, Checks};
