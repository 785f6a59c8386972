//! Compares what the model allows with what the real thing did, and writes the table.
//!
//! The states of each subject must come in the same order in both; each must come within the span of times that the
//! model's runs show, give or take the story's tolerance. Later than that is forgiven only as far as this machine was late:
//! what it took to do what the story asks for, and the latest wake-up of a thread that only sleeps.

use super::real::Run;
use super::{Case, Key, Seen};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What the model says of one subject after one moment: the states in their order, each with its earliest and latest
/// time in milliseconds.
pub type Spans = Vec<(String, i64, i64)>;

/// States in their order, each with its time.
type States = [(String, i64)];

/// What the model says of a story: for each subject the possible orders of states, the most frequent first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(pub BTreeMap<Key, Vec<Spans>>);

impl Expected {
    /// What `runs` of the model say together.
    #[must_use]
    pub fn new(runs: &[Seen]) -> Expected {
        let keys: BTreeSet<&Key> = runs.iter().flat_map(BTreeMap::keys).collect();
        let expected = keys.into_iter().map(|key| {
            let mut orders: BTreeMap<Vec<&str>, Vec<&States>> = BTreeMap::new();
            for run in runs {
                let states = run.get(key).map(Vec::as_slice).unwrap_or_default();
                let order = states.iter().map(|(state, _)| state.as_str()).collect();
                orders.entry(order).or_default().push(states);
            }
            let mut orders: Vec<_> = orders.into_iter().collect();
            orders.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
            let spans = orders.into_iter().map(|(order, all)| spans(&order, &all)).collect();
            (key.clone(), spans)
        });
        Expected(expected.collect())
    }

    /// What is wrong with `run`, in words; empty when it is as the model says.
    #[must_use]
    pub fn differences(&self, case: &Case, run: &Run) -> Vec<String> {
        let mut found = Vec::new();
        let keys: BTreeSet<&Key> = self.0.keys().chain(run.seen.keys()).collect();
        for key in keys {
            let states = run.seen.get(key).map(Vec::as_slice).unwrap_or_default();
            let order: Vec<&str> = states.iter().map(|(state, _)| state.as_str()).collect();
            let orders = self.0.get(key).map(Vec::as_slice).unwrap_or_default();
            let place = format!("{}: {}: cp{} {}", case.name, case.moment(key.moment), key.node, key.subject);
            let same = orders
                .iter()
                .find(|spans| spans.iter().map(|span| span.0.as_str()).eq(order.iter().copied()));
            let Some(spans) = same else {
                if !(orders.is_empty() && order.is_empty()) {
                    found.push(format!("{place}: {states:?} in namespaces, {orders:?} in the model"));
                }
                continue;
            };
            let late = run.took.get(key.moment).copied().unwrap_or(0) + run.late;
            for ((state, at), (_, first, last)) in states.iter().zip(spans) {
                if *at < first - case.tolerance || *at > last + case.tolerance + late {
                    found.push(format!(
                        "{place}: {state} after {at} ms in namespaces (machine late by {late} ms at most), {first} to {last} in \
                         the model"
                    ));
                }
            }
        }
        found
    }
}

fn spans(order: &[&str], all: &[&States]) -> Spans {
    let span = |(nth, state): (usize, &&str)| {
        let times = || all.iter().filter_map(|states| states.get(nth)).map(|(_, at)| *at);
        ((*state).to_owned(), times().min().unwrap_or(0), times().max().unwrap_or(0))
    };
    order.iter().enumerate().map(span).collect()
}

/// The head of the table.
const HEAD: &str = "\
# Fidelity: tier 1 of the simulator beside network namespaces

Each story runs in both: the same files; in namespaces the real binary, in tier 1 the same core on simulated kernels.
Compared are, for each node: its roles, effective priorities, the verdicts of its checks, the states of its servers and pools, and
when its kernel held the virtual address. The order must be the same. Each time must lie within the span that tier 1
shows over all phases of the nodes' rhythm, with a tolerance of 100 ms on both sides (250 ms where the rhythms of a check and of the
advertisements meet); later than that only as far as the machine itself was late (measured in each run). A story that
differs is run once more, since a machine that stalls for longer than the priorities lie apart lets two nodes take over.

`tests/tests/fidelity.rs` runs all stories and compares the events and the spans with this table; a span may move by 0.1 s.
The last two columns are those of the run that wrote the table (`FIDELITY_BLESS=1`), for the eye: the time in
namespaces, and how far it lies outside of the span.
";

/// The part of the table that tells of one story.
#[must_use]
pub fn section(case: &Case, expected: &Expected, run: Option<&Run>) -> String {
    let mut text = format!("\n## {}\n\n", case.name);
    text.push_str(
        "| after | node | what | tier 1 | namespaces | outside |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    if expected.0.is_empty() {
        text.push_str("| (all) | | nothing happens | | nothing | |\n");
    }
    let mut rows: Vec<((usize, i64, i64, usize), String)> = Vec::new();
    for (key, orders) in &expected.0 {
        let moment = case.moment(key.moment);
        let seen = run.and_then(|run| run.seen.get(key)).map(Vec::as_slice).unwrap_or_default();
        let (order, more) = (&orders[0], orders.len() > 1);
        if order.is_empty() {
            let row = format!("| {moment} | cp{} | {} (mostly nothing) | | | |", key.node, key.subject);
            rows.push(((key.moment, 0, 0, key.node), row));
        }
        for (nth, (state, first, last)) in order.iter().enumerate() {
            let at = seen.get(nth).filter(|(real, _)| real == state).map(|(_, at)| *at);
            let outside = at.map_or(0, |at| (first - at).max(at - last).max(0));
            let real = at.map_or(String::new(), seconds2);
            let also = if more && nth == 0 { " (or another order)" } else { "" };
            // Outwards to tenths; these also put the rows in order.
            let (first, last) = (first - first.rem_euclid(100), last + (-last).rem_euclid(100));
            let row = format!(
                "| {moment} | cp{} | {} {state}{also} | {} to {} s | {real} s | {outside} ms |",
                key.node,
                key.subject,
                seconds(first),
                seconds(last)
            );
            rows.push(((key.moment, last, first, key.node), row));
        }
    }
    rows.sort();
    for (_, row) in rows {
        let _ = writeln!(text, "{row}");
    }
    text
}

/// The whole table.
#[must_use]
pub fn table(sections: &[String]) -> String {
    format!("{HEAD}There are {} stories.\n\n{}", sections.len(), sections.concat())
}

fn seconds(ms: i64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}

fn seconds2(ms: i64) -> String {
    format!("{}.{:02}", ms / 1_000, ms % 1_000 / 10)
}

/// Where two tables differ in their events, or in a span by more than 0.1 s; the first such line of both. The order of
/// a story's rows is that of their times, and so does not count.
#[must_use]
pub fn moved(old: &str, new: &str) -> Option<(String, String)> {
    let (old, new) = (rows(old), rows(new));
    let length = old.len().max(new.len());
    let line = |rows: &[(String, String)], nth: usize| rows.get(nth).cloned().unwrap_or_default();
    let pairs = (0..length).map(|nth| (line(&old, nth), line(&new, nth)));
    let differs = |((old_in, old), (new_in, new)): &((String, String), (String, String))| {
        old_in != new_in || !alike(old, new)
    };
    pairs.into_iter().find(differs).map(|((_, old), (_, new))| (old, new))
}

/// Each line with the story it belongs to, in an order that does not depend on times.
fn rows(text: &str) -> Vec<(String, String)> {
    let (mut story, mut found) = (String::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with("## ") {
            line.clone_into(&mut story);
        }
        found.push((story.clone(), line.to_owned()));
    }
    found.sort();
    found
}

fn alike(old: &str, new: &str) -> bool {
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let (old, new) = (cells(old), cells(new));
    if old.len() != new.len() || old.len() < 7 {
        return old == new;
    }
    let near = match (span(&old[4]), span(&new[4])) {
        (Some(old), Some(new)) => old.0.abs_diff(new.0) <= 1 && old.1.abs_diff(new.1) <= 1,
        _ => old[4] == new[4],
    };
    old[..4] == new[..4] && near
}

/// `1.2 to 3.4 s` in tenths of a second.
fn span(cell: &str) -> Option<(u64, u64)> {
    let (first, last) = cell.strip_suffix(" s")?.split_once(" to ")?;
    let tenths = |text: &str| text.replace('.', "").parse().ok();
    Some((tenths(first)?, tenths(last)?))
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    fn key() -> Key {
        Key { moment: 0, node: 2, subject: "role".to_owned() }
    }

    fn seen(states: &[(&str, i64)]) -> Seen {
        [(key(), states.iter().map(|(state, at)| ((*state).to_owned(), *at)).collect())].into()
    }

    fn run(states: &[(&str, i64)]) -> Run {
        Run { seen: seen(states), took: vec![20, 0], late: 5, said: String::new() }
    }

    #[test]
    fn an_event_too_early_too_late_missing_or_added_is_a_difference() {
        let case = &cases::all()[0];
        let expected = Expected::new(&[seen(&[("MASTER", 1_000)]), seen(&[("MASTER", 1_400)])]);
        let count = |states: &[(&str, i64)]| expected.differences(case, &run(states)).len();
        assert_eq!(count(&[("MASTER", 900)]), 0);
        assert_eq!(count(&[("MASTER", 1_525)]), 0);
        assert_eq!(count(&[("MASTER", 899)]), 1);
        assert_eq!(count(&[("MASTER", 1_526)]), 1);
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[("MASTER", 1_000), ("BACKUP", 1_100)]), 1);
        assert_eq!(count(&[("BACKUP", 1_000)]), 1);
    }

    #[test]
    fn a_table_may_move_by_a_tenth_and_differ_in_what_was_measured_only() {
        let row =
            |span: &str, real: &str| format!("| cp1 dies | cp2 | role MASTER | {span} | {real} | 0 ms |");
        assert_eq!(moved(&row("1.0 to 1.5 s", "1.22 s"), &row("1.1 to 1.4 s", "1.35 s")), None);
        assert!(moved(&row("1.0 to 1.5 s", "1.22 s"), &row("1.2 to 1.5 s", "1.22 s")).is_some());
        assert!(moved("| a | b |", "| a | c |").is_some());
        assert!(moved("one", "one\ntwo").is_some());
        assert_eq!(moved("## a\none\ntwo", "## a\ntwo\none"), None);
        assert!(moved("## a\none\n## b\ntwo", "## a\ntwo\n## b\none").is_some());
    }
}
