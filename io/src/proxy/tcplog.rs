//! haproxy's line for one TCP session (`option tcplog`), and its line at accept when no format was asked for.

use crate::linux::sys::calendar;
use standfast_core::session::Report;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Connections open when the line is written, this one included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Of the process.
    pub process: u32,
    /// Of the listening side.
    pub frontend: u32,
    /// Of the pool.
    pub pool: u32,
    /// Of the server.
    pub server: u32,
}

/// What the line needs beyond the session's report.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// The client.
    pub client: SocketAddr,
    /// When it was accepted.
    pub accepted: SystemTime,
    /// The listening side's name.
    pub frontend: &'a str,
    /// The pool's name; the listening side's own when there is none.
    pub pool: &'a str,
    /// Connections open.
    pub open: Open,
}

/// `dd/Mon/yyyy:hh:mm:ss.mmm`, local time.
fn date(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let c = calendar(i64::try_from(since.as_secs()).unwrap_or(0));
    let month = MONTHS.get(c.month).copied().unwrap_or("Jan");
    let (day, year, hour, minute, second) = (c.day, c.year, c.hour, c.minute, c.second);
    format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02}.{:03}", since.subsec_millis())
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(|| "-1".into(), |time| time.as_millis().to_string())
}

/// The line of `option tcplog`, without frame.
#[must_use]
pub fn tcplog(line: &Line<'_>, report: &Report) -> String {
    let server = report.server.as_ref().map_or("<NOSRV>", |(_, name)| &**name);
    let Open { process, frontend, pool, server: on_server } = line.open;
    format!(
        "{} [{}] {} {}/{server} {}/{}/{} {} {} {process}/{frontend}/{pool}/{on_server}/{}{} 0/0",
        line.client,
        date(line.accepted),
        line.frontend,
        line.pool,
        millis(report.waited),
        millis(report.connect),
        report.total.as_millis(),
        report.to_client,
        report.code,
        if report.redispatched { "+" } else { "" },
        report.retries,
    )
}

/// The line at accept without `option tcplog`.
#[must_use]
pub fn connect_line(client: SocketAddr, local: SocketAddr, frontend: &str) -> String {
    let (from, from_port, to, to_port) = (client.ip(), client.port(), local.ip(), local.port());
    format!("Connect from {from}:{from_port} to {to}:{to_port} ({frontend}/TCP)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::id::ServerId;
    use standfast_core::session::{Cause, Code, Phase};

    fn line(report: &Report) -> String {
        let line = Line {
            client: "192.0.2.50:40000".parse().unwrap(),
            accepted: UNIX_EPOCH + Duration::from_millis(86_400_123),
            frontend: "apiserver",
            pool: "apiserverbackend",
            open: Open { process: 1, frontend: 1, pool: 0, server: 0 },
        };
        let text = tcplog(&line, report);
        let (head, rest) = text.split_once('[').unwrap();
        assert_eq!(head, "192.0.2.50:40000 ");
        let (date, rest) = rest.split_once("] ").unwrap();
        assert!(date.ends_with(".123") && date.contains("/Jan/1970:"), "{date}");
        rest.into()
    }

    fn report() -> Report {
        Report {
            server: Some((ServerId(1), "cp1".into())),
            code: Code::NORMAL,
            waited: Some(Duration::from_millis(1)),
            connect: Some(Duration::ZERO),
            total: Duration::from_millis(7),
            from_client: 10,
            from_server: 212,
            to_client: 212,
            retries: 1,
            redispatched: true,
        }
    }

    #[test]
    fn a_redispatched_session_reads_as_haproxy_writes_it() {
        assert_eq!(line(&report()), "apiserver apiserverbackend/cp1 1/0/7 212 -- 1/1/0/0/+1 0/0");
    }

    #[test]
    fn a_session_without_a_server_says_so() {
        let code = Code { cause: Cause::Server, phase: Phase::Connect };
        let nobody = Report {
            server: None,
            code,
            waited: None,
            connect: None,
            total: Duration::ZERO,
            to_client: 0,
            retries: 0,
            redispatched: false,
            ..report()
        };
        assert_eq!(line(&nobody), "apiserver apiserverbackend/<NOSRV> -1/-1/0 0 SC 1/1/0/0/0 0/0");
    }

    #[test]
    fn the_line_at_accept_names_both_ends() {
        let text =
            connect_line("127.0.0.1:47200".parse().unwrap(), "127.0.0.1:18146".parse().unwrap(), "dfl");
        assert_eq!(text, "Connect from 127.0.0.1:47200 to 127.0.0.1:18146 (dfl/TCP)");
    }
}
