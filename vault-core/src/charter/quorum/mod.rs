//! Rules over people: `2 of security and 1 of operations`.
//!
//! Each human fills one place over the whole expression, so that whether a rule is met is a problem of assignment
//! (`assignment`), not of counting. An expression is read by `syntax`, made a rule over the charter's people by
//! `resolve`, and for the unseal secret a tree of shares by `shares`.

mod assignment;
mod error;
mod resolve;
pub mod shares;
mod syntax;
#[cfg(test)]
mod tests;

pub use assignment::Missing;
pub use error::{QuorumError, QuorumProblem};
pub(super) use syntax::is_reserved;

use super::name::Name;
use super::people::{PersonIndex, PersonSet};

/// Longest expression in bytes.
pub const EXPRESSION_LENGTH_BYTES_MAX: usize = 1024;

/// Deepest nesting of parentheses.
pub const DEPTH_MAX: usize = 8;

/// Most places in an expression where a team is named.
pub const LEAVES_MAX: usize = 64;

/// Most ways of choosing among branches, which bounds the time of finding whether a rule is met.
pub const WAYS_MAX: u64 = 4096;

/// A rule that names real people and that enough of them together can meet.
#[derive(Clone, Debug)]
pub struct Quorum {
    text: String,
    rule: Rule,
}

/// A rule, or a part of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// So many members of a team, in the order of the team's list.
    Team { needed: u8, team: Name, members: Vec<PersonIndex> },
    /// So many of the rules; `and` needs all, `or` needs one.
    Of { needed: u8, rules: Vec<Rule> },
}

impl Rule {
    fn people(&self) -> PersonSet {
        match self {
            Self::Team { members, .. } => members.iter().copied().collect(),
            Self::Of { rules, .. } => rules.iter().fold(PersonSet::default(), |all, rule| all.or(&rule.people())),
        }
    }

    fn leaves(&self) -> usize {
        match self {
            Self::Team { .. } => 1,
            Self::Of { rules, .. } => rules.iter().map(Self::leaves).sum(),
        }
    }

    fn teams<'a>(&'a self, found: &mut Vec<&'a Name>) {
        match self {
            Self::Team { team, .. } if found.contains(&team) => {}
            Self::Team { team, .. } => found.push(team),
            Self::Of { rules, .. } => rules.iter().for_each(|rule| rule.teams(found)),
        }
    }
}

impl Quorum {
    /// Reads an expression; `members` gives the people of a team.
    ///
    /// # Errors
    /// Answers [`QuorumError`] with the place in the text for anything that makes no sense or that nobody can meet.
    pub fn parse<'a>(text: &str, members: impl Fn(&str) -> Option<&'a [PersonIndex]>) -> Result<Self, QuorumError> {
        let rule = resolve::resolve(&syntax::parse(text)?, &members)?;
        Ok(Self { text: text.to_owned(), rule })
    }

    /// Gives the expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says whether these people meet the rule, each filling one place.
    pub fn is_met_by(&self, present: &PersonSet) -> bool {
        assignment::is_met(&self.rule, present)
    }

    /// Says how many more of which team are missing, along the way that is the shortest; nothing when the rule is met.
    pub fn missing(&self, present: &PersonSet) -> Vec<Missing> {
        assignment::missing(&self.rule, present)
    }

    /// Gives how many people it takes at least.
    pub fn people_needed_min(&self) -> usize {
        self.missing(&PersonSet::default()).iter().map(|missing| usize::from(missing.count)).sum()
    }

    /// Gives everybody who can count.
    pub fn people(&self) -> PersonSet {
        self.rule.people()
    }

    /// Gives the teams it names, in the order of their first mention.
    pub fn teams(&self) -> Vec<&Name> {
        let mut found = Vec::new();
        self.rule.teams(&mut found);
        found
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }
}

/// A part of a rule that is put together from several sources.
pub enum Condition<'q> {
    /// A quorum of a charter.
    Quorum(&'q Quorum),
    /// So many of these people.
    Members {
        /// How many.
        needed: u8,
        /// Of whom.
        members: PersonSet,
    },
}

impl Condition<'_> {
    fn rule(&self) -> Option<Rule> {
        match self {
            Self::Quorum(quorum) => Some(quorum.rule.clone()),
            Self::Members { needed, members } => {
                let team = Name::parse("members").ok()?;
                Some(Rule::Team { needed: *needed, team, members: members.iter().collect() })
            }
        }
    }
}

/// Says whether these people meet all the conditions, each filling one place over all of them. Conditions that together
/// are larger than an expression may be are met by nobody, and so are none.
pub fn are_met_by(conditions: &[Condition<'_>], present: &PersonSet) -> bool {
    let rules: Option<Vec<Rule>> = conditions.iter().map(Condition::rule).collect();
    let (Some(rules), Ok(needed)) = (rules, u8::try_from(conditions.len())) else { return false };
    let quorums = conditions.iter().filter(|condition| matches!(condition, Condition::Quorum(_))).count();
    let rule = Rule::Of { needed, rules };
    needed > 0 && quorums <= 1 && rule.leaves() <= LEAVES_MAX && assignment::is_met(&rule, present)
}
