//! Who is one and the same human: a person of the charter, however many keys and accounts they have, or else one entity.

use serde::{Deserialize, Serialize};

use crate::charter::{Charter, Name};
use crate::id::EntityId;
use crate::identity::Entity;

/// The entry of an entity's metadata that names the person of the charter who it is, or who answers for it.
pub const PERSON_METADATA: &str = "person";

/// A human, as far as the vault can tell two of them apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Human {
    /// A person of the charter, by name.
    Person(String),
    /// Whoever uses this entity.
    Entity(EntityId),
}

impl Human {
    /// Finds the human behind an entity.
    pub fn of(entity: &Entity, charter: Option<&Charter>) -> Self {
        let named = entity.metadata.get(PERSON_METADATA);
        let known =
            |name: &&String| charter.is_some_and(|charter| charter.people().iter().any(|p| p.name.as_str() == *name));
        named.filter(known).map_or(Self::Entity(entity.id), |name| Self::Person(name.clone()))
    }

    /// Gives the name of the person of the charter.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Person(name) => Some(name),
            Self::Entity(_) => None,
        }
    }

    /// Reads what [`Self::key`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        match kind {
            "person" => Name::parse(rest).ok().map(|name| Self::Person(name.to_string())),
            "entity" => EntityId::parse(rest).map(Self::Entity),
            _ => None,
        }
    }

    /// Names the human in storage and in delegations: `person/NAME` or `entity/ID`.
    pub fn key(&self) -> String {
        match self {
            Self::Person(name) => format!("person/{name}"),
            Self::Entity(id) => format!("entity/{id}"),
        }
    }
}
