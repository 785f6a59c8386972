//! Being keepalived to the system: its command line, its pid file, its exit codes, by the verb `compat keepalived` or by
//! the name the program is called with.
//!
//! `flags` reads the command line; here it is carried out. A flag that is not served is an error that names our way; its
//! exit codes are keepalived's: 0 fine, 1 fatal, 2 and 5 (test) a broken configuration, 4 no right, 6 no configuration
//! or (test) scripts that are not safe.

mod flags;

use crate::cli::{Files, RunArgs};
use crate::{check, run, text};
use flags::{Job, Log, Wanted};
use standfast_core::config::finding::{Findings, Severity};
use standfast_core::config::keepalived::codes;
use standfast_core::config::load::{Language, Loaded};
use standfast_core::config::native;
use standfast_core::config::process::ProcessConfig;
use std::fs::{self, OpenOptions};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The keepalived whose dump files, signals and exit codes these are.
const LIKE: &str = "2.2.7";
/// Exit codes of keepalived.
const FATAL: u8 = 1;
const CONFIG: u8 = 2;
const TEST_FAILED: u8 = 5;
const TEST_SECURITY: u8 = 6;
const NO_CONFIG: u8 = 6;
/// keepalived's umask when nobody says another.
const UMASK: u16 = 0o177;
/// How long a daemon in the background may take to write its pid file.
const COMES_UP: Duration = Duration::from_secs(10);

/// Was the program called by the name of keepalived?
#[must_use]
pub fn called_so(program: Option<&str>) -> bool {
    program.is_some_and(|program| program.rsplit('/').next() == Some("keepalived"))
}

/// Does what keepalived would do with these arguments.
#[must_use]
pub fn keepalived(args: &[String]) -> ExitCode {
    match flags::parse(args) {
        Err(trouble) => {
            text::err(&format!("keepalived: {trouble}\n"));
            ExitCode::from(FATAL)
        }
        Ok(Job::Print(words)) => {
            text::out(&words);
            ExitCode::SUCCESS
        }
        Ok(Job::Version) => {
            // To standard error and with that first word and the version whose files we write: exporters read it so.
            let own = env!("CARGO_PKG_VERSION");
            text::err(&format!(
                "Keepalived v{LIKE} (as served by standfast {own})\n\nsee standfast --help\n"
            ));
            ExitCode::SUCCESS
        }
        Ok(Job::Test(wanted, log)) => test(&wanted, log.as_deref()),
        Ok(Job::Run(wanted)) => daemon(&wanted, args),
    }
}

fn read(wanted: &Wanted) -> Loaded {
    check::read(&[(Language::Keepalived, wanted.file.clone())], wanted.config_id.as_ref(), None)
}

/// `-t`: errors and warnings, to standard error or to a file of their own.
fn test(wanted: &Wanted, log: Option<&str>) -> ExitCode {
    let loaded = read(wanted);
    let said: String = loaded
        .findings
        .list()
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .map(|finding| format!("{finding}\n"))
        .collect();
    match log {
        None => text::err(&said),
        Some(path) => {
            if let Err(error) = fs::write(path, &said) {
                text::err(&format!("keepalived: {path}: {error}\n"));
                return ExitCode::from(FATAL);
            }
        }
    }
    ExitCode::from(tested(&loaded.findings))
}

/// keepalived's code for a tested configuration: the highest class of what was found.
fn tested(findings: &Findings) -> u8 {
    let has = |code| findings.list().iter().any(|f| f.code == code && f.severity > Severity::Note);
    if has(codes::SCRIPT_SECURITY) {
        TEST_SECURITY
    } else if findings.errors() > 0 || has(codes::SCRIPT_MISSING) {
        TEST_FAILED
    } else {
        0
    }
}

/// Runs the daemon, here or in the background.
fn daemon(wanted: &Wanted, args: &[String]) -> ExitCode {
    if !Path::new(&wanted.file).exists() && !wanted.file.contains(['*', '?', '[', '{']) {
        text::err(&format!("keepalived: there is no configuration file {}\n", wanted.file));
        return ExitCode::from(NO_CONFIG);
    }
    let loaded = read(wanted);
    let Some(config) = &loaded.config else {
        check::print_findings(&loaded, text::err);
        text::err("keepalived: the configuration has errors; nothing was started\n");
        return ExitCode::from(CONFIG);
    };
    if let Some(pid) = running(&wanted.pid_file) {
        let file = &wanted.pid_file;
        text::err(&format!("keepalived: the daemon is already running as process {pid} ({file})\n"));
        return ExitCode::from(FATAL);
    }
    if !wanted.foreground {
        return in_background(wanted, args);
    }
    if let Log::File(path) = &wanted.log {
        return into_file(path, args);
    }
    if wanted.dump {
        text::err(&native::write(config));
    }
    let _pid_file = PidFile::write(&wanted.pid_file);
    ready();
    run::run(&RunArgs {
        files: Files {
            config: None,
            keepalived: Some(wanted.file.clone()),
            haproxy: None,
            config_id: wanted.config_id.clone(),
            seed: None,
        },
        record: None,
        record_size: 64,
        socket: None,
        process: ProcessConfig {
            name: Some("keepalived".into()),
            umask: wanted.umask.or(config.node.process.umask).or(Some(UMASK)),
            ..ProcessConfig::default()
        },
        syslog: match &wanted.log {
            Log::Syslog(facility) => Some(*facility),
            Log::Console | Log::File(_) => None,
        },
    })
}

/// The same program with the same arguments and `more`.
fn again(args: &[String], more: &[&str]) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["compat", "keepalived"]).args(args).args(more);
    Ok(command)
}

/// Replaces this process by one whose standard error is the log file.
fn into_file(path: &str, args: &[String]) -> ExitCode {
    let open = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let error = match open.and_then(|file| Ok((file, again(args, &["--log-console"])?))) {
        Ok((file, mut command)) => command.stderr(file).exec(),
        Err(error) => error,
    };
    text::err(&format!("keepalived: {path}: {error}\n"));
    ExitCode::from(FATAL)
}

/// Starts the daemon in the background and waits for its pid file.
fn in_background(wanted: &Wanted, args: &[String]) -> ExitCode {
    let child = again(args, &["--dont-fork"]).and_then(|mut command| {
        command.stdin(Stdio::null()).process_group(0);
        if wanted.log != Log::Console {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        command.spawn()
    });
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            text::err(&format!("keepalived: cannot start in the background: {error}\n"));
            return ExitCode::from(FATAL);
        }
    };
    let until = Instant::now() + COMES_UP;
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(FATAL);
            text::err(&format!("keepalived: the daemon ended at once ({status}); see its log\n"));
            return ExitCode::from(code.max(FATAL));
        }
        if pid_of(&wanted.pid_file) == Some(child.id()) {
            return ExitCode::SUCCESS;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    text::err(&format!("keepalived: the daemon runs, but did not write {}\n", wanted.pid_file));
    ExitCode::SUCCESS
}

fn pid_of(path: &str) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The process of the pid file, if it is a daemon that runs.
fn running(path: &str) -> Option<u32> {
    let pid = pid_of(path).filter(|pid| *pid != std::process::id())?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    // A daemon may have been given any name (`process_name`), but not another program.
    let own = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let is_ours = own.is_some() && own == fs::read_link("/proc/self/exe").ok();
    (is_ours || ["keepalived", "standfast"].iter().any(|known| name.starts_with(known))).then_some(pid)
}

/// A pid file that goes when the daemon ends.
struct PidFile<'p>(&'p str);

impl PidFile<'_> {
    fn write(path: &str) -> Option<PidFile<'_>> {
        // Not through a link that somebody has put there, and writable by nobody else.
        let _ = fs::remove_file(path);
        let open = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
        let written = open.and_then(|mut file| {
            std::io::Write::write_all(&mut file, format!("{}\n", std::process::id()).as_bytes())
        });
        match written {
            Ok(()) => Some(PidFile(path)),
            Err(error) => {
                text::err(&format!("keepalived: no pid file {path}: {error}\n"));
                None
            }
        }
    }
}

impl Drop for PidFile<'_> {
    fn drop(&mut self) {
        if pid_of(self.0) == Some(std::process::id()) {
            let _ = fs::remove_file(self.0);
        }
    }
}

/// Tells systemd that the daemon is up: keepalived's unit is of type notify.
fn ready() {
    let Ok(path) = std::env::var("NOTIFY_SOCKET") else { return };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|to| UnixDatagram::unbound()?.send_to_addr(b"READY=1", &to));
    if let Err(error) = sent {
        text::err(&format!("keepalived: cannot tell systemd that it is ready: {error}\n"));
    }
}
