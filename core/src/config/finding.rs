//! What a language has to say about a text: place, words, remedy, and a stable code. All of them in one pass.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know; nothing is different from what was written.
    Note,
    /// Served, but probably not what was meant, or without effect.
    Warning,
    /// The configuration cannot be run.
    Error,
}

/// A place in a file. Line and column count from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The file as it was named.
    pub file: Arc<str>,
    /// Line.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
    /// Characters to underline, at least 1.
    pub width: u32,
    /// The line itself, cut at [`Span::MAX_TEXT`] characters, control characters shown as `?`.
    pub text: Arc<str>,
}

impl Span {
    /// The longest line shown, in characters.
    pub const MAX_TEXT: usize = 200;

    /// A place in a file as a whole.
    #[must_use]
    pub fn whole(file: &str) -> Span {
        Span { file: Arc::from(file), line: 0, column: 0, width: 0, text: Arc::from("") }
    }
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// Stable code, `SF` and four digits; listed in [`crate::config::codes`].
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SF{:04}", self.0)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(f, "{word}[{}]: {}", self.code, self.message)?;
        let span = &self.span;
        if span.line == 0 {
            writeln!(f, "  --> {}", span.file)?;
        } else {
            let gutter = format!("{}", span.line);
            let pad = " ".repeat(gutter.len());
            let lead: String = span
                .text
                .chars()
                .take(span.column.saturating_sub(1) as usize)
                .map(|c| if c == '\t' { '\t' } else { ' ' })
                .collect();
            writeln!(f, "{pad}--> {}:{}:{}", span.file, span.line, span.column)?;
            writeln!(f, "{pad} |")?;
            writeln!(f, "{gutter} | {}", span.text)?;
            writeln!(f, "{pad} | {lead}{}", "^".repeat(span.width.max(1) as usize))?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "  = help: {help}")?;
        }
        Ok(())
    }
}

/// The findings of one pass, at most [`Findings::MAX`]; what comes after is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    list: Vec<Finding>,
    /// Findings beyond the limit.
    pub dropped: u32,
    errors: u32,
}

impl Findings {
    /// The most findings kept of one pass.
    pub const MAX: usize = 1000;

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        if finding.severity == Severity::Error {
            self.errors = self.errors.saturating_add(1);
        }
        if self.list.len() < Findings::MAX {
            self.list.push(finding);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Findings) {
        self.dropped = self.dropped.saturating_add(other.dropped);
        let before = self.errors;
        let all = other.errors;
        for finding in other.list {
            self.push(finding);
        }
        self.errors = before.saturating_add(all);
    }

    /// The same findings in the order of the text: files as they were first spoken of, lines, columns.
    #[must_use]
    pub fn in_order(mut self) -> Findings {
        let mut files: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for finding in &self.list {
            let next = files.len();
            files.entry(finding.span.file.clone()).or_insert(next);
        }
        self.list.sort_by_key(|f| (files.get(&f.span.file).copied(), f.span.line, f.span.column));
        self
    }

    /// All kept, in the order of the text.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// How many errors there were, kept or not.
    #[must_use]
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// How many of the kept ones have `severity`.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|f| f.severity == severity).count()
    }
}

/// The word of `known` that is nearest to `word`, when it is near enough to be meant (edit distance at most a third of its length).
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, candidate)| (*d, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Edit distance with adjacent swaps (optimal string alignment), on at most 64 characters of each.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let width = b.len() + 1;
    let mut table = alloc::vec![0_usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (table[(i - 1) * width + j] + 1)
                    .min(table[i * width + j - 1] + 1)
                    .min(table[(i - 1) * width + j - 1] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(table[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["priority", "interface", "state"];
        assert_eq!(nearest("priorty", known), Some("priority"));
        assert_eq!(nearest("pirority", known), Some("priority"));
        assert_eq!(nearest("banana", known), None);
    }

    #[test]
    fn a_finding_points_at_its_column() {
        let span =
            Span { file: Arc::from("a.conf"), line: 12, column: 5, width: 3, text: Arc::from("    foo bar") };
        let finding = Finding {
            severity: Severity::Error,
            code: Code(7),
            span,
            message: "no".into(),
            help: Some("yes".into()),
        };
        let text = finding.to_string();
        assert!(text.contains("12 |     foo bar\n   |     ^^^\n"), "{text}");
        assert!(text.starts_with("error[SF0007]: no\n  --> a.conf:12:5\n"), "{text}");
    }

    #[test]
    fn findings_beyond_the_limit_are_counted_not_kept() {
        let finding = Finding {
            severity: Severity::Error,
            code: Code(1),
            span: Span::whole("x"),
            message: String::new(),
            help: None,
        };
        let mut findings = Findings::default();
        for _ in 0..=Findings::MAX {
            findings.push(finding.clone());
        }
        assert_eq!((findings.list().len(), findings.dropped, findings.errors()), (1000, 1, 1001));
    }
}
