//! Auth methods turn evidence into an [`Identity`].

pub(crate) mod failures;
pub mod login;
pub mod methods;
pub mod parameters;
pub mod stewards;
pub mod token;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engines::{Access, Change};
use crate::flow::{Identified, Target};
use crate::id::Revision;
use crate::identity::{self, Alias, Entity, Group};
use crate::mounts::Tables;
use crate::names::Slot;
use crate::policy::{AliasFacts, EntityFacts, GroupFacts, IdentityFacts};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::store::Expect;
use crate::view::{Interrupt, View};
use crate::wrapping;
pub use stewards::Stewards;
use token::{Alive, Reader, Token, TokenId};

/// Who makes a request.
pub enum Sender {
    /// The owner of a token.
    Token(Box<Identity>),
    /// People of the charter who make this one request together.
    Stewards(Box<Stewards>),
    /// Somebody who shows no token; only open routes serve them.
    Stranger,
}

impl Sender {
    /// Gives the token that asks, if one does.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Token(identity) => Some(identity),
            Self::Stewards(_) | Self::Stranger => None,
        }
    }

    /// Gives the stewards who ask, if they do.
    pub fn stewards(&self) -> Option<&Stewards> {
        match self {
            Self::Stewards(stewards) => Some(stewards),
            Self::Token(_) | Self::Stranger => None,
        }
    }

    /// Gives the change that spends the evidence, where it is good for a number of requests only, and what must hold
    /// for it.
    pub(crate) fn spend(&self) -> Option<(Change, Expect)> {
        match self {
            Self::Token(identity) => identity.spend(),
            Self::Stewards(stewards) => Some(stewards.spend()),
            Self::Stranger => None,
        }
    }
}

/// A token that is alive, with everything that it proves.
pub struct Identity {
    id: TokenId,
    token: Token,
    slot: Slot,
    revision: Revision,
    entity: Option<Entity>,
}

impl Identity {
    /// Makes a sender out of a token that is in no store.
    #[cfg(test)]
    pub(crate) fn for_test(id: &str, token: Token, names: &crate::names::Names) -> Sender {
        let id = TokenId::from_stored(id);
        let slot = id.slot(names);
        Sender::Token(Box::new(Self { id, token, slot, revision: Revision(0), entity: None }))
    }

    /// Names the token; the token itself is not kept.
    pub const fn token_id(&self) -> &TokenId {
        &self.id
    }

    /// Gives the token's entry.
    pub const fn token(&self) -> &Token {
        &self.token
    }

    /// Gives the entity that the token acts for.
    pub const fn entity(&self) -> Option<&Entity> {
        self.entity.as_ref()
    }

    /// Lists the policies in force: the token's own, those of its entity and those of the entity's groups.
    pub fn policies(&self, tables: &Tables) -> Cow<'_, [String]> {
        match &self.entity {
            None => Cow::Borrowed(&self.token.policies),
            Some(entity) => {
                let own = self.token.policies.iter().cloned();
                Cow::Owned(own.chain(policies_of(entity, tables)).collect::<BTreeSet<_>>().into_iter().collect())
            }
        }
    }

    /// Tells what templates of policies may know of the entity.
    pub fn facts(&self, tables: &Tables) -> IdentityFacts {
        self.entity.as_ref().map(|entity| facts_of(entity, tables)).unwrap_or_default()
    }

    /// Gives the change that spends one use of a token with limited uses, and what must hold for it.
    fn spend(&self) -> Option<(Change, Expect)> {
        let change = self.token.spend(&self.slot)?;
        Some((change, Expect::Unchanged { key: *self.slot.key(), revision: Some(self.revision) }))
    }
}

/// Lists the policies that an entity and its groups bring, without repetition. None of them is `root`.
pub fn policies_of(entity: &Entity, tables: &Tables) -> BTreeSet<String> {
    let groups = tables.groups().of(entity).into_iter().filter_map(|id| tables.groups().get(id));
    let brought = groups.flat_map(|group| group.policies.iter()).chain(&entity.policies);
    brought.filter(|name| *name != "root").cloned().collect()
}

/// Tells what templates of policies may know of an entity and its groups.
pub fn facts_of(entity: &Entity, tables: &Tables) -> IdentityFacts {
    let alias = |alias: &Alias| AliasFacts {
        mount_accessor: alias.mount_accessor.clone(),
        id: alias.id.to_string(),
        name: alias.name.clone(),
        metadata: alias.metadata.clone(),
        custom_metadata: alias.custom_metadata.clone(),
    };
    let group = |group: &Arc<Group>| GroupFacts {
        id: group.id.to_string(),
        name: group.name.clone(),
        metadata: group.metadata.clone(),
    };
    let groups = tables.groups().of(entity).into_iter().filter_map(|id| tables.groups().get(id));
    IdentityFacts {
        entity: Some(EntityFacts {
            id: entity.id.to_string(),
            name: entity.name.clone(),
            metadata: entity.metadata.clone(),
            // What a disabled auth method said of somebody fills in no template any more.
            aliases: entity
                .aliases
                .iter()
                .filter(|own| tables.login_mount(&own.mount_accessor).is_some())
                .map(alias)
                .collect(),
        }),
        groups: groups.map(group).collect(),
    }
}

/// Why nobody was identified.
pub enum Unidentified {
    /// Something must be fetched first; the request is given back.
    Fetch(Request),
    /// The evidence proves nothing.
    Refused(Request, Refusal),
}

/// Lets a request go on as a stranger's where the route asks for no token; any other is given back.
///
/// # Errors
/// Gives the request back, to be identified.
pub fn admit_stranger(request: Request, target: Option<&Target>) -> Result<Identified, Request> {
    match target.and_then(|target| target.route) {
        Some(route) if route.access == Access::Open => Ok(Identified::new(request, Sender::Stranger)),
        _ => Err(request),
    }
}

/// Finds out whose token a request carries, and that it, every token it descends from and its entity are alive.
///
/// # Errors
/// Gives the request back when something must be fetched first, or with one refusal for every reason.
pub fn identify(request: Request, reader: &Reader<'_>, view: &mut View) -> Result<Identified, Unidentified> {
    match evidence(&request, reader, view) {
        Ok(identity) => Ok(Identified::new(request, Sender::Token(Box::new(identity)))),
        Err(Interrupt::Fetch) => Err(Unidentified::Fetch(request)),
        Err(Interrupt::Refuse(refusal)) => Err(Unidentified::Refused(request, refusal)),
    }
}

fn evidence(request: &Request, reader: &Reader<'_>, view: &mut View) -> Result<Identity, Interrupt> {
    let refused = |why: &str| Interrupt::from(Refusal::denied().with_private(why));
    let found = match request.redeems.as_ref().and_then(|redeems| redeems.token()) {
        Some(requester) => reader.finder.find(requester, view),
        None => reader.find(request.token.as_ref().ok_or_else(Refusal::denied)?, view),
    };
    let Alive { id, token, slot, revision } = found.map_err(|interrupt| wrapping::explain(request, interrupt))?;
    if !token.may_come_from(request.remote.ip()) {
        return Err(refused("the token is bound to other addresses"));
    }
    let entity = match token.entity {
        None => None,
        Some(entity) => Some(
            identity::find(reader.finder.names, entity, view)?
                .filter(|entity| !entity.disabled)
                .ok_or_else(|| refused("the token's entity is disabled or gone"))?,
        ),
    };
    Ok(Identity { id, token, slot, revision, entity })
}
