//! The production data plane: one thread per core, each with a runtime, listeners and views of its own.
//!
//! Orders to listen go to every worker over a bounded channel; an answer is passed on once all workers have given
//! theirs. Views do not queue: the newest one of each pool stands in a slot that every worker looks at when it can, so
//! that a stalled worker misses none, and whoever carries out an order has seen every view published before it.

use super::DataPlane;
use super::counts::Counts;
use super::local::Local;
use crate::clock::BootClock;
use crate::fabric::TokioFabric;
use crate::log::LineSink;
use standfast_core::balance::view::PoolView;
use standfast_core::config::model::FrontendConfig;
use standfast_core::id::{PoolId, Ticket};
use standfast_core::input::{Errno, Input};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

/// Orders that may wait for a worker, and answers that may wait for the driver.
pub const MAX_ORDERS: usize = 65_536;

struct Order(Ticket, Arc<FrontendConfig>, bool);

/// The newest view of each pool; as many as the configuration has pools.
type Views = BTreeMap<PoolId, Arc<PoolView>>;

/// The worker threads.
pub struct Threads {
    workers: Vec<Sender<Order>>,
    views: watch::Sender<Views>,
    answers: Receiver<Input<'static>>,
    waiting: BTreeMap<Ticket, (usize, Result<(), Errno>)>,
    early: VecDeque<Input<'static>>,
}

impl Threads {
    /// Starts `workers` threads which together serve at most `most` connections.
    ///
    /// # Errors
    /// The host has no room for a thread or a runtime.
    pub fn start<L: LineSink>(workers: usize, most: u32, log: &L) -> io::Result<Threads> {
        let counts = Counts::default();
        let (answer, answers) = channel(MAX_ORDERS);
        let views = watch::Sender::new(Views::new());
        let mut senders = Vec::new();
        for number in 0..workers.max(1) {
            let (sender, orders) = channel(MAX_ORDERS);
            let (counts, log, answer) = (counts.clone(), log.clone(), answer.clone());
            let views = views.subscribe();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name(format!("proxy-{number}")).spawn(move || {
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, async move {
                    let data =
                        Local::with_counts(TokioFabric, log, BootClock, SystemTime::now, (counts, most));
                    work(data, orders, views, answer).await;
                });
            })?;
            senders.push(sender);
        }
        Ok(Threads { workers: senders, views, answers, waiting: BTreeMap::new(), early: VecDeque::new() })
    }
}

async fn work<L: LineSink>(
    mut data: Local<TokioFabric, L, BootClock>,
    mut orders: Receiver<Order>,
    mut views: watch::Receiver<Views>,
    answers: Sender<Input<'static>>,
) {
    let mut here = Views::new();
    loop {
        tokio::select! { biased;
            changed = views.changed() => {
                catch_up(&mut data, &mut here, &mut views);
                if changed.is_err() {
                    return;
                }
            }
            order = orders.recv() => {
                let Some(Order(ticket, frontend, open)) = order else { return };
                // What was published before this order may have come while the worker waited for it.
                catch_up(&mut data, &mut here, &mut views);
                data.listen(ticket, frontend, open);
            }
            input = data.next() => {
                if answers.send(input).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Hands on what differs between the views of this worker and the newest ones.
fn catch_up(data: &mut impl DataPlane, here: &mut Views, newest: &mut watch::Receiver<Views>) {
    let newest = newest.borrow_and_update();
    for (pool, view) in &*newest {
        if here.get(pool).is_none_or(|old| !Arc::ptr_eq(old, view)) {
            here.insert(*pool, view.clone());
            data.publish(*pool, Some(view.clone()));
        }
    }
    here.retain(|pool, _| {
        let kept = newest.contains_key(pool);
        if !kept {
            data.publish(*pool, None);
        }
        kept
    });
}

impl DataPlane for Threads {
    fn listen(&mut self, ticket: Ticket, frontend: Arc<FrontendConfig>, open: bool) {
        self.waiting.insert(ticket, (self.workers.len(), Ok(())));
        for worker in &self.workers {
            if worker.try_send(Order(ticket, frontend.clone(), open)).is_err() {
                // A worker that is gone or drowned: the node hears of it and tries again.
                let result = Err(Errno(libc::EAGAIN));
                self.early.push_back(Input::Done { ticket, result });
            }
        }
    }

    fn publish(&mut self, pool: PoolId, view: Option<Arc<PoolView>>) {
        self.views.send_modify(|views| match view {
            Some(view) => drop(views.insert(pool, view)),
            None => drop(views.remove(&pool)),
        });
    }

    async fn next(&mut self) -> Input<'static> {
        loop {
            let input = match self.early.pop_front() {
                Some(input) => input,
                None => match self.answers.recv().await {
                    Some(input) => input,
                    None => std::future::pending().await,
                },
            };
            let Input::Done { ticket, result } = input else { return input };
            let Some((left, worst)) = self.waiting.get_mut(&ticket) else { continue };
            *left = left.saturating_sub(1);
            *worst = worst.and(result);
            if *left == 0 {
                let result = *worst;
                self.waiting.remove(&ticket);
                return Input::Done { ticket, result };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::id::FrontendId;

    #[test]
    fn one_order_more_than_a_worker_can_hold_is_answered_with_try_again() {
        let (sender, _never_read) = channel(MAX_ORDERS);
        let (_, answers) = channel(1);
        let mut threads = Threads {
            workers: vec![sender],
            views: watch::Sender::new(Views::new()),
            answers,
            waiting: BTreeMap::new(),
            early: VecDeque::new(),
        };
        let frontend = Arc::new(FrontendConfig {
            id: FrontendId(1),
            name: "f".into(),
            binds: Vec::new(),
            pool: None,
            client: None,
            max_connections: 0,
            tcplog: false,
            dont_log_null: false,
            log: Vec::new(),
        });
        let most = u64::try_from(MAX_ORDERS).unwrap();
        for ticket in 0..most {
            threads.listen(Ticket(ticket), frontend.clone(), true);
        }
        assert!(threads.early.is_empty());
        threads.listen(Ticket(most), frontend, true);
        let refused = Input::Done { ticket: Ticket(most), result: Err(Errno(libc::EAGAIN)) };
        assert_eq!(threads.early, [refused]);
    }
    /// Notes the version of each view it is given; zero for one that is taken away.
    #[derive(Default)]
    struct Notes(Vec<(u32, u64)>);

    impl DataPlane for Notes {
        fn listen(&mut self, _: Ticket, _: Arc<FrontendConfig>, _: bool) {}
        fn publish(&mut self, pool: PoolId, view: Option<Arc<PoolView>>) {
            self.0.push((pool.0, view.map_or(0, |view| view.version)));
        }
        async fn next(&mut self) -> Input<'static> {
            std::future::pending().await
        }
    }

    fn view(pool: u32, version: u64) -> Option<Arc<PoolView>> {
        Some(Arc::new(PoolView {
            pool: PoolId(pool),
            name: "p".into(),
            version,
            algorithm: standfast_core::config::model::Algorithm::RoundRobin,
            all_backups: false,
            servers: Vec::new(),
            retries: 3,
            redispatch: standfast_core::config::model::Redispatch::Never,
            connect: None,
            server: None,
        }))
    }

    #[test]
    fn a_worker_that_was_stalled_sees_the_newest_view_of_every_pool_and_no_older_one() {
        let (sender, _never_read) = channel(1);
        let (_, answers) = channel(1);
        let views = watch::Sender::new(Views::new());
        let mut stalled = views.subscribe();
        let mut threads = Threads {
            workers: vec![sender],
            views,
            answers,
            waiting: BTreeMap::new(),
            early: VecDeque::new(),
        };
        let (mut worker, mut here) = (Notes::default(), Views::new());
        threads.publish(PoolId(3), view(3, 1));
        catch_up(&mut worker, &mut here, &mut stalled);
        let most = u64::try_from(MAX_ORDERS).unwrap() + 1;
        for version in 1..=most {
            threads.publish(PoolId(1), view(1, version));
        }
        threads.publish(PoolId(2), view(2, 1));
        threads.publish(PoolId(3), None);
        catch_up(&mut worker, &mut here, &mut stalled);
        catch_up(&mut worker, &mut here, &mut stalled);
        assert_eq!(worker.0, [(3, 1), (1, most), (2, 1), (3, 0)]);
    }
}
