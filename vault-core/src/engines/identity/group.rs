//! `group`: groups of entities and of groups.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::checks::{self, Metadata, given};
use super::edits::Edits;
use super::{Call, Step, group_alias, list};
use crate::engines::{Change, Effect};
use crate::field::Texts;
use crate::id::{EntityId, GroupId};
use crate::identity::{self, GROUPS_MAX, Group, GroupKind};
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::view::{Interrupt, View};

/// Most entities and most groups that one group names.
const MEMBER_ENTITIES_MAX: usize = 5_000;
const MEMBER_GROUPS_MAX: usize = 1_000;

/// Most groups that one entity is named by: all of them are written when it is deleted.
const GROUPS_OF_ENTITY_MAX: usize = 1_000;

/// Most entities that there can be for the members of an external group to be listed: each listing reads all of them.
const ENTITIES_LISTED_MAX: usize = 2_000;

/// Most levels of groups within each other, and most groups below one: all of them are read when it is written.
const NESTING_MAX: usize = 32;
const GROUPS_BELOW_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Ask {
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    metadata: Option<Metadata>,
    policies: Option<Texts>,
    member_entity_ids: Option<Texts>,
    member_group_ids: Option<Texts>,
}

pub(super) fn write(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut ask: Ask = call.request.parse()?;
    let before = match (given(ask.id.take()), given(ask.name.clone())) {
        (Some(id), _) => Some(known(call, &id, view)?),
        (None, Some(name)) => stored_by_name(call, &name, view)?,
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
    let before = stored_by_name(call, name, view)?;
    // A change does not touch the case in which the name was written first.
    ask.name = before.is_none().then(|| name.to_owned());
    save(call, before, ask, view, rng)
}

/// Stores a new group, or the changes of one that is there.
fn save(
    call: &Call<'_>,
    before: Option<Group>,
    ask: Ask,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    let is_new = before.is_none();
    let kind = kind(ask.kind.as_deref(), before.as_ref())?;
    if is_new && call.tables.groups().len() >= GROUPS_MAX {
        return Err(Refusal::invalid(format!("there are {GROUPS_MAX} groups already; delete one first")).into());
    }
    let mut changes = Vec::new();
    let mut group = before.unwrap_or_else(|| made(call, kind, rng));
    let slot_before = identity::group_name_slot(call.names, &group.name);
    // A name that is drawn meets no other; one that is asked for may.
    if let Some(name) = given(ask.name).map(checks::name).transpose()? {
        let owner = identity::led_to_group(&identity::group_name_slot(call.names, &name), view)?;
        if owner.is_some_and(|owner| owner != group.id) {
            return Err(Refusal::invalid("group name is already in use").into());
        }
        group.name = name;
    }
    let slot = identity::group_name_slot(call.names, &group.name);
    if !is_new && slot.key() != slot_before.key() {
        changes.push(Change::Delete { slot: slot_before });
    }
    changes.push(identity::lead_to_group(slot, group.id));
    if let Some(metadata) = ask.metadata {
        group.metadata = metadata.checked()?;
    }
    if let Some(policies) = ask.policies {
        group.policies = checks::policies(policies)?;
    }
    if let Some(members) = ask.member_entity_ids {
        take_entities(call, &mut group, members, view)?;
    }
    if let Some(members) = ask.member_group_ids {
        take_groups(call, &mut group, members, view)?;
    }
    let reply =
        if is_new { Reply::data(&json!({ "id": group.id.to_string(), "name": group.name }))? } else { Reply::Empty };
    changes.push(group.store(call.names, call.now)?);
    Ok(Step::commit(reply, changes).then(Effect::ReloadTables))
}

/// Makes a group with a name that is drawn.
pub(super) fn made(call: &Call<'_>, kind: GroupKind, rng: &mut dyn CryptoRng) -> Group {
    let id = GroupId::random(rng);
    Group::new(id, format!("group_{id}"), kind, call.now)
}

fn kind(asked: Option<&str>, before: Option<&Group>) -> Result<GroupKind, Refusal> {
    let asked = match asked.filter(|kind| !kind.is_empty()) {
        None => None,
        Some("internal") => Some(GroupKind::Internal),
        Some("external") => Some(GroupKind::External),
        Some(other) => return Err(Refusal::invalid(format!("invalid group type {other:?}"))),
    };
    match (asked, before.map(|group| group.kind)) {
        (Some(asked), Some(before)) if asked != before => Err(Refusal::invalid("group type cannot be changed")),
        (_, Some(before)) => Ok(before),
        (asked, None) => Ok(asked.unwrap_or(GroupKind::Internal)),
    }
}

/// Sets which entities are members. Those that are new must be there.
fn take_entities(call: &Call<'_>, group: &mut Group, members: Texts, view: &mut View) -> Result<(), Interrupt> {
    let asked = members.into_list();
    if group.kind == GroupKind::External && !asked.is_empty() {
        return Err(Refusal::invalid("member entities can't be set manually for external groups").into());
    }
    if asked.len() > MEMBER_ENTITIES_MAX {
        return Err(Refusal::invalid(format!("a group has at most {MEMBER_ENTITIES_MAX} member entities")).into());
    }
    let invalid = |id: &dyn std::fmt::Display| Refusal::invalid(format!("invalid entity ID \"{id}\""));
    let mut ids = BTreeSet::new();
    for text in asked {
        ids.insert(EntityId::parse(&text).ok_or_else(|| invalid(&text))?);
    }
    let before: BTreeSet<EntityId> = group.member_entities.iter().copied().collect();
    let fresh: Vec<EntityId> = ids.difference(&before).copied().collect();
    let slots: Vec<_> = fresh.iter().map(|id| identity::slot(call.names, *id)).collect();
    view.prefetch(&slots);
    for id in fresh {
        identity::read(call.names, id, view)?.ok_or_else(|| invalid(&id))?;
        if call.tables.groups().naming(id).len() >= GROUPS_OF_ENTITY_MAX {
            let text = format!("the entity {id} is in {GROUPS_OF_ENTITY_MAX} groups already: nest groups instead");
            return Err(Refusal::invalid(text).into());
        }
    }
    group.member_entities = ids.into_iter().collect();
    Ok(())
}

/// Sets which groups are members, all of which must be there and none of which may lead back.
fn take_groups(call: &Call<'_>, group: &mut Group, members: Texts, view: &mut View) -> Result<(), Interrupt> {
    let asked = members.into_list();
    if group.kind == GroupKind::External && !asked.is_empty() {
        return Err(Refusal::invalid("member groups can't be set for external groups").into());
    }
    if asked.len() > MEMBER_GROUPS_MAX {
        return Err(Refusal::invalid(format!("a group has at most {MEMBER_GROUPS_MAX} member groups")).into());
    }
    let mut ids = BTreeSet::new();
    for text in asked {
        let id = GroupId::parse(&text).ok_or_else(|| Refusal::invalid(format!("invalid group ID {text:?}")))?;
        ids.insert(id);
    }
    check_below(call, group.id, &ids, view)?;
    group.member_groups = ids.into_iter().collect();
    Ok(())
}

/// Walks from the members of a group downwards, through what is stored and not what is in memory: each row that is read
/// is an expectation, so that of two writers who would close a circle together one starts over and sees it.
fn check_below(call: &Call<'_>, group: GroupId, members: &BTreeSet<GroupId>, view: &mut View) -> Result<(), Interrupt> {
    let too_deep = || Refusal::invalid(format!("groups are nested in more than {NESTING_MAX} levels"));
    let mut levels = levels_above(call, group);
    let mut seen = BTreeSet::new();
    let mut level = members.clone();
    while !level.is_empty() {
        levels += 1;
        if levels > NESTING_MAX {
            return Err(too_deep().into());
        }
        if level.contains(&group) {
            return Err(Refusal::invalid("a group cannot contain itself, directly or through other groups").into());
        }
        seen.extend(level.iter().copied());
        if seen.len() > GROUPS_BELOW_MAX {
            return Err(Refusal::invalid(format!("at most {GROUPS_BELOW_MAX} groups lie below one")).into());
        }
        let slots: Vec<_> = level.iter().map(|id| identity::group_slot(call.names, *id)).collect();
        view.prefetch(&slots);
        let mut below = BTreeSet::new();
        for id in &level {
            match identity::read_group(call.names, *id, view)? {
                Some(member) => below.extend(member.member_groups),
                None if members.contains(id) => {
                    return Err(Refusal::invalid(format!("invalid group ID \"{id}\"")).into());
                }
                None => {}
            }
        }
        level = below.difference(&seen).copied().collect();
    }
    Ok(())
}

/// Counts the levels of groups above one, itself included.
fn levels_above(call: &Call<'_>, group: GroupId) -> usize {
    let mut seen = BTreeSet::from([group]);
    let mut level = vec![group];
    let mut levels = 0;
    while !level.is_empty() && levels <= NESTING_MAX {
        levels += 1;
        let above = level.iter().flat_map(|id| call.tables.groups().parents(*id)).copied();
        level = above.filter(|id| seen.insert(*id)).collect();
    }
    levels
}

/// Finds a group, as stored, that a caller names by id.
pub(super) fn known(call: &Call<'_>, id: &str, view: &mut View) -> Result<Group, Interrupt> {
    stored(call, id, view)?.ok_or_else(|| Refusal::invalid(format!("no group has the id {id:?}")).into())
}

fn stored(call: &Call<'_>, id: &str, view: &mut View) -> Result<Option<Group>, Interrupt> {
    match GroupId::parse(id) {
        Some(id) => identity::read_group(call.names, id, view),
        None => Ok(None),
    }
}

fn stored_by_name(call: &Call<'_>, name: &str, view: &mut View) -> Result<Option<Group>, Interrupt> {
    match identity::led_to_group(&identity::group_name_slot(call.names, name), view)? {
        Some(id) => identity::read_group(call.names, id, view),
        None => Ok(None),
    }
}

pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let group = stored(call, call.capture("id"), view)?;
    remove(call, group, view)
}

pub(super) fn delete_by_name(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let group = stored_by_name(call, call.capture("name"), view)?;
    remove(call, group, view)
}

/// Removes a group, the rows that lead to it, and its places in other groups.
fn remove(call: &Call<'_>, group: Option<Group>, view: &mut View) -> Result<Step, Interrupt> {
    let Some(group) = group else { return Ok(Step::answer(Reply::Empty)) };
    let mut edits = Edits::default();
    edits.remove_group(call, group.id, view)?;
    let step = edits.commit(call, Reply::Empty, identity::remove_group(call.names, &group))?;
    Ok(if step.effects.is_empty() { step.then(Effect::ReloadTables) } else { step })
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let group = GroupId::parse(call.capture("id")).and_then(|id| call.tables.groups().get(id));
    answer(call, group.ok_or_else(Refusal::missing)?, view)
}

pub(super) fn read_by_name(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let group = call.tables.groups().by_name(call.capture("name"));
    answer(call, group.ok_or_else(Refusal::missing)?, view)
}

/// Answers with a group.
pub(super) fn answer(call: &Call<'_>, group: &Group, view: &mut View) -> Result<Step, Interrupt> {
    let entities = match group.kind {
        GroupKind::Internal => Some(group.member_entities.clone()),
        GroupKind::External => claimed(call, group, view)?,
    };
    let mut warnings = Vec::new();
    if entities.is_none() {
        let text = "entities: who is in an external group is known with each login and not listed";
        warnings.push(format!("there are more than {ENTITIES_LISTED_MAX} {text}"));
    }
    let content = Content::data(&describe(call, group, entities.as_deref()))?;
    Ok(Step::answer(Reply::Content(Content { warnings, ..content })))
}

/// Lists the entities whose last login claimed an external group; `None` if there are too many entities to look through.
/// A part of the members would pass for all of them.
fn claimed(call: &Call<'_>, group: &Group, view: &mut View) -> Result<Option<Vec<EntityId>>, Interrupt> {
    let Some(alias) = &group.alias else { return Ok(Some(Vec::new())) };
    if call.tables.login_mount(&alias.mount_accessor).is_none() {
        // What a disabled auth method said counts no more.
        return Ok(Some(Vec::new()));
    }
    let all = identity::entity_ids(call.names, view)?;
    if all.len() > ENTITIES_LISTED_MAX {
        return Ok(None);
    }
    identity::prefetch_entities(call.names, &all, view);
    let mut members = Vec::new();
    for id in all {
        let entity = identity::find(call.names, id, view)?;
        let claims = entity.as_ref().and_then(|entity| entity.alias_at(&alias.mount_accessor)).map(|own| &own.groups);
        if claims.is_some_and(|claims| claims.contains(&alias.name)) {
            members.push(id);
        }
    }
    Ok(Some(members))
}

/// Describes a group as stock clients expect it.
fn describe(call: &Call<'_>, group: &Group, entities: Option<&[EntityId]>) -> Value {
    let texts = |ids: &[GroupId]| -> Vec<String> {
        ids.iter().filter(|id| call.tables.groups().get(**id).is_some()).map(ToString::to_string).collect()
    };
    let entities: Option<Vec<String>> = entities.map(|ids| ids.iter().map(ToString::to_string).collect());
    let internal = group.kind == GroupKind::Internal;
    json!({
        "alias": group.alias.as_ref().map_or_else(|| json!({}), |alias| group_alias::describe(call, alias, group.id)),
        "creation_time": group.created_at.to_string(),
        "id": group.id.to_string(),
        "last_update_time": group.updated_at.to_string(),
        "member_entity_ids": entities,
        "member_group_ids": internal.then(|| texts(&group.member_groups)),
        "metadata": checks::or_null(&group.metadata),
        "modify_index": group.modify_index,
        "name": group.name,
        "namespace_id": "root",
        "parent_group_ids": texts(call.tables.groups().parents(group.id)),
        "policies": group.policies,
        "type": if internal { "internal" } else { "external" },
    })
}

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let groups = call.tables.groups();
    let all: Vec<String> = groups.iter().map(|group| group.id.to_string()).collect();
    let keys = list::page(call, &all)?;
    let mut info = Map::new();
    for group in keys.iter().filter_map(|key| groups.get(GroupId::parse(key)?)) {
        let described = json!({
            "name": group.name,
            "num_member_entities": group.member_entities.len(),
            "num_parent_groups": groups.parents(group.id).len(),
        });
        info.insert(group.id.to_string(), described);
    }
    Ok(list::with_info(&keys, Some(info))?)
}

pub(super) fn list_names(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut all: Vec<String> = call.tables.groups().iter().map(|group| group.name.clone()).collect();
    all.sort_unstable();
    Ok(list::names(&list::page(call, &all)?)?)
}
