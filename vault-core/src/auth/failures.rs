//! Failed logins, counted by user and by source, or for applications by role and source together: after too many,
//! further ones are refused for a while.
//!
//! The counters of a mount lie in a fixed number of buckets, each a row with a fixed number of counters, so that
//! strangers cannot fill the store: at most [`BUCKETS`] × [`COUNTERS_MAX`] users and as many sources are told apart. A
//! counter that finds its bucket full takes over the lowest one there and counts on from it (the space-saving algorithm,
//! Metwally et al. 2005): a count can then be too high, never too low. Counts of a role and a source lie in the bucket of
//! the source and begin at one, so that no stranger locks an application out: what others do never counts for it.

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
    /// A role together with a source, in the bucket of the source.
    RoleFrom,
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
    kind: Kind,
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
        let source = Network::of(call.request.remote.ip()).to_string();
        let find = |kind, key: String| (kind, slot(call.mount, call.names, kind, &key), key);
        Self::read(call, vec![find(Kind::User, user.to_owned()), find(Kind::Source, source)], view)
    }

    /// Reads what is known of logins to a role from the caller's source alone. `role_id` need not be anybody's.
    ///
    /// # Errors
    /// Stops when something must be fetched first or cannot be read.
    pub(crate) fn load_role(call: &Call<'_>, role_id: &str, view: &mut View) -> Result<Self, Interrupt> {
        let source = Network::of(call.request.remote.ip()).to_string();
        let slot = slot(call.mount, call.names, Kind::RoleFrom, &source);
        Self::read(call, vec![(Kind::RoleFrom, slot, format!("{source} {role_id}"))], view)
    }

    fn read(call: &Call<'_>, counted: Vec<(Kind, Slot, String)>, view: &mut View) -> Result<Self, Interrupt> {
        let lockout = &call.mount.settings.lockout;
        let counted: Vec<_> = counted.into_iter().filter(|_| !lockout.disabled).collect();
        view.prefetch(counted.iter().map(|(_, slot, _)| slot));
        let mut tallies = Vec::new();
        for (kind, slot, key) in counted {
            tallies.push(Tally::load(kind, slot, key, lockout, call.now, view)?);
        }
        Ok(Self { tallies, lockout: lockout.clone(), now: call.now })
    }

    /// Tells whether logins of the user or from the source are refused for now.
    pub(crate) fn is_locked(&self) -> bool {
        self.tallies.iter().filter_map(Tally::standing).any(|counter| counter.locks(&self.lockout))
    }

    /// Gives the changes that count a failure of each.
    ///
    /// # Errors
    /// Refuses with an internal error if a row cannot be written.
    pub(crate) fn failed(self) -> Result<Vec<Change>, Refusal> {
        let now = self.now;
        self.tallies.into_iter().map(|tally| tally.counted(now).change()).collect()
    }

    /// Gives the changes that forget the user's failures, or those of the role from the source. Those of the source stay: somebody with a user of their own
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
    fn load(
        kind: Kind,
        slot: Slot,
        key: String,
        lockout: &Lockout,
        now: Timestamp,
        view: &mut View,
    ) -> Result<Self, Interrupt> {
        let (stored, mut counters) = match view.entry(&slot)? {
            None => (false, Vec::new()),
            Some(row) => (true, record_format::decode::<Vec<Counter>>(VERSION, &row.payload)?),
        };
        counters.retain(|counter| counter.is_live(lockout, now));
        Ok(Self { slot, key, kind, stored, counters })
    }

    fn own(&self) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.key == self.key)
    }

    /// Gives the counter that bounds the failures from above: the own one, or in a full bucket the lowest, whose place
    /// it may have lost. A role and a source have their own or none.
    fn standing(&self) -> Option<&Counter> {
        self.own().or_else(|| self.lowest().filter(|_| self.kind != Kind::RoleFrom))
    }

    /// Gives the counter that a new one takes the place of: in a full bucket the lowest.
    fn lowest(&self) -> Option<&Counter> {
        let full = self.counters.len() >= COUNTERS_MAX;
        self.counters.iter().filter(|_| full).min_by_key(|counter| counter.failures)
    }

    fn counted(mut self, now: Timestamp) -> Self {
        let failures = self.standing().map_or(0, |counter| counter.failures).saturating_add(1);
        let leaving = self.own().or_else(|| self.lowest()).map(|counter| counter.key.clone());
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

/// Lists the users and roles of each mount that are locked out, by name; a role is listed if it is from any source.
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
                let slots = listed.iter().filter_map(|name| Some((Kind::of(name)?, names.entry(&folder, name))));
                rows.push((mount, slots.filter(|(kind, _)| *kind != Kind::Source).collect::<Vec<_>>()));
            }
            // All listings are wanted together, so that their number does not count as so many rounds.
            Err(Interrupt::Fetch) => missing = true,
            Err(refused) => return Err(refused),
        }
    }
    if missing {
        return Err(Interrupt::Fetch);
    }
    view.prefetch(rows.iter().flat_map(|(_, slots)| slots.iter().map(|(_, slot)| slot)));
    let mut locked = Vec::new();
    for (mount, slots) in rows {
        let lockout = &mount.settings.lockout;
        let mut users = Vec::new();
        for (kind, slot) in slots {
            let tally = Tally::load(kind, slot, String::new(), lockout, now, view)?;
            let counters = tally.counters.iter().filter(|counter| counter.locks(lockout));
            users.extend(counters.map(|counter| kind.name(&counter.key).to_owned()));
        }
        users.sort_unstable();
        users.dedup();
        locked.push((mount, users));
    }
    Ok(locked)
}

/// Gives the changes that forget a user's failures, and those of a role from anywhere; none if there are none.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn unlock(
    mount: &Mount,
    names: &Names,
    user: &str,
    now: Timestamp,
    view: &mut View,
) -> Result<Vec<Change>, Interrupt> {
    let lockout = &mount.settings.lockout;
    let own = slot(mount, names, Kind::User, user);
    let folder = folder(mount, names);
    let listed = view.list(&folder)?;
    let roles = listed.iter().filter(|name| Kind::of(name) == Some(Kind::RoleFrom));
    let roles: Vec<Slot> = roles.map(|name| names.entry(&folder, name)).collect();
    view.prefetch(roles.iter().chain([&own]));
    let mut tallies = vec![Tally::load(Kind::User, own, user.to_owned(), lockout, now, view)?];
    for slot in roles {
        tallies.push(Tally::load(Kind::RoleFrom, slot, String::new(), lockout, now, view)?);
    }
    let mut changes = Vec::new();
    for mut tally in tallies {
        let (kind, count) = (tally.kind, tally.counters.len());
        tally.counters.retain(|counter| !kind.name(&counter.key).eq_ignore_ascii_case(user));
        if tally.counters.len() < count {
            changes.push(tally.change()?);
        }
    }
    Ok(changes)
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user-",
            Self::Source => "source-",
            Self::RoleFrom => "role-",
        }
    }

    /// Tells what the counters of a row count, by the row's name.
    fn of(row: &str) -> Option<Self> {
        [Self::User, Self::Source, Self::RoleFrom].into_iter().find(|kind| row.starts_with(kind.word()))
    }

    /// Gives the name that operators know a counter by; that of a role stands behind the source.
    fn name(self, key: &str) -> &str {
        match self {
            Self::User | Self::Source => key,
            Self::RoleFrom => key.split_once(' ').map_or(key, |(_, role_id)| role_id),
        }
    }
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
        Tally { slot, key: key.to_owned(), kind: Kind::User, stored: true, counters }
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

    #[test]
    fn strangers_neither_count_for_a_role_nor_take_its_place_for_long() {
        let counter = |key: usize| Counter { key: key.to_string(), failures: 9, last_at: START };
        let full = Tally { kind: Kind::RoleFrom, ..tally((0..COUNTERS_MAX).map(counter).collect(), "own") };
        assert_eq!(full.standing(), None);
        let counted = full.counted(START);
        assert_eq!((counted.own().unwrap().failures, counted.counters.len()), (1, COUNTERS_MAX));
        assert_eq!(counted.counted(START).own().unwrap().failures, 2);
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
