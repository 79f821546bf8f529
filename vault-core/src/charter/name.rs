//! Names of people, teams, scenarios and groups.

use std::borrow::Borrow;
use std::fmt;

use serde::Serialize;

/// Longest name in characters.
pub const NAME_LENGTH_MAX: usize = 64;

/// A name within a charter: 1 to 64 of `a`–`z`, `0`–`9`, `-`, `.` and `_`.
///
/// Other letters are left out because some of them look alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Says why a text is no name.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// There is none.
    #[error("the name is empty")]
    Empty,
    /// It is too long.
    #[error("the name has {length} characters, at most {NAME_LENGTH_MAX} are allowed")]
    TooLong {
        /// How many it has.
        length: usize,
    },
    /// It has a character that names do not have; the code tells it from those that look alike.
    #[error("the name has {character:?} ({}) in it: only a-z, 0-9, '-', '.' and '_' are allowed", .character.escape_unicode())]
    Character {
        /// The first such character.
        character: char,
    },
}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// Answers [`NameError`] for another length or a foreign character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(character) = text.chars().find(|character| !is_name_character(*character)) {
            return Err(NameError::Character { character });
        }
        match text.len() {
            0 => Err(NameError::Empty),
            length if length > NAME_LENGTH_MAX => Err(NameError::TooLong { length }),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Says whether a character can be in a name.
pub(super) fn is_name_character(character: char) -> bool {
    matches!(character, 'a'..='z' | '0'..='9' | '-' | '.' | '_')
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_few_letters() {
        for good in ["a", "alice", "a.b-c_9", &"x".repeat(64)] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(Name::parse(""), Err(NameError::Empty));
        assert_eq!(Name::parse(&"x".repeat(65)), Err(NameError::TooLong { length: 65 }));
        for (bad, character) in
            [("Alice", 'A'), ("al ice", ' '), ("\u{430}lice", '\u{430}'), ("a\"b", '"'), ("a\n", '\n')]
        {
            assert_eq!(Name::parse(bad), Err(NameError::Character { character }), "{bad}");
        }
        let confusable = Name::parse("\u{430}lice").unwrap_err();
        assert!(confusable.to_string().contains("u{430}"), "{confusable}");
    }
}
