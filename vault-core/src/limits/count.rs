//! Counting acts: exactly, as the tally is read and written in the batch of the act.

use super::guard::{identity_of, secret_of};
use super::tally::{Opened, secret_hash};
use super::{Breach, Level, Metric, Rule, Subject, Teller};
use crate::auth::Sender;
use crate::engines::{Call, Change};
use crate::flow::{Identified, Target};
use crate::mounts::Tables;
use crate::view::{Interrupt, View};

/// The metrics that reads are counted by.
pub(super) const OF_READS: [Metric; 2] = [Metric::ReadsPerHour, Metric::DistinctSecretsPerDay];

/// Counts one act of a subject under every limit on a metric that holds for a path, and gives the changes that do so.
///
/// # Errors
/// Stops when something must be fetched first; refuses what goes beyond a hard limit.
pub(crate) fn count(
    call: &Call<'_>,
    (metric, path): (Metric, &str),
    subject: &Subject,
    view: &mut View,
) -> Result<Vec<Change>, Interrupt> {
    let mut changes = Vec::new();
    for rule in call.tables.limits().of(metric, path) {
        let opened = Opened::read(&Teller::of(call), &rule.limit, subject, view)?;
        let value = opened.tally.count.saturating_add(1);
        changes.extend(admit(call, rule, subject, opened, value, |opened| opened.tally.count = value)?);
    }
    Ok(changes)
}

/// Lets a counted value pass, or refuses it.
fn admit(
    call: &Call<'_>,
    rule: &Rule,
    subject: &Subject,
    mut opened: Opened,
    value: u64,
    note: impl FnOnce(&mut Opened),
) -> Result<Vec<Change>, Interrupt> {
    let limit = &rule.limit;
    if let Some(hard) = limit.hard_at(call.now).filter(|hard| value > *hard) {
        let ends_at = opened.ends_at();
        return Err(Breach::new(limit, subject.clone(), value, hard).refuse(call, ends_at).into());
    }
    // Whoever was told and cannot be refused need not be counted on.
    if limit.hard.is_none() && opened.told().is_some() {
        return Ok(Vec::new());
    }
    note(&mut opened);
    let reached = limit.soft.filter(|soft| value > *soft).map(|soft| (Level::Soft, value, soft));
    Ok(opened.store(&Teller::of(call), reached)?)
}

/// Counts a read of a secret. Of different secrets, one that was read before in the day counts no more.
pub(super) fn count_read(call: &Call<'_>, below: &str, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let path = format!("{}{below}", call.mount.path);
    if !is_counted(call.tables, &path) {
        return Ok(Vec::new());
    }
    let identity = identity_of(call, view)?;
    let secret = format!("{}/{below}", call.mount.id);
    let of_path =
        Subject { key: format!("{}\0{secret}", identity.key), name: identity.name.clone(), path: path.clone() };
    let mut changes = count(call, (Metric::ReadsPerHour, &path), &of_path, view)?;
    for rule in call.tables.limits().of(Metric::DistinctSecretsPerDay, &path) {
        let opened = Opened::read(&Teller::of(call), &rule.limit, &identity, view)?;
        let hash = secret_hash(call.names, &secret);
        if opened.tally.seen.contains(&hash) {
            continue;
        }
        let value = u64::try_from(opened.tally.seen.len()).unwrap_or(u64::MAX).saturating_add(1);
        changes.extend(admit(call, rule, &identity, opened, value, |opened| {
            // What is remembered is bounded also while the limit is taken away.
            if value <= Metric::DistinctSecretsPerDay.value_max() {
                opened.tally.seen.push(hash);
            }
        })?);
    }
    Ok(changes)
}

fn is_counted(tables: &Tables, path: &str) -> bool {
    OF_READS.iter().any(|metric| tables.limits().of(*metric, path).next().is_some())
}

/// Names what readers take turns by, so that those who count on the same rows do not meet; none for what is not counted.
pub fn turn(tables: &Tables, identified: &Identified) -> Option<String> {
    if OF_READS.iter().all(|metric| !tables.limits().has(*metric)) {
        return None;
    }
    let request = identified.request();
    let (target, below) = Target::find(tables, request.path.as_str())?;
    let below = secret_of(target.engine, &target.mount, request.operation, below)?;
    if !is_counted(tables, &format!("{}{below}", target.mount.path)) {
        return None;
    }
    let reader = match identified.sender() {
        Sender::Token(identity) => {
            let entity = identity.token().entity.or(identity.token().made_by);
            entity.map_or_else(|| identity.token_id().as_str().to_owned(), |entity| entity.to_string())
        }
        Sender::Stewards(_) | Sender::Stranger => String::new(),
    };
    Some(format!("reader {reader}"))
}
