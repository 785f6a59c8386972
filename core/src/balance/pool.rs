//! One pool: its servers in the file's order, and the view last published of them.
//!
//! Invariant: outside of a call, the published view is what the servers' states make, and its version grew with each
//! change and only then.

use super::server::{Server, ServerStatus};
use super::view::PoolView;
use crate::action::Action;
use crate::config::model::PoolConfig;
use crate::event::Event;
use crate::id::{PoolId, ServerId};
use crate::outbox::Context;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A pool as the core sees it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pool {
    pub(crate) config: Arc<PoolConfig>,
    pub(crate) servers: Vec<Server>,
    published: Option<Arc<PoolView>>,
    empty_told: bool,
}

impl Pool {
    pub(crate) fn new(config: &Arc<PoolConfig>) -> Pool {
        let servers = config.servers.iter().cloned().map(Server::new).collect();
        Pool { config: Arc::clone(config), servers, published: None, empty_told: false }
    }

    pub(crate) fn server(&mut self, id: ServerId) -> Option<&mut Server> {
        self.servers.iter_mut().find(|s| s.config.id == id)
    }

    /// Usable active and usable backup servers.
    pub(crate) fn counts(&self) -> (u32, u32) {
        let count = |backup| {
            let n = self.servers.iter().filter(|s| s.config.backup == backup && s.usable()).count();
            u32::try_from(n).unwrap_or(u32::MAX)
        };
        (count(false), count(true))
    }

    /// Takes over a new configuration; servers of the same id keep what it does not change.
    pub(crate) fn configure(&mut self, config: &Arc<PoolConfig>) {
        let mut old = core::mem::take(&mut self.servers);
        self.servers = config
            .servers
            .iter()
            .map(|wanted| match old.iter().position(|s| s.config.id == wanted.id) {
                Some(at) => {
                    let mut server = old.swap_remove(at);
                    server.configure(wanted);
                    server
                }
                None => Server::new(wanted.clone()),
            })
            .collect();
        self.config = Arc::clone(config);
    }

    /// The view of now, with the version of the published one.
    fn view(&self) -> PoolView {
        PoolView {
            pool: self.config.id,
            name: self.config.name.clone(),
            version: self.published.as_ref().map_or(0, |view| view.version),
            algorithm: self.config.algorithm,
            all_backups: self.config.all_backups,
            servers: self.servers.iter().map(Server::view).collect(),
            retries: self.config.retries,
            redispatch: self.config.redispatch,
            connect: self.config.connect,
            server: self.config.server,
        }
    }

    /// What was published last is what stands. Nearly always so, hence compared in place, without making a view.
    fn is_published(&self) -> bool {
        let Some(published) = &self.published else { return false };
        // All fields by name: a new one does not compile until somebody says how to compare it.
        let PoolView {
            pool,
            name,
            version: _,
            algorithm,
            all_backups,
            servers,
            retries,
            redispatch,
            connect,
            server,
        } = &**published;
        let config = &self.config;
        (*pool, name) == (config.id, &config.name)
            && (*algorithm, *all_backups) == (config.algorithm, config.all_backups)
            && (*retries, *redispatch) == (config.retries, config.redispatch)
            && (*connect, *server) == (config.connect, config.server)
            && servers.len() == self.servers.len()
            && servers.iter().zip(&self.servers).all(|(seen, server)| *seen == server.view())
    }

    /// The view that was published last.
    pub(crate) fn published(&self) -> Option<Arc<PoolView>> {
        self.published.clone()
    }

    /// Publishes the view if it changed.
    pub(crate) fn publish(&mut self, cx: &mut Context<'_>) {
        if self.is_published() {
            return;
        }
        let mut view = self.view();
        view.version += 1;
        let view = Arc::new(view);
        self.published = Some(Arc::clone(&view));
        cx.out.act(Action::Publish { pool: self.config.id, view: Some(view) });
    }

    /// Tells the operator when the last usable server went.
    pub(crate) fn tell_empty(&mut self, cx: &mut Context<'_>) {
        let is_empty = self.counts() == (0, 0);
        if is_empty && !self.empty_told {
            cx.out.tell(Event::PoolEmpty { pool: self.config.id, name: self.config.name.clone() });
        }
        self.empty_told = is_empty;
    }

    /// Asserts, after every call that may have changed it, that what is published is what holds.
    pub(crate) fn check_invariants(&self) {
        debug_assert!(self.is_published(), "{} stands otherwise than published", self.config.name);
        debug_assert_eq!(
            self.empty_told,
            self.counts() == (0, 0),
            "{} stands otherwise than told",
            self.config.name
        );
        debug_assert_eq!(self.servers.len(), self.config.servers.len());
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let (active, backup) = self.counts();
        PoolStatus {
            pool: self.config.id,
            name: self.config.name.clone(),
            version: self.published.as_ref().map_or(0, |view| view.version),
            active,
            backup,
            servers: self.servers.iter().map(Server::status).collect(),
        }
    }
}

/// A pool for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Which.
    pub pool: PoolId,
    /// Its name.
    pub name: Arc<str>,
    /// Version of the published view.
    pub version: u64,
    /// Usable active servers.
    pub active: u32,
    /// Usable backup servers.
    pub backup: u32,
    /// Its servers, in the file's order.
    pub servers: Vec<ServerStatus>,
}
