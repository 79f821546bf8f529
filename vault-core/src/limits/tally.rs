//! What was counted for one subject of a limit, and what people were told of it.
//!
//! A tally is one row. Whoever counts reads it and writes it in the batch of the effect, so that of many at once each sees what
//! the one before has counted.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{Level, Limit, Limits, Metric, Teller};
use crate::engines::Change;
use crate::names::{Domain, Folder, Names, Slot};
use crate::notice::{About, AboutLimit, Line, Notice, Turn};
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Bytes that a secret is remembered by for the day: they come from a keyed hash, so that nobody can make two meet.
const SECRET_HASH_LENGTH_BYTES: usize = 8;

/// The hour or the day that a tally counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Window {
    starts_at_seconds: i64,
    length: Span,
}

impl Window {
    pub(super) fn of(length: Span, now: Timestamp) -> Self {
        let length_seconds = i64::try_from(length.0).unwrap_or(i64::MAX).max(1);
        let seconds = now.unix_seconds();
        Self { starts_at_seconds: seconds - seconds.rem_euclid(length_seconds), length }
    }

    pub(super) fn ends_at(self) -> Timestamp {
        Timestamp(self.starts_at_seconds.saturating_mul(1_000_000_000)).after(self.length)
    }
}

/// What people were told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Told {
    level: Level,
    since: Timestamp,
    value: u64,
    bound: u64,
}

/// Whom a limit counts for: by what it is told apart from others, and how people call it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subject {
    pub(super) key: String,
    pub(super) name: String,
    /// The path, where each path counts for itself or is worth showing.
    pub(super) path: String,
}

impl Subject {
    /// Names somebody for whom all paths count together.
    pub(crate) fn named(key: String, name: &str) -> Self {
        Self { key, name: name.to_owned(), path: String::new() }
    }
}

/// The row of one subject of one limit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Tally {
    limit: Line,
    metric: Metric,
    subject: Line,
    path: Line,
    window: Option<Window>,
    pub(super) count: u64,
    pub(super) seen: Vec<[u8; SECRET_HASH_LENGTH_BYTES]>,
    told: Option<Told>,
}

/// A tally as it is now, where it lies, and what was told for a window that is over.
pub(super) struct Opened {
    slot: Slot,
    pub(super) tally: Tally,
    over: Option<Tally>,
    is_stored: bool,
}

impl Opened {
    /// Reads the tally of a subject. What was counted in a window that is over counts no more. Should the clock have gone back,
    /// what was counted later still counts.
    pub(super) fn read(
        teller: &Teller<'_>,
        limit: &Limit,
        subject: &Subject,
        view: &mut View,
    ) -> Result<Self, Interrupt> {
        let slot = slot(teller.names, &limit.name, &subject.key);
        let window = limit.metric.window().map(|length| Window::of(length, teller.now));
        let fresh = Tally {
            limit: Line::of(&limit.name),
            metric: limit.metric,
            subject: Line::of(&subject.name),
            path: Line::of(&subject.path),
            window,
            count: 0,
            seen: Vec::new(),
            told: None,
        };
        let Some(row) = view.entry(&slot)? else {
            return Ok(Self { slot, tally: fresh, over: None, is_stored: false });
        };
        let stored: Tally = record_format::decode(VERSION, &row.payload)?;
        if stored.metric == limit.metric && !stored.is_over(teller.now) {
            return Ok(Self { slot, tally: stored, over: None, is_stored: true });
        }
        Ok(Self { slot, tally: fresh, over: Some(stored), is_stored: true })
    }

    /// Tells up to which level people were told.
    pub(super) fn told(&self) -> Option<Level> {
        self.tally.told.map(|told| told.level)
    }

    /// Tells when the hour or the day ends.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.tally.window.map(Window::ends_at)
    }

    /// Gives the changes that store the tally, with a notice if this is the first time that the level is reached.
    pub(super) fn store(
        mut self,
        teller: &Teller<'_>,
        reached: Option<(Level, u64, u64)>,
    ) -> Result<Vec<Change>, Refusal> {
        let mut changes = Vec::new();
        if let Some(over) = self.over.take() {
            changes.extend(over.resolve(teller, &self.slot)?);
        }
        if let Some((level, value, bound)) = reached.filter(|(level, ..)| self.told().is_none_or(|told| told < *level))
        {
            let since = self.tally.told.map_or(teller.now, |told| told.since);
            let told = Told { level, since, value, bound };
            self.tally.told = Some(told);
            changes.extend(self.tally.tell(teller, &self.slot, told, Turn::Breached)?);
        }
        changes.push(Change::Put { slot: self.slot, payload: record_format::encode(VERSION, &self.tally)? });
        Ok(changes)
    }

    /// Gives the changes by which the tally of something that is measured follows it: told once at each level, and ended when it is
    /// within the limit again.
    pub(super) fn follow(
        self,
        teller: &Teller<'_>,
        reached: Option<(Level, u64, u64)>,
    ) -> Result<Vec<Change>, Refusal> {
        match reached {
            None => self.close(teller),
            Some((level, ..)) if self.told().is_some_and(|told| told >= level) => Ok(Vec::new()),
            Some(reached) => self.store(teller, Some(reached)),
        }
    }

    /// Gives the changes that end the tally, with a notice if people were told of a breach; none if there is no row.
    fn close(self, teller: &Teller<'_>) -> Result<Vec<Change>, Refusal> {
        if !self.is_stored {
            return Ok(Vec::new());
        }
        let tally = self.over.unwrap_or(self.tally);
        let mut changes: Vec<Change> = tally.resolve(teller, &self.slot)?.into_iter().collect();
        changes.push(Change::Delete { slot: self.slot });
        Ok(changes)
    }
}

impl Tally {
    fn is_over(&self, now: Timestamp) -> bool {
        self.window.is_some_and(|window| now >= window.ends_at())
    }

    fn resolve(&self, teller: &Teller<'_>, slot: &Slot) -> Result<Option<Change>, Refusal> {
        match self.told {
            Some(told) => self.tell(teller, slot, told, Turn::Resolved),
            None => Ok(None),
        }
    }

    /// Gives the change that enqueues a notice, where anybody is to be told.
    fn tell(&self, teller: &Teller<'_>, slot: &Slot, told: Told, turn: Turn) -> Result<Option<Change>, Refusal> {
        if !teller.tells {
            return Ok(None);
        }
        let breach = format!("{}.{}", slot.name(), told.since.0);
        let what = match turn {
            Turn::Breached => told.level.word(),
            Turn::Resolved => turn.word(),
        };
        let notice = Notice {
            id: format!("{breach}.{what}"),
            at: teller.now,
            vault: teller.vault,
            about: About::Limit(AboutLimit {
                turn,
                breach,
                limit: self.limit.clone(),
                metric: self.metric,
                level: told.level,
                subject: self.subject.clone(),
                path: self.path.clone(),
                value: told.value,
                bound: told.bound,
                since: told.since,
                ends_at: self.window.map(Window::ends_at),
            }),
        };
        notice.enqueue(teller.names).map(Some)
    }
}

/// What the sweep finds out of a tally.
pub struct Swept {
    /// What it changes.
    pub changes: Vec<Change>,
    /// The level that people were told of, while that lasts.
    pub breached: Option<Level>,
}

/// Ends a tally whose hour or day is over, or whose limit is gone. Of one that has no hour and no day, whoever measures decides otherwise.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub fn sweep(limits: &Limits, teller: &Teller<'_>, name: &str, view: &mut View) -> Result<Swept, Interrupt> {
    let slot = teller.names.entry(&folder(teller.names), name);
    let Some(row) = view.entry(&slot)? else { return Ok(Swept { changes: Vec::new(), breached: None }) };
    let tally: Tally = record_format::decode(VERSION, &row.payload)?;
    let is_limited = limits.on(tally.metric).any(|rule| rule.limit.name == tally.limit.as_str());
    if is_limited && !tally.is_over(teller.now) {
        return Ok(Swept { changes: Vec::new(), breached: tally.told.map(|told| told.level) });
    }
    let mut changes: Vec<Change> = tally.resolve(teller, &slot)?.into_iter().collect();
    changes.push(Change::Delete { slot });
    Ok(Swept { changes, breached: None })
}

/// Finds the folder of all tallies.
pub fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "limit-tallies")
}

/// Finds the row of a subject. Its name is a keyed hash: subjects hold paths, which may be longer than names.
fn slot(names: &Names, limit: &str, key: &str) -> Slot {
    let folder = folder(names);
    let hashed = names.entry(&folder, &format!("{limit}\0{key}"));
    let id = hashed.key().as_bytes().last_chunk::<16>().copied().unwrap_or_default();
    names.entry(&folder, &HEXLOWER.encode(&id))
}

/// Shortens a secret to what it is remembered by for the day.
pub(super) fn secret_hash(names: &Names, secret: &str) -> [u8; SECRET_HASH_LENGTH_BYTES] {
    let hashed = names.entry(&folder(names), &format!("secret\0{secret}"));
    hashed.key().as_bytes().last_chunk().copied().unwrap_or_default()
}

/// Tells whether bytes are a tally, for tests of the format.
#[cfg(test)]
pub(super) fn is_tally(payload: &crate::secret::SecretBytes) -> bool {
    record_format::decode::<Tally>(VERSION, payload).is_ok()
}
