//! How many connections are open: of the process, of each listening side, pool and server. Shared by all workers.

use super::tcplog::Open;
use standfast_core::id::{FrontendId, PoolId, ServerId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Process,
    Frontend(FrontendId),
    Pool(PoolId),
    Server(ServerId),
}

/// All counters of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    all: Arc<Mutex<BTreeMap<Key, Arc<AtomicU32>>>>,
}

/// One open thing; it is no longer open when this is dropped.
#[derive(Debug)]
pub(super) struct Held(Arc<AtomicU32>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counts {
    fn cell(&self, key: Key) -> Arc<AtomicU32> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_default().clone()
    }

    /// Counts one more, unless that would be more than `most`.
    pub(super) fn hold(&self, key: Key, most: u32) -> Option<Held> {
        let cell = self.cell(key);
        let more = |n: u32| (n < most).then(|| n + 1);
        cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Held(cell))
    }

    /// How many connections to `server` are open now.
    pub(super) fn open_on(&self, server: ServerId) -> u32 {
        self.cell(Key::Server(server)).load(Ordering::Relaxed)
    }

    /// How many are open now.
    pub(super) fn open(&self, frontend: FrontendId, pool: Option<PoolId>, server: Option<ServerId>) -> Open {
        let read = |key| self.cell(key).load(Ordering::Relaxed);
        Open {
            process: read(Key::Process),
            frontend: read(Key::Frontend(frontend)),
            pool: pool.map_or(0, |pool| read(Key::Pool(pool))),
            server: server.map_or(0, |server| read(Key::Server(server))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_most_is_refused_until_one_ends() {
        let counts = Counts::default();
        let first = counts.hold(Key::Process, 1);
        assert!(first.is_some() && counts.hold(Key::Process, 1).is_none());
        drop(first);
        assert!(counts.hold(Key::Process, 1).is_some());
    }
}
