//! Tokens: what is stored of them and when they are alive.
//!
//! A token is alive while its own row is there and unexpired, and so are those of all tokens that it descends
//! from. So revoking one row ends a whole family at once; what is left behind is swept later.

mod cidr;
pub mod lifetime;
mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::id::Revision;
use crate::keys::KeyedHash;
use crate::names::{Domain, Folder, Names, Slot};
use crate::purge;
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};
pub use cidr::Cidr;
pub use text::{TOKEN_PREFIX, draw_accessor, draw_token};

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

    /// Takes a keyed hash that was stored as text.
    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Gives the keyed hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Finds the row of the token.
    pub fn slot(&self, names: &Names) -> Slot {
        names.entry(&folder(names), &self.0)
    }
}

/// Finds the folder of the token's cubbyhole.
pub fn cubbyhole_folder(names: &Names, id: &TokenId) -> Folder {
    names.folder(&names.root(Domain::Data, "cubbyhole"), &id.0)
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
    /// Addresses it may be used from; empty for all.
    pub bound_cidrs: Vec<String>,
}

impl Token {
    /// Lays the entry out for storage.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(TOKEN_RECORD_VERSION, self)
    }

    /// Tells whether the token has not ended at `now`.
    pub fn is_unexpired(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end) && self.uses_left != Some(0)
    }

    /// Gives the change that spends one use, if uses are limited. A token without uses left is dead; its row stays
    /// until it is collected with everything that belongs to it.
    pub(crate) fn spend(&self, slot: &Slot) -> Option<Change> {
        let left = self.uses_left?.saturating_sub(1);
        let spent = Self { uses_left: Some(left), ..self.clone() };
        Some(match spent.encode() {
            Ok(payload) => Change::Put { slot: slot.clone(), payload },
            Err(_) => Change::Delete { slot: slot.clone() },
        })
    }

    /// Tells whether the token may be used from an address.
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        self.bound_cidrs.is_empty()
            || self.bound_cidrs.iter().any(|cidr| Cidr::parse(cidr).is_some_and(|cidr| cidr.contains(address)))
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

/// Finds the folder of all tokens.
pub fn folder(names: &Names) -> Folder {
    names.tokens()
}

/// Finds the row that leads from an accessor to its token.
pub fn accessor_slot(names: &Names, accessor: &str) -> Slot {
    names.entry(&accessors(names), accessor)
}

/// Finds the folder of all accessors.
pub fn accessors(names: &Names) -> Folder {
    names.root(Domain::System, "accessors")
}

/// Finds the folder that names the children of a token.
pub fn children(names: &Names, parent: &TokenId) -> Folder {
    names.folder(&names.root(Domain::System, "token-children"), &parent.0)
}

/// Gives the changes that store a new token.
///
/// # Errors
/// Refuses with an internal error if it cannot be written.
pub fn store(names: &Names, id: &TokenId, token: &Token) -> Result<Vec<Change>, Refusal> {
    let accessor = SecretBytes::new(id.0.clone().into_bytes());
    let mut changes = vec![
        Change::Put { slot: id.slot(names), payload: token.encode()? },
        Change::Put { slot: accessor_slot(names, &token.accessor), payload: accessor },
    ];
    if let Some(parent) = &token.parent {
        let slot = names.entry(&children(names, parent), &id.0);
        changes.push(Change::Put { slot, payload: SecretBytes::new(Vec::new()) });
    }
    Ok(changes)
}

/// Gives the changes that end a token at once, and with it every token that descends from it.
pub fn revoke(names: &Names, id: &TokenId, token: &Token) -> Vec<Change> {
    let mut changes = vec![
        Change::Delete { slot: id.slot(names) },
        Change::Delete { slot: accessor_slot(names, &token.accessor) },
        purge::enqueue(names, &cubbyhole_folder(names, id)),
    ];
    if let Some(parent) = &token.parent {
        changes.push(Change::Delete { slot: names.entry(&children(names, parent), &id.0) });
    }
    changes
}

/// Makes the root token of the bootstrap phase.
///
/// # Errors
/// Refuses with an internal error if it cannot be written.
pub fn root(
    names: &Names,
    token_ids: &KeyedHash,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<(SecretText, Vec<Change>), Refusal> {
    let text = draw_token(rng);
    let token = Token {
        accessor: draw_accessor(rng),
        parent: None,
        policies: vec!["root".to_owned()],
        path: "auth/token/root".to_owned(),
        display_name: "root".to_owned(),
        metadata: BTreeMap::new(),
        created_at: now,
        creation_ttl: Span::ZERO,
        expires_at: None,
        explicit_max_ttl: Span::ZERO,
        period: Span::ZERO,
        uses_left: None,
        renewable: false,
        role: None,
        last_renewed_at: None,
        bound_cidrs: Vec::new(),
    };
    let changes = store(names, &TokenId::of(&text, token_ids), &token)?;
    Ok((text, changes))
}

/// Gives the changes that remove the token named `id` with everything that belongs to it, if it is dead; none if it
/// is alive.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub fn collect_if_dead(id: &str, names: &Names, view: &mut View, now: Timestamp) -> Result<Vec<Change>, Interrupt> {
    let id = TokenId(id.to_owned());
    let Some((token, _)) = read(&id.slot(names), view)? else { return Ok(Vec::new()) };
    match find_alive(&id, names, view, now) {
        Ok(_) => Ok(Vec::new()),
        Err(Interrupt::Fetch) => Err(Interrupt::Fetch),
        Err(Interrupt::Refuse(_)) => Ok(revoke(names, &id, &token)),
    }
}
