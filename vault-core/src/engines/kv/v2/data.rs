//! `data/`: reads, writes and patches versions.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::record::{Metadata, VALUE_VERSION, Version};
use super::{config, metadata_root, patch as merge, secret_at, version_slot};
use crate::engines::{Call, Change, Step, tree};
use crate::limits;
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::secret::SecretBytes;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Write<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    options: Option<Options>,
}

#[derive(Deserialize, Default)]
struct Options {
    cas: Option<u64>,
}

/// What replies tell of a version.
#[derive(Serialize)]
pub(super) struct VersionMetadata<'a> {
    created_time: String,
    custom_metadata: Option<&'a std::collections::BTreeMap<String, String>>,
    deletion_time: String,
    destroyed: bool,
    version: u64,
}

impl<'a> VersionMetadata<'a> {
    pub(super) fn of(metadata: &'a Metadata, number: u64, version: &Version) -> Self {
        Self {
            created_time: version.created_at.to_string(),
            custom_metadata: metadata.custom.as_ref(),
            deletion_time: version.deleted_at.map(|at| at.to_string()).unwrap_or_default(),
            destroyed: version.destroyed,
            version: number,
        }
    }
}

/// Finds the metadata of a secret and the version that a reader asks for; the newest if none is named.
pub(super) fn wanted(call: &Call<'_>, path: &str, view: &mut View) -> Result<(Metadata, u64, Version), Interrupt> {
    let asked = match call.request.parameter("version") {
        None | Some("") => 0,
        Some(text) => text.parse().map_err(|_| Refusal::invalid("'version' is not a number"))?,
    };
    let slot = tree::slot(call.names, metadata_root(call), path);
    let opened = view.entry(&slot)?.ok_or_else(Refusal::missing)?;
    let metadata = Metadata::decode(&opened.payload)?;
    let number = if asked == 0 { metadata.current } else { asked };
    let version = *metadata.versions.get(&number).ok_or_else(Refusal::missing)?;
    limits::check_secret_age(call, || secret_at(path), version.created_at)?;
    Ok((metadata, number, version))
}

pub(super) fn read(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let (metadata, number, version) = wanted(call, path, view)?;
    let described = VersionMetadata::of(&metadata, number, &version);
    if !version.is_readable(call.now) {
        return Ok(Step::answer(Reply::Gone(spliced(b"null", &described)?)));
    }
    let value = value(call, path, number, view)?;
    Ok(Step::answer(Reply::Content(spliced(value, &described)?)).written_at(version.created_at))
}

/// Gives the JSON text of a version.
pub(super) fn value<'v>(call: &Call<'_>, path: &str, number: u64, view: &'v mut View) -> Result<&'v [u8], Interrupt> {
    let lost = || Refusal::internal("a version that the metadata names is not there");
    let opened = view.entry(&version_slot(call, path, number))?.ok_or_else(lost)?;
    Ok(record_format::raw(VALUE_VERSION, &opened.payload)?)
}

/// Puts a value into a reply as it is, without parsing it.
fn spliced(value: &[u8], described: &VersionMetadata<'_>) -> Result<Content, Refusal> {
    let mut data = Vec::with_capacity(value.len() + 256);
    data.extend_from_slice(b"{\"data\":");
    data.extend_from_slice(value);
    data.extend_from_slice(b",\"metadata\":");
    serde_json::to_writer(&mut data, described).map_err(|error| Refusal::internal(error.to_string()))?;
    data.push(b'}');
    Ok(Content { data: Some(SecretBytes::new(data)), ..Content::default() })
}

pub(super) fn write(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let write: Write<'_> = call.request.parse_borrowed()?;
    let data = write.data.map(RawValue::get).filter(|data| data.starts_with('{'));
    let data = data.ok_or_else(|| Refusal::invalid("no data provided: 'data' must be an object"))?;
    let cas = write.options.unwrap_or_default().cas;
    put(call, path, view, cas, data.as_bytes())
}

pub(super) fn patch(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let write: Write<'_> = call.request.parse_borrowed()?;
    let change = write.data.filter(|data| data.get().starts_with('{'));
    let change = change.ok_or_else(|| Refusal::invalid("no data provided: 'data' must be an object"))?;
    let slot = tree::slot(call.names, metadata_root(call), path);
    let opened = view.entry(&slot)?.ok_or_else(Refusal::missing)?;
    let metadata = Metadata::decode(&opened.payload)?;
    let current = metadata.versions.get(&metadata.current).ok_or_else(Refusal::missing)?;
    if !current.is_readable(call.now) {
        let described = VersionMetadata::of(&metadata, metadata.current, current);
        return Ok(Step::answer(Reply::Gone(spliced(b"null", &described)?)));
    }
    let merged = merge::merge(value(call, path, metadata.current, view)?, change)?;
    put(call, path, view, write.options.unwrap_or_default().cas, merged.expose())
}

/// Writes a new version.
fn put(call: &Call<'_>, path: &str, view: &mut View, cas: Option<u64>, data: &[u8]) -> Result<Step, Interrupt> {
    let place = tree::place(call.names, metadata_root(call), path);
    let config = config::load(call, view)?;
    let (mut metadata, mut changes) = match view.entry(&place.slot)? {
        Some(opened) => (Metadata::decode(&opened.payload)?, Vec::new()),
        None => (Metadata::default(), tree::missing_marks(&place, view)?),
    };
    check_cas(cas, metadata.current, metadata.cas_required || config.cas_required)?;
    let replaced_at = metadata.versions.get(&metadata.current).map(|version| version.created_at);
    let number = metadata.current + 1;
    let life = if metadata.delete_version_after.is_zero() {
        config.delete_version_after
    } else {
        metadata.delete_version_after
    };
    let deleted_at = (!life.is_zero()).then(|| call.now.after(life));
    let version = Version { created_at: call.now, deleted_at, destroyed: false };
    metadata.versions.insert(number, version);
    metadata.current = number;
    metadata.created_at.get_or_insert(call.now);
    metadata.updated_at = Some(call.now);
    for pruned in metadata.prune(metadata.kept(&config)) {
        changes.push(Change::Delete { slot: version_slot(call, path, pruned) });
    }
    let payload = record_format::encode_raw(VALUE_VERSION, data);
    changes.push(Change::Put { slot: version_slot(call, path, number), payload });
    changes.push(Change::Put { slot: place.slot, payload: metadata.encode()? });
    let step = Step::commit(Reply::data(&VersionMetadata::of(&metadata, number, &version))?, changes);
    Ok(Step { written_at: replaced_at, ..step })
}

fn check_cas(given: Option<u64>, current: u64, required: bool) -> Result<(), Refusal> {
    match given {
        None if required => Err(Refusal::invalid("check-and-set parameter required for this call")),
        Some(cas) if cas != current => {
            Err(Refusal::invalid("check-and-set parameter did not match the current version"))
        }
        _ => Ok(()),
    }
}
