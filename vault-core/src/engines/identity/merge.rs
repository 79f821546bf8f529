//! `entity/merge`: several entities become one.

use std::collections::{BTreeSet, HashSet};

use rand_core::CryptoRng;
use serde::Deserialize;

use super::checks::{Flag, given};
use super::edits::Edits;
use super::{Call, Step, entity};
use crate::engines::Change;
use crate::field::Texts;
use crate::id::{AliasId, EntityId};
use crate::identity::{self, Entity};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Most entities that one is merged from, over all merges.
const MERGED_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Ask {
    from_entity_ids: Option<Texts>,
    to_entity_id: Option<String>,
    conflicting_alias_ids_to_keep: Option<Texts>,
    /// Decides in Vault about secrets of second factors, of which there are none.
    force: Option<Flag>,
}

/// Moves aliases and places in groups, and lets the tokens of the merged entities act for the one that stays. Their
/// policies and metadata are not taken over, as in Vault.
pub(super) fn merge(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let from: BTreeSet<String> = ask.from_entity_ids.map(Texts::into_list).unwrap_or_default().into_iter().collect();
    let to = given(ask.to_entity_id).ok_or_else(|| Refusal::invalid("missing entity id to merge to"))?;
    if from.is_empty() || from.len() > MERGED_MAX {
        return Err(Refusal::invalid(format!("'from_entity_ids' must be a list of 1 to {MERGED_MAX} ids")).into());
    }
    ask.force.map(|force| force.checked("force")).transpose()?;
    if from.contains(&to) {
        return Err(Refusal::invalid("to_entity_id should not be present in from_entity_ids").into());
    }
    let kept: HashSet<String> =
        ask.conflicting_alias_ids_to_keep.map(Texts::into_list).unwrap_or_default().into_iter().collect();
    if !kept.is_empty() && from.len() > 1 {
        return Err(Refusal::invalid("conflicting_alias_ids_to_keep needs exactly one entity to merge from").into());
    }
    entity::prefetch(call, &from, view);
    Edits::prefetch(call, from.iter().filter_map(|id| EntityId::parse(id)), view);
    let mut to = entity::known(call, &to, view)?;
    let mut changes = Vec::new();
    let mut edits = Edits::default();
    for id in &from {
        let from = entity::known(call, id, view)?;
        if from.disabled {
            let why = "is disabled: merging would put its tokens back in force; enable it first or delete it";
            return Err(Refusal::invalid(format!("the entity {id:?} {why}")).into());
        }
        changes.push(Change::Delete { slot: identity::name_slot(call.names, &from.name) });
        changes.extend(identity::merge_into(call.names, &from, to.id)?);
        edits.replace_entity(call, from.id, Some(to.id), view)?;
        to.merged.extend(from.merged.iter().chain([&from.id]));
        changes.extend(take_aliases(call, from, &mut to, &kept)?);
    }
    if to.merged.len() > MERGED_MAX {
        return Err(Refusal::invalid(format!("at most {MERGED_MAX} entities can be merged into one")).into());
    }
    to.updated_at = call.now;
    changes.push(identity::store(call.names, &to)?);
    Ok(edits.commit(call, Reply::Empty, changes)?)
}

/// Moves the aliases of one entity to another. Where both have one at the same mount, the caller must have said which
/// one stays; the other is removed.
fn take_aliases(
    call: &Call<'_>,
    from: Entity,
    to: &mut Entity,
    kept: &HashSet<String>,
) -> Result<Vec<Change>, Refusal> {
    let keeps = |id: AliasId| kept.contains(&id.to_string());
    let mut changes = Vec::new();
    for alias in from.aliases {
        let rows = [
            identity::alias_slot(call.names, &alias.mount_accessor, &alias.name),
            identity::alias_id_slot(call.names, alias.id),
        ];
        let own = to.aliases.iter().position(|own| own.mount_accessor == alias.mount_accessor);
        if let Some(own) = own.and_then(|position| to.aliases.get(position)).map(|own| (own.id, own.name.clone())) {
            let (own_id, own_name) = own;
            match (keeps(alias.id), keeps(own_id)) {
                (true, false) => {
                    let slot = identity::alias_slot(call.names, &alias.mount_accessor, &own_name);
                    changes.push(Change::Delete { slot });
                    changes.push(Change::Delete { slot: identity::alias_id_slot(call.names, own_id) });
                    to.aliases.retain(|own| own.id != own_id);
                }
                (false, true) => {
                    changes.extend(rows.map(|slot| Change::Delete { slot }));
                    continue;
                }
                (true, true) | (false, false) => return Err(conflict(&alias.mount_accessor, alias.id, own_id)),
            }
        }
        changes.extend(rows.map(|slot| identity::lead(slot, to.id)));
        to.aliases.push(alias);
    }
    Ok(changes)
}

fn conflict(accessor: &str, one: AliasId, other: AliasId) -> Refusal {
    Refusal::invalid(format!(
        "two entities have aliases at the mount {accessor}: merge one entity at a time and name either {one} or {other} in \
         conflicting_alias_ids_to_keep"
    ))
}
