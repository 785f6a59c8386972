//! Printing that survives a closed pipe: `println!` panics there, these do not.

use std::io::Write as _;

/// Prints to standard output; a reader that has gone away is not our error.
pub fn out(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints to standard error, likewise.
pub fn err(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
