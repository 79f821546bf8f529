//! Identity: entities, what they are called at each auth mount, and the groups they are in.
//!
//! An entity is read with each request of its tokens, so a change holds at once. Groups are few and kept in memory with
//! mounts and policies ([`Groups`]). Formats: docs/formats.md, "Records".

mod entity;
mod group;

pub use entity::{Alias, Entity};
pub(crate) use entity::{
    alias_id_slot, alias_slot, find, folder as entities, lead, led, merge_into, name_slot, read, remove, store,
};
pub use group::{GROUPS_MAX, Group, GroupAlias, GroupKind, Groups};
pub(crate) use group::{folder as groups, load as load_groups, slot as group_slot};
