//! Operators' scripts as processes, the way keepalived runs them (2.10, 2.20).
//!
//! A group of their own, `PDEATHSIG`, nothing of the daemon's inherited: input and output at `/dev/null`, no
//! descriptor, no `IFS`, `LD_PRELOAD`, `LD_LIBRARY_PATH`. At the time-out TERM to the group, two seconds later KILL.
//! Status 0 is good even after TERM; a death by our own signal is a time-out. Of a check's standard error the last
//! [`TAIL`] bytes are kept for the operator; whatever it prints, it neither blocks nor fills memory.

use super::accounts::{Account, account};
use super::process_sys::{detach, signal_group};
use super::watch::look;
use crate::check::Scripts;
use crate::check::{LONGEST, printable, words};
use standfast_core::config::model::Command;
use standfast_core::config::watch::Watch;
use standfast_core::input::{CheckCode, Outcome};
use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Between TERM and KILL.
pub const TERM_TO_KILL: Duration = Duration::from_secs(2);
/// How long a killed process may take to disappear (it may hang in the kernel) before it is left to itself.
pub const KILL_TO_LEAVE: Duration = Duration::from_millis(500);
/// How much of a check's standard error is kept, from its end.
pub const TAIL: usize = Outcome::MAX_INFO;
/// How long after its end a check's last words may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(20);
/// Where commands without a slash are looked for when the daemon has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs scripts as processes of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processes;

impl Scripts for Processes {
    fn run(&self, command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static {
        execute(command.clone(), within, true)
    }

    fn look(&self, watch: &Arc<Watch>, within: Duration) -> impl Future<Output = Outcome> + 'static {
        let watch = watch.clone();
        async move {
            // On a thread of its own: reading /proc takes milliseconds on a host with many processes, and the
            // advertisements are this thread's.
            let looked = tokio::task::spawn_blocking(move || look(&watch));
            let late = |info: &str| Outcome {
                passed: false,
                code: CheckCode::WatchBad,
                status: None,
                info: info.to_owned(),
                took: within,
            };
            match timeout_at(Instant::now() + within.min(LONGEST), looked).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => late("the look did not end"),
                Err(_) => late("the look took too long"),
            }
        }
    }

    fn notify(&self, command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static {
        // A service that a notify script starts would inherit the pipe and die by it later: all to /dev/null.
        execute(command.clone(), within, false)
    }
}

/// The process group of a script; killed when dropped.
struct Group {
    leader: i32,
}

impl Group {
    fn of(child: &Child) -> Option<Group> {
        Some(Group { leader: i32::try_from(child.id()?).ok()? })
    }

    fn signal(&self, signal: i32) {
        signal_group(self.leader, signal);
    }

    /// The leader ended by itself; what it left behind is meant to stay.
    fn release(mut self) {
        self.leader = 0;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.leader > 0 {
            self.signal(libc::SIGKILL);
        }
    }
}

async fn execute(command: Command, within: Duration, listen: bool) -> Outcome {
    let started = Instant::now();
    let mut tail = Tail::default();
    let end = match spawn(&command, listen) {
        Err((code, info)) => End { passed: false, code, status: None, info },
        Ok(mut child) => match Group::of(&child) {
            Some(group) => attend(&mut child, group, started + within.min(LONGEST), &mut tail).await,
            None => End::lost("the process has no number"),
        },
    };
    let info = if end.info.is_empty() { tail.text() } else { end.info };
    Outcome {
        passed: end.passed,
        code: end.code,
        status: end.status,
        info: printable(&info),
        took: started.elapsed(),
    }
}

/// How a script ended.
struct End {
    passed: bool,
    code: CheckCode,
    status: Option<u32>,
    info: String,
}

impl End {
    fn lost(why: impl Into<String>) -> End {
        End { passed: false, code: CheckCode::SocketError, status: None, info: why.into() }
    }

    fn timeout(status: Option<u32>) -> End {
        End { passed: false, code: CheckCode::ScriptTimeout, status, info: String::new() }
    }

    /// `ours`: we have sent a signal.
    fn of(status: ExitStatus, ours: bool) -> End {
        let number = |n: i32| u32::try_from(n).ok();
        let (code, value) = match (status.code(), status.signal()) {
            (Some(0), _) => (CheckCode::ScriptOk, Some(0)),
            (Some(n), _) if ours => return End::timeout(number(n)),
            (Some(n), _) => (CheckCode::ScriptExit, number(n)),
            (None, Some(n)) if ours && matches!(n, libc::SIGTERM | libc::SIGKILL) => {
                return End::timeout(number(n));
            }
            (None, Some(n)) => (CheckCode::ScriptSignal, number(n)),
            (None, None) => return End::lost("the process ended in no known way"),
        };
        End { passed: code == CheckCode::ScriptOk, code, status: value, info: String::new() }
    }
}

/// Waits for `child`, which must end by `until` or be made to.
async fn attend(child: &mut Child, group: Group, until: Instant, tail: &mut Tail) -> End {
    let mut errors = child.stderr.take();
    let signals = [
        (until, libc::SIGTERM),
        (until + TERM_TO_KILL, libc::SIGKILL),
        (until + TERM_TO_KILL + KILL_TO_LEAVE, 0),
    ];
    let mut sent = 0;
    loop {
        let Some((next, signal)) = signals.get(sent) else {
            // Dropping the child leaves it to the runtime, which reaps it whenever it ends.
            return End::timeout(None);
        };
        // The clock first: a script that never stops printing must not delay its own end.
        tokio::select! { biased;
            () = sleep_until(*next) => {
                if *signal != 0 {
                    group.signal(*signal);
                }
                sent += 1;
            }
            ended = child.wait() => {
                if let Some(errors) = &mut errors {
                    let _ = timeout_at(Instant::now() + LAST_WORDS, drain(errors, tail)).await;
                }
                if sent == 0 {
                    group.release();
                }
                return ended.map_or_else(|error| End::lost(words(&error)), |status| End::of(status, sent > 0));
            }
            more = listen(&mut errors, tail) => if !more {
                errors = None;
            }
        }
    }
}

/// Reads once; false at the end. Waits for ever without a pipe.
async fn listen(errors: &mut Option<ChildStderr>, tail: &mut Tail) -> bool {
    match errors {
        Some(errors) => tail.read(errors).await,
        None => std::future::pending().await,
    }
}

async fn drain(errors: &mut ChildStderr, tail: &mut Tail) {
    while tail.read(errors).await {}
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    async fn read(&mut self, from: &mut (impl AsyncRead + Unpin)) -> bool {
        let mut chunk = [0; 4096];
        let got = from.read(&mut chunk).await.unwrap_or(0);
        self.push(&chunk[..got]);
        got > 0
    }

    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        self.0.drain(..self.0.len().saturating_sub(TAIL));
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// Starts `command`; the error is what a check of it means.
fn spawn(command: &Command, listen: bool) -> Result<Child, (CheckCode, String)> {
    let missing = |why: String| (CheckCode::ScriptMissing, why);
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(missing("no command".to_owned()));
    };
    let account = command.user.as_deref().map(account).transpose().map_err(missing)?;
    let direct = prepare(program, account, listen).args(arguments).spawn();
    let child = match direct {
        // No shebang: for the shell, as execlp and keepalived do.
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            prepare("/bin/sh", account, listen).arg(program).args(arguments).spawn()
        }
        Ok(_) | Err(_) => direct,
    };
    child.map_err(|error| match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => {
            (CheckCode::SocketError, words(&error))
        }
        Some(_) | None => missing(reason(&error, program, command.user.as_deref())),
    })
}

fn reason(error: &io::Error, program: &str, user: Option<&str>) -> String {
    match (error.raw_os_error(), user) {
        (Some(libc::EPERM), Some(user)) => format!("{program}: cannot become {user}: {}", words(error)),
        (Some(_) | None, _) => format!("{program}: {}", words(error)),
    }
}

fn prepare(program: &str, account: Option<Account>, listen: bool) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(if listen { Stdio::piped() } else { Stdio::null() });
    for name in ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    if std::env::var_os("PATH").is_none() {
        command.env("PATH", DEFAULT_PATH);
    }
    command.process_group(0);
    if let Some(Account { uid, gid }) = account {
        // With this std drops the supplementary groups as well.
        command.uid(uid).gid(gid);
    }
    detach(&mut command);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_and_no_more() {
        let mut tail = Tail::default();
        tail.push(b"first");
        tail.push(&[b'x'; TAIL - 1]);
        assert_eq!(tail.0.len(), TAIL);
        assert_eq!(tail.0[0], b't');
        tail.push(&[b'y'; TAIL + 1]);
        assert_eq!(tail.0, [b'y'; TAIL]);
    }
}
