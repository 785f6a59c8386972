//! `replay`: feeds a recording to a fresh node, compares every action, and tells the story in the words of the log.
//!
//! Exit code 0: the node did what was recorded. 1: it did not, or a part of the recording cannot be read; the story
//! goes as far as it can, and the last lines say where and why.

mod svg;

use crate::cli::ReplayArgs;
use crate::text;
use standfast_core::action::Action;
use standfast_core::event::Event;
use standfast_core::input::Input;
use standfast_core::record::{Damage, Difference, Moment, Recording, Replay, Step};
use standfast_io::log::{lines, stamp};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

/// Until when a recording is replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// So long after it begins.
    After(Duration),
    /// Until this local time of day, as the story prints it, is reached for the first time.
    Clock(String),
}

impl std::str::FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Until, String> {
        if text.contains(':') {
            let shape = b"00:00:00";
            let right = text.len() >= shape.len()
                && text
                    .bytes()
                    .zip(shape)
                    .all(|(c, s)| if *s == b':' { c == b':' } else { c.is_ascii_digit() });
            return if right { Ok(Until::Clock(text.to_owned())) } else { Err(USE.to_owned()) };
        }
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_| USE.to_owned())?;
        let millis = match unit {
            "ms" => 1,
            "s" | "" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(USE.to_owned()),
        };
        Ok(Until::After(Duration::from_millis(number.saturating_mul(millis))))
    }
}

const USE: &str = "write a time since its beginning (90s, 1500ms, 5m, 2h) or a time of day (09:04:05)";

/// What became of a replay.
#[derive(Debug, Default)]
struct Outcome {
    begins: Option<Moment>,
    finished: bool,
    stopped_early: bool,
    panic: Option<String>,
    difference: Option<Difference>,
    damages: Vec<Damage>,
    events: Vec<serde_json::Value>,
    picture: svg::Picture,
}

impl Outcome {
    fn is_fine(&self) -> bool {
        self.panic.is_none() && self.difference.is_none() && self.damages.is_empty() && self.begins.is_some()
    }
}

/// `standfast replay`.
#[must_use]
pub fn replay(args: &ReplayArgs) -> ExitCode {
    let bytes = match std::fs::read(&args.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            text::err(&format!("standfast replay: {}: cannot be read: {error}\n", args.file));
            return ExitCode::FAILURE;
        }
    };
    let recording = match Recording::open(&bytes) {
        Ok(recording) => recording,
        Err(error) => {
            text::err(&format!("standfast replay: {}: {error}\n", args.file));
            return ExitCode::FAILURE;
        }
    };
    let header = recording.header();
    if !args.json {
        text::out(&format!(
            "Recorded on {} by standfast {}, process {}\n",
            header.host, header.program, header.pid
        ));
    }
    let mut replay = Replay::new(&recording);
    let outcome = run(args, &mut replay);
    if let Some(Err(error)) = args.svg.as_ref().map(|file| draw(file, &recording, &replay, &outcome)) {
        text::err(&format!("standfast replay: {error}\n"));
        return ExitCode::FAILURE;
    }
    if args.json {
        text::out(&format!("{:#}\n", json(&recording, &replay, &outcome)));
    } else {
        conclude(&replay, &outcome);
    }
    if outcome.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn draw(file: &str, recording: &Recording<'_>, replay: &Replay<'_>, outcome: &Outcome) -> Result<(), String> {
    let Some(begins) = outcome.begins else { return Ok(()) };
    let title =
        format!("{}, {} to {}", recording.header().host, stamp(begins.wall), stamp(replay.last().wall));
    let picture = outcome.picture.draw(&title, begins, replay.last());
    std::fs::write(file, picture).map_err(|error| format!("{file}: cannot be written: {error}"))
}

fn run(args: &ReplayArgs, replay: &mut Replay<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        let step = match catch_unwind(AssertUnwindSafe(|| replay.step())) {
            Ok(Some(step)) => step,
            Ok(None) => return outcome,
            Err(panic) => {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
                outcome.panic = Some(words.unwrap_or("without a word").to_owned());
                return outcome;
            }
        };
        match step {
            Step::Begins { at, fresh, actions } => {
                outcome.begins.get_or_insert(at);
                let words =
                    if fresh { "The node starts" } else { "The recording begins with the node as it stood" };
                tell(args, &mut outcome, at, 6, words, None);
                story(args, &mut outcome, at, &actions);
            }
            Step::Fed { at, input, actions } => {
                if is_past(args.until.as_ref(), outcome.begins, at) {
                    outcome.stopped_early = true;
                    return outcome;
                }
                if let Some(words) = of_input(&input) {
                    outcome.picture.mark(at, words);
                    tell(args, &mut outcome, at, 5, words, None);
                }
                story(args, &mut outcome, at, &actions);
            }
            Step::Differs(difference) => {
                outcome.difference = Some(difference);
                return outcome;
            }
            Step::Damaged(damage) => {
                if !args.json {
                    text::err(&format!("{}\n", damage_words(&damage)));
                }
                outcome.picture.mark(damage.after.unwrap_or(replay.last()), "damaged");
                outcome.damages.push(damage);
            }
            Step::Finished { .. } => outcome.finished = true,
        }
    }
}

fn story(args: &ReplayArgs, outcome: &mut Outcome, at: Moment, actions: &[Action]) {
    for action in actions {
        if let Action::Event(event) = action {
            let (level, words) = lines::human(event);
            outcome.picture.event(at, event);
            tell(args, outcome, at, level, &words, Some(event));
        }
    }
}

fn tell(args: &ReplayArgs, outcome: &mut Outcome, at: Moment, level: u8, words: &str, event: Option<&Event>) {
    if args.json {
        let line = serde_json::json!({
            "time": at.time.0, "wall": at.wall, "level": level, "text": words, "event": event
        });
        outcome.events.push(line);
    } else {
        text::out(&format!("{} {words}\n", stamp(at.wall)));
    }
}

/// What an operator did, which the events do not say.
fn of_input(input: &Input<'_>) -> Option<&'static str> {
    match input {
        Input::Configure(_) => Some("Reloading"),
        Input::Stop => Some("Stopping"),
        Input::Tick
        | Input::Packet { .. }
        | Input::Bfd { .. }
        | Input::Checked { .. }
        | Input::Observed { .. }
        | Input::Done { .. }
        | Input::Order(_)
        | Input::Kernel(_) => None,
    }
}

pub(crate) fn is_past(until: Option<&Until>, begins: Option<Moment>, at: Moment) -> bool {
    let (Some(until), Some(begins)) = (until, begins) else { return false };
    match until {
        Until::After(after) => at.time.since(begins.time) > *after,
        Until::Clock(clock) => {
            let day = |moment: Moment| stamp(moment.wall).split_off("Nov  3 ".len());
            let (first, now) = (day(begins), day(at));
            // Past midnight the clock starts again.
            let wrapped = now < first || at.time.since(begins.time) >= Duration::from_secs(86_400);
            now > *clock && (*clock >= first || wrapped)
        }
    }
}

fn damage_words(damage: &Damage) -> String {
    let after = damage.after.map_or_else(String::new, |after| format!(", after {}", stamp(after.wall)));
    format!("standfast replay: byte {}{after}: {}", damage.offset, damage.what)
}

fn conclude(replay: &Replay<'_>, outcome: &Outcome) {
    let lasted = outcome.begins.map_or(Duration::ZERO, |begins| replay.last().time.since(begins.time));
    let seconds = lasted.as_secs();
    let told = format!(
        "{} inputs over {}:{:02}:{:02}",
        replay.fed(),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if let Some(words) = &outcome.panic {
        text::err(&format!(
            "standfast replay: {told}; then the node panics, as it did when this was recorded: {words}\n"
        ));
    } else if let Some(difference) = &outcome.difference {
        text::err(&format!("standfast replay: {told}; then {}\n", difference_words(difference)));
    } else if outcome.begins.is_none() {
        text::err("standfast replay: nothing of the recording can be replayed\n");
    } else if !outcome.damages.is_empty() {
        text::err(&format!("standfast replay: {told} replayed; what is damaged is missing\n"));
    } else {
        let end = match (outcome.stopped_early, outcome.finished) {
            (true, _) => "",
            (false, true) => " The daemon stopped there.",
            (false, false) => " The recording ends there: it goes on, or the daemon was killed.",
        };
        text::out(&format!("{told}: every action as recorded.{end}\n"));
    }
}

fn difference_words(difference: &Difference) -> String {
    let at = stamp(difference.at.wall);
    let offset = difference.offset;
    let words = match difference.hashes {
        (None, None) => "the node is not in the state that was recorded",
        (None, Some(_)) => "the node asks for something where none was recorded",
        (Some(_), None) => "the node asks for nothing where something was recorded",
        (Some(_), Some(_)) => "the node asks for something else than was recorded",
    };
    format!(
        "{words}, after the input at {at} (byte {offset}). Another build of standfast decides differently; the same \
         build must not: please report that with the recording"
    )
}

fn json(recording: &Recording<'_>, replay: &Replay<'_>, outcome: &Outcome) -> serde_json::Value {
    let header = recording.header();
    let damages: Vec<_> = outcome
        .damages
        .iter()
        .map(|d| serde_json::json!({ "byte": d.offset, "after": d.after.map(|a| a.wall), "what": d.what }))
        .collect();
    serde_json::json!({
        "program": header.program,
        "host": header.host,
        "pid": header.pid,
        "begins": outcome.begins.map(|begins| begins.wall),
        "ends": replay.last().wall,
        "inputs": replay.fed(),
        "finished": outcome.finished,
        "same": outcome.is_fine(),
        "difference": outcome.difference.map(|d| serde_json::json!({
            "byte": d.offset, "wall": d.at.wall, "words": difference_words(&d)
        })),
        "panic": outcome.panic,
        "damages": damages,
        "story": outcome.events,
    })
}
