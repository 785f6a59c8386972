//! How a log line is framed for its target: syslog headers, levels, length.
//!
//! Decides nothing about what is said or where it goes. haproxy's formats: local (RFC 3164 without a host name),
//! rfc3164, rfc5424, short, raw.

use crate::linux::sys::{self, Calendar};
use standfast_core::config::model::{LogFormat, LogTarget};
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Speaker {
    pub(super) host: String,
    pub(super) tag: String,
    pub(super) pid: u32,
}

/// A moment, as log lines name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) calendar: Calendar,
    pub(super) micros: u32,
}

impl Moment {
    /// So many nanoseconds after 1970 began.
    pub(super) fn at(wall: u64) -> Moment {
        let seconds = i64::try_from(wall / 1_000_000_000).unwrap_or(0);
        let micros = u32::try_from(wall / 1_000 % 1_000_000).unwrap_or(0);
        Moment { calendar: sys::calendar(seconds), micros }
    }

    /// `20261103-090405`, for names of files.
    pub(super) fn compact(&self) -> String {
        let Calendar { year, month, day, hour, minute, second, .. } = self.calendar;
        format!("{year:04}{:02}{day:02}-{hour:02}{minute:02}{second:02}", month + 1)
    }

    /// Now, by the wall clock.
    pub(super) fn now() -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
        Moment { calendar: sys::calendar(seconds), micros: since.subsec_micros() }
    }

    /// `Nov  3 09:04:05`.
    pub(super) fn short(&self) -> String {
        let Calendar { month, day, hour, minute, second, .. } = self.calendar;
        format!("{} {day:2} {hour:02}:{minute:02}:{second:02}", MONTHS[month])
    }

    /// `Mon Nov 23 16:00:47.288437 2026`.
    pub(super) fn spelt(&self) -> String {
        let Calendar { year, month, day, hour, minute, second, weekday, .. } = self.calendar;
        let (name, micros) = (DAYS[weekday], self.micros);
        format!("{name} {} {day:2} {hour:02}:{minute:02}:{second:02}.{micros:06} {year}", MONTHS[month])
    }

    /// `2026-11-03T09:04:05.000123+01:00`.
    pub(super) fn iso(&self) -> String {
        let Calendar { year, month, day, hour, minute, second, offset, .. } = self.calendar;
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
        let mut text = format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", month + 1);
        let _ = write!(text, ".{:06}{sign}{hours:02}:{minutes:02}", self.micros);
        text
    }
}

/// `text` as it goes to `target`, at most its length long, cut between characters; line feeds become spaces, so
/// that one line stays one line.
pub(super) fn frame(speaker: &Speaker, now: &Moment, target: &LogTarget, level: u8, text: &str) -> String {
    let priority = u32::from(target.facility) * 8 + u32::from(level);
    let Speaker { host, tag, pid } = speaker;
    let mut line = match target.format {
        LogFormat::Local => format!("<{priority}>{} {tag}[{pid}]: ", now.short()),
        LogFormat::Rfc3164 => format!("<{priority}>{} {host} {tag}[{pid}]: ", now.short()),
        LogFormat::Rfc5424 => format!("<{priority}>1 {} {host} {tag} {pid} - - ", now.iso()),
        LogFormat::Short => format!("<{level}>"),
        LogFormat::Raw => String::new(),
    };
    line.extend(text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }));
    let mut end = usize::from(target.length).min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line.truncate(end);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use standfast_core::config::model::LogTo;

    fn target(format: LogFormat, length: u16) -> LogTarget {
        LogTarget { to: LogTo::Stdout, format, facility: 16, level: 7, length }
    }

    fn speaker() -> Speaker {
        Speaker { host: "n1".into(), tag: "standfast".into(), pid: 42 }
    }

    fn moment() -> Moment {
        let calendar = Calendar {
            year: 2026,
            month: 10,
            day: 3,
            hour: 9,
            minute: 4,
            second: 5,
            weekday: 2,
            offset: -12_600,
        };
        Moment { calendar, micros: 123 }
    }

    #[test]
    fn each_format_has_its_own_header() {
        let cases = [
            (LogFormat::Local, "<133>Nov  3 09:04:05 standfast[42]: up"),
            (LogFormat::Rfc3164, "<133>Nov  3 09:04:05 n1 standfast[42]: up"),
            (LogFormat::Rfc5424, "<133>1 2026-11-03T09:04:05.000123-03:30 n1 standfast 42 - - up"),
            (LogFormat::Short, "<5>up"),
            (LogFormat::Raw, "up"),
        ];
        for (format, wanted) in cases {
            assert_eq!(frame(&speaker(), &moment(), &target(format, 1024), 5, "up"), wanted, "{format:?}");
        }
    }

    #[test]
    fn a_line_is_cut_at_its_length_between_characters() {
        let line = "ä".repeat(100);
        assert_eq!(frame(&speaker(), &moment(), &target(LogFormat::Raw, 200), 5, &line).len(), 200);
        assert_eq!(frame(&speaker(), &moment(), &target(LogFormat::Raw, 199), 5, &line).len(), 198);
    }

    #[test]
    fn what_would_start_a_forged_line_becomes_a_space() {
        assert_eq!(
            frame(&speaker(), &moment(), &target(LogFormat::Raw, 80), 5, "a\n<0>b\r\x1b[2Jc"),
            "a <0>b  [2Jc"
        );
    }
}
