//! Groups of entities: internal ones, whose members people name, and external ones, whose members auth methods name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Entity;
use super::entity::led_id;
use crate::engines::Change;
use crate::id::{AliasId, EntityId, GroupId};
use crate::names::{Domain, Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

const GROUP_VERSION: u8 = 1;

/// Most groups of one vault; all are kept in memory.
pub const GROUPS_MAX: usize = 10_000;

/// How a group comes to its members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum GroupKind {
    /// People name entities and groups.
    Internal,
    /// An auth method names them by the group's alias.
    External,
}

/// A group of entities and of other groups.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Names it for its whole life.
    pub id: GroupId,
    /// Names it to people; unique regardless of case.
    pub name: String,
    /// How it comes to its members.
    pub kind: GroupKind,
    /// Policies of its members.
    pub policies: Vec<String>,
    /// What people wrote about it.
    pub metadata: BTreeMap<String, String>,
    /// Entities that are members, of an internal group.
    pub member_entities: Vec<EntityId>,
    /// Groups whose members are members.
    pub member_groups: Vec<GroupId>,
    /// What an external group is called at a mount.
    pub alias: Option<GroupAlias>,
    /// Counts its changes, from 1.
    pub modify_index: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an external group is called at a mount.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupAlias {
    /// Names it for its whole life.
    pub id: AliasId,
    /// The mount, by its accessor.
    pub mount_accessor: String,
    /// The name there.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// All groups, arranged so that those of an entity are found without looking at the others.
#[derive(Default)]
pub struct Groups {
    groups: BTreeMap<GroupId, Arc<Group>>,
    of_entity: HashMap<EntityId, Vec<GroupId>>,
    above: HashMap<GroupId, Vec<GroupId>>,
    external: HashMap<(String, String), GroupId>,
    by_name: HashMap<String, GroupId>,
}

impl Groups {
    /// Arranges groups.
    pub fn new(groups: impl IntoIterator<Item = Group>) -> Self {
        let mut all = Self::default();
        for group in groups {
            for entity in &group.member_entities {
                all.of_entity.entry(*entity).or_default().push(group.id);
            }
            for below in &group.member_groups {
                all.above.entry(*below).or_default().push(group.id);
            }
            if let Some(alias) = &group.alias {
                all.external.insert((alias.mount_accessor.clone(), alias.name.clone()), group.id);
            }
            all.by_name.insert(group.name.to_lowercase(), group.id);
            all.groups.insert(group.id, Arc::new(group));
        }
        all
    }

    /// Leaves external groups without members from now on if their mount is not among those that `is_there` tells of.
    pub(crate) fn retain_mounts(&mut self, is_there: impl Fn(&str) -> bool) {
        self.external.retain(|(accessor, _), _| is_there(accessor));
    }

    /// Counts them.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Lists the internal groups that name an entity as a member.
    pub fn naming(&self, entity: EntityId) -> &[GroupId] {
        self.of_entity.get(&entity).map_or(&[], Vec::as_slice)
    }

    /// Lists the groups that a group is a member of itself.
    pub fn parents(&self, group: GroupId) -> &[GroupId] {
        self.above.get(&group).map_or(&[], Vec::as_slice)
    }

    /// Lists all groups by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// Finds a group.
    pub fn get(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }

    /// Finds a group by its name, whatever its case.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Group>> {
        self.get(*self.by_name.get(&name.to_lowercase())?)
    }

    /// Lists the groups that an entity is in itself, in the order of their ids.
    pub fn direct(&self, entity: &Entity) -> BTreeSet<GroupId> {
        let mut found: BTreeSet<GroupId> = self.of_entity.get(&entity.id).into_iter().flatten().copied().collect();
        if !self.external.is_empty() {
            for alias in &entity.aliases {
                let named = alias.groups.iter().map(|name| (alias.mount_accessor.clone(), name.clone()));
                found.extend(named.filter_map(|key| self.external.get(&key)));
            }
        }
        found
    }

    /// Lists the groups that an entity is in, itself or through others, in the order of their ids.
    pub fn of(&self, entity: &Entity) -> BTreeSet<GroupId> {
        let mut found = self.direct(entity);
        let mut waiting: Vec<GroupId> = found.iter().copied().collect();
        // Each group is looked at once, so that groups within each other in a circle come to an end.
        while let Some(below) = waiting.pop() {
            for above in self.above.get(&below).into_iter().flatten() {
                if found.insert(*above) {
                    waiting.push(*above);
                }
            }
        }
        found
    }
}

/// Finds the folder of all groups.
pub(crate) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "groups")
}

/// Finds the row of a group.
pub(crate) fn slot(names: &Names, id: GroupId) -> Slot {
    names.entry(&folder(names), &id.to_string())
}

/// Finds the row that leads from a name, whatever its case, to the group's id.
pub(crate) fn name_slot(names: &Names, name: &str) -> Slot {
    names.entry_listed_as(&names.root(Domain::System, "group-names"), &name.to_lowercase(), name)
}

/// Finds the row that leads from a name at a mount to the group's id.
pub(crate) fn alias_slot(names: &Names, mount_accessor: &str, name: &str) -> Slot {
    let folder = names.folder(&names.root(Domain::System, "group-aliases"), mount_accessor);
    names.entry(&folder, name)
}

/// Finds the row that leads from an alias's id to its group's.
pub(crate) fn alias_id_slot(names: &Names, id: AliasId) -> Slot {
    names.entry(&names.root(Domain::System, "group-alias-ids"), &id.to_string())
}

/// Gives the change that lets a row lead to a group.
pub(crate) fn lead(slot: Slot, id: GroupId) -> Change {
    Change::Put { slot, payload: SecretBytes::new(id.0.to_vec()) }
}

/// Reads where a row leads.
///
/// # Errors
/// Stops when the row must be fetched first or is damaged.
pub(crate) fn led(slot: &Slot, view: &mut View) -> Result<Option<GroupId>, Interrupt> {
    Ok(led_id(slot, view)?.map(GroupId))
}

/// Reads a group as it is stored, which those in memory may be behind of.
///
/// # Errors
/// Stops when the row must be fetched first or cannot be read.
pub(crate) fn read(names: &Names, id: GroupId, view: &mut View) -> Result<Option<Group>, Interrupt> {
    match view.entry(&slot(names, id))? {
        None => Ok(None),
        Some(row) => Ok(Some(record_format::decode(GROUP_VERSION, &row.payload)?)),
    }
}

/// Gives the changes that remove a group with every row that leads to it.
pub(crate) fn remove(names: &Names, group: &Group) -> Vec<Change> {
    let mut slots = vec![slot(names, group.id), name_slot(names, &group.name)];
    if let Some(alias) = &group.alias {
        slots.push(alias_slot(names, &alias.mount_accessor, &alias.name));
        slots.push(alias_id_slot(names, alias.id));
    }
    slots.into_iter().map(|slot| Change::Delete { slot }).collect()
}

impl Group {
    /// Makes a group without policies or members.
    pub fn new(id: GroupId, name: String, kind: GroupKind, now: Timestamp) -> Self {
        Self {
            id,
            name,
            kind,
            policies: Vec::new(),
            metadata: BTreeMap::new(),
            member_entities: Vec::new(),
            member_groups: Vec::new(),
            alias: None,
            modify_index: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// Gives the change that stores the group, and counts it; the rows that lead to it are the caller's.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub(crate) fn store(mut self, names: &Names, now: Timestamp) -> Result<Change, Refusal> {
        self.modify_index = self.modify_index.saturating_add(1);
        self.updated_at = now;
        Ok(Change::Put { slot: slot(names, self.id), payload: record_format::encode(GROUP_VERSION, &self)? })
    }
}

/// Reads all groups.
///
/// # Errors
/// Stops when something must be fetched first or cannot be read.
pub(crate) fn load(names: &Names, view: &mut View) -> Result<Groups, Interrupt> {
    let folder = folder(names);
    let slots: Vec<Slot> = view.list(&folder)?.iter().map(|name| names.entry(&folder, name)).collect();
    view.prefetch(&slots);
    let mut groups = Vec::with_capacity(slots.len());
    for slot in &slots {
        if let Some(row) = view.entry(slot)? {
            groups.push(record_format::decode::<Group>(GROUP_VERSION, &row.payload)?);
        }
    }
    Ok(Groups::new(groups))
}
