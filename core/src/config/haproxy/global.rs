//! The keywords of the `global` section that take effect.

use super::codes;
use super::lex::Line;
use super::reader::Reader;
use alloc::format;
use alloc::string::String;

/// What `global` says beside the model's own node part.
#[derive(Clone, Debug, Default)]
pub(super) struct Global {
    /// `ssl-server-verify none`.
    pub(super) trusting: bool,
    /// `ca-base`.
    pub(super) ca_base: String,
}

/// The most connections that can be asked for.
const MAX_CONNECTIONS: u32 = 10_000_000;

pub(super) fn maxconn(reader: &mut Reader<'_>, line: &Line) {
    if let Some(number) = reader.number(line, 1, 0, MAX_CONNECTIONS) {
        reader.node.max_connections = number;
    }
    reader.ends(line, 2);
}

pub(super) fn spread_checks(reader: &mut Reader<'_>, line: &Line) {
    if let Some(number) = reader.number(line, 1, 0, 50) {
        reader.node.spread_checks = u8::try_from(number).unwrap_or(50);
    }
    reader.ends(line, 2);
}

pub(super) fn ssl_server_verify(reader: &mut Reader<'_>, line: &Line) {
    match line.word(1) {
        "none" => reader.global.trusting = true,
        "required" => reader.global.trusting = false,
        other => {
            let message = format!("`ssl-server-verify` takes `none` or `required`, not `{other}`");
            reader.error(codes::BAD_VALUE, line, 1, message, None);
        }
    }
}

pub(super) fn ca_base(reader: &mut Reader<'_>, line: &Line) {
    if reader.needs(line, 1, "a directory") {
        reader.global.ca_base = line.word(1).into();
    }
}

/// `setenv`, `presetenv`, `unsetenv`, `resetenv`: the environment of the lines below.
pub(super) fn environment(reader: &mut Reader<'_>, line: &Line) {
    match line.word(0) {
        "setenv" | "presetenv" => {
            if !reader.needs(line, 1, "a name and a value") || !reader.needs(line, 2, "a value") {
                return;
            }
            if line.word(0) == "setenv" || reader.variable(line.word(1)).is_none() {
                reader.env.insert(line.word(1).into(), Some(line.word(2).into()));
            }
            reader.ends(line, 3);
        }
        "unsetenv" => {
            for word in line.words.iter().skip(1) {
                reader.env.insert(word.text.clone(), None);
            }
        }
        _ => {
            let message = "`resetenv` is not served: variables would stay set".into();
            reader.error(codes::REFUSED, line, 0, message, Some("use `unsetenv` with the names"));
        }
    }
}
