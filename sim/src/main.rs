//! `cargo sim`: the one door to the simulator. Reads the command line and hands over.
//!
//! `door` runs, replays and shrinks seeds and counts marks, `mutants` breaks the core on purpose, `bench` measures,
//! `table` times failovers.
//! Exit status: 0 all is well, 1 the simulator found something, 2 it could not do what it was asked. This program is
//! a tool; the library beside it is what products and tests use.

mod args;
mod bench;
mod door;
mod mutants;
mod say;

use args::{Args, Word};
use clap::Parser;
use std::process::ExitCode;

/// How a word ended: all is well or something was found; an error says what could not be done, and the remedy.
type Ended = Result<bool, String>;

fn main() -> ExitCode {
    say::only_first_panic();
    let ended = match Args::parse().word {
        Word::Run(order) => door::range::run(&order),
        Word::Replay(order) => door::single::replay(&order),
        Word::Shrink(order) => door::single::shrink(&order),
        Word::Marks(order) => door::range::marks(&order),
        Word::Mutants(order) => mutants::run(&order),
        Word::Bench { json } => bench::run(json),
        Word::Table { json } => table(json),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::from(2)
        }
    }
}

/// The failover table, as a page or for machines.
fn table(json: bool) -> Ended {
    let table = sim::des::table::table();
    if json {
        say::json(&table.json());
    } else {
        say::say(&table.page());
    }
    Ok(true)
}
