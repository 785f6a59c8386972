//! What a client's many short connections add up to: gaps without service, and episodes of trouble.
//!
//! A gap lies between two successes with at least one failure between them, so that it says how long a client was
//! without service, to the length of one turn. Gaps that follow each other closely are one episode: where one server
//! of three hangs, every third connection fails, and a story would be nothing but that. What comes before the first
//! success is the start of the cluster and does not count.

use super::client::{Answer, Target};
use super::timeline::seconds;
use standfast_core::time::Time;
use std::time::Duration;

/// The most tries kept for each target; later ones are not counted.
pub const MAX_TRIES: usize = 500_000;
/// Gaps with less than this between them are one episode.
pub const CLOSE: Duration = Duration::from_millis(500);
/// The most changes of answer told of one episode.
const MAX_CHANGES: usize = 6;

/// The tries at one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tries(Vec<(Time, Answer)>);

/// What tries come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) first: Option<Time>,
    pub(crate) gaps: Vec<(Time, Time, Answer)>,
    pub(crate) episodes: Vec<Episode>,
    /// Without service at the end: the last success, and the worst since.
    pub(crate) unserved: Option<(Option<Time>, Answer)>,
    pub(crate) tries: u64,
    pub(crate) refused: u64,
    pub(crate) silent: u64,
}

/// A time of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// The last success before.
    pub from: Time,
    /// The first failure.
    pub failed: Time,
    /// The first success after; `None`: it lasts to the end.
    pub until: Option<Time>,
    /// Tries in it.
    pub tries: u64,
    /// Of these refused.
    pub refused: u64,
    /// Of these without answer.
    pub silent: u64,
    /// It is made of gaps that are each shorter than [`CLOSE`].
    brief: bool,
    /// How the failures changed, if no try was served in between.
    pub changes: Vec<(Time, Answer)>,
}

impl Episode {
    /// Some tries were served in it.
    #[must_use]
    pub fn partly(&self) -> bool {
        self.tries > self.refused + self.silent
    }

    /// What people are told of it, and when.
    #[must_use]
    pub fn words(&self, target: Target) -> Vec<(Time, String)> {
        let mut said = Vec::new();
        if self.partly() {
            said.push((self.failed, format!("not every connection to {target} is served")));
            if let Some(until) = self.until {
                let counts =
                    format!("of {} {} had no answer, {} were refused", self.tries, self.silent, self.refused);
                said.push((until, format!("every connection to {target} is served again; {counts}")));
            }
            return said;
        }
        for (at, answer) in &self.changes {
            let text = match answer {
                Answer::Refused => format!("is refused at {target}"),
                Answer::Silent | Answer::Served => format!("gets no answer from {target}"),
            };
            said.push((*at, text));
        }
        if let Some(until) = self.until {
            let lasted = seconds(until.since(self.from));
            said.push((until, format!("is served again at {target}, after {lasted} s")));
        }
        said
    }
}

impl Tries {
    pub(crate) fn push(&mut self, began: Time, answer: Answer) {
        if self.0.len() < MAX_TRIES {
            self.0.push((began, answer));
        }
    }

    /// What they come to at `end`.
    pub(crate) fn judge(mut self, end: Time) -> Seen {
        self.0.sort_by_key(|(began, _)| *began);
        let mut seen = Seen::default();
        let Some(start) = self.0.iter().position(|(_, answer)| *answer == Answer::Served) else {
            let worst = self.0.iter().map(|(_, answer)| *answer).max();
            seen.unserved = worst.map(|worst| (None, worst));
            return seen;
        };
        let tries = &self.0[start..];
        seen.first = tries.first().map(|(began, _)| *began);
        seen.tries = tries.len() as u64;
        let mut served = tries[0].0;
        let mut gap: Option<Episode> = None;
        for (at, answer) in tries {
            match (answer, &mut gap) {
                (Answer::Served, None) => served = *at,
                (Answer::Served, Some(_)) => {
                    if let Some(mut done) = gap.take() {
                        done.until = Some(*at);
                        seen.close(done);
                    }
                    served = *at;
                }
                (Answer::Refused | Answer::Silent, gap) => {
                    let gap = gap.get_or_insert_with(|| Episode::new(served, *at));
                    gap.fail(*at, *answer);
                }
            }
        }
        if let Some(last) = gap {
            let worst = last.changes.iter().map(|(_, answer)| *answer).max().unwrap_or(Answer::Silent);
            if end.since(last.from) > CLOSE {
                seen.unserved = Some((Some(last.from), worst));
            }
            seen.close(last);
        }
        for episode in &mut seen.episodes {
            let until = episode.until.unwrap_or(Time(u64::MAX));
            let within = |(at, _): &&(Time, Answer)| (episode.failed..until).contains(at);
            episode.tries = tries.iter().filter(within).count() as u64;
        }
        seen
    }
}

impl Episode {
    fn new(from: Time, failed: Time) -> Episode {
        Episode {
            from,
            failed,
            until: None,
            tries: 0,
            refused: 0,
            silent: 0,
            brief: false,
            changes: Vec::new(),
        }
    }

    fn brief(&self) -> bool {
        self.until.is_some_and(|until| until.since(self.from) < CLOSE)
    }

    fn fail(&mut self, at: Time, answer: Answer) {
        match answer {
            Answer::Refused => self.refused += 1,
            Answer::Silent | Answer::Served => self.silent += 1,
        }
        let same = self.changes.last().is_some_and(|(_, last)| *last == answer);
        if !same && self.changes.len() < MAX_CHANGES {
            self.changes.push((at, answer));
        }
    }
}

impl Seen {
    /// Takes in a gap: a new episode, or more of the last one.
    fn close(&mut self, gap: Episode) {
        self.refused += gap.refused;
        self.silent += gap.silent;
        if let Some(until) = gap.until {
            let worst = gap.changes.iter().map(|(_, answer)| *answer).max().unwrap_or(Answer::Silent);
            self.gaps.push((gap.from, until, worst));
        }
        match self.episodes.last_mut() {
            Some(last)
                if last.brief && gap.brief() && gap.from.since(last.until.unwrap_or(gap.from)) < CLOSE =>
            {
                last.refused += gap.refused;
                last.silent += gap.silent;
                last.until = gap.until;
            }
            Some(_) | None => self.episodes.push(Episode { brief: gap.brief(), ..gap }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(word: &str) -> Seen {
        let mut tries = Tries::default();
        for (nth, letter) in (0..).zip(word.chars()) {
            let answer = match letter {
                's' => Answer::Served,
                'r' => Answer::Refused,
                _ => Answer::Silent,
            };
            tries.push(Time::from_millis(nth * 100), answer);
        }
        tries.judge(Time::from_millis(100 * word.len() as u64))
    }

    #[test]
    fn a_gap_lies_between_two_successes() {
        let seen = judge("--ss--rsssssssss");
        assert_eq!(seen.first, Some(Time::from_millis(200)));
        assert_eq!(seen.gaps, [(Time::from_millis(300), Time::from_millis(700), Answer::Silent)]);
        assert_eq!((seen.tries, seen.refused, seen.silent), (14, 1, 2));
        assert_eq!(seen.episodes.len(), 1);
        assert!(!seen.episodes[0].partly() && seen.unserved.is_none());
    }

    #[test]
    fn gaps_close_together_are_one_episode_of_partial_service() {
        let seen = judge("ss-ss-ss-ssssssss-ssssssss");
        assert_eq!(seen.gaps.len(), 4);
        assert_eq!(seen.episodes.len(), 2);
        assert!(seen.episodes[0].partly() && seen.episodes[0].silent == 3);
    }

    #[test]
    fn trouble_that_lasts_to_the_end_is_told_as_such() {
        let seen = judge("sssrrrrrrrr");
        assert_eq!(seen.unserved, Some((Some(Time::from_millis(200)), Answer::Refused)));
        assert_eq!(judge("---").unserved, Some((None, Answer::Silent)));
    }

    #[test]
    fn tries_beyond_the_limit_are_not_kept() {
        let mut tries = Tries::default();
        for nth in 0..=MAX_TRIES as u64 {
            tries.push(Time(nth), Answer::Served);
        }
        assert_eq!(tries.0.len(), MAX_TRIES);
    }
}
