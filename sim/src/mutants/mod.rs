//! `mutants`: is every mistake noticed?
//!
//! `list` reads `mutants.toml`, `rewrite` puts all mistakes into one copy of the core behind a switch each, `build`
//! makes that copy and builds it once, `judge` runs the built simulator once per mistake. The product's own source
//! carries nothing of this: no feature, no patch, no switch.

mod build;
mod judge;
mod list;
mod rewrite;

use crate::Ended;
use crate::args::MutantsOrder;
use crate::say::{json, say};
use build::Workshop;
use judge::{Fate, SEEDS, STORMS, Verdict};
use list::Mutant;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write;

/// `cargo sim mutants`.
pub(crate) fn run(order: &MutantsOrder) -> Ended {
    let workshop = Workshop::find()?;
    let all = list::read(&workshop.list())?;
    if let Some(unknown) = order.only.iter().find(|name| all.iter().all(|mutant| mutant.name != **name)) {
        return Err(format!("there is no mutant {unknown:?}; `cargo sim mutants --list` names them all"));
    }
    let chosen: Vec<(u32, &Mutant)> = (1..)
        .zip(&all)
        .filter(|(_, mutant)| order.only.is_empty() || order.only.contains(&mutant.name))
        .collect();
    // All of them, so that a stale one is noticed whichever was asked for.
    let files = rewrite::all(&workshop.core(), &all)?;
    if order.list {
        say(&listing(&chosen, order.json));
        return Ok(true);
    }
    let program = workshop.build(&files)?;
    for tier in chosen.iter().map(|(_, mutant)| mutant.tier).collect::<BTreeSet<u8>>() {
        if let Fate::Killed { seed, by } = judge::one(&program, 0, tier)? {
            let seed = seed.map_or_else(|| String::from("?"), |seed| seed.to_string());
            return Err(format!(
                "without any mutant seed {seed} of tier {tier} breaks {by}; mend that first: cargo sim replay {seed} --tier {tier}"
            ));
        }
    }
    let verdicts = judge::all(&program, &chosen)?;
    if order.json {
        json(&all_as_json(&verdicts));
    } else {
        say(&table(&verdicts));
    }
    Ok(!verdicts.iter().any(Verdict::is_news))
}

/// Killed, survivors that were known, survivors that were not.
fn counts(verdicts: &[Verdict]) -> [usize; 3] {
    let survived = verdicts.iter().filter(|verdict| verdict.fate == Fate::Survived).count();
    let news = verdicts.iter().filter(|verdict| verdict.is_news()).count();
    [verdicts.len() - survived, survived - news, news]
}

fn all_as_json(verdicts: &[Verdict]) -> serde_json::Value {
    let [killed, known, news] = counts(verdicts);
    json!({
        "seeds": SEEDS,
        "mutants": verdicts.len(),
        "killed": killed,
        "known_survivors": known,
        "survived": news,
        "verdicts": verdicts.iter().map(as_json).collect::<Vec<_>>(),
    })
}

fn listing(chosen: &[(u32, &Mutant)], as_json: bool) -> String {
    if as_json {
        let one = |(_, mutant): &(u32, &Mutant)| json!({ "name": mutant.name, "breaks": mutant.breaks, "file": mutant.file });
        return format!("{}\n", json!(chosen.iter().map(one).collect::<Vec<_>>()));
    }
    let lines = chosen.iter().map(|(_, mutant)| format!("{:32} {}\n", mutant.name, mutant.breaks));
    lines.collect()
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    let (fate, seed, by) = match &verdict.fate {
        Fate::Survived => ("survived", None, None),
        Fate::Killed { seed, by } => ("killed", *seed, Some(by)),
    };
    json!({ "name": verdict.name, "breaks": verdict.breaks, "fate": fate, "seed": seed, "by": by, "known": verdict.known })
}

fn table(verdicts: &[Verdict]) -> String {
    let mut text = format!("{:32} {:>8}  {:9} what it breaks\n", "mutant", "at seed", "killed by");
    for verdict in verdicts {
        let (seed, by) = match &verdict.fate {
            Fate::Survived => (String::from("-"), if verdict.is_news() { "SURVIVED" } else { "survives" }),
            Fate::Killed { seed, by } => {
                (seed.map_or_else(|| String::from("?"), |seed| seed.to_string()), by.as_str())
            }
        };
        let _ = writeln!(text, "{:32} {seed:>8}  {by:9} {}", verdict.name, verdict.breaks);
        match (&verdict.fate, &verdict.known) {
            (Fate::Survived, Some(why)) => {
                let _ = writeln!(text, "{:53} why: {why}", "");
            }
            (Fate::Killed { .. }, Some(_)) => {
                let _ =
                    writeln!(text, "{:53} no longer survives: take `survives` out of sim/mutants.toml", "");
            }
            (Fate::Survived | Fate::Killed { .. }, None) => {}
        }
    }
    let [killed, known, news] = counts(verdicts);
    let count = verdicts.len();
    let _ = writeln!(
        text,
        "{count} mutants: {killed} killed within {SEEDS} seeds (tier 2: {STORMS}), {known} known to survive, {news} SURVIVED"
    );
    text
}
