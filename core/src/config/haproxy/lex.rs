//! Lines to words (haproxy.md 7.1): blanks, comments, weak and strong quotes, escapes, variables in weak quotes.
//!
//! It decides nothing about meaning. A word remembers where it stood and which unquoted `${NAME}` it holds, since
//! addresses expand those and every other place is an operator who forgot to fill in a template.
//! Bounded: [`MAX_LINE`] bytes and [`MAX_WORDS`] words per line, expanded text at most [`MAX_EXPANDED`] bytes.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

/// The longest line, in bytes. haproxy's buffer starts at 2048 and grows; we stop here, since each checked server
/// gets a copy of its section's request.
pub(super) const MAX_LINE: usize = 8192;
/// The most words of a line.
pub(super) const MAX_WORDS: usize = 64;
/// The most text that one line may become by its variables, in bytes.
pub(super) const MAX_EXPANDED: usize = 8192;

/// A variable in braces, or with a bare `$`, that was written outside of quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placeholder {
    /// Column of the `$`.
    pub(super) column: u32,
    /// Characters up to the end of the name or the closing brace.
    pub(super) width: u32,
    /// In braces: `${NAME}`.
    pub(super) braces: bool,
}

/// A word of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says, without quotes and escapes.
    pub(super) text: String,
    /// Column of its first character.
    pub(super) column: u32,
    /// Characters it takes in the file.
    pub(super) width: u32,
    /// Unquoted variables in it.
    pub(super) placeholders: Vec<Placeholder>,
}

/// A line with at least one word.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: u32,
    /// As shown in findings.
    pub(super) shown: Arc<str>,
    /// Its words, `no` and `default` taken off.
    pub(super) words: Vec<Word>,
    /// What stood before the keyword.
    pub(super) prefix: Prefix,
}

/// What stands before a keyword.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Prefix {
    /// Nothing.
    #[default]
    None,
    /// `no`.
    No,
    /// `default`.
    Default,
}

impl Line {
    /// The word at `index`, empty when there is none.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |word| word.text.as_str())
    }
}

/// What is wrong with a line, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LexError {
    /// Column.
    pub(super) column: u32,
    /// Characters.
    pub(super) width: u32,
    /// Which rule.
    pub(super) kind: LexErrorKind,
    /// In words.
    pub(super) message: String,
}

/// Which lexical rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexErrorKind {
    /// Quotes, escapes, braces.
    Quoting,
    /// Too many words.
    Words,
    /// A variable in quotes is not set.
    Unset,
    /// The variables make the line too long.
    Long,
}

/// A variable looked up: its value, or `None` when it is not set.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

struct Scanner<'a> {
    chars: Peekable<Chars<'a>>,
    column: u32,
    words: Vec<Word>,
    word: Option<Word>,
    expanded: usize,
    lookup: Lookup<'a>,
}

/// The words of `text`.
///
/// # Errors
/// The first broken rule.
pub(super) fn words(text: &str, lookup: Lookup<'_>) -> Result<Vec<Word>, LexError> {
    let mut scanner = Scanner {
        chars: text.chars().peekable(),
        column: 1,
        words: Vec::new(),
        word: None,
        expanded: 0,
        lookup,
    };
    scanner.run()?;
    Ok(scanner.words)
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next();
        if c.is_some() {
            self.column = self.column.saturating_add(1);
        }
        c
    }

    fn run(&mut self) -> Result<(), LexError> {
        let mut weak: Option<u32> = None;
        while let Some(&c) = self.chars.peek() {
            let at = self.column;
            match c {
                '#' if weak.is_none() => break,
                c if weak.is_none() && is_blank(c) => {
                    self.next();
                    self.end_word(at)?;
                }
                '"' => {
                    self.next();
                    self.open_word(at);
                    weak = if weak.is_some() { None } else { Some(at) };
                }
                '\'' if weak.is_none() => self.strong()?,
                '\\' => self.escape(weak.is_some())?,
                '$' if weak.is_some() => self.variable()?,
                '$' => self.unquoted_variable(),
                c => {
                    self.next();
                    self.push(c, at);
                }
            }
        }
        if let Some(column) = weak {
            return Err(quoting(column, 1, "this double quote is not closed"));
        }
        let end = self.column;
        self.end_word(end)
    }

    fn open_word(&mut self, at: u32) -> &mut Word {
        self.word.get_or_insert_with(|| Word { column: at, ..Word::default() })
    }

    fn push(&mut self, c: char, at: u32) {
        self.open_word(at).text.push(c);
    }

    fn end_word(&mut self, end: u32) -> Result<(), LexError> {
        let Some(mut word) = self.word.take() else { return Ok(()) };
        word.width = end.saturating_sub(word.column).max(1);
        if self.words.len() >= MAX_WORDS {
            return Err(LexError {
                column: word.column,
                width: word.width,
                kind: LexErrorKind::Words,
                message: format!("this is word {} of the line, and {MAX_WORDS} are read", MAX_WORDS + 1),
            });
        }
        self.words.push(word);
        Ok(())
    }

    fn strong(&mut self) -> Result<(), LexError> {
        let at = self.column;
        self.next();
        self.open_word(at);
        loop {
            match self.next() {
                None => return Err(quoting(at, 1, "this single quote is not closed")),
                Some('\'') => return Ok(()),
                Some(c) => self.push(c, at),
            }
        }
    }

    fn escape(&mut self, weak: bool) -> Result<(), LexError> {
        let at = self.column;
        self.next();
        let Some(&c) = self.chars.peek() else {
            self.push('\\', at);
            return Ok(());
        };
        let made = match c {
            ' ' | '\\' | '#' | '"' | '\'' => c,
            '$' if weak => '$',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'x' => {
                self.next();
                return self.hex(at);
            }
            _ => {
                // Any other escape is no escape: haproxy keeps both characters, for the sake of regular expressions.
                self.push('\\', at);
                return Ok(());
            }
        };
        self.next();
        self.push(made, at);
        Ok(())
    }

    fn hex(&mut self, at: u32) -> Result<(), LexError> {
        let mut value = 0;
        for _ in 0..2 {
            let digit = self.chars.peek().and_then(|c| c.to_digit(16));
            let Some(digit) = digit else { return Err(quoting(at, 2, "`\\x` needs two hexadecimal digits")) };
            value = value * 16 + digit;
            self.next();
        }
        if value == 0 || value > 0x7f {
            return Err(quoting(at, 4, "`\\x` can only make the characters 01 to 7f here"));
        }
        self.push(char::from_u32(value).unwrap_or('?'), at);
        Ok(())
    }

    /// A variable outside of quotes stays as it is written; where it stood is kept.
    fn unquoted_variable(&mut self) {
        let column = self.column;
        self.next();
        self.push('$', column);
        let braces = self.chars.peek() == Some(&'{');
        if braces {
            self.next();
            self.push('{', column);
        }
        let mut named = false;
        while let Some(&c) = self.chars.peek() {
            if !(c.is_ascii_alphanumeric() || c == '_' || (braces && (c == '-' || c == '.') && named)) {
                break;
            }
            named = true;
            self.next();
            self.push(c, column);
        }
        if braces {
            named &= self.chars.peek() == Some(&'}');
            if named {
                self.next();
                self.push('}', column);
            }
        }
        let width = self.column.saturating_sub(column);
        if let (true, Some(word)) = (named, self.word.as_mut()) {
            word.placeholders.push(Placeholder { column, width, braces });
        }
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${LIST[*]}` in weak quotes.
    fn variable(&mut self) -> Result<(), LexError> {
        let at = self.column;
        self.next();
        let braces = self.chars.peek() == Some(&'{');
        if braces {
            self.next();
        }
        let mut name = String::new();
        while let Some(&c) = self.chars.peek() {
            if !(c.is_ascii_alphanumeric() || c == '_' || (c == '.' && name.is_empty())) {
                break;
            }
            name.push(c);
            self.next();
        }
        let mut fallback = None;
        let mut list = false;
        if braces {
            list = self.take("[*]");
            if self.chars.peek() == Some(&'-') {
                self.next();
                let mut text = String::new();
                while let Some(&c) = self.chars.peek() {
                    if c == '}' || c == '"' {
                        break;
                    }
                    text.push(c);
                    self.next();
                }
                fallback = Some(text);
            }
            if self.chars.peek() != Some(&'}') {
                return Err(quoting(at, 2, "the brace of this variable is not closed"));
            }
            self.next();
        }
        let width = self.column.saturating_sub(at);
        if name.is_empty() {
            return Err(quoting(at, width, "a variable's name is missing after `$`"));
        }
        let Some(value) = (self.lookup)(&name).or(fallback) else {
            // haproxy puts nothing there and goes on; a forgotten variable is the more likely reading.
            let message = format!("the environment variable {name} is not set");
            return Err(LexError { column: at, width, kind: LexErrorKind::Unset, message });
        };
        self.insert(&value, list, at, width)
    }

    fn take(&mut self, text: &str) -> bool {
        let mut ahead = self.chars.clone();
        if !text.chars().all(|c| ahead.next() == Some(c)) {
            return false;
        }
        for _ in text.chars() {
            self.next();
        }
        true
    }

    fn insert(&mut self, value: &str, list: bool, at: u32, width: u32) -> Result<(), LexError> {
        self.expanded = self.expanded.saturating_add(value.len());
        if self.expanded > MAX_EXPANDED {
            let message = format!("the variables of this line are longer than {MAX_EXPANDED} bytes");
            return Err(LexError { column: at, width, kind: LexErrorKind::Long, message });
        }
        for c in value.chars() {
            if list && is_blank(c) {
                self.end_word(at.saturating_add(width))?;
            } else {
                self.push(c, at);
            }
        }
        Ok(())
    }
}

fn quoting(column: u32, width: u32, message: &str) -> LexError {
    LexError { column, width, kind: LexErrorKind::Quoting, message: String::from(message) }
}

/// What C calls a space; a CR at the end of a line is one of them.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("192.0.2.7".to_string()),
            "LIST" => Some("a b  c".to_string()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn texts(line: &str) -> Vec<String> {
        words(line, &lookup).expect(line).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_split_at_blanks_and_comments_end_the_line() {
        assert_eq!(texts("  server\ta b#c d"), vec!["server", "a", "b"]);
        assert_eq!(texts("# all"), Vec::<String>::new());
        assert_eq!(texts("a \"b # c\" 'd # e' f\\#g\r"), vec!["a", "b # c", "d # e", "f#g"]);
    }

    #[test]
    fn quotes_and_escapes_mean_what_they_mean_in_haproxy() {
        assert_eq!(
            texts(r#"a\ b "c\"d" 'e\n$HOST' "\$HOST" x\x41y"#),
            vec!["a b", "c\"d", "e\\n$HOST", "$HOST", "xAy"]
        );
        assert_eq!(texts(r#"HTTP/1.1\r\nHost:\ x \d+"#), vec!["HTTP/1.1\r\nHost: x", "\\d+"]);
        assert_eq!(texts(r#"a"" b'' """#.trim_end_matches('"')), vec!["a", "b"]);
    }

    #[test]
    fn variables_live_in_double_quotes_only() {
        assert_eq!(
            texts(r#""$HOST:1" "${HOST}:2" "${NONE-dflt}" "${EMPTY-dflt}" $HOST"#),
            vec!["192.0.2.7:1", "192.0.2.7:2", "dflt", "", "$HOST"]
        );
        assert_eq!(texts(r#""${LIST[*]}" "${LIST}""#), vec!["a", "b", "c", "a b  c"]);
        let error = words("x \"${NONE}\"", &lookup).expect_err("unset");
        assert_eq!((error.column, error.width, error.kind), (4, 7, LexErrorKind::Unset));
    }

    #[test]
    fn an_unquoted_placeholder_is_remembered_with_its_column() {
        let all = words("server ${HOST1_ID} $A:$B ^x$", &lookup).expect("words");
        assert_eq!(all[1].placeholders, vec![Placeholder { column: 8, width: 11, braces: true }]);
        assert_eq!(all[2].placeholders.len(), 2);
        assert!(all[3].placeholders.is_empty());
    }

    #[test]
    fn what_is_not_closed_is_an_error_at_its_beginning() {
        for (text, column) in [("a \"b", 3), ("a 'b", 3), ("a \"${HOST\"", 4), ("a\\x4", 2), ("\"$\"", 2)] {
            assert_eq!(words(text, &lookup).map_err(|e| e.column), Err(column), "{text}");
        }
    }

    #[test]
    fn the_sixty_fifth_word_is_an_error() {
        let line = "w ".repeat(MAX_WORDS);
        assert_eq!(words(&line, &lookup).map(|all| all.len()), Ok(MAX_WORDS));
        let error = words(&format!("{line}x"), &lookup).expect_err("too many");
        assert_eq!(error.kind, LexErrorKind::Words);
    }

    #[test]
    fn variables_cannot_grow_a_line_beyond_its_limit() {
        let big = |_: &str| Some("x".repeat(MAX_EXPANDED / 2));
        assert!(words("\"$A$B\"", &big).is_ok());
        assert_eq!(words("\"$A$B$C\"", &big).map_err(|e| e.kind), Err(LexErrorKind::Long));
    }
}
