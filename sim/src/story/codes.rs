//! The codes of findings about scenario files, `SF5000` to `SF5999`, and one sentence about each.

use standfast_core::config::finding::Code;

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($number);)*
        const TABLE: &[(Code, &str)] = &[$(($name, $text)),*];
    };
}

codes! {
    UNREADABLE = 5001, "The scenario file could not be read, or is not UTF-8.";
    SYNTAX = 5002, "The text is not TOML, or a key or value of a scenario is not what belongs there.";
    UNKNOWN_FAULT = 5003, "The simulator knows no such fault.";
    UNKNOWN_NODE = 5004, "There is no node of this name in the simulated cluster.";
    UNKNOWN_SERVER = 5005, "No pool has a server of this name or address.";
    BEYOND_THE_END = 5006, "The time lies beyond the scenario's end.";
    MISSING = 5007, "The fault needs another key.";
    NO_EFFECT = 5008, "The key has no effect with this fault.";
    OUT_OF_RANGE = 5009, "A number or a time is out of range.";
    TOO_MANY = 5010, "More steps than a scenario may have.";
}

/// What `code` means, in one sentence.
#[must_use]
pub fn explain(code: Code) -> Option<&'static str> {
    TABLE.iter().find(|(known, _)| *known == code).map(|(_, text)| *text)
}
