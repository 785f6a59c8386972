//! Runs health checks: TCP, the old SSL hello, TLS, HTTP, scripts.

use standfast_core::config::model::Command;
use standfast_core::input::Outcome;
use std::future::Future;
use std::time::Duration;

/// Runs operators' commands: real processes in production, a model under simulation.
pub trait Scripts: Clone + 'static {
    /// Runs `command` to its end or until `within` has passed, then TERM, then KILL to its process group.
    /// Dropping the future kills the group.
    fn run(&self, command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static;
}
