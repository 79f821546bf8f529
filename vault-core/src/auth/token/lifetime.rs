//! How long tokens live: the arithmetic of creation and renewal.

use super::Token;
use crate::mounts::{MountSettings, TTL_MAX_DEFAULT};
use crate::time::{Span, Timestamp};

/// The bounds that a mount sets.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Life of a token that asks for none.
    pub default_ttl: Span,
    /// Longest life.
    pub max_ttl: Span,
}

impl Bounds {
    /// Takes the bounds of a mount, the system's where it sets none.
    pub fn of(settings: &MountSettings) -> Self {
        let or = |own: Span| if own.is_zero() { TTL_MAX_DEFAULT } else { own };
        let max_ttl = or(settings.max_lease_ttl);
        Self { default_ttl: or(settings.default_lease_ttl).min(max_ttl), max_ttl }
    }
}

/// How long a new token lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// Its first time to live.
    pub ttl: Span,
    /// Whether what was asked for was cut.
    pub capped: bool,
}

/// Finds the life of a new token. `asked` of zero asks for the default.
pub fn first(asked: Span, period: Span, explicit_max_ttl: Span, bounds: Bounds) -> Life {
    if !period.is_zero() {
        let ttl = cap(period, explicit_max_ttl);
        return Life { ttl, capped: ttl < period };
    }
    let wished = if asked.is_zero() { bounds.default_ttl } else { asked };
    let ttl = cap(wished.min(bounds.max_ttl), explicit_max_ttl);
    Life { ttl, capped: ttl < wished }
}

/// Finds when a token ends that is renewed at `now` by `increment` (zero for its first time to live). A renewal never
/// passes the end that the token's creation allows, and never brings the end nearer than now.
pub fn renewed(token: &Token, increment: Span, bounds: Bounds, now: Timestamp) -> Timestamp {
    let explicit_end = (!token.explicit_max_ttl.is_zero()).then(|| token.created_at.after(token.explicit_max_ttl));
    let end = if token.period.is_zero() {
        let wished = if increment.is_zero() { token.creation_ttl } else { increment };
        now.after(wished).min(token.created_at.after(bounds.max_ttl))
    } else {
        now.after(token.period)
    };
    explicit_end.map_or(end, |explicit_end| end.min(explicit_end))
}

fn cap(ttl: Span, max: Span) -> Span {
    if max.is_zero() { ttl } else { ttl.min(max) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { default_ttl: Span(100), max_ttl: Span(1_000) };

    #[test]
    fn a_new_token_lives_within_every_bound() {
        let cases = [
            // asked, period, explicit, ttl, capped
            (0, 0, 0, 100, false),
            (500, 0, 0, 500, false),
            (5_000, 0, 0, 1_000, true),
            (500, 0, 200, 200, true),
            (0, 0, 50, 50, true),
            (0, 5_000, 0, 5_000, false),
            (10, 5_000, 700, 700, true),
        ];
        for (asked, period, explicit, ttl, capped) in cases {
            let life = first(Span(asked), Span(period), Span(explicit), BOUNDS);
            assert_eq!(life, Life { ttl: Span(ttl), capped }, "{asked} {period} {explicit}");
        }
    }
}
