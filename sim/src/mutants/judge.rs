//! Runs the mutated simulator: once without a mutant, then once for each, two processes at a time.
//!
//! A mutant is killed by the lowest seed at which an invariant breaks, by a panic, or by never ending. The patience for
//! the last is a matter of this machine's clock; everything else of a verdict is not.

use super::list::Mutant;
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Every mutant must be killed within so many seeds.
pub(crate) const SEEDS: u64 = 200;
/// On tier 2, whose runs take as long as hundreds of tier 1.
pub(crate) const STORMS: u64 = 20;
/// Processes at once.
const AT_ONCE: usize = 2;
/// A process that has not ended after so many looks hangs.
const LOOKS: u32 = 6_000;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing noticed it.
    Survived,
    /// Something did.
    Killed {
        /// At this seed, if it got so far as to say.
        seed: Option<u64>,
        /// The invariant.
        by: String,
    },
}

/// A mutant and its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) breaks: String,
    pub(crate) fate: Fate,
    /// Why it is known to survive.
    pub(crate) known: Option<String>,
}

impl Verdict {
    /// It survived, and nobody knew.
    pub(crate) fn is_news(&self) -> bool {
        self.fate == Fate::Survived && self.known.is_none()
    }
}

/// The fates of all of `mutants`, in their order.
pub(crate) fn all(program: &Path, mutants: &[(u32, &Mutant)]) -> Result<Vec<Verdict>, String> {
    let waiting = Mutex::new(mutants.iter().enumerate());
    let judged = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().expect("no judge panics").next();
            let Some((nth, (number, mutant))) = next else { return };
            let verdict = one(program, *number, mutant.tier).map(|fate| Verdict {
                name: mutant.name.clone(),
                breaks: mutant.breaks.clone(),
                fate,
                known: mutant.survives.clone(),
            });
            judged.lock().expect("no judge panics").push((nth, verdict));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let mut judged = judged.into_inner().expect("no judge panics");
    judged.sort_by_key(|(nth, _)| *nth);
    judged.into_iter().map(|(_, verdict)| verdict).collect()
}

/// The fate of mutant `number` on `tier`; of the unchanged core when the number is 0.
pub(crate) fn one(program: &Path, number: u32, tier: u8) -> Result<Fate, String> {
    let threads = if number == 0 { "2" } else { "1" };
    let seeds = if tier == 1 { SEEDS } else { STORMS };
    let mut child = Command::new(program)
        .args(["run", "--seeds", &format!("0..{seeds}"), "--tier", &tier.to_string()])
        .args(["--until-failure", "--json", "--threads", threads])
        .env("STANDFAST_MUTANT", number.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let Some(status) =
        wait(&mut child).map_err(|error| format!("cannot wait for {}: {error}", program.display()))?
    else {
        return Ok(Fate::Killed { seed: None, by: String::from("hangs") });
    };
    let mut text = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut text).map_err(|error| format!("cannot read the run's output: {error}"))?;
    }
    fate(status, &text)
}

/// Waits for `child`; kills it, and returns nothing, when it does not end.
fn wait(child: &mut Child) -> std::io::Result<Option<Option<i32>>> {
    for _ in 0..LOOKS {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// What a run with this exit status and output says.
fn fate(status: Option<i32>, text: &str) -> Result<Fate, String> {
    match status {
        Some(0) => return Ok(Fate::Survived),
        // Outside of a run, where nobody catches it.
        Some(101) | None => return Ok(Fate::Killed { seed: None, by: String::from("panic") }),
        Some(_) => {}
    }
    let sums: Value =
        serde_json::from_str(text).map_err(|error| format!("the run printed no JSON: {error}"))?;
    let first = &sums["failures"][0];
    match (first["seed"].as_u64(), first["invariant"].as_str()) {
        (Some(seed), Some(by)) => Ok(Fate::Killed { seed: Some(seed), by: by.to_owned() }),
        _ => Err(format!("the run failed without a failure: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_survivor_that_nobody_knew_of_is_news() {
        let verdict = |fate, known: Option<&str>| {
            let (name, breaks) = (String::from("m"), String::new());
            Verdict { name, breaks, fate, known: known.map(String::from) }.is_news()
        };
        assert!(verdict(Fate::Survived, None));
        assert!(!verdict(Fate::Survived, Some("masked")));
        assert!(!verdict(Fate::Killed { seed: None, by: String::from("A1") }, None));
    }

    #[test]
    fn a_run_that_passed_is_a_survivor_and_one_that_failed_names_its_killer() {
        assert_eq!(fate(Some(0), "{}"), Ok(Fate::Survived));
        let failed = r#"{"failures": [{"seed": 12, "invariant": "A6"}, {"seed": 14, "invariant": "A1"}]}"#;
        assert_eq!(fate(Some(1), failed), Ok(Fate::Killed { seed: Some(12), by: String::from("A6") }));
        assert!(fate(Some(1), "{}").is_err());
        assert!(matches!(fate(Some(101), ""), Ok(Fate::Killed { seed: None, .. })));
    }
}
