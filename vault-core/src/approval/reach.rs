//! Whether anybody could ever meet a rule: one that nobody can would hold a path back for good, and not parse as one that is
//! meant.

use std::collections::BTreeSet;

use super::judge::Judge;
use crate::charter::quorum::{Condition, are_met_by};
use crate::charter::{PEOPLE_MAX, PersonIndex, PersonSet};
use crate::id::{EntityId, GroupId};
use crate::identity::GroupKind;
use crate::policy::{ControlGroup, Factor, Policy, Who};
use crate::refusal::Refusal;

/// Checks the rules of a policy before it is stored.
///
/// # Errors
/// Refuses a rule that not even everybody together could meet, with the factor that lacks people.
pub(crate) fn check_rules(policy: &Policy, judge: &Judge<'_>) -> Result<(), Refusal> {
    policy.control_groups().try_for_each(|(_, rule)| check(rule, judge))
}

fn check(rule: &ControlGroup, judge: &Judge<'_>) -> Result<(), Refusal> {
    let mut everybody: Vec<EntityId> = Vec::new();
    let mut conditions = Vec::new();
    for factor in &rule.factors {
        match &factor.who {
            Who::Quorum(name) => match judge.quorum(name) {
                Some(quorum) => conditions.push(Condition::Quorum(quorum)),
                None => return Err(unreachable(factor, &format!("there is no quorum {name:?} in the charter"))),
            },
            Who::Groups { names, ids, approvals } => {
                let Some(members) = members(names, ids, judge) else { continue };
                if members.len() < usize::from(*approvals) {
                    return Err(unreachable(factor, &format!("the groups it names have {} members", members.len())));
                }
                conditions.push(Condition::Members { needed: *approvals, members: places(&members, &mut everybody) });
            }
        }
    }
    // With a quorum of the charter among them, people and entities cannot be told apart here; the gate does.
    let is_of_entities = conditions.iter().all(|condition| matches!(condition, Condition::Members { .. }));
    let present = (0..=u8::MAX).map(PersonIndex).take(everybody.len()).collect::<PersonSet>();
    let fits = everybody.len() <= PEOPLE_MAX && is_of_entities && !conditions.is_empty();
    if fits && !are_met_by(&conditions, &present) {
        let text = "a control_group whose factors need more different people than their groups have together";
        return Err(Refusal::invalid(text));
    }
    Ok(())
}

/// Lists everybody in some groups; nothing where an auth method says who is in one.
fn members(names: &[String], ids: &[String], judge: &Judge<'_>) -> Option<BTreeSet<EntityId>> {
    let groups = judge.tables.groups();
    let named = names.iter().filter_map(|name| groups.by_name(name)).map(|group| group.id);
    let mut waiting: Vec<GroupId> = named.chain(ids.iter().filter_map(|id| GroupId::parse(id))).collect();
    let (mut seen, mut members) = (BTreeSet::new(), BTreeSet::new());
    while let Some(id) = waiting.pop() {
        let Some(group) = groups.get(id).filter(|_| seen.insert(id)) else { continue };
        match group.kind {
            GroupKind::External if judge.tables.is_in_service() => {}
            GroupKind::External => return None,
            GroupKind::Internal => {
                members.extend(&group.member_entities);
                waiting.extend(&group.member_groups);
            }
        }
    }
    Some(members)
}

fn places(members: &BTreeSet<EntityId>, everybody: &mut Vec<EntityId>) -> PersonSet {
    let mut places = PersonSet::default();
    for member in members {
        let place = everybody.iter().position(|known| known == member).unwrap_or_else(|| {
            everybody.push(*member);
            everybody.len() - 1
        });
        if let Ok(place) = u8::try_from(place) {
            places.insert(PersonIndex(place));
        }
    }
    places
}

fn unreachable(factor: &Factor, why: &str) -> Refusal {
    Refusal::invalid(format!("nobody can meet the factor {:?}: {why}. Make the group first", factor.name))
}
