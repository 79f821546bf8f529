//! What is kept of each requester, so that nobody wears approvers down: how much they have open, and what was denied.

use serde::{Deserialize, Serialize};

use super::ended::{ENDED_MAX, ENDED_SPAN_MAX};
use super::human::Human;
use crate::engines::Change;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::{Class, Refusal};
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const VERSION: u8 = 2;
const VERSION_BEFORE_ENDED: u8 = 1;

/// Most requests that one human has open.
pub(super) const OPEN_MAX: usize = 32;

/// How long the same thing cannot be asked for again after a denial.
pub(super) const PAUSE_AFTER_DENIAL: Span = Span(15 * 60);

/// Most denials that are remembered, the last ones.
const DENIALS_MAX: usize = 32;

/// What is kept of a requester.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Asker {
    open: Vec<(String, Timestamp)>,
    denials: Vec<EarlierDenial>,
    /// Requests that have ended and are kept, with when they did. Rows hold them behind the rest, as of version 2.
    #[serde(skip)]
    ended: Vec<(String, Timestamp)>,
}

/// A denial of the same thing before.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct EarlierDenial {
    /// The request that was denied.
    pub(super) request: String,
    /// By whom.
    pub(super) by: String,
    /// When.
    pub(super) at: Timestamp,
    /// Why.
    pub(super) reason: String,
    operation: String,
    path: String,
}

impl Asker {
    pub(super) fn slot(names: &Names, human: &Human) -> Slot {
        names.entry(&names.root(Domain::System, "requesters"), &human.key())
    }

    /// Reads what is kept of a human; nothing of one who has never asked.
    pub(super) fn read(names: &Names, human: &Human, view: &mut View) -> Result<Self, Interrupt> {
        match view.entry(&Self::slot(names, human))? {
            None => Ok(Self::default()),
            Some(row) if record_format::version(&row.payload) == Some(VERSION_BEFORE_ENDED) => {
                Ok(record_format::decode(VERSION_BEFORE_ENDED, &row.payload)?)
            }
            Some(row) => {
                let (asker, ended): (Self, _) = record_format::decode(VERSION, &row.payload)?;
                Ok(Self { ended, ..asker })
            }
        }
    }

    pub(super) fn store(&self, names: &Names, human: &Human) -> Result<Change, Refusal> {
        Ok(Change::Put {
            slot: Self::slot(names, human),
            payload: record_format::encode(VERSION, &(self, &self.ended))?,
        })
    }

    /// Opens a request, and tells of the last denial of the same thing. Those whose time is up are open no more.
    ///
    /// # Errors
    /// Refuses a requester who has too much open, and what was denied a short while ago.
    pub(super) fn open(
        &mut self,
        (id, expires_at): (&str, Timestamp),
        (operation, path): (&str, &str),
        now: Timestamp,
    ) -> Result<Option<EarlierDenial>, Refusal> {
        let is_over = |(_, end): &mut (String, Timestamp)| now >= *end;
        self.ended.extend(self.open.extract_if(.., is_over));
        let earlier = self.denials.iter().rev().find(|denial| denial.operation == operation && denial.path == path);
        if let Some(denial) = earlier
            && now < denial.at.after(PAUSE_AFTER_DENIAL)
        {
            let EarlierDenial { by, reason, at, .. } = denial;
            let again = at.after(PAUSE_AFTER_DENIAL);
            let text =
                format!("{by} denied this at {at}: {reason:?}. Talk to them; it can be asked for again after {again}");
            return Err(Refusal::new(Class::Busy, text));
        }
        if self.open.len() >= OPEN_MAX {
            let text = format!("you have {OPEN_MAX} requests open: wait for them, or cancel some (keyturn requests)");
            return Err(Refusal::new(Class::Busy, text));
        }
        self.open.push((id.to_owned(), expires_at));
        Ok(earlier.cloned())
    }

    /// Closes a request.
    pub(super) fn close(&mut self, id: &str, now: Timestamp) {
        self.open.retain(|(own, _)| own != id);
        if !self.ended.iter().any(|(own, _)| own == id) {
            self.ended.push((id.to_owned(), now));
        }
    }

    /// Gives the ended requests that are kept no longer, as there are too many after them; those that ended long ago the sweep
    /// removes.
    #[must_use]
    pub(super) fn let_go(&mut self, now: Timestamp) -> Vec<String> {
        self.ended.retain(|(_, at)| now < at.after(ENDED_SPAN_MAX));
        let surplus = self.ended.len().saturating_sub(ENDED_MAX);
        self.ended.drain(..surplus).map(|(id, _)| id).collect()
    }

    /// Remembers a denial.
    pub(super) fn deny(&mut self, request: &str, what: (&str, &str), (by, reason): (&str, &str), at: Timestamp) {
        self.close(request, at);
        let (operation, path) = (what.0.to_owned(), what.1.to_owned());
        let (request, by, reason) = (request.to_owned(), by.to_owned(), reason.to_owned());
        self.denials.push(EarlierDenial { request, by, at, reason, operation, path });
        let surplus = self.denials.len().saturating_sub(DENIALS_MAX);
        self.denials.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::engines::test_store::{START, TestStore};

    #[derive(Clone, Debug)]
    enum Act {
        Open { life: u64 },
        Close { which: usize },
        Wait { seconds: u64 },
    }

    fn any_act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => (60..100_000_u64).prop_map(|life| Act::Open { life }),
            4 => any::<usize>().prop_map(|which| Act::Close { which }),
            2 => (0..50_000_u64).prop_map(|seconds| Act::Wait { seconds }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_that_is_open_is_let_go_and_few_that_have_ended_are_kept(acts in proptest::collection::vec(any_act(), 0..600)) {
            let (mut asker, mut now) = (Asker::default(), START);
            let mut rows: BTreeSet<String> = BTreeSet::new();
            let mut open: Vec<(String, Timestamp)> = Vec::new();
            for (number, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Open { life } => {
                        let (id, end) = (number.to_string(), now.after(Span(life)));
                        if asker.open((&id, end), ("read", &id), now).is_ok() {
                            rows.insert(id.clone());
                            open.push((id, end));
                        }
                    }
                    Act::Close { which } if !open.is_empty() => {
                        asker.close(&open.remove(which % open.len()).0, now);
                    }
                    Act::Close { .. } => {}
                    Act::Wait { seconds } => now = now.after(Span(seconds)),
                }
                open.retain(|(_, end)| now < *end);
                for id in asker.let_go(now) {
                    prop_assert!(open.iter().all(|(own, _)| *own != id), "{}", id);
                    prop_assert!(rows.remove(&id), "{}", id);
                }
                prop_assert!(rows.len() <= ENDED_MAX + OPEN_MAX, "{}", rows.len());
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_requester_is_read_as_older_vaults_wrote_it() {
        let mut store = TestStore::new();
        let human = Human::Person("ann".to_owned());
        let mut asker = Asker::default();
        asker.open(("a", START.after(Span(60))), ("read", "x"), START).unwrap();
        let slot = Asker::slot(&store.names, &human);
        store.apply(vec![Change::Put { slot, payload: record_format::encode(VERSION_BEFORE_ENDED, &asker).unwrap() }]);
        let read = |store: &TestStore| store.read(|view| Asker::read(&store.names, &human, view)).unwrap();
        let mut old = read(&store);
        assert_eq!((old.open.len(), old.ended.len()), (1, 0));
        old.close("a", START);
        store.apply(vec![old.store(&store.names, &human).unwrap()]);
        assert_eq!((read(&store).open.len(), read(&store).ended.len()), (0, 1));
    }
}
