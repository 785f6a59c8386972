//! The command line of `cargo sim`, and nothing else.
//!
//! Every word has `--json` for machines. A wrong command line ends with status 2 and says what would be right.

use clap::{Args as Arguments, Parser, Subcommand};
use std::str::FromStr;

/// The most threads of one command.
pub(crate) const MAX_THREADS: u16 = 256;

const STATUS: &str = "Exit status: 0 all is well; 1 an invariant broke, a mutant survived or a mark was not reached; \
                      2 wrong command line, or the work could not be done.";

/// Rehearses standfast on simulated networks: random faults, invariants, and mistakes made on purpose.
#[derive(Debug, Parser)]
#[command(name = "cargo sim", bin_name = "cargo sim", after_help = STATUS, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) word: Word,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Word {
    /// Run every seed of a range, and look into the first failure
    Run(RunOrder),
    /// Run one seed again and show what happened
    Replay(ReplayOrder),
    /// Make the plan of a failing seed small, and write the last lines of each node to files
    Shrink(ShrinkOrder),
    /// Build the core with mistakes made on purpose and see that each is noticed
    Mutants(MutantsOrder),
    /// Count how many seeds of a range reach each rare state
    Marks(MarksOrder),
    /// Measure how fast the simulator is
    Bench {
        /// One JSON object instead of words
        #[arg(long)]
        json: bool,
    },
    /// How long a failover takes by interval, loss and priority gap: the page docs/failover.md
    Table {
        /// One JSON object instead of the page, times in microseconds
        #[arg(long)]
        json: bool,
    },
}

#[derive(Arguments, Debug)]
pub(crate) struct RunOrder {
    /// The seeds: from A up to, but not including, B
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Seeds,
    /// 1: nodes on the discrete-event loop; 2: the real driver, checks and proxy on turmoil
    #[arg(long, value_name = "TIER", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) tier: u8,
    /// Stop at the lowest failing seed
    #[arg(long)]
    pub(crate) until_failure: bool,
    /// How many seeds at once (default: one per processor)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_THREADS)))]
    pub(crate) threads: Option<u16>,
    /// One JSON object instead of words; failures are listed, not looked into
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Arguments, Debug)]
pub(crate) struct ReplayOrder {
    /// The seed
    pub(crate) seed: u64,
    /// 1: nodes on the discrete-event loop; 2: the real driver, checks and proxy on turmoil
    #[arg(long, value_name = "TIER", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) tier: u8,
    /// Print what happened, line by line
    #[arg(long)]
    pub(crate) trace: bool,
    /// Replay the shrunk plan of a failing seed instead of the whole one (tier 1)
    #[arg(long)]
    pub(crate) shrunk: bool,
    /// One JSON object instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Arguments, Debug)]
pub(crate) struct ShrinkOrder {
    /// The failing seed
    pub(crate) seed: u64,
    /// 1: nodes on the discrete-event loop; 2: the real driver, checks and proxy on turmoil
    #[arg(long, value_name = "TIER", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) tier: u8,
    /// One JSON object instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Arguments, Debug)]
pub(crate) struct MarksOrder {
    /// The seeds: from A up to, but not including, B
    #[arg(long, value_name = "A..B", default_value = "0..2000")]
    pub(crate) seeds: Seeds,
    /// One JSON object instead of words
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Arguments, Debug)]
pub(crate) struct MutantsOrder {
    /// Only this mutant (can be given several times)
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Name the mutants and what each breaks, and run nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// A range of seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let wrong =
            || format!("{text:?} is not a range of seeds; write A..B with A below B, such as 0..2000");
        let (from, until) = text.split_once("..").ok_or_else(wrong)?;
        let number = |word: &str| word.parse().map_err(|_| wrong());
        let seeds = Seeds { from: number(from)?, until: number(until)? };
        if seeds.from < seeds.until { Ok(seeds) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_has_a_beginning_below_its_end() {
        assert_eq!("3..9".parse(), Ok(Seeds { from: 3, until: 9 }));
        for wrong in ["", "3", "9..3", "3..3", "a..b", "3..=9", "-1..3", "0..18446744073709551616"] {
            assert!(wrong.parse::<Seeds>().unwrap_err().contains("such as 0..2000"), "{wrong}");
        }
    }

    #[test]
    fn one_thread_more_than_the_limit_is_refused() {
        let words = |threads: u16| {
            let threads = threads.to_string();
            Args::try_parse_from(["sim", "run", "--seeds", "0..1", "--threads", &threads]).is_ok()
        };
        assert!(words(1) && words(MAX_THREADS));
        assert!(!words(0) && !words(MAX_THREADS + 1));
    }
}
