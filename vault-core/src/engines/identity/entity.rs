//! `entity`: people and applications.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::checks::{self, Flag, Metadata, given};
use super::edits::Edits;
use super::list::{self, KEY_INFO_MAX};
use super::{Call, Step, alias};
use crate::engines::Change;
use crate::field::Texts;
use crate::id::{EntityId, GroupId};
use crate::identity::{self, Entity};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Most entities that one call removes.
const BATCH_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Ask {
    id: Option<String>,
    name: Option<String>,
    metadata: Option<Metadata>,
    policies: Option<Texts>,
    disabled: Option<Flag>,
}

pub(super) fn write(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut ask: Ask = call.request.parse()?;
    let before = match (given(ask.id.take()), given(ask.name.clone())) {
        (Some(id), _) => Some(known(call, &id, view)?),
        (None, Some(name)) => by_name(call, &name, view)?,
        (None, None) => None,
    };
    save(call, before, ask, view, rng)
}

pub(super) fn write_by_id(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let before = known(call, call.capture("id"), view)?;
    save(call, Some(before), ask, view, rng)
}

pub(super) fn write_by_name(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut ask: Ask = call.request.parse()?;
    let name = call.capture("name");
    checks::same_name(name, ask.name.as_ref())?;
    let before = by_name(call, name, view)?;
    // A change does not touch the case in which the name was written first.
    ask.name = before.is_none().then(|| name.to_owned());
    save(call, before, ask, view, rng)
}

/// Stores a new entity, or the changes of one that is there.
fn save(
    call: &Call<'_>,
    before: Option<Entity>,
    ask: Ask,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    let is_new = before.is_none();
    let mut changes = Vec::new();
    let mut entity = before.unwrap_or_else(|| {
        let id = EntityId::random(rng);
        Entity::unnamed(id, call.now)
    });
    let asked_name = given(ask.name).map(checks::name).transpose()?;
    let slot_before = identity::name_slot(call.names, &entity.name);
    // A name that is drawn meets no other; one that is asked for may.
    if let Some(name) = asked_name {
        let owner = identity::led(&identity::name_slot(call.names, &name), view)?;
        if owner.is_some_and(|owner| owner != entity.id) {
            return Err(Refusal::invalid("entity name is already in use").into());
        }
        entity.name = name;
    }
    let slot = identity::name_slot(call.names, &entity.name);
    if !is_new && slot.key() != slot_before.key() {
        changes.push(Change::Delete { slot: slot_before });
    }
    changes.push(identity::lead(slot, entity.id));
    if let Some(metadata) = ask.metadata {
        entity.metadata = metadata.checked()?;
    }
    if let Some(policies) = ask.policies {
        entity.policies = checks::policies(policies)?;
    }
    if let Some(disabled) = ask.disabled {
        entity.disabled = disabled.checked("disabled")?;
    }
    entity.updated_at = call.now;
    changes.push(identity::store(call.names, &entity)?);
    let reply = if is_new {
        Reply::data(&json!({ "id": entity.id.to_string(), "aliases": null, "name": entity.name }))?
    } else {
        Reply::Empty
    };
    Ok(Step::commit(reply, changes))
}

/// Finds an entity that a caller names by id.
pub(super) fn known(call: &Call<'_>, id: &str, view: &mut View) -> Result<Entity, Interrupt> {
    by_id(call, id, view)?.ok_or_else(|| Refusal::invalid(format!("no entity has the id {id:?}")).into())
}

/// Finds an entity by its id as text.
pub(super) fn by_id(call: &Call<'_>, id: &str, view: &mut View) -> Result<Option<Entity>, Interrupt> {
    match EntityId::parse(id) {
        Some(id) => identity::read(call.names, id, view),
        None => Ok(None),
    }
}

/// Finds an entity by its name.
pub(super) fn by_name(call: &Call<'_>, name: &str, view: &mut View) -> Result<Option<Entity>, Interrupt> {
    match identity::led(&identity::name_slot(call.names, name), view)? {
        Some(id) => identity::read(call.names, id, view),
        None => Ok(None),
    }
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let entity = by_id(call, call.capture("id"), view)?.ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&describe(call, &entity))?))
}

pub(super) fn read_by_name(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let entity = by_name(call, call.capture("name"), view)?.ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&describe(call, &entity))?))
}

/// Describes an entity as stock clients expect it.
pub(super) fn describe(call: &Call<'_>, entity: &Entity) -> Value {
    let groups = call.tables.groups();
    let texts = |ids: &BTreeSet<GroupId>| -> Vec<String> { ids.iter().map(ToString::to_string).collect() };
    let (direct, all) = (groups.direct(entity), groups.of(entity));
    let inherited: BTreeSet<GroupId> = all.difference(&direct).copied().collect();
    let merged: Vec<String> = entity.merged.iter().map(ToString::to_string).collect();
    let aliases: Vec<Value> = entity.aliases.iter().map(|own| alias::describe(call, own, entity.id)).collect();
    json!({
        "aliases": aliases,
        "creation_time": entity.created_at.to_string(),
        "direct_group_ids": texts(&direct),
        "disabled": entity.disabled,
        "group_ids": texts(&all),
        "id": entity.id.to_string(),
        "inherited_group_ids": texts(&inherited),
        "last_update_time": entity.updated_at.to_string(),
        "merged_entity_ids": Some(merged).filter(|merged| !merged.is_empty()),
        "metadata": checks::or_null(&entity.metadata),
        "mfa_secrets": {},
        "name": entity.name,
        "namespace_id": "root",
        "policies": entity.policies,
    })
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let keys = list::page(call, view.list(&identity::entities(call.names))?)?;
    if keys.len() > KEY_INFO_MAX {
        return Ok(list::with_info(&keys, None)?);
    }
    let ids: Vec<EntityId> = keys.iter().filter_map(|key| EntityId::parse(key)).collect();
    let slots: Vec<_> = ids.iter().map(|id| identity::slot(call.names, *id)).collect();
    view.prefetch(&slots);
    let mut info = Map::new();
    for id in ids {
        let Some(entity) = identity::read(call.names, id, view)? else { continue };
        let aliases: Vec<Value> = entity.aliases.iter().map(|own| alias::describe_briefly(call, own)).collect();
        info.insert(id.to_string(), json!({ "name": entity.name, "aliases": aliases }));
    }
    Ok(list::with_info(&keys, Some(info))?)
}

pub(super) fn list_names(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let keys = list::page(call, view.list(&identity::names_folder(call.names))?)?;
    Ok(list::names(&keys)?)
}

pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let entity = by_id(call, call.capture("id"), view)?;
    remove(call, entity, view)
}

pub(super) fn delete_by_name(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let entity = by_name(call, call.capture("name"), view)?;
    remove(call, entity, view)
}

#[derive(Deserialize)]
struct Many {
    entity_ids: Option<Texts>,
}

/// Removes entities; ids that are nobody's are passed over, as in Vault.
pub(super) fn delete_many(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let many: Many = call.request.parse()?;
    let ids: BTreeSet<String> = many.entity_ids.map(Texts::into_list).unwrap_or_default().into_iter().collect();
    if ids.is_empty() || ids.len() > BATCH_MAX {
        return Err(Refusal::invalid(format!("'entity_ids' must be a list of 1 to {BATCH_MAX} ids")).into());
    }
    prefetch(call, &ids, view);
    let mut entities = Vec::with_capacity(ids.len());
    for id in &ids {
        entities.extend(by_id(call, id, view)?);
    }
    remove(call, entities, view)
}

/// Fetches entities together that a caller names by id.
pub(super) fn prefetch(call: &Call<'_>, ids: &BTreeSet<String>, view: &mut View) {
    let slots: Vec<_> = ids.iter().filter_map(|id| Some(identity::slot(call.names, EntityId::parse(id)?))).collect();
    view.prefetch(&slots);
}

/// Removes entities, the rows that lead to them, and their places in groups. Their tokens are dead from then on.
fn remove(call: &Call<'_>, entities: impl IntoIterator<Item = Entity>, view: &mut View) -> Result<Step, Interrupt> {
    let entities: Vec<Entity> = entities.into_iter().collect();
    Edits::prefetch(call, entities.iter().map(|entity| entity.id), view);
    let mut changes = Vec::new();
    let mut edits = Edits::default();
    for entity in entities {
        edits.replace_entity(call, entity.id, None, view)?;
        changes.extend(identity::remove(call.names, &entity));
    }
    Ok(edits.commit(call, Reply::Empty, changes)?)
}
