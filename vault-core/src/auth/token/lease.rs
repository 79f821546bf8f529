//! Leases: each token that ends has one, named `<path that made it>/h<its keyed hash>`, so that whole families are found
//! by where they were made. A lease is a row in a tree of folders, and ends with its token.

use super::{Token, TokenId};
use crate::engines::{Change, tree};
use crate::names::{Domain, Folder, Names, Slot};
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

/// What the last segment of a lease's name begins with.
const PREFIX: &str = "h";

/// Finds the root folder of all leases.
pub(crate) fn root(names: &Names) -> Folder {
    names.root(Domain::System, "leases")
}

/// Finds the folder of the leases whose names begin with a prefix, up to a slash.
pub fn folder(names: &Names, prefix: &str) -> Folder {
    let segments = prefix.split('/').filter(|segment| !segment.is_empty());
    segments.fold(root(names), |folder, segment| names.folder(&folder, segment))
}

/// Finds the token of a lease by the lease's own name in its folder; `None` for the mark of a folder.
pub fn token_of(entry: &str) -> Option<TokenId> {
    (!entry.ends_with('/')).then(|| token_id(entry)).flatten()
}

/// Gives the changes that end some tokens at once, whatever state they are in.
///
/// # Errors
/// Stops when a row must be fetched first or cannot be read.
pub fn revoke_all(names: &Names, ids: &[TokenId], view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let slots: Vec<Slot> = ids.iter().map(|id| id.slot(names)).collect();
    view.prefetch(&slots);
    let mut changes = Vec::new();
    for (id, slot) in ids.iter().zip(&slots) {
        if let Some((token, _)) = super::read(slot, view)? {
            changes.extend(super::revoke(names, id, &token));
        }
    }
    Ok(changes)
}

/// Gives the name of a token's lease; `None` for tokens without end and for wrapping tokens, which have none.
pub(crate) fn name(id: &TokenId, token: &Token) -> Option<String> {
    (token.expires_at.is_some() && token.wrapped.is_none()).then(|| format!("{}/{PREFIX}{}", token.path, id.0))
}

/// Finds the token that a lease's name ends with; whether it is the token's is for the caller to check.
pub(crate) fn token_id(name: &str) -> Option<TokenId> {
    let last = name.rsplit('/').next()?.strip_prefix(PREFIX)?;
    Some(TokenId::from_stored(last))
}

/// Finds the row of a token's lease.
pub(super) fn slot(names: &Names, id: &TokenId, token: &Token) -> Option<Slot> {
    name(id, token).map(|name| tree::slot(names, root(names), &name))
}

/// Gives the changes that store a token's lease.
pub(super) fn store(names: &Names, id: &TokenId, token: &Token, view: &mut View) -> Result<Vec<Change>, Interrupt> {
    let Some(name) = name(id, token) else { return Ok(Vec::new()) };
    let place = tree::place(names, root(names), &name);
    let mut changes = tree::missing_marks(&place, view)?;
    changes.push(Change::Put { slot: place.slot, payload: SecretBytes::new(Vec::new()) });
    Ok(changes)
}
