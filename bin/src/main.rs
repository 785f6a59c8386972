//! The `standfast` command: parses its arguments and calls the verb.

use std::process::ExitCode;

fn main() -> ExitCode {
    standfast::cli::main()
}
