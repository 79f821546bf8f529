//! Groups that are changed along with something else, each stored once however often it was changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, Step};
use crate::engines::{Change, Effect};
use crate::id::{EntityId, GroupId};
use crate::identity::{self, Group};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Changed groups, not yet stored.
#[derive(Default)]
pub(super) struct Edits {
    groups: BTreeMap<GroupId, Group>,
}

impl Edits {
    /// Fetches the groups of several entities together.
    pub(super) fn prefetch(call: &Call<'_>, entities: impl IntoIterator<Item = EntityId>, view: &mut View) {
        let groups: BTreeSet<GroupId> =
            entities.into_iter().flat_map(|id| call.tables.groups().naming(id)).copied().collect();
        let slots: Vec<_> = groups.iter().map(|id| identity::group_slot(call.names, *id)).collect();
        view.prefetch(&slots);
    }

    /// Takes an entity out of all groups that name it, and puts another one in its place.
    ///
    /// The groups are found in memory. One that takes the entity in at this very moment keeps its id as a member, which
    /// is nobody's from then on: ids are never given twice.
    pub(super) fn replace_entity(
        &mut self,
        call: &Call<'_>,
        entity: EntityId,
        by: Option<EntityId>,
        view: &mut View,
    ) -> Result<(), Interrupt> {
        for group in self.take(call, call.tables.groups().naming(entity), view)? {
            let mut group = group;
            group.member_entities.retain(|member| *member != entity);
            if let Some(by) = by.filter(|by| !group.member_entities.contains(by)) {
                group.member_entities.push(by);
                group.member_entities.sort_unstable();
            }
            self.groups.insert(group.id, group);
        }
        Ok(())
    }

    /// Takes a group out of all groups that it is a member of.
    pub(super) fn remove_group(&mut self, call: &Call<'_>, removed: GroupId, view: &mut View) -> Result<(), Interrupt> {
        for group in self.take(call, call.tables.groups().parents(removed), view)? {
            let mut group = group;
            group.member_groups.retain(|member| *member != removed);
            self.groups.insert(group.id, group);
        }
        Ok(())
    }

    /// Takes groups out to change them: as changed already, or as stored.
    fn take(&mut self, call: &Call<'_>, ids: &[GroupId], view: &mut View) -> Result<Vec<Group>, Interrupt> {
        let slots: Vec<_> = ids.iter().map(|id| identity::group_slot(call.names, *id)).collect();
        view.prefetch(&slots);
        let mut groups = Vec::with_capacity(ids.len());
        for id in ids {
            let group = match self.groups.remove(id) {
                Some(changed) => Some(changed),
                None => identity::read_group(call.names, *id, view)?,
            };
            groups.extend(group);
        }
        Ok(groups)
    }

    /// Ends the call: the groups are stored with the other changes, and count from the answer on.
    pub(super) fn commit(self, call: &Call<'_>, reply: Reply, changes: Vec<Change>) -> Result<Step, Refusal> {
        let mut changes = changes;
        let touched = !self.groups.is_empty();
        for group in self.groups.into_values() {
            changes.push(group.store(call.names, call.now)?);
        }
        let step = Step::commit(reply, changes);
        Ok(if touched { step.then(Effect::ReloadTables) } else { step })
    }
}
