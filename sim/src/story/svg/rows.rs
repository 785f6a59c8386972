//! The rows of bars: nodes, then what the client got, and the legend of the states that occur.

use super::frame::{Frame, escape};
use crate::des::client::{Answer, Target};
use crate::des::timeline::{Kind, Stance, Standing, Timeline};
use crate::story::verdict::human;
use ipnet::IpNet;
use standfast_core::event::Role;
use standfast_core::time::Time;
use std::fmt::Write;
use std::time::Duration;

/// What a bar shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shade {
    Holds,
    HoldsFrozen,
    Backup,
    Fault,
    Frozen,
    Off,
    Served,
    Partly,
    Refused,
    Silent,
}

impl Shade {
    const ALL: [Shade; 10] = [
        Shade::Holds,
        Shade::HoldsFrozen,
        Shade::Backup,
        Shade::Fault,
        Shade::Frozen,
        Shade::Off,
        Shade::Served,
        Shade::Partly,
        Shade::Refused,
        Shade::Silent,
    ];

    /// For the legend.
    fn says(self) -> &'static str {
        match self {
            Shade::Holds => "holds the address",
            Shade::HoldsFrozen => "holds it, daemon frozen",
            Shade::Backup => "backup",
            Shade::Fault => "may not take part",
            Shade::Frozen => "daemon frozen",
            Shade::Off => "no power, or no daemon",
            Shade::Served => "client is served",
            Shade::Partly => "partly served",
            Shade::Refused => "refused",
            Shade::Silent => "no answer",
        }
    }

    /// In the bar.
    fn word(self) -> &'static str {
        match self {
            Shade::Holds => "holds the address",
            Shade::HoldsFrozen => "holds it, frozen",
            Shade::Backup => "backup",
            Shade::Fault => "may not take part",
            Shade::Frozen => "frozen",
            Shade::Off => "off",
            Shade::Served => "served",
            Shade::Partly => "partly served",
            Shade::Refused => "refused",
            Shade::Silent => "no answer",
        }
    }

    /// How a box of it looks: fill, and inset from the row's edges, so that the heights differ, too.
    fn look(self) -> (&'static str, u64) {
        match self {
            Shade::Holds => ("class=\"holds\"", 0),
            Shade::HoldsFrozen => ("class=\"holds\"", 0),
            Shade::Backup => ("class=\"backup\"", 6),
            Shade::Fault => ("fill=\"url(#hatch)\"", 6),
            Shade::Frozen => ("fill=\"url(#dots)\"", 6),
            Shade::Off => ("class=\"off\"", 6),
            Shade::Served => ("class=\"served\"", 6),
            Shade::Partly => ("fill=\"url(#bands)\"", 3),
            Shade::Refused => ("fill=\"url(#cross)\"", 0),
            Shade::Silent => ("class=\"silent\"", 0),
        }
    }

    /// The class of a word on it.
    fn ink(self) -> &'static str {
        match self {
            Shade::Holds | Shade::HoldsFrozen | Shade::Served | Shade::Silent => "ondark",
            Shade::Backup | Shade::Off | Shade::Fault | Shade::Frozen | Shade::Partly | Shade::Refused => {
                "onlight"
            }
        }
    }

    /// A word on it needs a plate below.
    fn is_patterned(self) -> bool {
        matches!(self, Shade::Fault | Shade::Frozen | Shade::Partly | Shade::Refused)
    }
}

/// A part of a row.
pub(super) struct Bar {
    from: Time,
    until: Time,
    shade: Shade,
    /// How long clients were without service, where this is about that.
    lasted: Option<Duration>,
}

impl Bar {
    fn new(from: Time, until: Time, shade: Shade) -> Bar {
        Bar { from, until, shade, lasted: None }
    }

    /// The longest label of it that fits into `wide` pixels.
    fn label(&self, wide: u64) -> Option<String> {
        let word = self.shade.word();
        let long = self.lasted.map(|lasted| format!("{word} {}", human(lasted)));
        let all = [long, self.lasted.is_none().then(|| word.to_owned()), self.lasted.map(human)];
        all.into_iter().flatten().find(|label| 7 * label.chars().count() as u64 + 6 <= wide)
    }
}

/// A row.
pub(super) struct Row {
    name: String,
    below: String,
    bars: Vec<Bar>,
    /// When connections were cut, and how many.
    cuts: Vec<(Vec<Time>, String)>,
    pub(super) height: u64,
}

/// The height of a bar.
const BAR: u64 = 30;
/// The least width of a bar: what is shorter must still be seen.
const LEAST: u64 = 2;

/// All rows of `timeline`.
pub(super) fn rows(timeline: &Timeline) -> Vec<Row> {
    let end = Time::from_duration(timeline.length);
    let mut addresses: Vec<IpNet> = timeline.stances.keys().map(|(_, address)| *address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let mut rows = Vec::new();
    for address in &addresses {
        for (host, name) in timeline.nodes.iter().enumerate() {
            let Some(stances) = timeline.stances.get(&(host, *address)) else { continue };
            let below = if addresses.len() > 1 { address.addr().to_string() } else { String::new() };
            let bars = merged(stances, end, shade);
            rows.push(Row { name: name.clone(), below, bars, cuts: Vec::new(), height: BAR + 14 });
        }
    }
    for (nth, (target, first)) in timeline.served.iter().enumerate() {
        let cuts = if nth == 0 { cuts(timeline) } else { Vec::new() };
        let height = BAR + 14 + if cuts.is_empty() { 0 } else { 22 };
        let bars = service(timeline, *target, *first, end);
        rows.push(Row { name: String::from("client"), below: target.to_string(), bars, cuts, height });
    }
    rows
}

/// Moments when open connections were cut; those close together share a text.
fn cuts(timeline: &Timeline) -> Vec<(Vec<Time>, String)> {
    let told =
        timeline.lines.iter().filter(|line| line.kind == Kind::Connections && line.text.contains(" cut"));
    let mut cuts: Vec<(Vec<Time>, u64)> = Vec::new();
    let near = timeline.length / 7; // as much as the text takes
    for line in told {
        let number = line.text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        match cuts.last_mut() {
            Some((moments, sum)) if moments.last().is_some_and(|last| line.at.since(*last) < near) => {
                moments.push(line.at);
                *sum += number;
            }
            Some(_) | None => cuts.push((vec![line.at], number)),
        }
    }
    let plural = |number: u64| if number == 1 { "" } else { "s" };
    cuts.into_iter().map(|(at, number)| (at, format!("{number} connection{} cut", plural(number)))).collect()
}

fn shade(stance: &Stance) -> Shade {
    match (stance.holds, stance.standing) {
        (true, Standing::Frozen) => Shade::HoldsFrozen,
        (true, Standing::Role(_) | Standing::Down | Standing::Off) => Shade::Holds,
        (false, Standing::Off | Standing::Down) => Shade::Off,
        (false, Standing::Frozen) => Shade::Frozen,
        (false, Standing::Role(Role::Fault)) => Shade::Fault,
        (false, Standing::Role(Role::Init | Role::Backup | Role::Master)) => Shade::Backup,
    }
}

fn merged(stances: &[(Time, Stance)], end: Time, shade: impl Fn(&Stance) -> Shade) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for (nth, (from, stance)) in stances.iter().enumerate() {
        let until = stances.get(nth + 1).map_or(end, |(at, _)| *at);
        let from = if nth == 0 { Time::ZERO } else { *from };
        match bars.last_mut() {
            Some(last) if last.shade == shade(stance) => last.until = until,
            Some(_) | None => bars.push(Bar::new(from, until, shade(stance))),
        }
    }
    bars
}

/// What the client got at `target`: served but for the episodes of trouble.
fn service(timeline: &Timeline, target: Target, first: Option<Time>, end: Time) -> Vec<Bar> {
    let Some(mut at) = first else { return vec![Bar::new(Time::ZERO, end, Shade::Silent)] };
    let mut bars = Vec::new();
    let mine = timeline.episodes.iter().filter(|(_, of, _)| *of == target);
    for (_, _, episode) in mine {
        let until = episode.until.unwrap_or(end);
        if episode.failed > at {
            bars.push(Bar::new(at, episode.failed, Shade::Served));
        }
        if episode.partly() {
            bars.push(Bar::new(episode.failed, until, Shade::Partly));
        } else {
            let only = episode.changes.len() == 1;
            for (nth, (from, answer)) in episode.changes.iter().enumerate() {
                let to = episode.changes.get(nth + 1).map_or(until, |(at, _)| *at);
                let shade = if *answer == Answer::Refused { Shade::Refused } else { Shade::Silent };
                let lasted = if only { until.since(episode.from) } else { to.since(*from) };
                bars.push(Bar { lasted: Some(lasted), ..Bar::new(*from, to, shade) });
            }
        }
        at = until;
    }
    if at < end {
        bars.push(Bar::new(at, end, Shade::Served));
    }
    bars
}

/// Draws `row` with its upper edge at `y`.
pub(super) fn draw(svg: &mut String, frame: &Frame, row: &Row, y: u64) {
    let top = y + 7;
    let short = |text: &str| text.chars().take(22).collect::<String>();
    let lift = if row.below.is_empty() { 20 } else { 13 };
    let _ = writeln!(
        svg,
        "<text class=\"name\" x=\"24\" y=\"{}\">{}</text>",
        top + lift,
        escape(&short(&row.name))
    );
    if !row.below.is_empty() {
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"24\" y=\"{}\">{}</text>",
            top + 28,
            escape(&short(&row.below))
        );
    }
    for bar in &row.bars {
        let (x, to) = (frame.x(bar.from), frame.x(bar.until));
        let wide = (to - x).max(LEAST);
        boxed(svg, (x, top, wide), bar.shade);
        let Some(label) = bar.label(wide) else { continue };
        let (x, y) = (x + wide / 2, top + 19);
        if bar.shade.is_patterned() {
            let plate = 7 * label.chars().count() as u64 + 6;
            let left = x - plate / 2;
            let _ = writeln!(
                svg,
                "<rect class=\"plate\" x=\"{left}\" y=\"{}\" width=\"{plate}\" height=\"16\" rx=\"3\"/>",
                y - 12
            );
        }
        let ink = bar.shade.ink();
        let _ = writeln!(
            svg,
            "<text class=\"inbar {ink}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>"
        );
    }
    for (moments, text) in &row.cuts {
        draw_cuts(svg, frame, moments, text, top + BAR);
    }
}

/// Marks below a bar that ends at `y`, and their text on a plate right of the last one, or left of the first.
fn draw_cuts(svg: &mut String, frame: &Frame, moments: &[Time], text: &str, y: u64) {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else { return };
    let wide = 7 * text.chars().count() as u64;
    let leftwards = *last > Time(frame.end().0 / 7 * 6);
    let (x, left, anchor) = if leftwards {
        let x = frame.x(*first) - 10;
        (x, x.saturating_sub(wide), "end")
    } else {
        let x = frame.x(*last) + 10;
        (x, x - 2, "start")
    };
    let _ =
        writeln!(svg, "<rect class=\"plate\" x=\"{left}\" y=\"{}\" width=\"{wide}\" height=\"16\"/>", y + 1);
    for at in moments {
        let _ = writeln!(svg, "<path class=\"cut\" d=\"M{} {}l-6 10h12z\"/>", frame.x(*at), y + 1);
    }
    let _ = writeln!(
        svg,
        "<text class=\"small\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
        y + 13,
        escape(text)
    );
}

fn boxed(svg: &mut String, (x, y, wide): (u64, u64, u64), shade: Shade) {
    let (look, inset) = shade.look();
    let (y, high) = (y + inset, BAR - 2 * inset);
    let _ = writeln!(svg, "<rect {look} x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\"/>");
    if shade == Shade::HoldsFrozen {
        let _ = writeln!(
            svg,
            "<rect fill=\"url(#dots)\" x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"8\"/>",
            y + high - 8
        );
    }
}

/// The legend at `y`: the states that occur in `rows`.
pub(super) fn legend(svg: &mut String, rows: &[Row], y: u64) {
    let occurs = |shade: &Shade| rows.iter().flat_map(|row| &row.bars).any(|bar| bar.shade == *shade);
    let mut x = 24;
    for shade in Shade::ALL.into_iter().filter(occurs) {
        boxed(svg, (x, y - 20, 34), shade);
        let _ = writeln!(svg, "<text class=\"small\" x=\"{}\" y=\"{y}\">{}</text>", x + 42, shade.says());
        x += 42 + 7 * shade.says().len() as u64 + 22;
    }
}
