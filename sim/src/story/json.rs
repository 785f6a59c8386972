//! A story as JSON; the schema is in `docs/simulate.md`.
//!
//! Times are whole milliseconds since the start of the story. Keys are never renamed or given another meaning under one
//! number of `version`; new ones may come.

use super::verdict::Figures;
use crate::des::client::Target;
use crate::des::service::Episode;
use crate::des::timeline::{Line, Standing, Timeline, Who};
use serde_json::{Value, json};
use standfast_core::time::Time;
use std::time::Duration;

/// The number of the schema.
pub const VERSION: u32 = 1;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn at(time: Time) -> u64 {
    millis(time.since_origin())
}

/// One story: its name, its last line, figures, events, how nodes stood, what clients missed.
#[must_use]
pub fn story(name: &str, words: &str, timeline: &Timeline) -> Value {
    let nodes: Vec<Value> = timeline
        .stances
        .iter()
        .map(|((host, address), stances)| {
            let spans: Vec<Value> = stances
                .iter()
                .map(|(from, stance)| {
                    json!({
                        "from_ms": at(*from),
                        "state": standing(stance.standing),
                        "holds": stance.holds,
                        "link": stance.linked,
                    })
                })
                .collect();
            json!({ "node": timeline.name(*host), "address": address.addr().to_string(), "spans": spans })
        })
        .collect();
    let clients: Vec<Value> = timeline
        .served
        .iter()
        .map(|(target, first)| {
            json!({
                "target": target.to_string(),
                "first_served_ms": first.map(at),
                "trouble": episodes(timeline, *target),
            })
        })
        .collect();
    json!({
        "name": name,
        "words": words,
        "length_ms": millis(timeline.length),
        "figures": figures(&Figures::of(timeline)),
        "events": timeline.lines.iter().map(|line| event(timeline, line)).collect::<Vec<_>>(),
        "nodes": nodes,
        "clients": clients,
    })
}

/// The figures that can be asserted.
#[must_use]
pub fn figures(figures: &Figures) -> Value {
    json!({
        "outage_ms": millis(figures.outage),
        "outage_open": figures.open,
        "cut": figures.cut,
        "hung": figures.hung,
        "refused": figures.refused,
        "unanswered": figures.unanswered,
        "served": figures.served,
    })
}

fn event(timeline: &Timeline, line: &Line) -> Value {
    let (who, name) = match line.who {
        Who::World => ("cluster", None),
        Who::Node(host) => ("node", Some(timeline.name(host).to_owned())),
        Who::Address(address) => ("address", Some(address.addr().to_string())),
        Who::Client(client) => ("client", Some((client + 1).to_string())),
    };
    json!({ "at_ms": at(line.at), "who": who, "name": name, "kind": line.kind.as_str(), "text": timeline.said(line) })
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Off => "off",
        Standing::Down => "down",
        Standing::Frozen => "frozen",
        Standing::Role(role) => role.as_str(),
    }
}

fn episodes(timeline: &Timeline, target: Target) -> Vec<Value> {
    let mine = timeline.episodes.iter().filter(|(_, of, _)| *of == target).map(|(_, _, episode)| episode);
    let one = |episode: &Episode| {
        json!({
            "last_served_ms": at(episode.from),
            "served_again_ms": episode.until.map(at),
            "partly": episode.partly(),
            "connections": episode.tries,
            "refused": episode.refused,
            "unanswered": episode.silent,
        })
    };
    mine.map(one).collect()
}
