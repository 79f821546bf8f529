//! Failed logins of one user in an hour. Besides the lock-out, which forgets after a quarter of one.
//!
//! Failures for somebody who is not there are counted together, for nobody: as much work as for a user, and no rows for names
//! that strangers make up.

use super::tally::Opened;
use super::{Breach, Level, Metric, Rule, Subject, Teller};
use crate::engines::{Call, Change};
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

/// What is known of the failed logins of one user in this hour.
pub(crate) struct FailedLogins<'a> {
    subject: Subject,
    tallies: Vec<(&'a Rule, Opened)>,
}

impl<'a> FailedLogins<'a> {
    /// Reads what is known; `user` is none for somebody who is not there.
    ///
    /// # Errors
    /// Stops when something must be fetched first or cannot be read.
    pub(crate) fn load(call: &Call<'a>, user: Option<&str>, view: &mut View) -> Result<Self, Interrupt> {
        let path = call.mount.path.as_str();
        let key =
            user.map_or_else(|| format!("{}/nobody", call.mount.id), |user| format!("{}/user/{user}", call.mount.id));
        let name = user.unwrap_or("unknown names together").to_owned();
        let subject = Subject { key, name, path: path.to_owned() };
        let mut tallies = Vec::new();
        for rule in call.tables.limits().of(Metric::FailedLoginsPerHour, &call.mount.path) {
            tallies.push((rule, Opened::read(&Teller::of(call), &rule.limit, &subject, view)?));
        }
        Ok(Self { subject, tallies })
    }

    /// Finds the hard limit that has been reached; a further login is refused, right or wrong, and counts as a failed one, so that
    /// it leaves the same trace as any other.
    pub(crate) fn reached(&self, call: &Call<'_>, answer: Refusal) -> Option<Refusal> {
        self.tallies.iter().find_map(|(rule, opened)| {
            let hard = rule.limit.hard_at(call.now).filter(|hard| opened.tally.count >= *hard)?;
            let breach = Breach::new(&rule.limit, self.subject.clone(), opened.tally.count.saturating_add(1), hard);
            // Whoever tries is told nothing of limits, as that would tell who is there.
            let Refusal { public, breach, .. } = breach.refuse(call, opened.ends_at());
            Some(Refusal { private: Some(public), breach, ..answer.clone() })
        })
    }

    /// Gives the changes that count a failure.
    ///
    /// # Errors
    /// Refuses with an internal error if a row cannot be written.
    pub(crate) fn failed(self, call: &Call<'_>) -> Result<Vec<Change>, Refusal> {
        let mut changes = Vec::new();
        for (rule, mut opened) in self.tallies {
            let value = opened.tally.count.saturating_add(1);
            opened.tally.count = value;
            let beyond = |bound: &u64| value > *bound;
            let hard = rule.limit.hard_at(call.now).filter(beyond).map(|bound| (Level::Hard, value, bound));
            let reached = hard.or(rule.limit.soft.filter(beyond).map(|bound| (Level::Soft, value, bound)));
            changes.extend(opened.store(&Teller::of(call), reached)?);
        }
        Ok(changes)
    }
}
