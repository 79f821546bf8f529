//! Entities and their aliases.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::engines::Change;
use crate::id::{AliasId, EntityId};
use crate::names::{Domain, Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

const ENTITY_VERSION: u8 = 1;

/// Longest chain of merged entities that is followed.
const MERGES_MAX: usize = 16;

/// A person or an application.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entity {
    /// Names it for its whole life.
    pub id: EntityId,
    /// Names it to people; unique regardless of case.
    pub name: String,
    /// Policies of all its tokens, besides their own.
    pub policies: Vec<String>,
    /// What people wrote about it.
    pub metadata: BTreeMap<String, String>,
    /// Whether its tokens are refused.
    pub disabled: bool,
    /// What it is called at each mount; at most one for each.
    pub aliases: Vec<Alias>,
    /// Entities that were merged into it.
    pub merged: Vec<EntityId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an entity is called at one mount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alias {
    /// Names it for its whole life.
    pub id: AliasId,
    /// The mount, by its accessor.
    pub mount_accessor: String,
    /// The name there, as the auth method gives it.
    pub name: String,
    /// What the auth method said of it at the last login.
    pub metadata: BTreeMap<String, String>,
    /// What people wrote about it.
    pub custom_metadata: BTreeMap<String, String>,
    /// Names of the groups that the auth method said it is in at the last login: they lead to external groups.
    pub groups: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A row of the folder of entities, or of the folder of those that were merged away.
#[derive(Serialize, Deserialize)]
enum Stored {
    Entity(Entity),
    /// Its tokens now belong to another.
    MergedInto(EntityId),
}

impl Entity {
    /// Makes an entity that nobody has named yet: its id and its name are drawn.
    pub fn unnamed(now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let id = EntityId::random(rng);
        Self::new(id, format!("entity_{id}"), now)
    }

    /// Makes an entity without policies or aliases.
    pub fn new(id: EntityId, name: String, now: Timestamp) -> Self {
        Self {
            id,
            name,
            policies: Vec::new(),
            metadata: BTreeMap::new(),
            disabled: false,
            aliases: Vec::new(),
            merged: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }

    /// Gives the alias at a mount.
    pub fn alias_at(&self, mount_accessor: &str) -> Option<&Alias> {
        self.aliases.iter().find(|alias| alias.mount_accessor == mount_accessor)
    }
}

/// Finds the folder of all entities.
pub(crate) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "entities")
}

/// Finds the row of an entity.
pub(crate) fn slot(names: &Names, id: EntityId) -> Slot {
    names.entry(&folder(names), &id.to_string())
}

/// Lists the ids of all entities.
///
/// # Errors
/// Stops when they must be fetched first.
pub(crate) fn ids(names: &Names, view: &mut View) -> Result<Vec<EntityId>, Interrupt> {
    Ok(view.list(&folder(names))?.iter().filter_map(|name| EntityId::parse(name)).collect())
}

/// Has the rows of some entities fetched together.
pub(crate) fn prefetch(names: &Names, ids: &[EntityId], view: &mut View) {
    let slots: Vec<Slot> = ids.iter().map(|id| slot(names, *id)).collect();
    view.prefetch(&slots);
}

/// Finds the row that says into which entity another was merged. They lie apart, so that listing entities shows none.
fn merged_slot(names: &Names, id: EntityId) -> Slot {
    names.entry(&names.root(Domain::System, "merged-entities"), &id.to_string())
}

/// Finds the folder of the names of all entities.
pub(crate) fn names_folder(names: &Names) -> Folder {
    names.root(Domain::System, "entity-names")
}

/// Finds the row that leads from a name, whatever its case, to the entity's id.
pub(crate) fn name_slot(names: &Names, name: &str) -> Slot {
    names.entry_listed_as(&names_folder(names), &name.to_lowercase(), name)
}

/// Finds the row that leads from a name at a mount to the entity's id.
pub(crate) fn alias_slot(names: &Names, mount_accessor: &str, name: &str) -> Slot {
    let folder = names.folder(&names.root(Domain::System, "entity-aliases"), mount_accessor);
    names.entry(&folder, name)
}

/// Finds the folder of the ids of all aliases.
pub(crate) fn alias_ids_folder(names: &Names) -> Folder {
    names.root(Domain::System, "entity-alias-ids")
}

/// Finds the row that leads from an alias's id to its entity's.
pub(crate) fn alias_id_slot(names: &Names, id: AliasId) -> Slot {
    names.entry(&alias_ids_folder(names), &id.to_string())
}

/// Reads an entity by its own id; one that was merged away is not there.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(crate) fn read(names: &Names, id: EntityId, view: &mut View) -> Result<Option<Entity>, Interrupt> {
    match row(&slot(names, id), view)? {
        Some(Stored::Entity(entity)) => Ok(Some(entity)),
        Some(Stored::MergedInto(_)) | None => Ok(None),
    }
}

/// Finds the entity that a token belongs to, following merges.
///
/// # Errors
/// Stops when a row must be fetched first or cannot be read.
pub(crate) fn find(names: &Names, id: EntityId, view: &mut View) -> Result<Option<Entity>, Interrupt> {
    let mut id = id;
    for _ in 0..MERGES_MAX {
        if let Some(entity) = read(names, id, view)? {
            return Ok(Some(entity));
        }
        match row(&merged_slot(names, id), view)? {
            Some(Stored::MergedInto(into)) => id = into,
            Some(Stored::Entity(_)) | None => return Ok(None),
        }
    }
    Ok(None)
}

/// Notes down what [`find`] will read, so that one round fetches it together.
pub(crate) fn prefetch_found(names: &Names, ids: impl IntoIterator<Item = EntityId>, view: &mut View) {
    let ids: BTreeSet<EntityId> = ids.into_iter().collect();
    let slots: Vec<Slot> = ids.into_iter().flat_map(|id| [slot(names, id), merged_slot(names, id)]).collect();
    view.prefetch(&slots);
}

fn row(slot: &Slot, view: &mut View) -> Result<Option<Stored>, Interrupt> {
    match view.entry(slot)? {
        None => Ok(None),
        Some(opened) => Ok(Some(record_format::decode(ENTITY_VERSION, &opened.payload)?)),
    }
}

/// Gives the change that stores an entity's own row; the rows that lead to it are the caller's.
///
/// # Errors
/// Refuses with an internal error if it cannot be written.
pub(crate) fn store(names: &Names, entity: &Entity) -> Result<Change, Refusal> {
    let payload = record_format::encode(ENTITY_VERSION, &Stored::Entity(entity.clone()))?;
    Ok(Change::Put { slot: slot(names, entity.id), payload })
}

/// Gives the changes that hand the tokens of an entity to another, with those of the entities that were merged into it
/// before: so each of them leads there in one step.
///
/// # Errors
/// Refuses with an internal error if they cannot be written.
pub(crate) fn merge_into(names: &Names, from: &Entity, into: EntityId) -> Result<Vec<Change>, Refusal> {
    let mut changes = vec![Change::Delete { slot: slot(names, from.id) }];
    for id in from.merged.iter().chain([&from.id]) {
        let payload = record_format::encode(ENTITY_VERSION, &Stored::MergedInto(into))?;
        changes.push(Change::Put { slot: merged_slot(names, *id), payload });
    }
    Ok(changes)
}

/// Gives the changes that remove an entity with every row that leads to it: its tokens, and those of the entities that
/// were merged into it, are dead from then on.
pub(crate) fn remove(names: &Names, entity: &Entity) -> Vec<Change> {
    let mut slots = vec![slot(names, entity.id), name_slot(names, &entity.name)];
    slots.extend(entity.merged.iter().map(|id| merged_slot(names, *id)));
    for alias in &entity.aliases {
        slots.push(alias_slot(names, &alias.mount_accessor, &alias.name));
        slots.push(alias_id_slot(names, alias.id));
    }
    slots.into_iter().map(|slot| Change::Delete { slot }).collect()
}

/// Gives the change that lets a row lead to an entity.
pub(crate) fn lead(slot: Slot, id: EntityId) -> Change {
    Change::Put { slot, payload: SecretBytes::new(id.0.to_vec()) }
}

/// Reads where a row leads.
///
/// # Errors
/// Stops when the row must be fetched first or is damaged.
pub(crate) fn led(slot: &Slot, view: &mut View) -> Result<Option<EntityId>, Interrupt> {
    Ok(led_id(slot, view)?.map(EntityId))
}

/// Reads the 16 bytes of the id that a row leads to.
pub(super) fn led_id(slot: &Slot, view: &mut View) -> Result<Option<[u8; 16]>, Interrupt> {
    match view.entry(slot)? {
        None => Ok(None),
        Some(opened) => match opened.payload.expose().try_into() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(Refusal::internal("a row that leads to an entity or a group is damaged").into()),
        },
    }
}
