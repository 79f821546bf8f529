//! What rules allow within a scope, alone and at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::holders::{Holder, Holders, Owner};
use super::{Census, Line, OWNERS_NAMED_MAX};
use crate::approval::{PowerPlace, gives_power, places_of_power, sets_password_of};
use crate::engines::{self, Access};
use crate::flow::Target;
use crate::policy::{Acl, Area, Budget, Capability, IdentityFacts, Landmarks, OPERATING, Policy, Scope, granting};
use crate::request::Operation;

/// Looks at what everybody can do within scopes, one after another.
pub(super) struct Survey<'a> {
    census: &'a Census<'a>,
    holders: Vec<Surveyed<'a>>,
    cuts: Landmarks,
    budget: Budget,
}

/// Some with the same policies, and what these come to.
struct Surveyed<'a> {
    holder: &'a Holder,
    templates: Landmarks,
    /// The rules of each member; of the first one only, until a scope differs among them.
    rules: Vec<Option<Rules>>,
}

struct Rules {
    acl: Acl,
    landmarks: Landmarks,
}

/// What was found within a scope.
#[derive(Default)]
pub(super) struct Found {
    /// Who can do what alone.
    pub(super) alone: Lines,
    /// Who can change what is there alone.
    pub(super) changes: Lines,
    /// Who can give power alone.
    pub(super) power: Lines,
    /// Who can do what at all, alone or with others.
    pub(super) able: Able,
}

/// Who can do something, as far as it matters whether it is just one; `None` where there are more.
#[derive(Clone, Default)]
pub(super) struct Able(BTreeMap<Capability, Option<Owner>>);

/// Who can do what, those together who can do the same for the same reason.
#[derive(Clone, Default)]
pub(super) struct Lines(BTreeMap<Can, BTreeSet<Owner>>);

/// What one can do: each capability with an example and the policies that grant it.
type Can = BTreeMap<Capability, (String, BTreeSet<String>)>;

/// What some can do, and the policies that grant it.
type Reason = (Vec<Capability>, BTreeSet<String>);

/// A user of an auth method, by its accessor and their name there.
type User = (String, String);

/// What the rules of one identity allow within a scope.
#[derive(Default)]
struct Reach {
    alone: Can,
    changes: Can,
    power: Can,
    able: BTreeSet<Capability>,
    /// Whose passwords it sets: what is so for everybody else is not for them.
    users: BTreeSet<User>,
}

impl Reach {
    /// Tells whether it would be another for somebody because the password that is set is their own.
    fn is_about(&self, facts: &IdentityFacts) -> bool {
        self.users.iter().any(|user| is_user(facts, user))
    }
}

/// Tells whether an entity is the user of an auth method, as the gate does.
fn is_user(facts: &IdentityFacts, (accessor, name): &User) -> bool {
    let mut aliases = facts.entity.iter().flat_map(|entity| &entity.aliases);
    aliases.any(|alias| alias.mount_accessor == *accessor && alias.name == *name)
}

impl Found {
    /// Adds what was found within another scope.
    pub(super) fn join(&mut self, other: Self) {
        self.alone.join(other.alone);
        self.changes.join(other.changes);
        self.power.join(other.power);
    }
}

impl Able {
    fn add(&mut self, reach: &Reach, owners: &BTreeSet<Owner>) {
        for capability in &reach.able {
            let mut owners = owners.iter();
            let just_one = owners.next().filter(|_| owners.next().is_none());
            self.0
                .entry(*capability)
                .and_modify(|known| {
                    known.take_if(|known| Some(&*known) != just_one);
                })
                .or_insert_with(|| just_one.cloned());
        }
    }

    /// Lists what just one can do, by who it is.
    pub(super) fn just_one(self) -> BTreeMap<Owner, Vec<Capability>> {
        let mut found: BTreeMap<Owner, Vec<Capability>> = BTreeMap::new();
        for (capability, owner) in self.0 {
            owner.into_iter().for_each(|owner| found.entry(owner).or_default().push(capability));
        }
        found
    }
}

impl Lines {
    fn join(&mut self, other: Self) {
        for (can, owners) in other.0 {
            self.0.entry(can).or_default().extend(owners);
        }
    }

    fn add(&mut self, can: &Can, owners: &BTreeSet<Owner>) {
        if !can.is_empty() {
            self.0.entry(can.clone()).or_default().extend(owners.iter().cloned());
        }
    }

    /// Writes the lines, of all capabilities or of some.
    pub(super) fn into_lines(self, only: Option<&BTreeSet<Capability>>) -> Vec<Line> {
        let mut together: BTreeMap<Reason, (String, BTreeSet<Owner>)> = BTreeMap::new();
        for (can, owners) in self.0 {
            let kept = || can.iter().filter(|(capability, _)| only.is_none_or(|only| only.contains(capability)));
            let capabilities: Vec<Capability> = kept().map(|(capability, _)| *capability).collect();
            let granted_by = kept().flat_map(|(_, (_, policies))| policies.iter().cloned()).collect();
            let Some((_, (example, _))) = kept().next() else { continue };
            let fresh = || (example.clone(), BTreeSet::new());
            together.entry((capabilities, granted_by)).or_insert_with(fresh).1.extend(owners);
        }
        let line = |((capabilities, granted_by), (example, owners)): (Reason, (String, BTreeSet<Owner>))| Line {
            capabilities,
            granted_by: granted_by.into_iter().collect(),
            example,
            who_count: owners.len(),
            who: owners.into_iter().take(OWNERS_NAMED_MAX).collect(),
        };
        together.into_iter().map(line).collect()
    }
}

impl<'a> Survey<'a> {
    pub(super) fn new(census: &'a Census<'a>, holders: &'a Holders, budget: Budget) -> Self {
        let surveyed = |holder: &'a Holder| {
            let templates = Landmarks::of_templates(&holder.policies);
            Surveyed { holder, templates, rules: holder.members.iter().map(|_| None).collect() }
        };
        Self { census, holders: holders.all.iter().map(surveyed).collect(), cuts: cuts(census), budget }
    }

    /// Tells whether something was left out.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.budget.is_spent()
    }

    /// Gives what is looked at.
    pub(super) const fn census(&self) -> &'a Census<'a> {
        self.census
    }

    /// Looks at what everybody can do within a scope.
    pub(super) fn over(&mut self, scope: &Scope) -> Found {
        let mut found = Found::default();
        let area = Area::new(scope, &self.cuts);
        for Surveyed { holder, templates, rules } in &mut self.holders {
            // Where no template can matter, what holds for one member holds for all.
            let differ = templates.may_meet(&area);
            let mut shared: Option<Reach> = None;
            for ((facts, owners), rules) in holder.members.iter().zip(rules) {
                let reach = match shared.take() {
                    Some(reach) if !reach.is_about(facts) => reach,
                    _ => {
                        let rules = rules.get_or_insert_with(|| Rules::of(&holder.policies, facts));
                        let who = (holder.policies.as_slice(), facts);
                        rules.reach(self.census, who, &area, &mut self.budget)
                    }
                };
                found.alone.add(&reach.alone, owners);
                found.changes.add(&reach.changes, owners);
                found.power.add(&reach.power, owners);
                found.able.add(&reach, owners);
                shared = (!differ && !reach.is_about(facts)).then_some(reach);
            }
        }
        found
    }

    /// Looks at the paths of policies with templates, for each who has the policy, with their own values.
    pub(super) fn over_templates(&mut self) -> BTreeMap<String, (BTreeSet<String>, Lines)> {
        let mut found: BTreeMap<String, (BTreeSet<String>, Lines)> = BTreeMap::new();
        for Surveyed { holder, rules, .. } in &mut self.holders {
            for policy in holder.policies.iter().filter(|policy| policy.is_templated()) {
                for ((facts, owners), rules) in holder.members.iter().zip(rules.iter_mut()) {
                    for (written, scope) in policy.filled_scopes(facts) {
                        let rules = rules.get_or_insert_with(|| Rules::of(&holder.policies, facts));
                        let who = (holder.policies.as_slice(), facts);
                        let reach = rules.reach(self.census, who, &Area::new(&scope, &self.cuts), &mut self.budget);
                        let (policies, lines) = found.entry(written.to_owned()).or_default();
                        policies.insert(policy.name().to_owned());
                        lines.add(&reach.alone, owners);
                    }
                }
            }
        }
        found
    }
}

impl Rules {
    fn of(policies: &[Arc<Policy>], facts: &IdentityFacts) -> Self {
        Self { acl: Acl::of(policies, facts), landmarks: Landmarks::of(policies, facts) }
    }

    fn reach(
        &self,
        census: &Census<'_>,
        (policies, facts): (&[Arc<Policy>], &IdentityFacts),
        area: &Area<'_>,
        budget: &mut Budget,
    ) -> Reach {
        let mut reach = Reach::default();
        for path in self.landmarks.witnesses(area, budget) {
            for capability in OPERATING.into_iter().filter(|capability| area.scope().fits(&path, *capability)) {
                let Some(judged) = judge(census, (&self.acl, facts), &path, capability) else { continue };
                reach.users.extend(judged.user);
                // What gives power in service stewards do by an act as well.
                if !judged.is_for_stewards {
                    reach.able.insert(capability);
                }
                if judged.is_held {
                    continue;
                }
                let granted = || (path.clone(), granting(policies, facts, &path, capability));
                reach.alone.entry(capability).or_insert_with(granted);
                if !matches!(capability, Capability::Read | Capability::List) {
                    reach.changes.entry(capability).or_insert_with(granted);
                }
                if judged.is_power {
                    reach.power.entry(capability).or_insert_with(granted);
                }
            }
        }
        reach
    }
}

/// What becomes of a request that the rules allow.
pub(super) struct Judged {
    /// Whether others must agree.
    pub(super) is_held: bool,
    /// Whether it gives power.
    pub(super) is_power: bool,
    /// Whether stewards do it by an act as well.
    is_for_stewards: bool,
    /// Whose password it sets, in service.
    user: Option<User>,
}

/// Judges a request as the way of a request does: `None` for one that is denied, that nobody makes, or that needs no token.
pub(super) fn judge(
    census: &Census<'_>,
    (acl, facts): (&Acl, &IdentityFacts),
    path: &str,
    capability: Capability,
) -> Option<Judged> {
    let operation = operation(capability)?;
    if operation == Operation::List && !path.ends_with('/') {
        return None;
    }
    let target = Target::find(census.tables, path);
    let access = target.as_ref().and_then(|(target, _)| target.route).map_or(Access::Policy, |route| route.access);
    let allowed = acl.grants(path, capability) && (access != Access::Sudo || acl.grants(path, Capability::Sudo));
    if access == Access::Open || !allowed {
        return None;
    }
    let place = target.as_ref().map(|(target, below)| PowerPlace { kind: &target.mount.kind, below });
    let is_power = gives_power(operation, path, place, access);
    // In service nobody alone sets the password of another.
    let user = target.as_ref().zip(place).filter(|_| census.charter.is_some()).and_then(|((target, _), place)| {
        sets_password_of(place).map(|user| (target.mount.accessor.clone(), user.to_lowercase()))
    });
    let is_anothers = user.as_ref().is_some_and(|user| !is_user(facts, user));
    let changes_power = is_power && census.charter.is_some();
    let is_held = is_anothers || changes_power || !acl.control_groups(path, capability).is_empty();
    Some(Judged { is_held, is_power, is_for_stewards: changes_power || user.is_some(), user })
}

const fn operation(capability: Capability) -> Option<Operation> {
    match capability {
        Capability::Read => Some(Operation::Read),
        Capability::List => Some(Operation::List),
        Capability::Create | Capability::Update => Some(Operation::Write),
        Capability::Patch => Some(Operation::Patch),
        Capability::Delete => Some(Operation::Delete),
        Capability::Deny | Capability::Sudo => None,
    }
}

/// Lists what decisions depend on besides policies: the routes of mounts, and where power is given.
fn cuts(census: &Census<'_>) -> Landmarks {
    let routes = census.tables.mounts().flat_map(|mount| {
        let engine = engines::find(&mount.kind);
        let routes = engine.map(|engine| engine.routes(mount)).unwrap_or_default();
        let below = routes.iter().map(|route| as_pattern(route.path));
        below.chain(["*".to_owned()]).map(|below| format!("{}{below}", mount.path))
    });
    let powers = places_of_power();
    Landmarks::of_scopes(routes.chain(powers).filter_map(|pattern| Scope::parse(&pattern).ok()))
}

/// Writes a route's path as a pattern. A name for any number of segments before fixed ones stands for one here: such routes
/// ask of their callers what those ask that end with it.
fn as_pattern(route: &str) -> String {
    let (path, any_rest) = match route.rsplit_once('{') {
        Some((path, name)) if name.ends_with("*}") => (path, "*"),
        _ => (route, ""),
    };
    let segment = |segment: &str| if segment.starts_with('{') { "+".to_owned() } else { segment.to_owned() };
    let segments: Vec<String> = path.split('/').map(segment).collect();
    segments.join("/") + any_rest
}
