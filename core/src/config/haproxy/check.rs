//! Health-check options and rules (haproxy.md 1.1 and 3.4): which kind counts, and what the rules add to it.
//!
//! The option written last wins, without a word from haproxy; here the lost one is told. `http-check` rules are kept
//! beside the kind, since they count whatever their place is, as long as the kind is HTTP in the end.

use super::address::{self, Ports};
use super::codes;
use super::lex::Line;
use super::reader::Reader;
use super::talk::Rule;
use crate::config::finding::{Severity, Span};
use crate::config::model::Expect;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The most header lines of a check.
pub(super) const MAX_HEADERS: usize = 64;

/// Which kind of check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connect only.
    #[default]
    Connect,
    /// `option httpchk`.
    Http,
    /// `option ssl-hello-chk`.
    SslHello,
    /// `option tcp-check`.
    Tcp,
    /// `option redis-check` and its kin.
    Protocol,
}

/// What is known about the checks of a section.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks {
    pub(super) kind: Kind,
    /// The option that gave the kind, if this section has it.
    pub(super) option: Option<(String, Span)>,
    /// What `option httpchk` asks.
    pub(super) asked: Request,
    /// What `http-check send` asks.
    pub(super) send: Option<Request>,
    pub(super) expect: Option<(Expect, Span)>,
    /// `http-check connect`.
    pub(super) http_connect: Option<Connect>,
    /// `tcp-check` rules.
    pub(super) tcp: Arc<Vec<Rule>>,
    /// What a check of a protocol says.
    pub(super) protocol: Arc<Vec<Rule>>,
    /// The first `http-check` rule of this section.
    pub(super) http_rule: Option<Span>,
    /// The first `tcp-check` rule of this section.
    pub(super) tcp_rule: Option<Span>,
    /// That `option httpchk` is lost was said, and with it that its rules are.
    pub(super) told: bool,
}

impl Checks {
    /// As a following section inherits them: rules and all, but nothing to blame a line of another section for.
    pub(super) fn inherited(&self) -> Checks {
        Checks { option: None, http_rule: None, tcp_rule: None, told: false, ..self.clone() }
    }
}

impl Checks {
    /// haproxy keeps a set of rules per section: the first own line drops the inherited set as a whole.
    fn forget_http(&mut self) {
        self.send = None;
        self.expect = None;
        self.http_connect = None;
    }
}

/// A request; empty strings are not given.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) uri: String,
    pub(super) version: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) uri_at: Option<Span>,
}

/// A `connect` rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Connect {
    pub(super) ssl: bool,
    /// `default`: what the server line says counts too.
    pub(super) inherit: bool,
    pub(super) port: Option<u16>,
    pub(super) addr: Option<IpAddr>,
    pub(super) sni: Option<String>,
    pub(super) alpn: Vec<String>,
}

/// Makes `kind` the one that counts; tells about the option of the same section that is lost.
pub(super) fn choose(reader: &mut Reader<'_>, line: &Line, kind: Kind) {
    let here = (line.word(1).to_string(), reader.at(line, 1));
    let number = line.number;
    let checks = &mut reader.draft().checks;
    let lost = checks.option.replace(here).filter(|(name, _)| name.as_str() != line.word(1));
    let rule = core::mem::replace(&mut checks.kind, kind);
    if kind == Kind::Http && checks.http_rule.is_none() {
        checks.forget_http();
    }
    if kind == Kind::Tcp && checks.tcp_rule.is_none() {
        checks.tcp = Arc::default();
    }
    let asked = core::mem::take(&mut checks.asked);
    let Some((name, span)) = lost else { return };
    checks.told |= rule == Kind::Http;
    let message = format!(
        "`option {name}` is lost: `option {}` in line {number} is written later and replaces it",
        line.word(1)
    );
    let path = [checks.send.as_ref().map(|send| send.uri.clone()), Some(asked.uri)]
        .into_iter()
        .flatten()
        .find(|uri| !uri.is_empty())
        .unwrap_or_else(|| "/".to_string());
    let help = match (rule, kind) {
        (Kind::Http, Kind::SslHello) => format!(
            "servers are checked by an old TLS hello alone and {path} is never asked; to ask it over TLS, remove `option ssl-hello-chk` and add `http-check connect ssl` and `verify none` (or `ca-file`) on the servers"
        ),
        (Kind::SslHello, Kind::Http) => {
            "servers are asked in plain text, which fails on a TLS port; to ask over TLS, add `http-check connect ssl` and `verify none` (or `ca-file`) on the servers".to_string()
        }
        _ => "remove the one that is not meant".to_string(),
    };
    reader.say(Severity::Warning, codes::CHECK_LOST, span, message, Some(&help));
}

/// `option httpchk [[METHOD] URI [VERSION]]`.
pub(super) fn httpchk(reader: &mut Reader<'_>, line: &Line) {
    choose(reader, line, Kind::Http);
    let mut asked = Request::default();
    match line.words.len() {
        0..=2 => {}
        3 => asked.uri = line.word(2).into(),
        _ => {
            asked.method = line.word(2).into();
            asked.uri = line.word(3).into();
            asked.uri_at = Some(reader.at(line, 3));
        }
    }
    if line.words.len() == 3 {
        asked.uri_at = Some(reader.at(line, 2));
    }
    if line.words.len() > 4 {
        version(reader, line, &mut asked);
    }
    reader.ends(line, 5);
    let checks = &mut reader.draft().checks;
    // Written below an `http-check send`, the words of the option win over those of the rule.
    if let Some(send) = &mut checks.send {
        for (own, below) in [
            (&mut send.method, &asked.method),
            (&mut send.uri, &asked.uri),
            (&mut send.version, &asked.version),
        ] {
            if !below.is_empty() {
                own.clear();
            }
        }
    }
    checks.asked = asked;
}

/// The version, and the headers that old files hide behind it (`HTTP/1.1\r\nHost:\ name`).
fn version(reader: &mut Reader<'_>, line: &Line, asked: &mut Request) {
    let text = line.word(4);
    let (version, headers) = text.split_once("\r\n").unwrap_or((text, ""));
    asked.version = version.into();
    if !is_version(version) {
        let message = format!("`{version}` is not an HTTP version");
        reader.error(codes::BAD_VALUE, line, 4, message, Some("write HTTP/1.0 or HTTP/1.1"));
    }
    if headers.is_empty() {
        return;
    }
    let message = "headers hidden behind the version are an old habit that haproxy gives up".into();
    let help = Some("write `http-check send hdr NAME VALUE`");
    reader.warn(codes::NO_EFFECT, line, 4, message, help);
    for (number, header) in headers.split("\r\n").filter(|header| !header.is_empty()).enumerate() {
        if number == MAX_HEADERS {
            let message = format!("more than {MAX_HEADERS} headers");
            reader.error(codes::TOO_MANY, line, 4, message, None);
            return;
        }
        match header.split_once(':') {
            Some((name, value)) => {
                asked.headers.push((name.trim().to_ascii_lowercase(), value.trim().into()))
            }
            None => {
                let message = "a header behind the version has no colon".into();
                reader.error(codes::BAD_VALUE, line, 4, message, None);
            }
        }
    }
}

fn is_version(text: &str) -> bool {
    text.strip_prefix("HTTP/").is_some_and(|rest| {
        matches!(rest.as_bytes(), [major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit())
    })
}

/// `option ssl-hello-chk`.
pub(super) fn ssl_hello(reader: &mut Reader<'_>, line: &Line) {
    choose(reader, line, Kind::SslHello);
    reader.ends(line, 2);
}

/// `option tcp-check`.
pub(super) fn tcp_option(reader: &mut Reader<'_>, line: &Line) {
    choose(reader, line, Kind::Tcp);
    reader.ends(line, 2);
}

/// `http-check ...`.
pub(super) fn http_check(reader: &mut Reader<'_>, line: &Line) {
    let at = reader.at(line, 0);
    let checks = &mut reader.draft().checks;
    if checks.http_rule.is_none() {
        if checks.option.is_none() {
            // Even what an inherited `option httpchk` asks goes with it.
            checks.forget_http();
            checks.asked = Request::default();
        }
        checks.http_rule = Some(at);
    }
    match line.word(1) {
        "connect" => {
            if reader.draft().checks.http_connect.is_some() {
                let message = "a second `connect` is not served: a check has one connection".into();
                return reader.error(codes::CHECK_REFUSED, line, 1, message, None);
            }
            let connect = connect(reader, line);
            reader.draft().checks.http_connect = Some(connect);
        }
        "send" => send(reader, line),
        "expect" => expect(reader, line),
        "comment" => {}
        "disable-on-404" => {
            refused(reader, line, "a server that answers 404 would be down instead of drained")
        }
        "send-state" => {
            let message = "`send-state` has no effect: the server is not told its own state".into();
            reader.warn(codes::NO_EFFECT, line, 1, message, None);
        }
        name if is_variable(name) => refused(reader, line, "variables have no value in checks"),
        "" => {
            reader.needs(line, 1, "a rule: connect, send or expect");
        }
        other => {
            let known = [
                "connect",
                "send",
                "expect",
                "comment",
                "disable-on-404",
                "send-state",
                "set-var",
                "unset-var",
            ];
            let help = reader.near(other, known).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{other}` is not a rule of `http-check`");
            reader.error(codes::UNKNOWN_KEYWORD, line, 1, message, help.as_deref());
        }
    }
}

/// `set-var(NAME)` and its kin.
pub(super) fn is_variable(word: &str) -> bool {
    matches!(word.split('(').next(), Some("set-var" | "set-var-fmt" | "unset-var"))
}

pub(super) fn refused(reader: &mut Reader<'_>, line: &Line, effect: &str) {
    let message = format!("`{}` is not served: {effect}", line.word(1));
    reader.error(codes::CHECK_REFUSED, line, 1, message, None);
}

/// The words after `connect`.
pub(super) fn connect(reader: &mut Reader<'_>, line: &Line) -> Connect {
    let mut connect = Connect::default();
    let mut index = 2;
    while index < line.words.len() {
        let word = line.word(index);
        let takes = usize::from(matches!(word, "port" | "addr" | "sni" | "alpn" | "proto" | "comment"));
        if line.words.len() <= index + takes {
            let message = format!("`{word}` needs a value");
            reader.error(codes::MISSING_ARGUMENT, line, index + 1, message, None);
            break;
        }
        let value = line.word(index + 1);
        match word {
            "default" => connect.inherit = true,
            "ssl" => connect.ssl = true,
            "linger" | "comment" => {}
            "sni" => connect.sni = Some(value.into()),
            "alpn" => connect.alpn = super::server::words(value),
            "port" => {
                connect.port = address::port(value);
                if connect.port.is_none() {
                    let message = format!("`{value}` is not a port from 1 to 65535");
                    reader.error(codes::BAD_PORT, line, index + 1, message, None);
                }
            }
            "addr" => {
                if let Some((host, ports)) = address::parse(reader, line, index + 1, value) {
                    connect.addr = Some(host);
                    if let Ports::Range(low, _) = ports {
                        connect.port = connect.port.or(Some(low));
                    }
                }
            }
            "send-proxy" | "via-socks4" | "proto" => {
                let message = format!("`{word}` is not served: the server would not understand the check");
                reader.error(codes::CHECK_REFUSED, line, index, message, None);
            }
            _ => {
                let known =
                    ["default", "ssl", "linger", "sni", "alpn", "port", "addr", "send-proxy", "via-socks4"];
                let help = reader.near(word, known).map(|near| format!("did you mean `{near}`?"));
                let message = format!("`{word}` is not a word of `connect`");
                reader.error(codes::UNKNOWN_KEYWORD, line, index, message, help.as_deref());
                break;
            }
        }
        index += 1 + takes;
    }
    connect
}

/// `http-check send [meth M] [uri U] [ver V] [hdr N V]... [body B]`.
fn send(reader: &mut Reader<'_>, line: &Line) {
    if reader.draft().checks.send.is_some() {
        let message = "a second `send` is not served: a check asks once".into();
        return reader.error(codes::CHECK_REFUSED, line, 1, message, None);
    }
    let mut send = Request::default();
    let mut index = 2;
    while index < line.words.len() {
        let word = line.word(index);
        let takes = if word == "hdr" { 2 } else { 1 };
        if line.words.len() <= index + takes {
            let message =
                format!("`{word}` needs {}", if takes == 2 { "a name and a value" } else { "a value" });
            reader.error(codes::MISSING_ARGUMENT, line, index + 1, message, None);
            break;
        }
        let value = line.word(index + 1);
        match word {
            "meth" => send.method = value.into(),
            "uri" => {
                send.uri = value.into();
                send.uri_at = Some(reader.at(line, index + 1));
            }
            "ver" if is_version(value) => send.version = value.into(),
            "ver" => {
                let message = format!("`{value}` is not an HTTP version");
                reader.error(codes::BAD_VALUE, line, index + 1, message, Some("write HTTP/1.0 or HTTP/1.1"));
            }
            "hdr" if line.word(index + 2).contains('%') => {
                let message =
                    "a header value with `%` is not served: log-format variables have no value in checks";
                reader.error(codes::CHECK_REFUSED, line, index + 2, message.into(), None);
            }
            "hdr" => send.headers.push((value.to_ascii_lowercase(), line.word(index + 2).into())),
            "body" => send.body = value.into(),
            "comment" => {}
            "uri-lf" | "body-lf" => {
                let message = format!("`{word}` is not served: log-format variables have no value in checks");
                reader.error(codes::CHECK_REFUSED, line, index, message, None);
            }
            _ => {
                let known = ["meth", "uri", "ver", "hdr", "body", "comment", "uri-lf", "body-lf"];
                let help = reader.near(word, known).map(|near| format!("did you mean `{near}`?"));
                let message = format!("`{word}` is not a word of `http-check send`");
                reader.error(codes::UNKNOWN_KEYWORD, line, index, message, help.as_deref());
                break;
            }
        }
        index += 1 + takes;
    }
    reader.draft().checks.send = Some(send);
}

/// `http-check expect [!] status LIST | string TEXT`.
fn expect(reader: &mut Reader<'_>, line: &Line) {
    let mut index = 2;
    // Final states and comments do not change the verdict of a TCP pool; only the texts shown for it.
    while matches!(
        line.word(index),
        "comment"
            | "ok-status"
            | "error-status"
            | "tout-status"
            | "on-success"
            | "on-error"
            | "status-code"
            | "min-recv"
    ) {
        if matches!(line.word(index), "ok-status" | "error-status" | "tout-status" | "min-recv") {
            let message = format!("`{}` is not served: the verdict might differ", line.word(index));
            return reader.error(codes::CHECK_REFUSED, line, index, message, None);
        }
        index += 2;
    }
    let negated = line.word(index) == "!";
    index += usize::from(negated);
    let kind = line.word(index);
    let expect = match kind {
        "" => {
            reader.needs(line, index, "what is expected: status or string");
            return;
        }
        "status" | "string" if !reader.needs(line, index + 1, "a value") => return,
        "status" => ranges(line.word(index + 1)).map(|ranges| Expect::Status { ranges, negated }),
        "string" => Some(Expect::Body { text: line.word(index + 1).into(), negated }),
        "rstatus" | "rstring" | "hdr" | "fhdr" | "string-lf" => {
            let message = format!("`expect {kind}` is not served: a sick server might stay in use");
            return reader.error(
                codes::CHECK_REFUSED,
                line,
                index,
                message,
                Some("use `status` or `string`"),
            );
        }
        other => {
            let help = reader.near(other, ["status", "string", "rstatus", "rstring"]);
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{other}` is not something to expect");
            return reader.error(codes::UNKNOWN_KEYWORD, line, index, message, help.as_deref());
        }
    };
    let Some(expect) = expect else {
        let message = format!("`{}` is not a list of status codes", line.word(index + 1));
        let help = Some("write codes and ranges between 100 and 999 such as 200,204,300-399");
        return reader.error(codes::BAD_VALUE, line, index + 1, message, help);
    };
    reader.ends(line, index + 2);
    if reader.draft().checks.expect.is_some() {
        let message = "a second `expect` is not served: only one condition is looked at".into();
        return reader.error(codes::CHECK_REFUSED, line, 1, message, None);
    }
    let at = reader.at(line, 1);
    reader.draft().checks.expect = Some((expect, at));
}

/// `200,204,300-399`, at most [`MAX_HEADERS`] of them.
fn ranges(text: &str) -> Option<Vec<(u16, u16)>> {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=999).contains(code));
    let all: Option<Vec<(u16, u16)>> = text
        .split(',')
        .take(MAX_HEADERS + 1)
        .map(|part| {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high)
        })
        .collect();
    all.filter(|all| all.len() <= MAX_HEADERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn status_lists_have_codes_and_ranges_and_a_limit() {
        assert_eq!(ranges("200,204,300-399"), Some(vec![(200, 200), (204, 204), (300, 399)]));
        for bad in ["", "abc", "99", "1000", "300-200", "200,,300", "200 "] {
            assert_eq!(ranges(bad), None, "{bad}");
        }
        let many = vec!["200"; MAX_HEADERS].join(",");
        assert!(ranges(&many).is_some());
        assert_eq!(ranges(&format!("{many},200")), None);
    }

    #[test]
    fn versions_are_two_digits() {
        assert!(is_version("HTTP/1.1"));
        assert!(!is_version("HTTP/11") && !is_version("GET") && !is_version("HTTP/1.1x"));
    }
}
