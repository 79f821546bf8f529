//! The wire types of reports. Unknown fields are ignored.

use std::fmt;

use serde::Deserialize;

/// `GET sys/reports/lone-wolf`: what one alone can do, and what only one can still do.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct LoneWolf {
    /// Whether a charter governs the vault.
    pub is_in_service: bool,
    /// Protected paths that somebody can read or change alone.
    pub violations: Vec<Alone>,
    /// The paths that must not be anybody's alone.
    pub protected: Vec<Protected>,
    /// Each path of the policies that somebody can read or change alone.
    pub alone: Vec<Alone>,
    /// Tokens that can do everything alone.
    pub root_tokens: Vec<Owner>,
    /// What gives power, and who can do it alone.
    pub acts_of_power: Vec<ActOfPower>,
    /// What only one can still do, and what nobody can any more.
    pub only_one_left: OnlyOneLeft,
    /// What the report leaves out, in words.
    pub left_out: Vec<String>,
}

/// A path, and who can read or change it alone.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Alone {
    /// The path as policies write it.
    pub pattern: String,
    /// Who can do what.
    pub lines: Vec<Line>,
}

/// Some who can do the same for the same reason.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Line {
    /// What they can do.
    pub capabilities: Vec<String>,
    /// The policies that grant it.
    pub granted_by: Vec<String>,
    /// A path where one of them can.
    pub example: String,
    /// The first of them.
    pub who: Vec<Owner>,
    /// How many there are.
    pub who_count: usize,
}

/// One who can act.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owner {
    /// A person of the charter.
    Person {
        /// Their name.
        name: String,
    },
    /// Whoever uses an entity.
    Entity {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Whoever has a token that acts for no entity.
    Token {
        /// Its accessor.
        accessor: String,
        /// What people see of it.
        display_name: String,
    },
}

/// A path that must not be anybody's alone.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Protected {
    /// The pattern.
    pub pattern: String,
    /// The capabilities that take the agreement of others.
    pub capabilities: Vec<String>,
    /// The policies with a control group there.
    pub policies: Vec<String>,
}

/// A class of acts of power, and who can do one alone.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct ActOfPower {
    /// What is changed.
    pub class: String,
    /// Who can by a token.
    pub by_token: Vec<Line>,
    /// Whose signature or share is enough.
    pub by_signature: Vec<Signer>,
}

/// Somebody who meets a quorum alone.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Signer {
    /// The quorum.
    pub quorum: String,
    /// Its expression.
    pub rule: String,
    /// The person.
    pub person: String,
}

/// What only one can still do, and what nobody can any more.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct OnlyOneLeft {
    /// Agreements that fall with one person, or that nobody can reach.
    pub agreements: Vec<Agreement>,
    /// Paths of policies where just one can do something at all, alone or with others.
    pub paths: Vec<OnlyOwner>,
}

/// An agreement that falls with one person, or that nobody can reach.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Agreement {
    /// What needs it.
    pub of: String,
    /// Whom it takes, in words.
    pub needed: String,
    /// Whether enough people are there.
    pub can_be_met: bool,
    /// Each of whom it cannot do without.
    pub people: Vec<String>,
}

/// A path of policies where just one can do something at all.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct OnlyOwner {
    /// The path as policies write it.
    pub pattern: String,
    /// What they can do.
    pub capabilities: Vec<String>,
    /// Who.
    pub who: Owner,
}

/// Shows `ann`, or `token ci (accessor 1a2b)`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person { name } | Self::Entity { name, .. } => f.write_str(name),
            Self::Token { accessor, display_name } => write!(f, "token {display_name} (accessor {accessor})"),
        }
    }
}
