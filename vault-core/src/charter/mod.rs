//! The charter: the signed document that names the people, teams, keys and quorum rules of a vault.
//!
//! A charter is read from its exact bytes (`read`) and has the digest of these. Who signed the next one is judged by the
//! quorum `charter` of the one before ([`chain`]). Format: docs/formats.md, "Charter"; reasons:
//! docs/decisions/0020-charter.md.

pub mod chain;
pub mod check;
pub mod diff;
mod digest;
mod document;
mod error;
mod name;
mod people;
pub mod propose;
pub mod quorum;
mod read;
mod recipient;
pub mod report;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
pub mod turn;

use std::collections::BTreeMap;

use crate::ssh_key::SshPublicKey;

pub use digest::Digest;
pub use error::{CharterError, Position, Problem};
pub use name::{NAME_LENGTH_MAX, Name, NameError};
pub use people::{PEOPLE_MAX, PersonIndex, PersonSet};
pub use quorum::Quorum;
pub use quorum::shares::{ShareChild, ShareNode, Slot};
pub use recipient::{RECIPIENT_LENGTH_BYTES_MAX, Recipient, RecipientError, RecipientKind};

/// Largest charter in bytes.
pub const CHARTER_LENGTH_BYTES_MAX: usize = 1 << 20;

/// Most teams, and most named quorums of a kind.
pub const TEAMS_MAX: usize = 255;

/// The type of a charter in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.keyturn.charter+toml";

/// A charter that holds together: every name is known, every quorum can be met.
#[derive(Clone, Debug)]
pub struct Charter {
    text: String,
    digest: Digest,
    epoch: u32,
    previous: Option<Digest>,
    title: Option<String>,
    people: Vec<Person>,
    teams: BTreeMap<Name, Vec<PersonIndex>>,
    unseal: Quorum,
    shares: ShareNode,
    change: Quorum,
    charter: Quorum,
    break_glass: BTreeMap<Name, Quorum>,
    groups: BTreeMap<Name, Quorum>,
    tls_keys: Vec<Digest>,
}

/// A person and the keys that stand for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// What the charter calls them.
    pub name: Name,
    /// What they sign with.
    pub signing_key: SshPublicKey,
    /// To whom their shares are sealed.
    pub recipient: Recipient,
}

impl Charter {
    /// Reads a charter.
    ///
    /// # Errors
    /// Answers [`CharterError`] with line and column for the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, CharterError> {
        read::read(bytes)
    }

    /// Gives the exact text, whose bytes are digested and signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Gives the SHA-256 of the exact bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives the generation, from 1.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Gives the digest of the charter before; the first has none.
    pub fn previous(&self) -> Option<Digest> {
        self.previous
    }

    /// Gives the title.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Gives the people in the order of the charter.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Gives a person by place.
    pub fn person(&self, person: PersonIndex) -> Option<&Person> {
        self.people.get(usize::from(person.0))
    }

    /// Finds a person by the fingerprint of the signing key.
    pub fn person_by_fingerprint(&self, fingerprint: &str) -> Option<(PersonIndex, &Person)> {
        self.indexed().find(|(_, person)| person.signing_key.fingerprint() == fingerprint)
    }

    /// Gives the teams by name, their people in the order of the team's list.
    pub fn teams(&self) -> &BTreeMap<Name, Vec<PersonIndex>> {
        &self.teams
    }

    /// Gives the rule for opening the vault.
    pub fn unseal(&self) -> &Quorum {
        &self.unseal
    }

    /// Gives the tree of shares that the rule for opening stands for.
    pub fn shares(&self) -> &ShareNode {
        &self.shares
    }

    /// Gives the rule for changes.
    pub fn change(&self) -> &Quorum {
        &self.change
    }

    /// Gives the rule for the next charter.
    pub fn charter(&self) -> &Quorum {
        &self.charter
    }

    /// Gives the rules for emergencies by scenario.
    pub fn break_glass(&self) -> &BTreeMap<Name, Quorum> {
        &self.break_glass
    }

    /// Gives the approval groups by name.
    pub fn groups(&self) -> &BTreeMap<Name, Quorum> {
        &self.groups
    }

    /// Gives the digests of the server's public TLS keys.
    pub fn tls_keys(&self) -> &[Digest] {
        &self.tls_keys
    }

    /// Gives every rule with its name: `unseal`, `break_glass.lost-root`, `group.database`.
    pub fn quorums(&self) -> Vec<(String, &Quorum)> {
        let mut all = vec![
            ("unseal".to_owned(), &self.unseal),
            ("change".to_owned(), &self.change),
            ("charter".to_owned(), &self.charter),
        ];
        for (table, quorums) in [("break_glass", &self.break_glass), ("group", &self.groups)] {
            all.extend(quorums.iter().map(|(name, quorum)| (format!("{table}.{name}"), quorum)));
        }
        all
    }

    /// Gives the names of people in the order of the charter.
    pub fn names(&self, people: &PersonSet) -> Vec<Name> {
        people.iter().filter_map(|person| self.person(person)).map(|person| person.name.clone()).collect()
    }

    pub(crate) fn indexed(&self) -> impl Iterator<Item = (PersonIndex, &Person)> {
        (0..=u8::MAX).map(PersonIndex).zip(&self.people)
    }

    fn everybody(&self) -> PersonSet {
        self.indexed().map(|(person, _)| person).collect()
    }

    fn name_of(&self, person: PersonIndex) -> String {
        self.person(person).map(|person| person.name.to_string()).unwrap_or_default()
    }
}
