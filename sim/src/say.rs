//! Printing for pipes: whoever stops reading (`| head`) ends the printing, not the program with a panic.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints `text`.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that is gone has read enough.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints `value` as one line of JSON.
pub(crate) fn json(value: &serde_json::Value) {
    say(&format!("{value}\n"));
}

/// A panic inside a run is a result. Only the first one is told as it happens, with its place: shrinking repeats it
/// a hundred times.
pub(crate) fn only_first_panic() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !TOLD.swap(true, Ordering::Relaxed) {
            tell(panic);
        }
    }));
}
