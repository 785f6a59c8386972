//! Keeps a line that repeats from filling the log: the first is said, the next ones are counted.
//!
//! Decides by text and time only. A count is said when the line comes again after the window, or with the next line
//! of any kind once the window is over. At most [`MAX_REMEMBERED`] texts are remembered; the oldest makes room.

use standfast_core::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Texts remembered at a time.
pub(super) const MAX_REMEMBERED: usize = 32;
/// For how long a repeated text is only counted.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Texts said of late.
#[derive(Debug, Default)]
pub(super) struct Fold {
    recent: VecDeque<Said>,
}

#[derive(Debug)]
struct Said {
    at: Time,
    level: u8,
    text: String,
    more: u32,
}

impl Said {
    fn count(self) -> Option<(u8, String)> {
        (self.more > 0).then(|| (self.level, format!("{} (repeated {} times)", self.text, self.more)))
    }
}

impl Fold {
    /// What is to be said now, oldest first, when `text` turns up at `now`. Only what `may_fold` is ever counted.
    pub(super) fn push(&mut self, now: Time, level: u8, text: String, may_fold: bool) -> Vec<(u8, String)> {
        let mut say = Vec::new();
        while self.recent.front().is_some_and(|said| now.since(said.at) >= WINDOW) {
            say.extend(self.recent.pop_front().and_then(Said::count));
        }
        if may_fold {
            if let Some(said) = self.recent.iter_mut().find(|said| said.text == text) {
                said.more = said.more.saturating_add(1);
                return say;
            }
            if self.recent.len() == MAX_REMEMBERED {
                say.extend(self.recent.pop_front().and_then(Said::count));
            }
            self.recent.push_back(Said { at: now, level, text: text.clone(), more: 0 });
        }
        say.push((level, text));
        say
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn line(text: &str) -> (u8, String) {
        (4, text.to_owned())
    }

    #[test]
    fn a_repeated_warning_is_said_once_and_then_counted() {
        let mut fold = Fold::default();
        assert_eq!(fold.push(at(0), 4, "a".into(), true), [line("a")]);
        assert_eq!(fold.push(at(1), 4, "a".into(), true), []);
        assert_eq!(fold.push(at(2), 4, "a".into(), true), []);
        assert_eq!(fold.push(at(3), 4, "b".into(), true), [line("b")]);
        assert_eq!(fold.push(at(60), 4, "c".into(), false), [line("a (repeated 2 times)"), line("c")]);
        assert_eq!(fold.push(at(61), 4, "a".into(), true), [line("a")]);
    }

    #[test]
    fn a_change_of_state_is_said_each_time() {
        let mut fold = Fold::default();
        for _ in 0..3 {
            assert_eq!(fold.push(at(0), 5, "up".into(), false), [(5, "up".to_owned())]);
        }
    }

    #[test]
    fn one_text_more_than_is_remembered_makes_room_by_saying_the_oldest_count() {
        let mut fold = Fold::default();
        for number in 0..MAX_REMEMBERED {
            fold.push(at(0), 4, number.to_string(), true);
        }
        assert_eq!(fold.push(at(1), 4, "0".into(), true), []);
        assert_eq!(fold.push(at(1), 4, "x".into(), true), [line("0 (repeated 1 times)"), line("x")]);
        assert_eq!(fold.recent.len(), MAX_REMEMBERED);
    }
}
