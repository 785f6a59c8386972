//! `log` lines: where lines go, in which frame, how urgent.

use super::address::{self, Ports};
use super::codes;
use super::lex::{Line, Prefix};
use super::reader::{At, Reader};
use crate::config::model::{LogFormat, LogTarget, LogTo};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::SocketAddr;

/// The most log targets of a section.
pub(super) const MAX_TARGETS: usize = 32;

/// Syslog facilities, by number.
pub(super) const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Syslog levels, by number.
pub(super) const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// `log global`, `log ADDRESS [len N] [format F] FACILITY [LEVEL [MINLEVEL]]`, `no log`.
pub(super) fn log(reader: &mut Reader<'_>, line: &Line) {
    if line.prefix == Prefix::No {
        reader.ends(line, 1);
        if matches!(reader.at, At::Global) {
            reader.node.log.clear();
        } else {
            reader.draft().logging.targets = Arc::default();
        }
        return;
    }
    if !reader.needs(line, 1, "an address") {
        return;
    }
    if line.word(1) == "global" {
        if matches!(reader.at, At::Global) {
            let message = "`log global` has no meaning in the global section".into();
            return reader.error(codes::MISPLACED, line, 1, message, None);
        }
        reader.ends(line, 2);
        // As haproxy: what `global` says so far, not what a later global section may add.
        let global = reader.node.log.clone();
        return add(reader, line, &global);
    }
    if let Some(target) = target(reader, line) {
        add(reader, line, &[target]);
    }
}

fn add(reader: &mut Reader<'_>, line: &Line, more: &[LogTarget]) {
    let global = matches!(reader.at, At::Global);
    let have = if global { reader.node.log.len() } else { reader.draft().logging.targets.len() };
    if have + more.len() > MAX_TARGETS {
        let message = format!("more than {MAX_TARGETS} log targets");
        return reader.error(codes::TOO_MANY, line, 0, message, None);
    }
    if global {
        reader.node.log.extend_from_slice(more);
    } else {
        Arc::make_mut(&mut reader.draft().logging.targets).extend_from_slice(more);
    }
}

fn target(reader: &mut Reader<'_>, line: &Line) -> Option<LogTarget> {
    let to = to(reader, line)?;
    let mut target = LogTarget { to, format: LogFormat::Local, facility: 0, level: 7, length: 1024 };
    let mut index = 2;
    loop {
        match line.word(index) {
            "len" => {
                let length = reader.number(line, index + 1, 80, 65_535)?;
                target.length = u16::try_from(length).unwrap_or(u16::MAX);
            }
            "format" => target.format = format_of(reader, line, index + 1)?,
            "sample" => {
                let message = "`sample` has no effect: this target gets every line".into();
                reader.warn(codes::NO_EFFECT, line, index, message, None);
            }
            "profile" => {
                let message = "`profile` has no effect: log lines have haproxy's own forms".into();
                reader.warn(codes::NO_EFFECT, line, index, message, None);
            }
            _ => break,
        }
        index += 2;
    }
    if !reader.needs(line, index, "a facility such as local0") {
        return None;
    }
    target.facility = one_of(reader, line, index, &FACILITIES, "syslog facility")?;
    if line.words.len() > index + 1 {
        target.level = one_of(reader, line, index + 1, &LEVELS, "syslog level")?;
    }
    if line.words.len() > index + 2 {
        one_of(reader, line, index + 2, &LEVELS, "syslog level")?;
        let message = "the minimum level has no effect: urgent lines keep their level".into();
        reader.warn(codes::NO_EFFECT, line, index + 2, message, None);
    }
    reader.ends(line, index + 3);
    Some(target)
}

fn one_of(reader: &mut Reader<'_>, line: &Line, index: usize, all: &[&str], what: &str) -> Option<u8> {
    let word = line.word(index);
    if let Some(at) = all.iter().position(|known| *known == word) {
        return u8::try_from(at).ok();
    }
    let help = reader.near(word, all.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let message = format!("`{word}` is not a {what}");
    reader.error(codes::BAD_VALUE, line, index, message, help.as_deref());
    None
}

fn format_of(reader: &mut Reader<'_>, line: &Line, index: usize) -> Option<LogFormat> {
    match line.word(index) {
        "local" => Some(LogFormat::Local),
        "rfc3164" => Some(LogFormat::Rfc3164),
        "rfc5424" => Some(LogFormat::Rfc5424),
        "short" => Some(LogFormat::Short),
        "raw" => Some(LogFormat::Raw),
        other @ ("priority" | "timed" | "iso") => {
            let message =
                format!("log format `{other}` is not served: programs that read the lines would not find it");
            reader.error(codes::REFUSED, line, index, message, Some("use short, raw, rfc3164 or rfc5424"));
            None
        }
        other => {
            let message = format!("`{other}` is not a log format");
            let help = Some("the formats are local, rfc3164, rfc5424, short and raw");
            reader.error(codes::BAD_VALUE, line, index, message, help);
            None
        }
    }
}

fn to(reader: &mut Reader<'_>, line: &Line) -> Option<LogTo> {
    let text = line.word(1);
    match text {
        "stdout" | "fd@1" => return Some(LogTo::Stdout),
        "stderr" | "fd@2" => return Some(LogTo::Stderr),
        _ => {}
    }
    let path = text.strip_prefix("unix@").or_else(|| text.strip_prefix("uxdg@")).unwrap_or(text);
    if path.starts_with('/') {
        return Some(LogTo::Unix(String::from(path)));
    }
    let refused = ["ring@", "fd@", "abns@", "sockpair@", "tcp@", "tcp4@", "tcp6@"];
    if let Some(kind) = refused.iter().find(|kind| text.starts_with(**kind)) {
        let message =
            format!("log targets of the kind `{kind}...` are not served: their lines would be lost");
        reader.error(codes::REFUSED, line, 1, message, Some("use a path, stdout, stderr or ADDRESS:PORT"));
        return None;
    }
    let plain = ["udp@", "udp4@", "udp6@"].iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    let (host, ports) = address::parse(reader, line, 1, plain)?;
    match ports {
        Ports::None => Some(LogTo::Udp(SocketAddr::new(host, 514))),
        Ports::Range(low, high) if low == high => Some(LogTo::Udp(SocketAddr::new(host, low))),
        Ports::Range(..) | Ports::Offset => {
            reader.error(codes::BAD_PORT, line, 1, "a log target has one port".into(), None);
            None
        }
    }
}
