//! From captures to outcomes, from outcomes to a verdict and to the page `docs/interop.md`.
//!
//! Who holds the address is active; a router of FRR, which has it always, when it advertises. Times are compared by the
//! medians of all attempts; what this machine was late by, at the very moment, is forgiven.

use super::capture::{self, Advert};
use super::stage::Moment;
use super::witness::Witness;
use super::{Act, Counts, Outcome, Play, Router};
use std::fmt::Write as _;

/// How far two times may be apart, in milliseconds.
pub const TOLERANCE: i64 = 50;

/// The outcomes of one play: per router, one per step.
#[must_use]
pub fn outcomes(
    play: &Play,
    captured: &str,
    moments: &[Moment],
    frr: [bool; 2],
    witness: &Witness,
) -> Attempt {
    let adverts = capture::read(captured);
    let mut found = Vec::new();
    for (nth, (vrid, router)) in play.routers().enumerate() {
        let adverts: Vec<&Advert> = adverts.iter().filter(|advert| advert.vrid == vrid).collect();
        let (mut before, mut steps) = (Vec::new(), Vec::new());
        for ((act, _), moment) in play.steps.iter().zip(moments) {
            let active = |node: &usize| match frr[node - 1] {
                true => advertises(&adverts, *node, moment.end),
                false => moment.holders[nth].contains(node),
            };
            let active: Vec<usize> = [1, 2].into_iter().filter(active).collect();
            let new = active.iter().find(|node| !before.contains(*node));
            let span = new.and_then(|new| takeover(&adverts, router, *act, moment, *new));
            let took = span.map(|(from, first)| (ms(first) - ms(from)).max(0));
            let late = span.map_or(0, |(_, first)| witness.late(first) + witness.waited(first));
            steps.push(Outcome { who: names(&active), took, late });
            before = active;
        }
        found.push(steps);
    }
    found
}

fn ms(at: u64) -> i64 {
    i64::try_from(at / 1_000).unwrap_or(i64::MAX)
}

/// The attempt of a laboratory that failed: nobody is active, and why.
#[must_use]
pub fn spoilt(play: &Play, trouble: &str) -> Attempt {
    let why = format!("no result: {}", trouble.lines().next().unwrap_or_default());
    let outcome = Outcome { who: why, took: None, late: 0 };
    vec![vec![outcome; play.steps.len()]; play.routers.len()]
}

/// Whether the last advertisement of `node` before `end` is younger than four thirds of a second and no farewell.
fn advertises(adverts: &[&Advert], node: usize, end: u64) -> bool {
    let mut last = adverts.iter().rev().filter(|advert| advert.node == node && advert.at <= end);
    last.next().is_some_and(|advert| advert.at + 1_333_000 >= end && advert.priority > 0)
}

fn names(active: &[usize]) -> String {
    match active {
        [] => "nobody".to_owned(),
        [node] => format!("cp{node}"),
        _ => "both".to_owned(),
    }
}

/// When the takeover of `new` began to count, and its first advertisement.
fn takeover(
    adverts: &[&Advert],
    router: &Router,
    act: Act,
    moment: &Moment,
    new: usize,
) -> Option<(u64, u64)> {
    let theirs = |advert: &&&Advert| advert.node == new && advert.priority > 0 && advert.at >= moment.at;
    let first = adverts.iter().find(theirs)?.at;
    let other = |advert: &&&Advert| advert.node != new && advert.at < first;
    let listens = moment.listens[new - 1].unwrap_or(moment.at);
    let from = if act.starts(new) && router.counts == Counts::Delay {
        adverts.iter().filter(other).map(|advert| advert.at).find(|at| *at >= listens).unwrap_or(listens)
    } else if act.starts(new) {
        listens
    } else if act.repairs(new) && router.counts == Counts::Fault {
        moment.at
    } else {
        adverts.iter().rev().find(other).map_or(moment.at, |advert| advert.at)
    };
    Some((from, first))
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
        let same = all.iter().filter(|outcome| outcome.who == who);
        let mut times: Vec<(Option<i64>, i64)> = same.map(|outcome| (outcome.took, outcome.late)).collect();
        times.sort_unstable();
        let (took, late) = times.get(times.len() / 2).copied().unwrap_or_default();
        Outcome { who, took, late }
    };
    (0..first.len()).map(|router| (0..first[router].len()).map(|step| of(router, step)).collect()).collect()
}

/// What is wrong between the reference and another pair, in words; empty when nothing is.
#[must_use]
pub fn differences(play: &Play, pair: usize, reference: &Attempt, other: &Attempt) -> Vec<String> {
    let mut wrong = Vec::new();
    for (router, (expected, found)) in reference.iter().zip(other).enumerate() {
        for (step, (expected, found)) in expected.iter().zip(found).enumerate() {
            if reason(play, router, step).is_none() && !same(expected, found) {
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

fn same(one: &Outcome, other: &Outcome) -> bool {
    let near = match (one.took, other.took) {
        (Some(took), Some(other_took)) => (took - other_took).abs() <= TOLERANCE + one.late + other.late,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    one.who == other.who && near
}

fn cell(outcome: &Outcome) -> String {
    match outcome.took {
        Some(ms) => format!("{} {}.{:02} s", outcome.who, ms / 1_000, ms % 1_000 / 10),
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
        if !play.about.is_empty() {
            let _ = writeln!(page, "{}\n", play.about);
        }
        let _ = writeln!(page, "| router | cp1 + cp2 | {} |", acts.join(" | "));
        let _ = writeln!(page, "| --- | ---{} |", " | ---".repeat(acts.len()));
        let mut reasons: Vec<&str> = Vec::new();
        for (nth, router) in play.routers.iter().enumerate() {
            for (pair, attempt) in pairs.iter().enumerate() {
                let mut cells = vec![if pair == 0 { router.name.to_owned() } else { String::new() }];
                cells.push(heading(play, pair));
                for (step, outcome) in attempt[nth].iter().enumerate() {
                    let reason = reason(play, nth, step);
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
router with priority 110 on cp1 and 100 on cp2, if it says nothing else; after each event, who holds the address, and after how long.
A takeover counts from the last advertisement of the other router before it, a start from the moment when the program listens, the end
of a fault from the event; the capture of the LAN says when. The test `interop` plays all of it in network namespaces. It fails when a
line differs from the first one of its router in who is active or by more than 50 ms and what the machine itself was late by, and when
this page is not true any more; `UPDATE_GOLDEN=1 cargo test -p system-tests --test interop` writes it anew. Cells with a number in
brackets differ on purpose, for the reason below their table.
";

/// How far a time may be from that of the page, in milliseconds: the page may come from a busier machine.
pub const PAGE_TOLERANCE: i64 = 250;

/// The first line in which two pages differ, by more than [`PAGE_TOLERANCE`] where it is a time.
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

/// Whether the words are the same, and the times near; times of cells that differ on purpose may be any.
fn near(old: &str, new: &str) -> bool {
    let (olds, news): (Vec<&str>, Vec<&str>) = (old.split('|').collect(), new.split('|').collect());
    olds.len() == news.len()
        && olds.iter().zip(&news).all(|(old, new)| match (time(old), time(new)) {
            (Some((old, old_ms)), Some((new, new_ms))) => {
                old == new && (old.ends_with(')') || (old_ms - new_ms).abs() <= PAGE_TOLERANCE)
            }
            _ => old == new,
        })
}

/// A cell's words without its time, and the time in milliseconds.
fn time(cell: &str) -> Option<(String, i64)> {
    let mut words: Vec<&str> = cell.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "s")?.checked_sub(1)?;
    let ms = words.remove(at).replace('.', "").parse::<i64>().ok()? * 10;
    Some((words.join(" "), ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::rows;

    fn outcome(who: &str, took: Option<i64>) -> Outcome {
        Outcome { who: who.to_owned(), took, late: 0 }
    }

    fn router(counts: Counts) -> Router {
        Router { counts, ..rows::all()[0].routers[0].clone() }
    }

    #[test]
    fn a_takeover_counts_from_what_the_protocol_counts_from() {
        let at = |node, at: u64, priority| Advert { at: at * 1_000, node, vrid: 51, priority };
        let adverts =
            [at(1, 1_000, 110), at(1, 2_000, 110), at(1, 3_000, 0), at(2, 5_610, 100), at(2, 6_610, 100)];
        let adverts: Vec<&Advert> = adverts.iter().collect();
        let moment =
            Moment { at: 1_500_000, end: 7_000_000, listens: [None, Some(1_800_000)], holders: Vec::new() };
        assert!(advertises(&adverts, 2, moment.end));
        assert!(!advertises(&adverts, 1, 3_100_000), "a farewell is the end");
        let from = |counts, act| takeover(&adverts, &router(counts), act, &moment, 2);
        assert_eq!(from(Counts::Usual, Act::PowerOff(1)), Some((3_000_000, 5_610_000)));
        assert_eq!(from(Counts::Usual, Act::Start(2)), Some((1_800_000, 5_610_000)));
        assert_eq!(from(Counts::Delay, Act::Start(2)), Some((2_000_000, 5_610_000)));
        assert_eq!(from(Counts::Fault, Act::Link(2, true)), Some((1_500_000, 5_610_000)));
        assert_eq!(from(Counts::Usual, Act::Link(2, true)), Some((3_000_000, 5_610_000)));
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
        let late = Outcome { late: 20, ..outcome("cp1", Some(680)) };
        assert!(differences(play, 1, &reference, &vec![vec![late]]).is_empty());
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
    fn the_page_may_move_by_a_little_time_and_by_no_word() {
        assert_eq!(moved("| cp1 0.61 s |", "| cp1 0.86 s |"), None);
        assert!(moved("| cp1 0.61 s |", "| cp1 0.87 s |").is_some());
        assert_eq!(moved("| cp1 0.61 s (1) |", "| cp1 4.72 s (1) |"), None);
        assert!(moved("| cp1 0.61 s (1) |", "| cp2 4.72 s (1) |").is_some());
        assert!(moved("| cp1 0.61 s |", "| cp2 0.61 s |").is_some());
        assert!(moved("| cp1 0.61 s |", "| cp1 |").is_some());
        assert!(moved("a\n", "a\nb\n").is_some());
    }
}
