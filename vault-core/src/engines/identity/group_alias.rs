//! `group-alias`: what external groups are called at auth methods. Whoever a login says to be in a group of that name is
//! a member.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::checks::{self, given};
use super::{Call, Step, group, list};
use crate::engines::{Change, Effect};
use crate::id::{AliasId, GroupId};
use crate::identity::{self, GROUPS_MAX, Group, GroupAlias, GroupKind};
use crate::names::Slot;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    id: Option<String>,
    name: Option<String>,
    mount_accessor: Option<String>,
    canonical_id: Option<String>,
}

pub(super) fn write(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    if let Some(id) = given(ask.id.clone()) {
        let (group, alias) = known(call, &id, view)?;
        return change(call, group, alias, ask, view);
    }
    let name = given(ask.name.clone()).ok_or_else(|| Refusal::invalid("missing alias name"))?;
    let accessor = given(ask.mount_accessor.clone()).ok_or_else(|| Refusal::invalid("missing mount_accessor"))?;
    match at(call, &accessor, &name, view)? {
        Some((group, alias)) => change(call, group, alias, ask, view),
        None => make(call, name, accessor, ask, view, rng),
    }
}

pub(super) fn write_by_id(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let (group, alias) = known(call, call.capture("id"), view)?;
    change(call, group, alias, ask, view)
}

/// Gives an external group its alias, or makes a group for it.
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
    let mut changes = Vec::new();
    let group = match given(ask.canonical_id) {
        Some(id) => {
            let group = group::known(call, &id, view)?;
            check_room(&group)?;
            group
        }
        None if call.tables.groups().len() >= GROUPS_MAX => {
            return Err(Refusal::invalid(format!("there are {GROUPS_MAX} groups already; delete one first")).into());
        }
        None => {
            let group = group::made(call, GroupKind::External, rng);
            changes.push(identity::lead_to_group(identity::group_name_slot(call.names, &group.name), group.id));
            group
        }
    };
    let id = AliasId::random(rng);
    let alias = GroupAlias { id, mount_accessor: accessor, name, created_at: call.now, updated_at: call.now };
    Ok(save(call, group, alias, changes)?)
}

/// Renames an alias, or moves it to another mount or group.
fn change(call: &Call<'_>, owner: Group, before: GroupAlias, ask: Ask, view: &mut View) -> Result<Step, Interrupt> {
    let mut owner = owner;
    let mut alias = before.clone();
    alias.name = given(ask.name).map(checks::name).transpose()?.unwrap_or(alias.name);
    alias.mount_accessor = given(ask.mount_accessor).unwrap_or(alias.mount_accessor);
    alias.updated_at = call.now;
    let mut changes = Vec::new();
    if (&alias.mount_accessor, &alias.name) != (&before.mount_accessor, &before.name) {
        checks::mount(call, &alias.mount_accessor)?;
        if at(call, &alias.mount_accessor, &alias.name, view)?.is_some() {
            return Err(Refusal::invalid("alias with the same name and mount accessor already exists").into());
        }
        let slot = identity::group_alias_slot(call.names, &before.mount_accessor, &before.name);
        changes.push(Change::Delete { slot });
    }
    if let Some(id) = given(ask.canonical_id).filter(|id| *id != owner.id.to_string()) {
        let target = group::known(call, &id, view)?;
        check_room(&target)?;
        owner.alias = None;
        changes.push(owner.store(call.names, call.now)?);
        owner = target;
    }
    Ok(save(call, owner, alias, changes)?)
}

/// Checks that a group can take an alias.
fn check_room(group: &Group) -> Result<(), Refusal> {
    if group.kind != GroupKind::External {
        return Err(Refusal::invalid("alias can't be set on an internal group"));
    }
    match &group.alias {
        None => Ok(()),
        Some(_) => Err(Refusal::invalid("the group already has an alias; change that one or delete it first")),
    }
}

/// Stores a group with its alias.
fn save(call: &Call<'_>, group: Group, alias: GroupAlias, changes: Vec<Change>) -> Result<Step, Refusal> {
    let (mut group, mut changes) = (group, changes);
    let reply = Reply::data(&json!({ "id": alias.id.to_string(), "canonical_id": group.id.to_string() }))?;
    changes.extend(rows(call, &alias).map(|slot| identity::lead_to_group(slot, group.id)));
    group.alias = Some(alias);
    changes.push(group.store(call.names, call.now)?);
    Ok(Step::commit(reply, changes).then(Effect::ReloadTables))
}

/// Finds the rows that lead from an alias to its group.
fn rows(call: &Call<'_>, alias: &GroupAlias) -> [Slot; 2] {
    [
        identity::group_alias_slot(call.names, &alias.mount_accessor, &alias.name),
        identity::group_alias_id_slot(call.names, alias.id),
    ]
}

fn known(call: &Call<'_>, id: &str, view: &mut View) -> Result<(Group, GroupAlias), Interrupt> {
    by_id(call, id, view)?.ok_or_else(|| Refusal::invalid(format!("no alias of a group has the id {id:?}")).into())
}

/// Finds an alias, with its group, by its id as text.
fn by_id(call: &Call<'_>, id: &str, view: &mut View) -> Result<Option<(Group, GroupAlias)>, Interrupt> {
    let Some(id) = AliasId::parse(id) else { return Ok(None) };
    let slot = identity::group_alias_id_slot(call.names, id);
    owned(call, &slot, view, |alias| alias.id == id)
}

/// Finds an alias, with its group, by what a mount calls it.
fn at(call: &Call<'_>, accessor: &str, name: &str, view: &mut View) -> Result<Option<(Group, GroupAlias)>, Interrupt> {
    let slot = identity::group_alias_slot(call.names, accessor, name);
    owned(call, &slot, view, |alias| alias.mount_accessor == accessor && alias.name == name)
}

fn owned(
    call: &Call<'_>,
    slot: &Slot,
    view: &mut View,
    is_it: impl Fn(&GroupAlias) -> bool,
) -> Result<Option<(Group, GroupAlias)>, Interrupt> {
    let Some(id) = identity::led_to_group(slot, view)? else { return Ok(None) };
    let Some(group) = identity::read_group(call.names, id, view)? else { return Ok(None) };
    let alias = group.alias.clone().filter(is_it);
    Ok(alias.map(|alias| (group, alias)))
}

/// Finds the group of an alias that is named by its id.
pub(super) fn group_of(call: &Call<'_>, id: &str, view: &mut View) -> Result<Option<Group>, Interrupt> {
    Ok(by_id(call, id, view)?.map(|(group, _)| group))
}

/// Finds the group that a mount calls so.
pub(super) fn group_called(
    call: &Call<'_>,
    accessor: &str,
    name: &str,
    view: &mut View,
) -> Result<Option<Group>, Interrupt> {
    Ok(at(call, accessor, name, view)?.map(|(group, _)| group))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (group, alias) = by_id(call, call.capture("id"), view)?.ok_or_else(Refusal::missing)?;
    Ok(Step::answer(Reply::data(&describe(call, &alias, group.id))?))
}

pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let Some((mut group, alias)) = by_id(call, call.capture("id"), view)? else {
        return Ok(Step::answer(Reply::Empty));
    };
    group.alias = None;
    let mut changes: Vec<Change> = rows(call, &alias).map(|slot| Change::Delete { slot }).into();
    changes.push(group.store(call.names, call.now)?);
    Ok(Step::commit(Reply::Empty, changes).then(Effect::ReloadTables))
}

/// Describes an alias as stock clients expect it.
pub(super) fn describe(call: &Call<'_>, alias: &GroupAlias, group: GroupId) -> Value {
    let ids = (alias.id.to_string(), group.to_string());
    let names = (alias.mount_accessor.as_str(), alias.name.as_str());
    checks::describe_alias(call, ids, names, (alias.created_at, alias.updated_at))
}

pub(super) fn list(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let named = call.tables.groups().iter().filter_map(|group| Some((group.alias.as_ref()?, group)));
    let mut all: Vec<(String, Value)> = named
        .map(|(alias, group)| {
            let (path, kind) = checks::describe_mount(call, &alias.mount_accessor);
            let info = json!({
                "canonical_id": group.id.to_string(),
                "mount_accessor": alias.mount_accessor,
                "mount_path": path,
                "mount_type": kind,
                "name": alias.name,
            });
            (alias.id.to_string(), info)
        })
        .collect();
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let ids: Vec<String> = all.iter().map(|(id, _)| id.clone()).collect();
    let keys = list::page(call, &ids)?;
    let info: Map<String, Value> = all.into_iter().filter(|(id, _)| keys.contains(id)).collect();
    Ok(list::with_info(&keys, Some(info))?)
}
