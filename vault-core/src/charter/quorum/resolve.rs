//! From words to people: what an expression asks for must be there, and reachable.

use super::error::{QuorumError, QuorumProblem};
use super::syntax::Syntax;
use super::{Rule, WAYS_MAX, assignment};
use crate::charter::name::Name;
use crate::charter::people::PersonIndex;

/// Makes a rule of an expression.
///
/// # Errors
/// Answers [`QuorumError`] for unknown teams, for more than there are, and for what different people cannot reach.
pub(super) fn resolve<'a>(
    syntax: &Syntax,
    members: &impl Fn(&str) -> Option<&'a [PersonIndex]>,
) -> Result<Rule, QuorumError> {
    let rule = translate(syntax, members)?;
    if ways(&rule) > WAYS_MAX {
        return Err(QuorumError { offset: 0, problem: QuorumProblem::TooManyWays });
    }
    if !assignment::is_met(&rule, &rule.people()) {
        return Err(QuorumError { offset: 0, problem: QuorumProblem::Unreachable });
    }
    Ok(rule)
}

fn translate<'a>(syntax: &Syntax, members: &impl Fn(&str) -> Option<&'a [PersonIndex]>) -> Result<Rule, QuorumError> {
    let parts_of = |parts: &[Syntax]| parts.iter().map(|part| translate(part, members)).collect::<Result<Vec<_>, _>>();
    match syntax {
        Syntax::Team { needed, team, offset } => {
            let error = |problem| QuorumError { offset: *offset, problem };
            let unknown = || error(QuorumProblem::UnknownTeam { team: team.clone() });
            let name = Name::parse(team).map_err(|_| unknown())?;
            let members = members(team).ok_or_else(unknown)?;
            if usize::from(*needed) > members.len() {
                let (needed, team, members) = (*needed, team.clone(), members.len());
                return Err(error(QuorumProblem::MoreThanMembers { needed, team, members }));
            }
            Ok(Rule::Team { needed: *needed, team: name, members: members.to_vec() })
        }
        Syntax::Of { needed, parts, offset } => {
            if usize::from(*needed) > parts.len() {
                let problem = QuorumProblem::MoreThanBranches { needed: *needed, branches: parts.len() };
                return Err(QuorumError { offset: *offset, problem });
            }
            Ok(Rule::Of { needed: *needed, rules: parts_of(parts)? })
        }
        Syntax::And { parts, .. } => {
            // The bound on the number of leaves keeps this far below 255.
            let needed = u8::try_from(parts.len()).unwrap_or(u8::MAX);
            Ok(Rule::Of { needed, rules: parts_of(parts)? })
        }
        Syntax::Or { parts, .. } => Ok(Rule::Of { needed: 1, rules: parts_of(parts)? }),
    }
}

/// Counts the ways of choosing among branches, up to the largest number there is.
fn ways(rule: &Rule) -> u64 {
    let Rule::Of { needed, rules } = rule else { return 1 };
    // The entry at k: in how many ways k of the rules so far can be chosen and met.
    let mut chosen = vec![0_u64; usize::from(*needed) + 1];
    if let Some(none) = chosen.first_mut() {
        *none = 1;
    }
    for rule in rules {
        let ways = ways(rule);
        let before = chosen.clone();
        for (entry, fewer) in chosen.iter_mut().skip(1).zip(before) {
            *entry = entry.saturating_add(fewer.saturating_mul(ways));
        }
    }
    chosen.last().copied().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_counted() {
        let leaf = || Rule::Team { needed: 1, team: Name::parse("a").unwrap(), members: vec![PersonIndex(0)] };
        let of = |needed, count: usize| Rule::Of { needed, rules: std::iter::repeat_with(leaf).take(count).collect() };
        assert_eq!(ways(&leaf()), 1);
        assert_eq!(ways(&of(3, 3)), 1);
        assert_eq!(ways(&of(1, 3)), 3);
        assert_eq!(ways(&of(3, 6)), 20);
        assert_eq!(ways(&Rule::Of { needed: 2, rules: vec![of(1, 3), of(1, 4), of(1, 5)] }), 12 + 15 + 20);
        assert_eq!(ways(&of(32, 64)), 1_832_624_140_942_590_534);
    }
}
