//! The list of mutants, `sim/mutants.toml`: reading it, and what makes it wrong.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// A mistake made on purpose.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// Its name.
    pub(crate) name: String,
    /// What is wrong with it, in a sentence.
    pub(crate) breaks: String,
    /// The file, below `core/src`.
    pub(crate) file: String,
    /// An expression, or statements; occurs exactly once in the file, or in `within`.
    pub(crate) find: String,
    /// What stands there instead.
    pub(crate) replace: String,
    /// A longer piece of the file that occurs exactly once and holds `find`.
    #[serde(default)]
    pub(crate) within: Option<String>,
    /// The tier that has to notice it: 1 unless said.
    #[serde(default = "first")]
    pub(crate) tier: u8,
    /// Why nothing notices it, where that is known: it is run and shown all the same.
    #[serde(default)]
    pub(crate) survives: Option<String>,
    /// `find` is one or more whole statements.
    #[serde(default)]
    pub(crate) statement: bool,
}

fn first() -> u8 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// Reads the list at `path`.
pub(crate) fn read(path: &Path) -> Result<Vec<Mutant>, String> {
    let place = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {place}: {error}; run this inside the repository"))?;
    parse(&text).map_err(|error| format!("{place}: {error}"))
}

fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let list: List = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    for mutant in &list.mutant {
        if !names.insert(&mutant.name) {
            return Err(format!("two mutants are called {:?}; give one another name", mutant.name));
        }
        if !(1..=2).contains(&mutant.tier) {
            return Err(format!(
                "mutant {:?} is for tier {}; there are tiers 1 and 2",
                mutant.name, mutant.tier
            ));
        }
        if mutant.find.is_empty() {
            return Err(format!("mutant {:?} finds nothing; say what it replaces", mutant.name));
        }
    }
    Ok(list.mutant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[mutant]]\nname = 'a'\nbreaks = 'b'\nfile = 'c.rs'\nfind = 'd'\nreplace = 'e'\n";

    #[test]
    fn a_name_stands_for_one_mutant() {
        assert_eq!(parse(ONE).unwrap().len(), 1);
        assert!(parse(&ONE.repeat(2)).unwrap_err().contains("two mutants are called"));
    }

    #[test]
    fn an_unknown_key_and_an_empty_place_are_refused() {
        assert!(parse(&format!("{ONE}repalce = 'x'\n")).unwrap_err().contains("repalce"));
        assert!(parse(&format!("{ONE}tier = 3\n")).unwrap_err().contains("tiers 1 and 2"));
        assert!(parse(&ONE.replace("'d'", "''")).unwrap_err().contains("finds nothing"));
    }
}
