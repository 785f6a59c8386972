//! `include` and its relatives: which files, and what it means when there are none.
//!
//! Patterns are relative to the file that includes. A file that includes itself, or includes without end, is said
//! once; keepalived would run out of file handles.

use super::codes;
use super::reader::{Reader, span};
use super::text::{Ch, Line, plain, trim, words};
use super::tree::finding;
use crate::config::finding::Severity;
use crate::config::source::ReadError;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The deepest nesting of includes.
pub(super) const MAX_INCLUDE_DEPTH: usize = 32;
/// The most files of one configuration.
pub(super) const MAX_FILES: u32 = 1024;
/// The most alternatives of a pattern.
pub(super) const MAX_ALTERNATIVES: usize = 256;

/// What an include complains about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checks {
    /// A file that is there but cannot be read.
    read: bool,
    /// A name without wildcards that is not there.
    literal: bool,
    /// A pattern that matches nothing.
    wildcard: bool,
    /// An alternative of a brace group that matches nothing.
    brace: bool,
}

impl Reader<'_> {
    /// Handles `text` if it is an include line or sets what includes check; says whether it was.
    pub(super) fn include(&mut self, line: &Arc<Line>, text: &[Ch]) -> bool {
        let first: String = text.iter().map(|ch| ch.c).take_while(|c| *c != ' ' && *c != '\t').collect();
        let all = Checks { read: true, literal: true, wildcard: true, brace: true };
        let checks = match first.as_str() {
            "include" => self.include_check,
            "includer" => Checks { read: true, ..Checks::default() },
            "includem" => Checks { literal: true, ..Checks::default() },
            "includew" => Checks { wildcard: true, ..Checks::default() },
            "includeb" => Checks { brace: true, ..Checks::default() },
            "includea" => all,
            "include_check" => {
                self.set_checks(line, text);
                return true;
            }
            _ => return false,
        };
        let rest = trim(&text[first.chars().count()..]);
        let pattern = plain(rest).trim_matches('"').to_string();
        if pattern.is_empty() {
            self.error(line.whole(), codes::MISSING_ARGUMENT, format!("{first} needs a file or pattern"), "");
            return true;
        }
        self.include_pattern(line, rest, &pattern, checks);
        true
    }

    /// `include_check [+|-]word …`. The code of keepalived knows `read`, its manual `readable`: both count.
    fn set_checks(&mut self, line: &Arc<Line>, text: &[Ch]) {
        let found = words(line, text);
        if found.len() == 1 {
            self.include_check = Checks { read: true, literal: true, wildcard: true, brace: true };
        }
        if found.get(1).is_some_and(|word| !word.text.starts_with(['+', '-'])) {
            self.include_check = Checks::default();
        }
        for word in found.into_iter().skip(1) {
            let on = !word.text.starts_with('-');
            match word.text.trim_start_matches(['+', '-']) {
                "read" | "readable" => self.include_check.read = on,
                "match" => self.include_check.literal = on,
                "wildcard_match" => self.include_check.wildcard = on,
                "brace_match" => self.include_check.brace = on,
                _ => {
                    let help = "readable, match, wildcard_match or brace_match";
                    let message = format!("include_check knows no `{}`", word.text);
                    self.error(word.span(), codes::BAD_VALUE, message, help);
                }
            }
        }
    }

    /// Reads all files of a pattern.
    fn include_pattern(&mut self, line: &Arc<Line>, at: &[Ch], pattern: &str, checks: Checks) {
        let here = self.stack.last().map_or_else(String::new, |path| folder(path));
        let Some(patterns) = alternatives(pattern) else {
            let message = format!("more than {MAX_ALTERNATIVES} alternatives in {pattern}");
            self.error(span(line, at), codes::TOO_DEEP, message, "");
            return;
        };
        let braced = patterns.len() > 1;
        for one in patterns {
            let wild = one.contains(['*', '?', '[']);
            let full =
                if one.starts_with('/') || here.is_empty() { one.clone() } else { format!("{here}/{one}") };
            let full = tidy(&full);
            let matched = self.source.glob(&full);
            if matched.is_empty() {
                let said = if braced { checks.brace } else { false }
                    || if wild { checks.wildcard } else { checks.literal };
                let severity = if said { Severity::Error } else { Severity::Warning };
                let help = "correct the path, or remove the line";
                let message = format!("{full} matches no file");
                self.findings.push(finding(severity, span(line, at), codes::NO_MATCH, message, help));
            }
            for path in matched {
                self.include_file(line, at, &path, checks);
            }
        }
    }

    /// Reads one file, if it may be.
    fn include_file(&mut self, line: &Arc<Line>, at: &[Ch], path: &str, checks: Checks) {
        let here = span(line, at);
        if self.stack.iter().any(|open| open == path) {
            let message = format!("{path} includes itself");
            self.error(here, codes::SELF_INCLUDE, message, "remove this line");
            return;
        }
        if self.stack.len() > MAX_INCLUDE_DEPTH || self.files >= MAX_FILES {
            if !self.tree.full {
                let message = format!(
                    "includes nested deeper than {MAX_INCLUDE_DEPTH}, or more than {MAX_FILES} files; the rest is not read"
                );
                self.error(here, codes::TOO_DEEP, message, "");
                self.tree.full = true;
            }
            return;
        }
        match self.source.read(path) {
            // An executable or unreadable file is passed over unless the line says that it counts.
            Err(ReadError::NotRegular(why) | ReadError::Refused(why)) if !checks.read => {
                let message = format!("{path} is passed over: {why}");
                self.findings.push(finding(Severity::Warning, here, codes::UNREADABLE, message, ""));
            }
            Ok(_) | Err(_) => self.file(path, Some(here)),
        }
    }
}

/// The folder of a file, without a slash at its end; empty for the working directory.
pub(super) fn folder(path: &str) -> String {
    match path.rfind('/') {
        Some(0) => "/".to_string(),
        Some(slash) => path[..slash].to_string(),
        None => String::new(),
    }
}

/// Without `.` and `..` components, so that a file has one name.
fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            "" if !parts.is_empty() => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// The patterns that a pattern with `{a,b}` stands for; `None` when there are too many.
pub(super) fn alternatives(pattern: &str) -> Option<Vec<String>> {
    let mut done = Vec::new();
    let mut open = alloc::vec![pattern.to_string()];
    while let Some(next) = open.pop() {
        let group = next.find('{').and_then(|from| next[from..].find('}').map(|n| (from, from + n)));
        let Some((from, to)) = group else {
            done.push(next);
            continue;
        };
        // The innermost group that closes first, so that nested ones unfold.
        let from = next[..to].rfind('{').unwrap_or(from);
        let choices: Vec<String> = next[from + 1..to]
            .split(',')
            .map(|c| format!("{}{c}{}", &next[..from], &next[to + 1..]))
            .collect();
        if open.len() + choices.len() + done.len() > MAX_ALTERNATIVES {
            return None;
        }
        open.extend(choices.into_iter().rev());
    }
    Some(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn brace_groups_unfold_in_order() {
        assert_eq!(alternatives("a{b,c}d"), Some(vec!["abd".to_string(), "acd".to_string()]));
        assert_eq!(alternatives("plain"), Some(vec!["plain".to_string()]));
        assert_eq!(alternatives(&"{a,b}".repeat(20)), None);
    }

    #[test]
    fn a_path_has_one_name() {
        assert_eq!(tidy("/etc/./k/../k/a"), "/etc/k/a");
        assert_eq!(tidy("../a"), "../a");
        assert_eq!(folder("/a"), "/");
    }
}
