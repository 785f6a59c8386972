//! The data plane of one thread: listeners, views, connections as local tasks. Under simulation it is the whole data
//! plane; in production there is one per worker.

use super::DataPlane;
use super::counts::{Counts, Key};
use super::serve::serve;
use crate::clock::Clock;
use crate::fabric::Fabric;
use crate::log::LineSink;
use standfast_core::balance::pick::Picker;
use standfast_core::balance::view::PoolView;
use standfast_core::config::model::{Bind, FrontendConfig};
use standfast_core::id::{FrontendId, PoolId, ServerId, Ticket};
use standfast_core::input::{Errno, Input, Tally};
use standfast_core::time::Time;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, spawn_local};

/// How often what the proxy saw is handed to the node.
pub const OBSERVE_EVERY: Duration = Duration::from_millis(100);
/// How long accepting pauses when descriptors have run out or a limit is reached.
const FULL_PAUSE: Duration = Duration::from_millis(20);
/// A trouble of this host is told once in this time.
const TROUBLE_TOLD: Duration = Duration::from_secs(10);
const TROUBLE_HELP: &str = "raise `ulimit -n` (LimitNOFILE=) or lower `maxconn`";

/// A pool on this thread.
pub(super) struct PoolHere {
    pub(super) view: watch::Sender<Arc<PoolView>>,
    pub(super) picker: Picker,
}

/// A listening side on this thread.
pub(super) struct Front {
    config: RefCell<Arc<FrontendConfig>>,
    open: RefCell<Vec<(Bind, AbortHandle)>>,
    closed: Cell<bool>,
}

impl Front {
    /// Stops accepting; connections go on.
    fn close(&self) {
        self.closed.set(true);
        for (_, task) in self.open.borrow_mut().drain(..) {
            task.abort();
        }
    }

    /// Its configuration as it stands.
    pub(super) fn config(&self) -> Arc<FrontendConfig> {
        self.config.borrow().clone()
    }
}

/// What all connections of this thread share.
pub(super) struct Shared<F, L, C> {
    pub(super) fabric: F,
    pub(super) log: L,
    pub(super) clock: C,
    pub(super) wall: fn() -> SystemTime,
    pub(super) counts: Counts,
    pub(super) most: u32,
    pub(super) pools: RefCell<BTreeMap<PoolId, PoolHere>>,
    pub(super) freed: Notify,
    seen: Seen,
    answers: RefCell<VecDeque<Input<'static>>>,
    answered: Notify,
}

/// What this thread saw, until the node is told.
#[derive(Default)]
struct Seen {
    tallies: RefCell<BTreeMap<(PoolId, ServerId), Tally>>,
    /// Failed connects since the last good one.
    failures: RefCell<BTreeMap<(PoolId, ServerId), u32>>,
    /// When a trouble of this host was last told.
    trouble: Cell<Option<Time>>,
}

impl<F, L, C> Shared<F, L, C> {
    pub(super) fn pool_name(&self, pool: PoolId) -> Option<Arc<str>> {
        self.pools.borrow().get(&pool).map(|pool| pool.view.borrow().name.clone())
    }

    pub(super) fn watch(&self, pool: PoolId) -> Option<watch::Receiver<Arc<PoolView>>> {
        self.pools.borrow().get(&pool).map(|pool| pool.view.subscribe())
    }

    /// A connect to `server` ended.
    pub(super) fn tally(&self, pool: PoolId, server: ServerId, connected: bool) {
        let failed_in_a_row = {
            let mut rows = self.seen.failures.borrow_mut();
            let row = rows.entry((pool, server)).or_default();
            *row = if connected { 0 } else { row.saturating_add(1) };
            *row
        };
        let mut tallies = self.seen.tallies.borrow_mut();
        let tally = tallies.entry((pool, server)).or_default();
        let count = if connected { &mut tally.connected } else { &mut tally.failed };
        *count = count.saturating_add(1);
        tally.failed_in_a_row = failed_in_a_row;
        self.answered.notify_one();
    }

    /// A connection to `server`, or the try at one, is over.
    pub(super) fn closed(&self, pool: PoolId, server: ServerId) {
        let failed_in_a_row = self.seen.failures.borrow().get(&(pool, server)).copied().unwrap_or(0);
        self.seen.tallies.borrow_mut().entry((pool, server)).or_default().failed_in_a_row = failed_in_a_row;
        self.answered.notify_one();
    }

    fn answer(&self, ticket: Ticket, result: Result<(), Errno>) {
        self.answers.borrow_mut().push_back(Input::Done { ticket, result });
        self.answered.notify_one();
    }
}

/// The data plane of one thread.
pub struct Local<F, L, C> {
    shared: Rc<Shared<F, L, C>>,
    fronts: BTreeMap<FrontendId, Rc<Front>>,
    observed: Option<tokio::time::Instant>,
}

impl<F: Fabric, L: LineSink, C: Clock + Clone + 'static> Local<F, L, C> {
    /// A data plane on the current thread, for at most `most` connections; `wall` dates its log lines. It must be
    /// used inside a `LocalSet`.
    pub fn new(fabric: F, log: L, clock: C, wall: fn() -> SystemTime, most: u32) -> Local<F, L, C> {
        Local::with_counts(fabric, log, clock, wall, (Counts::default(), most))
    }

    pub(super) fn with_counts(
        fabric: F,
        log: L,
        clock: C,
        wall: fn() -> SystemTime,
        (counts, most): (Counts, u32),
    ) -> Local<F, L, C> {
        let shared = Shared {
            fabric,
            log,
            clock,
            wall,
            counts,
            most,
            pools: RefCell::default(),
            freed: Notify::new(),
            seen: Seen::default(),
            answers: RefCell::default(),
            answered: Notify::new(),
        };
        Local { shared: Rc::new(shared), fronts: BTreeMap::new(), observed: None }
    }

    fn open(&mut self, ticket: Ticket, config: Arc<FrontendConfig>) {
        let front = self.fronts.entry(config.id).or_insert_with(|| {
            Rc::new(Front {
                config: RefCell::new(config.clone()),
                open: RefCell::default(),
                closed: Cell::new(false),
            })
        });
        *front.config.borrow_mut() = config.clone();
        front.open.borrow_mut().retain(|(bind, task)| {
            let kept = config.binds.contains(bind) && !task.is_finished();
            if !kept {
                task.abort();
            }
            kept
        });
        let (shared, front) = (self.shared.clone(), front.clone());
        spawn_local(async move {
            let mut result = Ok(());
            for bind in &config.binds {
                if front.open.borrow().iter().any(|(open, _)| open == bind) {
                    continue;
                }
                let listener = shared.fabric.listen(bind).await;
                if front.closed.get() || !Arc::ptr_eq(&front.config(), &config) {
                    break; // overtaken by a later order, which sees to all addresses
                }
                match listener {
                    Ok(listener) => {
                        let task = spawn_local(accept(shared.clone(), front.clone(), listener));
                        front.open.borrow_mut().push((bind.clone(), task.abort_handle()));
                    }
                    Err(error) => result = Err(Errno(error.raw_os_error().unwrap_or(0))),
                }
            }
            shared.answer(ticket, result);
        });
    }
}

impl<F: Fabric, L: LineSink, C: Clock + Clone + 'static> DataPlane for Local<F, L, C> {
    fn listen(&mut self, ticket: Ticket, frontend: Arc<FrontendConfig>, open: bool) {
        if open {
            self.open(ticket, frontend);
            return;
        }
        if let Some(front) = self.fronts.remove(&frontend.id) {
            front.close();
        }
        self.shared.answer(ticket, Ok(()));
    }

    fn publish(&mut self, pool: PoolId, view: Option<Arc<PoolView>>) {
        let mut pools = self.shared.pools.borrow_mut();
        match view {
            Some(view) => match pools.get(&pool) {
                Some(here) => {
                    here.view.send_replace(view);
                }
                None => {
                    let view = watch::Sender::new(view);
                    pools.insert(pool, PoolHere { view, picker: Picker::new() });
                }
            },
            None => {
                pools.remove(&pool);
                self.shared.seen.failures.borrow_mut().retain(|(of, _), _| *of != pool);
            }
        }
    }

    async fn next(&mut self) -> Input<'static> {
        loop {
            let answer = self.shared.answers.borrow_mut().pop_front();
            if let Some(answer) = answer {
                return answer;
            }
            let seen = !self.shared.seen.tallies.borrow().is_empty();
            let due = self.observed.map(|at| at + OBSERVE_EVERY);
            let late = due.is_none_or(|due| tokio::time::Instant::now() >= due);
            if seen && late {
                let first = self.shared.seen.tallies.borrow_mut().pop_first();
                if let Some(((pool, server), mut tally)) = first {
                    tally.open = self.shared.counts.open_on(server);
                    if self.shared.seen.tallies.borrow().is_empty() {
                        self.observed = Some(tokio::time::Instant::now());
                    }
                    return Input::Observed { pool, server, tally };
                }
            }
            match due {
                Some(due) if seen => {
                    tokio::select! { biased;
                        () = self.shared.answered.notified() => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
                Some(_) | None => self.shared.answered.notified().await,
            }
        }
    }
}

impl<F, L: LineSink, C: Clock> Shared<F, L, C> {
    /// This host lacks something to `doing`; told once in [`TROUBLE_TOLD`] per thread.
    pub(super) fn trouble(&self, front: &FrontendConfig, doing: &str, error: &std::io::Error) {
        let now = self.clock.now();
        if self.seen.trouble.get().is_none_or(|told| now.since(told) >= TROUBLE_TOLD) {
            self.seen.trouble.set(Some(now));
            let name = &front.name;
            self.log.own(1, &format!("Proxy {name} cannot {doing}: {error}; {TROUBLE_HELP}"));
        }
    }
}

impl<F, L, C> Drop for Local<F, L, C> {
    fn drop(&mut self) {
        self.fronts.values().for_each(|front| front.close());
    }
}

/// Accepts until aborted. Limits and a lack of descriptors pause it; neither spins.
async fn accept<F: Fabric, L: LineSink, C: Clock + Clone + 'static>(
    shared: Rc<Shared<F, L, C>>,
    front: Rc<Front>,
    mut listener: F::Listener,
) {
    loop {
        let config = front.config();
        let most = if config.max_connections == 0 { u32::MAX } else { config.max_connections };
        let room = |key, most| shared.counts.hold(key, most).is_some();
        if !room(Key::Process, shared.most) || !room(Key::Frontend(config.id), most) {
            // As haproxy: what comes now waits in the kernel's queue.
            let _ = tokio::time::timeout(FULL_PAUSE, shared.freed.notified()).await;
            continue;
        }
        match shared.fabric.accept(&mut listener).await {
            Ok((stream, from)) => {
                // Counted only now: a listener that waits holds no place. Workers may pass a limit by one each.
                let held =
                    [Key::Process, Key::Frontend(config.id)].map(|key| shared.counts.hold(key, u32::MAX));
                spawn_local(serve(shared.clone(), front.clone(), stream, from, held));
            }
            Err(error) => {
                shared.trouble(&config, "accept", &error);
                tokio::time::sleep(FULL_PAUSE).await;
            }
        }
    }
}
