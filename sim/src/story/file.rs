//! The user's own scenario, a TOML file: which fault hits whom, when, for how long.
//!
//! Read whole before anything runs; everything that is wrong is told at once, with line, column and remedy. A step without
//! `for` lasts to the end. Times are whole numbers with a unit, as in the native configuration.

use super::codes;
use super::steps;
use crate::des::scenario::Scenario;
use serde::Deserialize;
use standfast_core::config::finding::{Code, Finding, Findings, Severity, Span, nearest};
use standfast_core::config::model::Config;
use standfast_core::time::Time;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// The most steps of a scenario.
pub const MAX_STEPS: usize = 1_000;
/// The deepest nesting of brackets.
const MAX_DEPTH: usize = 64;
/// The longest scenario.
pub const MAX_LENGTH: Duration = Duration::from_secs(86_400);
/// The most connections that a client holds open.
pub const MAX_HELD: usize = 1_000;
/// Every turn of the client costs time.
pub const MIN_EVERY: Duration = Duration::from_millis(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: Option<String>,
    length: Spanned<String>,
    every: Option<Spanned<String>>,
    held: Option<Spanned<u64>>,
    seed: Option<u64>,
    #[serde(default)]
    step: Vec<Spanned<Step>>,
}

/// One `[[step]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) at: Spanned<String>,
    pub(super) fault: Spanned<String>,
    #[serde(rename = "for")]
    pub(super) lasts: Option<Spanned<String>>,
    pub(super) node: Option<Spanned<String>>,
    pub(super) nodes: Option<Vec<Spanned<String>>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) server: Option<Spanned<String>>,
    pub(super) percent: Option<Spanned<u64>>,
    pub(super) by: Option<Spanned<String>>,
    pub(super) priority: Option<Spanned<i64>>,
    pub(super) text: Option<String>,
}

/// The file under reading, and who is in the cluster.
pub(super) struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    pub(super) nodes: &'a [(String, Config)],
    pub(super) findings: Findings,
}

/// Reads `text`, the content of `path`, as a scenario for `nodes`.
///
/// # Errors
/// All that is wrong with it.
pub fn read(path: &str, text: &str, nodes: &[(String, Config)]) -> Result<Scenario, Findings> {
    let mut reader = Reader { path, text, nodes, findings: Findings::default() };
    if let Some(at) = too_deep(text) {
        let message = format!("brackets are nested more than {MAX_DEPTH} deep");
        reader.error(codes::SYNTAX, &(at..at + 1), message, None);
        return Err(reader.findings);
    }
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let message = error.message().lines().next().unwrap_or("not valid TOML").to_owned();
            let help = near(&message);
            reader.error(codes::SYNTAX, &error.span().unwrap_or(0..1), message, help);
            return Err(reader.findings);
        }
    };
    let scenario = reader.scenario(&file);
    if reader.findings.errors() > 0 { Err(reader.findings) } else { Ok(scenario) }
}

/// Where brackets first nest too deep for the TOML parser, which is recursive; strings are not looked at.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// What cannot be read at all: `why`, in words.
#[must_use]
pub fn unreadable(path: &str, why: &str) -> Findings {
    let mut findings = Findings::default();
    findings.push(Finding {
        severity: Severity::Error,
        code: codes::UNREADABLE,
        span: Span::whole(path),
        message: format!("the scenario cannot be read: {why}"),
        help: Some(String::from(
            "give a file, or the name of a scenario that `standfast simulate --list` lists",
        )),
    });
    findings
}

/// The remedy for what the parser says: the nearest of the words that it would have taken, or the missing one.
fn near(message: &str) -> Option<String> {
    let mut ticked = message.split('`').skip(1).step_by(2);
    let word = ticked.next()?;
    if message.starts_with("missing field") {
        let example =
            if word == "length" { "length = \"120s\"" } else { "at = \"20s\" or fault = \"power-loss\"" };
        return Some(format!("add `{word}`; for instance {example}"));
    }
    let near = nearest(word, ticked).filter(|_| message.starts_with("unknown field"))?;
    Some(format!("did you mean `{near}`?"))
}

impl Reader<'_> {
    fn scenario(&mut self, file: &File) -> Scenario {
        let length = self.time(&file.length).unwrap_or(MAX_LENGTH);
        if length.is_zero() || length > MAX_LENGTH {
            let message = format!("a scenario lasts between 1ns and {} s", MAX_LENGTH.as_secs());
            self.error(codes::OUT_OF_RANGE, &file.length.span(), message, None);
        }
        let name = self.path.rsplit('/').next().unwrap_or(self.path).trim_end_matches(".toml").to_owned();
        let mut scenario = Scenario::new(&name, length);
        scenario.title = file.title.clone().unwrap_or(name);
        scenario.seed = file.seed.unwrap_or(1);
        if let Some(every) = &file.every {
            scenario.client_every = self.time(every).unwrap_or(scenario.client_every);
            if scenario.client_every < MIN_EVERY {
                let message = String::from("the client tries at most once in a millisecond");
                self.error(codes::OUT_OF_RANGE, &every.span(), message, None);
            }
        }
        if let Some(held) = &file.held {
            scenario.held = usize::try_from(*held.get_ref()).unwrap_or(usize::MAX);
            if scenario.held > MAX_HELD {
                let message = format!("the client holds at most {MAX_HELD} connections open");
                self.error(codes::OUT_OF_RANGE, &held.span(), message, None);
            }
        }
        if let Some(step) = file.step.get(MAX_STEPS) {
            self.error(codes::TOO_MANY, &step.span(), format!("more than {MAX_STEPS} steps"), None);
            return scenario;
        }
        for step in &file.step {
            let at = self.time(&step.get_ref().at).unwrap_or_default();
            // Whatever else is wrong with it is told as well.
            let faults = steps::faults(self, step, length.saturating_sub(at));
            if at >= length {
                let message =
                    format!("this is beyond the end of the scenario, which lasts {}", file.length.get_ref());
                let help = Some(String::from("make `length` longer, or let the step happen earlier"));
                self.error(codes::BEYOND_THE_END, &step.get_ref().at.span(), message, help);
                continue;
            }
            scenario.steps.extend(faults.into_iter().map(|fault| (Time::from_duration(at), fault)));
        }
        scenario
    }

    /// `250ms`, `2s`, `1m`.
    pub(super) fn time(&mut self, text: &Spanned<String>) -> Option<Duration> {
        let word = text.get_ref();
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = word.split_at(digits);
        let units = [("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000)];
        let factor = units.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, nanos)| *nanos);
        let nanos = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor?));
        if nanos.is_none() {
            let message = format!("`{word}` is not a time");
            let help = Some(String::from("write a whole number and a unit: us, ms, s or m, such as \"20s\""));
            self.error(codes::SYNTAX, &text.span(), message, help);
        }
        nanos.map(Duration::from_nanos)
    }

    /// Tells an error at some bytes of the text.
    pub(super) fn error(&mut self, code: Code, at: &Range<usize>, message: String, help: Option<String>) {
        let span = self.span(at);
        self.findings.push(Finding { severity: Severity::Error, code, span, message, help });
    }

    fn span(&self, at: &Range<usize>) -> Span {
        let floor = |at: usize| {
            (0..=at.min(self.text.len())).rfind(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
        };
        let start = floor(at.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].split('\n').next().unwrap_or("").trim_end_matches('\r');
        let end = floor(at.end.clamp(start, (line_start + line.len()).max(start)));
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let shown = |c: char| if c.is_control() && c != '\t' { '?' } else { c };
        Span {
            file: Arc::from(self.path),
            line: number(self.text[..start].matches('\n').count() + 1),
            column: number(self.text[line_start..start].chars().count() + 1),
            width: number(self.text[start..end].chars().count()).clamp(1, number(Span::MAX_TEXT)),
            text: line.chars().take(Span::MAX_TEXT).map(shown).collect::<String>().into(),
        }
    }
}
