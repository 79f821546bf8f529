//! The lone-wolf report: what one alone can do, and what only one can still do.
//!
//! Computed from policies, identities, tokens and the charter as they are, for requests that nobody makes. `holders` finds who
//! has which rules, `reach` what rules allow within a scope, `power` who alone gives power, `quorums` which agreements hang on
//! one person. Reasons: docs/decisions/0027-lone-wolf-report.md.

mod holders;
mod power;
mod quorums;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::auth::token::Token;
use crate::charter::Charter;
use crate::identity::Entity;
use crate::mounts::Tables;
use crate::policy::{Budget, Capability, OPERATING, Scope};
use crate::wrapping;
use holders::Holders;
pub use holders::Owner;
pub use power::ActOfPower;
pub use quorums::Agreement;
use reach::{Lines, Survey};

/// Most comparisons of one report: some seconds of work.
const COMPARISONS_MAX: u64 = 20_000_000;

/// Most owners that one line names; it counts all.
const OWNERS_NAMED_MAX: usize = 100;

/// Most paths that a caller names.
const ASKED_MAX: usize = 32;

/// What a report is computed from.
#[derive(Clone, Copy)]
pub struct Census<'a> {
    /// Policies, groups and mounts.
    pub tables: &'a Tables,
    /// The charter, of a vault in service.
    pub charter: Option<&'a Charter>,
    /// All entities.
    pub entities: &'a [Entity],
    /// All service tokens that are alive.
    pub tokens: &'a [Token],
}

/// What one alone can do, and what only one can still do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LoneWolf {
    /// Whether a charter governs the vault.
    pub is_in_service: bool,
    /// Protected paths that somebody can read or change alone.
    pub violations: Vec<Violation>,
    /// The paths that must not be anybody's alone.
    pub protected: Vec<Protected>,
    /// Each path of the policies that somebody can read or change alone, in part or in whole.
    pub alone: Vec<Alone>,
    /// Root tokens, which can do everything alone and are in no other line.
    pub root_tokens: Vec<Owner>,
    /// What gives power, and who can do it alone.
    pub acts_of_power: Vec<ActOfPower>,
    /// What only one can still do, and what nobody can any more.
    pub only_one_left: OnlyOneLeft,
    /// What this report leaves out, in words; nothing if it is complete.
    pub left_out: Vec<String>,
}

/// A path of the policies, and who can read or change it alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Alone {
    /// The path as policies write it.
    pub pattern: String,
    /// The policies that write it.
    pub policies: Vec<String>,
    /// Who can do what.
    pub lines: Vec<Line>,
}

/// Some who can do the same for the same reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// What they can do with nobody else's agreement.
    pub capabilities: Vec<Capability>,
    /// The policies that grant it.
    pub granted_by: Vec<String>,
    /// A path where one of them can do the first of it.
    pub example: String,
    /// Who, up to a hundred.
    pub who: Vec<Owner>,
    /// How many there are.
    pub who_count: usize,
}

/// A path that must not be anybody's alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Protected {
    /// The pattern.
    pub pattern: String,
    /// The capabilities that take the agreement of others.
    pub capabilities: Vec<Capability>,
    /// The policies with a control group there; none where the caller named the path.
    pub policies: Vec<String>,
}

/// A protected path that somebody can read or change alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// The protected pattern.
    pub pattern: String,
    /// Who can do what.
    pub lines: Vec<Line>,
}

/// What only one can still do, and what nobody can any more.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct OnlyOneLeft {
    /// Agreements that fall with one person, or that nobody can reach.
    pub agreements: Vec<Agreement>,
    /// Paths of policies where just one can do something at all, alone or with others.
    pub paths: Vec<OnlyOwner>,
}

/// A path of policies where just one can do something at all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OnlyOwner {
    /// The path as policies write it.
    pub pattern: String,
    /// What they can do.
    pub capabilities: Vec<Capability>,
    /// Who.
    pub who: Owner,
}

/// Where a pattern of the policies comes from.
#[derive(Default)]
struct Origin {
    policies: BTreeSet<String>,
    held: BTreeSet<Capability>,
    held_by: BTreeSet<String>,
}

impl Origin {
    /// Tells whether only policies write the path that every vault has, for what tokens do with themselves.
    fn is_built_in(&self) -> bool {
        self.policies.iter().all(|policy| policy == "default" || policy == wrapping::POLICY_NAME)
    }
}

impl LoneWolf {
    /// Computes the report. `asked` names mounts and patterns that are to be protected besides those with a control group.
    ///
    /// # Errors
    /// Answers with the reason for a path that no policy could have.
    pub fn of(census: &Census<'_>, asked: &[String]) -> Result<Self, String> {
        Self::within(census, asked, Budget::new(COMPARISONS_MAX))
    }

    fn within(census: &Census<'_>, asked: &[String], budget: Budget) -> Result<Self, String> {
        let asked = scopes(census.tables, asked)?;
        let origins = origins(census.tables);
        let holders = Holders::of(census);
        let mut survey = Survey::new(census, &holders, budget);
        let (mut alone, mut paths) = (Vec::new(), Vec::new());
        let (mut violations, mut protected) = (Vec::new(), Vec::new());
        for (scope, origin) in &origins {
            let found = survey.over(scope);
            let pattern = scope.written();
            if !origin.is_built_in() {
                let only = |(who, capabilities)| OnlyOwner { pattern: pattern.clone(), capabilities, who };
                paths.extend(found.able.just_one().into_iter().map(only));
            }
            if !origin.held.is_empty() {
                let capabilities = origin.held.iter().copied().collect();
                let policies = origin.held_by.iter().cloned().collect();
                violations.extend(violation(&pattern, &found.alone, &origin.held));
                protected.push(Protected { pattern: pattern.clone(), capabilities, policies });
            }
            alone.extend(line_up(pattern, &origin.policies, found.alone));
        }
        for (pattern, (policies, lines)) in survey.over_templates() {
            alone.extend(line_up(pattern, &policies, lines));
        }
        for scope in asked {
            let pattern = scope.written();
            let everything = OPERATING.into_iter().collect();
            violations.extend(violation(&pattern, &survey.over(&scope).alone, &everything));
            protected.push(Protected { pattern, capabilities: Vec::from_iter(everything), policies: Vec::new() });
        }
        stewards_alone(census, &protected, &mut violations);
        let acts_of_power = power::acts(&mut survey);
        let (agreements, mut left_out) = quorums::agreements(census);
        if survey.is_incomplete() {
            let text =
                "the policies have more combinations of paths than were tried: there may be findings besides these";
            left_out.insert(0, text.to_owned());
        }
        Ok(Self {
            is_in_service: census.charter.is_some(),
            violations,
            protected,
            alone,
            root_tokens: holders.root_tokens,
            acts_of_power,
            only_one_left: OnlyOneLeft { agreements, paths },
            left_out,
        })
    }
}

/// Reads the paths that a caller names: a mount stands for all below it.
fn scopes(tables: &Tables, asked: &[String]) -> Result<Vec<Scope>, String> {
    if asked.len() > ASKED_MAX {
        return Err(format!("at most {ASKED_MAX} paths can be named"));
    }
    let scope = |written: &String| {
        let folder = format!("{}/", written.trim_matches('/'));
        Scope::parse(&if tables.mount(&folder).is_some() { format!("{folder}*") } else { written.clone() })
    };
    asked.iter().map(scope).collect()
}

/// Gathers the paths of all policies that are the same for everybody.
fn origins(tables: &Tables) -> BTreeMap<Scope, Origin> {
    let mut origins: BTreeMap<Scope, Origin> = BTreeMap::new();
    for policy in tables.policies() {
        for (scope, held) in policy.plain_scopes() {
            let origin = origins.entry(scope).or_default();
            origin.policies.insert(policy.name().to_owned());
            if !held.is_empty() {
                origin.held_by.insert(policy.name().to_owned());
            }
            origin.held.extend(held);
        }
    }
    origins
}

fn line_up(pattern: String, policies: &BTreeSet<String>, lines: Lines) -> Option<Alone> {
    let lines = lines.into_lines(None);
    (!lines.is_empty()).then(|| Alone { pattern, policies: policies.iter().cloned().collect(), lines })
}

/// Adds people whose signature alone makes an act of stewards: such an act reads and changes every path.
fn stewards_alone(census: &Census<'_>, protected: &[Protected], violations: &mut Vec<Violation>) {
    let signers = census.charter.map(|charter| power::alone(charter, "change", charter.change())).unwrap_or_default();
    let Some(granted_by) = signers.first().map(|signer| format!("quorum change of the charter: {}", signer.rule))
    else {
        return;
    };
    let who: Vec<Owner> = signers.into_iter().map(|signer| Owner::Person { name: signer.person }).collect();
    for Protected { pattern, capabilities, .. } in protected {
        let line = Line {
            capabilities: capabilities.clone(),
            granted_by: vec![granted_by.clone()],
            example: pattern.trim_end_matches('*').to_owned(),
            who_count: who.len(),
            who: who.iter().take(OWNERS_NAMED_MAX).cloned().collect(),
        };
        match violations.iter_mut().find(|violation| violation.pattern == *pattern) {
            Some(violation) => violation.lines.push(line),
            None => violations.push(Violation { pattern: pattern.clone(), lines: vec![line] }),
        }
    }
}

/// Tells who can do alone what takes the agreement of others elsewhere.
fn violation(pattern: &str, found: &Lines, held: &BTreeSet<Capability>) -> Option<Violation> {
    let lines = found.clone().into_lines(Some(held));
    (!lines.is_empty()).then(|| Violation { pattern: pattern.to_owned(), lines })
}
