//! Commands and long-running processes of the laboratory.
//!
//! Decides how a process is ended and what is kept of its output. Knows nothing of networks. A process ends with
//! the value that stands for it; no process outlives the thread that started it (`setpriv --pdeathsig`).

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What went wrong in the laboratory itself, in one sentence.
#[derive(Debug)]
pub struct Trouble(String);

/// The laboratory's result.
pub type Result<T> = std::result::Result<T, Trouble>;

impl Trouble {
    /// A trouble in these words.
    #[must_use]
    pub fn new(words: impl Into<String>) -> Trouble {
        Trouble(words.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble(error.to_string())
    }
}

/// Runs a command to its end and returns its standard output; a failure carries its standard error.
///
/// # Errors
/// When it cannot be started or ends with another code than 0.
pub fn run(argv: &[&str]) -> Result<String> {
    feed(argv, "")
}

/// As [`run`], with `input` on standard input.
///
/// # Errors
/// When it cannot be started or ends with another code than 0.
pub fn feed(argv: &[&str], input: &str) -> Result<String> {
    let (program, args) = argv.split_first().ok_or_else(|| Trouble::new("an empty command"))?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Trouble(format!("{program}: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Trouble(format!("`{}`: {} {said}", argv.join(" "), output.status)))
    }
}

/// Sends one signal to many processes at once; those that are gone already are no error.
pub fn signal(pids: &[u32], name: &str) {
    if pids.is_empty() {
        return;
    }
    let flag = format!("-{name}");
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let sent = Command::new("kill").arg(flag).args(&pids).stderr(Stdio::null()).status();
    debug_assert!(sent.is_ok(), "kill(1) is there");
}

/// A process that runs until it is told to end; killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both outputs in the file `log`.
    ///
    /// # Errors
    /// When the program or the log file cannot be opened.
    pub fn start(mut command: Command, log: &Path) -> Result<Process> {
        let out = File::options().create(true).append(true).open(log)?;
        let err = out.try_clone()?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn()?;
        Ok(Process { child, log: log.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(&[self.pid()], name);
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end for at most `longest`.
    pub fn wait(&mut self, longest: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + longest;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= until {
                return ended;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Everything it has written so far.
    #[must_use]
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The file that collects its output.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Asks `done` every 5 ms until it says yes, for at most `longest`; says whether it did.
pub fn wait_until(longest: Duration, mut done: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + longest;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
