//! Whether enough custodians were seen lately: the limits on check-ups.

use super::{CheckUps, Custody, custodians};
use crate::charter::{PersonIndex, PersonSet};
use crate::time::{Span, Timestamp};

/// How long a custodian may go without a check-up, unless the settings say otherwise.
pub const CHECKUP_SPAN: Span = Span(90 * 24 * 60 * 60);

/// How it stands with the custodians of a vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// How many there are.
    pub custodians: usize,
    /// Who has not been seen for too long, by name.
    pub overdue: Vec<String>,
    /// Which limit is breached.
    pub limit: Limit,
}

/// A limit on the number of custodians who were not seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    /// Everybody was seen.
    Kept,
    /// Somebody was not seen for too long.
    Soft,
    /// Those who were seen do not open the vault, or would not once one more of them is lost.
    Hard,
}

impl Limit {
    /// Gives the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

impl Custody {
    /// Tells when the custodian who was not seen for longest was seen; whoever has not had a check-up yet was seen when the shares
    /// were made.
    pub fn last_checkup(&self, made_at: Timestamp, checkups: &CheckUps) -> Option<Timestamp> {
        custodians(self.charter().charter()).map(|(index, _)| checkups.last(index).unwrap_or(made_at)).min()
    }

    /// Judges the check-ups; whoever has not had one yet was seen when the shares were made.
    pub fn health(&self, made_at: Timestamp, checkups: &CheckUps, now: Timestamp, span: Span) -> Health {
        let charter = self.charter().charter();
        let slots = charter.shares().slots();
        let seen: PersonSet = slots.iter().map(|slot| slot.person).collect();
        let mut healthy = seen;
        for ((index, _), slot) in custodians(charter).zip(&slots) {
            if now >= checkups.last(index).unwrap_or(made_at).after(span) {
                healthy.remove(slot.person);
            }
        }
        let overdue: Vec<PersonIndex> = seen.without(&healthy).iter().collect();
        let is_met = |people: &PersonSet| charter.unseal().is_met_by(people);
        let bears_a_loss = healthy.iter().all(|person| {
            let mut fewer = healthy;
            fewer.remove(person);
            is_met(&fewer)
        });
        let limit = match () {
            () if overdue.is_empty() => Limit::Kept,
            () if is_met(&healthy) && bears_a_loss => Limit::Soft,
            () => Limit::Hard,
        };
        let names = overdue.into_iter().filter_map(|person| charter.person(person));
        Health {
            custodians: seen.iter().count(),
            overdue: names.map(|person| person.name.to_string()).collect(),
            limit,
        }
    }
}
