//! Whether enough people agree: judged anew, on what is in force now, each time that anybody asks or a grant is used.

use serde::Serialize;

use super::delegation::StoredDelegation;
use super::held::{HeldRequest, Vote, Weight};
use super::human::Human;
use super::statement::APPROVAL_PAYLOAD_TYPE;
use crate::auth::token::Issuers;
use crate::charter::quorum::{Condition, Quorum, are_met_by};
use crate::charter::{Charter, PersonIndex, PersonSet};
use crate::envelope::Envelope;
use crate::identity::{self, Entity, GroupKind};
use crate::mounts::Tables;
use crate::names::Names;
use crate::policy::{ControlGroup, Factor, Who};
use crate::time::Timestamp;
use crate::view::{Interrupt, View};

/// What a request is judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// Groups, policies and the charter in force.
    pub tables: &'a Tables,
    /// Turns names into storage keys.
    pub names: &'a Names,
    /// The present.
    pub now: Timestamp,
}

/// Where a request stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Standing {
    /// Whether every rule is met.
    pub is_approved: bool,
    /// Each rule.
    pub rules: Vec<RuleStanding>,
}

/// Where a request stands with one rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleStanding {
    /// Whether different people fill all its factors.
    pub is_met: bool,
    /// Each factor.
    pub factors: Vec<FactorStanding>,
}

/// Where a request stands with one factor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FactorStanding {
    /// What the policy calls it.
    pub name: String,
    /// Who must agree, in words.
    pub needed: String,
    /// Who of them has.
    pub approved_by: Vec<String>,
}

/// Somebody whose vote may count.
struct Voter {
    place: PersonIndex,
    human: Human,
    /// Whose vote it is: their own, or one that was handed to them.
    seat: Human,
    /// The name to show.
    name: String,
    entity: Entity,
}

impl<'a> Judge<'a> {
    /// Gives the charter in force.
    pub fn charter(&self) -> Option<&'a Charter> {
        self.tables.custody().map(|custody| custody.charter().charter())
    }

    /// Judges a request.
    ///
    /// # Errors
    /// Stops when something must be fetched first.
    pub fn judge(&self, held: &HeldRequest, view: &mut View) -> Result<Standing, Interrupt> {
        let voters = self.voters(held, view)?;
        let rules: Vec<_> = held.rules.iter().map(|rule| self.stand(rule, &voters)).collect();
        Ok(Standing { is_approved: !rules.is_empty() && rules.iter().all(|rule| rule.is_met), rules })
    }

    /// Tells whether an entity is in a group whose votes only teach.
    pub fn is_in_training(&self, held: &HeldRequest, entity: &Entity) -> bool {
        held.rules.iter().any(|rule| self.learns(rule, entity))
    }

    fn learns(&self, rule: &ControlGroup, entity: &Entity) -> bool {
        if rule.training.is_empty() {
            return false;
        }
        let groups = self.groups_of(entity);
        rule.training.iter().any(|name| groups.iter().any(|group| is_named(group, name)))
    }

    fn voters(&self, held: &HeldRequest, view: &mut View) -> Result<Vec<Voter>, Interrupt> {
        let people = self.charter().map_or(0, |charter| charter.people().len());
        let mut next_place = u8::try_from(people).unwrap_or(u8::MAX);
        let behind = held.requester.issued_by.iter().flat_map(Issuers::hands).map(|hand| hand.entity);
        let voting = held.votes.iter().map(|vote| vote.entity);
        identity::prefetch_found(self.names, behind.chain(voting).chain([held.requester.entity]), view);
        let mut voters: Vec<Voter> = Vec::new();
        for vote in held.votes.iter().filter(|vote| vote.weight != Weight::Training) {
            let Some(mut voter) = self.voter(held, vote, PersonIndex(0), view)? else { continue };
            // Nobody is in two places, and no vote is given twice.
            let is_taken = |other: &Voter| other.human == voter.human || other.seat == voter.seat;
            if voters.iter().any(is_taken) {
                continue;
            }
            voter.place = match self.index_of(&voter.seat) {
                Some(index) => index,
                // Places are a byte; whoever finds none left does not count.
                None if next_place == u8::MAX => continue,
                None => {
                    next_place += 1;
                    PersonIndex(next_place - 1)
                }
            };
            voters.push(voter);
        }
        Ok(voters)
    }

    fn index_of(&self, human: &Human) -> Option<PersonIndex> {
        let name = human.person()?;
        let people = self.charter()?.people();
        (0..=u8::MAX).map(PersonIndex).zip(people).find(|(_, person)| person.name.as_str() == name).map(|(at, _)| at)
    }

    /// Checks one vote: whose it is now, and that it says yes to this very request.
    fn voter(
        &self,
        held: &HeldRequest,
        vote: &Vote,
        place: PersonIndex,
        view: &mut View,
    ) -> Result<Option<Voter>, Interrupt> {
        let Some(entity) = identity::find(self.names, vote.entity, view)?.filter(|entity| !entity.disabled) else {
            return Ok(None);
        };
        let human = Human::of(&entity, self.charter());
        let is_as_it_was = human == vote.human && !self.is_behind(held, &human, view)?;
        let is_signed = match &vote.envelope {
            Some(envelope) => self.is_signed_by(held, envelope, &human),
            // In service only what is signed counts.
            None => !self.tables.is_in_service(),
        };
        let mut name = human.person().map_or_else(|| entity.name.clone(), str::to_owned);
        let Some((seat, entity)) = self.seat(held, vote, (&human, entity), view)? else { return Ok(None) };
        if seat != human {
            name = format!("{name} for {}", seat.person().unwrap_or(&entity.name));
        }
        Ok((is_as_it_was && is_signed).then_some(Voter { place, human, seat, name, entity }))
    }

    /// Finds whose vote it is that somebody gives; nobody's if what was handed to them is not in force.
    fn seat(
        &self,
        held: &HeldRequest,
        vote: &Vote,
        (human, entity): (&Human, Entity),
        view: &mut View,
    ) -> Result<Option<(Human, Entity)>, Interrupt> {
        let Weight::Delegated { from, delegation: id } = &vote.weight else {
            return Ok(Some((human.clone(), entity)));
        };
        let Some(stored) = StoredDelegation::read(self.names, id, view)? else { return Ok(None) };
        let (delegation, path) = (stored.delegation()?, held.stated()?.path);
        let Some(giver) = identity::find(self.names, stored.giver, view)?.filter(|giver| !giver.disabled) else {
            return Ok(None);
        };
        let in_force = self.charter().map(|charter| charter.digest().to_string());
        let holds = stored.is_in_force(&delegation, &path, self.now)
            && delegation.charter == in_force
            && delegation.to == human.key()
            && delegation.from == from.key()
            && Human::of(&giver, self.charter()) == *from
            && !self.is_behind(held, from, view)?;
        Ok(holds.then(|| (from.clone(), giver)))
    }

    /// Tells whether a human is the one who asks, or could have asked by a login that they handed out.
    fn is_behind(&self, held: &HeldRequest, human: &Human, view: &mut View) -> Result<bool, Interrupt> {
        Ok(self.is_requester(held, human, view)? || self.has_issued(held, human, view)?)
    }

    /// Tells whether a human is the one who asks, by what is known of the requester now or was when they asked.
    fn is_requester(&self, held: &HeldRequest, human: &Human, view: &mut View) -> Result<bool, Interrupt> {
        if *human == held.requester.human || *human == Human::Entity(held.requester.entity) {
            return Ok(true);
        }
        let entity = identity::find(self.names, held.requester.entity, view)?;
        Ok(entity.is_some_and(|entity| Human::of(&entity, self.charter()) == *human))
    }

    /// Tells whether an envelope bears the signature of a human, and no other, over this very statement.
    fn is_signed_by(&self, held: &HeldRequest, envelope: &str, human: &Human) -> bool {
        let Some(charter) = self.charter() else { return false };
        let Ok(envelope) = Envelope::parse(envelope.as_bytes()) else { return false };
        let Ok(signers) = envelope.signers(APPROVAL_PAYLOAD_TYPE, charter) else { return false };
        let names = charter.names(&signers);
        envelope.payload() == held.statement.as_bytes()
            && names.len() == 1
            && names.first().map(crate::charter::Name::as_str) == human.person()
    }

    /// Tells whether the vote of an entity could count for a request.
    ///
    /// # Errors
    /// Stops when something must be fetched first.
    pub fn may_approve(&self, held: &HeldRequest, entity: &Entity, view: &mut View) -> Result<bool, Interrupt> {
        let human = Human::of(entity, self.charter());
        if self.is_behind(held, &human, view)? {
            return Ok(false);
        }
        let seat = human.clone();
        let voter = Voter { place: PersonIndex(0), human, seat, name: String::new(), entity: entity.clone() };
        let counts = |rule: &ControlGroup| rule.factors.iter().any(|factor| self.counts(rule, factor, &voter));
        Ok(held.rules.iter().any(counts))
    }

    fn stand(&self, rule: &ControlGroup, voters: &[Voter]) -> RuleStanding {
        let present: PersonSet = voters.iter().map(|voter| voter.place).collect();
        let counting =
            |factor: &Factor| voters.iter().filter(|voter| self.counts(rule, factor, voter)).collect::<Vec<_>>();
        let condition = |factor: &Factor| match &factor.who {
            Who::Groups { approvals, .. } => {
                let members = counting(factor).iter().map(|voter| voter.place).collect();
                Some(Condition::Members { needed: *approvals, members })
            }
            Who::Quorum(name) => self.quorum(name).map(Condition::Quorum),
        };
        let conditions: Option<Vec<_>> = rule.factors.iter().map(condition).collect();
        let is_met = conditions.is_some_and(|conditions| are_met_by(&conditions, &present));
        let factors = rule.factors.iter().map(|factor| FactorStanding {
            name: factor.name.clone(),
            needed: self.words(&factor.who),
            approved_by: counting(factor).iter().map(|voter| voter.name.clone()).collect(),
        });
        RuleStanding { is_met, factors: factors.collect() }
    }

    /// Finds a quorum of the charter by the name that a policy gives it.
    pub fn quorum(&self, name: &str) -> Option<&'a Quorum> {
        quorum_named(self.charter()?, name)
    }

    fn counts(&self, rule: &ControlGroup, factor: &Factor, voter: &Voter) -> bool {
        // Whoever learns does not count, whatever other groups they are in.
        if self.learns(rule, &voter.entity) {
            return false;
        }
        match &factor.who {
            Who::Quorum(name) => self
                .index_of(&voter.seat)
                .zip(self.quorum(name))
                .is_some_and(|(index, quorum)| quorum.people().contains(index)),
            Who::Groups { names, ids, .. } => self
                .groups_of(&voter.entity)
                .iter()
                .any(|group| names.iter().any(|name| is_named(group, name)) || ids.contains(&group.id.to_string())),
        }
    }

    fn groups_of(&self, entity: &Entity) -> Vec<&'a identity::Group> {
        approving_groups(self.tables, self.tables.is_in_service(), entity)
    }

    /// Says who must agree, in words.
    pub(super) fn waits_for(&self, rules: &[ControlGroup]) -> String {
        let mut words: Vec<String> = Vec::new();
        for factor in rules.iter().flat_map(|rule| &rule.factors) {
            let needed = self.words(&factor.who);
            if !words.contains(&needed) {
                words.push(needed);
            }
        }
        words.join(" and ")
    }

    fn words(&self, who: &Who) -> String {
        match who {
            Who::Groups { names, ids, approvals } => {
                let groups: Vec<&str> = names.iter().chain(ids).map(String::as_str).collect();
                format!("{approvals} of {}", groups.join(" or "))
            }
            Who::Quorum(name) => match self.quorum(name) {
                Some(quorum) => quorum.text().to_owned(),
                None => format!("the quorum {name:?}, which the charter does not have"),
            },
        }
    }
}

/// Finds a quorum of a charter by the name that a policy gives it.
pub(crate) fn quorum_named<'a>(charter: &'a Charter, name: &str) -> Option<&'a Quorum> {
    match name {
        "change" => Some(charter.change()),
        "charter" => Some(charter.charter()),
        _ => {
            let name = name.strip_prefix("group.").unwrap_or(name);
            charter.groups().iter().find(|(own, _)| own.as_str() == name).map(|(_, quorum)| quorum)
        }
    }
}

/// Lists the groups that make an entity an approver. In service no auth method does.
pub(crate) fn approving_groups<'a>(
    tables: &'a Tables,
    is_in_service: bool,
    entity: &Entity,
) -> Vec<&'a identity::Group> {
    let groups = tables.groups();
    let entity = if is_in_service { Entity { aliases: Vec::new(), ..entity.clone() } } else { entity.clone() };
    let found = groups.of(&entity).into_iter().filter_map(|id| groups.get(id)).map(AsRef::as_ref);
    found.filter(|group| !(is_in_service && group.kind == GroupKind::External)).collect()
}

fn is_named(group: &identity::Group, name: &str) -> bool {
    group.name.to_lowercase() == name.to_lowercase()
}
