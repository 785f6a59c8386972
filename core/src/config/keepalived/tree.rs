//! Statements and blocks: what the lines of a keepalived.conf become before any keyword is understood.
//!
//! Structure errors are found here, each said once and where it began: a brace that opens or closes nothing, a
//! block never opened or never closed, a root keyword inside a block. Depth and number of statements are bounded.

use super::codes;
use super::keyword::{opens_block, root_only};
use super::text::{Line, Word};
use crate::config::finding::{Finding, Findings, Severity, Span};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The most statements of a configuration: 4096 virtual routers of 48 lines each.
pub(super) const MAX_STATEMENTS: usize = 200_000;
/// The deepest nesting of blocks that is read.
pub(super) const MAX_BLOCKS: usize = 16;

/// A keyword, its arguments, and its block, if it has one.
#[derive(Debug)]
pub(super) struct Statement {
    /// Keyword first; empty only for a block without a keyword.
    pub(super) words: Vec<Word>,
    pub(super) body: Option<Vec<Statement>>,
    pub(super) line: Arc<Line>,
}

impl Statement {
    /// Keyword.
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    /// What follows it.
    pub(super) fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or(&[])
    }

    /// Was something in it complained about before it was understood?
    pub(super) fn poisoned(&self) -> bool {
        self.words.iter().any(|word| word.poisoned) || self.body.iter().flatten().any(Statement::poisoned)
    }

    /// Where the keyword stands.
    pub(super) fn span(&self) -> Span {
        self.words.first().map_or_else(|| self.line.whole(), Word::span)
    }
}

/// A tree while it grows.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The open blocks, outermost first; the root is not one of them.
    open: Vec<Statement>,
    root: Vec<Statement>,
    /// Blocks open beyond [`MAX_BLOCKS`]; what is in them is not kept.
    beyond: usize,
    statements: usize,
    /// The limit was hit: nothing more is taken.
    pub(super) full: bool,
}

/// An error at `span`.
pub(super) fn error(span: Span, code: crate::config::finding::Code, message: String, help: &str) -> Finding {
    finding(Severity::Error, span, code, message, help)
}

/// A finding; an empty `help` is none.
pub(super) fn finding(
    severity: Severity,
    span: Span,
    code: crate::config::finding::Code,
    message: String,
    help: &str,
) -> Finding {
    let help = if help.is_empty() { None } else { Some(String::from(help)) };
    Finding { severity, code, span, message, help }
}

impl Tree {
    /// The list that the next statement goes to.
    fn list(&mut self) -> &mut Vec<Statement> {
        match self.open.last_mut() {
            Some(block) => block.body.get_or_insert_with(Vec::new),
            None => &mut self.root,
        }
    }

    /// Adds a statement.
    pub(super) fn statement(&mut self, words: Vec<Word>, line: &Arc<Line>, findings: &mut Findings) {
        if self.full || self.beyond > 0 {
            return;
        }
        let Some(first) = words.first() else { return };
        self.open_forgotten(findings);
        if root_only(&first.text) && !self.open.is_empty() {
            self.close_forgotten(first, findings);
        }
        self.statements += 1;
        if self.statements > MAX_STATEMENTS {
            self.full = true;
            findings.push(error(
                first.span(),
                codes::TOO_MANY_LINES,
                format!("more than {MAX_STATEMENTS} statements; the rest is not read"),
                "is this the file that was meant? a node has at most 4096 virtual routers",
            ));
            return;
        }
        let statement = Statement { words, body: None, line: line.clone() };
        self.list().push(statement);
    }

    /// A block keyword stands last in its list without its brace: say so, and read on inside it.
    fn open_forgotten(&mut self, findings: &mut Findings) {
        let forgotten = self
            .list()
            .last()
            .is_some_and(|last| last.body.is_none() && opens_block(last.keyword(), last.words.len()));
        let Some(last) = (if forgotten { self.list().pop() } else { None }) else { return };
        findings.push(error(
            last.span(),
            codes::MISSING_BRACE,
            format!("`{}` is not followed by {{", last.keyword()),
            "write { at the end of this line",
        ));
        self.open.push(Statement { body: Some(Vec::new()), ..last });
    }

    /// A root keyword inside blocks: they were never closed.
    fn close_forgotten(&mut self, keyword: &Word, findings: &mut Findings) {
        if let Some(block) = self.open.last() {
            findings.push(error(
                keyword.span(),
                codes::MISSING_BRACE,
                format!("`{}` inside `{}`: a }} is missing before it", keyword.text, block.keyword()),
                &format!("`{}` was opened at line {}", block.keyword(), block.line.number),
            ));
        }
        while !self.open.is_empty() {
            self.close_one();
        }
    }

    /// `{`.
    pub(super) fn open(&mut self, at: Span, line: &Arc<Line>, findings: &mut Findings) {
        if self.full {
            return;
        }
        if self.beyond > 0 || self.open.len() >= MAX_BLOCKS {
            if self.beyond == 0 {
                let message = format!("blocks nested deeper than {MAX_BLOCKS}");
                findings.push(error(at, codes::STRAY_BRACE, message, ""));
            }
            self.beyond += 1;
            return;
        }
        let last = self.list().pop();
        match last {
            Some(last) if last.body.is_none() => self.open.push(Statement { body: Some(Vec::new()), ..last }),
            other => {
                self.list().extend(other);
                let help = "put the keyword it belongs to before it";
                findings.push(error(
                    at,
                    codes::STRAY_BRACE,
                    String::from("{ without a keyword before it"),
                    help,
                ));
                self.open.push(Statement { words: Vec::new(), body: Some(Vec::new()), line: line.clone() });
            }
        }
    }

    /// `}`.
    pub(super) fn close(&mut self, at: Span, findings: &mut Findings) {
        if self.full {
            return;
        }
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        self.open_forgotten(findings);
        if self.open.is_empty() {
            findings.push(error(at, codes::STRAY_BRACE, String::from("} closes nothing"), "remove it"));
        } else {
            self.close_one();
        }
    }

    /// Closes the innermost block.
    fn close_one(&mut self) {
        if let Some(block) = self.open.pop() {
            self.list().push(block);
        }
    }

    /// All statements, once the text has ended.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Vec<Statement> {
        if !self.full {
            self.open_forgotten(findings);
            if let Some(block) = self.open.last() {
                let message = format!("`{}` is never closed", block.keyword());
                findings.push(error(block.span(), codes::MISSING_BRACE, message, "add the missing }"));
            }
        }
        while !self.open.is_empty() {
            self.close_one();
        }
        self.root
    }
}
