//! The line that a finding shows is cut, in each language.
#![allow(clippy::unwrap_used, reason = "a test")]

use standfast_core::config::finding::Span;
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::source::MemorySource;

/// The longest line shown of a file that consists of an unknown word, 200 characters wide and more.
fn shown(language: Language, path: &str, wide: usize) -> usize {
    let text = match language {
        Language::Keepalived | Language::Haproxy => "x".repeat(wide),
        Language::Native => format!("x = \"{}\"", "x".repeat(wide - 6)),
    };
    let source = MemorySource::with(path, text.as_bytes());
    let found = load(&[(language, path)], &source, None, &Options::default()).findings;
    found.list().iter().map(|finding| finding.span.text.chars().count()).max().unwrap()
}

#[test]
fn one_character_more_than_the_limit_is_not_shown() {
    for (language, path) in
        [(Language::Keepalived, "k"), (Language::Haproxy, "h.cfg"), (Language::Native, "n.toml")]
    {
        assert_eq!(shown(language, path, Span::MAX_TEXT - 1), Span::MAX_TEXT - 1, "{path}");
        assert_eq!(shown(language, path, Span::MAX_TEXT), Span::MAX_TEXT, "{path}");
        assert_eq!(shown(language, path, Span::MAX_TEXT + 1), Span::MAX_TEXT, "{path}");
    }
}
