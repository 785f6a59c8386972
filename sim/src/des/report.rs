//! What a failed run comes to: the invariant, the time, the seed, the shrunk plan, the last lines of each node's
//! trace in files of their own, and the line that replays it.
//!
//! Everything but the files is a function of the plan. The trace is that of the shrunk run: it is the shorter story of
//! the same failure.

use super::invariant::Violation;
use super::plan::Plan;
use super::run::{Report, run};
use super::shrink::{Shrunk, shrink};
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

/// The lines of trace that a failure keeps of each node.
pub const LAST_LINES: usize = 200;

/// A failure, looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where its plan comes from.
    pub seed: u64,
    /// What broke.
    pub violation: Violation,
    /// How many faults the whole plan has.
    pub faults: usize,
    /// The shrunk plan.
    pub shrunk: Shrunk,
    /// The shrunk run, in words.
    pub report: Report,
}

/// Looks into the failure of `plan`; `None` when it does not fail.
#[must_use]
pub fn investigate(plan: &Plan) -> Option<Failure> {
    let violation = run(plan, false).violation?;
    let shrunk = shrink(plan, violation.name);
    let report = run(&shrunk.plan, true);
    Some(Failure { seed: plan.seed, violation, faults: plan.faults.len(), shrunk, report })
}

/// Everything worth knowing about the failure of `plan`; empty when it does not fail. Writes the traces.
#[must_use]
pub fn failure(plan: &Plan) -> String {
    let Some(failure) = investigate(plan) else { return String::new() };
    let mut text = failure.text();
    text.push_str(&match failure.write_traces(&folder()) {
        Ok(files) => told(&files),
        Err(error) => format!("the traces could not be written: {error}\n"),
    });
    text
}

/// One line that names the trace files.
#[must_use]
pub fn told(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("last {LAST_LINES} lines of each node: {}\n", names.join(" "))
}

impl Failure {
    /// The line that replays it.
    #[must_use]
    pub fn replay(&self) -> String {
        format!("cargo sim replay {} --shrunk --trace", self.seed)
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let Shrunk { plan, runs, events } = &self.shrunk;
        let _ = writeln!(text, "seed {}: {}", self.seed, self.violation);
        let faults = (self.faults, plan.faults.len());
        let _ = writeln!(
            text,
            "shrunk from {} faults to {} in {runs} runs of {events} events:",
            faults.0, faults.1
        );
        text.push_str(&describe(plan));
        if let Some(violation) = self.report.violation.as_ref().filter(|other| **other != self.violation) {
            let _ = writeln!(text, "the shrunk run: {violation}");
        }
        let _ = writeln!(text, "replay: {}", self.replay());
        text
    }

    /// Writes the last lines of each node below `folder`, and names the files.
    ///
    /// # Errors
    /// When a folder or file cannot be written.
    pub fn write_traces(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let folder = folder.join(format!("seed-{}", self.seed));
        std::fs::create_dir_all(&folder)?;
        (0..self.shrunk.plan.shape.nodes)
            .map(|host| {
                let name = format!("n{}", host + 1);
                let file = folder.join(format!("{name}.log"));
                std::fs::write(&file, last_lines(&self.report.trace, &name))?;
                Ok(file)
            })
            .collect()
    }
}

/// The last lines of `trace` that are about the node `name`, or about everybody.
fn last_lines(trace: &[String], name: &str) -> String {
    let concerns = |line: &&String| line.split(' ').nth(1).is_some_and(|who| who == name || who == "--");
    let mine: Vec<&String> = trace.iter().filter(concerns).collect();
    let skip = mine.len().saturating_sub(LAST_LINES);
    mine[skip..].iter().map(|line| format!("{line}\n")).collect()
}

/// Where traces go: the folder `sim` of the build folder that this program lies in, else of `target` here.
#[must_use]
pub fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let built = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    built.map_or_else(|| PathBuf::from("target"), Path::to_path_buf).join("sim")
}

/// A plan in words.
#[must_use]
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    let shape = &plan.shape;
    let _ = writeln!(
        text,
        "  {} nodes, {} clients, delay {:?}, kernel {:?}, lease {}, refresh {:?}, {} servers, script {:?}, noise {}",
        shape.nodes,
        plan.clients,
        shape.delay,
        shape.apply,
        shape.lease,
        shape.refresh,
        shape.servers,
        shape.script,
        plan.noise
    );
    for router in &shape.routers {
        let _ = writeln!(text, "  {router:?}");
    }
    for (at, fault) in &plan.faults {
        let _ = writeln!(text, "  at {at} s {fault}");
    }
    let _ = writeln!(
        text,
        "  storm {:?}; left {:?}; scripts failing {:?}; drill {:?}",
        plan.storm, plan.left, plan.failing, plan.drill
    );
    text
}

/// One line about a run that passed.
#[must_use]
pub fn passed(seed: u64, report: &Report) -> String {
    format!(
        "seed {seed}: hash {:016x}, {} events, {:?} simulated",
        report.hash, report.events, report.simulated
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_of_one_node_and_of_everybody_and_no_more_than_the_limit() {
        let all = (0..=LAST_LINES).flat_map(|n| [format!("{n}.0 n1 a"), format!("{n}.1 n11 b")]);
        let trace: Vec<String> = all.chain([String::from("9.9 -- Kill")]).collect();
        let text = last_lines(&trace, "n1");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), LAST_LINES);
        assert_eq!((lines[0], lines[LAST_LINES - 1]), ("2.0 n1 a", "9.9 -- Kill"));
    }
}
