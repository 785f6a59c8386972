//! `status`, `resign`, `rejoin`, `drain`, `ready`, `weight`, `reload`: speaks to the running daemon over its local socket.
//!
//! One request, one answer. Exit code 0: done; 1: the daemon refused, and says why; 4: no daemon answers.

use crate::cli::{SocketArgs, StatusArgs};
use crate::text;
use standfast_io::control::{self, CLIENT_TIME, Reply, Report, Request, RouterReport, ServerReport};
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code for a daemon that does not answer.
const NOBODY: u8 = 4;

/// `standfast status`.
#[must_use]
pub fn status(args: &StatusArgs) -> ExitCode {
    match ask(&place(&args.at), &Request::Status) {
        Err(words) => nobody(&words),
        Ok(Reply { status: Some(report), .. }) if args.json => {
            text::out(&format!("{:#}\n", serde_json::json!(report)));
            ExitCode::SUCCESS
        }
        Ok(Reply { status: Some(report), .. }) => {
            text::out(&human(&report));
            ExitCode::SUCCESS
        }
        Ok(reply) => tell(&reply),
    }
}

/// Any other request.
#[must_use]
pub fn order(at: &SocketArgs, request: &Request) -> ExitCode {
    match ask(&place(at), request) {
        Err(words) => nobody(&words),
        Ok(reply) => tell(&reply),
    }
}

fn tell(reply: &Reply) -> ExitCode {
    if reply.ok {
        text::out(&reply.lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        return ExitCode::SUCCESS;
    }
    let lines = if reply.lines.is_empty() { "refused" } else { &reply.lines.join("\n") };
    text::err(&format!("standfast: {lines}\n"));
    ExitCode::FAILURE
}

fn nobody(words: &str) -> ExitCode {
    text::err(&format!("standfast: {words}\n"));
    ExitCode::from(NOBODY)
}

fn place(at: &SocketArgs) -> PathBuf {
    at.socket.as_ref().map_or_else(control::default_path, PathBuf::from)
}

/// Asks the daemon that listens at `path`.
///
/// # Errors
/// Nobody answers; what helps.
pub fn ask(path: &Path, request: &Request) -> Result<Reply, String> {
    let line = exchange(path, request).map_err(|error| {
        let path = path.display();
        let is = |kinds: [ErrorKind; 2]| kinds.contains(&error.kind());
        if is([ErrorKind::NotFound, ErrorKind::ConnectionRefused]) {
            format!(
                "no daemon answers at {path}; if one runs, name its socket by --socket FILE (its --socket)"
            )
        } else if error.kind() == ErrorKind::PermissionDenied {
            format!("{path}: only root and the daemon's own user may speak to it")
        } else if is([ErrorKind::WouldBlock, ErrorKind::TimedOut]) {
            format!(
                "{path}: the daemon does not answer; its log and `standfast record save` say what it does"
            )
        } else {
            format!("{path}: {error}")
        }
    })?;
    serde_json::from_str(&line).map_err(|_| {
        format!("{}: the answer is not that of a standfast of this version: {}", path.display(), line.trim())
    })
}

fn exchange(path: &Path, request: &Request) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    // A little longer than the daemon gives a client.
    stream.set_read_timeout(Some(CLIENT_TIME * 2))?;
    stream.set_write_timeout(Some(CLIENT_TIME))?;
    let mut bytes = serde_json::to_vec(request)?;
    bytes.push(b'\n');
    // A daemon that turns us away at once has closed already; its words are there to be read.
    match stream.write_all(&bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written?,
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    if line.is_empty() { Err(ErrorKind::ConnectionRefused.into()) } else { Ok(line) }
}

/// The report for people: a line for each thing, aligned.
fn human(report: &Report) -> String {
    let mut said = String::new();
    if report.stopping {
        said.push_str("the daemon is stopping\n");
    }
    let name =
        |router: &RouterReport| format!("{} ({}, VRID {})", router.name, router.interface, router.vrid);
    let width = report.routers.iter().map(|router| name(router).chars().count()).max().unwrap_or(0);
    for router in &report.routers {
        let _ = writeln!(said, "{:width$}  {}", name(router), of_router(router));
    }
    let name = |server: &ServerReport| format!("{}/{}", server.pool, server.name);
    let width = report.servers.iter().map(|server| name(server).chars().count()).max().unwrap_or(0);
    for server in &report.servers {
        let ServerReport { state, weight, connections, .. } = server;
        let _ = writeln!(
            said,
            "{:width$}  {state:10}  weight {weight}, {connections} open connections",
            name(server)
        );
    }
    if said.is_empty() {
        said.push_str("no virtual router and no server in the daemon's files\n");
    }
    if !report.strays.is_empty() {
        let strays: Vec<String> = report.strays.iter().map(|(why, n)| format!("{why} {n}")).collect();
        let _ = writeln!(said, "VRRP packets for no virtual router of this node: {}", strays.join(", "));
    }
    said
}

fn of_router(router: &RouterReport) -> String {
    let mut said = format!("{:6} for {}, priority {}", router.role, span(router.for_ms), router.priority);
    if router.priority != router.base_priority {
        let _ = write!(said, " (configured {})", router.base_priority);
    }
    if !router.holds.is_empty() {
        let _ = write!(said, ", holds {}", router.holds.join(" "));
    }
    if let Some(master) = &router.master {
        let _ = write!(said, "; hears {} with priority {}", master.address, master.priority);
        // Advertisements come every second or so; what is older is worth a number.
        if master.heard_ms >= 10_000 {
            let _ = write!(said, ", last {} ago", span(master.heard_ms));
        }
    }
    for fault in &router.faults {
        let _ = write!(said, "; {fault}");
    }
    said
}

/// `4 s`, `3 min 12 s`, `5 h 2 min`, `12 d 5 h`.
fn span(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_io::control::MasterReport;

    #[test]
    fn the_report_reads_as_a_table_with_reasons() {
        let router = |name: &str, role: &str| RouterReport {
            name: name.into(),
            interface: "eth0".into(),
            vrid: 51,
            role: role.into(),
            for_ms: 192_000,
            priority: 101,
            base_priority: 101,
            master: None,
            faults: Vec::new(),
            holds: Vec::new(),
        };
        let master = RouterReport { holds: vec!["192.0.2.100/32".into()], ..router("VI_1", "MASTER") };
        let away = RouterReport {
            master: Some(MasterReport { address: "192.0.2.12".into(), priority: 100, heard_ms: 65_000 }),
            faults: vec!["away by order".into()],
            priority: 99,
            ..router("VI_22", "INIT")
        };
        let server = ServerReport {
            pool: "api".into(),
            name: "cp1".into(),
            state: "DRAIN".into(),
            usable: false,
            weight: 1,
            connections: 12,
        };
        let report = Report {
            routers: vec![master, away],
            servers: vec![server],
            strays: [("unknown_vrid".to_owned(), 3)].into(),
            ..Report::default()
        };
        assert_eq!(
            human(&report),
            "VI_1 (eth0, VRID 51)   MASTER for 3 min 12 s, priority 101, holds 192.0.2.100/32\n\
             VI_22 (eth0, VRID 51)  INIT   for 3 min 12 s, priority 99 (configured 101); hears 192.0.2.12 with priority 100, last 1 min 5 s ago; away by order\n\
             api/cp1  DRAIN       weight 1, 12 open connections\n\
             VRRP packets for no virtual router of this node: unknown_vrid 3\n"
        );
    }

    #[test]
    fn a_span_names_its_two_largest_units() {
        let cases = [
            (999, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min 0 s"),
            (3_600_000, "1 h 0 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (millis, wanted) in cases {
            assert_eq!(span(millis), wanted);
        }
    }
}
