//! Stories are bounded: lines, sampled addresses, rows and marks of a picture, faults and seeds of a storm.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise, in its helpers too")]

use sim::des::fault::Fault;
use sim::des::scenario::{self, Scenario};
use sim::des::shape::Tweak;
use sim::des::timeline::{MAX_LINES, MAX_SAMPLED};
use sim::story::{storm, svg};
use standfast_core::config::load::{Language, Options, load};
use standfast_core::config::model::Config;
use standfast_core::config::source::MemorySource;
use standfast_core::time::Time;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// A node with so many virtual routers.
fn node(routers: usize) -> Config {
    let mut text = String::new();
    for nth in 1..=routers {
        writeln!(
            text,
            "vrrp_instance VI_{nth} {{\n interface eth0\n virtual_router_id {nth}\n virtual_ipaddress {{\n 192.0.2.{}\n }}\n}}",
            100 + nth
        )
        .unwrap();
    }
    let source = MemorySource::with("keepalived.conf", text.as_bytes());
    let loaded = load(&[(Language::Keepalived, "keepalived.conf")], &source, None, &Options::default());
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings))
}

fn nodes(count: usize, routers: usize) -> Vec<(String, Config)> {
    (1..=count).map(|nth| (format!("n{nth}"), node(routers))).collect()
}

fn short(name: &str) -> Scenario {
    Scenario {
        held: 0,
        client_every: Duration::from_millis(100),
        ..Scenario::new(name, Duration::from_secs(2))
    }
}

#[test]
fn a_story_of_too_many_lines_says_that_it_was_cut() {
    let mut scenario = short("long");
    for nth in 0..=MAX_LINES as u64 {
        scenario = scenario.when(Time(nth * 1_000), Fault::Note(String::from("again")));
    }
    let timeline = scenario::run(&nodes(1, 1), &scenario);
    assert_eq!(timeline.lines.len(), MAX_LINES + 1);
    assert!(timeline.lines.last().is_some_and(|line| line.text.contains("left out")));
}

#[test]
fn no_more_addresses_are_sampled_than_the_limit() {
    let timeline = scenario::run(&nodes(1, MAX_SAMPLED + 1), &short("wide"));
    let addresses: BTreeSet<_> = timeline.stances.keys().map(|(_, address)| *address).collect();
    assert_eq!(addresses.len(), MAX_SAMPLED);
}

#[test]
fn a_picture_of_too_many_rows_names_how_many_it_leaves_out() {
    let timeline = scenario::run(&nodes(svg::MAX_ROWS / 2, 2), &short("high"));
    let picture = svg::picture(&timeline, "t", "w");
    assert!(picture.contains(">and 2 rows more<"), "{picture}"); // the two of the client
    let timeline = scenario::run(&nodes(svg::MAX_ROWS / 2 - 1, 2), &short("high"));
    assert!(!svg::picture(&timeline, "t", "w").contains("rows more"));
}

#[test]
fn a_picture_has_no_more_marks_than_the_limit() {
    let mut scenario = short("many");
    for nth in 0..40 {
        let by = i16::try_from(nth).unwrap();
        let fault = Fault::Reload { host: 0, to: Tweak::Priority(by) };
        scenario = scenario.when(Time::from_millis(1_000 + nth * 10), fault);
    }
    let picture = svg::picture(&scenario::run(&nodes(1, 1), &scenario), "t", "w");
    assert_eq!(picture.matches("<path class=\"mark\"").count(), 24);
}

#[test]
fn a_storm_has_at_least_two_faults_and_no_more_than_the_limit() {
    let nodes = nodes(3, 1);
    let counts: BTreeSet<usize> = (0..300).map(|seed| storm::draw(seed, &nodes).steps.len()).collect();
    assert_eq!(counts.first(), Some(&2));
    assert_eq!(counts.last(), Some(&usize::try_from(storm::MAX_FAULTS).unwrap()));
}
