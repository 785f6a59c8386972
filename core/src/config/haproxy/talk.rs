//! `tcp-check` rules, and the checks of protocols that haproxy makes of such rules (haproxy.md 3.4).
//!
//! A rule is read into a draft here, since where a `connect` leads is known only with the server. What cannot be
//! served (variables, conditional verdicts) is refused by name: left out, it would keep a sick server in use.

use super::check::{self, Connect, Kind};
use super::codes;
use super::lex::Line;
use super::reader::Reader;
use crate::config::talk::{Answer, MAX_STEPS, Reply, Said, Wanted, pattern};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// A step, before the server is known.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Connect(Connect),
    Send(Said),
    Expect(Answer),
}

/// A `PING` as Redis clients write it.
const REDIS_PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
/// An anonymous bind of LDAP version 3 (RFC 4511 4.2): message 1, no name, no password.
const LDAP_BIND: &[u8] = &[0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0];
/// MySQL's packet that ends the connection: one octet, number 0, COM_QUIT.
const MYSQL_QUIT: &[u8] = &[1, 0, 0, 0, 1];
/// The longest user name of a check: what fits a MySQL packet's first length octet in both forms.
pub(super) const MAX_USER: usize = 200;

fn reply(reply: Reply) -> Rule {
    Rule::Expect(Answer { what: Wanted::Reply(reply), negated: false, least: None })
}

fn send(octets: &[u8]) -> Rule {
    Rule::Send(Said::new(octets))
}

fn protocol(reader: &mut Reader<'_>, line: &Line, rules: Vec<Rule>) {
    check::choose(reader, line, Kind::Protocol);
    reader.draft().checks.protocol = Arc::new(rules);
}

/// `option redis-check`.
pub(super) fn redis(reader: &mut Reader<'_>, line: &Line) {
    protocol(reader, line, vec![send(REDIS_PING), reply(Reply::Pong)]);
    reader.ends(line, 2);
}

/// `option ldap-check`.
pub(super) fn ldap(reader: &mut Reader<'_>, line: &Line) {
    protocol(reader, line, vec![send(LDAP_BIND), reply(Reply::Ldap)]);
    reader.ends(line, 2);
}

/// `option smtpchk [HELO|EHLO NAME]`.
pub(super) fn smtp(reader: &mut Reader<'_>, line: &Line) {
    let hello = match (line.word(2), line.word(3)) {
        // As haproxy: anything but these two words is `HELO localhost`.
        (verb @ ("HELO" | "EHLO"), name) if !name.is_empty() => format!("{verb} {name}\r\n"),
        _ => String::from("HELO localhost\r\n"),
    };
    let rules = vec![
        reply(Reply::Smtp),
        send(hello.as_bytes()),
        reply(Reply::Smtp),
        send(b"QUIT\r\n"),
        reply(Reply::Smtp),
    ];
    protocol(reader, line, rules);
    reader.ends(line, 4);
}

/// `user NAME` behind an option; `None` when an error was told, or there is none and none is needed.
fn user(reader: &mut Reader<'_>, line: &Line, needed: bool) -> Option<String> {
    match line.word(2) {
        "" if !needed => None,
        "user" if line.word(3).len() > MAX_USER => {
            let message = format!("the user name is longer than {MAX_USER} bytes");
            reader.error(codes::BAD_VALUE, line, 3, message, None);
            None
        }
        "user" => reader.needs(line, 3, "a user name behind `user`").then(|| line.word(3).into()),
        _ => {
            let message = format!("`option {}` needs `user NAME`", line.word(1));
            reader.error(codes::MISSING_ARGUMENT, line, 2, message, None);
            None
        }
    }
}

/// `option pgsql-check user NAME`.
pub(super) fn pgsql(reader: &mut Reader<'_>, line: &Line) {
    let Some(user) = user(reader, line, true) else { return };
    // StartupMessage of protocol 3.0: its own length, the version, one parameter, an empty name.
    let mut hello = vec![0, 0, 0, 0, 0, 3, 0, 0];
    hello.extend_from_slice(b"user\0");
    hello.extend_from_slice(user.as_bytes());
    hello.extend_from_slice(&[0, 0]);
    let length = u32::try_from(hello.len()).unwrap_or(u32::MAX).to_be_bytes();
    hello.iter_mut().zip(length).for_each(|(at, octet)| *at = octet);
    protocol(reader, line, vec![send(&hello), reply(Reply::Pgsql)]);
    reader.ends(line, 4);
}

/// `option mysql-check [user NAME [pre-41|post-41]]`.
pub(super) fn mysql(reader: &mut Reader<'_>, line: &Line) {
    if line.words.len() == 2 {
        return protocol(reader, line, vec![reply(Reply::MysqlGreeting)]);
    }
    let Some(user) = user(reader, line, false) else { return };
    let login = match line.word(4) {
        "" | "post-41" => {
            // CLIENT_PROTOCOL_41 and CLIENT_SECURE_CONNECTION, largest packet, utf8, 23 reserved octets.
            let mut body = vec![0, 0x82, 0, 0, 0, 0x80, 0, 1, 0x21];
            body.extend_from_slice(&[0; 23]);
            body
        }
        // CLIENT_SECURE_CONNECTION alone and the largest packet, in the form of version 4.0.
        "pre-41" => vec![0, 0x80, 0, 0, 1],
        other => {
            let message = format!("`{other}` is not a form of `option mysql-check`");
            return reader.error(codes::BAD_VALUE, line, 4, message, Some("write post-41 or pre-41"));
        }
    };
    let length = u8::try_from(login.len() + user.len() + 2).unwrap_or(u8::MAX);
    let mut packet = vec![length, 0, 0, 1];
    packet.extend_from_slice(&login);
    packet.extend_from_slice(user.as_bytes());
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(MYSQL_QUIT);
    protocol(reader, line, vec![reply(Reply::MysqlGreeting), send(&packet), reply(Reply::MysqlLogin)]);
    reader.ends(line, 5);
}

/// `tcp-check ...`.
pub(super) fn tcp_check(reader: &mut Reader<'_>, line: &Line) {
    let at = reader.at(line, 0);
    let checks = &mut reader.draft().checks;
    if checks.tcp_rule.is_none() {
        checks.tcp = Arc::default();
        checks.tcp_rule = Some(at);
    }
    let rule = match line.word(1) {
        "connect" => Some(Rule::Connect(check::connect(reader, line))),
        "send" | "send-lf" | "send-binary" | "send-binary-lf" => sent(reader, line),
        "expect" => expect(reader, line),
        "comment" => None,
        "" => {
            reader.needs(line, 1, "a rule: connect, send or expect");
            None
        }
        name if check::is_variable(name) => {
            check::refused(reader, line, "variables have no value in checks");
            None
        }
        other => {
            let known = ["connect", "send", "send-binary", "expect", "comment", "set-var", "unset-var"];
            let help = reader.near(other, known).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{other}` is not a rule of `tcp-check`");
            reader.error(codes::UNKNOWN_KEYWORD, line, 1, message, help.as_deref());
            None
        }
    };
    let Some(rule) = rule else { return };
    if reader.draft().checks.tcp.len() >= MAX_STEPS {
        let message = format!("more than {MAX_STEPS} rules in one check");
        return reader.error(codes::TOO_MANY, line, 0, message, None);
    }
    Arc::make_mut(&mut reader.draft().checks.tcp).push(rule);
}

/// `send TEXT`, `send-binary HEX`, and both with a format, as long as there is no variable in it.
fn sent(reader: &mut Reader<'_>, line: &Line) -> Option<Rule> {
    let (kind, text) = (line.word(1), line.word(2));
    if !reader.needs(line, 2, "what to send") {
        return None;
    }
    if kind.ends_with("-lf") && text.contains('%') {
        check::refused(reader, line, "log-format variables have no value in checks");
        return None;
    }
    match line.word(3) {
        "" => {}
        "comment" => reader.ends(line, 5),
        _ => reader.ends(line, 3),
    }
    if kind.starts_with("send-binary") {
        Some(Rule::Send(octets(reader, line, 2)?))
    } else {
        Some(send(text.as_bytes()))
    }
}

fn octets(reader: &mut Reader<'_>, line: &Line, index: usize) -> Option<Said> {
    let said = Said::from_hex(line.word(index));
    if said.is_none() {
        let message = format!("`{}` is not pairs of hexadecimal digits", line.word(index));
        reader.error(codes::BAD_VALUE, line, index, message, Some("write octets such as 50494e470d0a"));
    }
    said
}

/// `expect [min-recv N] [comment TEXT] ... [!] KIND PATTERN`.
fn expect(reader: &mut Reader<'_>, line: &Line) -> Option<Rule> {
    let mut index = 2;
    let mut least = None;
    loop {
        match line.word(index) {
            "min-recv" => least = minimum(reader, line, index + 1)?,
            // Words shown for the verdict only.
            "comment" | "on-success" | "on-error" | "status-code" => {}
            "ok-status" | "error-status" | "tout-status" => {
                let message = format!("`{}` is not served: the verdict might differ", line.word(index));
                reader.error(codes::CHECK_REFUSED, line, index, message, None);
                return None;
            }
            _ => break,
        }
        index += 2;
    }
    let negated = line.word(index) == "!";
    index += usize::from(negated);
    let kind = line.word(index);
    if !reader.needs(line, index, "what is expected: string, rstring, binary or rbinary")
        || !reader.needs(line, index + 1, "a value")
    {
        return None;
    }
    let value = line.word(index + 1);
    let what = match kind {
        "string" => Wanted::Octets(Said::new(value.as_bytes())),
        "binary" => Wanted::Octets(octets(reader, line, index + 1)?),
        "string-lf" | "binary-lf" if value.contains('%') => {
            check::refused(reader, line, "log-format variables have no value in checks");
            return None;
        }
        "string-lf" => Wanted::Octets(Said::new(value.as_bytes())),
        "binary-lf" => Wanted::Octets(octets(reader, line, index + 1)?),
        "rstring" | "rbinary" => {
            if let Err(why) = pattern(value) {
                let message = format!("`{value}` is not a pattern that is served: {why}");
                let help = "patterns have no references back and no looking around";
                reader.error(codes::BAD_VALUE, line, index + 1, message, Some(help));
                return None;
            }
            if kind == "rstring" { Wanted::Pattern(value.into()) } else { Wanted::HexPattern(value.into()) }
        }
        other => {
            let help = reader.near(other, ["string", "rstring", "binary", "rbinary"]);
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{other}` is not something to expect");
            reader.error(codes::UNKNOWN_KEYWORD, line, index, message, help.as_deref());
            return None;
        }
    };
    reader.ends(line, index + 2);
    Some(Rule::Expect(Answer { what, negated, least }))
}

/// The value of `min-recv`; `-1` is none.
fn minimum(reader: &mut Reader<'_>, line: &Line, index: usize) -> Option<Option<u32>> {
    if line.word(index) == "-1" {
        return Some(None);
    }
    reader.number(line, index, 0, 16_384).map(Some)
}
