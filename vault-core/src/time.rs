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

    /// Parses `3600`, `90s`, `15m`, `1h30m`, `7d`; fractions and negative lengths are refused.
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
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        rest = tail.get(1..)?;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_parse_as_the_vault_api_writes_them() {
        let cases = [("0", 0), ("3600", 3600), ("90s", 90), ("1h30m", 5400), ("7d", 604_800)];
        for (text, seconds) in cases {
            assert_eq!(Span::parse(text), Ok(Span(seconds)), "{text}");
        }
        for text in ["", "-1", "+1", "1.5h", "h", "5x", "99999999999999999999", "5 m", "9999999999999999999d", "5é"] {
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
