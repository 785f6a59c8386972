//! The codes of the native language, `SF3000` to `SF3999`, and one sentence about each.

use crate::config::finding::Code;

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($number);)*
        const TABLE: &[(Code, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
    UNREADABLE = 3001, "The file could not be read, or is not UTF-8.";
    SYNTAX = 3002, "The text is not TOML, or a key or value is not what belongs there.";
    DUPLICATE = 3003, "The name is used twice.";
    UNKNOWN_NAME = 3004, "Nothing has this name.";
    MISSING = 3005, "Something that belongs there is missing.";
    CONTRADICTION = 3006, "Two things that do not go together.";
    BAD_INTERVAL = 3007, "The advertisement interval does not fit the protocol version.";
    TOO_MANY = 3008, "More of something than is served.";
    BAD_STATUS = 3009, "Not a status code or a range of them.";
    SCRIPT = 3010, "The command cannot be run, so that its check fails.";
}

/// What `code` means, in one sentence.
#[must_use]
pub fn explain(code: Code) -> Option<&'static str> {
    TABLE.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}
