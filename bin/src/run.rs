//! `run`: the daemon. Control (VRRP, netlink, checks) on this thread, the proxy on threads of its own.
//!
//! TERM and INT stop cleanly, a second one at once; HUP reads the files again and changes nothing when they are broken,
//! USR1 saves the flight recording; it, USR2 and keepalived's real-time signals write keepalived's dump files.

use crate::check::{ERRORS, print_findings, read};
use crate::cli::{Files, RunArgs};
use crate::dump::{self, Asked};
use crate::record::{self, Watch};
use crate::text;
use standfast_core::config::model::Config;
use standfast_core::input::Input;
use standfast_core::rng::Seed;
use standfast_io::check::checker::Checker;
use standfast_io::clock::{BootClock, Clock};
use standfast_io::control::{self, Control, Desk, Reloaded};
use standfast_io::driver::{Driver, LAST_SCRIPTS, Parts, Wanted};
use standfast_io::fabric::TokioFabric;
use standfast_io::linux::LinuxHost;
use standfast_io::linux::pipes;
use standfast_io::linux::process::Processes;
use standfast_io::linux::scheduling;
use standfast_io::linux::watch;
use standfast_io::log::{EventLog, Logger, Style};
use standfast_io::proxy::Threads;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch as watch_channel};

/// Orders that may wait for the driver.
const MAX_ORDERS: usize = 64;
/// How long the last log lines may take to leave.
const FLUSH: Duration = Duration::from_millis(200);
/// The most connections when the files name no number, however many descriptors the host allows.
const MOST_CONNECTIONS: u32 = 100_000;
/// Exit code for a wrong command line.
const USAGE: u8 = 2;
/// Exit code for a host that does not let us work: no privilege, no thread.
const HOST: u8 = 4;

/// `standfast run`.
#[must_use]
pub fn run(args: &RunArgs) -> ExitCode {
    let files = &args.files;
    let list = files.list();
    if list.is_empty() {
        text::err("standfast run: no configuration: give --keepalived FILE, --haproxy FILE, or -c FILE\n");
        return ExitCode::from(USAGE);
    }
    let loaded = read(&list, files.config_id.as_ref(), None);
    print_findings(&loaded, text::err);
    let Some(config) = loaded.config else {
        text::err("standfast run: the configuration has errors; nothing was started\n");
        return ExitCode::from(ERRORS);
    };
    match serve(args, Arc::new(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            text::err(&format!("standfast run: {error}\n"));
            ExitCode::from(HOST)
        }
    }
}

fn serve(args: &RunArgs, config: Arc<Config>) -> Result<(), Box<dyn std::error::Error>> {
    let logger = Logger::new("standfast", style())?.also(args.syslog.filter(|_| style() != Style::Journal));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let data = Threads::start(workers, most_connections(&config), &logger)?;
    prepare_files(&config, false);
    schedule(args, &config, None, |trouble| text::err(&format!("standfast run: {trouble}\n")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let log = Rc::new(EventLog::new(logger.clone()));
    let result = runtime.block_on(async {
        let host = LinuxHost::new()?;
        let parts = Parts { host, data, checker: Checker::new(TokioFabric, Processes), clock: BootClock };
        let seed = Seed(args.files.seed.unwrap_or_else(|| parts.clock.now().0));
        let record = args.record.as_deref().or(config.node.record.as_deref());
        let asked = Asked::default();
        let watch = Watch::new(log.clone(), asked.clone(), record, usize::from(args.record_size));
        let driver = Driver::new(config.clone(), seed, parts, watch);
        let (orders, wanted) = mpsc::channel(MAX_ORDERS);
        let (reloads, reloads_asked) = mpsc::channel(MAX_ORDERS);
        let socket = open_socket(args.socket.as_deref(), &log);
        let (wanted_readers, readers_of) = watch_channel::channel(config.clone());
        let signals = Signals::new()?;
        tokio::select! { biased;
            cut = driver.run(wanted) => if cut > 0 {
                let after = LAST_SCRIPTS.as_secs();
                log.say(4, &format!("Stopped, but {cut} notify script(s) had not ended after {after} s and were killed"));
            },
            () = signals.listen(args, config, (&orders, reloads_asked), (&log, &logger, &asked, &wanted_readers)) => {}
            () = serve_socket(socket, Desk { orders: orders.clone(), reload: reloads, clock: BootClock }) => {}
            () = read_pipes(readers_of, &log) => {}
        }
        Ok(())
    });
    logger.flush(FLUSH);
    // The proxy's threads and their connections end with the process.
    result
}

/// Opens the local socket. Without it the daemon goes on: operators have signals, too.
fn open_socket(path: Option<&str>, log: &EventLog<Logger>) -> Option<Control> {
    if path == Some("off") {
        return None;
    }
    let path = path.map_or_else(control::default_path, PathBuf::from);
    match Control::open(&path) {
        Ok(socket) => Some(socket),
        Err(error) => {
            log.say(4, &format!("No local socket for `standfast status` and orders: {error}"));
            None
        }
    }
}

async fn serve_socket(socket: Option<Control>, desk: Desk<BootClock>) {
    match socket {
        Some(socket) => socket.serve(desk).await,
        None => std::future::pending().await,
    }
}

/// Runs the programs that read the notify pipes; a reload that changes the pipes starts them anew.
async fn read_pipes(mut wanted: watch_channel::Receiver<Arc<Config>>, log: &EventLog<Logger>) {
    loop {
        let config = wanted.borrow_and_update().clone();
        let changed = async {
            while wanted.changed().await.is_ok() {
                if wanted.borrow_and_update().node.pipes != config.node.pipes {
                    return;
                }
            }
            std::future::pending().await
        };
        tokio::select! { biased;
            () = changed => {}
            () = pipes::readers(&config, |text| log.say(4, text)) => {}
        }
    }
}

/// Makes the process and this thread as `config` wants them. What the command line says of them wins.
fn schedule(args: &RunArgs, config: &Config, before: Option<&Config>, say: impl Fn(&str)) {
    let wanted = |config: &Config| {
        let mut process = config.node.process.clone();
        process.name = process.name.or(args.process.name.clone());
        process.umask = args.process.umask.or(process.umask);
        process
    };
    let before = before.map(wanted).unwrap_or_default();
    for trouble in scheduling::apply(&wanted(config), &before) {
        say(&trouble);
    }
}

/// Writes the first number of the files that ask for it (`init_file`).
fn prepare_files(config: &Config, again: bool) {
    for check in config.checks.values() {
        if let Err(error) = watch::prepare(&check.probe, again) {
            text::err(&format!("the file of {} cannot be written: {error}\n", check.name));
        }
    }
}

fn style() -> Style {
    if std::env::var_os("JOURNAL_STREAM").is_some() { Style::Journal } else { Style::Timestamp }
}

/// `maxconn` of the file, else what the descriptors allow: two per connection, some kept back.
fn most_connections(config: &Config) -> u32 {
    if config.node.max_connections > 0 {
        return config.node.max_connections;
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)).and_then(|n| n.parse::<u32>().ok());
    connections_for(soft.unwrap_or(1024))
}

fn connections_for(descriptors: u32) -> u32 {
    (descriptors.saturating_sub(128) / 2).clamp(64, MOST_CONNECTIONS)
}

struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
    usr2: Signal,
    json: Signal,
    clear: Signal,
}

/// What a signal wants.
enum Heard {
    Stop,
    Reload,
    Dump(dump::Kind),
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            usr2: signal(SignalKind::user_defined2())?,
            json: signal(SignalKind::from_raw(i32::from(dump::SIGJSON)))?,
            clear: signal(SignalKind::from_raw(i32::from(dump::SIGSTATS_CLEAR)))?,
        })
    }

    /// The next signal.
    async fn next(&mut self) -> Heard {
        tokio::select! { biased;
            _ = self.term.recv() => Heard::Stop,
            _ = self.int.recv() => Heard::Stop,
            _ = self.hup.recv() => Heard::Reload,
            _ = self.usr1.recv() => Heard::Dump(dump::Kind::Data),
            _ = self.usr2.recv() => Heard::Dump(dump::Kind::Stats),
            _ = self.json.recv() => Heard::Dump(dump::Kind::Json),
            _ = self.clear.recv() => Heard::Dump(dump::Kind::StatsClear),
        }
    }

    /// Turns signals into orders; ends at the second request to stop.
    async fn listen(
        mut self,
        args: &RunArgs,
        mut config: Arc<Config>,
        (orders, mut reloads): (&mpsc::Sender<Wanted>, mpsc::Receiver<oneshot::Sender<Reloaded>>),
        (log, logger, asked, readers): (
            &EventLog<Logger>,
            &Logger,
            &Asked,
            &watch_channel::Sender<Arc<Config>>,
        ),
    ) {
        let mut stopping = false;
        loop {
            let mut asker = None;
            let heard = tokio::select! { biased;
                heard = self.next() => heard,
                Some(who) = reloads.recv() => {
                    asker = Some(who);
                    Heard::Reload
                }
            };
            match heard {
                Heard::Stop if stopping => {
                    log.say(4, "Stopping at once, at the second signal");
                    return;
                }
                Heard::Stop => {
                    stopping = true;
                    log.say(5, "Stopping");
                    let _ = orders.send(Input::Stop.into()).await;
                }
                Heard::Reload => {
                    let (new, lines) = reload(&args.files, &config, log);
                    let ok = new.is_some();
                    if let Some(new) = new {
                        schedule(args, &new, Some(&config), |trouble| log.say(4, trouble));
                        config = Arc::new(new);
                        let _ = readers.send(config.clone());
                        let _ = orders.send(Input::Configure(config.clone()).into()).await;
                    }
                    if let Some(asker) = asker {
                        let _ = asker.send(Reloaded { ok, lines }); // who asked may have gone
                    }
                }
                Heard::Dump(kind) => {
                    if kind == dump::Kind::Data {
                        record::save_running(EventLog::new(logger.clone()));
                    }
                    asked.ask(kind);
                    // Changes nothing, but makes the loop look.
                    let _ = orders.try_send(Input::Tick.into());
                }
            }
        }
    }
}

/// Reads the files again; `None` when they are broken, which changes nothing. What there is to say about it as well.
fn reload(files: &Files, config: &Config, log: &EventLog<Logger>) -> (Option<Config>, Vec<String>) {
    log.say(5, "Reloading");
    let loaded = read(&files.list(), files.config_id.as_ref(), Some(config));
    let mut lines = Vec::new();
    for finding in loaded.findings.list() {
        lines.extend(finding.to_string().lines().map(str::to_owned));
    }
    lines.iter().for_each(|line| log.say(4, line));
    let verdict = match &loaded.config {
        None => {
            let verdict = "Reload refused: the files have errors; the old configuration stays in force";
            log.say(3, verdict);
            verdict
        }
        Some(new) if new == config => {
            log.say(5, "Reloaded: nothing has changed");
            "Reloaded: nothing has changed"
        }
        Some(_) => "Reloaded", // the node tells the log what has changed
    };
    lines.push(verdict.to_owned());
    (loaded.config, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_give_connections_within_bounds() {
        let enough = 2 * MOST_CONNECTIONS + 128;
        for (descriptors, connections) in [
            (0, 64),
            (1024, 448),
            (enough - 2, MOST_CONNECTIONS - 1),
            (enough, MOST_CONNECTIONS),
            (enough + 2, MOST_CONNECTIONS),
            (u32::MAX, MOST_CONNECTIONS),
        ] {
            assert_eq!(connections_for(descriptors), connections);
        }
    }
}
