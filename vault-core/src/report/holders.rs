//! Who has which rules: humans, and tokens that act for none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::Census;
use crate::approval::Human;
use crate::auth::token::Token;
use crate::auth::{facts_of, policies_of};
use crate::id::EntityId;
use crate::identity::Entity;
use crate::policy::{IdentityFacts, Policy};

/// One who can act: a human as far as the vault can tell, or a token that acts for none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    /// A person of the charter, with all their entities.
    Person {
        /// What the charter calls them.
        name: String,
    },
    /// Whoever uses an entity.
    Entity {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Whoever has a token that acts for no entity.
    Token {
        /// Its accessor.
        accessor: String,
        /// What people see of it.
        display_name: String,
    },
}

/// All who act by the same policies.
pub(super) struct Holder {
    /// The policies.
    pub(super) policies: Vec<Arc<Policy>>,
    /// Who they are, by what templates may know of them.
    pub(super) members: Vec<(IdentityFacts, BTreeSet<Owner>)>,
}

/// Everybody who can act.
pub(super) struct Holders {
    pub(super) all: Vec<Holder>,
    pub(super) root_tokens: Vec<Owner>,
}

impl Owner {
    fn of_entity(entity: &Entity, census: &Census<'_>) -> Self {
        match Human::of(entity, census.charter) {
            Human::Person(name) => Self::Person { name },
            Human::Entity(id) => Self::Entity { id: id.to_string(), name: entity.name.clone() },
        }
    }

    fn of_token(token: &Token) -> Self {
        Self::Token { accessor: token.accessor.clone(), display_name: token.display_name.clone() }
    }
}

/// Those with the same policies, by id of their entity; all tokens without one are the same to templates.
type Members = BTreeMap<Option<EntityId>, (IdentityFacts, BTreeSet<Owner>)>;

impl Holders {
    /// Finds everybody who can act: each entity by what it brings to a token, and each token by what it has besides.
    pub(super) fn of(census: &Census<'_>) -> Self {
        let mut entities: HashMap<EntityId, &Entity> = HashMap::new();
        let mut found: BTreeMap<BTreeSet<String>, Members> = BTreeMap::new();
        let mut add = |policies: BTreeSet<String>, entity: Option<&Entity>, owner: Owner| {
            let facts = || entity.map(|entity| facts_of(entity, census.tables)).unwrap_or_default();
            let members = found.entry(policies).or_default();
            let member = members.entry(entity.map(|entity| entity.id)).or_insert_with(|| (facts(), BTreeSet::new()));
            member.1.insert(owner);
        };
        for entity in census.entities.iter().filter(|entity| !entity.disabled) {
            entities.extend(entity.merged.iter().chain([&entity.id]).map(|id| (*id, entity)));
            add(policies_of(entity, census.tables), Some(entity), Owner::of_entity(entity, census));
        }
        let mut root_tokens = Vec::new();
        for token in census.tokens {
            let entity = match token.entity {
                None => None,
                Some(id) => match entities.get(&id) {
                    Some(entity) => Some(*entity),
                    // Its entity is disabled or gone, and so it is dead.
                    None => continue,
                },
            };
            if token.policies.iter().any(|policy| policy == "root") {
                root_tokens.push(Owner::of_token(token));
                continue;
            }
            let mut policies: BTreeSet<String> = token.policies.iter().cloned().collect();
            policies.extend(entity.map(|entity| policies_of(entity, census.tables)).unwrap_or_default());
            let owner = entity.map_or_else(|| Owner::of_token(token), |entity| Owner::of_entity(entity, census));
            add(policies, entity, owner);
        }
        root_tokens.sort_unstable();
        let holder = |(names, members): (BTreeSet<String>, Members)| Holder {
            policies: names.iter().filter_map(|name| census.tables.policy(name)).map(Arc::clone).collect(),
            members: members.into_values().collect(),
        };
        Self { all: found.into_iter().map(holder).collect(), root_tokens }
    }
}
