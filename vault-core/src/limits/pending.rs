//! The age of held requests: beyond a soft limit people are told, beyond a hard one nobody can agree to or use a request.

use super::tally::Opened;
use super::{Breach, Level, Limits, Metric, Subject, Teller};
use crate::approval::HeldRequest;
use crate::engines::{Call, Change};
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

fn subject(held: &HeldRequest, path: String) -> Subject {
    Subject { key: held.id.clone(), name: held.requester.name.clone(), path }
}

/// Refuses a request that has waited for too long.
///
/// # Errors
/// Refuses what is beyond a hard limit.
pub(crate) fn check_pending(call: &Call<'_>, held: &HeldRequest) -> Result<(), Refusal> {
    let path = held.stated()?.path;
    for rule in call.tables.limits().of(Metric::PendingAgeHours, &path) {
        let Some(hard) = rule.limit.hard_at(call.now) else { continue };
        if call.now > Metric::PendingAgeHours.ends_at(held.created_at, hard) {
            let age = Metric::PendingAgeHours.age(held.created_at, call.now);
            return Err(Breach::new(&rule.limit, subject(held, path.clone()), age, hard).refuse(call, None));
        }
    }
    Ok(())
}

/// Tells people of a request that has waited for long, and that it does no more.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub fn watch(limits: &Limits, teller: &Teller<'_>, id: &str, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let Some(held) = HeldRequest::read(teller.names, id, view)? else { return Ok(Vec::new()) };
    let path = held.stated()?.path;
    let mut changes = Vec::new();
    for rule in limits.of(Metric::PendingAgeHours, &path) {
        let beyond = |bound: &u64| teller.now > Metric::PendingAgeHours.ends_at(held.created_at, *bound);
        let age = Metric::PendingAgeHours.age(held.created_at, teller.now);
        let hard = rule.limit.hard_at(teller.now).filter(beyond).map(|bound| (Level::Hard, age, bound));
        let soft = rule.limit.soft.filter(beyond).map(|bound| (Level::Soft, age, bound));
        let reached = hard.or(soft).filter(|_| held.is_open(teller.now));
        let opened = Opened::read(teller, &rule.limit, &subject(&held, path.clone()), view)?;
        changes.extend(opened.follow(teller, reached)?);
    }
    Ok(changes)
}
