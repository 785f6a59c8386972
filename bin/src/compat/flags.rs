//! keepalived's command line: short flags in clusters, long ones, arguments as `-f FILE`, `-fFILE`, `--use-file=FILE`.
//!
//! Reads only. Whatever is not served is an error that says what to do instead; nothing is dropped in silence.

use crate::dump::{SIGJSON, SIGSTATS_CLEAR};

/// keepalived's own place for its configuration.
pub(super) const FILE: &str = "/etc/keepalived/keepalived.conf";
/// keepalived's own place for its pid.
const PID_FILE: &str = "/run/keepalived.pid";
/// The facility `daemon`, and the first of `local0` to `local7`.
const DAEMON: u8 = 3;
const LOCAL: u8 = 16;

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// Standard error only (`-l`, `-G`, or the journal).
    Console,
    /// The syslog socket, with this facility.
    Syslog(u8),
    /// This file (`-g`).
    File(String),
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `-f`.
    pub(super) file: String,
    /// `-i`.
    pub(super) config_id: Option<String>,
    /// `-n`.
    pub(super) foreground: bool,
    /// `-d`.
    pub(super) dump: bool,
    /// `-p`.
    pub(super) pid_file: String,
    /// `-u`.
    pub(super) umask: Option<u16>,
    /// `-l`, `-G`, `-S`, `-g`.
    pub(super) log: Log,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Run.
    Run(Wanted),
    /// `-t`, with the file that takes what is said.
    Test(Wanted, Option<String>),
    /// Words to print.
    Print(String),
    /// Who we are.
    Version,
}

/// How a flag takes its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Required,
    /// Only in the same word.
    Optional,
}

/// Flag, long name, argument, help; an empty help is not served, and `instead` says why.
struct Flag {
    short: char,
    long: &'static str,
    takes: Takes,
    help: &'static str,
    instead: &'static str,
}

const fn flag(short: char, long: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { short, long, takes, help, instead: "" }
}

const fn not(short: char, long: &'static str, takes: Takes, instead: &'static str) -> Flag {
    Flag { short, long, takes, help: "", instead }
}

use Takes::{Nothing, Optional, Required};

const FLAGS: &[Flag] = &[
    flag('f', "use-file", Required, "configuration file, /etc/keepalived/keepalived.conf otherwise"),
    flag(
        't',
        "config-test",
        Optional,
        "test the configuration; what is wrong goes to standard error or to the file",
    ),
    flag('n', "dont-fork", Nothing, "stay in the foreground"),
    flag('l', "log-console", Nothing, "log to standard error only"),
    flag('D', "log-detail", Nothing, "accepted: the log says everything once"),
    flag('d', "dump-conf", Nothing, "print the configuration in the native format"),
    flag('S', "log-facility", Required, "syslog facility: 0 to 7, local0 to local7, user, daemon"),
    flag('g', "log-file", Optional, "log to a file, /tmp/keepalived.log otherwise"),
    flag('G', "no-syslog", Nothing, "no syslog"),
    flag('p', "pid", Required, "pid file, /run/keepalived.pid otherwise"),
    flag('i', "config-id", Required, "the name that @NAME lines are kept for"),
    flag('P', "vrrp", Nothing, "accepted: there is no LVS to leave out"),
    flag('u', "umask", Required, "umask of new files, 0177 otherwise"),
    flag('B', "no_bfd", Nothing, "accepted: the BFD sessions of the file run all the same"),
    flag('\0', "all", Nothing, "accepted: there is one process"),
    flag('R', "dont-respawn", Nothing, "accepted: there are no children; the unit restarts the daemon"),
    flag('X', "release-vips", Nothing, "accepted: addresses are always given up"),
    flag('a', "address-monitoring", Nothing, "accepted: changes of our addresses are logged"),
    flag(
        '\0',
        "signum",
        Required,
        "print the number of a signal: RELOAD, STOP, DATA, STATS, STATS_CLEAR, JSON",
    ),
    flag('\0', "ignore-sigint", Nothing, "accepted by a daemon in the background"),
    flag('v', "version", Nothing, "print the version"),
    flag('h', "help", Nothing, "print this"),
    not(
        'V',
        "dont-release-vrrp",
        Nothing,
        "addresses carry a kernel lifetime and go with the daemon; `lease = false` in \
         the native file (standfast convert) switches the lifetime off",
    ),
    not(
        'I',
        "dont-release-ipvs",
        Nothing,
        "there is no LVS here; balance with haproxy.cfg: standfast run --haproxy FILE",
    ),
    not(
        'C',
        "check",
        Nothing,
        "there is no LVS here; balance with haproxy.cfg: standfast run --haproxy FILE",
    ),
    not('T', "genhash", Nothing, "there is no LVS here; use haproxy's checks"),
    not('r', "vrrp_pid", Required, "there is one process; name its pid file by -p"),
    not('c', "checkers_pid", Required, "there is one process; name its pid file by -p"),
    not('b', "bfd_pid", Required, "there is one process; name its pid file by -p"),
    not('x', "snmp", Nothing, "there is no SNMP agent"),
    not('A', "snmp-agent-socket", Required, "there is no SNMP agent"),
    not(
        's',
        "namespace",
        Required,
        "start it inside: ip netns exec NAME, or NetworkNamespacePath= in the unit",
    ),
    not('m', "core-dump", Nothing, "set LimitCORE= in the unit"),
    not('M', "core-dump-pattern", Optional, "set kernel.core_pattern by sysctl"),
    not('e', "all-config", Nothing, "write includea in place of include"),
    not('\0', "config-fd", Required, "name the file by -f"),
];

/// Reads a command line.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn parse(args: &[String]) -> Result<Job, String> {
    let mut wanted = Wanted {
        file: FILE.to_owned(),
        config_id: None,
        foreground: false,
        dump: false,
        pid_file: PID_FILE.to_owned(),
        umask: None,
        log: Log::Syslog(DAEMON),
    };
    let mut test = None;
    let mut print = None;
    for (flag, value) in split(args)? {
        if !flag.instead.is_empty() {
            return Err(format!("{} is not served: {}", shown(flag), flag.instead));
        }
        let given = || value.clone().unwrap_or_default();
        match flag.long {
            "use-file" => wanted.file = given(),
            "config-test" => test = Some(value.clone()),
            "dont-fork" => wanted.foreground = true,
            "dump-conf" => wanted.dump = true,
            "pid" => wanted.pid_file = given(),
            "umask" => wanted.umask = Some(umask(&given())?),
            "config-id" => wanted.config_id = Some(given()),
            // The last one counts, so that a daemon that has been given its file does not look for it again.
            "log-console" | "no-syslog" => wanted.log = Log::Console,
            "log-file" => wanted.log = Log::File(value.clone().unwrap_or("/tmp/keepalived.log".to_owned())),
            "log-facility" => wanted.log = Log::Syslog(facility(&given())?),
            "signum" => print = Some(format!("{}\n", signal(&given())?)),
            "version" => return Ok(Job::Version),
            "help" => print = Some(help()),
            _ => {} // accepted, as its help says
        }
    }
    Ok(match (print, test) {
        (Some(words), _) => Job::Print(words),
        (None, Some(log)) => Job::Test(wanted, log),
        (None, None) => Job::Run(wanted),
    })
}

/// Flags and their arguments, in order.
fn split(args: &[String]) -> Result<Vec<(&'static Flag, Option<String>)>, String> {
    let mut found = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut next =
            |flag: &Flag| args.next().cloned().ok_or_else(|| format!("{} needs an argument", shown(flag)));
        if let Some(long) = arg.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v.to_owned())));
            let flag = long_flag(name)?;
            found.push(match (flag.takes, value) {
                (Nothing, Some(_)) => return Err(format!("{} takes no argument", shown(flag))),
                (Required, None) => (flag, Some(next(flag)?)),
                (Nothing | Optional, None) => (flag, None),
                (Required | Optional, value) => (flag, value),
            });
            continue;
        }
        let Some(cluster) = arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) else {
            return Err(format!("unexpected argument `{arg}`; the configuration file is named by -f"));
        };
        let mut rest = cluster.chars();
        while let Some(short) = rest.next() {
            let known = FLAGS.iter().find(|flag| flag.short == short && short != '\0');
            let flag = known.ok_or_else(|| format!("there is no flag -{short}; see -h"))?;
            if flag.takes == Nothing {
                found.push((flag, None));
                continue;
            }
            let inside = rest.as_str().to_owned();
            found.push(match (flag.takes, inside.is_empty()) {
                (_, false) => (flag, Some(inside)),
                (Required, true) => (flag, Some(next(flag)?)),
                (Nothing | Optional, true) => (flag, None),
            });
            break;
        }
    }
    Ok(found)
}

/// The flag of a long name, which may be cut as long as it fits one only.
fn long_flag(name: &str) -> Result<&'static Flag, String> {
    let mut near = FLAGS.iter().filter(|flag| flag.long.starts_with(name));
    let exact = FLAGS.iter().find(|flag| flag.long == name);
    match (exact, near.next(), near.next()) {
        (Some(flag), _, _) | (None, Some(flag), None) => Ok(flag),
        (None, Some(_), Some(_)) => Err(format!("--{name} may mean several flags; see -h")),
        (None, None, _) => Err(format!("there is no flag --{name}; see -h")),
    }
}

fn shown(flag: &Flag) -> String {
    if flag.short == '\0' { format!("--{}", flag.long) } else { format!("-{}, --{}", flag.short, flag.long) }
}

fn facility(name: &str) -> Result<u8, String> {
    let local = name.strip_prefix("local").unwrap_or(name).parse::<u8>().ok().filter(|n| *n <= 7);
    match (name, local) {
        ("user", _) => Ok(1),
        ("daemon", _) => Ok(DAEMON),
        (_, Some(n)) => Ok(LOCAL + n),
        (_, None) => Err(format!("`{name}` is no facility: 0 to 7, local0 to local7, user or daemon")),
    }
}

/// A number as C reads it: octal after a 0.
fn umask(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u16::from_str_radix(digits, 8),
        _ => text.parse(),
    };
    let mask = number.ok().filter(|mask| *mask <= 0o777);
    mask.ok_or_else(|| format!("`{text}` is no umask: 0 to 0777"))
}

fn signal(name: &str) -> Result<u8, String> {
    match name {
        "RELOAD" => Ok(1),
        "STOP" => Ok(15),
        "DATA" => Ok(10),
        "STATS" => Ok(12),
        "STATS_CLEAR" => Ok(SIGSTATS_CLEAR),
        "JSON" => Ok(SIGJSON),
        _ => Err(format!("`{name}` is no signal: RELOAD, STOP, DATA, STATS, STATS_CLEAR or JSON")),
    }
}

fn help() -> String {
    let mut text = String::from("standfast as keepalived\n\nUsage: keepalived [OPTION...]\n");
    for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
        text.push_str(&format!("  {:<28} {}\n", shown(flag), flag.help));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Job, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn run(line: &str) -> Wanted {
        match of(line) {
            Ok(Job::Run(wanted)) => wanted,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_come_in_clusters_and_by_their_long_names() {
        let wanted = run("-nlD -f /a -ihost --pid=/b");
        assert_eq!((wanted.file.as_str(), wanted.pid_file.as_str()), ("/a", "/b"));
        assert_eq!((wanted.config_id.as_deref(), wanted.foreground), (Some("host"), true));
        assert_eq!(wanted.log, Log::Console);
        assert_eq!(run("--dont-fork --use-file /c --dump").file, "/c");
        assert_eq!(run("-S 3").log, Log::Syslog(19));
        assert_eq!(run("-Slocal0").log, Log::Syslog(16));
        assert_eq!(run("-g/x -l").log, Log::Console);
        assert_eq!((run("-u 077").umask, run("--umask=18").umask), (Some(0o077), Some(18)));
        assert!(of("-u 01000").is_err() && of("-u x").is_err());
        assert_eq!(run("-g/x").log, Log::File("/x".into()));
    }

    #[test]
    fn a_test_may_name_a_file_for_its_words() {
        assert!(matches!(of("-t -f /a"), Ok(Job::Test(wanted, None)) if wanted.file == "/a"));
        assert!(matches!(of("--config-test=/log"), Ok(Job::Test(_, Some(log))) if log == "/log"));
    }

    #[test]
    fn what_is_not_served_names_our_way() {
        for (line, way) in [
            ("-V", "lease"),
            ("-C", "haproxy"),
            ("-r /x", "-p"),
            ("--signum=TDATA", "STATS_CLEAR"),
            ("-s ns", "netns"),
        ] {
            assert!(of(line).unwrap_err().contains(way), "{line}");
        }
        for line in ["-f", "-q", "--nonsense", "file", "--no", "-S 8", "--dont-fork=1"] {
            assert!(of(line).is_err(), "{line}");
        }
        for (name, number) in [("RELOAD", 1), ("DATA", 10), ("STATS", 12), ("JSON", 36), ("STATS_CLEAR", 63)]
        {
            assert_eq!(of(&format!("--signum={name}")), Ok(Job::Print(format!("{number}\n"))));
        }
    }

    #[test]
    fn every_flag_is_served_or_says_what_to_do_instead() {
        for (n, flag) in FLAGS.iter().enumerate() {
            assert_ne!(flag.help.is_empty(), flag.instead.is_empty(), "{}", flag.long);
            let same =
                |other: &Flag| other.long == flag.long || (other.short == flag.short && flag.short != '\0');
            assert!(!FLAGS[n + 1..].iter().any(same), "{}", flag.long);
        }
    }
}
