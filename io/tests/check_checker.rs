//! The checker: many runs at once, cancelled by ticket; notify scripts one after the other; its limits.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

mod support;

use standfast_core::config::model::{Command, Probe};
use standfast_core::id::{CheckId, Ticket};
use standfast_core::input::{CheckCode, Errno, Input, Outcome};
use standfast_io::check::checker::{MAX_RUNS, MAX_WAITING};
use standfast_io::check::{Checker, Scripts};
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use support::{Plain, SECOND, command};
use tokio::time::{sleep, timeout};

/// Scripts that sleep for as many milliseconds as their first word says, then pass unless there is a second word.
/// Keeps a diary.
#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<String>>>);

struct Dropped(Diary, String);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.write(format!("{} dropped", self.1));
    }
}

impl Diary {
    fn write(&self, line: String) {
        self.0.borrow_mut().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl Scripts for Diary {
    fn run(&self, command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static {
        let (diary, argv) = (self.clone(), command.argv.clone());
        async move {
            diary.write(format!("{} starts", argv[0]));
            let ended = Dropped(diary.clone(), argv[0].clone());
            let late = timeout(within, sleep(Duration::from_millis(argv[0].parse().unwrap()))).await.is_err();
            std::mem::forget(ended);
            diary.write(format!("{} ends", argv[0]));
            let code = match (late, argv.len()) {
                (true, _) => CheckCode::ScriptTimeout,
                (false, 1) => CheckCode::ScriptOk,
                (false, _) => CheckCode::ScriptExit,
            };
            Outcome {
                passed: code == CheckCode::ScriptOk,
                code,
                status: None,
                info: String::new(),
                took: within,
            }
        }
    }
}

fn script(millis: &str) -> Arc<Probe> {
    Arc::new(Probe::Script { command: command(&[millis]), broken: None })
}

fn answered(input: &Input<'_>) -> (Ticket, CheckCode) {
    match input {
        Input::Checked { ticket, outcome, .. } => (*ticket, outcome.code),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn runs_are_answered_as_they_end() {
    let mut checker = Checker::new(Plain, Diary::default());
    for (n, millis) in [(1, "300"), (2, "100"), (3, "200")] {
        checker.start(CheckId(7), Ticket(n), script(millis), SECOND);
    }
    for n in [2, 3, 1] {
        assert_eq!(answered(&checker.next().await), (Ticket(n), CheckCode::ScriptOk));
    }
    assert!(timeout(SECOND, checker.next()).await.is_err(), "nothing more");
}

#[tokio::test(start_paused = true)]
async fn next_may_be_dropped_and_asked_again() {
    let mut checker = Checker::new(Plain, Diary::default());
    checker.start(CheckId(7), Ticket(1), script("100"), SECOND);
    checker.script(Ticket(2), command(&["150"]).argv, None);
    let mut got = Vec::new();
    for _ in 0..100 {
        if let Ok(input) = timeout(Duration::from_millis(7), checker.next()).await {
            got.push(input);
        }
    }
    assert!(matches!(
        &got[..],
        [Input::Checked { ticket: Ticket(1), .. }, Input::Done { ticket: Ticket(2), .. }]
    ));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_is_dropped_and_not_answered() {
    let diary = Diary::default();
    let mut checker = Checker::new(Plain, diary.clone());
    checker.start(CheckId(7), Ticket(1), script("100"), SECOND);
    checker.start(CheckId(8), Ticket(2), script("200"), SECOND);
    assert!(timeout(Duration::from_millis(10), checker.next()).await.is_err());
    checker.cancel(Ticket(1));
    checker.cancel(Ticket(99));
    assert_eq!(answered(&checker.next().await).0, Ticket(2));
    assert_eq!(diary.lines(), ["100 starts", "200 starts", "100 dropped", "200 ends"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_unseen_before_its_cancel_is_not_answered() {
    let mut checker = Checker::new(Plain, Diary::default());
    checker.start(CheckId(7), Ticket(1), script("0"), SECOND);
    checker.cancel(Ticket(1));
    assert!(timeout(SECOND, checker.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn notify_scripts_run_one_after_the_other_in_order() {
    let diary = Diary::default();
    let mut checker = Checker::new(Plain, diary.clone());
    for (n, words) in [(1, &["300"][..]), (2, &["100", "fails"]), (3, &["99999"]), (4, &["1"]), (5, &["2"])] {
        checker.script(Ticket(n), command(words).argv, None);
    }
    checker.cancel(Ticket(4));
    let mut results = Vec::new();
    assert!(!checker.quiet());
    while !checker.quiet() {
        match checker.next().await {
            Input::Done { ticket, result } => results.push((ticket.0, result)),
            other => panic!("{other:?}"),
        }
    }
    let (failed, late) = (Err(Errno(libc::EIO)), Err(Errno(libc::ETIMEDOUT)));
    assert_eq!(results, [(1, Ok(())), (2, failed), (3, late), (5, Ok(()))]);
    let lines = diary.lines();
    assert!(lines.chunks(2).all(|pair| pair[0].replace("starts", "ends") == pair[1]), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_notify_script_that_runs_lets_the_next_one_go() {
    let mut checker = Checker::new(Plain, Diary::default());
    checker.script(Ticket(1), command(&["20000"]).argv, None);
    checker.script(Ticket(2), command(&["10"]).argv, None);
    assert!(timeout(SECOND, checker.next()).await.is_err());
    checker.cancel(Ticket(1));
    assert_eq!(checker.next().await, Input::Done { ticket: Ticket(2), result: Ok(()) });
}

#[tokio::test(start_paused = true)]
async fn one_run_more_than_the_limit_is_answered_at_once() {
    let mut checker = Checker::new(Plain, Diary::default());
    let probe = script("1000000");
    for n in 0..MAX_RUNS as u64 {
        checker.start(CheckId(1), Ticket(n), probe.clone(), SECOND);
    }
    assert!(timeout(Duration::from_millis(1), checker.next()).await.is_err());
    checker.start(CheckId(1), Ticket(u64::MAX), probe.clone(), SECOND);
    assert_eq!(answered(&checker.next().await), (Ticket(u64::MAX), CheckCode::SocketError));
    checker.cancel(Ticket(0));
    checker.start(CheckId(1), Ticket(u64::MAX), probe, SECOND);
    assert!(timeout(Duration::from_millis(1), checker.next()).await.is_err(), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn one_notify_script_more_than_may_wait_is_refused_at_once() {
    let mut checker = Checker::new(Plain, Diary::default());
    for n in 0..=MAX_WAITING as u64 {
        checker.script(Ticket(n), command(&["5"]).argv, None);
    }
    let refused = Input::Done { ticket: Ticket(MAX_WAITING as u64), result: Err(Errno(libc::ENOBUFS)) };
    assert_eq!(checker.next().await, refused);
    assert_eq!(checker.next().await, Input::Done { ticket: Ticket(0), result: Ok(()) });
}
