//! Cards: what a person publishes, exactly as it stands in a charter.

use std::fmt;

use serde::Serialize;

use crate::age_seal::Recipient;
use vault_core::ssh_key::SshPublicKey;

/// Longest name in characters.
pub const NAME_LENGTH_MAX: usize = 64;

/// The name of a person within a charter: 1 to 64 of `a`–`z`, `0`–`9`, `-`, `.` and `_`.
///
/// Other letters are left out because some of them look alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonName(String);

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
    /// It has a character that names do not have.
    #[error("the name has {character:?} in it: only a-z, 0-9, '-', '.' and '_' are allowed")]
    Character {
        /// The first such character.
        character: char,
    },
}

impl PersonName {
    /// Checks a name.
    ///
    /// # Errors
    /// Answers [`NameError`] for another length or a foreign character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let foreign = |c: &char| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.' | '_');
        if let Some(character) = text.chars().find(foreign) {
            return Err(NameError::Character { character });
        }
        match text.len() {
            0 => Err(NameError::Empty),
            length if length > NAME_LENGTH_MAX => Err(NameError::TooLong { length }),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a person publishes.
#[derive(Clone, Debug)]
pub struct Card {
    /// What the person is called.
    pub name: PersonName,
    /// What the person signs with.
    pub signing_key: SshPublicKey,
    /// To whom the person's shares are sealed.
    pub recipient: Recipient,
}

#[derive(Serialize)]
struct Document {
    person: [Entry; 1],
}

#[derive(Serialize)]
struct Entry {
    name: String,
    signing_key: String,
    recipient: String,
}

impl Card {
    /// Writes the card as the table `[[person]]` of a charter, in TOML.
    pub fn to_toml(&self) -> String {
        let entry = Entry {
            name: self.name.to_string(),
            signing_key: self.signing_key.to_string(),
            recipient: self.recipient.to_string(),
        };
        match toml::to_string(&Document { person: [entry] }) {
            Ok(text) => text,
            Err(_) => unreachable!("three texts are always TOML"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_few_letters() {
        for good in ["a", "alice", "a.b-c_9", &"x".repeat(64)] {
            assert_eq!(PersonName::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(PersonName::parse(""), Err(NameError::Empty));
        assert_eq!(PersonName::parse(&"x".repeat(65)), Err(NameError::TooLong { length: 65 }));
        for (bad, character) in [("Alice", 'A'), ("al ice", ' '), ("аlice", 'а'), ("a\"b", '"'), ("a\n", '\n')] {
            assert_eq!(PersonName::parse(bad), Err(NameError::Character { character }), "{bad}");
        }
    }
}
