//! Delegation: an approver hands their vote on, for named paths, some uses and some time, to somebody who could hold it.
//!
//! It is a document that the approver signs in service. Everybody sees it, its giver takes it back, and nobody hands on what was
//! handed to them: a delegated vote counts in the place of its giver, who must count at that moment. Format: docs/formats.md.

use serde::{Deserialize, Serialize};

use super::human::Human;
use crate::engines::Change;
use crate::envelope::Envelope;
use crate::id::EntityId;
use crate::names::{Domain, Folder, Names, Slot};
use crate::policy;
use crate::record_format;
use crate::refusal::Refusal;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

/// The type of a delegation in an envelope.
pub const DELEGATION_PAYLOAD_TYPE: &str = "application/vnd.keyturn.delegation+json";

/// Longest life of a delegation.
pub const DELEGATION_SPAN_MAX: Span = Span(30 * 24 * 3600);

/// Most uses of a delegation.
pub const DELEGATION_USES_MAX: u32 = 100;

/// Most paths of a delegation.
const PATHS_MAX: usize = 32;

/// Most delegations that are kept, ended ones included until they would have ended by themselves.
pub(crate) const DELEGATIONS_MAX: usize = 1_000;

/// Most delegations of one giver that are kept, so that nobody fills all places alone.
pub(crate) const GIVEN_MAX: usize = 32;

const VERSION: u8 = 1;

const FORMAT: u32 = 1;

/// What an approver hands on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    format: u32,
    /// The vault's id in hexadecimal.
    pub vault: String,
    /// The digest of the charter in force; null without one.
    pub charter: Option<String>,
    /// 16 random bytes in hexadecimal, which name it.
    pub nonce: String,
    /// Whose vote: `person/NAME` or `entity/ID`.
    pub from: String,
    /// Who may give it.
    pub to: String,
    /// The paths, written as in policies.
    pub paths: Vec<String>,
    /// How many requests.
    pub uses: u32,
    /// When it ends, in seconds since 1970.
    pub expires_at_seconds: i64,
    /// Why.
    pub reason: String,
}

impl Delegation {
    /// Puts a delegation together.
    pub fn new(vault: String, charter: Option<String>, nonce: String, (from, to): (String, String)) -> Self {
        let (paths, reason) = (Vec::new(), String::new());
        Self { format: FORMAT, vault, charter, nonce, from, to, paths, uses: 1, expires_at_seconds: 0, reason }
    }

    /// Reads the document of an envelope; its signatures are not verified.
    ///
    /// # Errors
    /// Refuses what is none, or has no bounds.
    pub fn parse(envelope: &Envelope) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::invalid(format!("the delegation's {what}"));
        envelope.is_of_type(DELEGATION_PAYLOAD_TYPE).map_err(|error| Refusal::invalid(error.to_string()))?;
        let read: Self = serde_json::from_slice(envelope.payload())
            .map_err(|error| Refusal::invalid(format!("this is no delegation: {error}")))?;
        let is_nonce = read.nonce.len() == 32 && read.nonce.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        match () {
            () if read.format != FORMAT => Err(wrong("format is not known")),
            () if !is_nonce => Err(wrong("nonce has 32 hexadecimal digits")),
            () if Human::parse(&read.from).is_none() => Err(wrong("giver is no person and no entity")),
            () if Human::parse(&read.to).is_none() => Err(wrong("receiver is no person and no entity")),
            () if read.from == read.to => Err(wrong("receiver is its giver")),
            () if read.uses == 0 || read.uses > DELEGATION_USES_MAX => {
                Err(wrong(&format!("uses are from 1 to {DELEGATION_USES_MAX}")))
            }
            () if read.reason.trim().is_empty() || read.reason.len() > super::TEXT_LENGTH_BYTES_MAX => {
                Err(wrong("reason has 1 to 1024 bytes"))
            }
            () if read.paths.is_empty() || read.paths.len() > PATHS_MAX => {
                Err(wrong(&format!("paths are from 1 to {PATHS_MAX}")))
            }
            () => {
                for path in &read.paths {
                    policy::fits(path, "").map_err(|reason| wrong(&format!("path {path:?}: {reason}")))?;
                }
                Ok(read)
            }
        }
    }

    /// Gives when it ends.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp(self.expires_at_seconds.saturating_mul(1_000_000_000))
    }

    fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|pattern| policy::fits(pattern, path).unwrap_or(false))
    }
}

/// A delegation as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredDelegation {
    pub(crate) document: String,
    pub(crate) giver: EntityId,
    pub(crate) giver_name: String,
    pub(crate) envelope: String,
    pub(crate) uses_left: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// Finds the folder of all delegations.
pub(crate) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "delegations")
}

/// Finds the row of a delegation.
pub(crate) fn slot(names: &Names, id: &str) -> Slot {
    names.entry(&folder(names), id)
}

impl StoredDelegation {
    /// Reads a delegation.
    ///
    /// # Errors
    /// Stops when the row must be fetched first or cannot be read.
    pub(crate) fn read(names: &Names, id: &str, view: &mut View) -> Result<Option<Self>, Interrupt> {
        match view.entry(&slot(names, id))? {
            None => Ok(None),
            Some(row) => Ok(Some(record_format::decode(VERSION, &row.payload)?)),
        }
    }

    /// Gives the change that stores it.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub(crate) fn store(&self, names: &Names, id: &str) -> Result<Change, Refusal> {
        Ok(Change::Put { slot: slot(names, id), payload: record_format::encode(VERSION, self)? })
    }

    /// Reads what was handed on.
    ///
    /// # Errors
    /// Refuses with an internal error if it is damaged.
    pub(crate) fn delegation(&self) -> Result<Delegation, Refusal> {
        serde_json::from_str(&self.document).map_err(|error| Refusal::internal(format!("a delegation: {error}")))
    }

    /// Tells whether it is in force for a path; one that is used up is not in force for another request.
    pub(crate) fn is_in_force(&self, delegation: &Delegation, path: &str, now: Timestamp) -> bool {
        self.is_unended(delegation, now) && delegation.covers(path)
    }

    fn is_unended(&self, delegation: &Delegation, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < delegation.expires_at()
    }
}

/// A vote that was handed to somebody, and that they may use.
#[derive(Clone)]
pub(super) struct InHand {
    pub(super) id: String,
    pub(super) stored: StoredDelegation,
    /// Whose vote it is.
    pub(super) giver: Human,
    delegation: Delegation,
}

impl InHand {
    /// Tells whether it is for a path.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.delegation.covers(path)
    }
}

/// Finds the delegations that somebody may use.
///
/// # Errors
/// Stops when something must be fetched first.
pub(super) fn in_hand(names: &Names, to: &Human, now: Timestamp, view: &mut View) -> Result<Vec<InHand>, Interrupt> {
    let ids = view.list(&folder(names))?.to_vec();
    let slots: Vec<Slot> = ids.iter().map(|id| slot(names, id)).collect();
    view.prefetch(&slots);
    let mut found = Vec::new();
    for id in ids {
        let Some(stored) = StoredDelegation::read(names, &id, view)? else { continue };
        let delegation = stored.delegation()?;
        let (giver, receiver) = (Human::parse(&delegation.from), Human::parse(&delegation.to));
        if let Some(giver) = giver
            && receiver.as_ref() == Some(to)
            && stored.uses_left > 0
            && stored.is_unended(&delegation, now)
        {
            found.push(InHand { id, stored, giver, delegation });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn good() -> Delegation {
        let parties = ("person/ann".to_owned(), "person/ben".to_owned());
        let mut good = Delegation::new("00".repeat(16), None, "ab".repeat(16), parties);
        good.paths = vec!["secret/data/prod/*".to_owned(), "kv/+/x".to_owned()];
        good.reason = "on holiday".to_owned();
        good
    }

    fn parsed(delegation: &Delegation) -> Result<Delegation, Refusal> {
        Delegation::parse(&Envelope::new(DELEGATION_PAYLOAD_TYPE, &serde_json::to_vec(delegation).unwrap()))
    }

    #[test]
    fn a_delegation_has_bounds_and_covers_its_paths_only() {
        let read = parsed(&good()).unwrap();
        assert_eq!(read, good());
        assert!(read.covers("secret/data/prod/a/b") && read.covers("kv/a/x"));
        assert!(!read.covers("secret/data/other") && !read.covers("kv/a/b/x"));
        let refused = |change: &dyn Fn(&mut Delegation)| {
            let mut altered = good();
            change(&mut altered);
            parsed(&altered).err().unwrap().public
        };
        assert!(refused(&|it| it.uses = 0).contains("uses"));
        assert!(refused(&|it| it.uses = 101).contains("uses"));
        assert!(refused(&|it| it.paths.clear()).contains("paths"));
        assert!(refused(&|it| it.paths = vec!["a/*/b".to_owned()]).contains("path"));
        assert!(refused(&|it| it.to = "person/ann".to_owned()).contains("its giver"));
        assert!(refused(&|it| it.from = "ann".to_owned()).contains("giver"));
        assert!(refused(&|it| it.nonce = "AB".repeat(16)).contains("nonce"));
        assert!(refused(&|it| it.reason = " ".to_owned()).contains("reason"));
        assert!(refused(&|it| it.format = 2).contains("format"));
    }

    proptest! {
        #[test]
        fn any_payload_is_a_delegation_or_refused(payload in ".{0,200}") {
            prop_assert!(Delegation::parse(&Envelope::new(DELEGATION_PAYLOAD_TYPE, payload.as_bytes())).is_err());
        }
    }
}
