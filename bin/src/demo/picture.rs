//! The demonstration's picture: one bar per node, filled while it held the address.

use crate::lab::watch::Hold;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many characters a bar has.
const WIDTH: u64 = 72;

/// The time that one character stands for.
pub(super) fn grain(from: u64, to: u64) -> Duration {
    Duration::from_micros(to.saturating_sub(from) / WIDTH)
}

/// `12.3 s` of microseconds, right-aligned.
pub(super) fn clock(us: u64) -> String {
    format!("{:>4}.{} s", us / 1_000_000, us % 1_000_000 / 100_000)
}

/// One line per node that ever held the address.
pub(super) fn holds(holds: &[Hold], from: u64, to: u64) -> String {
    let mut bars: BTreeMap<&str, Vec<char>> = BTreeMap::new();
    let step = (to.saturating_sub(from) / WIDTH).max(1);
    let cells = usize::try_from(WIDTH).unwrap_or_default();
    for hold in holds {
        let bar = bars.entry(&hold.host).or_insert_with(|| vec!['.'; cells]);
        let first = hold.from.saturating_sub(from) / step;
        let last = hold.to.unwrap_or(to).saturating_sub(from) / step;
        for (cell, mark) in (0..).zip(bar.iter_mut()) {
            if cell >= first && cell <= last {
                *mark = '#';
            }
        }
    }
    bars.iter().map(|(host, bar)| format!("  {host}  {}\n", bar.iter().collect::<String>())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_filled_while_its_node_holds_the_address() {
        let hold = |host: &str, from, to| Hold { host: host.to_owned(), from, to };
        let picture = holds(&[hold("cp1", 0, Some(35)), hold("cp2", 36, None)], 0, 72);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines[0], format!("  cp1  {}{}", "#".repeat(36), ".".repeat(36)));
        assert_eq!(lines[1], format!("  cp2  {}{}", ".".repeat(36), "#".repeat(36)));
    }
}
