//! The rules of several policies put together, and the decision.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Policy;
use super::capability::{Capabilities, Capability};
use super::control_group::ControlGroup;
use super::denial::Denial;
use super::parameters::Parameters;
use super::pattern::{Pattern, Shape};
use super::rules::RulePath;
use super::template::IdentityFacts;
use super::tree::{Tree, longest_prefix};
use super::wrapping::WrappingBounds;
use crate::time::Span;

/// What is asked of the rules.
pub struct Ask<'a> {
    /// The full path, without leading slash.
    pub path: &'a str,
    /// What the operation needs.
    pub capability: Capability,
    /// The fields of the body, for rules over them.
    pub fields: &'a Map<String, Value>,
    /// For how long the answer is to be wrapped; none and zero ask for no wrapping.
    pub wrapping_ttl: Option<Span>,
}

/// All rules in force for one identity, arranged so that a decision looks at few of them: exact paths by hash, plain
/// prefixes by the longest that fits, and patterns with `+` along a tree of segments.
#[derive(Default)]
pub struct Acl {
    root: bool,
    exact: HashMap<String, Grant>,
    prefixes: BTreeMap<String, (Pattern, Grant)>,
    segments: Tree<(Pattern, Grant)>,
    /// Rules that deny and whose templates do not resolve.
    denials: Tree<Denial>,
    control_groups: Vec<(Pattern, Arc<ControlGroup>)>,
}

/// What all policies together grant at one pattern.
#[derive(Clone, Default)]
struct Grant {
    capabilities: Capabilities,
    parameters: Parameters,
    wrapping: WrappingBounds,
}

impl Acl {
    /// Gives the rules of the policy `root`: everything is allowed.
    pub fn root() -> Self {
        Self { root: true, ..Self::default() }
    }

    /// Puts the rules of several policies together, with the templates filled in for one identity. The same pattern in
    /// several of them grants what any grants, and nothing if one denies. A rule whose template does not resolve grants
    /// nothing; one that grants nothing anyway denies for every value.
    pub fn of(policies: &[Arc<Policy>], facts: &IdentityFacts) -> Self {
        let mut acl = Self::default();
        let mut grants: BTreeMap<Pattern, Grant> = BTreeMap::new();
        for rule in policies.iter().flat_map(|policy| policy.rules()) {
            let Some(pattern) = rule.path.pattern(facts) else {
                if let RulePath::Templated(template) = &rule.path
                    && !rule.capabilities.grants_anything()
                {
                    acl.deny_for_every_value(template.denial(facts));
                }
                continue;
            };
            if let Some(control_group) = &rule.control_group {
                acl.control_groups.push((pattern.clone().into_owned(), Arc::clone(control_group)));
            }
            let (capabilities, wrapping) = (rule.capabilities, rule.wrapping);
            match grants.get_mut(&*pattern) {
                Some(grant) => {
                    grant.capabilities.unite(capabilities);
                    grant.parameters.join(&rule.parameters);
                    grant.wrapping.join(wrapping);
                }
                None => {
                    let grant = Grant { capabilities, parameters: rule.parameters.clone(), wrapping };
                    grants.insert(pattern.into_owned(), grant);
                }
            }
        }
        for (pattern, grant) in grants {
            match pattern.shape() {
                Shape::Exact => drop(acl.exact.insert(pattern.text().to_owned(), grant)),
                Shape::Prefix => drop(acl.prefixes.insert(pattern.text().to_owned(), (pattern, grant))),
                Shape::Segments => {
                    let (pieces, any_rest) = pattern.pieces();
                    acl.segments.insert(&pieces, any_rest, (pattern, grant));
                }
            }
        }
        acl
    }

    fn deny_for_every_value(&mut self, denial: Denial) {
        let (pieces, any_rest) = denial.pieces();
        let pieces = pieces.to_vec();
        self.denials.insert(&pieces, any_rest, denial);
    }

    /// Tells whether the rules allow what is asked. `sudo` comes on top of the capability that the operation needs, so
    /// the rules over fields and wrapping are asked with that one.
    pub fn allows(&self, ask: &Ask<'_>) -> bool {
        self.root
            || self.decisive(ask.path, ask.capability).is_some_and(|grant| {
                grant.capabilities.grants(ask.capability)
                    && (ask.capability == Capability::Sudo
                        || (grant.parameters.pass(ask.fields) && grant.wrapping.pass(ask.wrapping_ttl)))
            })
    }

    /// Tells whether the rules grant a capability at a path, to a request with the right fields and the right wrapping.
    pub(crate) fn grants(&self, path: &str, capability: Capability) -> bool {
        self.root || self.decisive(path, capability).is_some_and(|grant| grant.capabilities.grants(capability))
    }

    /// Lists what holds a request back: the rules of every pattern that fits the path, so that a more specific path does
    /// not undo one, nor does a slash at the end: to some routes it makes no difference. Nothing holds root back.
    pub fn control_groups(&self, path: &str, capability: Capability) -> Vec<ControlGroup> {
        if self.control_groups.is_empty() {
            return Vec::new();
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let bare = path.strip_suffix('/');
        let fits = |pattern: &Pattern| pattern.matches(path) || bare.is_some_and(|bare| pattern.matches(bare));
        let mut found: Vec<ControlGroup> = Vec::new();
        for (pattern, control_group) in &self.control_groups {
            if fits(pattern)
                && let Some(over) = control_group.over(capability)
                && !found.contains(&over)
            {
                found.push(over);
            }
        }
        found
    }

    /// Tells whether the rules grant `sudo` at a path; root has it everywhere.
    pub fn grants_sudo(&self, path: &str) -> bool {
        self.allows(&Ask { path, capability: Capability::Sudo, fields: &Map::new(), wrapping_ttl: None })
    }

    /// Tells whether the rules look at fields of the body at all, so that nobody parses it for nothing.
    pub fn looks_at_fields(&self, path: &str) -> bool {
        !self.root && self.decisive(path, Capability::Update).is_some_and(|grant| !grant.parameters.is_empty())
    }

    /// Lists what the rules grant at a path: `sys/capabilities`. Deny stands alone; `None` for root.
    pub fn capabilities(&self, path: &str) -> Option<BTreeSet<Capability>> {
        if self.root {
            return None;
        }
        Some(self.decisive(path, Capability::Read).map(|grant| grant.capabilities).unwrap_or_default().listed())
    }

    /// Tells whether anything is granted at or below a folder, which ends with a slash.
    pub fn reaches(&self, folder: &str) -> bool {
        let below =
            |(pattern, grant): &(Pattern, Grant)| grant.capabilities.grants_anything() && pattern.reaches_below(folder);
        self.root
            || self.exact.iter().any(|(path, grant)| grant.capabilities.grants_anything() && path.starts_with(folder))
            || self.prefixes.values().any(below)
            || self.segments.leaves().any(below)
    }

    /// Finds the grant that decides about a path: an exact one, else the most specific pattern that matches; `None`
    /// also where a denial decides. A LIST asks about a folder, with a slash at its end; a rule without the slash
    /// speaks of it too.
    fn decisive(&self, path: &str, capability: Capability) -> Option<&Grant> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let bare = path.strip_suffix('/').filter(|_| capability == Capability::List);
        let mut denial: Option<Pattern> = None;
        for spoken in [Some(path), bare].into_iter().flatten() {
            let found = self.denial(spoken, spoken == path);
            if found.as_ref().is_some_and(|found| found.shape() == Shape::Exact) {
                return None;
            }
            if let Some(grant) = self.exact.get(spoken) {
                return Some(grant);
            }
            denial = denial.into_iter().chain(found).max_by(|one, other| one.priority().cmp(&other.priority()));
        }
        let mut best = longest_prefix(&self.prefixes, path);
        for spoken in [Some(path), bare].into_iter().flatten() {
            self.segments.find(spoken, |found| {
                if best.is_none_or(|best| best.0.priority() < found.0.priority()) {
                    best = Some(found);
                }
            });
        }
        let denied = |pattern: &Pattern| denial.as_ref().is_some_and(|denial| denial.priority() >= pattern.priority());
        best.filter(|(pattern, _)| !denied(pattern)).map(|(_, grant)| grant)
    }

    /// Finds the most specific pattern that a rule which denies for every value could have become and that matches a
    /// path; an exact one before all others. A plain prefix speaks of the path itself only, `whole`, not of a folder
    /// without its slash.
    fn denial(&self, path: &str, whole: bool) -> Option<Pattern> {
        let mut best: Option<Pattern> = None;
        self.denials.find(path, |denial| {
            if denial.shape() == Shape::Prefix && !whole {
                return;
            }
            let found = denial.instance(path);
            let rank = |pattern: &Pattern| pattern.shape() == Shape::Exact;
            let order = |best: &Pattern| (rank(best), best.priority()) < (rank(&found), found.priority());
            if best.as_ref().is_none_or(order) {
                best = Some(found);
            }
        });
        best
    }
}
