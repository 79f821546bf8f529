//! Points in time and spans, handed in by the caller: the core never asks a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Moves the point forward by `span`; ends at the last representable instant instead of wrapping.
    pub fn after(self, span: Span) -> Self {
        let nanoseconds = i64::try_from(u128::from(span.0) * 1_000_000_000).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanoseconds))
    }

    /// Tells how long it is from `self` until `later`, in whole seconds rounded down; zero if that has passed.
    pub fn until(self, later: Self) -> Span {
        let nanoseconds = later.0.saturating_sub(self.0).max(0);
        Span(u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(0))
    }

    /// Gives whole seconds since 1970, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

/// Shows the point as RFC 3339 in UTC with nanoseconds, as the Vault API does.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(instant) => write!(f, "{instant:.9}"),
            Err(_) => f.write_str("out of range"),
        }
    }
}

/// A length of time in whole seconds, such as a time to live.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Span(pub u64);

/// Says why a text is not a length of time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not a length of time: write seconds (3600) or a number with a unit (90s, 15m, 12h, 7d)")]
pub struct SpanError {
    /// What was given, cut to 40 characters.
    pub text: String,
}

impl Span {
    /// No time at all; where it would mean "for ever" to a stock client, the place that uses it says so.
    pub const ZERO: Self = Self(0);

    /// Parses `3600`, `90s`, `15m`, `1h30m`, `7d`, `90s0ns`; fractions of a second and negative lengths are refused.
    ///
    /// # Errors
    /// Answers [`SpanError`] for anything else, also for a length beyond `u64` seconds.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        parse_units(text).map(Self).ok_or_else(|| SpanError { text: text.chars().take(40).collect() })
    }

    /// Tells whether the span is empty.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

fn parse_units(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u64>() {
        return (!text.starts_with('+')).then_some(seconds);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let count = number.parse::<u64>().ok()?;
        total = total.checked_add(u128::from(count).checked_mul(unit_nanoseconds(unit)?)?)?;
        rest = tail;
    }
    // Spring Vault writes `3600s0ns`: small units are welcome as long as they add up to whole seconds.
    let whole = !text.is_empty() && total.is_multiple_of(SECOND_NANOSECONDS);
    whole.then(|| u64::try_from(total / SECOND_NANOSECONDS).ok()).flatten()
}

const SECOND_NANOSECONDS: u128 = 1_000_000_000;

fn unit_nanoseconds(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND_NANOSECONDS,
        "m" => 60 * SECOND_NANOSECONDS,
        "h" => 3_600 * SECOND_NANOSECONDS,
        "d" => 86_400 * SECOND_NANOSECONDS,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_parse_as_the_vault_api_writes_them() {
        let cases = [("0", 0), ("3600", 3600), ("90s", 90), ("1h30m", 5400), ("7d", 604_800)];
        let small = [("3600s0ns", 3600), ("0s0ns", 0), ("1500ms500ms", 2), ("1000000us", 1), ("1000000µs", 1)];
        for (text, seconds) in cases.into_iter().chain(small) {
            assert_eq!(Span::parse(text), Ok(Span(seconds)), "{text}");
        }
        let fractions = ["500ms", "1s1ns", "sm", "5sm", "18446744073709551616s", "18446744073709551615s1s"];
        let broken = ["", "-1", "+1", "1.5h", "h", "5x", "99999999999999999999", "5 m", "9999999999999999999d", "5é"];
        for text in broken.into_iter().chain(fractions) {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timestamp_prints_as_rfc_3339_with_nanoseconds() {
        assert_eq!(Timestamp(1_521_857_066_000_000_001).to_string(), "2018-03-24T02:04:26.000000001Z");
    }

    #[test]
    fn time_does_not_wrap() {
        assert_eq!(Timestamp(5).after(Span(u64::MAX)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MAX).until(Timestamp(i64::MIN)), Span::ZERO);
    }
}
