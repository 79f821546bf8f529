//! Identity: entities, what they are called at each auth mount, and the groups they are in.
//!
//! An entity is read with each request of its tokens, so a change holds at once. Groups are few and kept in memory with
//! mounts and policies ([`Groups`]). Formats: docs/formats.md, "Records".

mod entity;
mod group;

pub use entity::{Alias, Entity};
pub(crate) use entity::{
    alias_id_slot, alias_ids_folder, alias_slot, find, folder as entities, ids as entity_ids, lead, led, merge_into,
    name_slot, names_folder, prefetch as prefetch_entities, prefetch_found, read, remove, slot, store,
};
pub use group::{GROUPS_MAX, Group, GroupAlias, GroupKind, Groups};
pub(crate) use group::{
    alias_id_slot as group_alias_id_slot, alias_slot as group_alias_slot, lead as lead_to_group, led as led_to_group,
    load as load_groups, name_slot as group_name_slot, read as read_group, remove as remove_group, slot as group_slot,
};
