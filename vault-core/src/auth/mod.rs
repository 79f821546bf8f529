//! Auth methods turn evidence into an [`Identity`].

pub mod token;

use crate::engines::Change;
use crate::flow::Identified;
use crate::id::Revision;
use crate::keys::KeyedHash;
use crate::names::{Names, Slot};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::store::Expect;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};
use token::{Token, TokenId};

/// Who makes a request: a token that is alive, with everything that it proves.
pub struct Identity {
    id: TokenId,
    token: Token,
    slot: Slot,
    revision: Revision,
}

impl Identity {
    /// Makes an identity out of a token that is in no store.
    #[cfg(test)]
    pub(crate) fn for_test(id: &str, token: Token, names: &Names) -> Self {
        let id = TokenId::from_stored(id);
        let slot = id.slot(names);
        Self { id, token, slot, revision: Revision(0) }
    }

    /// Names the token; the token itself is not kept.
    pub const fn token_id(&self) -> &TokenId {
        &self.id
    }

    /// Gives the token's entry.
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Gives the change that spends one use of a token with limited uses, and what must hold for it.
    pub(crate) fn spend(&self) -> Option<(Change, Expect)> {
        let change = self.token.spend(&self.slot)?;
        Some((change, Expect::Unchanged { key: *self.slot.key(), revision: Some(self.revision) }))
    }
}

/// Why nobody was identified.
pub enum Unidentified {
    /// Something must be fetched first; the request is given back.
    Fetch(Request),
    /// The evidence proves nothing.
    Refused(Request, Refusal),
}

/// Finds out whose token a request carries, and that it and every token it descends from are alive.
///
/// # Errors
/// Gives the request back when something must be fetched first, or with one refusal for every reason.
pub fn identify(
    request: Request,
    names: &Names,
    token_ids: &KeyedHash,
    view: &mut View,
    now: Timestamp,
) -> Result<Identified, Unidentified> {
    let found = match &request.token {
        Some(evidence) => token::find_alive(&TokenId::of(evidence, token_ids), names, view, now),
        None => Err(Interrupt::Refuse(Refusal::denied())),
    };
    match found {
        Ok((_, token, ..)) if !token.may_come_from(request.remote.ip()) => {
            let refusal = Refusal::denied().with_private("the token is bound to other addresses");
            Err(Unidentified::Refused(request, refusal))
        }
        Ok((id, token, slot, revision)) => Ok(Identified::new(request, Identity { id, token, slot, revision })),
        Err(Interrupt::Fetch) => Err(Unidentified::Fetch(request)),
        Err(Interrupt::Refuse(refusal)) => Err(Unidentified::Refused(request, refusal)),
    }
}
