//! Agreements that fall with one person, and those that nobody can reach any more.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Census;
use crate::approval::{Human, approving_groups, quorum_named};
use crate::charter::quorum::{Condition, are_met_by};
use crate::charter::{PersonIndex, PersonSet};
use crate::identity::Group;
use crate::policy::{ControlGroup, Factor, Who};

/// An agreement that falls with one person, or that nobody can reach.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Agreement {
    /// What needs it: `quorum change of the charter`, or `control group of secret/data/prod/* in the policy staff`.
    pub of: String,
    /// Whom it takes, in words.
    pub needed: String,
    /// Whether enough people are there.
    pub can_be_met: bool,
    /// Each of whom it cannot do without.
    pub people: Vec<String>,
}

/// A human whose vote may count.
struct Approver<'a> {
    human: Human,
    name: String,
    groups: Vec<&'a Group>,
}

/// Finds the agreements, and tells what could not be looked at.
pub(super) fn agreements(census: &Census<'_>) -> (Vec<Agreement>, Vec<String>) {
    let mut found = Vec::new();
    if let Some(charter) = census.charter {
        for (name, quorum) in charter.quorums() {
            let everybody = quorum.people();
            let needed = everybody.iter().filter(|person| !quorum.is_met_by(&everybody.without(&only(*person))));
            let people = charter.names(&needed.collect()).iter().map(ToString::to_string).collect::<Vec<_>>();
            let of = format!("quorum {name} of the charter");
            found.push(Agreement { of, needed: quorum.text().to_owned(), can_be_met: true, people });
        }
    }
    let approvers = approvers(census);
    let mut left_out = Vec::new();
    for policy in census.tables.policies() {
        for (pattern, rule) in policy.control_groups() {
            let of = format!("control group of {pattern} in the policy {}", policy.name());
            let Some((can_be_met, people)) = stand(census, rule, &approvers) else {
                left_out.push(format!("{of}: more than {} people may agree, and none is counted", u8::MAX));
                continue;
            };
            let needed = rule.factors.iter().map(words).collect::<Vec<_>>().join(", and ");
            found.push(Agreement { of, needed, can_be_met, people });
        }
    }
    found.retain(|agreement| !agreement.can_be_met || !agreement.people.is_empty());
    (found, left_out)
}

fn only(person: PersonIndex) -> PersonSet {
    [person].into_iter().collect()
}

/// Finds whose votes may count: each human once, by all their entities.
fn approvers<'a>(census: &Census<'a>) -> Vec<Approver<'a>> {
    let mut found: BTreeMap<Human, Approver<'a>> = BTreeMap::new();
    let is_in_service = census.charter.is_some();
    for entity in census.entities.iter().filter(|entity| !entity.disabled) {
        let human = Human::of(entity, census.charter);
        // In service only what is signed counts, and only people of the charter sign.
        if is_in_service && human.person().is_none() {
            continue;
        }
        let name = human.person().unwrap_or(&entity.name).to_owned();
        let fresh = || Approver { human: human.clone(), name, groups: Vec::new() };
        let approver = found.entry(human.clone()).or_insert_with(fresh);
        approver.groups.extend(approving_groups(census.tables, is_in_service, entity));
    }
    found.into_values().collect()
}

/// Tells whether enough people are there to agree, and without whom not; `None` where more may agree than can be placed.
fn stand(census: &Census<'_>, rule: &ControlGroup, approvers: &[Approver<'_>]) -> Option<(bool, Vec<String>)> {
    let in_training =
        |approver: &Approver<'_>| rule.training.iter().any(|name| approver.groups.iter().any(|g| is_named(g, name)));
    let concerned: Vec<&Approver<'_>> = approvers
        .iter()
        .filter(|approver| !in_training(approver))
        .filter(|approver| rule.factors.iter().any(|factor| counts(census, factor, approver)))
        .collect();
    let mut places: BTreeMap<PersonIndex, &Approver<'_>> = BTreeMap::new();
    let mut next = u8::try_from(census.charter.map_or(0, |charter| charter.people().len())).ok()?;
    for approver in concerned {
        let place = match index(census, &approver.human) {
            Some(place) => place,
            None => {
                next = next.checked_add(1)?;
                PersonIndex(next - 1)
            }
        };
        places.insert(place, approver);
    }
    let conditions: Option<Vec<Condition<'_>>> = rule
        .factors
        .iter()
        .map(|factor| match &factor.who {
            Who::Groups { approvals, .. } => {
                let members = places.iter().filter(|(_, approver)| counts(census, factor, approver));
                Some(Condition::Members { needed: *approvals, members: members.map(|(place, _)| *place).collect() })
            }
            Who::Quorum(name) => quorum_named(census.charter?, name).map(Condition::Quorum),
        })
        .collect();
    let Some(conditions) = conditions else { return Some((false, Vec::new())) };
    let everybody: PersonSet = places.keys().copied().collect();
    if !are_met_by(&conditions, &everybody) {
        return Some((false, Vec::new()));
    }
    let needed = places.iter().filter(|(place, _)| !are_met_by(&conditions, &everybody.without(&only(**place))));
    let people: BTreeSet<String> = needed.map(|(_, approver)| approver.name.clone()).collect();
    Some((true, people.into_iter().collect()))
}

fn index(census: &Census<'_>, human: &Human) -> Option<PersonIndex> {
    let name = human.person()?;
    census.charter?.indexed().find(|(_, person)| person.name.as_str() == name).map(|(place, _)| place)
}

fn counts(census: &Census<'_>, factor: &Factor, approver: &Approver<'_>) -> bool {
    match &factor.who {
        Who::Quorum(name) => {
            let quorum = census.charter.and_then(|charter| quorum_named(charter, name));
            let place = index(census, &approver.human);
            quorum.zip(place).is_some_and(|(quorum, place)| quorum.people().contains(place))
        }
        Who::Groups { names, ids, .. } => approver
            .groups
            .iter()
            .any(|group| names.iter().any(|name| is_named(group, name)) || ids.contains(&group.id.to_string())),
    }
}

fn is_named(group: &Group, name: &str) -> bool {
    group.name.to_lowercase() == name.to_lowercase()
}

fn words(factor: &Factor) -> String {
    match &factor.who {
        Who::Quorum(name) => format!("the quorum {name}"),
        Who::Groups { names, ids, approvals } => {
            let groups: Vec<&str> = names.iter().chain(ids).map(String::as_str).collect();
            format!("{approvals} of {}", groups.join(" or "))
        }
    }
}
