//! Checks, both ways. The check of a pool holds for all its servers; a server's own replaces it.

use super::codes;
use super::desk::Desk;
use super::file::{Check, Connect, Http, ProbeKind, Script, Tls};
use super::talk;
use super::value::{Pause, Runs, Time};
use crate::config::model::{CheckConfig, Command, Counter, Expect, HttpProbe, Probe, Schedule, TlsProbe};
use crate::id::CheckId;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

/// The most bytes of one check's request and expectation: each checked server gets a copy.
pub(super) const MAX_REQUEST: usize = 8192;
/// Between two runs unless told otherwise.
const EVERY: Duration = Duration::from_secs(2);
/// Failures to go down and successes to go up unless told otherwise: haproxy's.
const FALL: u32 = 3;
/// Successes to go up.
const RISE: u32 = 2;

/// `value`, unless it is the default.
pub(super) fn unless<T: PartialEq>(value: T, default: T) -> Option<T> {
    (value != default).then_some(value)
}

/// The configured check; `own` is where its server listens, `at` what to blame. `None` when an error was told.
pub(super) fn lower(
    desk: &mut Desk<'_>,
    check: &Check,
    own: Option<SocketAddr>,
    id: CheckId,
    name: &str,
    at: &Range<usize>,
) -> Option<CheckConfig> {
    let every = check.every.map_or(EVERY, |time| time.0);
    let timeout = check.timeout.map_or(every, |time| time.0);
    let probe = probe(desk, check, own, timeout, at)?;
    let counter = match &check.script {
        Some(script) => Counter::Script { init_fail: script.start_failed.unwrap_or(false) },
        None => Counter::Server,
    };
    Some(CheckConfig {
        id,
        name: Arc::from(name),
        probe: Arc::new(probe),
        schedule: Schedule {
            interval: every,
            fast: check.every_changing.map_or(every, |time| time.0),
            down: check.every_down.map_or(every, |time| time.0),
            timeout,
        },
        counter,
        rise: check.rise.map_or(RISE, |runs| runs.0),
        fall: check.fall.map_or(FALL, |runs| runs.0),
    })
}

fn probe(
    desk: &mut Desk<'_>,
    check: &Check,
    own: Option<SocketAddr>,
    timeout: Duration,
    at: &Range<usize>,
) -> Option<Probe> {
    let wrong = match check.kind {
        ProbeKind::Script => {
            check.script.is_none() || check.http.is_some() || check.tls.is_some() || own.is_some()
        }
        ProbeKind::Tcp | ProbeKind::OldTlsHello => {
            check.script.is_some() || check.http.is_some() || check.tls.is_some()
        }
        ProbeKind::Tls => check.script.is_some() || check.http.is_some(),
        ProbeKind::Http => check.script.is_some(),
        ProbeKind::Talk => check.script.is_some() || check.http.is_some() || check.step.is_empty(),
    } || (check.kind != ProbeKind::Talk && !check.step.is_empty());
    if wrong {
        let message = "the check's `kind` and its tables do not go together".into();
        let help = "`script` goes with kind \"script\" (not for servers), `http` with \"http\", `tls` with \"tls\", \"http\" or \"talk\", `step` with \"talk\"";
        desk.error(codes::CONTRADICTION, at, message, Some(help.into()));
        return None;
    }
    if let Some(script) = &check.script {
        if script.argv.is_empty() {
            desk.error(codes::MISSING, at, "the script's `argv` is empty".into(), None);
            return None;
        }
        let user = script.user.as_deref().map(Arc::from);
        let command = Command { argv: script.argv.clone().into(), user };
        return Some(Probe::Script { broken: desk.broken(&command.argv), command });
    }
    if texts(check) > MAX_REQUEST {
        let message = format!("the check's texts are longer than {MAX_REQUEST} bytes together");
        desk.error(codes::TOO_MANY, at, message, None);
        return None;
    }
    let Some(to) = check.connect.as_ref().and_then(|connect| connect.to).or(own) else {
        let message = "the check needs `connect.to`, an address and a port".into();
        desk.error(codes::MISSING, at, message, None);
        return None;
    };
    let connect = check.connect.as_ref().and_then(|connect| connect.timeout).map_or(timeout, |time| time.0);
    let tls = check.tls.as_ref().map(tls_probe);
    match check.kind {
        ProbeKind::Script => None,
        ProbeKind::Tcp => Some(Probe::Tcp { to, connect }),
        ProbeKind::OldTlsHello => Some(Probe::SslHello { to, connect }),
        ProbeKind::Tls => Some(Probe::Tls { to, connect, tls: tls.unwrap_or_else(|| tls_probe(&NO_TLS)) }),
        ProbeKind::Talk => talk::probe(desk, &check.step, to, tls, connect, at),
        ProbeKind::Http => http_probe(desk, check.http.as_ref().unwrap_or(&NO_HTTP), to, connect, tls, at),
    }
}

/// Bytes of a check that each server gets a copy of.
fn texts(check: &Check) -> usize {
    let mut sum = 0_usize;
    let mut add = |text: &str| sum = sum.saturating_add(text.len()).saturating_add(8);
    if let Some(tls) = &check.tls {
        tls.name.iter().chain(&tls.alpn).for_each(|text| add(text));
    }
    if let Some(http) = &check.http {
        let own = [&http.method, &http.uri, &http.version, &http.body, &http.body_has, &http.body_has_not];
        own.into_iter().flatten().for_each(|text| add(text));
        http.headers.iter().flat_map(|(name, value)| [name, value]).for_each(|text| add(text));
        [&http.status, &http.status_not].into_iter().flatten().flatten().for_each(|text| add(text));
    }
    sum
}

/// All defaults.
const NO_TLS: Tls = Tls { verify: None, name: None, alpn: Vec::new(), roots: None };
/// All defaults.
const NO_HTTP: Http = Http {
    method: None,
    uri: None,
    version: None,
    headers: Vec::new(),
    body: None,
    status: None,
    status_not: None,
    body_has: None,
    body_has_not: None,
};

pub(super) fn tls_probe(tls: &Tls) -> TlsProbe {
    TlsProbe {
        verify: tls.verify.unwrap_or(true),
        roots: tls.roots.clone(),
        name: tls.name.clone(),
        alpn: tls.alpn.clone(),
    }
}

fn http_probe(
    desk: &mut Desk<'_>,
    http: &Http,
    to: SocketAddr,
    connect: Duration,
    tls: Option<TlsProbe>,
    at: &Range<usize>,
) -> Option<Probe> {
    let ranges =
        |list: &Option<Vec<String>>| list.as_ref().map(|list| list.iter().map(|text| range(text)).collect());
    let (good, bad): (Option<Option<Vec<_>>>, Option<Option<Vec<_>>>) =
        (ranges(&http.status), ranges(&http.status_not));
    if good == Some(None) || bad == Some(None) {
        let message = "a status is a code from 100 to 999 or a range such as \"200-299\"".into();
        desk.error(codes::BAD_STATUS, at, message, None);
        return None;
    }
    let expects = [
        good.flatten().map(|ranges| Expect::Status { ranges, negated: false }),
        bad.flatten().map(|ranges| Expect::Status { ranges, negated: true }),
        http.body_has.clone().map(|text| Expect::Body { text, negated: false }),
        http.body_has_not.clone().map(|text| Expect::Body { text, negated: true }),
    ];
    let mut expects = expects.into_iter().flatten();
    let expect = expects.next().unwrap_or(Expect::Default);
    if expects.next().is_some() {
        let message = "only one of status, status_not, body_has and body_has_not is looked at".into();
        desk.error(codes::CONTRADICTION, at, message, None);
        return None;
    }
    let or = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_string());
    Some(Probe::Http(HttpProbe {
        to,
        connect,
        tls,
        method: or(&http.method, "GET"),
        uri: or(&http.uri, "/"),
        version: or(&http.version, "HTTP/1.0"),
        headers: http.headers.clone(),
        body: or(&http.body, ""),
        expect,
    }))
}

fn range(text: &str) -> Option<(u16, u16)> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=999).contains(code));
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high)
}

/// The table of `check`; `own` is where its server listens.
pub(super) fn raise(check: &CheckConfig, own: Option<SocketAddr>) -> Check {
    let schedule = &check.schedule;
    let every = schedule.interval;
    let mut table = Check {
        kind: ProbeKind::Tcp,
        every: Some(Pause(every)),
        every_changing: unless(schedule.fast, every).map(Pause),
        every_down: unless(schedule.down, every).map(Pause),
        timeout: unless(schedule.timeout, every).map(Pause),
        rise: Some(Runs(check.rise)),
        fall: Some(Runs(check.fall)),
        connect: None,
        tls: None,
        http: None,
        script: None,
        step: Vec::new(),
    };
    let mut target = |to: SocketAddr, connect: Duration| {
        let to = (Some(to) != own).then_some(to);
        let timeout = unless(connect, schedule.timeout).map(Time);
        table.connect = (to.is_some() || timeout.is_some()).then_some(Connect { to, timeout });
    };
    match &*check.probe {
        Probe::Script { command, .. } => {
            table.kind = ProbeKind::Script;
            table.script = Some(Script {
                argv: command.argv.to_vec(),
                user: command.user.as_deref().map(String::from),
                start_failed: (check.counter == Counter::Script { init_fail: true }).then_some(true),
            });
        }
        Probe::Watch(_) => {} // a table of its own: `raise_watch`
        Probe::Tcp { to, connect } => target(*to, *connect),
        Probe::SslHello { to, connect } => {
            target(*to, *connect);
            table.kind = ProbeKind::OldTlsHello;
        }
        Probe::Tls { to, connect, tls } => {
            target(*to, *connect);
            table.kind = ProbeKind::Tls;
            table.tls = Some(tls_table(tls));
        }
        Probe::Talk(talk) => {
            target(talk.first.to, talk.connect);
            table.tls = talk.first.tls.as_ref().map(tls_table);
            table.kind = ProbeKind::Talk;
            table.step = talk::raise(talk);
        }
        Probe::Http(http) => {
            target(http.to, http.connect);
            table.kind = ProbeKind::Http;
            table.tls = http.tls.as_ref().map(tls_table);
            table.http = Some(http_table(http));
        }
    }
    table
}

pub(super) fn tls_table(tls: &TlsProbe) -> Tls {
    Tls { verify: Some(tls.verify), name: tls.name.clone(), alpn: tls.alpn.clone(), roots: tls.roots.clone() }
}

fn http_table(http: &HttpProbe) -> Http {
    let list = |ranges: &[(u16, u16)]| {
        let text =
            |(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}-{high}") };
        ranges.iter().map(text).collect::<Vec<String>>()
    };
    let mut table = Http {
        method: Some(http.method.clone()),
        uri: Some(http.uri.clone()),
        version: unless(http.version.as_str(), "HTTP/1.0").map(String::from),
        headers: http.headers.clone(),
        body: unless(http.body.as_str(), "").map(String::from),
        ..NO_HTTP
    };
    match &http.expect {
        Expect::Default => {}
        Expect::Status { ranges, negated: false } => table.status = Some(list(ranges)),
        Expect::Status { ranges, negated: true } => table.status_not = Some(list(ranges)),
        Expect::Body { text, negated: false } => table.body_has = Some(text.clone()),
        Expect::Body { text, negated: true } => table.body_has_not = Some(text.clone()),
    }
    table
}
