//! Runs health checks: TCP, the old SSL hello, TLS, HTTP, conversations, scripts.
//!
//! [`run`] carries one probe out and says how it ended; [`Checker`] holds many runs at once for
//! the driver. What a run's outcome *means* is decided in `standfast_core::health`. Every run uses a connection of
//! its own, which ends with a reset as haproxy's do, and holds at most [`http::MAX_ANSWER`] bytes of an answer.
//! No run lasts longer than its `within`, whatever the peer does.

pub mod checker;
pub mod http;
pub mod judge;
pub mod ssl_hello;
mod talk;
pub mod tcp;
pub mod tls;
mod verdict;

pub use checker::Checker;

use crate::fabric::Fabric;
use standfast_core::config::model::{Command, HttpProbe, Probe};
use standfast_core::config::watch::Watch;
use standfast_core::input::{CheckCode, Outcome};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use verdict::{Failure, Passed, fail};
pub(crate) use verdict::{printable, words};

/// Runs operators' commands: real processes in production, a model under simulation.
pub trait Scripts: Clone + 'static {
    /// Runs `command` to its end or until `within` has passed, then TERM, then KILL to its process group.
    /// Dropping the future kills the group.
    fn run(&self, command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static;

    /// Looks at a file or a process of this host. In a model it stands as the scripts do.
    fn look(&self, watch: &Arc<Watch>, within: Duration) -> impl Future<Output = Outcome> + 'static {
        let (scripts, command) = (self.clone(), Command { argv: watch.words(), user: None });
        async move { scripts.run(&command, within).await }
    }

    /// The same for a notify script, which may leave a service behind: nothing of ours stays attached to it.
    fn notify(&self, command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static {
        self.run(command, within)
    }
}

/// The longest time that is told apart from for ever, so that sums of times stay representable.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Carries out `probe` within `within`.
pub async fn run<F: Fabric, S: Scripts>(fabric: &F, scripts: &S, probe: &Probe, within: Duration) -> Outcome {
    let started = Instant::now();
    let result = match probe {
        Probe::Script { command, broken: None } => return scripts.run(command, within).await,
        Probe::Watch(watch) => return scripts.look(watch, within).await,
        Probe::Script { broken: Some(reason), .. } => fail(CheckCode::ScriptMissing, reason),
        Probe::Tcp { .. } | Probe::SslHello { .. } | Probe::Tls { .. } | Probe::Http(_) | Probe::Talk(_) => {
            over_network(fabric, probe, started + within.min(LONGEST)).await
        }
    };
    verdict::outcome(result, started.elapsed())
}

async fn over_network<F: Fabric>(fabric: &F, probe: &Probe, end: Instant) -> Result<Passed, Failure> {
    match probe {
        Probe::Script { .. } | Probe::Watch(_) => fail(CheckCode::SocketError, "not a network check"),
        Probe::Tcp { to, connect } => {
            tcp::connect(fabric, *to, *connect, end).await?;
            Ok(Passed::plain(CheckCode::L4Ok))
        }
        Probe::SslHello { to, connect } => {
            let mut stream = tcp::connect(fabric, *to, *connect, end).await?;
            ssl_hello::exchange(&mut stream, end).await
        }
        Probe::Tls { to, connect, tls } => {
            let stream = tcp::connect(fabric, *to, *connect, end).await?;
            tls::handshake(fabric, stream, *to, tls, end).await?;
            Ok(Passed::plain(CheckCode::L6Ok))
        }
        Probe::Talk(talk) => talk::hold(fabric, talk, end).await,
        Probe::Http(probe) => {
            let stream = tcp::connect(fabric, probe.to, probe.connect, end).await?;
            match &probe.tls {
                Some(tls) => ask(tls::handshake(fabric, stream, probe.to, tls, end).await?, probe, end).await,
                None => ask(stream, probe, end).await,
            }
        }
    }
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    probe: &HttpProbe,
    end: Instant,
) -> Result<Passed, Failure> {
    http::exchange(&mut stream, probe, end).await
}
