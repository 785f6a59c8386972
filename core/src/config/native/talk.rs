//! The steps of a conversation, both ways: `[[pool.check.step]]` with `kind = "talk"`.
//!
//! The check's own `connect` and `tls` tables are the first step; a step table holds one thing to do.

use super::check::{tls_probe, tls_table};
use super::codes;
use super::desk::Desk;
use super::file::{Dial as DialTable, ReplyKind, TalkStep};
use crate::config::model::{Probe, TlsProbe};
use crate::config::talk::{Answer, Dial, MAX_OCTETS, MAX_STEPS, Reply, Said, Step, Talk, Wanted, pattern};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;

/// The conversation that `steps` say, begun at `to`; `None` when an error was told.
pub(super) fn probe(
    desk: &mut Desk<'_>,
    steps: &[TalkStep],
    to: SocketAddr,
    tls: Option<TlsProbe>,
    connect: Duration,
    at: &Range<usize>,
) -> Option<Probe> {
    if steps.len() > MAX_STEPS {
        desk.error(codes::TOO_MANY, at, format!("more than {MAX_STEPS} steps"), None);
        return None;
    }
    let mut all = Vec::new();
    for table in steps {
        all.push(step(desk, table, at)?);
    }
    let talk = Talk { first: Dial { to, tls }, connect, steps: all };
    if talk.octets() > MAX_OCTETS {
        let message = format!("the steps of one check send and expect more than {MAX_OCTETS} bytes");
        desk.error(codes::TOO_MANY, at, message, None);
        return None;
    }
    Some(Probe::Talk(talk))
}

fn step(desk: &mut Desk<'_>, table: &TalkStep, at: &Range<usize>) -> Option<Step> {
    let mut hex = |digits: &String| {
        let said = Said::from_hex(digits);
        if said.is_none() {
            let message = format!("\"{digits}\" is not pairs of hexadecimal digits");
            desk.error(codes::CONTRADICTION, at, message, None);
        }
        said
    };
    let dial = table
        .connect
        .as_ref()
        .map(|dial| Step::Connect(Dial { to: dial.to, tls: dial.tls.as_ref().map(tls_probe) }));
    let sends = match &table.send_hex {
        Some(digits) => Some(Step::Send(hex(digits)?)),
        None => table.send.as_ref().map(|text| Step::Send(Said::new(text.as_bytes()))),
    };
    let expected = match &table.expect_hex {
        Some(digits) => Some(Wanted::Octets(hex(digits)?)),
        None => table.expect.as_ref().map(|text| Wanted::Octets(Said::new(text.as_bytes()))),
    };
    for text in [&table.matches, &table.matches_hex].into_iter().flatten() {
        if let Err(why) = pattern(text) {
            desk.error(codes::CONTRADICTION, at, format!("\"{text}\" is no pattern: {why}"), None);
            return None;
        }
    }
    let expects = [
        expected,
        table.matches.clone().map(Wanted::Pattern),
        table.matches_hex.clone().map(Wanted::HexPattern),
        table.reply.map(|reply| Wanted::Reply(reply.into())),
    ];
    let (negated, least) = (table.not.unwrap_or(false), table.at_least);
    let expects = expects.into_iter().flatten().map(|what| Step::Expect(Answer { what, negated, least }));
    let twice = table.send.is_some() && table.send_hex.is_some()
        || table.expect.is_some() && table.expect_hex.is_some();
    let mut found = dial.into_iter().chain(sends).chain(expects);
    match (found.next(), found.next(), twice) {
        (Some(step @ Step::Expect(_)), None, false) => Some(step),
        (Some(step), None, false) if table.not.is_none() && least.is_none() => Some(step),
        _ => {
            let message = "a step of a conversation does one thing".into();
            let help = "connect, send, send_hex, expect, expect_hex, matches, matches_hex or reply; `not` and `at_least` go with what is waited for";
            desk.error(codes::CONTRADICTION, at, message, Some(help.into()));
            None
        }
    }
}

/// The tables of the steps behind the first connect.
pub(super) fn raise(talk: &Talk) -> Vec<TalkStep> {
    talk.steps.iter().map(raised).collect()
}

/// Nothing to do.
const NOTHING: TalkStep = TalkStep {
    connect: None,
    send: None,
    send_hex: None,
    expect: None,
    expect_hex: None,
    matches: None,
    matches_hex: None,
    reply: None,
    not: None,
    at_least: None,
};

fn raised(step: &Step) -> TalkStep {
    /// As text where a file can hold it, else in digits.
    fn either(said: &Said) -> (Option<String>, Option<String>) {
        match said.text() {
            Some(text) => (Some(text), None),
            None => (None, Some(said.hex().into())),
        }
    }
    let mut table = NOTHING;
    match step {
        Step::Connect(dial) => {
            table.connect = Some(DialTable { to: dial.to, tls: dial.tls.as_ref().map(tls_table) });
        }
        Step::Send(said) => (table.send, table.send_hex) = either(said),
        Step::Expect(answer) => {
            table.not = answer.negated.then_some(true);
            table.at_least = answer.least;
            match &answer.what {
                Wanted::Octets(said) => (table.expect, table.expect_hex) = either(said),
                Wanted::Pattern(text) => table.matches = Some(text.clone()),
                Wanted::HexPattern(text) => table.matches_hex = Some(text.clone()),
                Wanted::Reply(reply) => table.reply = Some((*reply).into()),
            }
        }
    }
    table
}

macro_rules! replies {
    ($($name:ident)*) => {
        impl From<ReplyKind> for Reply {
            fn from(kind: ReplyKind) -> Reply {
                match kind {
                    $(ReplyKind::$name => Reply::$name,)*
                }
            }
        }

        impl From<Reply> for ReplyKind {
            fn from(reply: Reply) -> ReplyKind {
                match reply {
                    $(Reply::$name => ReplyKind::$name,)*
                }
            }
        }
    };
}

replies! { Pong Smtp MysqlGreeting MysqlLogin Pgsql Ldap }
