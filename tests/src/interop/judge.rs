//! From captures to outcomes, from outcomes to a verdict and to the page `docs/interop.md`.
//!
//! A time counts from the last advertisement that somebody else sent before the newly active router's first, or, when
//! it was started by this event, from the moment when it listened. Times are compared by the medians of all attempts.

use super::capture::{self, Advert};
use super::stage::Moment;
use super::{Act, Outcome, Play};
use std::fmt::Write as _;

/// How far two times may be apart, in milliseconds.
pub const TOLERANCE: i64 = 50;

/// The outcomes of one play: per router, one per step.
#[must_use]
pub fn outcomes(play: &Play, captured: &str, moments: &[Moment], frr: [bool; 2]) -> Vec<Vec<Outcome>> {
    let adverts = capture::read(captured);
    let mut found = Vec::new();
    for (nth, (vrid, router)) in play.routers().enumerate() {
        let adverts: Vec<&Advert> = adverts.iter().filter(|advert| advert.vrid == vrid).collect();
        let (mut before, mut steps) = (Vec::new(), Vec::new());
        for ((act, _), moment) in play.steps.iter().zip(moments) {
            let active = active(&adverts, moment, router.interval.max(1_000));
            let took = takeover(&adverts, *act, moment, &before, &active);
            let fits =
                |node: &usize| frr[node - 1] || active.contains(node) == moment.holders[nth].contains(node);
            let mut who = names(&active);
            if let Some(node) = [1, 2].iter().find(|node| !fits(node)) {
                let held = if active.contains(node) { "without" } else { "with" };
                who.push_str(&format!(" (cp{node} {held} address)"));
            }
            steps.push(Outcome { who, took });
            before = active;
        }
        found.push(steps);
    }
    found
}

/// The attempt of a laboratory that failed: nobody is active, and why.
#[must_use]
pub fn spoilt(play: &Play, trouble: &str) -> Attempt {
    let why = format!("no result: {}", trouble.lines().next().unwrap_or_default());
    let outcome = Outcome { who: why, took: None };
    vec![vec![outcome; play.steps.len()]; play.routers.len()]
}

/// Who advertised in the last interval and a third of the step.
fn active(adverts: &[&Advert], moment: &Moment, interval: u64) -> Vec<usize> {
    let since = moment.end - interval * 1_333;
    let advertises = |node: &usize| {
        let mut last = adverts.iter().filter(|advert| advert.node == *node && advert.at <= moment.end);
        last.next_back().is_some_and(|advert| advert.at >= since && advert.priority > 0)
    };
    [1, 2].into_iter().filter(advertises).collect()
}

fn names(active: &[usize]) -> String {
    match active {
        [] => "nobody".to_owned(),
        [node] => format!("cp{node}"),
        _ => "both".to_owned(),
    }
}

fn takeover(
    adverts: &[&Advert],
    act: Act,
    moment: &Moment,
    before: &[usize],
    active: &[usize],
) -> Option<i64> {
    let new = active.iter().find(|node| !before.contains(node))?;
    let theirs = |advert: &&&Advert| advert.node == *new && advert.priority > 0 && advert.at >= moment.at;
    let first = adverts.iter().find(theirs)?.at;
    let from = if act.starts(*new) {
        moment.listens[new - 1].unwrap_or(moment.at)
    } else {
        let heard = adverts.iter().rev().find(|advert| advert.node != *new && advert.at < first);
        heard.map_or(moment.at, |advert| advert.at)
    };
    Some((i64::try_from(first).ok()? - i64::try_from(from).ok()?) / 1_000)
}

/// One attempt: per router, one outcome per step.
pub type Attempt = Vec<Vec<Outcome>>;

/// Per router and step: the most frequent answer to who is active, and the median of the times.
#[must_use]
pub fn settled(attempts: &[Attempt]) -> Attempt {
    let Some(first) = attempts.first() else { return Vec::new() };
    let of = |router: usize, step: usize| {
        let all: Vec<&Outcome> = attempts.iter().map(|attempt| &attempt[router][step]).collect();
        let votes = |who: &str| all.iter().filter(|outcome| outcome.who == who).count();
        let who = all.iter().map(|outcome| outcome.who.clone()).max_by_key(|who| votes(who));
        let who = who.unwrap_or_default();
        let mut times: Vec<Option<i64>> =
            all.iter().filter(|outcome| outcome.who == who).map(|outcome| outcome.took).collect();
        times.sort_unstable();
        Outcome { who, took: times.get(times.len() / 2).copied().flatten() }
    };
    (0..first.len()).map(|router| (0..first[router].len()).map(|step| of(router, step)).collect()).collect()
}

/// What is wrong between the reference and another pair, in words; empty when nothing is.
#[must_use]
pub fn differences(play: &Play, pair: usize, reference: &Attempt, other: &Attempt) -> Vec<String> {
    let mut wrong = Vec::new();
    for (router, (expected, found)) in reference.iter().zip(other).enumerate() {
        for (step, (expected, found)) in expected.iter().zip(found).enumerate() {
            if reason(play, router, step).is_none() && !same(expected, found, TOLERANCE) {
                wrong.push(format!(
                    "{}: {}: {}: with {}: {} instead of {}",
                    play.name,
                    play.routers[router].name,
                    play.steps[step].0.words(),
                    heading(play, pair),
                    cell(found),
                    cell(expected)
                ));
            }
        }
    }
    wrong
}

fn reason(play: &Play, router: usize, step: usize) -> Option<&'static str> {
    play.differs.iter().find(|(at, of, _)| (*at, *of) == (router, step)).map(|(.., reason)| *reason)
}

fn same(one: &Outcome, other: &Outcome, tolerance: i64) -> bool {
    let near = match (one.took, other.took) {
        (Some(one), Some(other)) => (one - other).abs() <= tolerance,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    one.who == other.who && near
}

fn cell(outcome: &Outcome) -> String {
    match outcome.took {
        Some(ms) => format!("{} {:.2} s", outcome.who, ms as f64 / 1_000.0),
        None => outcome.who.clone(),
    }
}

fn heading(play: &Play, pair: usize) -> String {
    let [one, two] = play.pairs[pair];
    format!("{} + {}", one.name(), two.name())
}

/// The page, from the settled outcomes of every pair of every play.
#[must_use]
pub fn page(plays: &[(&Play, Vec<Attempt>)]) -> String {
    let mut page = String::from(HEAD);
    for (play, pairs) in plays {
        let acts: Vec<String> = play.steps.iter().map(|(act, _)| act.words()).collect();
        let _ = writeln!(page, "\n## {}\n", play.name);
        let _ = writeln!(page, "| router | cp1 + cp2 | {} |", acts.join(" | "));
        let _ = writeln!(page, "| --- | ---{} |", " | ---".repeat(acts.len()));
        let mut reasons: Vec<&str> = Vec::new();
        for (nth, router) in play.routers.iter().enumerate() {
            for (pair, attempt) in pairs.iter().enumerate() {
                let mut cells = vec![if pair == 0 { router.name.to_owned() } else { String::new() }];
                cells.push(heading(play, pair));
                for (step, outcome) in attempt[nth].iter().enumerate() {
                    let reason = reason(play, nth, step).filter(|_| pair > 0);
                    let mark = reason.map(|reason| {
                        let known = reasons.iter().position(|known| *known == reason);
                        let number = known.unwrap_or_else(|| {
                            reasons.push(reason);
                            reasons.len() - 1
                        });
                        format!(" ({})", number + 1)
                    });
                    cells.push(cell(outcome) + &mark.unwrap_or_default());
                }
                let _ = writeln!(page, "| {} |", cells.join(" | "));
            }
        }
        for (number, reason) in reasons.iter().enumerate() {
            let _ = writeln!(page, "\n({}) {reason}", number + 1);
        }
    }
    page
}

const HEAD: &str = "# The interop matrix

Two nodes with the same files: Debian's keepalived beside itself, and standfast in the place of one of them. Every row is a virtual
router; after each event, who is active, and after how long. A takeover counts from the last advertisement that was sent before it, a
start from the moment when the started program listens; both are read from a capture of the LAN. The test `interop` plays all of it in
network namespaces. It fails when a line differs from the first one of its router by more than 50 ms or in who is active, and when this
page is not true any more; `UPDATE_GOLDEN=1 cargo test -p system-tests --test interop` writes it anew.
";

/// The first line in which two pages differ, by more than [`TOLERANCE`] where it is a time.
#[must_use]
pub fn moved(old: &str, new: &str) -> Option<(String, String)> {
    let (mut olds, mut news) = (old.lines(), new.lines());
    loop {
        match (olds.next(), news.next()) {
            (None, None) => return None,
            (Some(old), Some(new)) if near(old, new) => {}
            (old, new) => return Some((old.unwrap_or("").to_owned(), new.unwrap_or("").to_owned())),
        }
    }
}

/// Whether the words are the same, and the times near.
fn near(old: &str, new: &str) -> bool {
    let (olds, news) = (old.split_whitespace(), new.split_whitespace());
    let pairs: Vec<(&str, &str)> = olds.zip(news).collect();
    let ms = |word: &str| {
        word.split_once('.').and_then(|_| word.parse::<f64>().ok()).map(|s| (s * 1_000.0) as i64)
    };
    old.split_whitespace().count() == new.split_whitespace().count()
        && pairs.iter().all(|(old, new)| match (ms(old), ms(new)) {
            (Some(old), Some(new)) => (old - new).abs() <= TOLERANCE,
            _ => old == new,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::rows;

    fn outcome(who: &str, took: Option<i64>) -> Outcome {
        Outcome { who: who.to_owned(), took }
    }

    #[test]
    fn a_takeover_counts_from_the_last_advertisement_before_it() {
        let at = |node, at: u64, priority| Advert { at: at * 1_000, node, vrid: 51, priority };
        let adverts = [at(1, 1_000, 110), at(1, 2_000, 110), at(2, 5_610, 100), at(2, 6_610, 100)];
        let adverts: Vec<&Advert> = adverts.iter().collect();
        let moment = Moment { at: 2_500_000, end: 7_000_000, listens: [None; 2], holders: Vec::new() };
        assert_eq!(active(&adverts, &moment, 1_000), [2]);
        assert_eq!(takeover(&adverts, Act::PowerOff(1), &moment, &[1], &[2]), Some(3_610));
        let started = Moment { listens: [None, Some(3_000_000)], ..moment };
        assert_eq!(takeover(&adverts, Act::Start(2), &started, &[1], &[2]), Some(2_610));
        assert_eq!(takeover(&adverts, Act::Start(2), &started, &[2], &[2]), None);
    }

    #[test]
    fn who_is_active_and_fifty_milliseconds_decide() {
        let plays = rows::all();
        let (play, reference) = (&plays[0], vec![vec![outcome("cp1", Some(610))]]);
        let wrong = |who, took| differences(play, 1, &reference, &vec![vec![outcome(who, took)]]).len();
        assert_eq!(wrong("cp1", Some(660)), 0);
        assert_eq!(wrong("cp1", Some(661)), 1);
        assert_eq!(wrong("cp2", Some(610)), 1);
        assert_eq!(wrong("cp1", None), 1);
    }

    #[test]
    fn three_attempts_are_judged_by_their_median_and_the_majority() {
        let attempt = |who, took| vec![vec![outcome(who, took)]];
        let attempts = [attempt("cp1", Some(900)), attempt("cp1", Some(610)), attempt("cp1", Some(620))];
        assert_eq!(settled(&attempts), [[outcome("cp1", Some(620))]]);
        let attempts = [attempt("cp2", Some(1)), attempt("cp1", Some(610)), attempt("cp1", Some(620))];
        assert_eq!(settled(&attempts)[0][0].who, "cp1");
    }

    #[test]
    fn the_page_may_move_by_the_tolerance_and_by_no_word() {
        assert_eq!(moved("| cp1 0.61 s |", "| cp1 0.65 s |"), None);
        assert!(moved("| cp1 0.61 s |", "| cp1 0.68 s |").is_some());
        assert!(moved("| cp1 0.61 s |", "| cp2 0.61 s |").is_some());
        assert!(moved("a\n", "a\nb\n").is_some());
    }
}
