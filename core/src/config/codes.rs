//! Every finding's code, explained: `SF0xxx` any language, `SF1xxx` keepalived, `SF2xxx` haproxy, `SF3xxx` native,
//! `SF4xxx` across nodes.
//!
//! The tables stand with their languages; a code never changes its meaning and is never used again.

use super::finding::Code;
use super::{haproxy, keepalived, lint, native};

/// What `code` means, in a sentence or two.
#[must_use]
pub fn explain(code: Code) -> Option<&'static str> {
    keepalived::codes::explain(code)
        .or_else(|| haproxy::codes::explain(code))
        .or_else(|| native::codes::explain(code))
        .or_else(|| lint::codes::explain(code))
}
