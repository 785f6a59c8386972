//! The limits of `lint`, each at the limit and one beyond.

mod lint;

use lint::{has, nodes, router};
use standfast_core::config::lint::MAX_NODES;
use std::fmt::Write;

#[test]
fn nodes_beyond_the_limit_are_not_compared_and_said() {
    let text = |nth: usize| router(1, u8::try_from(nth + 1).expect("few"), "192.0.2.100", "");
    let all: Vec<String> = (0..=MAX_NODES).map(text).collect();
    let report = lint::lint(&nodes(&all[..MAX_NODES]));
    assert!(!has(&report, 4018));
    let report = lint::lint(&nodes(&all));
    assert!(has(&report, 4018));
    assert!(
        report.routers[0].contains("n64") && !report.routers[0].contains("n65"),
        "{:?}",
        report.routers[0]
    );
}

/// A node that tracks `count` checks of weight -1.
fn tracking(count: usize, priority: u8) -> String {
    let mut scripts = String::new();
    let mut lines = String::from("    track_script {\n");
    for nth in 0..count {
        let _ = writeln!(scripts, "vrrp_script c{nth} {{\n    script \"/bin/true\"\n    weight -1\n}}");
        let _ = writeln!(lines, "        c{nth}");
    }
    format!("{scripts}{}", router(1, priority, "192.0.2.100", &format!("{lines}    }}")))
}

#[test]
fn checks_beyond_the_limit_are_looked_at_alone_and_together_and_said() {
    let pair = |count| nodes(&[tracking(count, 100), tracking(count, 90)]);
    assert!(!has(&lint::lint(&pair(12)), 4017));
    let report = lint::lint(&pair(13));
    assert!(has(&report, 4017));
    // One failure of thirteen leaves 99, above 90.
    assert!(has(&report, 4010));
}

#[test]
fn findings_beyond_the_limit_are_counted() {
    let many: String = (0..1001).map(|_| "    nonsense\n").collect();
    let report =
        lint::lint(&nodes(&[router(1, 100, "192.0.2.100", &many), router(1, 90, "192.0.2.100", "")]));
    assert!(
        report.findings.len() <= 1000 && report.dropped > 0,
        "{} {}",
        report.findings.len(),
        report.dropped
    );
}
