//! The `standfast` command: parses its arguments and calls the verb.

use clap::Parser as _;
use standfast::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    standfast::cli::dispatch(Cli::parse())
}
