//! From files to statements: lines, comments, `@id`, `$DEF`, `~SEQ`, includes, braces (keepalived.conf(5),
//! "CONFIGURATION FILE SYNTAX"). Knows no keyword but `include`.
//!
//! keepalived goes over its text twice, in several processes; this reads it once and gives it the documented
//! meaning, so that a conditional include counts once and `\#` survives. Nothing here loops: every expansion,
//! generated line and include is taken from a budget.

use super::text::{
    Ch, Line, Power, Text, Word, blank, command_words, plain, strip_comment, text_of, trim, words,
};
use super::tree::{Tree, error, finding};
use super::{codes, include, keyword};
use crate::config::finding::{Code, Findings, Severity, Span};
use crate::config::load::Options;
use crate::config::source::{ReadError, Source};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The longest line keepalived reads, in bytes.
pub(super) const MAX_LINE: usize = 1023;
/// The deepest a definition may refer to another one.
pub(super) const MAX_EXPANSION_DEPTH: u32 = 64;
/// The most references and generated lines of one configuration.
pub(super) const MAX_EXPANSIONS: u32 = 100_000;
/// The longest a line may grow by its references, in characters.
pub(super) const MAX_EXPANDED: usize = 64 * 1024;
/// The most characters that all lines with references may have together.
pub(super) const MAX_GROWN: usize = 8 * 1024 * 1024;
/// The longest list of conditions that a finding about an undefined name shows, in characters.
const MAX_CONDITIONS: usize = 100;
/// The most lines of a definition.
pub(super) const MAX_BODY: usize = 4096;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Definition {
    /// A piece of a line.
    Value(Arc<str>),
    /// Lines.
    Lines(Arc<[BodyLine]>),
    /// Nothing: its definitions are under conditions that do not hold here. The conditions, for the finding.
    Elsewhere(String),
}

/// A line of a definition's body: where it stands, what it says, and its first column.
#[derive(Clone, Debug)]
pub(super) struct BodyLine {
    line: Arc<Line>,
    text: String,
    from: u16,
}

/// The state of a reading.
pub(super) struct Reader<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) options: &'a Options,
    pub(super) findings: &'a mut Findings,
    pub(super) tree: Tree,
    pub(super) definitions: BTreeMap<String, Definition>,
    /// What is left of [`MAX_EXPANSIONS`].
    pub(super) budget: u32,
    /// Characters of expanded lines so far.
    pub(super) grown: usize,
    /// Files read so far.
    pub(super) files: u32,
    /// Files being read, outermost first.
    pub(super) stack: Vec<String>,
    /// A multi-line definition whose body is being read.
    pub(super) body: Option<(String, Vec<BodyLine>)>,
    /// How many `${_RANDOM}` were drawn.
    pub(super) drawn: u64,
    /// What plain `include` checks (`include_check`).
    pub(super) include_check: include::Checks,
}

impl<'a> Reader<'a> {
    /// A reading that has seen nothing.
    pub(super) fn new(
        source: &'a dyn Source,
        options: &'a Options,
        findings: &'a mut Findings,
    ) -> Reader<'a> {
        Reader {
            source,
            options,
            findings,
            tree: Tree::default(),
            definitions: BTreeMap::new(),
            budget: options.expansions.unwrap_or(MAX_EXPANSIONS),
            grown: 0,
            files: 0,
            stack: Vec::new(),
            body: None,
            drawn: 0,
            include_check: include::Checks::default(),
        }
    }

    /// An error at `span`.
    pub(super) fn error(&mut self, span: Span, code: Code, message: impl Into<String>, help: &str) {
        self.findings.push(error(span, code, message.into(), help));
    }

    /// Reads one file; `at` is the line that asked for it.
    pub(super) fn file(&mut self, path: &str, at: Option<Span>) {
        let bytes = match self.source.read(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let why = match why {
                    ReadError::Missing => "there is no such file".to_string(),
                    ReadError::NotRegular(reason) | ReadError::Refused(reason) => reason,
                    ReadError::TooLarge => {
                        format!("it is larger than {} MiB", crate::config::source::MAX_FILE / 1024 / 1024)
                    }
                };
                let span = at.unwrap_or_else(|| Span::whole(path));
                self.error(span, codes::UNREADABLE, format!("cannot read {path}: {why}"), "");
                return;
            }
        };
        self.files += 1;
        self.stack.push(String::from(path));
        let file: Arc<str> = Arc::from(path);
        for (index, raw) in bytes.split(|b| *b == b'\n').enumerate() {
            if self.tree.full {
                break;
            }
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            self.physical(&file, number, raw);
        }
        self.stack.pop();
        if self.stack.is_empty() && self.body.is_some() {
            self.error(
                Span::whole(path),
                codes::DEFINITION,
                "the file ends inside a definition of several lines",
                "its last line has no backslash at its end",
            );
        }
    }

    /// One line as it stands in the file.
    fn physical(&mut self, file: &Arc<str>, number: u32, raw: &[u8]) {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if raw.iter().all(|b| *b == b' ' || *b == b'\t') && self.body.is_none() {
            return;
        }
        if raw.len() > MAX_LINE {
            let shown = String::from_utf8_lossy(&raw[..MAX_LINE]);
            let line = Line::new(file, number, &shown);
            let message = format!("a line of {} bytes; keepalived reads {MAX_LINE}", raw.len());
            self.error(line.span(1, 1), codes::LINE_TOO_LONG, message, "split it, or use $DEFINITIONS");
            return;
        }
        let decoded = String::from_utf8_lossy(raw);
        let line = Arc::new(Line::new(file, number, &decoded));
        let text = text_of(&decoded);
        if let Some(nul) = text.iter().find(|ch| ch.c == '\0') {
            let help = "remove it; if there are many, the file is perhaps UTF-16: save it as UTF-8";
            self.error(line.span(nul.from, nul.to), codes::NUL, "a NUL byte", help);
        }
        let (left, open) = strip_comment(&text);
        if let Some(quote) = open {
            let help = "close it on the same line";
            self.error(line.span(quote.from, quote.to), codes::OPEN_QUOTE, "this quote is not closed", help);
            return;
        }
        let broken = left.iter().find(|ch| ch.c == char::REPLACEMENT_CHARACTER);
        if let Some(bad) = broken.filter(|_| core::str::from_utf8(raw).is_err()) {
            let help = "save the file as UTF-8";
            self.error(line.span(bad.from, bad.to), codes::NOT_UTF8, "this character is not UTF-8", help);
        }
        // The line is read all the same, without belief in the word: it may open a block, and what follows is right.
        let mut kept = left.to_vec();
        for ch in kept.iter_mut().filter(|ch| matches!(ch.c, '\0' | char::REPLACEMENT_CHARACTER)) {
            ch.power = Power::Poison;
        }
        if self.body.is_some() {
            self.body_line(&line, &kept);
        } else {
            self.logical(&line, kept, 0);
        }
    }

    /// A line without comment, from where keepalived looks at conditions.
    pub(super) fn logical(&mut self, line: &Arc<Line>, text: Text, depth: u32) {
        if depth > MAX_EXPANSION_DEPTH {
            let message = format!("definitions nested deeper than {MAX_EXPANSION_DEPTH}");
            self.error(line.whole(), codes::EXPANSION, message, "does one refer to itself?");
            return;
        }
        if self.tree.full {
            return;
        }
        let mut rest = trim(&text);
        if rest.first().is_some_and(|ch| ch.c == '@' && ch.power == Power::Plain) {
            match self.condition(line, rest) {
                Some(kept) => rest = kept,
                None => return,
            }
        }
        if rest.is_empty() || self.definition(line, rest) {
            return;
        }
        if starts_with(rest, "~SEQ") || starts_with(rest, "~LST") {
            self.generate(line, rest, depth);
            return;
        }
        let first: String = rest.iter().map(|ch| ch.c).take_while(|c| !blank(*c)).collect();
        let mut out = Text::with_capacity(rest.len());
        let Ok(lines) = self.expand(line, rest, &mut out, keyword::takes_command(&first)) else { return };
        self.grown += if self.budget < self.allowed() { out.len() } else { 0 };
        if self.grown > MAX_GROWN {
            self.budget = 0;
        }
        let changed = out.len() != rest.len() || out.iter().zip(rest).any(|(a, b)| a.c != b.c);
        let again = changed
            && (matches!(trim(&out).first(), Some(Ch { c: '@' | '~', power: Power::Plain, .. }))
                || defines(trim(&out)));
        if again {
            self.logical(line, out, depth + 1);
        } else {
            self.pieces(line, &out);
        }
        for inner in lines.iter() {
            if !self.spend(line) {
                return;
            }
            // The body's own line is shown: its columns mean nothing in the line that asked for it.
            let mut text = text_of(&inner.text);
            for ch in &mut text {
                ch.from = ch.from.saturating_add(inner.from - 1);
                ch.to = ch.from;
            }
            self.logical(&inner.line, text, depth + 1);
        }
    }

    /// `@id text`, `@^id text`: what is left, or nothing.
    fn condition<'t>(&mut self, line: &Arc<Line>, text: &'t [Ch]) -> Option<&'t [Ch]> {
        let end = text.iter().position(|ch| blank(ch.c)).unwrap_or(text.len());
        let id = plain(&text[1..end]);
        let rest = trim(&text[end..]);
        if rest.is_empty() {
            // What is left when the line behind the condition was commented out; keepalived passes over it too.
            let at = span(line, &text[..end]);
            let message = "a condition without a line has no effect".to_string();
            let help = "write @HOST and the line that is for that host only";
            self.findings.push(finding(Severity::Note, at, codes::CONDITION, message, help));
            return None;
        }
        let ours = self.config_id();
        let wanted = match id.strip_prefix('^') {
            Some(other) => other != ours,
            None => !id.is_empty() && id == ours,
        };
        if !wanted {
            self.remember(&id, rest);
        }
        wanted.then_some(rest)
    }

    /// A line that is not for us: if it is a definition, who it is for, so that a missing name can be explained.
    fn remember(&mut self, id: &str, rest: &[Ch]) {
        let equals = rest.iter().position(|ch| ch.c == '=').filter(|_| defines(rest));
        let Some(equals) = equals else { return };
        let name = plain(&rest[1..equals]);
        let place = self.definitions.entry(name).or_insert_with(|| Definition::Elsewhere(String::new()));
        if let Definition::Elsewhere(all) = place
            && all.len() + id.len() < MAX_CONDITIONS
        {
            all.push_str(if all.is_empty() { "@" } else { ", @" });
            all.push_str(id);
        }
    }

    /// `-i`, or the host's name up to its first dot.
    pub(super) fn config_id(&self) -> String {
        match &self.options.config_id {
            Some(id) => id.clone(),
            None => self.source.host().split('.').next().unwrap_or("").to_string(),
        }
    }

    /// `$NAME=VALUE`: is it one? A value that ends in a backslash goes on in the lines that follow.
    fn definition(&mut self, line: &Arc<Line>, text: &[Ch]) -> bool {
        if text[0].c != '$' {
            return false;
        }
        let Some(equals) = text.iter().position(|ch| ch.c == '=') else { return false };
        let name = plain(&text[1..equals]);
        if name.trim() != name && name_like(name.trim()) {
            self.error(
                span(line, &text[..=equals]),
                codes::DEFINITION,
                "a definition has no blank before =",
                &format!("write ${}=", name.trim()),
            );
            return true;
        }
        if !name_like(&name) {
            return false;
        }
        if name.starts_with('_') {
            let message = format!("${name}: names that begin with _ are built in");
            self.error(span(line, &text[..equals]), codes::DEFINITION, message, "choose another name");
            return true;
        }
        let value = trim(&text[equals + 1..]);
        if let Some((_, first)) = value.split_last().filter(|(last, _)| last.c == '\\') {
            self.body = Some((name, Vec::new()));
            let first = trim(first);
            if !first.is_empty() {
                let mut line_and_more = first.to_vec();
                line_and_more.push(value[value.len() - 1]);
                self.body_line(line, &line_and_more);
            }
        } else {
            self.definitions.insert(name, Definition::Value(Arc::from(plain(value).as_str())));
        }
        true
    }

    /// A line of a multi-line definition's body; the first one without a backslash at its end is the last.
    fn body_line(&mut self, line: &Arc<Line>, text: &[Ch]) {
        let Some((name, mut lines)) = self.body.take() else { return };
        let more = text.last().is_some_and(|ch| ch.c == '\\');
        let kept = if more { trim(&text[..text.len() - 1]) } else { text };
        if lines.len() >= MAX_BODY {
            let message = format!("the definition of ${name} has too many lines");
            self.error(line.whole(), codes::EXPANSION, message, "");
            self.tree.full = true;
            return;
        }
        let from = kept.first().map_or(1, |ch| ch.from);
        lines.push(BodyLine { line: line.clone(), text: plain(kept), from });
        if more {
            self.body = Some((name, lines));
        } else {
            self.definitions.insert(name, Definition::Lines(lines.into()));
        }
    }

    /// The whole budget.
    fn allowed(&self) -> u32 {
        self.options.expansions.unwrap_or(MAX_EXPANSIONS)
    }

    /// One step of the budget; false when it is used up, said once.
    pub(super) fn spend(&mut self, line: &Arc<Line>) -> bool {
        if self.budget == 0 {
            if !self.tree.full {
                let message = format!("more than {} references and generated lines", self.allowed());
                self.error(line.whole(), codes::EXPANSION, message, "the rest is not read");
                self.tree.full = true;
            }
            return false;
        }
        self.budget -= 1;
        true
    }

    /// A line with nothing left to expand: include, or statements and braces.
    fn pieces(&mut self, line: &Arc<Line>, text: &[Ch]) {
        let text = trim(text);
        if text.is_empty() || self.include(line, text) {
            return;
        }
        let mut from = 0;
        let mut quoted = false;
        for (i, ch) in text.iter().enumerate() {
            if ch.power != Power::Plain {
                continue;
            }
            match ch.c {
                // An escaped quote is one only for command lines, where a backslash counts.
                '"' if !(quoted
                    && i > 0
                    && text[i - 1].c == '\\'
                    && self.is_command(line, &text[from..])) =>
                {
                    quoted = !quoted;
                }
                '{' | '}' if !quoted => {
                    self.piece(line, &text[from..i]);
                    let at = line.span(ch.from, ch.to);
                    if ch.c == '{' {
                        self.tree.open(at, line, self.findings);
                    } else {
                        self.tree.close(at, self.findings);
                    }
                    from = i + 1;
                }
                _ => {}
            }
        }
        self.piece(line, &text[from..]);
    }

    /// Does the piece begin with a keyword that takes a command line?
    fn is_command(&self, line: &Arc<Line>, piece: &[Ch]) -> bool {
        words(line, piece).first().is_some_and(|word| keyword::takes_command(&word.text))
    }

    /// One statement.
    fn piece(&mut self, line: &Arc<Line>, text: &[Ch]) {
        let text = trim(text);
        let mut found: Vec<Word> = words(line, text);
        let Some(first) = found.first() else { return };
        if !keyword::takes_command(&first.text) {
            let mut quotes = text.iter().filter(|ch| ch.c == '"' && ch.power == Power::Plain);
            if let Some(last) = quotes.clone().next_back().filter(|_| quotes.by_ref().count() % 2 == 1) {
                let help = "a backslash does not escape a quote here";
                self.error(
                    line.span(last.from, last.to),
                    codes::OPEN_QUOTE,
                    "this quote is not closed",
                    help,
                );
            }
        } else {
            let end = text.iter().position(|ch| blank(ch.c) || ch.c == '"').unwrap_or(text.len());
            let (mut command, open) = command_words(line, &text[end..]);
            if let Some(quote) = open {
                let help = "a # or ! inside '…' begins a comment: put the whole command into \"…\"";
                let at = line.span(quote.from, quote.to);
                self.error(at, codes::OPEN_QUOTE, "this quote is not closed", help);
                command.iter_mut().for_each(|word| word.poisoned = true);
            }
            found.truncate(1);
            found.extend(command);
        }
        self.tree.statement(found, line, self.findings);
    }

    /// A placeholder that nothing defines: said where it stands, and harmless from there on.
    pub(super) fn placeholder(&mut self, line: &Arc<Line>, text: &[Ch], severity: Severity) {
        let shown = plain(text);
        let message = match severity {
            Severity::Error => format!("the placeholder {shown} was never replaced by its value"),
            Severity::Warning | Severity::Note => format!("{shown} is not defined and stays as it is"),
        };
        let name = shown.trim_matches(|c| matches!(c, '$' | '{' | '}'));
        let help = match self.definitions.get(name) {
            Some(Definition::Elsewhere(all)) if !all.is_empty() => {
                let id = self.config_id();
                format!(
                    "it is defined for {all}, and this is {id}: `-i NAME` reads the file as that host does"
                )
            }
            Some(Definition::Value(_) | Definition::Lines(_) | Definition::Elsewhere(_)) | None => {
                "write the value, or define it above: $NAME=value (the environment is ${_ENV NAME})"
                    .to_string()
            }
        };
        self.findings.push(finding(severity, span(line, text), codes::PLACEHOLDER, message, &help));
    }

    /// A name that is defined, followed by what no reference ends with: it stays as it is, as in keepalived.
    pub(super) fn unbraced(&mut self, line: &Arc<Line>, text: &[Ch]) {
        let end = 1 + text[1..].iter().take_while(|ch| ch.c.is_ascii_alphanumeric() || ch.c == '_').count();
        let name = plain(&text[1..end]);
        if let Some(Definition::Value(_)) = self.definitions.get(&name) {
            let message =
                format!("${name} is not replaced here: only a blank, a comma or a bracket ends a name");
            let help = format!("write ${{{name}}}");
            let at = span(line, &text[..end]);
            self.findings.push(finding(Severity::Warning, at, codes::PLACEHOLDER, message, &help));
        }
    }
}

/// Is `text` a definition, once its references are replaced (`$U${i}=x` behind a generator)?
fn defines(text: &[Ch]) -> bool {
    let equals = text.iter().position(|ch| ch.c == '=');
    let first = text.first().filter(|ch| ch.power != Power::Poison).map(|ch| ch.c);
    first == Some('$') && equals.is_some_and(|equals| name_like(&plain(&text[1..equals])))
}

/// Does `text` begin with `word`?
fn starts_with(text: &[Ch], word: &str) -> bool {
    text.len() >= word.len() && text.iter().zip(word.chars()).all(|(ch, c)| ch.c == c)
}

/// Where `text` stands.
pub(super) fn span(line: &Line, text: &[Ch]) -> Span {
    let from = text.iter().map(|ch| ch.from).min().unwrap_or(1);
    let to = text.iter().map(|ch| ch.to).max().unwrap_or(1);
    line.span(from, to)
}

/// `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn name_like(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
