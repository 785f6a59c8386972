//! Verbs, options and exit codes: 0 fine, 1 errors, 2 usage, 3 warnings under `--deny warnings`.

use crate::{check, compat, control, demo, explain, lab, lint, record, replay, run, simulate};
use clap::{Args, Parser, Subcommand};
use standfast_core::config::load::Language;
use standfast_core::config::process::ProcessConfig;
use standfast_io::control::Request;
use std::process::ExitCode;

/// One daemon in place of the keepalived + haproxy pair: a virtual IP by VRRP, health checks, a TCP balancer.
#[derive(Debug, Parser)]
#[command(name = "standfast", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  standfast check /etc/keepalived/keepalived.conf /etc/haproxy/haproxy.cfg
  standfast lint cp1/ cp2/ cp3/
  standfast run --keepalived /etc/keepalived/keepalived.conf --haproxy /etc/haproxy/haproxy.cfg
  standfast status
  standfast resign VI_1
  standfast simulate keepalived.conf haproxy.cfg
  standfast demo

Signals while running: TERM and INT stop cleanly (farewell first, then the address goes), HUP reads the files again
(a broken file changes nothing), USR1 saves the flight recording. As keepalived does, USR1 writes /tmp/keepalived.data,
USR2 /tmp/keepalived.stats, and the signals of `standfast compat keepalived --signum=JSON` and `=STATS_CLEAR` the rest.";

/// What standfast can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Hold the addresses, run the checks, balance the connections.
    Run(RunArgs),
    /// Say everything that is wrong or odd in the files, and what a takeover will take.
    Check(CheckArgs),
    /// Say what is wrong between nodes: ids, priorities, peers and addresses that do not fit, and how long a takeover takes.
    Lint(LintArgs),
    /// Explain a code such as SF4001: what it is, how it shows at night, an example, the remedy.
    Explain {
        /// The code, as findings show it.
        #[arg(value_name = "CODE")]
        code: String,
    },
    /// Print the same configuration as one native file.
    Convert(ConvertArgs),
    /// Rehearse failures on your own files, in a simulated network: what clients would see. Needs no privilege.
    Simulate(simulate::SimulateArgs),
    /// Three real nodes with the kubeadm guide's files in network namespaces of their own: a failover, measured.
    Demo,
    /// Save the flight recording of a daemon, which may run, hang or be dead.
    Record {
        /// What to do with it.
        #[command(subcommand)]
        verb: RecordVerb,
    },
    /// How the running daemon stands: virtual routers with role and priority, servers with their state.
    Status(StatusArgs),
    /// Hand a virtual router over to a peer, without a gap for clients, and stay away until `rejoin`.
    Resign(RouterArgs),
    /// Take part in the election of a virtual router again.
    Rejoin(RouterArgs),
    /// Give a server no new connections; those open go on.
    Drain(ServerArgs),
    /// Give a server connections again, as its check says.
    Ready(ServerArgs),
    /// Give a server another weight, until the files name another one.
    Weight(WeightArgs),
    /// Let the running daemon read its files again, and say what it found; broken files change nothing.
    Reload(SocketArgs),
    /// Decide again what a recorded daemon decided, and tell the story; 1 when anything differs.
    Replay(ReplayArgs),
    /// Be another daemon to the system: the rest of the line is its own command line. `keepalived` is served, also by
    /// the name of the program (a link to standfast).
    Compat {
        /// Which, and its arguments.
        #[command(subcommand)]
        daemon: Compat,
    },
    /// Tools of the test lab.
    #[command(hide = true)]
    Lab {
        /// Tool and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Whom `compat` stands in for.
#[derive(Clone, Debug, Subcommand)]
pub enum Compat {
    /// keepalived: -f -t -n -l -d -S -g -G -p -i and the rest, with its exit codes; `compat keepalived -h` lists them.
    #[command(disable_help_flag = true)]
    Keepalived {
        /// Its command line.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// What it runs.
    #[command(flatten)]
    pub files: Files,
    /// Where the flight recorder writes, or `off`; `record` under `[node]` of a native file says the same. $STATE_DIRECTORY/flight.rec under systemd, else
    /// /var/lib/standfast/flight.rec; the recording of the run before is kept as .1.
    #[arg(long, value_name = "FILE|off")]
    pub record: Option<String>,
    /// Its size in MiB: a ring, the oldest part makes room.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4000))]
    pub record_size: u16,
    /// The local socket for `status`, `resign`, `drain` and the like, or `off`. $RUNTIME_DIRECTORY/control.sock under
    /// systemd, else /run/standfast/control.sock.
    #[arg(long, value_name = "FILE|off")]
    pub socket: Option<String>,
    /// Facility of the syslog that is told as well; for who stands in for a daemon that logs there.
    #[arg(skip)]
    pub syslog: Option<u8>,
    /// Name and umask of who stands in for another daemon.
    #[arg(skip)]
    pub process: ProcessConfig,
}

/// What `record` does.
#[derive(Clone, Debug, Subcommand)]
pub enum RecordVerb {
    /// Copy the recording to a file, and print its path.
    Save(SaveArgs),
}

/// Arguments of `record save`.
#[derive(Clone, Debug, Args)]
pub struct SaveArgs {
    /// The daemon's recording, when it is not in the default place.
    #[arg(long, value_name = "FILE")]
    pub from: Option<String>,
    /// Where to; beside it with the time in its name otherwise.
    #[arg(long, value_name = "FILE")]
    pub to: Option<String>,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// A recording.
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Stop there: a time since its beginning (90s, 5m) or a time of day (09:04:05).
    #[arg(long, value_name = "T")]
    pub until: Option<replay::Until>,
    /// Draw it, too: who was active when, which checks failed.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<String>,
    /// Everything as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where the running daemon listens.
#[derive(Clone, Debug, Args)]
pub struct SocketArgs {
    /// The daemon's local socket, when it is not in the default place.
    #[arg(long, value_name = "FILE")]
    pub socket: Option<String>,
}

/// Arguments of `status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub at: SocketArgs,
}

/// Arguments of `resign` and `rejoin`.
#[derive(Clone, Debug, Args)]
pub struct RouterArgs {
    /// The virtual router, by its name in the files (`vrrp_instance NAME`). Its sync group goes with it.
    #[arg(value_name = "ROUTER")]
    pub router: String,
    /// Where.
    #[command(flatten)]
    pub at: SocketArgs,
}

/// Arguments of `drain` and `ready`.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The server: POOL/NAME, or its name where only one pool has it.
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// Where.
    #[command(flatten)]
    pub at: SocketArgs,
}

/// Arguments of `weight`.
#[derive(Clone, Debug, Args)]
pub struct WeightArgs {
    /// The server: POOL/NAME, or its name where only one pool has it.
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// Its weight, 0 to 256; 0: no new connections.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u16).range(0..=256))]
    pub weight: u16,
    /// Where.
    #[command(flatten)]
    pub at: SocketArgs,
}

/// The files of a node.
#[derive(Clone, Debug, Args)]
pub struct Files {
    /// Native configuration (TOML).
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["keepalived", "haproxy"])]
    pub config: Option<String>,
    /// keepalived.conf, as it is.
    #[arg(long, value_name = "FILE")]
    pub keepalived: Option<String>,
    /// haproxy.cfg, as it is.
    #[arg(long, value_name = "FILE")]
    pub haproxy: Option<String>,
    /// The name that `@NAME` lines of keepalived.conf are kept for; the host's name up to its first dot otherwise.
    #[arg(short = 'i', long, value_name = "NAME")]
    pub config_id: Option<String>,
    /// Seed of the random spread of checks; taken from the clock otherwise.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl Files {
    /// The files with their languages, in the order in which they are read.
    #[must_use]
    pub fn list(&self) -> Vec<(Language, String)> {
        let one = |language, file: &Option<String>| file.clone().map(|file| (language, file));
        [
            one(Language::Native, &self.config),
            one(Language::Keepalived, &self.keepalived),
            one(Language::Haproxy, &self.haproxy),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// keepalived.conf, haproxy.cfg or native files of one node; the language is told by name and content.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Exit with 3 when there are warnings.
    #[arg(long, value_name = "warnings", value_parser = ["warnings"])]
    pub deny: Option<String>,
    /// Findings and summary as JSON.
    #[arg(long)]
    pub json: bool,
    /// The name that `@NAME` lines of keepalived.conf are kept for.
    #[arg(short = 'i', long, value_name = "NAME")]
    pub config_id: Option<String>,
}

/// Arguments of `lint`.
#[derive(Clone, Debug, Args)]
pub struct LintArgs {
    /// A folder (keepalived.conf and haproxy.cfg, or standfast.toml; check scripts and pod manifests beside them are
    /// looked at as well), or NAME=FILE,FILE. A folder's name is the node's.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Exit with 3 when there are warnings.
    #[arg(long, value_name = "warnings", value_parser = ["warnings"])]
    pub deny: Option<String>,
    /// Findings and figures as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `convert`.
#[derive(Clone, Debug, Args)]
pub struct ConvertArgs {
    /// keepalived.conf, haproxy.cfg or native files of one node.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// The name that `@NAME` lines of keepalived.conf are kept for.
    #[arg(short = 'i', long, value_name = "NAME")]
    pub config_id: Option<String>,
}

/// The whole program: under the name of keepalived it is keepalived, else its first argument is a verb.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    if compat::called_so(words.next().as_deref()) {
        return compat::keepalived(&words.collect::<Vec<_>>());
    }
    dispatch(Cli::parse())
}

/// Runs a verb.
#[must_use]
pub fn dispatch(cli: Cli) -> ExitCode {
    match cli.verb {
        Verb::Run(args) => run::run(&args),
        Verb::Check(args) => check::check(&args),
        Verb::Lint(args) => lint::lint(&args),
        Verb::Explain { code } => explain::explain(&code),
        Verb::Convert(args) => check::convert(&args),
        Verb::Simulate(args) => simulate::simulate(&args),
        Verb::Record { verb } => record::record(&verb),
        Verb::Replay(args) => replay::replay(&args),
        Verb::Status(args) => control::status(&args),
        Verb::Resign(RouterArgs { router, at }) => control::order(&at, &Request::Resign { router }),
        Verb::Rejoin(RouterArgs { router, at }) => control::order(&at, &Request::Rejoin { router }),
        Verb::Drain(ServerArgs { server, at }) => control::order(&at, &Request::Drain { server }),
        Verb::Ready(ServerArgs { server, at }) => control::order(&at, &Request::Ready { server }),
        Verb::Weight(WeightArgs { server, weight, at }) => {
            control::order(&at, &Request::Weight { server, weight })
        }
        Verb::Reload(at) => control::order(&at, &Request::Reload),
        Verb::Demo => demo::demo(),
        Verb::Compat { daemon: Compat::Keepalived { args } } => compat::keepalived(&args),
        Verb::Lab { args } => lab::main(&args),
    }
}
