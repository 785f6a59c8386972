//! The keywords of `defaults`, `frontend`, `backend` and `listen` that take effect, except `server` and checks.

use super::address::{self, Ports};
use super::codes;
use super::draft::{LineFormat, Named, ProxyKind, Timed};
use super::lex::{Line, Prefix};
use super::reader::Reader;
use crate::config::model::{Bind, Redispatch};
use alloc::format;
use core::net::SocketAddr;
use core::time::Duration;

/// The most listening addresses of a file, port ranges counted one by one.
pub(super) const MAX_BINDS: usize = 4096;

pub(super) fn mode(reader: &mut Reader<'_>, line: &Line) {
    let http = match line.word(1) {
        "tcp" => None,
        "http" => Some(reader.at(line, 0)),
        other => {
            let message = format!("`{other}` is not a mode that is served");
            return reader.error(codes::BAD_VALUE, line, 1, message, Some("write `mode tcp`"));
        }
    };
    reader.ends(line, 2);
    reader.draft().http = http;
}

pub(super) fn default_backend(reader: &mut Reader<'_>, line: &Line) {
    if reader.needs(line, 1, "the name of a backend") {
        let at = reader.at(line, 1);
        reader.draft().backend = Some(Named { name: line.word(1).into(), at });
        reader.ends(line, 2);
    }
}

/// `use_backend NAME` without a condition; the first one wins.
pub(super) fn use_backend(reader: &mut Reader<'_>, line: &Line) {
    if !reader.needs(line, 1, "the name of a backend") {
        return;
    }
    if line.words.len() > 2 {
        let message =
            "`use_backend` with a condition is not served: connections would go to the wrong backend".into();
        return reader.error(codes::REFUSED, line, 2, message, Some("use one frontend for each backend"));
    }
    let at = reader.at(line, 1);
    if let Some(proxy) = reader.proxies.last_mut() {
        proxy.first.get_or_insert(Named { name: line.word(1).into(), at });
    }
}

pub(super) fn retries(reader: &mut Reader<'_>, line: &Line) {
    if let Some(number) = reader.number(line, 1, 0, 1_000_000) {
        reader.draft().retries = number;
    }
    reader.ends(line, 2);
}

pub(super) fn maxconn(reader: &mut Reader<'_>, line: &Line) {
    if let Some(number) = reader.number(line, 1, 0, 10_000_000) {
        reader.draft().max_connections = number;
    }
    reader.ends(line, 2);
}

pub(super) fn disabled(reader: &mut Reader<'_>, line: &Line) {
    reader.draft().disabled = line.word(0) == "disabled";
}

/// `timeout NAME TIME`; `0` is for ever.
pub(super) fn timeout(reader: &mut Reader<'_>, line: &Line) {
    const KNOWN: [&str; 13] = [
        "connect",
        "client",
        "server",
        "check",
        "queue",
        "tunnel",
        "http-request",
        "http-keep-alive",
        "tarpit",
        "client-fin",
        "server-fin",
        "client-hs",
        "http",
    ];
    if !reader.needs(line, 1, "which timeout") {
        return;
    }
    let name = line.word(1);
    if !KNOWN.contains(&name) {
        let help = reader.near(name, KNOWN).map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{name}` is not a timeout");
        return reader.error(codes::UNKNOWN_KEYWORD, line, 1, message, help.as_deref());
    }
    let kind = reader.kind();
    let place = match name {
        "client" | "client-fin" => kind != ProxyKind::Backend,
        "connect" | "server" | "check" | "queue" | "tunnel" | "server-fin" => kind != ProxyKind::Frontend,
        _ => true,
    };
    if !place {
        let message = format!("`timeout {name}` has no effect in a {} section", kind.as_str());
        reader.warn(codes::MISPLACED, line, 1, message, None);
    }
    let Some(time) = reader.time(line, 2) else { return };
    reader.ends(line, 3);
    let at = reader.at(line, 0);
    let some = (time != Duration::ZERO).then_some(time);
    let timed = some.map(|value| Timed { value, at });
    let timeouts = &mut reader.draft().timeouts;
    match name {
        "connect" => timeouts.connect = some,
        "check" => timeouts.check = some,
        "client" => timeouts.client = timed,
        "server" => timeouts.server = timed,
        "tunnel" => timeouts.tunnel = timed,
        "client-fin" | "server-fin" => {
            let side = name.trim_end_matches("-fin");
            let message =
                format!("`timeout {name}` has no effect: half-closed connections end by `timeout {side}`");
            reader.warn(codes::NO_EFFECT, line, 1, message, None);
        }
        // Nobody waits in a queue, and the rest is about HTTP: without effect as in haproxy's TCP mode.
        _ => {}
    }
}

pub(super) fn tcplog(reader: &mut Reader<'_>, _line: &Line) {
    reader.draft().logging.format = LineFormat::Tcp;
}

pub(super) fn httplog(reader: &mut Reader<'_>, line: &Line) {
    let at = reader.at(line, 1);
    reader.draft().logging.format = LineFormat::Http(at);
}

pub(super) fn dontlognull(reader: &mut Reader<'_>, line: &Line) {
    reader.draft().logging.dont_log_null = line.prefix != Prefix::No;
}

pub(super) fn forwardfor(reader: &mut Reader<'_>, line: &Line) {
    let at = reader.at(line, 1);
    reader.draft().forward = Some(at);
}

/// `option redispatch [interval]`.
pub(super) fn redispatch(reader: &mut Reader<'_>, line: &Line) {
    let value = match (line.prefix, line.word(2)) {
        (Prefix::No | Prefix::Default, _) | (Prefix::None, "0") => Redispatch::Never,
        (Prefix::None, "" | "-1") => Redispatch::Last,
        (Prefix::None, text) => match text.parse::<i32>() {
            Ok(every) if every > 0 => Redispatch::Every(every.unsigned_abs()),
            Ok(_) => {
                let message =
                    "an interval below -1 is not served: retries would move to another server too late";
                return reader.error(
                    codes::REFUSED,
                    line,
                    2,
                    message.into(),
                    Some("use -1 or a positive number"),
                );
            }
            Err(_) => {
                let message = format!("`{text}` is not a number");
                return reader.error(codes::BAD_NUMBER, line, 2, message, None);
            }
        },
    };
    reader.ends(line, 3);
    reader.draft().redispatch = value;
}

/// `bind ADDRESS[,ADDRESS]... PARAMS`.
pub(super) fn bind(reader: &mut Reader<'_>, line: &Line) {
    if !reader.needs(line, 1, "an address and a port") {
        return;
    }
    let mut like =
        Bind { at: SocketAddr::from(([0, 0, 0, 0], 0)), free: false, interface: None, both_families: false };
    bind_params(reader, line, &mut like);
    for part in line.word(1).split(',').take(MAX_BINDS) {
        let Some((host, ports)) = address::parse(reader, line, 1, part) else { continue };
        match ports {
            Ports::Range(low, high) => {
                for port in low..=high {
                    if !one_bind(reader, line, Bind { at: SocketAddr::new(host, port), ..like.clone() }) {
                        return;
                    }
                }
            }
            Ports::None | Ports::Offset => {
                let message = format!("the port is missing in `{part}`");
                reader.error(
                    codes::BAD_PORT,
                    line,
                    1,
                    message,
                    Some("write ADDRESS:PORT, or *:PORT for every address"),
                );
            }
        }
    }
}

fn one_bind(reader: &mut Reader<'_>, line: &Line, bind: Bind) -> bool {
    reader.count.binds += 1;
    if reader.count.binds > MAX_BINDS {
        if reader.count.binds == MAX_BINDS + 1 {
            let message = format!("more than {MAX_BINDS} listening addresses");
            reader.error(codes::TOO_MANY, line, 1, message, None);
        }
        return false;
    }
    let at = reader.at(line, 1);
    if let Some(proxy) = reader.proxies.last_mut() {
        proxy.binds.push((bind, at));
    }
    true
}

/// What is done with a parameter of `bind`.
enum BindDo {
    Free,
    Interface,
    Both,
    Accept,
    Warn(&'static str),
    Refuse(&'static str),
}

/// Parameters of `bind`: name, words that follow, what is done.
const BIND: &[(&str, usize, BindDo)] = &[
    ("transparent", 0, BindDo::Free),
    ("interface", 1, BindDo::Interface),
    ("v4v6", 0, BindDo::Both),
    ("v6only", 0, BindDo::Accept),
    ("name", 1, BindDo::Accept),
    ("id", 1, BindDo::Accept),
    ("guid", 1, BindDo::Accept),
    ("nice", 1, BindDo::Accept),
    ("process", 1, BindDo::Accept),
    ("thread", 1, BindDo::Accept),
    ("shards", 1, BindDo::Accept),
    ("backlog", 1, BindDo::Warn("the process' own backlog is used")),
    (
        "maxconn",
        1,
        BindDo::Refuse("the limit of this address would not hold; `maxconn` of the frontend does"),
    ),
    ("mss", 1, BindDo::Warn("the kernel's own segment size is used")),
    ("tcp-ut", 1, BindDo::Warn("the kernel's own limit for unacknowledged data is used")),
    ("defer-accept", 0, BindDo::Warn("connections are taken before their first byte")),
    ("tfo", 0, BindDo::Warn("no data is taken in the first segment")),
    ("accept-proxy", 0, BindDo::Refuse("the PROXY header would be sent on to the server as data")),
    ("accept-netscaler-cip", 1, BindDo::Refuse("the client header would be sent on to the server as data")),
    ("ssl", 0, BindDo::Refuse("TLS does not end here; TCP mode passes it on to the servers")),
    ("crt", 1, BindDo::Accept),
    ("crt-list", 1, BindDo::Accept),
    ("ca-file", 1, BindDo::Accept),
    ("verify", 1, BindDo::Accept),
    ("alpn", 1, BindDo::Accept),
    ("npn", 1, BindDo::Accept),
    ("ciphers", 1, BindDo::Accept),
    ("ciphersuites", 1, BindDo::Accept),
    ("ssl-min-ver", 1, BindDo::Accept),
    ("ssl-max-ver", 1, BindDo::Accept),
    ("no-sslv3", 0, BindDo::Accept),
    ("no-tlsv10", 0, BindDo::Accept),
    ("no-tlsv11", 0, BindDo::Accept),
    ("no-tls-tickets", 0, BindDo::Accept),
    ("namespace", 1, BindDo::Refuse("the address would be bound in another network namespace")),
    ("proto", 1, BindDo::Accept),
    ("mode", 1, BindDo::Accept),
    ("user", 1, BindDo::Accept),
    ("group", 1, BindDo::Accept),
    ("uid", 1, BindDo::Accept),
    ("gid", 1, BindDo::Accept),
    ("level", 1, BindDo::Accept),
    ("expose-fd", 1, BindDo::Accept),
    ("severity-output", 1, BindDo::Accept),
];

fn bind_params(reader: &mut Reader<'_>, line: &Line, bind: &mut Bind) {
    let mut index = 2;
    while index < line.words.len() {
        let word = line.word(index);
        let Some((_, takes, act)) = BIND.iter().find(|(name, _, _)| *name == word) else {
            let help = reader.near(word, BIND.iter().map(|(name, _, _)| *name));
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{word}` is not a parameter of `bind`");
            return reader.error(codes::UNKNOWN_KEYWORD, line, index, message, help.as_deref());
        };
        if line.words.len() <= index + takes {
            let message = format!("`{word}` needs a value");
            return reader.error(codes::MISSING_ARGUMENT, line, index + 1, message, None);
        }
        match act {
            BindDo::Free => bind.free = true,
            BindDo::Interface => bind.interface = Some(line.word(index + 1).into()),
            BindDo::Both => bind.both_families = true,
            BindDo::Accept => {}
            BindDo::Warn(effect) => {
                let message = format!("`{word}` has no effect: {effect}");
                reader.warn(codes::NO_EFFECT, line, index, message, None);
            }
            BindDo::Refuse(effect) => {
                let message = format!("`{word}` is not served: {effect}");
                reader.error(codes::REFUSED, line, index, message, None);
            }
        }
        index += 1 + takes;
    }
}
