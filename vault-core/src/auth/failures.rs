//! Failed logins, counted by user and by source: after too many of either, further ones are refused for a while.
//!
//! The counters of a mount lie in a fixed number of buckets, each a row with a fixed number of counters, so that
//! strangers cannot fill the store: at most [`BUCKETS`] × [`COUNTERS_MAX`] users and as many sources are told apart. A
//! counter that finds its bucket full takes over the lowest one there and counts on from it (the space-saving algorithm,
//! Metwally et al. 2005): a count can then be too high, never too low.

use serde::{Deserialize, Serialize};

use crate::engines::{Call, Change};
use crate::mounts::{Lockout, Mount};
use crate::names::{Folder, Names, Slot};
use crate::network::Network;
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

const VERSION: u8 = 1;

/// Rows of counters of one kind in a mount.
const BUCKETS: u16 = 1024;

/// Counters in one row.
const COUNTERS_MAX: usize = 16;

/// What a counter counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    User,
    Source,
}

/// The failures of one user or source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Counter {
    key: String,
    failures: u32,
    last_at: Timestamp,
}

impl Counter {
    fn locks(&self, lockout: &Lockout) -> bool {
        self.failures >= lockout.threshold
    }

    /// Tells whether the counter still counts; a dead one is as good as none.
    fn is_live(&self, lockout: &Lockout, now: Timestamp) -> bool {
        let span = if self.locks(lockout) { lockout.duration } else { lockout.counter_reset };
        now < self.last_at.after(span)
    }
}

/// One bucket as it was read, without the dead counters, and which of them is meant.
struct Tally {
    slot: Slot,
    key: String,
    stored: bool,
    counters: Vec<Counter>,
}

/// What is known of the failures of the user and the source of one login.
pub(crate) struct Attempts {
    /// The user's tally and the source's; none where failures are not counted.
    tallies: Vec<Tally>,
    lockout: Lockout,
    now: Timestamp,
}

impl Attempts {
    /// Reads what is known. `user` is the name in its one canonical form.
    ///
    /// # Errors
    /// Stops when something must be fetched first or cannot be read.
    pub(crate) fn load(call: &Call<'_>, user: &str, view: &mut View) -> Result<Self, Interrupt> {
        let lockout = &call.mount.settings.lockout;
        let counted: Vec<(Slot, String)> =
            keys(call, user).into_iter().map(|(kind, key)| (slot(call.mount, call.names, kind, &key), key)).collect();
        view.prefetch(counted.iter().map(|(slot, _)| slot));
        let mut tallies = Vec::new();
        for (slot, key) in counted {
            tallies.push(Tally::load(slot, key, lockout, call.now, view)?);
        }
        Ok(Self { tallies, lockout: lockout.clone(), now: call.now })
    }

    /// Tells whether logins of the user or from the source are refused for now.
    pub(crate) fn is_locked(&self) -> bool {
        self.tallies.iter().filter_map(Tally::standing).any(|counter| counter.locks(&self.lockout))
    }

    /// Gives the changes that count a failure of both.
    ///
    /// # Errors
    /// Refuses with an internal error if a row cannot be written.
    pub(crate) fn failed(self) -> Result<Vec<Change>, Refusal> {
        let now = self.now;
        self.tallies.into_iter().map(|tally| tally.counted(now).change()).collect()
    }

    /// Gives the changes that forget the user's failures. Those of the source stay: somebody with a user of their own
    /// could otherwise try others' passwords without end.
    ///
    /// # Errors
    /// Refuses with an internal error if a row cannot be written.
    pub(crate) fn succeeded(self) -> Result<Vec<Change>, Refusal> {
        let user = self.tallies.into_iter().next().filter(|tally| tally.own().is_some());
        user.map(|tally| tally.forgotten().change()).into_iter().collect()
    }
}

impl Tally {
    fn load(slot: Slot, key: String, lockout: &Lockout, now: Timestamp, view: &mut View) -> Result<Self, Interrupt> {
        let (stored, mut counters) = match view.entry(&slot)? {
            None => (false, Vec::new()),
            Some(row) => (true, record_format::decode::<Vec<Counter>>(VERSION, &row.payload)?),
        };
        counters.retain(|counter| counter.is_live(lockout, now));
        Ok(Self { slot, key, stored, counters })
    }

    fn own(&self) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.key == self.key)
    }

    /// Gives the counter that bounds the failures from above: the own one, or in a full bucket the lowest, whose place
    /// it may have lost.
    fn standing(&self) -> Option<&Counter> {
        self.own().or_else(|| {
            let full = self.counters.len() >= COUNTERS_MAX;
            self.counters.iter().filter(|_| full).min_by_key(|counter| counter.failures)
        })
    }

    fn counted(mut self, now: Timestamp) -> Self {
        let failures = self.standing().map_or(0, |counter| counter.failures).saturating_add(1);
        let leaving = self.own().or_else(|| self.standing()).map(|counter| counter.key.clone());
        self.counters.retain(|counter| Some(&counter.key) != leaving.as_ref());
        self.counters.push(Counter { key: self.key.clone(), failures, last_at: now });
        self
    }

    fn forgotten(mut self) -> Self {
        self.counters.retain(|counter| counter.key != self.key);
        self
    }

    fn change(self) -> Result<Change, Refusal> {
        if self.counters.is_empty() && self.stored {
            return Ok(Change::Delete { slot: self.slot });
        }
        let payload = record_format::encode(VERSION, &self.counters)?;
        Ok(Change::Put { slot: self.slot, payload })
    }
}

/// Finds the folder of a mount's counters.
pub(crate) fn folder(mount: &Mount, names: &Names) -> Folder {
    mount.folder(names, "failures")
}

/// Lists the users of each mount that are locked out, by name.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn locked_users<'a>(
    mounts: &[&'a Mount],
    names: &Names,
    now: Timestamp,
    view: &mut View,
) -> Result<Vec<(&'a Mount, Vec<String>)>, Interrupt> {
    let mut rows = Vec::with_capacity(mounts.len());
    let mut missing = false;
    for &mount in mounts.iter().filter(|mount| !mount.settings.lockout.disabled) {
        let folder = folder(mount, names);
        match view.list(&folder) {
            Ok(listed) => {
                let users = listed.iter().filter(|name| name.starts_with(Kind::User.word()));
                rows.push((mount, users.map(|name| names.entry(&folder, name)).collect::<Vec<_>>()));
            }
            // All listings are wanted together, so that their number does not count as so many rounds.
            Err(Interrupt::Fetch) => missing = true,
            Err(refused) => return Err(refused),
        }
    }
    if missing {
        return Err(Interrupt::Fetch);
    }
    view.prefetch(rows.iter().flat_map(|(_, slots)| slots));
    let mut locked = Vec::new();
    for (mount, slots) in rows {
        let lockout = &mount.settings.lockout;
        let mut users = Vec::new();
        for slot in slots {
            let tally = Tally::load(slot, String::new(), lockout, now, view)?;
            let counters = tally.counters.into_iter().filter(|counter| counter.locks(lockout));
            users.extend(counters.map(|counter| counter.key));
        }
        users.sort_unstable();
        locked.push((mount, users));
    }
    Ok(locked)
}

/// Gives the change that forgets a user's failures; none if there are none.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn unlock(
    mount: &Mount,
    names: &Names,
    user: &str,
    now: Timestamp,
    view: &mut View,
) -> Result<Option<Change>, Interrupt> {
    let slot = slot(mount, names, Kind::User, user);
    let tally = Tally::load(slot, user.to_owned(), &mount.settings.lockout, now, view)?;
    Ok(tally.own().is_some().then(|| tally.forgotten().change()).transpose()?)
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user-",
            Self::Source => "source-",
        }
    }
}

/// Gives what is counted: the user first, then the source; nothing where failures are not counted.
fn keys(call: &Call<'_>, user: &str) -> Vec<(Kind, String)> {
    if call.mount.settings.lockout.disabled {
        return Vec::new();
    }
    vec![(Kind::User, user.to_owned()), (Kind::Source, Network::of(call.request.remote.ip()).to_string())]
}

/// Finds the bucket of a key. Which keys share one hangs on the names key, so that nobody can choose them.
fn slot(mount: &Mount, names: &Names, kind: Kind, key: &str) -> Slot {
    let folder = folder(mount, names);
    let hashed = names.entry(&folder, &format!("{}{key}", kind.word()));
    let number = u16::from_be_bytes(*hashed.key().as_bytes().last_chunk().unwrap_or(&[0; 2])) % BUCKETS;
    names.entry(&folder, &format!("{}{number}", kind.word()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engines::test_store::{START, TestStore, mount};
    use crate::time::Span;

    fn tally(counters: Vec<Counter>, key: &str) -> Tally {
        let store = TestStore::new();
        let slot = slot(&mount("auth/userpass/", "userpass", ""), &store.names, Kind::User, key);
        Tally { slot, key: key.to_owned(), stored: true, counters }
    }

    #[test]
    fn a_counter_dies_by_its_kind() {
        let lockout = Lockout { threshold: 3, duration: Span(100), counter_reset: Span(10), disabled: false };
        let counter = |failures| Counter { key: "a".to_owned(), failures, last_at: START };
        assert!(counter(2).is_live(&lockout, START.after(Span(9))));
        assert!(!counter(2).is_live(&lockout, START.after(Span(10))));
        assert!(counter(3).is_live(&lockout, START.after(Span(99))));
        assert!(!counter(3).is_live(&lockout, START.after(Span(100))));
    }

    proptest! {
        #[test]
        fn a_full_bucket_never_counts_too_low(keys in proptest::collection::vec(0_u8..40, 0..200)) {
            let mut counters = Vec::new();
            let mut exact = std::collections::BTreeMap::<u8, u32>::new();
            for key in keys {
                counters = tally(counters, &key.to_string()).counted(START).counters;
                *exact.entry(key).or_default() += 1;
                prop_assert!(counters.len() <= COUNTERS_MAX);
                for (key, failures) in &exact {
                    let told = tally(counters.clone(), &key.to_string()).standing().map_or(0, |counter| counter.failures);
                    prop_assert!(told >= *failures, "{} {} {}", key, told, failures);
                }
            }
        }
    }
}
