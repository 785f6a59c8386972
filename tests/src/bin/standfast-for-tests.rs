//! The program that the system tests start: the laboratory's helpers.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(2).collect();
    standfast::lab::main(&args)
}
