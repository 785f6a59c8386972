//! `$NAME`, `${NAME}`, the built-in `${_X …}`, and the generators `~SEQ` and `~LST`.
//!
//! A value is scanned again, so definitions nest; depth, number and length are bounded, where keepalived loops for
//! ever on a definition that names itself.

use super::codes;
use super::reader::{BodyLine, Definition, MAX_EXPANDED, MAX_EXPANSION_DEPTH, Reader, name_like, span};
use super::text::{Ch, Line, Power, Text, blank, plain, trim};
use crate::config::finding::Severity;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Lines that follow a line that ended in a reference to several lines.
type Lines = Arc<[BodyLine]>;

/// A reference: its name, its arguments, how many characters it takes, and whether it has braces.
struct Reference {
    name: String,
    arguments: String,
    length: usize,
    braced: bool,
}

impl Reader<'_> {
    /// Writes `text` with its references replaced to `out`; `command` says that the line is a command line, where
    /// a shell may know names that we do not.
    ///
    /// # Errors
    /// When a limit was hit; said already.
    pub(super) fn expand(
        &mut self,
        line: &Arc<Line>,
        text: &[Ch],
        out: &mut Text,
        command: bool,
    ) -> Result<Lines, ()> {
        self.expand_into(line, text, out, command, 0)
    }

    fn expand_into(
        &mut self,
        line: &Arc<Line>,
        text: &[Ch],
        out: &mut Text,
        command: bool,
        depth: u32,
    ) -> Result<Lines, ()> {
        if depth > MAX_EXPANSION_DEPTH {
            let message = format!("definitions nested deeper than {MAX_EXPANSION_DEPTH}");
            self.error(span(line, text), codes::EXPANSION, message, "does one refer to itself?");
            return Err(());
        }
        let mut i = 0;
        while i < text.len() {
            let Some(reference) = reference(&text[i..]).filter(|_| text[i].power == Power::Plain) else {
                if text[i].c == '$' && text.get(i + 1).is_some_and(|ch| ch.c == '{') && !command {
                    self.placeholder(line, &text[i..], Severity::Error);
                    return Err(());
                }
                if text[i].c == '$' && text[i].power == Power::Plain {
                    self.unbraced(line, &text[i..]);
                }
                out.push(text[i]);
                i += 1;
                continue;
            };
            let whole = &text[i..i + reference.length];
            i += reference.length;
            if !self.spend(line) {
                return Err(());
            }
            if let Some(value) = self.built_in(&reference) {
                out.extend(value.chars().map(|c| place(c, whole, Power::Literal)));
                continue;
            }
            match self.definitions.get(&reference.name).cloned() {
                Some(Definition::Value(value)) => {
                    let value: Text = value.chars().map(|c| place(c, whole, Power::Plain)).collect();
                    self.expand_into(line, &value, out, command, depth + 1)?;
                }
                Some(Definition::Lines(lines)) if i == text.len() => return Ok(lines),
                Some(Definition::Lines(_)) => {
                    let message = format!("{} stands for several lines and must end its line", plain(whole));
                    self.error(
                        span(line, whole),
                        codes::DEFINITION,
                        message,
                        "put what follows it on a line of its own",
                    );
                    return Err(());
                }
                Some(Definition::Elsewhere(_)) | None => {
                    self.undefined(line, whole, out, &reference, command);
                }
            }
            if out.len() > MAX_EXPANDED {
                let message = format!("the line grows beyond {MAX_EXPANDED} characters");
                self.error(span(line, whole), codes::EXPANSION, message, "");
                return Err(());
            }
        }
        Ok(Arc::from([]))
    }

    /// A reference that nothing defines stays as it is.
    fn undefined(
        &mut self,
        line: &Arc<Line>,
        whole: &[Ch],
        out: &mut Text,
        reference: &Reference,
        command: bool,
    ) {
        // The line turns out to be a condition or a generator, and is looked at again: the condition may not hold, or
        // the generator may give the name its value (B18).
        if matches!(trim(out).first(), Some(Ch { c: '@' | '~', power: Power::Plain, .. })) {
            out.extend_from_slice(whole);
            return;
        }
        let alone = out.last().is_none_or(|ch| blank(ch.c));
        let power = match (reference.braced, command) {
            (true, false) => {
                self.placeholder(line, whole, Severity::Error);
                Power::Poison
            }
            (true, true) => {
                self.placeholder(line, whole, Severity::Warning);
                Power::Literal
            }
            (false, false) if alone => {
                self.placeholder(line, whole, Severity::Warning);
                Power::Literal
            }
            (false, _) => Power::Literal,
        };
        out.extend(whole.iter().map(|ch| Ch { power, ..*ch }));
    }

    /// The value of a name that begins with `_`.
    fn built_in(&mut self, reference: &Reference) -> Option<String> {
        if !reference.braced {
            return None;
        }
        match reference.name.as_str() {
            "_HASH" => Some("#".to_string()),
            "_BANG" => Some("!".to_string()),
            "_INSTANCE" => Some(self.config_id()),
            "_PWD" => {
                let here = |path: &String| super::include::folder(&self.source.absolute(path));
                Some(self.stack.last().map_or_else(String::new, here))
            }
            "_ENV" => Some(self.source.env(reference.arguments.trim()).unwrap_or_default()),
            "_RANDOM" => {
                let mut bounds = reference.arguments.split_whitespace().map(|n| n.parse::<u32>().ok());
                let low = bounds.next().flatten().unwrap_or(0);
                let high = bounds.next().flatten().unwrap_or(32_767).max(low);
                Some(self.random(low, high).to_string())
            }
            _ => None,
        }
    }

    /// keepalived draws by the time of day, so that each reload moves all priorities; ours is drawn from the
    /// host's name and the number of the draw, and stays.
    fn random(&mut self, low: u32, high: u32) -> u32 {
        self.drawn += 1;
        let mut seed = self.options.seed ^ self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in self.source.host().bytes() {
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        seed ^= seed >> 29;
        seed = seed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        seed ^= seed >> 32;
        let range = u64::from(high - low) + 1;
        low + u32::try_from(seed % range).unwrap_or(0)
    }

    /// `~SEQ(var,…) rest` and `~LST(var,…) rest`: `rest` once per value.
    pub(super) fn generate(&mut self, line: &Arc<Line>, text: &[Ch], depth: u32) {
        let close = text.iter().position(|ch| ch.c == ')');
        let open = text.iter().position(|ch| ch.c == '(');
        let (Some(open), Some(close)) = (open, close) else {
            let help = "~SEQ(i,1,10) rest, or ~LST(i,a,b) rest";
            self.error(line.whole(), codes::GENERATOR, "a generator without its (…)", help);
            return;
        };
        let head = &text[..=close];
        let mut inside = Text::new();
        if open > close || self.expand(line, &text[open + 1..close], &mut inside, false).is_err() {
            return;
        }
        // keepalived lets a blank stand before the bracket.
        let kind = plain(&text[..open]);
        let inside = plain(&inside);
        let rows = match kind.trim_end() {
            "~SEQ" => sequence(&inside, false),
            "~SEQx" => sequence(&inside, true),
            "~LST" => list(&inside).map(Rows::List),
            _ => Err("a generator is ~SEQ, ~SEQx or ~LST"),
        };
        match rows {
            Ok(rows) => self.rows(line, &text[close + 1..], rows, depth),
            Err(why) => self.error(span(line, head), codes::GENERATOR, why, ""),
        }
    }

    /// Emits the rest of a generator's line once per row.
    fn rows(&mut self, line: &Arc<Line>, rest: &[Ch], rows: Rows, depth: u32) {
        let (names, mut next) = match rows {
            Rows::List((names, values)) => (names, Next::List(values.into_iter())),
            Rows::Count { name, from, step, to, hex } => {
                (alloc::vec![name], Next::Count { at: from, step, to, hex })
            }
        };
        let saved: Vec<_> =
            names.iter().map(|name| (name.clone(), self.definitions.get(name).cloned())).collect();
        while let Some(values) = next.row() {
            if self.tree.full || !self.spend(line) {
                break;
            }
            for (name, value) in names.iter().zip(values) {
                self.definitions.insert(name.clone(), Definition::Value(Arc::from(value.as_str())));
            }
            self.logical(line, trim(rest).to_vec(), depth + 1);
        }
        for (name, value) in saved {
            match value {
                Some(value) => self.definitions.insert(name, value),
                None => self.definitions.remove(&name),
            };
        }
    }
}

/// What a generator gives.
enum Rows {
    List((Vec<String>, Vec<Vec<String>>)),
    Count { name: String, from: i64, step: i64, to: i64, hex: bool },
}

/// The rows still to come.
enum Next {
    List(alloc::vec::IntoIter<Vec<String>>),
    Count { at: i64, step: i64, to: i64, hex: bool },
}

impl Next {
    fn row(&mut self) -> Option<Vec<String>> {
        match self {
            Next::List(rows) => rows.next(),
            Next::Count { at, step, to, hex } => {
                if (*step > 0 && *at > *to) || (*step < 0 && *at < *to) {
                    return None;
                }
                let shown = if *hex { format!("{at:x}") } else { at.to_string() };
                *at = at.saturating_add(*step);
                Some(alloc::vec![shown])
            }
        }
    }
}

/// `var[,start[,step]],end`.
fn sequence(inside: &str, hex: bool) -> Result<Rows, &'static str> {
    let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
    let (name, numbers) = parts.split_first().ok_or("a sequence needs a name")?;
    if !name_like(name) {
        return Err("a sequence needs a name first");
    }
    let numbers: Option<Vec<i64>> = numbers.iter().map(|n| c_number(n)).collect();
    let numbers = numbers.ok_or("a sequence counts by numbers")?;
    let direction = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let (from, step, to) = match numbers[..] {
        [to] if to < 1 => (-1, -1, to),
        [to] => (1, 1, to),
        [from, to] => (from, direction(from, to), to),
        [from, step, to] => (from, step, to),
        _ => return Err("a sequence is (name[,start[,step]],end)"),
    };
    if step == 0 || (to > from && step < 0) || (to < from && step > 0) {
        return Err("the step never reaches the end");
    }
    if hex && (from < 0 || to < 0) {
        return Err("~SEQx counts from 0 up");
    }
    Ok(Rows::Count { name: (*name).to_string(), from, step, to, hex })
}

/// A number by C's rules: 0x is hexadecimal, a leading 0 octal.
fn c_number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?
    };
    Some(sign * value)
}

/// `var,v1,v2` or `{a,b},{1,2},{3,4}`.
fn list(inside: &str) -> Result<(Vec<String>, Vec<Vec<String>>), &'static str> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    let mut rest = inside.trim();
    while !rest.is_empty() {
        let (group, after) = if let Some(tuple) = rest.strip_prefix('{') {
            let end = tuple.find('}').ok_or("a { in a list is not closed")?;
            let values = tuple[..end].split(',').map(|v| v.trim().to_string()).collect();
            (values, tuple[end + 1..].trim_start())
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            (alloc::vec![rest[..end].trim().to_string()], &rest[end..])
        };
        groups.push(group);
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.is_empty() => "",
            None => return Err("the values of a list are separated by commas"),
        };
    }
    if groups.is_empty() {
        return Err("a list needs a name");
    }
    let names = groups.remove(0);
    if !names.iter().all(|name| name_like(name)) {
        return Err("a list needs its name first");
    }
    if groups.is_empty() {
        return Err("a list needs a value");
    }
    if groups.iter().any(|group| group.len() != names.len()) {
        return Err("each tuple of a list has as many values as there are names");
    }
    Ok((names, groups))
}

/// The reference at the start of `text`.
fn reference(text: &[Ch]) -> Option<Reference> {
    if text.first()?.c != '$' {
        return None;
    }
    if text.get(1)?.c == '{' {
        let close = text.iter().position(|ch| ch.c == '}')?;
        let inside = plain(&text[2..close]);
        let (name, arguments) = inside.split_once(' ').unwrap_or((&inside, ""));
        let (name, arguments) = (name.to_string(), arguments.to_string());
        return Some(Reference { name, arguments, length: close + 1, braced: true });
    }
    let end = 1 + text[1..].iter().take_while(|ch| ch.c.is_ascii_alphanumeric() || ch.c == '_').count();
    let name = plain(&text[1..end]);
    let ends = text.get(end).is_none_or(|ch| blank(ch.c) || matches!(ch.c, ',' | ')' | '"' | '{' | '}'));
    (name_like(&name) && ends).then_some(Reference {
        name,
        arguments: String::new(),
        length: end,
        braced: false,
    })
}

/// A character that stands where a reference stood.
fn place(c: char, reference: &[Ch], power: Power) -> Ch {
    Ch {
        c,
        from: reference.first().map_or(1, |ch| ch.from),
        to: reference.last().map_or(1, |ch| ch.to),
        power,
    }
}
