//! Against brute force: every path of a tiny alphabet of segments up to a depth, every capability, everybody.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Map;

use super::*;
use crate::auth::{facts_of, policies_of};
use crate::policy::{Acl, Ask};

/// Who can do what alone, by pattern.
type Table = BTreeMap<String, BTreeSet<(String, Capability)>>;

/// A template that resolves for entities, and denies for every value where a token acts for none.
const NAME: &str = "{{identity.entity.name}}";

fn any_pattern() -> impl Strategy<Value = String> {
    let segment = prop_oneof![4 => Just("a"), 4 => Just("aa"), 4 => Just("+"), 1 => Just(NAME)];
    (proptest::collection::vec(segment, 1..3), prop_oneof![Just(""), Just("*"), Just("/*"), Just("/"), Just("/+")])
        .prop_map(|(segments, end)| segments.join("/") + end)
        .prop_filter("a '+' before '*' is refused", |pattern| !pattern.contains("+*"))
}

fn any_rule() -> impl Strategy<Value = String> {
    let capabilities = prop_oneof![
        1 => Just("deny"),
        2 => Just("read\", \"list"),
        2 => Just("read\", \"update"),
        1 => Just("create\", \"patch\", \"delete\", \"list"),
        1 => Just("read\", \"create\", \"update\", \"patch\", \"delete\", \"list\", \"sudo"),
    ];
    let held = prop_oneof![
        3 => Just(""),
        1 => Just("controlled_capabilities = [\"read\"]"),
        1 => Just("controlled_capabilities = [\"write\", \"list\"]"),
        1 => Just(" "),
    ];
    (any_pattern(), capabilities, held).prop_map(|(pattern, capabilities, held)| {
        let identity = "identity { group_names = [\"g\"] approvals = 1 }";
        let group = format!("control_group = {{ factor \"f\" {{ {identity} {held} }} }}");
        // A path with a template cannot have a control group.
        let group = if held.is_empty() || pattern.contains(NAME) { "" } else { &group };
        format!("path \"{pattern}\" {{\n capabilities = [\"{capabilities}\"]\n {group}\n}}\n")
    })
}

/// Policies p, q, r and t; the entities a and aa with some of them, in a group or not; a token of its own, and one of aa's.
fn any_vault() -> impl Strategy<Value = Vault> {
    let policy = || proptest::collection::vec(any_rule(), 0..4).prop_map(|rules| rules.concat());
    let names = || proptest::sample::subsequence(vec!["p", "q", "r"], 0..3);
    let texts = proptest::collection::vec(policy(), 4);
    (texts, names(), names(), names(), names(), proptest::sample::subsequence(vec![1, 2], 0..=2)).prop_map(
        |(texts, one, two, group, token, members)| {
            let named = ["p", "q", "r", "t"].into_iter().zip(&texts);
            let vault = named.fold(Vault::default(), |vault, (name, text)| vault.policy(name, text));
            let vault = vault.entity(1, "a", &one).entity(2, "aa", &two).group(7, "g", &group, &members);
            vault.token("own", &token, None).token("other", &["t"], Some(2))
        },
    )
}

/// Every path of up to four segments of these: a and aa stand in patterns, and x in none.
fn universe() -> Vec<String> {
    const SEGMENTS: [&str; 5] = ["a", "x", "aa", "ax", "aax"];
    let mut all: Vec<String> = Vec::new();
    let mut last = vec![String::new()];
    for _ in 0..4 {
        last = last.iter().flat_map(|path| SEGMENTS.map(|segment| format!("{path}{segment}/"))).collect();
        all.extend(last.iter().flat_map(|folder| [folder.clone(), folder.trim_end_matches('/').to_owned()]));
    }
    all
}

fn slow_match(pattern: &str, path: &str) -> bool {
    match pattern.split_once('/') {
        None if pattern == "+" => !path.contains('/'),
        None => pattern.strip_suffix('*').map_or(pattern == path, |start| path.starts_with(start)),
        Some((segment, pattern)) => path
            .split_once('/')
            .is_some_and(|(first, path)| (segment == "+" || segment == first) && slow_match(pattern, path)),
    }
}

/// Everybody with the rules in force for them, worked out without the report.
fn everybody(vault: &Vault, tables: &Tables) -> Vec<(String, Acl)> {
    let mut all: Vec<(String, Acl)> = Vec::new();
    for entity in &vault.entities {
        let policies: Vec<String> = policies_of(entity, tables).into_iter().collect();
        all.push((entity.name.clone(), tables.acl(&policies, &facts_of(entity, tables))));
    }
    for token in &vault.tokens {
        let entity = vault.entities.iter().find(|entity| Some(entity.id) == token.entity);
        let brought = entity.map(|entity| policies_of(entity, tables)).unwrap_or_default();
        let policies: Vec<String> = token.policies.iter().cloned().chain(brought).collect();
        let name = entity.map_or(token.accessor.clone(), |entity| entity.name.clone());
        all.push((name, tables.acl(&policies, &entity.map(|entity| facts_of(entity, tables)).unwrap_or_default())));
    }
    all
}

fn is_alone(acl: &Acl, path: &str, capability: Capability) -> bool {
    (capability != Capability::List || path.ends_with('/'))
        && acl.allows(&Ask { path, capability, fields: &Map::new(), wrapping_ttl: None })
        && acl.control_groups(path, capability).is_empty()
}

fn by_brute_force(vault: &Vault, tables: &Tables, paths: &[String]) -> Table {
    let patterns: BTreeSet<String> = tables
        .policies()
        .flat_map(|policy| policy.plain_scopes().map(|(scope, _)| scope.written()).collect::<Vec<_>>())
        .collect();
    let mut table = Table::new();
    for (name, acl) in everybody(vault, tables) {
        for path in paths {
            for capability in OPERATING.into_iter().filter(|capability| is_alone(&acl, path, *capability)) {
                let bare = path.strip_suffix('/').filter(|_| capability == Capability::List);
                for pattern in &patterns {
                    if slow_match(pattern, path) || bare.is_some_and(|bare| slow_match(pattern, bare)) {
                        table.entry(pattern.clone()).or_default().insert((name.clone(), capability));
                    }
                }
            }
        }
    }
    table
}

fn name(owner: &Owner) -> String {
    match owner {
        Owner::Person { name } | Owner::Entity { name, .. } => name.clone(),
        Owner::Token { accessor, .. } => accessor.clone(),
    }
}

fn reported(report: &LoneWolf) -> Table {
    let mut table = Table::new();
    for alone in report.alone.iter().filter(|alone| !alone.pattern.contains(NAME)) {
        let row = table.entry(alone.pattern.clone()).or_default();
        for line in &alone.lines {
            let who = line.who.iter().map(name);
            row.extend(who.flat_map(|who| line.capabilities.iter().map(move |capability| (who.clone(), *capability))));
        }
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_report_says_what_brute_force_says(vault in any_vault()) {
        let (tables, report) = (vault.tables(), vault.report(None, &[]));
        prop_assert_eq!(reported(&report), by_brute_force(&vault, &tables, &universe()));
        prop_assert!(report.left_out.is_empty());
    }

    #[test]
    fn each_line_holds_at_its_example(vault in any_vault()) {
        let (tables, report) = (vault.tables(), vault.report(None, &["+", "a*"]));
        let everybody = everybody(&vault, &tables);
        let violations = report.violations.iter().flat_map(|violation| &violation.lines);
        for line in report.alone.iter().flat_map(|alone| &alone.lines).chain(violations) {
            prop_assert!(!line.granted_by.is_empty() && line.who_count == line.who.len());
            let first = line.capabilities.first().copied().unwrap();
            let named: Vec<String> = line.who.iter().map(name).collect();
            let mut acls = everybody.iter().filter(|(name, _)| named.contains(name));
            prop_assert!(acls.any(|(_, acl)| is_alone(acl, &line.example, first)), "{:?}", line);
        }
    }
}
