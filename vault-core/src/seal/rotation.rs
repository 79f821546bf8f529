//! When the barrier's key is rotated without being asked.

use serde::{Deserialize, Serialize};

use crate::barrier::KeyringFacts;
use crate::engines::Change;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Most boxes sealed in one term unless the settings say otherwise, and the most that they may say: what the Vault API
/// knows, which comes from a cipher with shorter nonces and is far below what this one bears.
pub const OPERATIONS_MAX: u64 = 3_865_470_566;

/// Fewest boxes that the settings may say.
pub const OPERATIONS_MIN: u64 = 1_000_000;

/// Shortest interval that the settings may say: each term stays in the keyring for good.
pub const INTERVAL_MIN: Span = Span(24 * 3_600);

/// When the barrier's key is rotated without being asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RotationSettings {
    /// Whether it is at all.
    pub enabled: bool,
    /// After so many boxes sealed in one term.
    pub max_operations: u64,
    /// After so long; zero for no such bound.
    pub interval: Span,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self { enabled: true, max_operations: OPERATIONS_MAX, interval: Span::ZERO }
    }
}

impl RotationSettings {
    /// Reads the settings in force: the default ones until somebody has written others.
    ///
    /// # Errors
    /// Stops when the row must be fetched first or cannot be read.
    pub fn read(names: &Names, view: &mut View) -> Result<Self, Interrupt> {
        match view.entry(&slot(names))? {
            None => Ok(Self::default()),
            Some(opened) => Ok(record_format::decode(VERSION, &opened.payload)?),
        }
    }

    /// Gives the change that stores the settings.
    ///
    /// # Errors
    /// Refuses values outside of the bounds.
    pub fn store(&self, names: &Names) -> Result<Change, Refusal> {
        if !(OPERATIONS_MIN..=OPERATIONS_MAX).contains(&self.max_operations) {
            return Err(Refusal::invalid(format!("max_operations is from {OPERATIONS_MIN} to {OPERATIONS_MAX}")));
        }
        if !self.interval.is_zero() && self.interval < INTERVAL_MIN {
            return Err(Refusal::invalid(format!("interval is 0 or at least {} seconds", INTERVAL_MIN.0)));
        }
        Ok(Change::Put { slot: slot(names), payload: record_format::encode(VERSION, self)? })
    }

    /// Tells whether the newest term has served its time.
    pub fn is_due(&self, facts: &KeyringFacts, now: Timestamp) -> bool {
        let is_old = !self.interval.is_zero() && now >= facts.installed_at.after(self.interval);
        self.enabled && (is_old || facts.encryptions >= self.max_operations)
    }
}

fn slot(names: &Names) -> Slot {
    names.entry(&names.root(Domain::System, "rotation"), "settings")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Term;

    #[test]
    fn a_term_is_due_by_age_or_by_use_and_never_where_switched_off() {
        let now = Timestamp(1_800_000_000_000_000_000);
        let facts = |encryptions| KeyringFacts { term: Term(1), installed_at: now, encryptions };
        let settings = RotationSettings { interval: Span(86_400), max_operations: 1_000_000, enabled: true };
        assert!(!settings.is_due(&facts(999_999), now));
        assert!(settings.is_due(&facts(1_000_000), now));
        assert!(!settings.is_due(&facts(0), now.after(Span(86_399))));
        assert!(settings.is_due(&facts(0), now.after(Span(86_400))));
        let off = RotationSettings { enabled: false, ..settings };
        assert!(!off.is_due(&facts(u64::MAX), Timestamp(i64::MAX)));
        let no_interval = RotationSettings { interval: Span::ZERO, ..settings };
        assert!(!no_interval.is_due(&facts(0), Timestamp(i64::MAX)));
    }

    #[test]
    fn settings_outside_of_the_bounds_are_refused() {
        let names = Names::new(&crate::secret::SecretKey::fill_with(|key| key.fill(3)));
        let good = RotationSettings::default();
        assert!(good.store(&names).is_ok());
        for bad in [
            RotationSettings { max_operations: 0, ..good },
            RotationSettings { max_operations: OPERATIONS_MIN - 1, ..good },
            RotationSettings { max_operations: OPERATIONS_MAX + 1, ..good },
            RotationSettings { interval: Span(1), ..good },
            RotationSettings { interval: Span(86_399), ..good },
        ] {
            assert!(bad.store(&names).is_err(), "{bad:?}");
        }
    }
}
