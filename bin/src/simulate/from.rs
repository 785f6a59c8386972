//! `simulate --from RECORDING`: what if something had happened here? Reads the recording, says why it cannot go on.

use super::{Refused, SimulateArgs, usage};
use crate::replay::{Until, is_past};
use crate::text;
use sim::story::continued::{Continued, Wanted};
use standfast_core::record::Moment;
use standfast_io::log::stamp;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The node that was recorded in `file`, in its cluster.
pub(super) fn read(args: &SimulateArgs, file: &str) -> Result<Continued, Refused> {
    let bytes = std::fs::read(file).map_err(|error| usage(&format!("{file}: cannot be read: {error}")))?;
    let beyond = args
        .at
        .as_ref()
        .map(|at: &Until| move |begins: Moment, moment: Moment| is_past(Some(at), Some(begins), moment));
    let beyond = beyond.as_ref().map(|beyond| -> &dyn Fn(Moment, Moment) -> bool { beyond });
    let words = |moment: Moment| stamp(moment.wall);
    let wanted = Wanted { beyond, words: &words };
    match catch_unwind(AssertUnwindSafe(|| Continued::read(&bytes, wanted))) {
        Ok(Ok(continued)) => Ok(continued),
        Ok(Err(error)) => Err(usage(&format!("{file}: {error}"))),
        Err(_) => {
            text::err(&format!(
                "standfast simulate: {file}: the node panics there, as it did when this was recorded; choose an earlier \
                 moment by --at\n"
            ));
            Err(Refused(super::USAGE))
        }
    }
}
