//! A charter as people read it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::check::{Warning, check};
use super::{Charter, Digest, Name, Person};

/// What a charter says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// Its digest, which people compare.
    pub digest: Digest,
    /// Its epoch.
    pub epoch: u32,
    /// The digest of the one before.
    pub previous: Option<Digest>,
    /// Its title.
    pub title: Option<String>,
    /// Its people.
    pub people: Vec<PersonReport>,
    /// Its teams.
    pub teams: BTreeMap<Name, Vec<Name>>,
    /// Its quorums.
    pub quorums: Vec<QuorumReport>,
    /// Who holds which share.
    pub shares: Vec<ShareReport>,
    /// The server's TLS keys.
    pub tls_keys: Vec<Digest>,
    /// What is worth a second look.
    pub warnings: Vec<WarningReport>,
}

/// A person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PersonReport {
    /// Their name.
    pub name: Name,
    /// The fingerprint of their signing key.
    pub fingerprint: String,
    /// The type of their signing key.
    pub key_type: &'static str,
    /// Their recipient.
    pub recipient: String,
}

/// A quorum.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QuorumReport {
    /// Its name.
    pub name: String,
    /// Its expression.
    pub rule: String,
    /// How many people it takes at least.
    pub people_needed_min: usize,
    /// Of how many.
    pub people: usize,
}

/// A share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ShareReport {
    /// Its number.
    pub number: u8,
    /// Who holds it.
    pub person: String,
}

/// A warning for machines and for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WarningReport {
    /// In words.
    pub text: String,
    /// In parts.
    #[serde(flatten)]
    pub warning: Warning,
}

impl PersonReport {
    /// Describes a person.
    pub fn of(person: &Person) -> Self {
        Self {
            name: person.name.clone(),
            fingerprint: person.signing_key.fingerprint(),
            key_type: person.signing_key.kind(),
            recipient: person.recipient.to_string(),
        }
    }
}

impl Report {
    /// Describes a charter.
    pub fn of(charter: &Charter) -> Self {
        let members = |members: &Vec<super::PersonIndex>| -> Vec<Name> {
            members.iter().filter_map(|person| charter.person(*person)).map(|person| person.name.clone()).collect()
        };
        let quorum = |(name, quorum): (String, &super::Quorum)| QuorumReport {
            name,
            rule: quorum.text().to_owned(),
            people_needed_min: quorum.people_needed_min(),
            people: quorum.people().iter().count(),
        };
        let share = |slot: super::Slot| ShareReport { number: slot.number, person: charter.name_of(slot.person) };
        Self {
            digest: charter.digest(),
            epoch: charter.epoch(),
            previous: charter.previous(),
            title: charter.title.clone(),
            people: charter.people().iter().map(PersonReport::of).collect(),
            teams: charter.teams().iter().map(|(name, team)| (name.clone(), members(team))).collect(),
            quorums: charter.quorums().into_iter().map(quorum).collect(),
            shares: charter.shares().slots().into_iter().map(share).collect(),
            tls_keys: charter.tls_keys().to_vec(),
            warnings: warnings(charter),
        }
    }
}

/// Finds what is worth a second look, in words too.
pub fn warnings(charter: &Charter) -> Vec<WarningReport> {
    check(charter).into_iter().map(|warning| WarningReport { text: warning.to_string(), warning }).collect()
}

/// Shows the report in lines for people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(title) = &self.title {
            writeln!(f, "{title}")?;
        }
        writeln!(f, "epoch     {}", self.epoch)?;
        writeln!(f, "digest    {}", self.digest)?;
        if let Some(previous) = self.previous {
            writeln!(f, "previous  {previous}")?;
        }
        writeln!(f, "\nPeople")?;
        let width = self.people.iter().map(|person| person.name.as_str().len()).max().unwrap_or(0);
        for person in &self.people {
            writeln!(f, "  {:width$}  {}  {}", person.name.as_str(), person.fingerprint, person.key_type)?;
            writeln!(f, "  {:width$}  {}", "", person.recipient)?;
        }
        writeln!(f, "\nTeams")?;
        for (name, members) in &self.teams {
            let members: Vec<_> = members.iter().map(Name::as_str).collect();
            writeln!(f, "  {name}: {}", members.join(", "))?;
        }
        writeln!(f, "\nQuorums (fewest people, of how many)")?;
        for quorum in &self.quorums {
            writeln!(f, "  {}: {} ({} of {})", quorum.name, quorum.rule, quorum.people_needed_min, quorum.people)?;
        }
        writeln!(f, "\nShares")?;
        for share in &self.shares {
            writeln!(f, "  {:3}  {}", share.number, share.person)?;
        }
        if !self.tls_keys.is_empty() {
            writeln!(f, "\nTLS keys of the server")?;
            self.tls_keys.iter().try_for_each(|key| writeln!(f, "  {key}"))?;
        }
        if !self.warnings.is_empty() {
            writeln!(f, "\nWorth a second look")?;
            self.warnings.iter().try_for_each(|warning| writeln!(f, "  {}", warning.text))?;
        }
        Ok(())
    }
}
