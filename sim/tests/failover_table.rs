//! The failover table of the documents is the one that the simulator makes, and obeys the protocol's arithmetic.
//!
//! `SIM_BLESS=1` writes the page anew. Figures may differ a little from the page (another order of random draws), not
//! more: medians by 5 %, 99th percentiles by 15 %, counts by 30 % and three.

use sim::des::table::{Cell, cell, table};
use std::path::Path;
use std::time::Duration;

/// The figures of a row: times in microseconds and counts, in their order.
fn figures(line: &str) -> Vec<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let unit = |at: usize| match words.get(at + 1).copied() {
        Some("s") => 1_000_000,
        Some("ms") => 1_000,
        Some(_) | None => 1,
    };
    let parse = |at: usize| -> Option<u64> {
        let (whole, rest) = words[at].split_once('.').unwrap_or((words[at], ""));
        let digits = u32::try_from(rest.len()).ok()?;
        let rest = if rest.is_empty() { 0 } else { rest.parse::<u64>().ok()? };
        Some((whole.parse::<u64>().ok()? * 10_u64.pow(digits) + rest) * unit(at) / 10_u64.pow(digits))
    };
    (0..words.len()).filter_map(parse).collect()
}

fn near(one: u64, other: u64, percent: u64, spare: u64) -> bool {
    one.abs_diff(other) <= one.max(other) * percent / 100 + spare
}

#[test]
fn the_page_says_what_the_simulator_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/failover.md");
    let made = table().page();
    if std::env::var_os("SIM_BLESS").is_some() {
        std::fs::write(&path, &made).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/failover.md");
    let remedy =
        "look at the difference, then: SIM_BLESS=1 cargo test --profile sim -p sim --test failover_table";
    assert_eq!(kept.lines().count(), made.lines().count(), "docs/failover.md has other lines; {remedy}");
    for (kept, made) in kept.lines().zip(made.lines()) {
        let (before, now) = (figures(kept), figures(made));
        let same = if !kept.starts_with('|') {
            kept == made
        } else if kept.contains(" / ") {
            let close = |(nth, (a, b)): (usize, (&u64, &u64))| match nth {
                0 | 1 => a == b, // interval and gap
                nth if nth % 2 == 0 => near(*a, *b, 5, 0),
                _ => near(*a, *b, 15, 0),
            };
            before.len() == now.len() && before.iter().zip(&now).enumerate().all(close)
        } else {
            before.len() == now.len() && before.iter().zip(&now).all(|(a, b)| near(*a, *b, 30, 3))
        };
        assert!(same, "docs/failover.md says\n{kept}\nbut it is\n{made}\n{remedy}");
    }
}

#[test]
fn the_readme_shows_figures_of_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/failover.md")).expect("docs/failover.md");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    let from = readme.find("`cargo sim table`").expect("the README speaks of the table");
    let rows = readme[from..].lines().skip(1).skip_while(|line| !line.starts_with("| ---")).skip(1);
    let mut shown = 0;
    for row in rows.take_while(|row| row.starts_with('|')) {
        let mut cells = row.split('|').map(str::trim).filter(|cell| !cell.is_empty());
        let name = cells.next().unwrap_or("");
        for figure in cells {
            let near = page.lines().any(|line| {
                (line.starts_with(&format!("| {name} | 1 |")) || !figure.contains('/'))
                    && line.contains(&format!("| {figure} |"))
            });
            assert!(near, "README: `{figure}` of `{name}` is not in docs/failover.md");
            shown += 1;
        }
    }
    assert!(shown >= 9, "the README shows only {shown} figures");
}

#[test]
fn a_cell_is_the_same_each_time() {
    assert_eq!(cell(100, 50, 100), cell(100, 50, 100));
}

/// What the protocol says of power loss without loss of frames: at most three intervals and the skew, at least one
/// interval less, and a little for frames and kernels.
#[test]
fn without_loss_a_failover_takes_what_the_protocol_says() {
    for (interval, gap) in [(1_000, 1), (1_000, 100), (10, 50)] {
        let Cell { median, late, .. } = cell(interval, gap, 0);
        let period = Duration::from_millis(interval);
        let skew = period * (256 - (254 - u32::from(gap))) / 256;
        let spare = Duration::from_millis(2) + period / 100;
        assert!(
            median >= period * 2 + skew && late <= period * 3 + skew + spare,
            "{interval} {gap}: {median:?} {late:?}"
        );
        let half = period * 5 / 2 + skew;
        assert!(
            median.abs_diff(half) < period / 8 + spare,
            "{interval} {gap}: the median {median:?} is far from {half:?}"
        );
    }
}

#[test]
fn figures_of_a_row_are_read_in_microseconds() {
    assert_eq!(figures("| 300 ms | 50 | 3.02 s / 30.2 ms |"), [300_000, 50, 3_020_000, 30_200]);
    assert_eq!(figures("| 1.0 % | 12 |"), [1, 12]);
}
