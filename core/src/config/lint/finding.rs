//! A finding about several nodes: the same words as one about a text, with a place on each side.

use crate::config::finding::{Code, Finding, Severity, Span};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A place in a node's files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The node.
    pub node: Arc<str>,
    /// Where in its files.
    pub span: Span,
}

/// One thing to say about the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossFinding {
    /// How bad.
    pub severity: Severity,
    /// Stable code.
    pub code: Code,
    /// Where: the first place is shown first; at least one.
    pub places: Vec<Place>,
    /// What, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl CrossFinding {
    /// What `check` said about one node.
    #[must_use]
    pub fn of_one(node: &Arc<str>, finding: &Finding) -> CrossFinding {
        CrossFinding {
            severity: finding.severity,
            code: finding.code,
            places: alloc::vec![Place { node: node.clone(), span: finding.span.clone() }],
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

/// The arrow line of a place and, unless `line` is false, the line with its caret.
fn show(f: &mut fmt::Formatter<'_>, place: &Place, first: bool, line: bool) -> fmt::Result {
    let span = &place.span;
    let pad = " ".repeat(if span.line == 0 { 1 } else { span.line.to_string().len() });
    let arrow = if first { "-->" } else { ":::" };
    if span.line == 0 {
        return writeln!(f, "{pad}{arrow} {} (node {})", span.file, place.node);
    }
    writeln!(f, "{pad}{arrow} {}:{}:{} (node {})", span.file, span.line, span.column, place.node)?;
    if !line {
        return Ok(());
    }
    let before = span.text.chars().take(span.column.saturating_sub(1) as usize);
    let lead: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    writeln!(f, "{pad} |")?;
    writeln!(f, "{} | {}", span.line, span.text)?;
    writeln!(f, "{pad} | {lead}{}", "^".repeat(span.width.max(1) as usize))
}

impl fmt::Display for CrossFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(f, "{word}[{}]: {}", self.code, self.message)?;
        for (index, place) in self.places.iter().enumerate() {
            // A line that was shown already says nothing new.
            let seen = self.places[..index].iter().any(|before| before.span.text == place.span.text);
            show(f, place, index == 0, !seen)?;
        }
        match &self.help {
            Some(help) => writeln!(f, "  = help: {help}"),
            None => Ok(()),
        }
    }
}

/// `cp1`, `cp1 and cp2`, `cp1, cp2 and cp3`.
#[must_use]
pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => "nobody".into(),
        [one] => one.as_ref().into(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_shown_and_a_line_that_is_the_same_only_once() {
        let place = |node: &str, line: u32, text: &str| Place {
            node: Arc::from(node),
            span: Span { file: Arc::from("k.conf"), line, column: 3, width: 2, text: Arc::from(text) },
        };
        let finding = CrossFinding {
            severity: Severity::Error,
            code: Code(4001),
            places: alloc::vec![place("b", 9, "  52"), place("a", 10, "  51"), place("c", 10, "  51")],
            message: "differs".into(),
            help: None,
        };
        let wanted = "error[SF4001]: differs\n --> k.conf:9:3 (node b)\n  |\n9 |   52\n  |   ^^\n  ::: \
                      k.conf:10:3 (node a)\n   |\n10 |   51\n   |   ^^\n  ::: k.conf:10:3 (node c)\n";
        assert_eq!(finding.to_string(), wanted);
    }

    #[test]
    fn names_are_joined_as_people_do() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
