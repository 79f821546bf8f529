//! The endpoints of `identity/`: entities, their aliases, and groups. Each kind has a file of its own.
//!
//! Whoever may write here gives policies to others, and so to themselves: all but `root`. As in Vault the rules of the
//! caller decide alone; see SECURITY.md.

mod alias;
mod checks;
mod edits;
mod entity;
mod group;
mod group_alias;
mod list;
mod lookup;
mod merge;

use super::{Call, Engine, Route, Step};
use crate::mounts::Mount;
use crate::names::{Folder, Names};
use crate::request::Operation::{Delete, List, Read, Write};

/// The engine of type `identity`.
pub(super) struct IdentityStore;

static ROUTES: &[Route] = &[
    Route::new("entity", &[(Write, entity::write)], "Makes or changes an entity"),
    Route::new("entity/id", &[(List, entity::list)], "Lists entities by id"),
    Route::new(
        "entity/id/{id}",
        &[(Read, entity::read), (Write, entity::write_by_id), (Delete, entity::delete)],
        "An entity by its id",
    ),
    Route::new("entity/name", &[(List, entity::list_names)], "Lists entities by name"),
    Route::new(
        "entity/name/{name}",
        &[(Read, entity::read_by_name), (Write, entity::write_by_name), (Delete, entity::delete_by_name)],
        "An entity by its name",
    ),
    Route::new("entity/batch-delete", &[(Write, entity::delete_many)], "Removes entities"),
    Route::new("entity/merge", &[(Write, merge::merge)], "Merges entities into one"),
    Route::new("entity-alias", &[(Write, alias::write)], "Makes or changes an alias of an entity"),
    Route::new("entity-alias/id", &[(List, alias::list)], "Lists aliases of entities by id"),
    Route::new(
        "entity-alias/id/{id}",
        &[(Read, alias::read), (Write, alias::write_by_id), (Delete, alias::delete)],
        "An alias of an entity by its id",
    ),
    Route::new("group", &[(Write, group::write)], "Makes or changes a group"),
    Route::new("group/id", &[(List, group::list)], "Lists groups by id"),
    Route::new(
        "group/id/{id}",
        &[(Read, group::read), (Write, group::write_by_id), (Delete, group::delete)],
        "A group by its id",
    ),
    Route::new("group/name", &[(List, group::list_names)], "Lists groups by name"),
    Route::new(
        "group/name/{name}",
        &[(Read, group::read_by_name), (Write, group::write_by_name), (Delete, group::delete_by_name)],
        "A group by its name",
    ),
    Route::new("group-alias", &[(Write, group_alias::write)], "Makes or changes the alias of an external group"),
    Route::new("group-alias/id", &[(List, group_alias::list)], "Lists aliases of groups by id"),
    Route::new(
        "group-alias/id/{id}",
        &[(Read, group_alias::read), (Write, group_alias::write_by_id), (Delete, group_alias::delete)],
        "An alias of a group by its id",
    ),
    Route::new("lookup/entity", &[(Write, lookup::entity)], "Finds an entity"),
    Route::new("lookup/group", &[(Write, lookup::group)], "Finds a group"),
];

impl Engine for IdentityStore {
    fn kind(&self) -> &'static str {
        "identity"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        ROUTES
    }

    /// Its rows are the system's: they decide about requests.
    fn folders(&self, _: &Mount, _: &Names) -> Vec<Folder> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
