//! A request that is held back, as it is stored. Formats: docs/formats.md, "Held request".

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::human::Human;
use super::statement::{Statement, salted};
use crate::auth::token::{Issuers, TokenId};
use crate::engines::Change;
use crate::id::{EntityId, Revision};
use crate::names::{Domain, Folder, Names, Slot};
use crate::policy::ControlGroup;
use crate::record_format;
use crate::refusal::Refusal;
use crate::request::Operation;
use crate::secret::SecretBytes;
use crate::store::RowKey;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, RowsRead, View};

const VERSION: u8 = 2;
const VERSION_BEFORE_ISSUERS: u8 = 1;

/// The version of what a request is bound to, in the digest that the statement holds.
const BASE_VERSION: u8 = 1;

/// The version of a kept request in the place of a kept reply, which is of version 1.
const DRAFT_VERSION: u8 = 2;

/// What is shown of a request that has ended.
const NOTHING_SHOWN: &str = "{\"fields\":[],\"body\":null,\"earlier_denial\":null}";

/// Most votes on one request.
pub(super) const VOTES_MAX: usize = 64;

/// Most comments on one request.
pub(super) const COMMENTS_MAX: usize = 64;

/// A request that waits for people, or did.
#[derive(Clone, Serialize, Deserialize)]
pub struct HeldRequest {
    /// Names it: the accessor of its wrapping token.
    pub id: String,
    /// Its wrapping token.
    pub(crate) wrapping: TokenId,
    /// What people decide about, word for word.
    pub statement: String,
    /// Keeps digests of short texts from being guessed.
    pub(crate) salt: [u8; 32],
    /// Who asks.
    pub requester: Requester,
    /// The rules that hold it back.
    pub rules: Vec<ControlGroup>,
    /// What was there when it was made; none where whatever is there will do.
    pub(crate) base: Option<Base>,
    /// What would change, for those who decide; JSON.
    pub shown: String,
    /// How far it has come.
    pub state: State,
    /// How often it may still be used.
    pub uses_left: u32,
    /// What people have said.
    pub votes: Vec<Vote>,
    /// What people have remarked.
    pub comments: Vec<Comment>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Requester {
    /// The human.
    pub human: Human,
    /// The entity.
    pub entity: EntityId,
    /// The entity's name.
    pub name: String,
    /// The token that asked.
    pub(crate) token: TokenId,
    /// Who handed its login out, if somebody did. Rows hold it behind the request, as of version 2.
    #[serde(skip)]
    pub issued_by: Option<Issuers>,
}

/// What was there when a request was made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Base {
    /// The rows that deciding it read, with their revisions; in the order of their keys.
    pub(crate) rows: Vec<(Vec<u8>, Option<u64>)>,
    /// The salted digest of what a read answered; none if nothing is there or nothing can be read.
    pub(crate) before: Option<[u8; 32]>,
}

impl Base {
    pub(super) fn of(read: &RowsRead, before: Option<[u8; 32]>) -> Self {
        let row = |(key, revision): &(RowKey, Option<Revision>)| (key.as_bytes().to_vec(), revision.map(|at| at.0));
        let mut rows: Vec<_> = read.iter().map(row).collect();
        rows.sort_unstable();
        rows.dedup();
        Self { rows, before }
    }

    /// Digests it for the statement.
    pub(super) fn digest(&self, salt: &[u8; 32]) -> Result<String, Refusal> {
        let bytes = record_format::encode(BASE_VERSION, self)?;
        Ok(salted(salt, "version", bytes.expose()).to_string())
    }
}

/// How far a request has come. That enough people have agreed is no state: it is judged anew each time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    /// It waits, or may be used.
    Open,
    /// Somebody who may approve said no.
    Denied {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// It was taken back.
    Cancelled {
        /// By whom.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// It was used as often as it may be.
    Released {
        /// When it was used last.
        at: Timestamp,
    },
    /// What it was bound to has changed.
    Stale {
        /// When that was noticed.
        at: Timestamp,
    },
    /// Its time was up, as was noticed, so that it stays ended should the clock be set back.
    Expired {
        /// When its time was up.
        at: Timestamp,
    },
}

impl State {
    /// Gives the word that replies use.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Denied { .. } => "denied",
            Self::Cancelled { .. } => "cancelled",
            Self::Released { .. } => "released",
            Self::Stale { .. } => "stale",
            Self::Expired { .. } => "expired",
        }
    }
}

/// What somebody said of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub human: Human,
    /// By which entity.
    pub entity: EntityId,
    /// The entity's name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Whether it counts, should its giver be one who may.
    pub weight: Weight,
    /// The key that signed it, as the charter writes it, where there is one.
    pub key: Option<String>,
    /// The signed approval, where there is one.
    pub envelope: Option<String>,
}

/// Whether a vote can count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Weight {
    /// It does.
    Full,
    /// It is by somebody in training.
    Training,
    /// It is by somebody whom another has handed their vote.
    Delegated {
        /// Whose vote it is.
        from: Human,
        /// The delegation.
        delegation: String,
    },
}

/// What somebody remarked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Comment {
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// The request itself, kept as its secret data is.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Draft {
    pub(crate) operation: String,
    pub(crate) path: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) wrap_ttl_seconds: Option<u64>,
}

impl Draft {
    pub(super) fn operation(&self) -> Option<Operation> {
        let all = [Operation::Read, Operation::List, Operation::Write, Operation::Patch, Operation::Delete];
        all.into_iter().find(|operation| operation.word() == self.operation)
    }

    pub(super) fn wrap_ttl(&self) -> Option<Span> {
        self.wrap_ttl_seconds.map(Span)
    }

    pub(super) fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(DRAFT_VERSION, self)
    }

    pub(super) fn decode(payload: &SecretBytes) -> Result<Self, Refusal> {
        record_format::decode(DRAFT_VERSION, payload)
    }

    /// Tells whether a row holds a request and not a reply.
    pub(crate) fn is_in(payload: &SecretBytes) -> bool {
        record_format::version(payload) == Some(DRAFT_VERSION)
    }
}

/// Finds the folder of all held requests.
pub fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "held-requests")
}

/// Finds the row of a held request.
pub(crate) fn slot(names: &Names, id: &str) -> Slot {
    names.entry(&folder(names), id)
}

impl HeldRequest {
    /// Reads a held request.
    ///
    /// # Errors
    /// Stops when the row must be fetched first or cannot be read.
    pub(crate) fn read(names: &Names, id: &str, view: &mut View) -> Result<Option<Self>, Interrupt> {
        match view.entry(&slot(names, id))? {
            None => Ok(None),
            Some(row) => Ok(Some(Self::decode(&row.payload)?)),
        }
    }

    /// Gives the change that stores it; of one that has ended, without its matter.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub(crate) fn store(&self, names: &Names) -> Result<Change, Refusal> {
        let kept = match self.state {
            State::Open => Cow::Borrowed(self),
            _ => Cow::Owned(self.clone().without_matter()),
        };
        let payload = record_format::encode(VERSION, &(&*kept, &kept.requester.issued_by))?;
        Ok(Change::Put { slot: slot(names, &self.id), payload })
    }

    fn decode(payload: &SecretBytes) -> Result<Self, Refusal> {
        let (mut held, issued_by): (Self, _) = if record_format::version(payload) == Some(VERSION_BEFORE_ISSUERS) {
            (record_format::decode(VERSION_BEFORE_ISSUERS, payload)?, Some(Issuers::UNTOLD))
        } else {
            record_format::decode(VERSION, payload)?
        };
        held.requester.issued_by = issued_by;
        Ok(held)
    }

    /// Tells whether it holds what only those who decide about it need: what would change, and what that is checked with.
    pub(super) fn has_matter(&self) -> bool {
        self.shown != NOTHING_SHOWN || self.base.is_some() || self.salt != [0; 32]
    }

    fn without_matter(self) -> Self {
        Self { shown: NOTHING_SHOWN.to_owned(), base: None, salt: [0; 32], ..self }
    }

    /// Reads what people decide about.
    ///
    /// # Errors
    /// Refuses with an internal error if it is damaged.
    pub fn stated(&self) -> Result<Statement, Refusal> {
        Statement::parse(self.statement.as_bytes()).map_err(|error| Refusal::internal(error.to_string()))
    }

    /// Gives the salt, for those who may read all that is digested with it.
    pub(crate) fn salt_text(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.salt)
    }

    /// Says how it ended, if somebody ended it.
    pub(crate) fn ending(&self) -> Option<String> {
        match &self.state {
            State::Open => None,
            State::Denied { by, at, reason } => Some(format!("{by} denied it at {at}: {reason}")),
            State::Cancelled { by, at } => Some(format!("{by} took it back at {at}")),
            State::Released { at } => Some(format!("it was used at {at}")),
            State::Stale { at } => Some(format!("what it was bound to has changed, as was noticed at {at}")),
            State::Expired { at } => Some(format!("its time was up at {at}")),
        }
    }

    /// Tells whether it still waits, or may be used.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.state == State::Open && now < self.expires_at && self.uses_left > 0
    }

    /// Gives when it ended; `None` while it is open.
    pub(super) fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state {
            State::Open => (!self.is_open(now)).then_some(self.expires_at),
            State::Denied { at, .. }
            | State::Cancelled { at, .. }
            | State::Released { at }
            | State::Stale { at }
            | State::Expired { at } => Some(at),
        }
    }

    /// Gives the word for how far it has come.
    pub fn word(&self, now: Timestamp) -> &'static str {
        if self.state == State::Open && !self.is_open(now) { "expired" } else { self.state.word() }
    }
}
