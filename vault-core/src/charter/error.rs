//! Why a text is no charter: the place, what is wrong, what to do.

use std::fmt;

use serde::Serialize;

use super::name::NameError;
use super::quorum::QuorumProblem;
use super::recipient::RecipientError;
use super::{CHARTER_LENGTH_BYTES_MAX, PEOPLE_MAX, TEAMS_MAX};
use crate::ssh_key::SshKeyError;

/// A place in a text: line and column from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// Finds the place of a byte.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before.get(line_start..).unwrap_or_default().chars().count() + 1 }
    }
}

/// Shows `12:3`, as editors read it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// What is wrong with a charter, and where.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{position}: {problem}")]
pub struct CharterError {
    /// The place.
    pub position: Position,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a charter.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Problem {
    /// The text is too long.
    #[error("the charter has {length_bytes} bytes, at most {CHARTER_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// The bytes are no text.
    #[error("the charter is not UTF-8 text")]
    NotText,
    /// The text is no TOML.
    #[error("this is not TOML: {reason}")]
    Syntax {
        /// What the reader of TOML says.
        reason: String,
    },
    /// Another format.
    #[error("format {found} is not known to this version, only 1 is")]
    Format {
        /// The format as written.
        found: String,
    },
    /// A field that charters do not have.
    #[error("there is no field {field:?} in {table}; known are {known}")]
    UnknownField {
        /// Its name.
        field: String,
        /// Where it stands.
        table: &'static str,
        /// What can stand there.
        known: String,
    },
    /// A field is missing.
    #[error("{table} lacks the field {field:?}")]
    MissingField {
        /// Its name.
        field: &'static str,
        /// Where it is due.
        table: &'static str,
    },
    /// A value of another type.
    #[error("{field:?} must be {expected}, and is {found}")]
    Type {
        /// Of which field.
        field: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The generation is none.
    #[error("the epoch must be a whole number from 1 to {}", u32::MAX)]
    Epoch,
    /// The first charter follows none.
    #[error("epoch 1 is the first charter and has no `previous`")]
    FirstWithPrevious,
    /// Later ones do.
    #[error("epoch {epoch} lacks `previous`, the digest of the charter before")]
    LaterWithoutPrevious {
        /// The epoch as written.
        epoch: u32,
    },
    /// A text that is no digest.
    #[error("{field:?} must be \"sha256:\" and 64 lower-case hexadecimal digits")]
    Digest {
        /// Of which field.
        field: &'static str,
    },
    /// The title is too long or holds other characters.
    #[error("the title must have 1 to 100 printable ASCII characters")]
    Title,
    /// Too many people.
    #[error("{found} people are named, at most {PEOPLE_MAX} are allowed")]
    TooManyPeople {
        /// How many are named.
        found: usize,
    },
    /// No people.
    #[error("nobody is named")]
    NoPeople,
    /// Too many entries.
    #[error("{table} has {found} entries, at most {TEAMS_MAX} are allowed")]
    TooManyEntries {
        /// Where.
        table: &'static str,
        /// How many.
        found: usize,
    },
    /// A name that is none.
    #[error("{text:?}: {error}")]
    Name {
        /// As written, shortened.
        text: String,
        /// What is wrong.
        error: NameError,
    },
    /// A name that means something else.
    #[error("{name:?} cannot be the name of a team: in a quorum it would mean something else")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// Two people of one name.
    #[error("{name:?} is named twice; first on line {first_line}")]
    SameName {
        /// The name.
        name: String,
        /// Where it is named first.
        first_line: usize,
    },
    /// A person and a team of one name.
    #[error("{name:?} is both a person and a team")]
    PersonAndTeam {
        /// The name.
        name: String,
    },
    /// A key that is none.
    #[error("the signing key of {person:?}: {error}")]
    SigningKey {
        /// Whose.
        person: String,
        /// What is wrong.
        error: SshKeyError,
    },
    /// A key with something after it.
    #[error(
        "the signing key of {person:?} has something before or after it: write the type and the base64, with one space and no comment"
    )]
    SigningKeyForm {
        /// Whose.
        person: String,
    },
    /// A recipient that is none.
    #[error("the recipient of {person:?}: {error}")]
    Recipient {
        /// Whose.
        person: String,
        /// What is wrong.
        error: RecipientError,
    },
    /// One human under two names.
    #[error("{first:?} and {second:?} have the same {what}: each human is named once")]
    SameKey {
        /// The one named first.
        first: String,
        /// The other.
        second: String,
        /// What they share.
        what: &'static str,
    },
    /// A team without people.
    #[error("the team {team:?} has nobody in it")]
    EmptyTeam {
        /// Its name.
        team: String,
    },
    /// A member that is not named.
    #[error("{person:?} in the team {team:?} is not among the people")]
    UnknownPerson {
        /// The name as written.
        person: String,
        /// In which team.
        team: String,
    },
    /// A team in a team.
    #[error("{member:?} in the team {team:?} is a team: teams are made of people only")]
    TeamInTeam {
        /// The inner one.
        member: String,
        /// The outer one.
        team: String,
    },
    /// A person twice in one team.
    #[error("{person:?} is in the team {team:?} twice")]
    TwiceInTeam {
        /// Who.
        person: String,
        /// Where.
        team: String,
    },
    /// An expression that is no rule.
    #[error("the quorum {quorum:?}: {problem}{}", .person.as_ref().map(|name| format!(": {name}")).unwrap_or_default())]
    Quorum {
        /// Which rule.
        quorum: String,
        /// What is wrong.
        problem: QuorumProblem,
        /// The person whom it concerns.
        person: Option<String>,
    },
    /// A digest twice.
    #[error("{digest} is listed twice")]
    SameTlsKey {
        /// Which.
        digest: String,
    },
}

impl Problem {
    /// Says what to do about it, where that is not plain.
    pub fn next_step(&self) -> Option<&'static str> {
        Some(match self {
            Self::TooLong { .. } | Self::NotText | Self::Syntax { .. } => {
                "Write it as in the example of docs/example-charter.toml."
            }
            Self::Format { .. } => "Write format = 1, or use the version of keyturn that made this charter.",
            Self::UnknownField { .. } => "Correct its spelling or take it out: what is not understood is not signed.",
            Self::MissingField { field: "epoch" | "previous", .. }
            | Self::Epoch
            | Self::FirstWithPrevious
            | Self::LaterWithoutPrevious { .. } => {
                "`keyturn charter propose NEW --from OLD` fills in epoch and previous; without --from, those of a first charter."
            }
            Self::SigningKey { .. } | Self::SigningKeyForm { .. } | Self::Recipient { .. } => {
                "Ask the person for their card again and paste it as it stands."
            }
            Self::SameKey { .. } => {
                "If these are two people, each makes keys of their own; if it is one, take one name out."
            }
            Self::UnknownPerson { .. } => "Correct the name, or add the person's card.",
            Self::TeamInTeam { .. } => "List the people, or name both teams in the quorum.",
            Self::EmptyTeam { .. } => "List its people, or take the team out.",
            Self::Quorum { problem: QuorumProblem::Overlap { .. }, .. } => {
                "Give each person a place in one of the teams that count together, or join the branches by `or`."
            }
            Self::Quorum { problem: QuorumProblem::UnknownTeam { .. }, .. } => {
                "Correct the name, or add it below [team]."
            }
            _ => return None,
        })
    }
}
