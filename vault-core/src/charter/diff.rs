//! What differs between two charters, for people who are asked to sign the second.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::report::PersonReport;
use super::{Charter, Digest, Name, Person};

/// What differs between two charters; what is alike is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CharterDiff {
    /// The epochs, if they differ.
    pub epoch: Option<Change<u32>>,
    /// The titles, if they differ.
    pub title: Option<Change<Option<String>>>,
    /// People who are new, with the keys that they bring.
    pub people_added: Vec<PersonReport>,
    /// People who are gone.
    pub people_removed: Vec<Name>,
    /// People with another key or recipient.
    pub keys: Vec<KeyChange>,
    /// Teams that are new, gone or made of others.
    pub teams: Vec<TeamChange>,
    /// Quorums that are new, gone or other rules.
    pub quorums: Vec<QuorumChange>,
    /// TLS keys that are new.
    pub tls_keys_added: Vec<Digest>,
    /// TLS keys that are gone.
    pub tls_keys_removed: Vec<Digest>,
}

/// Before and after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Change<T> {
    /// Before.
    pub old: T,
    /// After.
    pub new: T,
}

/// A person whose keys are others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KeyChange {
    /// Who.
    pub person: Name,
    /// The fingerprints of the signing keys, if they differ.
    pub signing_key: Option<Change<String>>,
    /// The recipients, if they differ.
    pub recipient: Option<Change<String>>,
}

/// A team that is other than before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TeamChange {
    /// Its name.
    pub team: Name,
    /// Whether it was there and is there.
    pub exists: Change<bool>,
    /// Who has come in.
    pub added: Vec<Name>,
    /// Who has gone.
    pub removed: Vec<Name>,
    /// Whether those who stay stand in another order, which numbers their shares otherwise.
    pub reordered: bool,
}

/// A quorum that is other than before; one that is not there is none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QuorumChange {
    /// Its name, as `unseal` or `group.database`.
    pub quorum: String,
    /// The expression before.
    pub old: Option<String>,
    /// The expression after.
    pub new: Option<String>,
}

/// Finds what differs.
pub fn diff(old: &Charter, new: &Charter) -> CharterDiff {
    let people = |charter: &Charter| -> BTreeMap<Name, Person> {
        charter.people().iter().map(|person| (person.name.clone(), person.clone())).collect()
    };
    let (before, after) = (people(old), people(new));
    let missing_of = |these: &[Digest], others: &[Digest]| -> Vec<Digest> {
        these.iter().filter(|key| !others.contains(key)).copied().collect()
    };
    CharterDiff {
        epoch: changed(&old.epoch(), &new.epoch()),
        title: changed(&old.title, &new.title),
        people_added: after
            .values()
            .filter(|person| !before.contains_key(&person.name))
            .map(PersonReport::of)
            .collect(),
        people_removed: before.keys().filter(|name| !after.contains_key(*name)).cloned().collect(),
        keys: before.iter().filter_map(|(name, old)| key_change(old, after.get(name)?)).collect(),
        teams: teams(old, new),
        quorums: quorums(old, new),
        tls_keys_added: missing_of(new.tls_keys(), old.tls_keys()),
        tls_keys_removed: missing_of(old.tls_keys(), new.tls_keys()),
    }
}

fn changed<T: PartialEq + Clone>(old: &T, new: &T) -> Option<Change<T>> {
    (old != new).then(|| Change { old: old.clone(), new: new.clone() })
}

fn key_change(old: &Person, new: &Person) -> Option<KeyChange> {
    let signing_key = changed(&old.signing_key.fingerprint(), &new.signing_key.fingerprint());
    let recipient = changed(&old.recipient.to_string(), &new.recipient.to_string());
    let differs = signing_key.is_some() || recipient.is_some();
    differs.then(|| KeyChange { person: old.name.clone(), signing_key, recipient })
}

fn teams(old: &Charter, new: &Charter) -> Vec<TeamChange> {
    let members = |charter: &Charter, team: &Name| -> Vec<Name> {
        let people = charter.teams().get(team).into_iter().flatten();
        people.filter_map(|person| charter.person(*person)).map(|person| person.name.clone()).collect()
    };
    let mut names: Vec<&Name> = old.teams().keys().chain(new.teams().keys()).collect();
    names.sort();
    names.dedup();
    let mut changes = Vec::new();
    for team in names {
        let (before, after) = (members(old, team), members(new, team));
        if before == after {
            continue;
        }
        let those = |these: &[Name], others: &[Name], there: bool| -> Vec<Name> {
            these.iter().filter(|name| others.contains(name) == there).cloned().collect()
        };
        changes.push(TeamChange {
            team: team.clone(),
            exists: Change { old: !before.is_empty(), new: !after.is_empty() },
            added: those(&after, &before, false),
            removed: those(&before, &after, false),
            reordered: those(&before, &after, true) != those(&after, &before, true),
        });
    }
    changes
}

fn quorums(old: &Charter, new: &Charter) -> Vec<QuorumChange> {
    let texts = |charter: &Charter| -> Vec<(String, String)> {
        charter.quorums().into_iter().map(|(name, quorum)| (name, quorum.text().to_owned())).collect()
    };
    let (before, after) = (texts(old), texts(new));
    let find =
        |these: &[(String, String)], name: &str| these.iter().find(|(n, _)| n == name).map(|(_, text)| text.clone());
    let mut changes = Vec::new();
    for (name, text) in &before {
        let new = find(&after, name);
        if new.as_ref() != Some(text) {
            changes.push(QuorumChange { quorum: name.clone(), old: Some(text.clone()), new });
        }
    }
    for (name, text) in after {
        if find(&before, &name).is_none() {
            changes.push(QuorumChange { quorum: name, old: None, new: Some(text) });
        }
    }
    changes
}

impl CharterDiff {
    /// Whether nothing differs but perhaps the epoch.
    pub fn is_empty(&self) -> bool {
        Self { epoch: None, ..self.clone() } == Self::default()
    }
}

/// Shows a line for each difference: `+` for what comes in, `-` for what goes, `~` for what changes.
impl fmt::Display for CharterDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Change { old, new }) = &self.epoch {
            writeln!(f, "~ epoch {old} -> {new}")?;
        }
        if let Some(Change { old, new }) = &self.title {
            let shown = |title: &Option<String>| title.as_ref().map_or("none".to_owned(), |title| format!("{title:?}"));
            writeln!(f, "~ title {} -> {}", shown(old), shown(new))?;
        }
        for PersonReport { name, fingerprint, key_type, recipient } in &self.people_added {
            writeln!(f, "+ person {name}: {fingerprint} ({key_type}), {recipient}")?;
        }
        self.people_removed.iter().try_for_each(|name| writeln!(f, "- person {name}"))?;
        for KeyChange { person, signing_key, recipient } in &self.keys {
            for (what, change) in [("signing key", signing_key), ("recipient", recipient)] {
                if let Some(Change { old, new }) = change {
                    writeln!(f, "~ {what} of {person}: {old} -> {new}")?;
                }
            }
        }
        for TeamChange { team, exists, added, removed, reordered } in &self.teams {
            match (exists.old, exists.new) {
                (false, _) => writeln!(f, "+ team {team}")?,
                (true, false) => writeln!(f, "- team {team}")?,
                (true, true) => {}
            }
            added.iter().try_for_each(|name| writeln!(f, "+ {name} in team {team}"))?;
            removed.iter().try_for_each(|name| writeln!(f, "- {name} in team {team}"))?;
            if *reordered {
                writeln!(f, "~ order of team {team}")?;
            }
        }
        for QuorumChange { quorum, old, new } in &self.quorums {
            match (old, new) {
                (Some(old), Some(new)) => writeln!(f, "~ quorum {quorum}: {old} -> {new}")?,
                (Some(old), None) => writeln!(f, "- quorum {quorum}: {old}")?,
                (None, new) => writeln!(f, "+ quorum {quorum}: {}", new.as_deref().unwrap_or_default())?,
            }
        }
        self.tls_keys_added.iter().try_for_each(|key| writeln!(f, "+ TLS key {key}"))?;
        self.tls_keys_removed.iter().try_for_each(|key| writeln!(f, "- TLS key {key}"))
    }
}
