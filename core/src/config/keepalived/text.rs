//! Characters that know where they stood in their file, words made of them, and how a line is cut into words.
//!
//! A character that a definition put there points at the reference that asked for it, so that a finding always
//! underlines something the operator can see. keepalived.conf: comments, quotes, words, braces.

use super::super::finding::Span;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a character may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// It may quote, open and close.
    Plain,
    /// It is only itself.
    Literal,
    /// It belongs to a placeholder that was complained about: nothing made of it is complained about again.
    Poison,
}

/// A character and the columns it stands for, counted from 1, the last one included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ch {
    pub(super) c: char,
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) power: Power,
}

/// A piece of a line.
pub(super) type Text = Vec<Ch>;

/// A line of a file, shared by all that points at it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) file: Arc<str>,
    pub(super) number: u32,
    pub(super) text: Arc<str>,
}

impl Line {
    /// A line as it is shown in findings.
    pub(super) fn new(file: &Arc<str>, number: u32, text: &str) -> Line {
        let shown: String = text
            .chars()
            .take(Span::MAX_TEXT)
            .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
            .collect();
        Line { file: file.clone(), number, text: Arc::from(shown.as_str()) }
    }

    /// Columns of this line.
    pub(super) fn span(&self, from: u16, to: u16) -> Span {
        Span {
            file: self.file.clone(),
            line: self.number,
            column: u32::from(from),
            width: u32::from(to.saturating_sub(from)) + 1,
            text: self.text.clone(),
        }
    }

    /// All of this line but its blanks.
    pub(super) fn whole(&self) -> Span {
        let lead = self.text.chars().take_while(|c| c.is_whitespace()).count();
        let width = self.text.trim().chars().count().max(1);
        Span {
            file: self.file.clone(),
            line: self.number,
            column: u32::try_from(lead).unwrap_or(0) + 1,
            width: u32::try_from(width).unwrap_or(1),
            text: self.text.clone(),
        }
    }
}

/// The characters of a line, each in its own column.
pub(super) fn text_of(line: &str) -> Text {
    line.chars()
        .enumerate()
        .map(|(i, c)| {
            let column = u16::try_from(i + 1).unwrap_or(u16::MAX);
            Ch { c, from: column, to: column, power: Power::Plain }
        })
        .collect()
}

/// What separates words: space and tab, and the form feeds and vertical tabs of very old editors.
pub(super) fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0b' | '\x0c' | '\r')
}

/// Without the blanks around it.
pub(super) fn trim(text: &[Ch]) -> &[Ch] {
    let from = text.iter().position(|ch| !blank(ch.c)).unwrap_or(text.len());
    let to = text.iter().rposition(|ch| !blank(ch.c)).map_or(from, |i| i + 1);
    &text[from..to]
}

/// The text alone.
pub(super) fn plain(text: &[Ch]) -> String {
    text.iter().map(|ch| ch.c).collect()
}

/// What is left of a line without its comment, and the open quote, if there is one. `#` and `!` begin a comment
/// anywhere outside double quotes, also in the middle of a word; a backslash makes the next character inert.
pub(super) fn strip_comment(text: &[Ch]) -> (&[Ch], Option<Ch>) {
    let mut open = None;
    let mut i = 0;
    while i < text.len() {
        match text[i].c {
            '\\' if open.is_some() || text.get(i + 1).is_some_and(|ch| ch.c == '#' || ch.c == '!') => i += 1,
            '"' => open = if open.is_some() { None } else { Some(text[i]) },
            '#' | '!' if open.is_none() => return (trim(&text[..i]), None),
            _ => {}
        }
        i += 1;
    }
    (trim(text), open)
}

/// A word and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: Arc<Line>,
    pub(super) from: u16,
    pub(super) to: u16,
    /// Part of it was complained about already.
    pub(super) poisoned: bool,
}

impl Word {
    /// Where it stands.
    pub(super) fn span(&self) -> Span {
        self.line.span(self.from, self.to)
    }

    /// A word made of `chars`, which stand at `at`.
    fn new(line: &Arc<Line>, chars: &[Ch], at: &[Ch]) -> Word {
        let all = || chars.iter().chain(at);
        Word {
            text: plain(chars),
            line: line.clone(),
            from: all().map(|ch| ch.from).min().unwrap_or(1),
            to: all().map(|ch| ch.to).max().unwrap_or(1),
            poisoned: chars.iter().any(|ch| ch.power == Power::Poison),
        }
    }
}

/// The words of a piece of a line: separated by blanks, `"…"` is one word of its own, without escapes.
pub(super) fn words(line: &Arc<Line>, text: &[Ch]) -> Vec<Word> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < text.len() {
        if blank(text[i].c) {
            i += 1;
        } else if quote(text[i]) {
            let close = text[i + 1..].iter().position(|ch| quote(*ch)).map_or(text.len(), |n| i + 1 + n);
            let end = (close + 1).min(text.len());
            found.push(Word::new(line, &text[i + 1..close], &text[i..end]));
            i = end;
        } else {
            let end = text[i..].iter().position(|ch| blank(ch.c) || quote(*ch)).map_or(text.len(), |n| i + n);
            let mut kept: Text = text[i..end].to_vec();
            // The manual's `\\#`; keepalived strips comments twice, so that there the word ends before it.
            let escape = |w: &[Ch], n: usize| {
                w[n].c == '\\' && w.get(n + 1).is_some_and(|ch| ch.c == '#' || ch.c == '!')
            };
            if (0..kept.len()).any(|n| escape(&kept, n)) {
                let whole = kept.clone();
                kept = (0..whole.len()).filter(|n| !escape(&whole, *n)).map(|n| whole[n]).collect();
            }
            found.push(Word::new(line, &kept, &text[i..end]));
            i = end;
        }
    }
    found
}

/// The words of a line that names a command: `"…"` and `'…'` quote, escapes are kept for [`argv`]. The quotes
/// around a whole word are taken off. The second value is a quote that is never closed.
pub(super) fn command_words(line: &Arc<Line>, text: &[Ch]) -> (Vec<Word>, Option<Ch>) {
    let mut found = Vec::new();
    let mut i = 0;
    while i < text.len() {
        if blank(text[i].c) {
            i += 1;
            continue;
        }
        let start = i;
        let mut kept: Text = Vec::new();
        let mut open: Option<Ch> = None;
        while i < text.len() {
            let ch = text[i];
            match open {
                None if blank(ch.c) => break,
                None if ch.c == '"' || ch.c == '\'' => open = Some(ch),
                Some(quote) if quote.c == ch.c => open = None,
                None | Some(_) => {
                    kept.push(ch);
                    if ch.c == '\\' && i + 1 < text.len() {
                        i += 1;
                        kept.push(text[i]);
                    }
                }
            }
            i += 1;
        }
        found.push(Word::new(line, &kept, &text[start..i]));
        if open.is_some() {
            return (found, open);
        }
    }
    (found, None)
}

/// Is it a quote that quotes?
fn quote(ch: Ch) -> bool {
    ch.c == '"' && ch.power == Power::Plain
}

/// Splits a command line into its arguments: quotes, and the escapes of keepalived's script lines. `None` when a
/// quote is never closed.
pub(super) fn argv(command: &str) -> Option<Vec<String>> {
    let chars: Vec<char> = command.chars().collect();
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if blank(chars[i]) {
            i += 1;
            continue;
        }
        let mut word = String::new();
        let mut open = None;
        while i < chars.len() {
            let c = chars[i];
            i += 1;
            match open {
                None if blank(c) => break,
                None if c == '"' || c == '\'' => open = Some(c),
                Some(quote) if quote == c => open = None,
                None | Some(_) if c == '\\' && i < chars.len() => i = unescape(&chars, i, &mut word),
                None | Some(_) => word.push(c),
            }
        }
        if open.is_some() {
            return None;
        }
        found.push(word);
    }
    Some(found)
}

/// Decodes the escape whose letter stands at `i`; returns where it ends.
fn unescape(chars: &[char], i: usize, word: &mut String) -> usize {
    let digits = |from: usize, base: u32, most: usize| {
        let mut value = 0;
        let mut n = 0;
        while let Some(digit) = chars.get(from + n).and_then(|c| c.to_digit(base)).filter(|_| n < most) {
            value = value * base + digit;
            n += 1;
        }
        (char::from_u32(value & 0xff).unwrap_or('?'), n)
    };
    let one = match chars[i] {
        'a' => '\x07',
        'b' => '\x08',
        'E' => '\x1b',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '0'..='7' => {
            let (c, n) = digits(i, 8, 3);
            word.push(c);
            return i + n;
        }
        'x' => {
            let (c, n) = digits(i + 1, 16, 2);
            word.push(if n == 0 { 'x' } else { c });
            return i + 1 + n;
        }
        'c' if i + 1 < chars.len() => {
            word.push(char::from_u32(u32::from(chars[i + 1]) & 0x1f).unwrap_or('?'));
            return i + 2;
        }
        other => other,
    };
    word.push(one);
    i + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn line() -> Arc<Line> {
        Arc::new(Line::new(&Arc::from("x"), 1, "x"))
    }

    fn split(text: &str) -> Vec<String> {
        words(&line(), &text_of(text)).into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn a_comment_begins_in_the_middle_of_a_word_but_not_inside_quotes() {
        for (text, left) in [
            ("auth_pass a!b", "auth_pass a"),
            ("a \"b # c\" # d", "a \"b # c\""),
            ("  # x", ""),
            ("a\\#b", "a\\#b"),
        ] {
            assert_eq!(plain(strip_comment(&text_of(text)).0), left);
        }
        assert!(strip_comment(&text_of("a \"b")).1.is_some());
    }

    #[test]
    fn a_quote_ends_the_word_before_it_and_single_quotes_mean_nothing() {
        assert_eq!(split("1\"00\""), vec!["1", "00"]);
        assert_eq!(split("'x y'"), vec!["'x", "y'"]);
        assert_eq!(split("a \"\" b"), vec!["a", "", "b"]);
        assert_eq!(split("\"a\\\"b\""), vec!["a\\", "b", ""]);
    }

    #[test]
    fn a_command_line_is_split_twice() {
        let text = text_of("\"/bin/sh -c 'echo x  y'\" root");
        let (found, open) = command_words(&line(), &text);
        assert!(open.is_none());
        assert_eq!(found.len(), 2);
        assert_eq!(argv(&found[0].text), Some(vec!["/bin/sh".into(), "-c".into(), "echo x  y".into()]));
        assert_eq!(argv("a\\x41\\101\\n\\q"), Some(vec!["aAA\nq".into()]));
        assert_eq!(argv("a 'b"), None);
    }
}
