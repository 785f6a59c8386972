//! Holds a conversation: connects, sends, and waits for what must come (`tcp-check`, and the checks of protocols).
//!
//! What was received is kept until the next thing is sent, so that several conditions may look at one answer
//! (haproxy). At most [`MAX_ANSWER`] octets of it are kept; what does not show up in them does not come.

use super::http::MAX_ANSWER;
use super::judge::{Judgement, judge};
use super::verdict::{Failure, Passed, fail, words};
use super::{tcp, tls};
use crate::fabric::Fabric;
use standfast_core::config::talk::{Answer, Dial, Reply, Said, Step, Talk, Wanted, pattern};
use standfast_core::input::CheckCode;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// Octets asked for at once.
const CHUNK: usize = 2_048;

/// A plain or an encrypted connection.
trait Line: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Line for T {}

/// Where a conversation stands.
struct State {
    line: Box<dyn Line>,
    /// Received since something was sent.
    got: Vec<u8>,
    /// Nothing more will come or fit.
    over: bool,
}

/// Goes through the steps of `talk`; the last verdict is the outcome.
pub(super) async fn hold<F: Fabric>(fabric: &F, talk: &Talk, end: Instant) -> Result<Passed, Failure> {
    let (mut state, mut passed) = open(fabric, &talk.first, talk.connect, end).await?;
    // The connect is the first step, whether it was written or not.
    for (number, step) in (2_usize..).zip(&talk.steps) {
        let done = match step {
            Step::Connect(dial) => match open(fabric, dial, talk.connect, end).await {
                Ok((next, passed)) => {
                    state = next;
                    Ok(passed)
                }
                Err(failure) => Err(failure),
            },
            Step::Send(said) => send(&mut state, said, end).await,
            Step::Expect(answer) => listen(&mut state, answer, end).await,
        };
        passed = done.map_err(|failure| located(failure, number, step))?;
    }
    Ok(passed)
}

async fn open<F: Fabric>(
    fabric: &F,
    dial: &Dial,
    within: Duration,
    end: Instant,
) -> Result<(State, Passed), Failure> {
    let stream = tcp::connect(fabric, dial.to, within, end).await?;
    let line: Box<dyn Line> = match &dial.tls {
        Some(tls) => Box::new(tls::handshake(fabric, stream, dial.to, tls, end).await?),
        None => Box::new(stream),
    };
    let code = if dial.tls.is_some() { CheckCode::L6Ok } else { CheckCode::L4Ok };
    Ok((State { line, got: Vec::new(), over: false }, Passed::plain(code)))
}

async fn send(state: &mut State, said: &Said, end: Instant) -> Result<Passed, Failure> {
    state.got.clear();
    let octets = said.octets();
    let work = async {
        state.line.write_all(&octets).await?;
        state.line.flush().await
    };
    match timeout_at(end, work).await {
        Err(_) => fail(CheckCode::L7Timeout, ""),
        Ok(Err(error)) => fail(CheckCode::SocketError, words(&error)),
        Ok(Ok(())) => Ok(Passed::plain(CheckCode::L7Ok)),
    }
}

async fn listen(state: &mut State, answer: &Answer, end: Instant) -> Result<Passed, Failure> {
    let compiled = match &answer.what {
        Wanted::Pattern(text) | Wanted::HexPattern(text) => match pattern(text) {
            Ok(compiled) => Some(compiled),
            Err(why) => return fail(CheckCode::L7Response, why),
        },
        Wanted::Octets(_) | Wanted::Reply(_) => None,
    };
    loop {
        match judge(answer, compiled.as_deref(), &state.got, !state.over) {
            Judgement::Good { status, info } => return Ok(Passed { code: CheckCode::L7Ok, status, info }),
            Judgement::Bad(failure) => return Err(failure),
            Judgement::More => match timeout_at(end, fill(state)).await {
                Err(_) => return fail(CheckCode::L7Timeout, ""),
                Ok(Err(error)) => return fail(CheckCode::SocketError, words(&error)),
                Ok(Ok(())) => {}
            },
        }
    }
}

/// Reads once.
async fn fill(state: &mut State) -> std::io::Result<()> {
    let old = state.got.len();
    state.got.resize(MAX_ANSWER.min(old + CHUNK), 0);
    let got = match state.line.read(&mut state.got[old..]).await {
        Ok(got) => got,
        // Many servers close a TLS connection without its farewell; the answer stands or falls by itself.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
        Err(error) => {
            state.got.truncate(old);
            return Err(error);
        }
    };
    state.got.truncate(old + got);
    state.over = got == 0 || state.got.len() >= MAX_ANSWER;
    Ok(())
}

/// A failure says at which step it came, in haproxy's words; those of a protocol speak for themselves.
fn located(mut failure: Failure, number: usize, step: &Step) -> Failure {
    let what = match step {
        Step::Connect(dial) => format!("connect port {}", dial.to.port()),
        Step::Send(_) => "send".to_owned(),
        Step::Expect(answer) => match &answer.what {
            Wanted::Reply(_) if !failure.info.is_empty() => return failure,
            Wanted::Octets(said) => match said.text() {
                Some(text) => format!("expect string '{}'", text.escape_debug()),
                None => format!("expect binary '{}'", said.hex()),
            },
            Wanted::Pattern(text) => format!("expect regex '{text}'"),
            Wanted::HexPattern(text) => format!("expect binary regex '{text}'"),
            Wanted::Reply(Reply::Pong) => "expect string '+PONG'".to_owned(),
            Wanted::Reply(
                Reply::Smtp | Reply::MysqlGreeting | Reply::MysqlLogin | Reply::Pgsql | Reply::Ldap,
            ) => "expect custom function".to_owned(),
        },
    };
    let gap = if failure.info.is_empty() { "" } else { " " };
    let _ = write!(failure.info, "{gap}at step {number} of tcp-check ({what})"); // a String takes all
    failure
}
