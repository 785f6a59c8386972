//! Many runs at once, for the driver: started and cancelled by ticket, answered as inputs.
//!
//! No task is spawned: all runs make progress inside [`Checker::next`], in the driver's own task, so that nothing
//! outlives the driver and the simulator stays deterministic. Notify scripts run one at a time, in the order in
//! which they were asked for, each with a time-out. Runs and waiting scripts are bounded by named limits.

use super::{Scripts, run};
use crate::fabric::Fabric;
use futures_util::future::{AbortHandle, Abortable, Aborted, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use standfast_core::config::model::{Command, Config, Probe};
use standfast_core::id::{CheckId, Ticket};
use standfast_core::input::{CheckCode, Errno, Input, Outcome};
use std::collections::{BTreeMap, VecDeque};
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The most checks that run at once: every server of the largest configuration, and a thousand scripts.
pub const MAX_RUNS: usize = Config::MAX_SERVERS + 1_024;
/// The most notify scripts that wait for their turn.
pub const MAX_WAITING: usize = 1_024;
/// The longest a notify script may take. keepalived waits for none of them and lets them overtake each other.
pub const NOTIFY_WITHIN: Duration = Duration::from_secs(30);

type Answer = Result<(Ticket, Input<'static>), Aborted>;

/// All runs of a node.
pub struct Checker<F, S> {
    fabric: F,
    scripts: S,
    runs: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
    handles: BTreeMap<Ticket, AbortHandle>,
    /// Answers that needed no run.
    ready: VecDeque<Input<'static>>,
    waiting: VecDeque<(Ticket, Command)>,
    /// The notify script that runs now.
    notifying: Option<(Ticket, LocalBoxFuture<'static, Outcome>)>,
}

impl<F: Fabric, S: Scripts> Checker<F, S> {
    /// A checker without runs.
    pub fn new(fabric: F, scripts: S) -> Checker<F, S> {
        Checker {
            fabric,
            scripts,
            runs: FuturesUnordered::new(),
            handles: BTreeMap::new(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            notifying: None,
        }
    }

    /// Starts a check (`Action::Check`); answered by `Input::Checked` unless it is cancelled.
    pub fn start(&mut self, check: CheckId, ticket: Ticket, probe: Arc<Probe>, within: Duration) {
        if self.handles.len() >= MAX_RUNS {
            let outcome = Outcome {
                passed: false,
                code: CheckCode::SocketError,
                status: None,
                info: "too many checks at once".to_owned(),
                took: Duration::ZERO,
            };
            self.ready.push_back(Input::Checked { check, ticket, outcome });
            return;
        }
        let (fabric, scripts) = (self.fabric.clone(), self.scripts.clone());
        let (handle, registration) = AbortHandle::new_pair();
        let work = async move {
            let outcome = run(&fabric, &scripts, &probe, within).await;
            (ticket, Input::Checked { check, ticket, outcome })
        };
        self.handles.insert(ticket, handle);
        self.runs.push(Box::pin(Abortable::new(work, registration)));
    }

    /// Gives up on a check or notify script (`Action::Cancel`); there is no answer.
    pub fn cancel(&mut self, ticket: Ticket) {
        if let Some(handle) = self.handles.remove(&ticket) {
            handle.abort();
        }
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        if self.notifying.as_ref().is_some_and(|(running, _)| *running == ticket) {
            self.notifying = None;
        }
    }

    /// Runs a notify script (`Action::Script`) after those before it; answered by `Input::Done`.
    pub fn script(&mut self, ticket: Ticket, argv: Arc<[String]>, user: Option<Arc<str>>) {
        if self.waiting.len() >= MAX_WAITING {
            self.ready.push_back(Input::Done { ticket, result: Err(Errno(libc::ENOBUFS)) });
        } else {
            self.waiting.push_back((ticket, Command { argv, user }));
        }
    }

    /// No notify script runs or waits: a clean stop may end.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.unfinished() == 0
    }

    /// Notify scripts that run or wait.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.waiting.len() + usize::from(self.notifying.is_some())
    }

    /// The next answer: `Input::Checked` or `Input::Done`. Cancel safe; pending while nothing runs.
    pub async fn next(&mut self) -> Input<'static> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return input;
            }
            if self.notifying.is_none()
                && let Some((ticket, command)) = self.waiting.pop_front()
            {
                let outcome = self.scripts.notify(&command, NOTIFY_WITHIN);
                self.notifying = Some((ticket, Box::pin(outcome)));
            }
            let (runs, notifying) = (&mut self.runs, &mut self.notifying);
            tokio::select! { biased;
                done = notified(notifying) => return done,
                Some(answer) = runs.next(), if !runs.is_empty() => {
                    // A cancelled run ends here too, after its connection or process group is gone.
                    if let Ok((ticket, input)) = answer
                        && self.handles.remove(&ticket).is_some()
                    {
                        return input;
                    }
                }
                () = pending() => {}
            }
        }
    }
}

/// Waits for the notify script in `slot` and empties it.
async fn notified(slot: &mut Option<(Ticket, LocalBoxFuture<'static, Outcome>)>) -> Input<'static> {
    poll_fn(|context| {
        let Some((ticket, work)) = slot else { return Poll::Pending };
        let ticket = *ticket;
        work.as_mut().poll(context).map(|outcome| {
            *slot = None;
            Input::Done { ticket, result: result_of(&outcome) }
        })
    })
    .await
}

/// A script's outcome as the kernel would put it.
fn result_of(outcome: &Outcome) -> Result<(), Errno> {
    if outcome.passed {
        return Ok(());
    }
    Err(Errno(match outcome.code {
        CheckCode::ScriptMissing => libc::ENOENT,
        CheckCode::ScriptTimeout => libc::ETIMEDOUT,
        CheckCode::SocketError => libc::EAGAIN,
        CheckCode::ScriptSignal => libc::EINTR,
        CheckCode::ScriptOk
        | CheckCode::WatchGood
        | CheckCode::WatchBad
        | CheckCode::ScriptExit
        | CheckCode::L4Ok
        | CheckCode::L4Timeout
        | CheckCode::L4Connection
        | CheckCode::L6Ok
        | CheckCode::L6Timeout
        | CheckCode::L6Response
        | CheckCode::L7Ok
        | CheckCode::L7Timeout
        | CheckCode::L7Response
        | CheckCode::L7Status => libc::EIO,
    }))
}
