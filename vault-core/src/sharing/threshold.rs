//! How many shares there are and how many of them open.

use std::fmt;
use std::num::NonZeroU8;

/// Numbers a share of a set, from 1: it is the place at which the polynomials are evaluated, and at place 0 lies
/// the secret itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShareIndex(pub NonZeroU8);

impl ShareIndex {
    /// Takes a number that is no zero.
    pub fn new(number: u8) -> Option<Self> {
        NonZeroU8::new(number).map(Self)
    }

    /// Gives the number.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for ShareIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Says that `needed` of `total` shares open: 1 ≤ needed ≤ total ≤ 255.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Threshold {
    needed: NonZeroU8,
    total: NonZeroU8,
}

/// Says why two numbers are no threshold.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ThresholdError {
    /// A set that opens with no share at all protects nothing.
    #[error("the number of shares needed is 0: it must be at least 1")]
    Zero,
    /// More shares are needed than there are.
    #[error("{needed} shares are needed but only {total} are made: at most as many can be needed as are made")]
    MoreThanThereAre {
        /// How many are needed.
        needed: u64,
        /// How many are made.
        total: u64,
    },
    /// The index of a share is one byte.
    #[error("{total} shares are asked for: at most 255 can be made")]
    TooMany {
        /// How many are to be made.
        total: u64,
    },
}

impl Threshold {
    /// Checks a threshold.
    ///
    /// # Errors
    /// Answers [`ThresholdError`] unless 1 ≤ needed ≤ total ≤ 255.
    pub fn new(needed: u64, total: u64) -> Result<Self, ThresholdError> {
        if needed > total {
            return Err(ThresholdError::MoreThanThereAre { needed, total });
        }
        let total_byte = u8::try_from(total).map_err(|_| ThresholdError::TooMany { total })?;
        // `needed` is at most `total`, so only zero is left to refuse; with it, `total` cannot be zero either.
        let needed = u8::try_from(needed).ok().and_then(NonZeroU8::new).ok_or(ThresholdError::Zero)?;
        let total = NonZeroU8::new(total_byte).ok_or(ThresholdError::Zero)?;
        Ok(Self { needed, total })
    }

    /// Gives how many shares open.
    pub const fn needed(self) -> u8 {
        self.needed.get()
    }

    /// Gives how many shares there are.
    pub const fn total(self) -> u8 {
        self.total.get()
    }

    /// Walks over the indices of all shares, in order.
    pub fn indices(self) -> impl Iterator<Item = ShareIndex> {
        (1..=self.total()).filter_map(ShareIndex::new)
    }
}

/// Shows the threshold as `3 of 5`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.needed, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_at_least_one_and_at_most_the_total() {
        for (needed, total) in [(1, 1), (1, 255), (3, 5), (255, 255)] {
            let threshold = Threshold::new(needed, total).unwrap();
            assert_eq!((u64::from(threshold.needed()), u64::from(threshold.total())), (needed, total));
            assert_eq!(threshold.indices().count() as u64, total);
        }
        assert_eq!(Threshold::new(0, 0), Err(ThresholdError::Zero));
        assert_eq!(Threshold::new(0, 3), Err(ThresholdError::Zero));
        assert_eq!(Threshold::new(4, 3), Err(ThresholdError::MoreThanThereAre { needed: 4, total: 3 }));
        assert_eq!(Threshold::new(1, 256), Err(ThresholdError::TooMany { total: 256 }));
        assert_eq!(Threshold::new(256, 256), Err(ThresholdError::TooMany { total: 256 }));
        assert_eq!(Threshold::new(u64::MAX, u64::MAX), Err(ThresholdError::TooMany { total: u64::MAX }));
    }
}
