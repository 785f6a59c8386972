//! The production data plane: one thread per core, each with a runtime, listeners and views of its own.
//!
//! Commands go to every worker over a bounded channel; an answer is passed on once all workers have given theirs.

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

/// Commands that may wait for a worker, and answers that may wait for the driver.
pub const MAX_COMMANDS: usize = 65_536;

enum Command {
    Listen(Ticket, Arc<FrontendConfig>, bool),
    Publish(PoolId, Option<Arc<PoolView>>),
}

/// The worker threads.
pub struct Threads {
    workers: Vec<Sender<Command>>,
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
        let (answer, answers) = channel(MAX_COMMANDS);
        let mut senders = Vec::new();
        for number in 0..workers.max(1) {
            let (sender, commands) = channel(MAX_COMMANDS);
            let (counts, log, answer) = (counts.clone(), log.clone(), answer.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name(format!("proxy-{number}")).spawn(move || {
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, async move {
                    let data =
                        Local::with_counts(TokioFabric, log, BootClock, SystemTime::now, (counts, most));
                    work(data, commands, answer).await;
                });
            })?;
            senders.push(sender);
        }
        Ok(Threads { workers: senders, answers, waiting: BTreeMap::new(), early: VecDeque::new() })
    }
}

async fn work<L: LineSink>(
    mut data: Local<TokioFabric, L, BootClock>,
    mut commands: Receiver<Command>,
    answers: Sender<Input<'static>>,
) {
    loop {
        tokio::select! { biased;
            command = commands.recv() => match command {
                Some(Command::Listen(ticket, frontend, open)) => data.listen(ticket, frontend, open),
                Some(Command::Publish(pool, view)) => data.publish(pool, view),
                None => return,
            },
            input = data.next() => {
                if answers.send(input).await.is_err() {
                    return;
                }
            }
        }
    }
}

impl DataPlane for Threads {
    fn listen(&mut self, ticket: Ticket, frontend: Arc<FrontendConfig>, open: bool) {
        self.waiting.insert(ticket, (self.workers.len(), Ok(())));
        for worker in &self.workers {
            if worker.try_send(Command::Listen(ticket, frontend.clone(), open)).is_err() {
                // A worker that is gone or drowned: the node hears of it and tries again.
                let result = Err(Errno(libc::EAGAIN));
                self.early.push_back(Input::Done { ticket, result });
            }
        }
    }

    fn publish(&mut self, pool: PoolId, view: Option<Arc<PoolView>>) {
        for worker in &self.workers {
            // A full queue means a worker that does not run at all; the next view replaces this one anyway.
            let _ = worker.try_send(Command::Publish(pool, view.clone()));
        }
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
        let (sender, _never_read) = channel(MAX_COMMANDS);
        let (_, answers) = channel(1);
        let mut threads =
            Threads { workers: vec![sender], answers, waiting: BTreeMap::new(), early: VecDeque::new() };
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
        let most = u64::try_from(MAX_COMMANDS).unwrap();
        for ticket in 0..most {
            threads.listen(Ticket(ticket), frontend.clone(), true);
        }
        assert!(threads.early.is_empty());
        threads.listen(Ticket(most), frontend, true);
        let refused = Input::Done { ticket: Ticket(most), result: Err(Errno(libc::EAGAIN)) };
        assert_eq!(threads.early, [refused]);
    }
}
