//! Puts every mutant into the text of its file, each behind its own switch (mutant schemata).
//!
//! `find` becomes `(if crate::mutant::on(N) { replace } else { find })`, or the same as a statement; several mutants of
//! one place become one chain. A place that is not there exactly once, or two places that overlap, is an error: a mutant
//! that changes nothing would seem to survive.

use super::list::Mutant;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

/// What the copied core has in addition: the switch, read once.
pub(crate) const SWITCH: &str = "
/// Which mistake is on.
mod mutant {
    extern crate std;

    /// Whether mistake number `number` is on.
    pub(crate) fn on(number: u32) -> bool {
        static ON: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
        let read = || std::env::var(\"STANDFAST_MUTANT\").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        *ON.get_or_init(read) == number
    }
}
";

/// The changed files below `core`, by their path there, for mutants numbered from 1.
pub(crate) fn all(core: &Path, mutants: &[Mutant]) -> Result<BTreeMap<String, String>, String> {
    let mut of: BTreeMap<&str, Vec<(u32, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in (1..).zip(mutants) {
        of.entry(&mutant.file).or_default().push((number, mutant));
    }
    let mut files = BTreeMap::new();
    for (file, mutants) in of {
        let path = core.join(file);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!("mutant {:?} is stale: {}: {error}", mutants[0].1.name, path.display())
        })?;
        files.insert(file.to_owned(), one(&text, &mutants)?);
    }
    let lib =
        std::fs::read_to_string(core.join("lib.rs")).map_err(|error| format!("core/src/lib.rs: {error}"))?;
    // The switches leave parentheses that nobody would write.
    let lib = lib.replacen("#![no_std]", "#![no_std]\n#![allow(warnings)]", 1);
    files.insert(String::from("lib.rs"), lib + SWITCH);
    Ok(files)
}

/// `text` with every one of `mutants` in it.
fn one(text: &str, mutants: &[(u32, &Mutant)]) -> Result<String, String> {
    let mut places: Vec<(Range<usize>, u32, &Mutant)> = Vec::new();
    for (number, mutant) in mutants {
        places.push((place(text, mutant)?, *number, mutant));
    }
    places.sort_by_key(|(place, number, _)| (place.start, place.end, *number));
    let mut changed = String::new();
    let mut copied = 0;
    for same in places.chunk_by(|a, b| a.0 == b.0) {
        let (place, _, mutant) = &same[0];
        if place.start < copied {
            return Err(format!("mutant {:?} overlaps another one; move one of them", mutant.name));
        }
        changed.push_str(&text[copied..place.start]);
        changed.push_str(&switched(&text[place.clone()], same));
        copied = place.end;
    }
    changed.push_str(&text[copied..]);
    Ok(changed)
}

fn switched(original: &str, mutants: &[(Range<usize>, u32, &Mutant)]) -> String {
    let mut text = String::new();
    let statement = mutants.iter().any(|(_, _, mutant)| mutant.statement);
    for (_, number, mutant) in mutants {
        let _ = write!(text, "if crate::mutant::on({number}) {{ {} }} else ", mutant.replace);
    }
    if statement { format!("{text}{{ {original} }}") } else { format!("({text}{{ {original} }})") }
}

/// Where the mutant changes `text`.
fn place(text: &str, mutant: &Mutant) -> Result<Range<usize>, String> {
    let stale = |what: &str, times: usize| {
        format!(
            "mutant {:?} is stale: its `{what}` occurs {times} times in core/src/{}, not once; \
             bring sim/mutants.toml up to date",
            mutant.name, mutant.file
        )
    };
    let once = |what: &str, hay: &str, needle: &str| {
        let times = hay.matches(needle).count();
        hay.find(needle).filter(|_| times == 1).ok_or_else(|| stale(what, times))
    };
    let (from, hay) = match &mutant.within {
        Some(within) => (once("within", text, within)?, within.as_str()),
        None => (0, text),
    };
    let at = from + once("find", hay, &mutant.find)?;
    Ok(at..at + mutant.find.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(find: &str, replace: &str) -> Mutant {
        Mutant {
            name: String::from("m"),
            breaks: String::new(),
            file: String::from("f.rs"),
            find: find.into(),
            replace: replace.into(),
            within: None,
            tier: 1,
            survives: None,
            statement: false,
        }
    }

    #[test]
    fn an_expression_gets_a_switch() {
        let changed = one("a + b * c", &[(7, &mutant("b * c", "0"))]).unwrap();
        assert_eq!(changed, "a + (if crate::mutant::on(7) { 0 } else { b * c })");
    }

    #[test]
    fn a_statement_gets_a_switch_without_parentheses() {
        let silent = Mutant { statement: true, ..mutant("go();", "") };
        assert_eq!(
            one("x(); go();", &[(1, &silent)]).unwrap(),
            "x(); if crate::mutant::on(1) {  } else { go(); }"
        );
    }

    #[test]
    fn two_mutants_of_one_place_become_one_chain() {
        let changed = one("f(x)", &[(1, &mutant("x", "y")), (2, &mutant("x", "z"))]).unwrap();
        let chain = "f((if crate::mutant::on(1) { y } else if crate::mutant::on(2) { z } else { x }))";
        assert_eq!(changed, chain);
    }

    #[test]
    fn a_place_that_is_gone_or_there_twice_is_stale() {
        for text in ["nothing", "b b"] {
            let error = one(text, &[(1, &mutant("b", "c"))]).unwrap_err();
            assert!(error.contains("mutant \"m\" is stale"), "{error}");
        }
        let within = Mutant { within: Some(String::from("(b)")), ..mutant("b", "c") };
        assert!(one("b (b)", &[(1, &within)]).unwrap().starts_with("b ((if"));
    }

    #[test]
    fn overlapping_places_are_refused() {
        let error = one("abc", &[(1, &mutant("ab", "x")), (2, &mutant("bc", "y"))]).unwrap_err();
        assert!(error.contains("overlaps"), "{error}");
    }

    #[test]
    fn every_mutant_of_the_list_still_finds_its_place() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mutants = super::super::list::read(&home.join("mutants.toml")).unwrap();
        all(&home.join("../core/src"), &mutants).unwrap();
    }
}
