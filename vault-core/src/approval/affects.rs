//! Whom a request concerns besides the two who talk about it: policies that read the same path, and groups that have them.

use serde::Serialize;
use serde_json::Map;

use super::statement::Statement;
use crate::mounts::Tables;
use crate::policy::{Acl, Ask, Capability, IdentityFacts};

/// Most policies that are looked at, and most names that are given.
const LOOKED_AT_MAX: usize = 2_000;
const NAMES_MAX: usize = 20;

/// Whom a request concerns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Affected {
    /// Policies that read the path, or the one that is changed.
    policies: Vec<String>,
    /// Groups that have one of them.
    groups: Vec<String>,
    /// How many policies and groups there are in all.
    policy_count: usize,
    group_count: usize,
    /// Whether there are more policies than were looked at.
    is_incomplete: bool,
}

/// Finds whom a request concerns. Templates of paths are not filled in: they speak of one identity each.
pub(crate) fn affected(tables: &Tables, stated: &Statement) -> Affected {
    let changed = ["sys/policies/acl/", "sys/policy/"].iter().find_map(|start| stated.path.strip_prefix(start));
    let reads = |acl: &Acl| {
        let ask = Ask { path: &stated.path, capability: Capability::Read, fields: &Map::new(), wrapping_ttl: None };
        acl.allows(&ask)
    };
    let policies: Vec<String> = match changed {
        Some(name) => vec![name.to_lowercase()],
        None => tables
            .policies()
            .take(LOOKED_AT_MAX)
            .filter(|policy| reads(&Acl::of(&[std::sync::Arc::clone(policy)], &IdentityFacts::default())))
            .map(|policy| policy.name().to_owned())
            .collect(),
    };
    let has_one = |own: &[String]| own.iter().any(|name| policies.contains(name));
    let groups: Vec<String> =
        tables.groups().iter().filter(|group| has_one(&group.policies)).map(|group| group.name.clone()).collect();
    Affected {
        policy_count: policies.len(),
        group_count: groups.len(),
        policies: policies.into_iter().take(NAMES_MAX).collect(),
        groups: groups.into_iter().take(NAMES_MAX).collect(),
        is_incomplete: changed.is_none() && tables.policies().nth(LOOKED_AT_MAX).is_some(),
    }
}
