//! Numbers, times and names as haproxy writes them.

use core::time::Duration;

/// The longest time, in milliseconds: haproxy's ticks are signed 32-bit numbers.
pub(super) const MAX_MILLIS: u64 = 2_147_483_647;

/// A time in milliseconds unless a unit is given: `us`, `ms`, `s`, `m`, `h`, `d`. Microseconds are rounded up.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn time(text: &str) -> Result<Duration, &'static str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("a time starts with a digit");
    }
    const TOO_LONG: &str = "the longest time is 2147483647 ms (24 days)";
    let number: u64 = number.parse().map_err(|_| TOO_LONG)?;
    let factor = match unit {
        "us" => 0,
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("the units are us, ms, s, m, h and d"),
    };
    let millis = if factor == 0 { Some(number.div_ceil(1000)) } else { number.checked_mul(factor) };
    match millis {
        Some(millis) if millis <= MAX_MILLIS => Ok(Duration::from_millis(millis)),
        _ => Err(TOO_LONG),
    }
}

/// The first character that a proxy or server name must not hold.
pub(super) fn bad_character(name: &str) -> Option<char> {
    name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_a_limit() {
        assert_eq!(time("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(time("250"), Ok(Duration::from_millis(250)));
        assert_eq!(time("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(time("1001us"), Ok(Duration::from_millis(2)));
        assert_eq!(time("24d"), Ok(Duration::from_secs(24 * 86_400)));
        assert_eq!(time("2147483647"), Ok(Duration::from_millis(MAX_MILLIS)));
        for bad in ["2147483648", "25d", "99999999999999999999", "", "s", "-1", "5 s", "1w", "1.5s"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_letters_digits_and_four_signs() {
        assert_eq!(bad_character("api-server_1.a:b"), None);
        assert_eq!(bad_character("${HOST1_ID}"), Some('$'));
    }
}
