//! A handful of measured durations, told as median and spread.

use std::fmt;
use std::time::Duration;

/// Measured durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample(Vec<Duration>);

impl Sample {
    /// Adds one.
    pub fn add(&mut self, measured: Duration) {
        let at = self.0.partition_point(|other| *other <= measured);
        self.0.insert(at, measured);
    }

    /// The median; zero when there is none.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// The longest; zero when there is none.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Sample {
    fn from_iter<I: IntoIterator<Item = Duration>>(measured: I) -> Sample {
        let mut all: Vec<Duration> = measured.into_iter().collect();
        all.sort_unstable();
        Sample(all)
    }
}

/// `612 ms`, `3.61 s`, `never`.
#[must_use]
pub fn human(duration: Duration) -> String {
    if duration == Duration::MAX {
        "never".to_owned()
    } else if duration < Duration::from_millis(1) {
        format!("{} us", duration.as_micros())
    } else if duration < Duration::from_secs(2) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{}.{:02} s", duration.as_secs(), duration.subsec_millis() / 10)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.first(), self.0.last()) {
            (Some(only), Some(_)) if self.0.len() == 1 => write!(f, "{} (1 run)", human(*only)),
            (Some(least), Some(most)) => write!(
                f,
                "median {} ({} to {}, {} runs)",
                human(self.median()),
                human(*least),
                human(*most),
                self.0.len()
            ),
            _ => f.write_str("nothing measured"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_tells_median_and_spread() {
        let sample: Sample = [3610, 20, 612].into_iter().map(Duration::from_millis).collect();
        assert_eq!(sample.to_string(), "median 612 ms (20 ms to 3.61 s, 3 runs)");
    }
}
