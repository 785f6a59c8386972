//! The YAML that pod manifests are written in: block maps and lists, scalars, comments, lists and maps in one line.
//!
//! Not a YAML parser: anchors, tags, multi-line flow and block scalars are not followed (a block scalar's lines are
//! skipped), and what is not understood is an error with its line. Depth and lines are bounded.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The most lines of a manifest.
pub(super) const MAX_LINES: usize = 10_000;
/// The deepest nesting.
pub(super) const MAX_DEPTH: usize = 32;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column of its first character, from 1.
    pub(super) column: usize,
    pub(super) what: What,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Scalar(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The value at the end of a path of keys.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value> {
        let Some((key, rest)) = path.split_first() else { return Some(self) };
        match &self.what {
            What::Map(map) => map.get(*key)?.get(rest),
            What::List(_) | What::Scalar(_) => None,
        }
    }

    /// The items of the list at the end of a path; none when there is no list.
    pub(super) fn items(&self, path: &[&str]) -> &[Value] {
        match self.get(path).map(|value| &value.what) {
            Some(What::List(items)) => items,
            Some(What::Map(_) | What::Scalar(_)) | None => &[],
        }
    }

    /// The scalar at the end of a path.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.get(path)?.what {
            What::Scalar(text) => Some(text),
            What::List(_) | What::Map(_) => None,
        }
    }
}

/// Why a text is not read: line, and what is wrong.
pub(super) type Error = (usize, &'static str);

#[derive(Clone, Copy, Debug)]
struct Line<'t> {
    number: usize,
    indent: usize,
    text: &'t str,
}

/// The documents of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, Error> {
    let mut documents: Vec<Vec<Line<'_>>> = alloc::vec![Vec::new()];
    let mut skip: Option<usize> = None;
    for (raw, number) in text.lines().zip(1..) {
        if number > MAX_LINES {
            return Err((number, "more lines than a manifest has"));
        }
        let indent = raw.len() - raw.trim_start_matches(' ').len();
        let line = uncommented(raw).trim();
        if skip.is_some_and(|deeper| indent > deeper || line.is_empty()) || line.is_empty() {
            continue;
        }
        skip = None;
        if line == "---" || line == "..." {
            documents.push(Vec::new());
            continue;
        }
        if raw[indent..].starts_with('\t') {
            return Err((number, "a tab where YAML wants blanks"));
        }
        if line.ends_with(['|', '>']) || ["|-", ">-", "|+", ">+"].iter().any(|end| line.ends_with(end)) {
            skip = Some(indent);
        }
        if let Some(document) = documents.last_mut() {
            document.push(Line { number, indent, text: line });
        }
    }
    let filled = documents.iter().filter(|lines| !lines.is_empty());
    filled
        .map(|lines| {
            let mut lines = lines.clone();
            let mut at = 0;
            let value = block(&mut lines, &mut at, 0)?;
            match lines.get(at) {
                Some(left) => Err((left.number, "this line fits into nothing above it")),
                None => Ok(value),
            }
        })
        .collect()
}

/// What stands before a comment.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return &line[..at],
            (None, '"' | '\'') if before.is_whitespace() || "[{,:".contains(before) => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some(_), _) => {}
        }
        before = c;
    }
    line
}

/// The list or map whose lines begin at `at`, all at the same indentation.
fn block(lines: &mut [Line<'_>], at: &mut usize, depth: usize) -> Result<Value, Error> {
    let first = *lines.get(*at).ok_or((0, "nothing"))?;
    if depth > MAX_DEPTH {
        return Err((first.number, "nested too deeply"));
    }
    let dash = |text: &str| text == "-" || text.starts_with("- ");
    let (mut list, mut map) = (Vec::new(), BTreeMap::new());
    while let Some(line) = lines.get(*at).copied().filter(|line| line.indent == first.indent) {
        if dash(line.text) != dash(first.text) {
            break;
        }
        if dash(line.text) {
            let rest = line.text[1..].trim_start();
            if rest.is_empty() {
                *at += 1;
                list.push(below(lines, at, line, line.indent + 1, depth)?);
            } else {
                // What follows the dash is the first line of a block of its own.
                let indent = line.indent + line.text.len() - rest.len();
                lines[*at] = Line { indent, text: rest, ..line };
                list.push(if dash(rest) || key(rest).is_some() {
                    block(lines, at, depth + 1)?
                } else {
                    *at += 1;
                    scalar(rest, line.number, indent)?
                });
            }
            continue;
        }
        let Some((name, rest)) = key(line.text) else {
            return Err((line.number, "neither `key: value` nor `- item`"));
        };
        *at += 1;
        let value = if rest.is_empty() {
            // A list may stand at its key's own indentation.
            let same = lines.get(*at).is_some_and(|next| next.indent == line.indent && dash(next.text));
            below(lines, at, line, if same { line.indent } else { line.indent + 1 }, depth)?
        } else {
            scalar(rest, line.number, line.indent + line.text.len() - rest.len())?
        };
        map.insert(name.to_string(), value);
    }
    let what = if dash(first.text) { What::List(list) } else { What::Map(map) };
    Ok(Value { line: first.number, column: first.indent + 1, what })
}

/// The block under `line`, at least at `indent`; an empty scalar when there is none.
fn below(
    lines: &mut [Line<'_>],
    at: &mut usize,
    line: Line<'_>,
    indent: usize,
    depth: usize,
) -> Result<Value, Error> {
    match lines.get(*at) {
        Some(next) if next.indent >= indent => block(lines, at, depth + 1),
        Some(_) | None => {
            Ok(Value { line: line.number, column: line.indent + 1, what: What::Scalar(String::new()) })
        }
    }
}

/// `key: value`, the value perhaps empty.
fn key(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(['[', '{']) {
        return None;
    }
    let (name, rest) = match text.strip_suffix(':') {
        Some(name) if !name.contains(": ") => (name, ""),
        Some(_) | None => text.split_once(": ")?,
    };
    let name = name.trim().trim_matches(['"', '\'']);
    (!name.is_empty()).then(|| (name, rest.trim()))
}

/// A scalar, or a list or map in one line, whose items are scalars or lists and maps again.
fn scalar(text: &str, line: usize, before: usize) -> Result<Value, Error> {
    let value = |what| Value { line, column: before + 1, what };
    let inner = |open, close| text.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    if let Some(items) = inner('[', ']') {
        let parts = parts(items).ok_or((line, "brackets that do not match"))?;
        let items =
            parts.iter().map(|(at, part)| scalar(part, line, before + 1 + at)).collect::<Result<_, _>>()?;
        return Ok(value(What::List(items)));
    }
    if let Some(items) = inner('{', '}') {
        let mut map = BTreeMap::new();
        for (at, part) in parts(items).ok_or((line, "brackets that do not match"))? {
            let (name, rest) = key(part).ok_or((line, "no `key: value`"))?;
            let at = before + 1 + at + part.len() - rest.len();
            map.insert(name.to_string(), scalar(rest, line, at)?);
        }
        return Ok(value(What::Map(map)));
    }
    if text.starts_with(['[', '{']) {
        return Err((line, "a list or map in brackets that does not end in its line"));
    }
    Ok(value(What::Scalar(text.trim_matches(['"', '\'']).to_string())))
}

/// The parts between the commas that are not in brackets, each with its first byte; `None` when brackets do not match.
fn parts(text: &str) -> Option<Vec<(usize, &str)>> {
    let (mut depth, mut from, mut found) = (0_usize, 0, Vec::new());
    let mut take = |from: usize, to: usize| {
        let part = &text[from..to];
        let lead = part.len() - part.trim_start().len();
        if !part.trim().is_empty() {
            found.push((from + lead, part.trim()));
        }
    };
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                take(from, at);
                from = at + 1;
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
    }
    take(from, text.len());
    (depth == 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const POD: &str = "\
apiVersion: v1
spec:
  containers:
  - image: \"haproxy:2.8\"   # the balancer
    name: haproxy
    securityContext: {capabilities: {add: [NET_ADMIN, NET_RAW]}}
    command:
    - sh
    - |
      a: [
      b
  - name: other
  hostNetwork: true
status: {}
---
kind: Second
";

    #[test]
    fn a_manifest_is_read_with_its_places() {
        let all = parse(POD).expect("a manifest");
        assert_eq!(all.len(), 2);
        let containers = all[0].items(&["spec", "containers"]);
        assert_eq!(containers.len(), 2);
        assert_eq!(containers[0].text(&["image"]), Some("haproxy:2.8"));
        let add = containers[0].items(&["securityContext", "capabilities", "add"]);
        assert_eq!((add[1].text(&[]), add[1].line, add[1].column), (Some("NET_RAW"), 6, 55));
        assert_eq!(containers[1].text(&["name"]), Some("other"));
        assert_eq!(all[0].text(&["spec", "hostNetwork"]), Some("true"));
        assert_eq!(all[1].text(&["kind"]), Some("Second"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for (text, line) in
            [("a: 1\nb\n", 2), ("a: [1,\n 2]", 1), ("a:\n\tb: 1", 2), ("a: [1}]", 1), ("a: 1\n  b: 2\n", 2)]
        {
            assert_eq!(parse(text).map_err(|error| error.0), Err(line), "{text}");
        }
    }

    #[test]
    fn nesting_and_lines_are_bounded() {
        let deep = |n: usize| format!("{}x\n", "- ".repeat(n));
        assert!(parse(&deep(MAX_DEPTH)).is_ok());
        assert!(parse(&deep(MAX_DEPTH + 2)).is_err());
        assert!(parse(&"- a\n".repeat(MAX_LINES)).is_ok());
        assert!(parse(&"- a\n".repeat(MAX_LINES + 1)).is_err());
        assert!(parse(&format!("a: {}", "[".repeat(10_000))).is_err());
    }
}
