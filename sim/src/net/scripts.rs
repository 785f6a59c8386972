//! Check scripts as a model: they take a few milliseconds and pass unless the board says that they fail.

use super::board::Shared;
use standfast_core::config::model::Command;
use standfast_core::input::{CheckCode, Outcome};
use standfast_io::check::Scripts;
use std::future::Future;
use std::time::Duration;

/// A script's run takes so long.
const TAKES: Duration = Duration::from_millis(5);

/// The scripts of one host.
#[derive(Clone, Debug)]
pub struct SimScripts {
    /// What is true.
    pub board: Shared,
    /// Whose they are.
    pub host: usize,
}

impl Scripts for SimScripts {
    fn run(&self, _command: &Command, within: Duration) -> impl Future<Output = Outcome> + 'static {
        let (board, host) = (self.board.clone(), self.host);
        async move {
            let took = TAKES.min(within);
            tokio::time::sleep(took).await;
            let passed = board.borrow().failing.get(&host).is_none_or(|count| *count == 0);
            let code = if passed { CheckCode::ScriptOk } else { CheckCode::ScriptExit };
            Outcome { passed, code, status: Some(u32::from(!passed)), info: String::new(), took }
        }
    }
}
