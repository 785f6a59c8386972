//! `check` and `convert`: read files, say everything, change nothing. Neither needs a privilege.

use crate::cli::{CheckArgs, ConvertArgs};
use crate::source::FsSource;
use crate::text;
use standfast_core::config::finding::{Findings, Severity};
use standfast_core::config::load::{self, Language, Loaded, Options};
use standfast_core::config::{native, summary};
use std::process::ExitCode;

/// Exit code for errors in a configuration.
pub const ERRORS: u8 = 1;
/// Exit code for warnings under `--deny warnings`.
pub const WARNINGS: u8 = 3;

/// The language of each file, by its name and content.
fn languages(files: &[String]) -> Vec<(Language, String)> {
    let guess = |path: &String| {
        let text =
            std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        (load::guess_language(path, &text), path.clone())
    };
    files.iter().map(guess).collect()
}

/// Reads `files` as one node.
#[must_use]
pub fn read(
    files: &[(Language, String)],
    config_id: Option<&String>,
    previous: Option<&standfast_core::config::model::Config>,
) -> Loaded {
    let inputs: Vec<(Language, &str)> =
        files.iter().map(|(language, path)| (*language, path.as_str())).collect();
    let options = Options { config_id: config_id.cloned(), ..Options::default() };
    load::load(&inputs, &FsSource::default(), previous, &options)
}

/// `standfast check`.
#[must_use]
pub fn check(args: &CheckArgs) -> ExitCode {
    let loaded = read(&languages(&args.files), args.config_id.as_ref(), None);
    let findings = &loaded.findings;
    let summary = loaded.config.as_ref().map(|config| summary::summary(config, findings));
    if args.json {
        let json = serde_json::json!({ "findings": findings.list(), "dropped": findings.dropped, "summary": summary });
        text::out(&format!("{json:#}\n"));
    } else {
        print_findings(&loaded, text::out);
        match summary {
            Some(summary) => text::out(&summary),
            None => {
                let counts = summary::counts(findings);
                text::out(&format!("{counts}: this configuration cannot be run\n"));
            }
        }
    }
    if findings.errors() > 0 {
        ExitCode::from(ERRORS)
    } else if args.deny.is_some() && findings.count(Severity::Warning) > 0 {
        ExitCode::from(WARNINGS)
    } else {
        ExitCode::SUCCESS
    }
}

/// `standfast convert`.
#[must_use]
pub fn convert(args: &ConvertArgs) -> ExitCode {
    let loaded = read(&languages(&args.files), args.config_id.as_ref(), None);
    print_findings(&loaded, text::err);
    match &loaded.config {
        Some(config) => {
            text::out(&native::write(config));
            ExitCode::SUCCESS
        }
        None => ExitCode::from(ERRORS),
    }
}

/// Prints every finding through `to`, and how many more there were.
pub fn print_findings(loaded: &Loaded, to: fn(&str)) {
    print_each(&loaded.findings, to);
}

/// Prints every one of `findings` through `to`, and how many more there were.
pub fn print_each(findings: &Findings, to: fn(&str)) {
    for finding in findings.list() {
        to(&format!("{finding}\n"));
    }
    if findings.dropped > 0 {
        to(&format!("and {} more findings\n", findings.dropped));
    }
}
