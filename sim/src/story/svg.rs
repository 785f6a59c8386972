//! A timeline as an SVG picture: a row per node and address, a row per target of the client, faults marked above.
//!
//! Legible at a glance and without colour: what holds the address is the only dark bar, every other state has its own
//! pattern, and bars that are long enough bear their state as a word. Colours follow the reader's light or dark scheme.
//! Integers only; one unit is a pixel. No script, no font file, nothing fetched.

mod frame;
mod rows;

use crate::des::timeline::Timeline;
use std::fmt::Write;

/// The width of the picture.
pub const WIDTH: u64 = 1200;
/// The most rows; what is beyond is named below the picture.
pub const MAX_ROWS: usize = 24;

/// The picture of `timeline`, under `title`, with `words` as its last line.
#[must_use]
pub fn picture(timeline: &Timeline, title: &str, words: &str) -> String {
    let frame = frame::Frame::of(timeline);
    let rows = rows::rows(timeline);
    let shown = rows.len().min(MAX_ROWS);
    let marks = frame::marks(timeline, &frame);
    let head = 64 + frame::LANE * marks.lanes;
    let body = head + rows.iter().take(shown).map(|row| row.height).sum::<u64>();
    let verdict = frame::wrapped(words, frame::CHARS);
    let height = body + 34 + 26 + 24 + 24 * verdict.len() as u64 + 16;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" font-family=\"ui-sans-serif, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif\" font-size=\"14\">"
    );
    let _ = writeln!(svg, "<title>{}</title>\n<desc>{}</desc>", frame::escape(title), frame::escape(words));
    svg.push_str(frame::STYLE);
    let _ = writeln!(svg, "<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>");
    let _ = writeln!(svg, "<text class=\"title\" x=\"24\" y=\"38\">{}</text>", frame::escape(title));
    frame::grid(&mut svg, &frame, head, body);
    frame::draw_marks(&mut svg, &marks, body);
    let mut y = head;
    for row in rows.iter().take(shown) {
        rows::draw(&mut svg, &frame, row, y);
        y += row.height;
    }
    frame::axis(&mut svg, &frame, body);
    let mut y = body + 62;
    rows::legend(&mut svg, &rows[..shown], y);
    y += 36;
    for line in &verdict {
        let _ = writeln!(svg, "<text class=\"words\" x=\"24\" y=\"{y}\">{}</text>", frame::escape(line));
        y += 24;
    }
    if rows.len() > shown {
        let more = rows.len() - shown;
        let _ = writeln!(svg, "<text class=\"small\" x=\"24\" y=\"{}\">and {more} rows more</text>", y - 6);
    }
    svg.push_str("</svg>\n");
    svg
}
