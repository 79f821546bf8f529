//! From text to a charter that holds together.

use std::collections::BTreeMap;

use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::VerifyingKey;

use super::document::{Document, Table, Value};
use super::error::{CharterError, Problem};
use super::name::Name;
use super::quorum::shares::{self, ShareNode};
use super::quorum::{QuorumError, QuorumProblem, is_reserved};
use super::{
    CHARTER_LENGTH_BYTES_MAX, Charter, Digest, PEOPLE_MAX, Person, PersonIndex, Position, Quorum, Recipient, TEAMS_MAX,
};
use crate::ssh_key::SshPublicKey;

const TITLE_LENGTH_MAX: usize = 100;

/// Reads a charter from its exact bytes.
pub(super) fn read(bytes: &[u8]) -> Result<Charter, CharterError> {
    let start = |problem| CharterError { position: Position { line: 1, column: 1 }, problem };
    if bytes.len() > CHARTER_LENGTH_BYTES_MAX {
        return Err(start(Problem::TooLong { length_bytes: bytes.len() }));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| start(Problem::NotText))?;
    let document = Document(text);
    let parsed = document.parse()?;
    let top = Table { document, table: parsed.get_ref(), name: "the charter", offset: 0 };
    format(&top)?;
    top.only(&["format", "epoch", "previous", "title", "person", "team", "quorum", "server"])?;
    let (epoch, previous) = generation(&top)?;
    let title = top.get("title").map(title).transpose()?;
    let named = people(&top.required("person")?)?;
    let teams = teams(&top.required("team")?.table("[team]")?, &named)?;
    let quorums = Quorums::read(&top.required("quorum")?.table("[quorum]")?, &teams, &named)?;
    let tls_keys = top.get("server").map(server).transpose()?.unwrap_or_default();
    Ok(Charter {
        text: text.to_owned(),
        digest: Digest::of(bytes),
        epoch,
        previous,
        title,
        people: named.into_iter().map(|(_, person)| person).collect(),
        teams,
        unseal: quorums.unseal,
        shares: quorums.shares,
        change: quorums.change,
        charter: quorums.charter,
        break_glass: quorums.break_glass,
        groups: quorums.groups,
        tls_keys,
    })
}

/// Checks the format before anything else: other formats may have other fields.
pub(super) fn format(top: &Table<'_, '_>) -> Result<(), CharterError> {
    let format = top.required("format")?;
    match format.number()? {
        "1" => Ok(()),
        found => Err(format.error(Problem::Format { found: found.chars().take(20).collect() })),
    }
}

fn generation(top: &Table<'_, '_>) -> Result<(u32, Option<Digest>), CharterError> {
    let written = top.required("epoch")?;
    let epoch = written.number()?.parse().ok().filter(|epoch| *epoch > 0);
    let epoch: u32 = epoch.ok_or_else(|| written.error(Problem::Epoch))?;
    match top.get("previous") {
        None if epoch == 1 => Ok((epoch, None)),
        None => Err(written.error(Problem::LaterWithoutPrevious { epoch })),
        Some(previous) if epoch == 1 => Err(previous.error(Problem::FirstWithPrevious)),
        Some(previous) => Ok((epoch, Some(digest(&previous, "previous")?))),
    }
}

fn digest(value: &Value<'_, '_>, field: &'static str) -> Result<Digest, CharterError> {
    Digest::parse(value.text()?).ok_or_else(|| value.error(Problem::Digest { field }))
}

fn title(value: Value<'_, '_>) -> Result<String, CharterError> {
    let title = value.text()?;
    let printable = title.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if title.is_empty() || title.len() > TITLE_LENGTH_MAX || !printable {
        return Err(value.error(Problem::Title));
    }
    Ok(title.to_owned())
}

fn name(document: Document<'_>, offset: usize, text: &str) -> Result<Name, CharterError> {
    let shortened = || text.chars().take(80).collect();
    Name::parse(text).map_err(|error| document.error(offset, Problem::Name { text: shortened(), error }))
}

/// Each person with the place of their name.
type Named = Vec<(usize, Person)>;

fn people(list: &Value<'_, '_>) -> Result<Named, CharterError> {
    let entries = list.items("a list of tables [[person]]")?;
    // Before anything is looked at closely: each key takes a while.
    if entries.len() > PEOPLE_MAX {
        return Err(list.error(Problem::TooManyPeople { found: entries.len() }));
    }
    if entries.is_empty() {
        return Err(list.error(Problem::NoPeople));
    }
    let (mut people, mut all_keys) = (Named::new(), Vec::new());
    for entry in entries {
        let table = entry.table("[[person]]")?;
        table.only(&["name", "signing_key", "recipient"])?;
        let written = table.required("name")?;
        let name = name(written.document, written.offset(), written.text()?)?;
        if let Some((first, _)) = people.iter().find(|(_, person)| person.name == name) {
            let first_line = written.document.line(*first);
            return Err(written.error(Problem::SameName { name: name.to_string(), first_line }));
        }
        let key = table.required("signing_key")?;
        let signing_key = signing_key(&key, &name)?;
        let sealed_to = table.required("recipient")?;
        let recipient = Recipient::parse(sealed_to.text()?)
            .map_err(|error| sealed_to.error(Problem::Recipient { person: name.to_string(), error }))?;
        let person = Person { name, signing_key, recipient };
        let seen = Keys::of(&person);
        for ((_, before), keys) in people.iter().zip(&all_keys) {
            let shared = |what| {
                let (first, second) = (before.name.to_string(), person.name.to_string());
                Problem::SameKey { first, second, what }
            };
            seen.same_signing_key(keys).map_or(Ok(()), |what| Err(key.error(shared(what))))?;
            seen.same_recipient(keys).map_or(Ok(()), |what| Err(sealed_to.error(shared(what))))?;
        }
        all_keys.push(seen);
        people.push((written.offset(), person));
    }
    Ok(people)
}

fn signing_key(value: &Value<'_, '_>, person: &Name) -> Result<SshPublicKey, CharterError> {
    let line = value.text()?;
    let person = || person.to_string();
    let key =
        SshPublicKey::parse(line).map_err(|error| value.error(Problem::SigningKey { person: person(), error }))?;
    if key.to_string() != line {
        return Err(value.error(Problem::SigningKeyForm { person: person() }));
    }
    Ok(key)
}

/// What a person's keys come down to, so that one key is found behind different ways of naming it.
struct Keys {
    signs: VerifyingKey,
    /// The signing key as age would seal to it.
    signs_montgomery: MontgomeryPoint,
    sealed_to: Option<MontgomeryPoint>,
    recipient: String,
}

const BOTH_USES: &str = "key, once to sign and once as recipient";

impl Keys {
    fn of(person: &Person) -> Self {
        Self {
            signs: *person.signing_key.point(),
            signs_montgomery: person.signing_key.point().to_montgomery(),
            sealed_to: person.recipient.montgomery(),
            recipient: person.recipient.to_string(),
        }
    }

    fn same_signing_key(&self, before: &Self) -> Option<&'static str> {
        if self.signs == before.signs {
            return Some("signing key");
        }
        (before.sealed_to == Some(self.signs_montgomery)).then_some(BOTH_USES)
    }

    fn same_recipient(&self, before: &Self) -> Option<&'static str> {
        if self.recipient == before.recipient || (self.sealed_to.is_some() && self.sealed_to == before.sealed_to) {
            return Some("recipient");
        }
        (self.sealed_to == Some(before.signs_montgomery)).then_some(BOTH_USES)
    }
}

fn bounded(table: &Table<'_, '_>) -> Result<(), CharterError> {
    if table.table.len() > TEAMS_MAX {
        let problem = Problem::TooManyEntries { table: table.name, found: table.table.len() };
        return Err(table.document.error(table.offset, problem));
    }
    Ok(())
}

type Teams = BTreeMap<Name, Vec<PersonIndex>>;

fn teams(table: &Table<'_, '_>, people: &Named) -> Result<Teams, CharterError> {
    bounded(table)?;
    let by_name: BTreeMap<&str, PersonIndex> =
        people.iter().map(|(_, person)| person.name.as_str()).zip((0..=u8::MAX).map(PersonIndex)).collect();
    let mut teams = Teams::new();
    for (offset, value) in table.entries() {
        let team = name(table.document, offset, value.field)?;
        let error = |problem| table.document.error(offset, problem);
        if is_reserved(team.as_str()) {
            return Err(error(Problem::ReservedName { name: team.to_string() }));
        }
        if by_name.contains_key(team.as_str()) {
            return Err(error(Problem::PersonAndTeam { name: team.to_string() }));
        }
        let mut members = Vec::new();
        for item in value.items("a list of names of people")? {
            let text = item.text()?;
            let (member, team) = (|| text.chars().take(80).collect::<String>(), team.to_string());
            let Some(person) = by_name.get(text).copied() else {
                let is_team = table.table.contains_key(text);
                return Err(item.error(if is_team {
                    Problem::TeamInTeam { member: member(), team }
                } else {
                    Problem::UnknownPerson { person: member(), team }
                }));
            };
            if members.contains(&person) {
                return Err(item.error(Problem::TwiceInTeam { person: member(), team }));
            }
            members.push(person);
        }
        if members.is_empty() {
            return Err(value.error(Problem::EmptyTeam { team: team.to_string() }));
        }
        teams.insert(team, members);
    }
    Ok(teams)
}

struct Quorums {
    unseal: Quorum,
    shares: ShareNode,
    change: Quorum,
    charter: Quorum,
    break_glass: BTreeMap<Name, Quorum>,
    groups: BTreeMap<Name, Quorum>,
}

/// What expressions are read with.
struct Setting<'a> {
    teams: &'a Teams,
    people: &'a Named,
}

impl Quorums {
    fn read(table: &Table<'_, '_>, teams: &Teams, people: &Named) -> Result<Self, CharterError> {
        table.only(&["unseal", "change", "charter", "break_glass", "group"])?;
        let setting = Setting { teams, people };
        let written = table.required("unseal")?;
        let unseal = setting.quorum(&written, "unseal")?;
        let shares = shares::tree(&unseal).map_err(|error| setting.error(&written, unseal.text(), "unseal", error))?;
        Ok(Self {
            unseal,
            shares,
            change: setting.quorum(&table.required("change")?, "change")?,
            charter: setting.quorum(&table.required("charter")?, "charter")?,
            break_glass: setting.named(table, "break_glass", "[quorum.break_glass]")?,
            groups: setting.named(table, "group", "[quorum.group]")?,
        })
    }
}

impl Setting<'_> {
    fn quorum(&self, value: &Value<'_, '_>, quorum: &str) -> Result<Quorum, CharterError> {
        let text = value.text()?;
        Quorum::parse(text, |team| self.teams.get(team).map(Vec::as_slice))
            .map_err(|error| self.error(value, text, quorum, error))
    }

    fn error(&self, value: &Value<'_, '_>, text: &str, quorum: &str, error: QuorumError) -> CharterError {
        let person = match error.problem {
            QuorumProblem::Overlap { person } => self.people.get(usize::from(person.0)),
            _ => None,
        };
        let problem = Problem::Quorum {
            quorum: quorum.to_owned(),
            problem: error.problem,
            person: person.map(|(_, person)| person.name.to_string()),
        };
        let offset = value.document.within(&value.value.span(), text, error.offset);
        value.document.error(offset, problem)
    }

    fn named(
        &self,
        table: &Table<'_, '_>,
        field: &'static str,
        shown: &'static str,
    ) -> Result<BTreeMap<Name, Quorum>, CharterError> {
        let Some(value) = table.get(field) else { return Ok(BTreeMap::new()) };
        let table = value.table(shown)?;
        bounded(&table)?;
        let mut quorums = BTreeMap::new();
        for (offset, value) in table.entries() {
            let name = name(table.document, offset, value.field)?;
            let quorum = self.quorum(&value, &format!("{field}.{name}"))?;
            quorums.insert(name, quorum);
        }
        Ok(quorums)
    }
}

fn server(value: Value<'_, '_>) -> Result<Vec<Digest>, CharterError> {
    let table = value.table("[server]")?;
    table.only(&["tls_keys"])?;
    let list = table.required("tls_keys")?;
    let items = list.items("a list of digests")?;
    if items.len() > TEAMS_MAX {
        return Err(list.error(Problem::TooManyEntries { table: "tls_keys", found: items.len() }));
    }
    let mut keys = Vec::new();
    for item in items {
        let key = digest(&item, "tls_keys")?;
        if keys.contains(&key) {
            return Err(item.error(Problem::SameTlsKey { digest: key.to_string() }));
        }
        keys.push(key);
    }
    Ok(keys)
}
