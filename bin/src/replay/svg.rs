//! A replay as a picture: one row per virtual router and per check, time from left to right.
//!
//! States differ by pattern and word, not by colour alone, so that they read in black and white. Bounded: rows and
//! spans beyond the limits are left out, and the picture says so.

use standfast_core::event::{Event, Role};
use standfast_core::record::Moment;
use standfast_io::log::stamp;
use std::fmt::Write as _;

/// The most rows of a picture.
const MAX_ROWS: usize = 60;
/// The most changes of a row.
const MAX_SPANS: usize = 500;
/// The most marks (reloads, orders, damage).
const MAX_MARKS: usize = 200;

const WIDTH: u64 = 1200;
const LEFT: u64 = 200;
const PLOT: u64 = WIDTH - LEFT - 20;
const TOP: usize = 56;
const ROW: usize = 30;
const TICKS: u64 = 5;

/// How something stands; the order is that of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Master,
    Backup,
    Fault,
    Init,
    Good,
    Bad,
}

impl Look {
    fn fill(self) -> &'static str {
        match self {
            Look::Master => "#1f4e79",
            Look::Backup => "#dbe9f6",
            Look::Fault | Look::Bad => "url(#bad)",
            Look::Init => "#ffffff",
            Look::Good => "#d9ead3",
        }
    }
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    spans: Vec<(Moment, Look, &'static str)>,
}

/// A picture while the replay goes on.
#[derive(Debug, Default)]
pub(super) struct Picture {
    rows: Vec<Row>,
    marks: Vec<(Moment, String)>,
    cut: bool,
}

impl Picture {
    /// Takes in what the node told at `at`.
    pub(super) fn event(&mut self, at: Moment, event: &Event) {
        if let Event::Role { name, to, .. } = event {
            let look = match to {
                Role::Master => Look::Master,
                Role::Backup => Look::Backup,
                Role::Fault => Look::Fault,
                Role::Init => Look::Init,
            };
            self.change(at, &format!("({name})"), look, to.as_str());
        } else if let Event::Verdict { name, up, .. } = event {
            let (look, word) = if *up { (Look::Good, "up") } else { (Look::Bad, "DOWN") };
            self.change(at, name, look, word);
        } else if let Event::Ordered { what } = event {
            self.mark(at, what);
        }
    }

    /// Marks a moment for all rows.
    pub(super) fn mark(&mut self, at: Moment, words: &str) {
        self.cut |= self.marks.len() >= MAX_MARKS;
        if self.marks.len() < MAX_MARKS {
            self.marks.push((at, words.to_owned()));
        }
    }

    fn change(&mut self, at: Moment, name: &str, look: Look, word: &'static str) {
        if !self.rows.iter().any(|row| row.name == name) {
            if self.rows.len() >= MAX_ROWS {
                self.cut = true;
                return;
            }
            self.rows.push(Row { name: name.to_owned(), spans: Vec::new() });
        }
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == name) {
            self.cut |= row.spans.len() >= MAX_SPANS;
            if row.spans.len() < MAX_SPANS {
                row.spans.push((at, look, word));
            }
        }
    }

    /// The picture, from `begin` to `end`.
    #[must_use]
    pub(super) fn draw(&self, title: &str, begin: Moment, end: Moment) -> String {
        let lasts = end.time.0.saturating_sub(begin.time.0).max(1);
        let x = |at: Moment| LEFT + scaled(at.time.0.saturating_sub(begin.time.0).min(lasts), PLOT, lasts);
        let bottom = TOP + self.rows.len() * ROW;
        let height = bottom + 60;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<defs><pattern id=\"bad\" width=\"6\" height=\"6\" \
             patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#ffffff\"/>\
             <rect width=\"3\" height=\"6\" fill=\"#b22222\"/></pattern></defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
            escaped(title)
        );
        for (nth, row) in self.rows.iter().enumerate() {
            let y = TOP + nth * ROW;
            let _ = writeln!(svg, "<text x=\"10\" y=\"{}\">{}</text>", y + 18, escaped(&row.name));
            for (span, (at, look, word)) in row.spans.iter().enumerate() {
                let until = row.spans.get(span + 1).map_or(end, |(at, ..)| *at);
                let (from, wide) = (x(*at), x(until).saturating_sub(x(*at)).max(2));
                let _ = write!(
                    svg,
                    "<rect x=\"{from}\" y=\"{}\" width=\"{wide}\" height=\"20\" fill=\"{}\" stroke=\"#333333\"><title>{} {word} \
                     from {}</title></rect>",
                    y + 4,
                    look.fill(),
                    escaped(&row.name),
                    stamp(at.wall)
                );
                if wide > 60 {
                    let colour = if *look == Look::Master { "#ffffff" } else { "#000000" };
                    let halo = "stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\"";
                    let halo = if *look == Look::Bad || *look == Look::Fault { halo } else { "" };
                    let _ = write!(
                        svg,
                        "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" {halo}>{word}</text>",
                        from + 6,
                        y + 18
                    );
                }
                svg.push('\n');
            }
        }
        self.draw_marks(&mut svg, bottom, x);
        for tick in 0..=TICKS {
            let wall = begin.wall + scaled(lasts, tick, TICKS);
            let (at, anchor) = (LEFT + PLOT * tick / TICKS, if tick == TICKS { "end" } else { "middle" });
            let _ = writeln!(
                svg,
                "<line x1=\"{at}\" y1=\"{TOP}\" x2=\"{at}\" y2=\"{bottom}\" stroke=\"#999999\" stroke-dasharray=\"1 4\"/>\
                 <text x=\"{at}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                bottom + 18,
                stamp(wall)
            );
        }
        if self.cut {
            let _ = writeln!(
                svg,
                "<text x=\"10\" y=\"{}\">Not all of it is shown: too much happened.</text>",
                bottom + 44
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_marks(&self, svg: &mut String, bottom: usize, x: impl Fn(Moment) -> u64) {
        for (at, words) in &self.marks {
            let _ = writeln!(
                svg,
                "<line x1=\"{0}\" y1=\"{1}\" x2=\"{0}\" y2=\"{bottom}\" stroke=\"#000000\" stroke-dasharray=\"5 3\"/>\
                 <text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\" font-style=\"italic\">{2}</text>",
                x(*at),
                TOP - 6,
                escaped(words)
            );
        }
    }
}

/// `part` of `of`, on a scale of `whole`.
fn scaled(part: u64, whole: u64, of: u64) -> u64 {
    u64::try_from(u128::from(part) * u128::from(whole) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::event::Why;
    use standfast_core::id::InstanceId;
    use standfast_core::time::Time;

    fn at(seconds: u64) -> Moment {
        Moment { time: Time::from_millis(seconds * 1000), wall: seconds * 1_000_000_000 }
    }

    fn role(name: &str, to: Role) -> Event {
        let (from, why, instance) = (Role::Init, Why::Start, InstanceId(1));
        Event::Role { instance, name: name.into(), from, to, why, priority: 100 }
    }

    #[test]
    fn a_role_lasts_until_the_next_one_and_names_cannot_break_the_picture() {
        let mut picture = Picture::default();
        picture.event(at(10), &role("<VI>", Role::Backup));
        picture.event(at(15), &role("<VI>", Role::Master));
        picture.mark(at(12), "Reloading");
        let svg = picture.draw("a & b", at(10), at(20));
        assert!(
            svg.contains("<rect x=\"200\" y=\"60\" width=\"490\" height=\"20\" fill=\"#dbe9f6\""),
            "{svg}"
        );
        assert!(
            svg.contains("<rect x=\"690\" y=\"60\" width=\"490\" height=\"20\" fill=\"#1f4e79\""),
            "{svg}"
        );
        assert!(
            svg.contains("(&lt;VI&gt;)") && svg.contains("a &amp; b") && svg.contains(">Reloading<"),
            "{svg}"
        );
        assert!(!svg.contains("Not all of it"));
    }

    #[test]
    fn one_row_one_change_and_one_mark_more_than_fit_are_left_out_and_said() {
        let mut rows = Picture::default();
        (0..=MAX_ROWS).for_each(|nth| rows.event(at(0), &role(&nth.to_string(), Role::Backup)));
        assert_eq!((rows.rows.len(), rows.cut), (MAX_ROWS, true));
        let mut spans = Picture::default();
        (0..=MAX_SPANS).for_each(|_| spans.event(at(0), &role("a", Role::Backup)));
        assert_eq!((spans.rows[0].spans.len(), spans.cut), (MAX_SPANS, true));
        let mut marks = Picture::default();
        (0..=MAX_MARKS).for_each(|_| marks.mark(at(0), "x"));
        assert_eq!((marks.marks.len(), marks.cut), (MAX_MARKS, true));
        assert!(marks.draw("", at(0), at(1)).contains("Not all of it"));
    }
}
