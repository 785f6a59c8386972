//! Section headers: `global`, `defaults [name] [from other]`, the proxies, and the sections that are not ours.

use super::codes;
use super::draft::{Draft, Proxy, ProxyKind};
use super::lex::{Line, Prefix};
use super::reader::{At, Reader};
use super::value;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The most proxies and named defaults of a file.
pub(super) const MAX_PROXIES: usize = 4096;

/// How many things of the whole file were seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) servers: usize,
    pub(super) binds: usize,
    pub(super) proxies: usize,
}

/// What a section header starts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Header {
    Global,
    Proxy(ProxyKind),
    /// Read over without a word.
    Accept,
    /// Read over; the effect.
    Warn(&'static str),
    /// Refused; the effect.
    Refuse(&'static str),
}

/// Every section of haproxy 2.0 to 3.4.
pub(super) const NAMES: &[(&str, Header)] = &[
    ("global", Header::Global),
    ("defaults", Header::Proxy(ProxyKind::Defaults)),
    ("frontend", Header::Proxy(ProxyKind::Frontend)),
    ("backend", Header::Proxy(ProxyKind::Backend)),
    ("listen", Header::Proxy(ProxyKind::Listen)),
    ("userlist", Header::Accept),
    ("peers", Header::Refuse("tables would not be shared with the other nodes")),
    ("resolvers", Header::Warn("names are looked up by the host when the file is read")),
    ("mailers", Header::Warn("no mail is sent")),
    ("program", Header::Refuse("its process would not be started")),
    ("ring", Header::Warn("no ring buffer is kept")),
    ("log-forward", Header::Refuse("no log lines would be forwarded")),
    ("log-profile", Header::Warn("log lines have haproxy's own forms")),
    ("traces", Header::Warn("nothing is traced")),
    ("crt-store", Header::Warn("no certificates are served")),
    ("cache", Header::Warn("only TCP is balanced")),
    ("fcgi-app", Header::Warn("only TCP is balanced")),
    ("http-errors", Header::Warn("only TCP is balanced")),
    ("acme", Header::Refuse("certificates would not be renewed")),
    ("healthcheck", Header::Refuse("servers that name it would not be checked by it")),
];

/// Starts a section if the line is a header.
pub(super) fn open(reader: &mut Reader<'_>, line: &Line) -> bool {
    let Some((_, header)) = NAMES.iter().find(|(name, _)| *name == line.word(0)) else { return false };
    if line.prefix != Prefix::None {
        reader.error(codes::NO_PREFIX, line, 0, "a section cannot be negated".into(), None);
    }
    if matches!(reader.at, At::Defaults(_)) {
        close_defaults(reader);
    }
    let word = line.word(0);
    match header {
        Header::Global => {
            reader.at = At::Global;
            reader.ends(line, 1);
        }
        Header::Proxy(ProxyKind::Defaults) => open_defaults(reader, line),
        Header::Proxy(kind) => open_proxy(reader, line, *kind),
        Header::Accept => reader.at = At::Skipped,
        Header::Warn(effect) => {
            reader.at = At::Skipped;
            let message = format!("section `{word}` has no effect: {effect}");
            reader.warn(codes::SECTION_UNUSED, line, 0, message, None);
        }
        Header::Refuse(effect) => {
            reader.at = At::Skipped;
            let message = format!("section `{word}` is not served: {effect}");
            reader.error(codes::SECTION_REFUSED, line, 0, message, None);
        }
    }
    true
}

/// Keeps a defaults section that has a name, for `from`.
pub(super) fn close_defaults(reader: &mut Reader<'_>) {
    if let At::Defaults(name) = &reader.at
        && !name.is_empty()
    {
        reader.named.insert(name.clone(), reader.preset.clone());
    }
}

/// The draft named after `from` at `index`; `None` when there is no such word or no such section.
fn from(reader: &mut Reader<'_>, line: &Line, index: usize) -> Option<Draft> {
    if line.words.len() <= index {
        return None;
    }
    if line.word(index) != "from" {
        let message = format!("`{}` is not expected here", line.word(index));
        reader.error(codes::EXTRA_ARGUMENT, line, index, message, Some("only `from NAME` may follow"));
        return None;
    }
    if !reader.needs(line, index + 1, "the name of a defaults section after `from`") {
        return None;
    }
    reader.ends(line, index + 2);
    let name = line.word(index + 1);
    let found = reader.named.get(name).cloned();
    if found.is_none() {
        let near = reader.near(name, reader.named.keys().map(AsRef::as_ref));
        let help = near.map(|name| format!("did you mean `{name}`?"));
        let message = format!("there is no defaults section `{name}` above");
        reader.error(codes::UNKNOWN_DEFAULTS, line, index + 1, message, help.as_deref());
    }
    found
}

fn open_defaults(reader: &mut Reader<'_>, line: &Line) {
    let (name, next) = match line.word(1) {
        "" | "from" => (Arc::from(""), 1),
        name => (Arc::from(name), 2),
    };
    let mut base = from(reader, line, next).unwrap_or_default();
    base.checks = base.checks.inherited();
    check_name(reader, line, &name, "defaults");
    if !name.is_empty() && reader.named.contains_key(&name) {
        let message = format!("there is a defaults section `{name}` above");
        reader.error(codes::DUPLICATE, line, 1, message, None);
    }
    if !count(reader, line) {
        return;
    }
    reader.preset = base;
    reader.at = At::Defaults(name);
}

fn open_proxy(reader: &mut Reader<'_>, line: &Line, kind: ProxyKind) {
    reader.at = At::Skipped;
    let word = kind.as_str();
    if !reader.needs(line, 1, "a name") || !check_name(reader, line, line.word(1), word) {
        return;
    }
    // An old address behind the name of a listen section (`listen web :80`) is an error since haproxy 1.7.
    let mut draft = from(reader, line, 2).unwrap_or_else(|| reader.preset.clone());
    draft.checks = draft.checks.inherited();
    if !count(reader, line) {
        return;
    }
    reader.proxies.push(Proxy {
        kind,
        name: Arc::from(line.word(1)),
        at: reader.at(line, 1),
        until: u32::MAX,
        draft,
        binds: Vec::new(),
        servers: Vec::new(),
        first: None,
    });
    reader.at = At::Proxy;
}

fn check_name(reader: &mut Reader<'_>, line: &Line, name: &str, word: &str) -> bool {
    let bad = value::bad_character(name);
    if let Some(c) = bad {
        let message = format!("character `{c}` is not possible in the name of a {word} section");
        let help = Some("names hold letters, digits and - _ . :");
        reader.error(codes::BAD_NAME, line, 1, message, help);
    }
    bad.is_none()
}

fn count(reader: &mut Reader<'_>, line: &Line) -> bool {
    reader.count.proxies += 1;
    if reader.count.proxies == MAX_PROXIES + 1 {
        let message = format!("more than {MAX_PROXIES} sections; this one and those below are not read");
        reader.error(codes::TOO_MANY, line, 0, message, None);
    }
    let fits = reader.count.proxies <= MAX_PROXIES;
    if !fits {
        reader.at = At::Skipped;
    }
    fits
}
