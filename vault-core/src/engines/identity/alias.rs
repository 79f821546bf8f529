//! `entity-alias`: what entities are called at auth methods.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::checks::{self, Metadata, given};
use super::list::{self, KEY_INFO_MAX};
use super::{Call, Step, entity};
use crate::engines::Change;
use crate::id::{AliasId, EntityId};
use crate::identity::{self, Alias, Entity};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Most aliases of one entity.
const ALIASES_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Ask {
    id: Option<String>,
    name: Option<String>,
    mount_accessor: Option<String>,
    canonical_id: Option<String>,
    /// The older name of `canonical_id`.
    entity_id: Option<String>,
    custom_metadata: Option<Metadata>,
}

/// An alias with the entity that has it.
struct Owned {
    entity: Entity,
    alias: Alias,
}

pub(super) fn write(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    if let Some(id) = given(ask.id.clone()) {
        let owned = known(call, &id, view)?;
        return change(call, owned, ask, view);
    }
    let name = given(ask.name.clone()).ok_or_else(|| Refusal::invalid("missing alias name"))?;
    let accessor = given(ask.mount_accessor.clone()).ok_or_else(|| Refusal::invalid("missing mount_accessor"))?;
    match by_name(call, &accessor, &name, view)? {
        Some(owned) => change(call, owned, ask, view),
        None => make(call, name, accessor, ask, view, rng),
    }
}

pub(super) fn write_by_id(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let owned = known(call, call.capture("id"), view)?;
    change(call, owned, ask, view)
}

/// Gives an entity an alias, or makes an entity for it.
fn make(
    call: &Call<'_>,
    name: String,
    accessor: String,
    ask: Ask,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    checks::mount(call, &accessor)?;
    let name = checks::name(name)?;
    let owner = match given(ask.canonical_id).or(given(ask.entity_id)) {
        Some(id) => Some(entity::known(call, &id, view)?),
        None => None,
    };
    let mut changes = Vec::new();
    let mut entity = owner.unwrap_or_else(|| {
        let id = EntityId::random(rng);
        let made = Entity::unnamed(id, call.now);
        changes.push(identity::lead(identity::name_slot(call.names, &made.name), id));
        made
    });
    let alias = Alias {
        id: AliasId::random(rng),
        mount_accessor: accessor,
        name,
        metadata: BTreeMap::new(),
        custom_metadata: ask.custom_metadata.map(Metadata::checked).transpose()?.unwrap_or_default(),
        groups: Vec::new(),
        created_at: call.now,
        updated_at: call.now,
    };
    check_room(&entity, &alias.mount_accessor)?;
    let reply = answer(&alias, &entity)?;
    changes.extend(rows(call, &alias).map(|slot| identity::lead(slot, entity.id)));
    entity.aliases.push(alias);
    entity.updated_at = call.now;
    changes.push(identity::store(call.names, &entity)?);
    Ok(Step::commit(reply, changes))
}

/// Renames an alias, moves it to another mount or entity, or changes what people wrote about it.
fn change(call: &Call<'_>, owned: Owned, ask: Ask, view: &mut View) -> Result<Step, Interrupt> {
    let Owned { mut entity, alias: before } = owned;
    let mut alias = before.clone();
    alias.name = given(ask.name).map(checks::name).transpose()?.unwrap_or(alias.name);
    alias.mount_accessor = given(ask.mount_accessor).unwrap_or(alias.mount_accessor);
    if let Some(metadata) = ask.custom_metadata {
        alias.custom_metadata = metadata.checked()?;
    }
    let renamed = (&alias.mount_accessor, &alias.name) != (&before.mount_accessor, &before.name);
    if renamed {
        checks::mount(call, &alias.mount_accessor)?;
        if by_name(call, &alias.mount_accessor, &alias.name, view)?.is_some() {
            return Err(Refusal::invalid("alias with the same name and mount accessor already exists").into());
        }
    }
    let target = match given(ask.canonical_id).or(given(ask.entity_id)) {
        Some(id) if id != entity.id.to_string() => Some(entity::known(call, &id, view)?),
        Some(_) | None => None,
    };
    if renamed || target.is_some() {
        // What the auth method said was said of another name or another entity; the next login says it anew.
        alias.metadata.clear();
        alias.groups.clear();
    }
    alias.updated_at = call.now;
    entity.updated_at = call.now;
    entity.aliases.retain(|own| own.id != alias.id);
    let mut changes = Vec::new();
    if renamed {
        let slot = identity::alias_slot(call.names, &before.mount_accessor, &before.name);
        changes.push(Change::Delete { slot });
    }
    let mut owner = match target {
        Some(target) => {
            changes.push(identity::store(call.names, &entity)?);
            target
        }
        None => entity,
    };
    check_room(&owner, &alias.mount_accessor)?;
    let reply = answer(&alias, &owner)?;
    changes.extend(rows(call, &alias).map(|slot| identity::lead(slot, owner.id)));
    owner.aliases.push(alias);
    owner.updated_at = call.now;
    changes.push(identity::store(call.names, &owner)?);
    Ok(Step::commit(reply, changes))
}

/// Checks that an entity can take one more alias at a mount.
fn check_room(entity: &Entity, accessor: &str) -> Result<(), Refusal> {
    if entity.alias_at(accessor).is_some() {
        return Err(Refusal::invalid(
            "the entity already has an alias at this mount; change that one or delete it first",
        ));
    }
    if entity.aliases.len() >= ALIASES_MAX {
        return Err(Refusal::invalid(format!("an entity has at most {ALIASES_MAX} aliases")));
    }
    Ok(())
}

/// Finds the rows that lead from an alias to its entity.
fn rows(call: &Call<'_>, alias: &Alias) -> [crate::names::Slot; 2] {
    [
        identity::alias_slot(call.names, &alias.mount_accessor, &alias.name),
        identity::alias_id_slot(call.names, alias.id),
    ]
}

fn answer(alias: &Alias, entity: &Entity) -> Result<Reply, Refusal> {
    Reply::data(&json!({ "id": alias.id.to_string(), "canonical_id": entity.id.to_string() }))
}

fn known(call: &Call<'_>, id: &str, view: &mut View) -> Result<Owned, Interrupt> {
    by_id(call, id, view)?.ok_or_else(|| Refusal::invalid(format!("no alias of an entity has the id {id:?}")).into())
}

/// Finds an alias by its id as text.
fn by_id(call: &Call<'_>, id: &str, view: &mut View) -> Result<Option<Owned>, Interrupt> {
    let Some(id) = AliasId::parse(id) else { return Ok(None) };
    let slot = identity::alias_id_slot(call.names, id);
    owned(call, &slot, view, |alias| alias.id == id)
}

/// Finds an alias by what a mount calls it.
fn by_name(call: &Call<'_>, accessor: &str, name: &str, view: &mut View) -> Result<Option<Owned>, Interrupt> {
    let slot = identity::alias_slot(call.names, accessor, name);
    owned(call, &slot, view, |alias| alias.mount_accessor == accessor && alias.name == name)
}

fn owned(
    call: &Call<'_>,
    slot: &crate::names::Slot,
    view: &mut View,
    is_it: impl Fn(&Alias) -> bool,
) -> Result<Option<Owned>, Interrupt> {
    let Some(id) = identity::led(slot, view)? else { return Ok(None) };
    let Some(entity) = identity::read(call.names, id, view)? else { return Ok(None) };
    let alias = entity.aliases.iter().find(|alias| is_it(alias)).cloned();
    Ok(alias.map(|alias| Owned { entity, alias }))
}

/// Finds the entity of an alias that is named by its id.
pub(super) fn entity_of(call: &Call<'_>, id: &str, view: &mut View) -> Result<Option<Entity>, Interrupt> {
    Ok(by_id(call, id, view)?.map(|owned| owned.entity))
}

/// Finds the entity that a mount calls so.
pub(super) fn entity_called(
    call: &Call<'_>,
    accessor: &str,
    name: &str,
    view: &mut View,
) -> Result<Option<Entity>, Interrupt> {
    Ok(by_name(call, accessor, name, view)?.map(|owned| owned.entity))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let owned = by_id(call, call.capture("id"), view)?.ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&describe(call, &owned.alias, owned.entity.id))?))
}

pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let Some(Owned { mut entity, alias }) = by_id(call, call.capture("id"), view)? else {
        return Ok(Step::answer(Reply::Empty));
    };
    entity.aliases.retain(|own| own.id != alias.id);
    entity.updated_at = call.now;
    let mut changes: Vec<Change> = rows(call, &alias).map(|slot| Change::Delete { slot }).into();
    changes.push(identity::store(call.names, &entity)?);
    Ok(Step::commit(Reply::Empty, changes))
}

/// Describes an alias as stock clients expect it.
pub(super) fn describe(call: &Call<'_>, alias: &Alias, entity: EntityId) -> Value {
    let ids = (alias.id.to_string(), entity.to_string());
    let names = (alias.mount_accessor.as_str(), alias.name.as_str());
    let mut described = checks::describe_alias(call, ids, names, (alias.created_at, alias.updated_at));
    if let Value::Object(fields) = &mut described {
        fields.insert("metadata".to_owned(), json!(checks::or_null(&alias.metadata)));
        fields.insert("custom_metadata".to_owned(), json!(checks::or_null(&alias.custom_metadata)));
    }
    described
}

/// Describes an alias in a list of entities.
pub(super) fn describe_briefly(call: &Call<'_>, alias: &Alias) -> Value {
    let (path, kind) = checks::describe_mount(call, &alias.mount_accessor);
    json!({
        "id": alias.id.to_string(),
        "metadata": checks::or_null(&alias.metadata),
        "mount_accessor": alias.mount_accessor,
        "mount_path": path,
        "mount_type": kind,
        "name": alias.name,
    })
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let keys = list::page(call, view.list(&identity::alias_ids_folder(call.names))?)?;
    if keys.len() > KEY_INFO_MAX {
        return Ok(list::with_info(&keys, None)?);
    }
    let ids: Vec<AliasId> = keys.iter().filter_map(|key| AliasId::parse(key)).collect();
    let leading: Vec<_> = ids.iter().map(|id| identity::alias_id_slot(call.names, *id)).collect();
    view.prefetch(&leading);
    let mut owners = Vec::with_capacity(ids.len());
    for slot in &leading {
        owners.extend(identity::led(slot, view)?);
    }
    let slots: Vec<_> = owners.iter().map(|id| identity::slot(call.names, *id)).collect();
    view.prefetch(&slots);
    let mut info = Map::new();
    for id in ids {
        let Some(Owned { entity, alias }) = by_id(call, &id.to_string(), view)? else { continue };
        let mut described = describe_briefly(call, &alias);
        if let Value::Object(fields) = &mut described {
            fields.remove("id");
            fields.insert("canonical_id".to_owned(), entity.id.to_string().into());
            fields.insert("custom_metadata".to_owned(), json!(checks::or_null(&alias.custom_metadata)));
            fields.insert("local".to_owned(), false.into());
        }
        info.insert(id.to_string(), described);
    }
    Ok(list::with_info(&keys, Some(info))?)
}
