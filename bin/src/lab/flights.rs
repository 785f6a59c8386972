//! Replays what the nodes of a laboratory have recorded: whatever happened to them, the same inputs must give the
//! same actions.

use super::process::{Result, Trouble};
use std::path::{Path, PathBuf};

/// How often a recording is read that may still be written to.
const TRIES: usize = 5;

/// Where the next run in the folder `dir` records: one file per run, since an outage is told by all of them.
#[must_use]
pub fn next(dir: &Path) -> PathBuf {
    let nth = |nth: usize| dir.join(format!("flight-{nth}.rec"));
    (1..).map(nth).find(|path| !path.exists()).unwrap_or_else(|| nth(0))
}

/// Replays the recordings of all machines below `dir`; how many there were, and the inputs in them.
///
/// # Errors
/// Names the recordings whose replay differs.
pub fn replay(dir: &Path) -> Result<(usize, u64)> {
    let (mut recordings, mut inputs, mut wrong) = (0, 0, Vec::new());
    for machine in std::fs::read_dir(dir)?.flatten() {
        let Ok(files) = std::fs::read_dir(machine.path()) else { continue };
        for path in files.flatten().map(|file| file.path()) {
            if path.extension().is_none_or(|extension| extension != "rec") {
                continue;
            }
            recordings += 1;
            match replay_file(&path) {
                Ok(fed) => inputs += fed,
                Err(error) => wrong.push(format!("{}: {error}", path.display())),
            }
        }
    }
    if wrong.is_empty() { Ok((recordings, inputs)) } else { Err(Trouble::new(wrong.join("\n"))) }
}

fn replay_file(path: &Path) -> std::result::Result<u64, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        match sim::flight::replay(&bytes) {
            Ok(inputs) => return Ok(inputs),
            Err(error) => last = error,
        }
    }
    Err(last)
}
