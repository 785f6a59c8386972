//! The file under reading: its text, for places, and what was found.

use super::codes;
use super::file::File;
use crate::config::finding::{Code, Finding, Findings, Severity, Span, nearest};
use crate::config::source::{ReadError, ScriptState, Source};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Range;

/// The deepest nesting of brackets that is handed to the TOML parser, which is recursive.
const MAX_DEPTH: usize = 64;
/// The largest native file, in bytes: twice what the most routers and servers need. The parser takes up to a hundred
/// times as much memory.
pub(super) const MAX_FILE: usize = 4 * 1024 * 1024;

/// The file under reading.
pub(super) struct Desk<'a> {
    pub(super) path: &'a str,
    pub(super) text: String,
    pub(super) source: &'a dyn Source,
    pub(super) findings: Findings,
}

impl Desk<'_> {
    /// The place of some bytes of the text.
    pub(super) fn span(&self, at: &Range<usize>) -> Span {
        let start = floor(&self.text, at.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[line_start..];
        let line = rest.split('\n').next().unwrap_or("").trim_end_matches('\r');
        // A place may lie behind the line, at its carriage return.
        let end = floor(&self.text, at.end.min(line_start + line.len()).max(start));
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            file: Arc::from(self.path),
            line: number(before.matches('\n').count()).saturating_add(1),
            column: number(self.text[line_start..start].chars().count()).saturating_add(1),
            width: number(self.text[start..end].chars().take(Span::MAX_TEXT).count()).max(1),
            text: line
                .chars()
                .take(Span::MAX_TEXT)
                .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
                .collect::<String>()
                .into(),
        }
    }

    pub(super) fn error(&mut self, code: Code, at: &Range<usize>, message: String, help: Option<String>) {
        let span = self.span(at);
        self.findings.push(Finding { severity: Severity::Error, code, span, message, help });
    }

    /// Complains about a name that is in `names` already, else puts it there.
    pub(super) fn once<T>(
        &mut self,
        names: &mut BTreeMap<String, T>,
        name: &toml::Spanned<String>,
        value: T,
    ) -> bool {
        let text = name.get_ref();
        if text.is_empty() {
            self.error(codes::MISSING, &name.span(), "the name is empty".into(), None);
            return false;
        }
        if names.contains_key(text) {
            self.error(codes::DUPLICATE, &name.span(), format!("the name `{text}` is used above"), None);
            return false;
        }
        names.insert(text.clone(), value);
        true
    }

    /// What `names` has under a name; complains when there is nothing.
    pub(super) fn find<T: Copy>(
        &mut self,
        names: &BTreeMap<String, T>,
        name: &toml::Spanned<String>,
        what: &str,
    ) -> Option<T> {
        let found = names.get(name.get_ref()).copied();
        if found.is_none() {
            let help = nearest(name.get_ref(), names.keys().map(String::as_str));
            let help = help.map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no {what} `{}`", name.get_ref());
            self.error(codes::UNKNOWN_NAME, &name.span(), message, help);
        }
        found
    }

    /// Why a command cannot be run, if it cannot.
    pub(super) fn broken(&self, argv: &[String]) -> Option<String> {
        let path = argv.first()?;
        match self.source.script(path) {
            ScriptState::Runnable | ScriptState::Unknown | ScriptState::Insecure(_) => None,
            ScriptState::Missing => Some(format!("there is no file {path}")),
            ScriptState::NotExecutable => Some(format!("{path} is not executable")),
        }
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Reads and parses; `None` when that was told to be impossible.
pub(super) fn open<'a>(
    path: &'a str,
    source: &'a dyn Source,
    findings: &mut Findings,
) -> Option<(Desk<'a>, File)> {
    let bytes = match source.read(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            findings.push(unreadable(path, &why));
            return None;
        }
    };
    if bytes.len() > MAX_FILE {
        findings.push(unreadable(path, &ReadError::TooLarge));
        return None;
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let mut desk = Desk { path, text, source, findings: Findings::default() };
            desk.error(codes::UNREADABLE, &(at..at + 1), "the file is not UTF-8 from here".into(), None);
            findings.append(desk.findings);
            return None;
        }
    };
    let mut desk = Desk { path, text, source, findings: Findings::default() };
    if let Some(at) = too_deep(&desk.text) {
        let message = format!("brackets are nested more than {MAX_DEPTH} deep");
        desk.error(codes::SYNTAX, &(at..at + 1), message, None);
        findings.append(desk.findings);
        return None;
    }
    match toml::from_str::<File>(&desk.text) {
        Ok(file) => Some((desk, file)),
        Err(error) => {
            let at = error.span().unwrap_or(0..1);
            let (message, help) = words(error.message());
            desk.error(codes::SYNTAX, &at, message, help);
            findings.append(desk.findings);
            None
        }
    }
}

/// The parser's message in one line, and the nearest key if one is unknown.
fn words(message: &str) -> (String, Option<String>) {
    let message = message.lines().next().unwrap_or("not valid TOML");
    let mut ticked = message.split('`').skip(1).step_by(2);
    let help = if message.starts_with("unknown field") || message.starts_with("unknown variant") {
        let word = ticked.next().unwrap_or("");
        nearest(word, ticked).map(|near| format!("did you mean `{near}`?"))
    } else {
        None
    };
    // serde's word for what the file's reader calls a key.
    (message.replacen(" field ", " key ", 1), help)
}

/// Where brackets first nest too deep, strings not looked at: an honest file never comes near.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if depth <= 2 => depth = 0,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

fn unreadable(path: &str, why: &ReadError) -> Finding {
    let message = match why {
        ReadError::Missing => "there is no such file".into(),
        ReadError::NotRegular(what) => format!("this is not a file that can be read: {what}"),
        ReadError::TooLarge => format!("the file is larger than {} MiB", MAX_FILE / 1024 / 1024),
        ReadError::Refused(why) => format!("the file cannot be read: {why}"),
    };
    Finding {
        severity: Severity::Error,
        code: codes::UNREADABLE,
        span: Span::whole(path),
        message,
        help: None,
    }
}
