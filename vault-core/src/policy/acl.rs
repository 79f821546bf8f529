//! The rules of several policies put together, and the decision.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Policy;
use super::capability::{Capabilities, Capability};
use super::parameters::Parameters;
use super::pattern::{Pattern, Shape};
use super::rules::Rule;

/// What is asked of the rules.
pub struct Ask<'a> {
    /// The full path, without leading slash.
    pub path: &'a str,
    /// What the operation needs.
    pub capability: Capability,
    /// The fields of the body, for rules over them.
    pub fields: &'a Map<String, Value>,
}

/// All rules in force for one identity, arranged so that a decision looks at few of them: exact paths by hash, plain
/// prefixes by the longest that fits, and patterns with `+` one by one among those that begin alike.
#[derive(Default)]
pub struct Acl {
    root: bool,
    exact: HashMap<String, Grant>,
    prefixes: BTreeMap<String, (Pattern, Grant)>,
    segments: BTreeMap<String, Vec<(Pattern, Grant)>>,
}

/// What all policies together grant at one pattern.
#[derive(Clone, Default)]
struct Grant {
    capabilities: Capabilities,
    parameters: Parameters,
}

impl Acl {
    /// Gives the rules of the policy `root`: everything is allowed.
    pub fn root() -> Self {
        Self { root: true, ..Self::default() }
    }

    /// Puts the rules of several policies together. The same pattern in several of them grants what any grants, and
    /// nothing if one denies.
    pub fn of(policies: &[Arc<Policy>]) -> Self {
        let mut grants: BTreeMap<Pattern, Grant> = BTreeMap::new();
        for rule in policies.iter().flat_map(|policy| policy.rules()) {
            let Rule { pattern, capabilities, parameters } = rule;
            grants
                .entry(pattern.clone())
                .and_modify(|grant| {
                    grant.capabilities.unite(*capabilities);
                    grant.parameters.join(parameters);
                })
                .or_insert_with(|| Grant { capabilities: *capabilities, parameters: parameters.clone() });
        }
        let mut acl = Self::default();
        for (pattern, grant) in grants {
            match pattern.shape() {
                Shape::Exact => drop(acl.exact.insert(pattern.text().to_owned(), grant)),
                Shape::Prefix => drop(acl.prefixes.insert(pattern.text().to_owned(), (pattern, grant))),
                Shape::Segments => {
                    acl.segments.entry(pattern.first_segment().to_owned()).or_default().push((pattern, grant));
                }
            }
        }
        acl
    }

    /// Tells whether the rules allow what is asked.
    pub fn allows(&self, ask: &Ask<'_>) -> bool {
        self.root
            || self.decisive(ask.path, ask.capability).is_some_and(|grant| {
                grant.capabilities.grants(ask.capability)
                    && (ask.capability == Capability::Sudo || grant.parameters.pass(ask.fields))
            })
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
            || self.segments.values().flatten().any(below)
    }

    /// Finds the grant that decides about a path: an exact one, else the most specific pattern that matches. A LIST
    /// asks about a folder, with a slash at its end; a rule without the slash speaks of it too.
    fn decisive(&self, path: &str, capability: Capability) -> Option<&Grant> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if let Some(grant) = self.exact.get(path) {
            return Some(grant);
        }
        let bare = path.strip_suffix('/').filter(|_| capability == Capability::List);
        if let Some(grant) = bare.and_then(|bare| self.exact.get(bare)) {
            return Some(grant);
        }
        let prefix = self.longest_prefix(path);
        let first = path.split('/').next().unwrap_or_default();
        let segments = ["+", first].into_iter().filter_map(|first| self.segments.get(first)).flatten();
        let matching =
            segments.filter(|(pattern, _)| pattern.matches(path) || bare.is_some_and(|bare| pattern.matches(bare)));
        matching
            .chain(prefix)
            .max_by(|(one, _), (other, _)| one.priority().cmp(&other.priority()))
            .map(|(_, grant)| grant)
    }

    /// Finds the longest prefix pattern that a path begins with. In the order of texts, a path's prefixes lie before
    /// it; whatever lies between the longest and the path shares less with the path than itself is long, so the
    /// search goes on with what they share.
    fn longest_prefix(&self, path: &str) -> Option<&(Pattern, Grant)> {
        let mut end = path;
        loop {
            let (candidate, found) =
                self.prefixes.range::<str, _>((Bound::Unbounded, Bound::Included(end))).next_back()?;
            if path.starts_with(candidate.as_str()) {
                return Some(found);
            }
            end = common_start(end, candidate);
        }
    }
}

/// Gives what two texts begin with in common.
fn common_start<'a>(one: &'a str, other: &str) -> &'a str {
    let length = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let boundary = (0..=length).rev().find(|end| one.is_char_boundary(*end)).unwrap_or(0);
    one.get(..boundary).unwrap_or_default()
}
