//! The pass over the lines: which section a line belongs to, and how things are said about it.

use super::codes;
use super::draft::{Draft, Proxy, ProxyKind};
use super::keywords::{self, Act};
use super::lex::{self, LexErrorKind, Line, Prefix, Word};
use super::{address, global, section};
use crate::config::finding::{Code, Finding, Findings, Severity, Span, nearest};
use crate::config::model::NodeConfig;
use crate::config::source::Source;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Where the reader stands.
#[derive(Clone, Debug, Default)]
pub(super) enum At {
    /// Before the first section.
    #[default]
    Nowhere,
    /// In `global`.
    Global,
    /// In `defaults`, under its name.
    Defaults(Arc<str>),
    /// In the last proxy.
    Proxy,
    /// In a section whose lines do not matter.
    Skipped,
}

/// The state of one pass.
pub(super) struct Reader<'a> {
    pub(super) file: Arc<str>,
    pub(super) source: &'a dyn Source,
    pub(super) findings: Findings,
    /// What `setenv` and its kin changed.
    pub(super) env: BTreeMap<String, Option<String>>,
    pub(super) node: NodeConfig,
    pub(super) global: global::Global,
    pub(super) at: At,
    /// The presets that count now, or the draft of the defaults section being read.
    pub(super) preset: Draft,
    pub(super) named: BTreeMap<Arc<str>, Draft>,
    pub(super) proxies: Vec<Proxy>,
    /// Servers and bind addresses so far.
    pub(super) count: section::Count,
}

impl Reader<'_> {
    /// Reads one line; `raw` has no line feed.
    pub(super) fn line(&mut self, number: u32, raw: &[u8]) {
        let text = String::from_utf8_lossy(raw);
        let shown = shown(&text);
        let name_of = self.section_name();
        let lookup = |name: &str| match name {
            ".FILE" => Some(self.file.to_string()),
            ".LINE" => Some(number.to_string()),
            ".SECTION" => Some(name_of.clone()),
            name => self.variable(name),
        };
        let mut words = match lex::words(&text, &lookup) {
            Ok(words) => words,
            Err(error) => return self.lex_error(number, &shown, &error),
        };
        if words.is_empty() {
            return;
        }
        let prefix = match words[0].text.as_str() {
            "no" if words.len() > 1 => Prefix::No,
            "default" if words.len() > 1 => Prefix::Default,
            _ => Prefix::None,
        };
        if prefix != Prefix::None {
            words.remove(0);
        }
        let mut line = Line { number, shown, words, prefix };
        if let Some(index) = line.words.iter().position(|word| word.text.contains('\u{fffd}')) {
            let help = "save the file as UTF-8, or use letters, digits and - _ . : only";
            return self.error(codes::NOT_UTF8, &line, index, "this word is not UTF-8".into(), Some(help));
        }
        if self.placeholders(&mut line) {
            self.dispatch(&line);
        }
    }

    fn lex_error(&mut self, number: u32, shown: &Arc<str>, error: &lex::LexError) {
        let (code, help) = match error.kind {
            LexErrorKind::Quoting if error.message.ends_with("quote is not closed") => {
                (codes::QUOTING, Some("close it on the same line, or put a backslash before it"))
            }
            LexErrorKind::Quoting => (codes::QUOTING, None),
            LexErrorKind::Words => (codes::TOO_MANY_WORDS, Some("use several lines")),
            LexErrorKind::Unset => {
                (codes::PLACEHOLDER, Some("set it where the daemon is started, or write ${NAME-default}"))
            }
            LexErrorKind::Long => (codes::LINE_TOO_LONG, None),
        };
        let span = self.span_of(number, shown, error.column, error.width);
        self.say(Severity::Error, code, span, error.message.clone(), help);
    }

    /// An environment variable, as `setenv` and its kin left it.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match self.env.get(name) {
            Some(changed) => changed.clone(),
            None => self.source.env(name),
        }
    }

    fn section_name(&self) -> String {
        match &self.at {
            At::Nowhere | At::Skipped => String::new(),
            At::Global => "global".into(),
            At::Defaults(_) => "defaults".into(),
            At::Proxy => self.proxies.last().map(|p| p.kind.as_str().into()).unwrap_or_default(),
        }
    }

    /// Expands variables where haproxy does, in addresses; everywhere else `${NAME}` is a forgotten template.
    fn placeholders(&mut self, line: &mut Line) -> bool {
        if line.words.iter().all(|word| word.placeholders.is_empty()) {
            return true;
        }
        let mut good = true;
        for index in 0..line.words.len() {
            if line.words[index].placeholders.is_empty() {
                continue;
            }
            let missing = if address::is_address(line, index) {
                self.expand(&mut line.words[index])
            } else {
                line.words[index].placeholders.iter().find(|p| p.braces).map(|p| (p.column, p.width))
            };
            if let Some((column, width)) = missing {
                let span = self.span_of(line.number, &line.shown, column, width);
                let help = "fill in the template, or put the word in double quotes and set the variable where the daemon is started";
                let message = "this placeholder was not replaced";
                self.say(Severity::Error, codes::PLACEHOLDER, span, message.into(), Some(help));
                good = false;
            }
        }
        good
    }

    /// Puts the variables' values into `word`; answers the place of the first one that is not set.
    fn expand(&self, word: &mut Word) -> Option<(u32, u32)> {
        let mut text = String::new();
        let mut rest = word.text.as_str();
        for placeholder in &word.placeholders {
            let place = Some((placeholder.column, placeholder.width));
            let Some((before, after)) = rest.split_once('$') else { return place };
            let inner = if placeholder.braces {
                after.strip_prefix('{').and_then(|after| after.split_once('}'))
            } else {
                let end =
                    after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
                Some(after.split_at(end))
            };
            let Some((inner, after)) = inner else { return place };
            let (name, fallback) = match inner.split_once('-') {
                Some((name, fallback)) => (name, Some(String::from(fallback))),
                None => (inner, None),
            };
            let Some(value) = self.variable(name).or(fallback) else { return place };
            text.push_str(before);
            text.push_str(&value);
            rest = after;
            if text.len() > lex::MAX_EXPANDED {
                return place;
            }
        }
        text.push_str(rest);
        word.text = text;
        None
    }

    fn dispatch(&mut self, line: &Line) {
        let word = line.word(0);
        if word.starts_with('.') {
            let message = format!("`{word}` is not served: whether the lines below count cannot be told");
            let help = Some("write the configuration without conditions");
            return self.error(codes::CONDITION, line, 0, message, help);
        }
        let above = self.proxies.len();
        if section::open(self, line) {
            if let Some(above) = above.checked_sub(1).and_then(|at| self.proxies.get_mut(at)) {
                above.until = above.until.min(line.number.saturating_sub(1));
            }
            return;
        }
        match self.at {
            At::Skipped => {}
            At::Nowhere => {
                let known = section::NAMES.iter().map(|(name, _)| *name);
                let near = self.near(word, known).map(|name| format!("did you mean `{name}`?"));
                let help = near
                    .unwrap_or("move it below the `frontend`, `backend` or `listen` that it is for".into());
                let message = format!("`{word}` stands before the first section");
                self.error(codes::UNKNOWN_SECTION, line, 0, message, Some(&help));
            }
            At::Global => keywords::run_global(self, line),
            At::Defaults(_) | At::Proxy => keywords::run_proxy(self, line),
        }
    }

    /// What the section being read may change.
    pub(super) fn draft(&mut self) -> &mut Draft {
        match (&self.at, self.proxies.last_mut()) {
            (At::Proxy, Some(proxy)) => &mut proxy.draft,
            _ => &mut self.preset,
        }
    }

    /// The kind of the section being read.
    pub(super) fn kind(&self) -> ProxyKind {
        match (&self.at, self.proxies.last()) {
            (At::Proxy, Some(proxy)) => proxy.kind,
            _ => ProxyKind::Defaults,
        }
    }

    /// Does what a table entry says; `word` is where the keyword stands.
    pub(super) fn act(&mut self, act: Act, line: &Line, word: usize) {
        match act {
            Act::Do(run) => run(self, line),
            Act::Accept => {}
            Act::Warn(effect) => {
                let message = format!("`{}` has no effect: {effect}", line.word(word));
                self.warn(codes::NO_EFFECT, line, word, message, None);
            }
            Act::Refuse(effect) => {
                let message = format!("`{}` is not served: {effect}", line.word(word));
                self.error(codes::REFUSED, line, word, message, None);
            }
        }
    }

    /// The place of the word at `index`, or just behind the last word.
    pub(super) fn at(&self, line: &Line, index: usize) -> Span {
        let (column, width) = match (line.words.get(index), line.words.last()) {
            (Some(word), _) => (word.column, word.width),
            (None, Some(last)) => (last.column.saturating_add(last.width).saturating_add(1), 1),
            (None, None) => (1, 1),
        };
        self.span_of(line.number, &line.shown, column, width)
    }

    pub(super) fn span_of(&self, line: u32, shown: &Arc<str>, column: u32, width: u32) -> Span {
        Span { file: self.file.clone(), line, column, width, text: shown.clone() }
    }

    pub(super) fn say(
        &mut self,
        severity: Severity,
        code: Code,
        span: Span,
        message: String,
        help: Option<&str>,
    ) {
        let help = help.map(String::from);
        self.findings.push(Finding { severity, code, span, message, help });
    }

    pub(super) fn error(
        &mut self,
        code: Code,
        line: &Line,
        word: usize,
        message: String,
        help: Option<&str>,
    ) {
        let span = self.at(line, word);
        self.say(Severity::Error, code, span, message, help);
    }

    pub(super) fn warn(&mut self, code: Code, line: &Line, word: usize, message: String, help: Option<&str>) {
        let span = self.at(line, word);
        self.say(Severity::Warning, code, span, message, help);
    }

    /// The nearest known word; not looked for when nothing more is shown, so that rubbish is read quickly.
    pub(super) fn near<'k>(&self, word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
        (self.findings.list().len() < Findings::MAX).then(|| nearest(word, known)).flatten()
    }

    /// Complains when the line has no word at `index`; `what` names it.
    pub(super) fn needs(&mut self, line: &Line, index: usize, what: &str) -> bool {
        let there = line.words.len() > index;
        if !there {
            let message = format!("`{}` needs {what}", line.word(0));
            self.error(codes::MISSING_ARGUMENT, line, index, message, None);
        }
        there
    }

    /// Complains about words from `index` on.
    pub(super) fn ends(&mut self, line: &Line, index: usize) {
        if line.words.len() > index {
            let message = format!("`{}` takes no further word", line.word(0));
            self.error(codes::EXTRA_ARGUMENT, line, index, message, None);
        }
    }

    /// The number at `index`, between `low` and `high`.
    pub(super) fn number(&mut self, line: &Line, index: usize, low: u32, high: u32) -> Option<u32> {
        if !self.needs(line, index, "a number") {
            return None;
        }
        match line.word(index).parse::<u32>() {
            Ok(number) if (low..=high).contains(&number) => Some(number),
            _ => {
                let message = format!("`{}` is not a number from {low} to {high}", line.word(index));
                self.error(codes::BAD_NUMBER, line, index, message, None);
                None
            }
        }
    }

    /// The time at `index`.
    pub(super) fn time(&mut self, line: &Line, index: usize) -> Option<core::time::Duration> {
        if !self.needs(line, index, "a time") {
            return None;
        }
        match super::value::time(line.word(index)) {
            Ok(time) => Some(time),
            Err(why) => {
                let message = format!("`{}` is not a time", line.word(index));
                self.error(codes::BAD_TIME, line, index, message, Some(why));
                None
            }
        }
    }
}

/// A line as findings show it.
pub(super) fn shown(text: &str) -> Arc<str> {
    let text: String = text
        .trim_end()
        .chars()
        .take(Span::MAX_TEXT)
        .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
        .collect();
    Arc::from(text)
}
