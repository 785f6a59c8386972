//! What surrounds the bars: scale, grid, marks of faults, style.

use super::WIDTH;
use crate::des::timeline::{Kind, Line, Timeline, Who};
use crate::story::text::tick;
use standfast_core::time::Time;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Where the bars begin.
const LEFT: u64 = 176;
/// Where they end.
const RIGHT: u64 = WIDTH - 24;
/// Where the texts of marks begin.
const LANES: u64 = 58;
/// The height of a lane of texts.
pub(super) const LANE: u64 = 22;
/// The most marks of faults; a storm has more, which its text tells.
pub(super) const MAX_MARKS: usize = 24;
/// With more marks than this, what was said before is not said again.
const FEW: usize = 6;
/// How many characters of the words fit on a line.
pub(super) const CHARS: usize = 128;

/// The scale.
pub(super) struct Frame {
    /// Nanoseconds.
    length: u64,
}

impl Frame {
    pub(super) fn of(timeline: &Timeline) -> Frame {
        Frame { length: Time::from_duration(timeline.length).0.max(1) }
    }

    /// Where `at` is.
    pub(super) fn x(&self, at: Time) -> u64 {
        let wide = u128::from(RIGHT - LEFT) * u128::from(at.0.min(self.length)) / u128::from(self.length);
        LEFT + u64::try_from(wide).unwrap_or(0)
    }

    pub(super) fn end(&self) -> Time {
        Time(self.length)
    }

    fn seconds(&self) -> u64 {
        self.length / 1_000_000_000
    }
}

/// Light and dark, each with its own inks; patterns carry what colours say.
pub(super) const STYLE: &str = "<style>
.paper{fill:#ffffff} text{fill:#1b2430} .title{font-size:20px;font-weight:600} .words{font-size:16px;font-weight:600}
.small{font-size:12px;fill:#5a6675} .name{font-weight:600} .inbar{font-size:12px;font-weight:600} .onlight{fill:#1b2430} .ondark{fill:#ffffff}
.grid{stroke:#dfe4ea;stroke-width:1} .axis{stroke:#5a6675;stroke-width:1} .mark{stroke:#b3261e;stroke-width:1.5;stroke-dasharray:5 3}
.over{stroke:#5a6675;stroke-width:1.2;stroke-dasharray:2 3} .marktext{font-size:12px;font-weight:600;fill:#b3261e} .overtext{font-size:12px;fill:#5a6675}
.plate{fill:#ffffff} .flag{fill:#b3261e} .track{fill:none;stroke:#c5ccd5;stroke-width:1} .holds{fill:#14508c} .backup{fill:#dbe7f3} .fault{fill:#f2d9b0} .hatch{stroke:#8a5a00;stroke-width:2.5}
.frozen{fill:#d9d3ea} .dots{fill:#5b4b8a} .off{fill:none;stroke:#8b95a1;stroke-width:1;stroke-dasharray:3 3} .served{fill:#3d8b5f} .refused{fill:#f4c7c3} .cross{stroke:#b3261e;stroke-width:2}
.silent{fill:#b3261e} .partly{fill:#cfe3d6} .bands{stroke:#b3261e;stroke-width:4} .cut{fill:#b3261e;stroke:#ffffff;stroke-width:1}
@media (prefers-color-scheme:dark){.paper,.plate{fill:#12171e} text{fill:#e7ecf2} .small,.overtext{fill:#9aa6b4} .ondark{fill:#ffffff} .onlight{fill:#e7ecf2}
.grid{stroke:#27303b} .axis{stroke:#9aa6b4} .mark{stroke:#ff8a80} .over{stroke:#9aa6b4} .marktext{fill:#ff8a80} .flag{fill:#ff8a80} .track{stroke:#3a4552}
.holds{fill:#3f8fe0} .backup{fill:#22344a} .fault{fill:#4a3a18} .hatch{stroke:#e0a94a} .frozen{fill:#332c4a} .dots{fill:#b5a5e6} .off{stroke:#6b7684}
.served{fill:#3f9d6a} .refused{fill:#4f2421} .cross{stroke:#ff8a80} .silent{fill:#d9483d} .partly{fill:#20402f} .bands{stroke:#d9483d} .cut{fill:#ff8a80;stroke:#12171e}}
</style>
<defs>
<pattern id=\"hatch\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"fault\" width=\"8\" height=\"8\"/><path class=\"hatch\" d=\"M0 0V8\"/></pattern>
<pattern id=\"dots\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect class=\"frozen\" width=\"8\" height=\"8\"/><circle class=\"dots\" cx=\"4\" cy=\"4\" r=\"1.6\"/></pattern>
<pattern id=\"cross\" width=\"10\" height=\"10\" patternUnits=\"userSpaceOnUse\"><rect class=\"refused\" width=\"10\" height=\"10\"/><path class=\"cross\" d=\"M1 1L9 9M9 1L1 9\"/></pattern>
<pattern id=\"bands\" width=\"12\" height=\"12\" patternUnits=\"userSpaceOnUse\"><rect class=\"partly\" width=\"12\" height=\"12\"/><path class=\"bands\" d=\"M3 0V12\"/></pattern>
</defs>
";

/// Text that XML takes.
pub(super) fn escape(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `text` in lines of at most `chars` characters, broken at blanks.
pub(super) fn wrapped(text: &str, chars: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a last line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > chars {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// Grid lines from `top` to `bottom`.
pub(super) fn grid(svg: &mut String, frame: &Frame, top: u64, bottom: u64) {
    for at in ticks(frame) {
        let x = frame.x(Time::from_millis(at * 1_000));
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x} {top}V{bottom}\"/>");
    }
}

/// The time axis below the rows.
pub(super) fn axis(svg: &mut String, frame: &Frame, y: u64) {
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {y}H{RIGHT}\"/>");
    for at in ticks(frame) {
        let x = frame.x(Time::from_millis(at * 1_000));
        let _ = writeln!(svg, "<path class=\"axis\" d=\"M{x} {y}v5\"/>");
        let _ = writeln!(
            svg,
            "<text class=\"small\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{at} s</text>",
            y + 20
        );
    }
}

fn ticks(frame: &Frame) -> impl Iterator<Item = u64> + use<> {
    let length = frame.seconds();
    (0..=length).step_by(usize::try_from(tick(length.max(1), 12)).unwrap_or(1))
}

/// A fault's mark: a line across all rows, and its text on a lane above them.
struct Mark {
    x: u64,
    lane: u64,
    begins: bool,
    /// The text stands left of the line.
    leftwards: bool,
    text: String,
}

/// All marks.
pub(super) struct Marks {
    list: Vec<Mark>,
    pub(super) lanes: u64,
}

/// A line as a mark says it: shouted words are for terminals.
fn said(timeline: &Timeline, line: &Line) -> String {
    let quiet = Line { text: line.text.to_lowercase(), ..line.clone() };
    let text = timeline.said(&quiet);
    let colon = if text.starts_with("its ") || text.starts_with("other ") { ":" } else { "" };
    match line.who {
        Who::Node(host) => format!("{}{colon} {text}", timeline.name(host)),
        Who::World | Who::Address(_) | Who::Client(_) => text,
    }
}

/// The faults of `timeline`, laid out so that no text meets another.
pub(super) fn marks(timeline: &Timeline, frame: &Frame) -> Marks {
    let faults = timeline.lines.iter().filter(|line| matches!(line.kind, Kind::Fault | Kind::Over));
    let mut list: Vec<Mark> = Vec::new();
    let mut lanes: Vec<Vec<(u64, u64)>> = Vec::new();
    let mut texts: Vec<(Time, bool, String)> = Vec::new();
    for line in faults {
        let text = said(timeline, line);
        let begins = line.kind == Kind::Fault;
        match texts.last_mut() {
            Some((at, same, said)) if *at == line.at && *same == begins => {
                said.push_str("; ");
                said.push_str(&text);
            }
            Some(_) | None => texts.push((line.at, begins, text)),
        }
    }
    let crowded = texts.len() > FEW;
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (at, begins, text) in texts.into_iter().take(MAX_MARKS) {
        if !known.insert(text.clone()) && crowded {
            list.push(Mark { x: frame.x(at), lane: 0, begins, leftwards: false, text: String::new() });
            continue;
        }
        let text: String =
            if text.chars().count() > 96 { text.chars().take(95).chain(['…']).collect() } else { text };
        let x = frame.x(at);
        let wide = 7 * text.chars().count() as u64 + 18;
        let leftwards = x + wide > WIDTH - 8;
        let span = if leftwards { (x.saturating_sub(wide), x) } else { (x, x + wide) };
        let free = |lane: &Vec<(u64, u64)>| lane.iter().all(|(from, to)| span.1 < *from || *to < span.0);
        let lane = lanes.iter().position(free).unwrap_or_else(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        lanes[lane].push(span);
        list.push(Mark { x, lane: lane as u64, begins, leftwards, text });
    }
    Marks { list, lanes: lanes.len() as u64 }
}

/// Draws them, down to `bottom`: the lines first, so that no line strikes a text through.
pub(super) fn draw_marks(svg: &mut String, marks: &Marks, bottom: u64) {
    for mark in &marks.list {
        let line = if mark.begins { "mark" } else { "over" };
        let (x, y) = (mark.x, LANES + LANE * mark.lane);
        let top = if mark.text.is_empty() { LANES + LANE * marks.lanes - 12 } else { y - 4 };
        let _ = writeln!(svg, "<path class=\"{line}\" d=\"M{x} {top}V{bottom}\"/>");
    }
    for mark in marks.list.iter().filter(|mark| !mark.text.is_empty()) {
        let (x, y) = (mark.x, LANES + LANE * mark.lane);
        let text = if mark.begins { "marktext" } else { "overtext" };
        let wide = 7 * mark.text.chars().count() as u64 + 8;
        let (at, anchor) = if mark.leftwards { (x - 8, "end") } else { (x + 8, "start") };
        let left = if mark.leftwards { at.saturating_sub(wide) } else { at - 3 };
        let plate = format!("x=\"{left}\" y=\"{}\" width=\"{wide}\" height=\"17\"", y - 7);
        let _ = writeln!(svg, "<rect class=\"plate\" {plate}/>");
        if mark.begins {
            let _ = writeln!(svg, "<path class=\"flag\" d=\"M{x} {}l-5 -9h10z\"/>", y + 6);
        }
        let _ = writeln!(
            svg,
            "<text class=\"{text}\" x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            y + 6,
            escape(&mark.text)
        );
    }
}
