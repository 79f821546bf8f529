//! Tokens: what is stored of them and when they are alive.
//!
//! A token is alive while its own row is there and unexpired, and so are those of all tokens that it descends
//! from. So revoking one row ends a whole family at once; what is left behind is swept later.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::id::Revision;
use crate::keys::KeyedHash;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretText;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

/// Longest line of descent; longer ones would make every request check as many rows.
pub const DESCENT_MAX: usize = 32;

const TOKEN_RECORD_VERSION: u8 = 1;

/// Names a token by its keyed hash; the token itself is stored nowhere.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TokenId(String);

impl TokenId {
    /// Hashes a token.
    pub fn of(token: &SecretText, token_ids: &KeyedHash) -> Self {
        Self(HEXLOWER.encode(&token_ids.hash(&[token.expose().as_bytes()])))
    }

    /// Finds the row of the token.
    pub fn slot(&self, names: &Names) -> Slot {
        names.entry(&names.root(Domain::System, "tokens"), &self.0)
    }
}

/// What is stored of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Names the token without being able to use it.
    pub accessor: String,
    /// The token that made it; `None` for orphans.
    pub parent: Option<TokenId>,
    /// Policies in force.
    pub policies: Vec<String>,
    /// The path that made it, such as `auth/token/create`.
    pub path: String,
    /// What people see of it.
    pub display_name: String,
    /// Facts attached at creation.
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The time to live it was made with; zero without end.
    pub creation_ttl: Span,
    /// When it ends; `None` for a root token without end.
    pub expires_at: Option<Timestamp>,
    /// The end that no renewal passes; zero for the mount's.
    pub explicit_max_ttl: Span,
    /// Each renewal reaches this far; zero for tokens that are not periodic.
    pub period: Span,
    /// Uses left, this one included; `None` for as many as needed.
    pub uses_left: Option<u64>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// The role it was made by.
    pub role: Option<String>,
    /// When it was last renewed.
    pub last_renewed_at: Option<Timestamp>,
}

impl Token {
    /// Lays the entry out for storage.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn encode(&self) -> Result<crate::secret::SecretBytes, Refusal> {
        record_format::encode(TOKEN_RECORD_VERSION, self)
    }

    /// Tells whether the token has not ended at `now`.
    pub fn is_unexpired(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end) && self.uses_left != Some(0)
    }

    /// Gives the change that spends one use, if uses are limited. The last use removes the token.
    pub(crate) fn spend(&self, slot: &Slot) -> Option<Change> {
        let left = self.uses_left?.saturating_sub(1);
        let spent = Self { uses_left: Some(left), ..self.clone() };
        match spent.encode() {
            Ok(payload) if left > 0 => Some(Change::Put { slot: slot.clone(), payload }),
            _ => Some(Change::Delete { slot: slot.clone() }),
        }
    }
}

/// Finds a token that is alive, along with every token it descends from.
///
/// # Errors
/// Refuses with the same answer for unknown, expired, spent and orphaned-by-revocation tokens.
pub fn find_alive(
    id: &TokenId,
    names: &Names,
    view: &mut View,
    now: Timestamp,
) -> Result<(TokenId, Token, Slot, Revision), Interrupt> {
    let slot = id.slot(names);
    let (token, revision) =
        read(&slot, view)?.filter(|(token, _)| token.is_unexpired(now)).ok_or_else(Refusal::denied)?;
    let mut ancestor = token.parent.clone();
    for _ in 0..DESCENT_MAX {
        let Some(parent) = ancestor else { return Ok((id.clone(), token, slot, revision)) };
        let found = read(&parent.slot(names), view)?.filter(|(parent, _)| parent.is_unexpired(now));
        ancestor = found.ok_or_else(Refusal::denied)?.0.parent;
    }
    Err(Refusal::denied().with_private("a token has more ancestors than can be").into())
}

/// Reads a token's row.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub fn read(slot: &Slot, view: &mut View) -> Result<Option<(Token, Revision)>, Interrupt> {
    match view.entry(slot)? {
        None => Ok(None),
        Some(opened) => Ok(Some((record_format::decode(TOKEN_RECORD_VERSION, &opened.payload)?, opened.revision))),
    }
}
