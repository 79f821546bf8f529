//! Tokens: what is stored of them and when they are alive.
//!
//! A token is alive while its own row is there and unexpired, and so are those of all tokens that it descends
//! from. So revoking one row ends a whole family at once; what is left behind is swept later.

mod batch;
pub mod census;
mod cidr;
mod issuers;
mod kind;
pub mod lease;
pub mod lifetime;
mod record;
mod text;

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::id::{EntityId, Revision};
use crate::keys::KeyedHash;
use crate::mounts::Tables;
use crate::names::{Domain, Folder, Names, Slot};
use crate::purge;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::time::Timestamp;
use crate::view::{Interrupt, View};
pub use batch::{BATCH_TOKEN_LENGTH_BYTES_MAX, BATCH_TOKEN_PREFIX, BatchTokens};
pub use cidr::Cidr;
pub use issuers::{Gap, Hand, Issuers};
pub use kind::{Kind, TokenType};
pub use record::{Token, Wrapped};
pub use text::{TOKEN_LENGTH_BYTES, TOKEN_PREFIX, draw_accessor, draw_one_time_pad, draw_token};

/// Longest line of descent; longer ones would make every request check as many rows.
pub const DESCENT_MAX: usize = 32;

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

/// Finds the row that holds what a wrapping token wraps.
pub fn wrapped_slot(names: &Names, id: &TokenId) -> Slot {
    names.entry(&names.root(Domain::Data, "wrapped"), &id.0)
}

/// Finds the folder of the token's cubbyhole.
pub fn cubbyhole_folder(names: &Names, id: &TokenId) -> Folder {
    names.folder(&names.root(Domain::Data, "cubbyhole"), &id.0)
}

/// Where tokens are looked for, and what decides whether they are alive.
#[derive(Clone, Copy)]
pub struct Finder<'a> {
    /// Turns names into storage keys.
    pub names: &'a Names,
    /// Mounts in force: a token dies with the auth method that made it.
    pub tables: &'a Tables,
    /// The present.
    pub now: Timestamp,
}

/// Finds tokens by their texts.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Where service tokens, and the parents of batch tokens, are looked for.
    pub finder: Finder<'a>,
    /// Hashes tokens into the names they are stored under.
    pub token_ids: &'a KeyedHash,
    /// Opens batch tokens.
    pub batch_tokens: &'a BatchTokens,
}

impl Reader<'_> {
    /// Finds the token of a text, if it is alive.
    ///
    /// # Errors
    /// Refuses with the same answer whatever is wrong with the text or the token.
    pub fn find(&self, text: &SecretText, view: &mut View) -> Result<Alive, Interrupt> {
        let id = TokenId::of(text, self.token_ids);
        if !text.expose().starts_with(BATCH_TOKEN_PREFIX) {
            return self.finder.find(&id, view);
        }
        let token = self.batch_tokens.open(text).filter(|token| self.finder.is_alive(token));
        let token = token.ok_or_else(Refusal::denied)?;
        self.finder.check_ancestors(&token, view)?;
        Ok(Alive { slot: id.slot(self.finder.names), id, token, revision: Revision(0) })
    }
}

/// A token that is alive.
pub struct Alive {
    /// Names it.
    pub id: TokenId,
    /// Its entry.
    pub token: Token,
    /// The row of the entry; a batch token has none.
    pub slot: Slot,
    /// When the row was last written; zero for a batch token.
    pub revision: Revision,
}

/// Whom a token counts for.
pub(crate) enum Origin {
    /// An entity.
    Entity(EntityId),
    /// A token that nobody is known behind.
    Token(TokenId),
}

impl Finder<'_> {
    /// Finds a token that is alive, along with every token it descends from.
    ///
    /// # Errors
    /// Refuses with the same answer for unknown, expired, spent and orphaned-by-revocation tokens.
    pub fn find(&self, id: &TokenId, view: &mut View) -> Result<Alive, Interrupt> {
        let slot = id.slot(self.names);
        let (token, revision) = self.read_alive(&slot, view)?;
        self.check_ancestors(&token, view)?;
        Ok(Alive { id: id.clone(), token, slot, revision })
    }

    /// Lists the entities of the tokens that a token descends from, and the one whose token made it.
    ///
    /// # Errors
    /// Stops when something must be fetched first.
    pub(crate) fn makers(&self, token: &Token, view: &mut View) -> Result<Vec<EntityId>, Interrupt> {
        let mut makers: Vec<EntityId> = token.made_by.into_iter().collect();
        let mut ancestor = token.parent.clone();
        for _ in 0..DESCENT_MAX {
            let Some(parent) = ancestor else { return Ok(makers) };
            let (found, _) = self.read_alive(&parent.slot(self.names), view)?;
            makers.extend(found.entity.into_iter().chain(found.made_by));
            ancestor = found.parent;
        }
        Ok(makers)
    }

    /// Finds whom a token without an entity counts for: the entity that made it or one that it descends from, or else the token that it
    /// all began with. So a token of one's own making counts for oneself.
    ///
    /// # Errors
    /// Stops when something must be fetched first.
    pub(crate) fn origin(&self, id: &TokenId, token: &Token, view: &mut View) -> Result<Origin, Interrupt> {
        let mut oldest = id.clone();
        let mut known = token.entity.or(token.made_by);
        let mut ancestor = token.parent.clone();
        for _ in 0..DESCENT_MAX {
            let (None, Some(parent)) = (known, ancestor) else { break };
            let (found, _) = self.read_alive(&parent.slot(self.names), view)?;
            (known, ancestor, oldest) = (found.entity.or(found.made_by), found.parent, parent);
        }
        Ok(known.map_or(Origin::Token(oldest), Origin::Entity))
    }

    /// Checks that every token that `token` descends from is alive.
    fn check_ancestors(&self, token: &Token, view: &mut View) -> Result<(), Interrupt> {
        let mut ancestor = token.parent.clone();
        for _ in 0..DESCENT_MAX {
            let Some(parent) = ancestor else { return Ok(()) };
            ancestor = self.read_alive(&parent.slot(self.names), view)?.0.parent;
        }
        Err(Refusal::denied().with_private("a token has more ancestors than can be").into())
    }

    fn read_alive(&self, slot: &Slot, view: &mut View) -> Result<(Token, Revision), Interrupt> {
        Ok(read(slot, view)?.filter(|(token, _)| self.is_alive(token)).ok_or_else(Refusal::denied)?)
    }

    /// Tells whether a token is alive as far as it alone is concerned.
    ///
    /// In service no root token is: what it could do takes stewards together.
    fn is_alive(&self, token: &Token) -> bool {
        let is_ended_root = self.tables.is_in_service() && token.policies.iter().any(|policy| policy == "root");
        token.is_unexpired(self.now) && !is_ended_root && token.mount.is_none_or(|mount| self.tables.has_mount(mount))
    }

    /// Gives the changes that remove the token named `id` with everything that belongs to it, if it is dead; none if
    /// it is alive.
    ///
    /// # Errors
    /// Stops when something must be fetched first or cannot be read.
    pub fn collect_if_dead(&self, id: &str, view: &mut View) -> Result<Vec<Change>, Interrupt> {
        let id = TokenId(id.to_owned());
        let Some((token, _)) = read(&id.slot(self.names), view)? else { return Ok(Vec::new()) };
        match self.find(&id, view) {
            Ok(_) => Ok(Vec::new()),
            Err(Interrupt::Fetch) => Err(Interrupt::Fetch),
            Err(Interrupt::Refuse(_)) => Ok(revoke(self.names, &id, &token)),
        }
    }
}

/// Reads a token's row.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub fn read(slot: &Slot, view: &mut View) -> Result<Option<(Token, Revision)>, Interrupt> {
    match view.entry(slot)? {
        None => Ok(None),
        Some(opened) => Ok(Some((Token::decode(&opened.payload)?, opened.revision))),
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

/// Gives the changes that store a new service token.
///
/// # Errors
/// Stops when something must be fetched first, and refuses with an internal error if it cannot be written.
pub fn store(names: &Names, id: &TokenId, token: &Token, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let mut changes = rows(names, id, token)?;
    changes.extend(lease::store(names, id, token, view)?);
    Ok(changes)
}

fn rows(names: &Names, id: &TokenId, token: &Token) -> Result<Vec<Change>, Refusal> {
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
    if token.wrapped.is_some() {
        changes.push(Change::Delete { slot: wrapped_slot(names, id) });
    }
    changes.extend(lease::slot(names, id, token).map(|slot| Change::Delete { slot }));
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
        path: "auth/token/root".to_owned(),
        display_name: "root".to_owned(),
        ..Token::new(draw_accessor(rng), vec!["root".to_owned()], now)
    };
    let changes = rows(names, &TokenId::of(&text, token_ids), &token)?;
    Ok((text, changes))
}
