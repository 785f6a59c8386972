//! `standfast` itself, built again beside the system tests so that cargo keeps it as fresh as they are.

use std::process::ExitCode;

fn main() -> ExitCode {
    standfast::cli::main()
}
