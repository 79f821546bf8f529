//! The vault's upkeep: how long ago it was backed up, and its custodians were seen.
//!
//! Beyond a hard limit secrets of key-value engines cannot be written: what would be lost grows no further. Reads, the snapshot itself,
//! check-ups, logins, and everything below `sys/` go on.

use serde::{Deserialize, Serialize};

use super::tally::Opened;
use super::{Breach, Level, Limits, Metric, Subject, Teller};
use crate::engines::{Call, Change};
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::request::Operation;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// What ages are counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Upkeep {
    /// What is known of backups; none until the vault has looked for the first time.
    pub backup: Option<Backup>,
    /// When the custodian who was not seen for longest was seen; none where shares have no custodians.
    pub checkup_at: Option<Timestamp>,
}

/// What is known of backups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Backup {
    /// When the last snapshot was begun that was taken to its end; none if there was none.
    pub taken_at: Option<Timestamp>,
    /// From when on the age of a backup is counted where there is none.
    pub counted_from: Timestamp,
}

impl Upkeep {
    fn from(&self, metric: Metric) -> Option<Timestamp> {
        match metric {
            Metric::BackupAgeDays => self.backup.map(|backup| backup.taken_at.unwrap_or(backup.counted_from)),
            Metric::CheckupAgeDays => self.checkup_at,
            _ => None,
        }
    }
}

fn slot(names: &Names) -> Slot {
    names.entry(&names.root(Domain::System, "settings"), "backup")
}

/// Reads what is known of backups.
pub(super) fn load(names: &Names, view: &mut View) -> Result<Upkeep, Interrupt> {
    let backup = match view.entry(&slot(names))? {
        None => None,
        Some(row) => Some(record_format::decode(VERSION, &row.payload)?),
    };
    Ok(Upkeep { backup, checkup_at: None })
}

/// Gives the change that notes a snapshot which was begun at `taken_at`, or that none is known yet.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub fn note_backup(
    names: &Names,
    taken_at: Option<Timestamp>,
    now: Timestamp,
    view: &mut View,
) -> Result<Vec<Change>, Interrupt> {
    let known = load(names, view)?.backup;
    let backup = Backup {
        taken_at: taken_at.max(known.and_then(|known| known.taken_at)),
        counted_from: known.map_or(now, |known| known.counted_from),
    };
    if known == Some(backup) {
        return Ok(Vec::new());
    }
    Ok(vec![Change::Put { slot: slot(names), payload: record_format::encode(VERSION, &backup)? }])
}

/// Refuses to write a secret of a vault whose upkeep is beyond a hard limit.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let writes = matches!(call.request.operation, Operation::Write | Operation::Patch);
    if !writes || call.mount.kind != "kv" {
        return Ok(());
    }
    let limits = call.tables.limits();
    for metric in [Metric::BackupAgeDays, Metric::CheckupAgeDays] {
        let Some(from) = limits.upkeep().from(metric) else { continue };
        for rule in limits.of(metric, "") {
            let Some(hard) = rule.limit.hard_at(call.now) else { continue };
            if call.now > metric.ends_at(from, hard) {
                let age = metric.age(from, call.now);
                return Err(Breach::new(&rule.limit, Subject::default(), age, hard).refuse(call, None));
            }
        }
    }
    Ok(())
}

/// Tells people of upkeep that is overdue, and that it is done.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub fn watch(limits: &Limits, teller: &Teller<'_>, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let mut changes = Vec::new();
    for metric in [Metric::BackupAgeDays, Metric::CheckupAgeDays] {
        let from = limits.upkeep().from(metric);
        for rule in limits.of(metric, "") {
            let beyond = |bound: &u64| from.is_some_and(|from| teller.now > metric.ends_at(from, *bound));
            let age = from.map_or(0, |from| metric.age(from, teller.now));
            let hard = rule.limit.hard_at(teller.now).filter(beyond).map(|bound| (Level::Hard, age, bound));
            let soft = rule.limit.soft.filter(beyond).map(|bound| (Level::Soft, age, bound));
            let opened = Opened::read(teller, &rule.limit, &Subject::default(), view)?;
            changes.extend(opened.follow(teller, hard.or(soft))?);
        }
    }
    Ok(changes)
}
