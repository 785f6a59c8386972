//! One server: what its checks, its operator and its weight make of it.
//!
//! haproxy's operational and administrative states, reduced to what decides traffic: a server takes new connections
//! if and only if it is up, in no administrative state, and has a weight.

use super::view::ServerView;
use crate::config::model::ServerConfig;
use crate::event::ServerState;
use crate::id::ServerId;
use crate::input::{Admin, Tally};
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// Effective weight per unit of configured weight (haproxy's scale).
pub const WEIGHT_SCALE: u32 = 16;

/// The heaviest a server may be.
pub const MAX_WEIGHT: u16 = 256;

/// What the checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Health {
    /// Settled up, or never checked.
    Up,
    /// Up, but the last run failed.
    GoingDown,
    /// Settled down.
    Down,
    /// Down, but the last run passed.
    GoingUp,
}

impl Health {
    /// From the settled verdict and the last run. Unknown is up: a server starts up with one strike left.
    pub(crate) fn from_verdict(up: Option<bool>, passed: Option<bool>) -> Health {
        match (up.unwrap_or(true), passed) {
            (true, Some(false)) => Health::GoingDown,
            (true, Some(true) | None) => Health::Up,
            (false, Some(true)) => Health::GoingUp,
            (false, Some(false) | None) => Health::Down,
        }
    }

    fn is_up(self) -> bool {
        match self {
            Health::Up | Health::GoingDown => true,
            Health::Down | Health::GoingUp => false,
        }
    }
}

/// A server as the core sees it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) config: ServerConfig,
    pub(crate) health: Health,
    pub(crate) admin: Admin,
    /// Configured, or ordered since.
    pub(crate) weight: u16,
    pub(crate) tally: Tally,
}

impl Server {
    pub(crate) fn new(config: ServerConfig) -> Server {
        let admin = if config.disabled { Admin::Maintenance } else { Admin::Ready };
        let weight = config.weight.min(MAX_WEIGHT);
        Server { config, health: Health::Up, admin, weight, tally: Tally::default() }
    }

    /// Takes over a new configuration of the same server. What it does not change keeps its state: an operator's
    /// order outlives a reload unless the file itself changed on that point (a reload of haproxy forgets orders).
    pub(crate) fn configure(&mut self, config: &ServerConfig) {
        if self.config.address != config.address || self.config.check != config.check {
            self.health = Health::Up;
        }
        if self.config.disabled != config.disabled {
            self.set_admin(if config.disabled { Admin::Maintenance } else { Admin::Ready });
        }
        if self.config.weight != config.weight {
            self.weight = config.weight.min(MAX_WEIGHT);
        }
        self.config = config.clone();
    }

    /// Sets the administrative state. Leaving maintenance makes the server up at once, with one strike left.
    pub(crate) fn set_admin(&mut self, admin: Admin) {
        if self.admin == Admin::Maintenance && admin != Admin::Maintenance {
            self.health = Health::Up;
        }
        self.admin = admin;
    }

    /// How it stands. A weight of zero is drain, as haproxy shows it.
    pub(crate) fn state(&self) -> ServerState {
        match (self.admin, self.health) {
            (Admin::Maintenance, _) => ServerState::Maintenance,
            (_, Health::Down) => ServerState::Down,
            (_, Health::GoingUp) => ServerState::GoingUp,
            (Admin::Drain, Health::Up | Health::GoingDown) => ServerState::Drain,
            (Admin::Ready, Health::Up | Health::GoingDown) if self.weight == 0 => ServerState::Drain,
            (Admin::Ready, Health::Up) => ServerState::Up,
            (Admin::Ready, Health::GoingDown) => ServerState::GoingDown,
        }
    }

    /// May it take new connections?
    pub(crate) fn usable(&self) -> bool {
        self.health.is_up() && self.admin == Admin::Ready && self.weight > 0
    }

    /// What the data plane may know.
    pub(crate) fn view(&self) -> ServerView {
        let gone = self.admin == Admin::Maintenance || !self.health.is_up();
        ServerView {
            id: self.config.id,
            name: self.config.name.clone(),
            address: self.config.address,
            weight: u32::from(self.weight) * WEIGHT_SCALE,
            usable: self.usable(),
            backup: self.config.backup,
            shutdown: gone && self.config.shutdown_when_down,
        }
    }

    pub(crate) fn status(&self) -> ServerStatus {
        ServerStatus {
            server: self.config.id,
            name: self.config.name.clone(),
            state: self.state(),
            admin: self.admin,
            usable: self.usable(),
            backup: self.config.backup,
            weight: self.weight,
            tally: self.tally,
        }
    }
}

/// A server for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Which.
    pub server: ServerId,
    /// Its name.
    pub name: Arc<str>,
    /// How it stands.
    pub state: ServerState,
    /// What the operator ordered.
    pub admin: Admin,
    /// It may take new connections.
    pub usable: bool,
    /// `backup`.
    pub backup: bool,
    /// Weight now.
    pub weight: u16,
    /// What the data plane saw: connections and failures add up, `open` is now.
    pub tally: Tally,
}

/// The state without the steps on the way: what is worth an event.
pub(crate) fn settled(state: ServerState) -> ServerState {
    match state {
        ServerState::Up | ServerState::GoingDown => ServerState::Up,
        ServerState::Down | ServerState::GoingUp => ServerState::Down,
        ServerState::Maintenance => ServerState::Maintenance,
        ServerState::Drain => ServerState::Drain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_verdict_order_and_weight() {
        let rows = [
            (Admin::Ready, Health::Up, 1, ServerState::Up, true),
            (Admin::Ready, Health::GoingDown, 1, ServerState::GoingDown, true),
            (Admin::Ready, Health::Down, 1, ServerState::Down, false),
            (Admin::Ready, Health::GoingUp, 1, ServerState::GoingUp, false),
            (Admin::Ready, Health::Up, 0, ServerState::Drain, false),
            (Admin::Drain, Health::Up, 1, ServerState::Drain, false),
            (Admin::Drain, Health::Down, 1, ServerState::Down, false),
            (Admin::Maintenance, Health::Up, 1, ServerState::Maintenance, false),
        ];
        for (admin, health, weight, state, usable) in rows {
            let mut server = Server::new(crate::balance::pools::tests::server(1, "s", 1));
            server.admin = admin;
            server.health = health;
            server.weight = weight;
            assert_eq!((server.state(), server.usable()), (state, usable), "{admin:?} {health:?} {weight}");
        }
    }

    #[test]
    fn the_verdict_and_the_last_run_give_the_four_states() {
        assert_eq!(Health::from_verdict(None, None), Health::Up);
        assert_eq!(Health::from_verdict(Some(true), Some(false)), Health::GoingDown);
        assert_eq!(Health::from_verdict(Some(false), Some(true)), Health::GoingUp);
        assert_eq!(Health::from_verdict(Some(false), None), Health::Down);
    }
}
