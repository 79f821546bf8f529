//! Why an expression is no rule.

use super::{DEPTH_MAX, EXPRESSION_LENGTH_BYTES_MAX, LEAVES_MAX, WAYS_MAX};
use crate::charter::people::PersonIndex;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{problem}")]
pub struct QuorumError {
    /// The place in bytes from the start of the expression.
    pub offset: usize,
    /// What is wrong there.
    pub problem: QuorumProblem,
}

/// What can be wrong with an expression.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum QuorumProblem {
    /// The text is too long.
    #[error("the expression has {length_bytes} bytes, at most {EXPRESSION_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// A character that expressions do not have.
    #[error("{character:?} ({}) has no meaning here", .character.escape_unicode())]
    Character {
        /// The first such character.
        character: char,
    },
    /// Something else was due.
    #[error("{found} stands where {expected} is due")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What is due.
        expected: &'static str,
    },
    /// `and` and `or` without parentheses.
    #[error("`and` and `or` are mixed: say with parentheses which belongs together")]
    Mixed,
    /// A number that is none, or too large.
    #[error("{text} is no number of people: write 1 to 255 without leading zeros")]
    Number {
        /// As it was written.
        text: String,
    },
    /// Nobody is needed.
    #[error("0 people are asked for: that would be met by nobody at all")]
    Zero,
    /// Parentheses in parentheses without end.
    #[error("parentheses are nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// Too many teams are named.
    #[error("teams are named more than {LEAVES_MAX} times in one expression")]
    TooManyLeaves,
    /// Too many ways to meet it.
    #[error("there are more than {WAYS_MAX} ways to choose among its branches: ask for fewer alternatives")]
    TooManyWays,
    /// A team that is not there.
    #[error("there is no team {team:?}")]
    UnknownTeam {
        /// The name as written.
        team: String,
    },
    /// More people than the team has.
    #[error("{needed} of {team} are asked for, but {team} has {members}")]
    MoreThanMembers {
        /// How many are asked for.
        needed: u8,
        /// Of which team.
        team: String,
        /// How many there are.
        members: usize,
    },
    /// More branches than there are.
    #[error("{needed} of {branches} branches are asked for")]
    MoreThanBranches {
        /// How many are asked for.
        needed: u8,
        /// How many there are.
        branches: usize,
    },
    /// Not enough different people.
    #[error("nobody can meet it: each person fills one place, and the teams do not have enough different people")]
    Unreachable,
    /// A person would hold two shares that count together.
    #[error("a person would hold two shares that count together, once in each of two branches")]
    Overlap {
        /// The first such person.
        person: PersonIndex,
    },
    /// The number of a share is one byte.
    #[error("it would take {shares} shares, at most 255 can be made")]
    TooManyShares {
        /// How many it would take.
        shares: usize,
    },
}
