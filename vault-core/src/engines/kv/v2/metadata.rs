//! `metadata/`: what is known of a secret, without its values.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::config::{checked_versions, parse_span, span_text};
use super::record::Metadata;
use super::{metadata_root, version_slot};
use crate::engines::{Call, Change, Step, tree};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Bounds of custom metadata, as in Vault.
const CUSTOM_KEYS_MAX: usize = 64;
const CUSTOM_KEY_LENGTH_BYTES_MAX: usize = 128;
const CUSTOM_VALUE_LENGTH_BYTES_MAX: usize = 512;

#[derive(Deserialize)]
struct Write {
    max_versions: Option<u64>,
    cas_required: Option<bool>,
    delete_version_after: Option<Value>,
    /// Absent: left alone. `null` in a patch: removed.
    #[serde(default, deserialize_with = "present")]
    custom_metadata: Option<Option<BTreeMap<String, Value>>>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

pub(super) fn read(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let slot = tree::slot(call.names, metadata_root(call), path);
    let opened = view.entry(&slot)?.ok_or_else(Refusal::missing)?;
    let metadata = Metadata::decode(&opened.payload)?;
    let versions: Map<String, Value> = metadata
        .versions
        .iter()
        .map(|(number, version)| {
            let described = json!({
                "created_time": version.created_at.to_string(),
                "deletion_time": version.deleted_at.map(|at| at.to_string()).unwrap_or_default(),
                "destroyed": version.destroyed,
            });
            (number.to_string(), described)
        })
        .collect();
    let time = |at: Option<crate::time::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let data = json!({
        "cas_required": metadata.cas_required,
        "created_time": time(metadata.created_at),
        "current_version": metadata.current,
        "custom_metadata": metadata.custom,
        "delete_version_after": span_text(metadata.delete_version_after),
        "max_versions": metadata.max_versions,
        "oldest_version": metadata.oldest(),
        "updated_time": time(metadata.updated_at),
        "versions": versions,
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let asked: Write = call.request.parse()?;
    let place = tree::place(call.names, metadata_root(call), path);
    let (mut metadata, mut changes) = match view.entry(&place.slot)? {
        Some(opened) => (Metadata::decode(&opened.payload)?, Vec::new()),
        None => {
            let fresh = Metadata { created_at: Some(call.now), ..Metadata::default() };
            (fresh, tree::missing_marks(&place, view)?)
        }
    };
    if let Some(Some(custom)) = &asked.custom_metadata {
        metadata.custom = Some(checked_custom(BTreeMap::new(), custom)?);
    }
    apply(&mut metadata, &asked, call)?;
    changes.push(Change::Put { slot: place.slot, payload: metadata.encode()? });
    Ok(Step::commit(Reply::Empty, changes))
}

pub(super) fn patch(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let asked: Write = call.request.parse()?;
    let slot = tree::slot(call.names, metadata_root(call), path);
    let opened = view.entry(&slot)?.ok_or_else(Refusal::missing)?;
    let mut metadata = Metadata::decode(&opened.payload)?;
    match &asked.custom_metadata {
        None => {}
        Some(None) => metadata.custom = None,
        Some(Some(custom)) => metadata.custom = Some(checked_custom(metadata.custom.unwrap_or_default(), custom)?),
    }
    apply(&mut metadata, &asked, call)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload: metadata.encode()? }]))
}

fn apply(metadata: &mut Metadata, asked: &Write, call: &Call<'_>) -> Result<(), Refusal> {
    if let Some(max_versions) = asked.max_versions {
        metadata.max_versions = checked_versions(max_versions)?;
    }
    metadata.cas_required = asked.cas_required.unwrap_or(metadata.cas_required);
    if let Some(span) = &asked.delete_version_after {
        metadata.delete_version_after = parse_span("delete_version_after", span)?;
    }
    metadata.updated_at = Some(call.now);
    Ok(())
}

/// Merges custom metadata within its bounds; `null` removes a key.
fn checked_custom(
    mut custom: BTreeMap<String, String>,
    asked: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, String>, Refusal> {
    for (key, value) in asked {
        if key.is_empty() || key.len() > CUSTOM_KEY_LENGTH_BYTES_MAX || key.chars().any(char::is_control) {
            return Err(Refusal::invalid(format!(
                "custom_metadata: a key must have 1 to {CUSTOM_KEY_LENGTH_BYTES_MAX} printable bytes"
            )));
        }
        match value {
            Value::Null => drop(custom.remove(key)),
            Value::String(text) if text.len() <= CUSTOM_VALUE_LENGTH_BYTES_MAX => {
                custom.insert(key.clone(), text.clone());
            }
            _ => {
                return Err(Refusal::invalid(format!(
                    "custom_metadata: the value of {key:?} must be a text of at most {CUSTOM_VALUE_LENGTH_BYTES_MAX} bytes"
                )));
            }
        }
    }
    if custom.len() > CUSTOM_KEYS_MAX {
        return Err(Refusal::invalid(format!("custom_metadata: more than {CUSTOM_KEYS_MAX} keys")));
    }
    Ok(custom)
}

/// Removes a secret with all its versions.
pub(super) fn delete(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    let place = tree::place(call.names, metadata_root(call), path);
    let Some(opened) = view.entry(&place.slot)? else { return Ok(Step::answer(Reply::Empty)) };
    let metadata = Metadata::decode(&opened.payload)?;
    let mut changes = tree::removal(&place, view)?;
    let versions = metadata.versions.keys().map(|number| version_slot(call, path, *number));
    changes.extend(versions.map(|slot| Change::Delete { slot }));
    Ok(Step::commit(Reply::Empty, changes))
}
