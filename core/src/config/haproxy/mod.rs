//! haproxy.cfg: frontends, backends and their health checks, with haproxy 2.6's meaning.
//!
//! `lex` makes words of lines, `keywords` says for every keyword what is done with it (one entry each), `section`,
//! `settings`, `balance`, `server`, `check`, `logging` and `global` keep what the lines say, and `lower` makes the model of it
//! when all is known. Nothing is skipped in silence: a keyword takes effect, has none in haproxy's TCP mode either,
//! or is named with the effect of leaving it out. All findings come in one pass.

mod address;
mod balance;
mod check;
pub mod codes;
mod draft;
mod global;
mod hints;
mod keywords;
mod lex;
mod logging;
mod lower;
mod probe;
mod reader;
mod section;
mod server;
mod settings;
mod talk;
mod value;

use super::finding::{Code, Finding, Findings, Severity, Span};
use super::load::Options;
use super::model::{Config, NodeConfig};
use super::source::{MemorySource, ReadError, Source};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use reader::{At, Reader};

pub use codes::explain;

/// Reads `path` into `config`: its frontends, pools, server checks, and what concerns the process.
pub fn read(
    path: &str,
    source: &dyn Source,
    config: &mut Config,
    findings: &mut Findings,
    _options: &Options,
) {
    let bytes = match source.read(path) {
        Ok(bytes) => bytes,
        Err(why) => return findings.push(unreadable(path, &why)),
    };
    let mut reader = Reader {
        file: Arc::from(path),
        source,
        findings: Findings::default(),
        env: BTreeMap::new(),
        node: NodeConfig::default(),
        global: global::Global::default(),
        at: At::Nowhere,
        preset: draft::Draft::default(),
        named: BTreeMap::new(),
        proxies: Vec::new(),
        count: section::Count::default(),
    };
    lines(&mut reader, &bytes);
    if matches!(reader.at, At::Defaults(_)) {
        section::close_defaults(&mut reader);
    }
    lower::lower(&mut reader, config);
    findings.append(reader.findings.in_order());
}

/// Where everything stands: a row for each line of each section, by its keyword, and by keyword and first argument.
/// Words are told apart by blanks alone: good enough to point at.
#[must_use]
pub fn outline(path: &str, source: &dyn Source) -> Vec<super::lint::place::Row> {
    let bytes = source.read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut rows = Vec::new();
    let mut section = String::new();
    for (line, number) in text.lines().zip(1_u32..) {
        let code = line.split('#').next().unwrap_or("");
        let words: Vec<&str> = code.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        let shown = words.get(1).unwrap_or(first);
        let from = code.find(first).map_or(0, |at| at + first.len());
        let at = code[from..].find(shown).map_or(0, |at| from + at);
        let at = if words.len() > 1 { at } else { from - first.len() };
        let column = u32::try_from(code[..at].chars().count()).unwrap_or(0) + 1;
        let width = u32::try_from(shown.chars().count()).unwrap_or(1);
        let span = Span { file: Arc::from(path), line: number, column, width, text: reader::shown(line) };
        if ["global", "defaults", "frontend", "backend", "listen"].contains(first) {
            section = words[..words.len().min(2)].join(" ");
            rows.push((section.clone(), String::new(), span));
        } else {
            rows.push((section.clone(), (*first).into(), span.clone()));
            rows.push((section.clone(), format!("{first} {shown}"), span));
        }
    }
    rows
}

fn lines(reader: &mut Reader<'_>, bytes: &[u8]) {
    let (mut number, mut crlf) = (0_u32, false);
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        number = number.saturating_add(1);
        let Some(raw) = raw.strip_suffix(b"\n") else {
            let text = String::from_utf8_lossy(&raw[..raw.len().min(lex::MAX_LINE)]);
            let shown = reader::shown(&text);
            let width = u32::try_from(shown.chars().count()).unwrap_or(1);
            let span = reader.span_of(number, &shown, 1, width);
            let message = "the last line has no line feed: the file may have been cut off";
            let help = Some("end the file with an empty line");
            reader.say(Severity::Error, codes::TRUNCATED, span, message.into(), help);
            line(reader, number, raw);
            break;
        };
        if raw.ends_with(b"\r") && !crlf {
            crlf = true;
            let span = reader.span_of(
                number,
                &reader::shown(&String::from_utf8_lossy(&raw[..raw.len().min(lex::MAX_LINE)])),
                1,
                1,
            );
            let message = "lines end in CR LF; the CR is read as a blank".into();
            reader.say(Severity::Note, codes::CRLF, span, message, None);
        }
        line(reader, number, raw);
    }
}

fn line(reader: &mut Reader<'_>, number: u32, raw: &[u8]) {
    let (code, message) = if raw.len() > lex::MAX_LINE {
        (codes::LINE_TOO_LONG, format!("this line is longer than {} bytes", lex::MAX_LINE))
    } else if raw.contains(&0) {
        (codes::NUL_BYTE, "this line holds a NUL byte".into())
    } else {
        return reader.line(number, raw);
    };
    let text = String::from_utf8_lossy(&raw[..raw.len().min(lex::MAX_LINE)]);
    let column = text.chars().position(|c| c == '\0').map_or(1, |at| u32::try_from(at).unwrap_or(0) + 1);
    let shown = reader::shown(&text);
    let span = reader.span_of(number, &shown, column, 1);
    reader.say(Severity::Error, code, span, message, None);
}

fn unreadable(path: &str, why: &ReadError) -> Finding {
    let (message, help) = match why {
        ReadError::Missing => ("there is no such file".into(), None),
        ReadError::NotRegular(what) => (format!("this is not a file that can be read: {what}"), None),
        ReadError::TooLarge => {
            (format!("the file is larger than {} MiB", super::source::MAX_FILE / 1024 / 1024), None)
        }
        ReadError::Refused(why) => {
            (format!("the file cannot be read: {why}"), Some("see its owner and mode".into()))
        }
    };
    let code: Code = codes::UNREADABLE;
    Finding { severity: Severity::Error, code, span: Span::whole(path), message, help }
}

/// Reads any bytes as a haproxy.cfg; for fuzzing.
///
/// # Panics
/// When a configuration without errors comes out that refers to something it does not hold.
pub fn fuzz_haproxy(bytes: &[u8]) {
    let source = MemorySource::with("haproxy.cfg", bytes);
    let (mut config, mut findings) = (Config::default(), Findings::default());
    read("haproxy.cfg", &source, &mut config, &mut findings, &Options::default());
    for finding in findings.list() {
        assert!(explain(finding.code).is_some(), "{finding}");
    }
    if findings.errors() > 0 {
        return;
    }
    for frontend in config.frontends.values() {
        assert!(frontend.pool.is_none_or(|pool| config.pools.contains_key(&pool)), "{}", frontend.name);
    }
    for server in config.pools.values().flat_map(|pool| &pool.servers) {
        assert!(server.check.is_none_or(|check| config.checks.contains_key(&check)), "{}", server.name);
    }
}
