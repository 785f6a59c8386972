//! What must hold of a story, for CI: `outage<5s`, `cut<=12`, `refused=0`.
//!
//! A figure, a comparison, a limit. Times are numbers with a unit, counts are bare numbers; anything else is an error
//! that says what could be written instead.

use super::verdict::{Figures, human};
use standfast_core::config::finding::nearest;
use std::cmp::Ordering;

/// What can be asserted, and what it is.
pub const FIGURES: [(&str, &str); 6] = [
    ("outage", "the longest time without service"),
    ("cut", "open connections that were cut"),
    ("hung", "open connections without answer for 1 s"),
    ("refused", "new connections that were refused"),
    ("unanswered", "new connections without answer"),
    ("served", "new connections that were served"),
];
const COMPARISONS: [&str; 7] = ["<=", ">=", "!=", "==", "<", ">", "="];

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// As it was written.
    pub text: String,
    figure: &'static str,
    comparison: &'static str,
    limit: u128,
}

impl Assertion {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong, and what could be written instead.
    pub fn parse(text: &str) -> Result<Assertion, String> {
        let found = COMPARISONS.iter().filter_map(|sign| Some((text.find(sign)?, *sign)));
        let first = found.min_by_key(|(at, sign)| (*at, usize::MAX - sign.len()));
        let Some((at, comparison)) = first else {
            return Err(format!("`{text}` has no comparison; write for instance 'outage<5s' or 'cut<=12'"));
        };
        let (name, limit) = (text[..at].trim(), text[at + comparison.len()..].trim());
        let Some(figure) = FIGURES.iter().map(|(known, _)| *known).find(|known| *known == name) else {
            let known: Vec<&str> = FIGURES.iter().map(|(known, _)| *known).collect();
            let near = nearest(name, known.iter().copied());
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            return Err(format!("`{name}` in `{text}` is no figure; {near}there are {}", known.join(", ")));
        };
        let limit = if figure == "outage" { time(limit, text)? } else { count(limit, text)? };
        Ok(Assertion { text: text.to_owned(), figure, comparison, limit })
    }

    /// `None` when it holds, else what is the case instead.
    #[must_use]
    pub fn fails(&self, figures: &Figures) -> Option<String> {
        let (value, shown) = match self.figure {
            "outage" => (figures.outage.as_nanos(), human(figures.outage)),
            other => {
                let count = match other {
                    "cut" => figures.cut,
                    "hung" => figures.hung,
                    "refused" => figures.refused,
                    "unanswered" => figures.unanswered,
                    _ => figures.served,
                };
                (u128::from(count), count.to_string())
            }
        };
        let order = value.cmp(&self.limit);
        let holds = match self.comparison {
            "<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            ">=" => order != Ordering::Less,
            "!=" => order != Ordering::Equal,
            _ => order == Ordering::Equal,
        };
        (!holds).then(|| format!("`{}` does not hold: {} is {shown}", self.text, self.figure))
    }
}

fn count(limit: &str, text: &str) -> Result<u128, String> {
    let number = limit.parse::<u64>().map(u128::from);
    number.map_err(|_| format!("`{limit}` in `{text}` is not a count; write a whole number, such as 12"))
}

/// `5s`, `1.5s`, `250ms` in nanoseconds.
fn time(limit: &str, text: &str) -> Result<u128, String> {
    let wrong =
        || format!("`{limit}` in `{text}` is not a time; write a number and ms, s or m, such as 5s or 250ms");
    let split = limit.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = limit.split_at(split);
    let unit: u128 = match unit.trim() {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = u32::try_from(part.len()).ok().filter(|digits| *digits <= 9).ok_or_else(wrong)?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = part.parse().map_err(|_| wrong())?;
    Ok(u128::from(whole) * unit + u128::from(part) * unit / 10_u128.pow(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn holds(text: &str) -> bool {
        let figures = Figures { outage: Duration::from_millis(3_610), cut: 12, ..Figures::default() };
        Assertion::parse(text).unwrap().fails(&figures).is_none()
    }

    #[test]
    fn limits_are_compared_as_written() {
        for (text, expected) in [
            ("outage<5s", true),
            ("outage<3.61s", false),
            ("outage<=3.61s", true),
            ("outage < 3610ms", false),
            ("outage>1s", true),
            ("cut=12", true),
            ("cut<12", false),
            ("cut<=12", true),
            ("refused==0", true),
            ("hung!=0", false),
        ] {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_a_remedy() {
        for (text, remedy) in [
            ("outage", "write for instance"),
            ("outtage<5s", "did you mean `outage`?"),
            ("outage<5", "write a number and ms, s or m"),
            ("outage<1.2345678901s", "write a number and ms, s or m"),
            ("outage<s", "write a number"),
            ("cut<5s", "write a whole number"),
            ("cut<", "write a whole number"),
            ("", "has no comparison"),
        ] {
            let error = Assertion::parse(text).unwrap_err();
            assert!(error.contains(remedy), "{text}: {error}");
        }
    }

    #[test]
    fn a_broken_assertion_says_what_is_the_case() {
        let figures = Figures { outage: Duration::from_millis(3_610), ..Figures::default() };
        let said = Assertion::parse("outage<1s").unwrap().fails(&figures).unwrap();
        assert_eq!(said, "`outage<1s` does not hold: outage is 3.61 s");
    }
}
