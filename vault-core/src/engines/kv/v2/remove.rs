//! `delete/`, `undelete/`, `destroy/`, and DELETE on `data/`.

use serde::{Deserialize, Deserializer};

use super::record::Metadata;
use super::{metadata_root, version_slot};
use crate::engines::{Call, Change, Step, tree};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Most versions that one call can name.
const VERSIONS_NAMED_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    versions: Vec<Number>,
}

/// A version number; stock clients also send it as text.
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.map(Number).ok_or_else(|| serde::de::Error::custom("not a version number"))
    }
}

fn named(call: &Call<'_>) -> Result<Vec<u64>, Refusal> {
    let asked: Versions = call.request.parse()?;
    if asked.versions.is_empty() || asked.versions.len() > VERSIONS_NAMED_MAX {
        return Err(Refusal::invalid("No version number provided: 'versions' must be a list of version numbers"));
    }
    Ok(asked.versions.into_iter().map(|number| number.0).collect())
}

/// What is done to versions.
#[derive(Clone, Copy)]
enum Act {
    /// Hide, so that it can be brought back.
    Delete,
    /// Bring back.
    Undelete,
    /// Remove the value for good.
    Destroy,
}

pub(super) fn delete_latest(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    change(call, path, view, Act::Delete, None)
}

pub(super) fn delete(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    change(call, path, view, Act::Delete, Some(named(call)?))
}

pub(super) fn undelete(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    change(call, path, view, Act::Undelete, Some(named(call)?))
}

pub(super) fn destroy(call: &Call<'_>, path: &str, view: &mut View) -> Result<Step, Interrupt> {
    change(call, path, view, Act::Destroy, Some(named(call)?))
}

/// Changes the named versions, or the newest if none are named. Versions that are not there or destroyed are passed
/// over, and so is a secret that is not there, as in Vault.
fn change(
    call: &Call<'_>,
    path: &str,
    view: &mut View,
    act: Act,
    versions: Option<Vec<u64>>,
) -> Result<Step, Interrupt> {
    let slot = tree::slot(call.names, metadata_root(call), path);
    let Some(opened) = view.entry(&slot)? else { return Ok(Step::answer(Reply::Empty)) };
    let mut metadata = Metadata::decode(&opened.payload)?;
    let versions = versions.unwrap_or_else(|| vec![metadata.current]);
    let mut changes = Vec::new();
    for number in versions {
        let Some(version) = metadata.versions.get_mut(&number).filter(|version| !version.destroyed) else { continue };
        match act {
            Act::Delete if version.is_deleted(call.now) => {}
            Act::Delete => version.deleted_at = Some(call.now),
            Act::Undelete => version.deleted_at = None,
            Act::Destroy => {
                version.destroyed = true;
                changes.push(Change::Delete { slot: version_slot(call, path, number) });
            }
        }
    }
    changes.push(Change::Put { slot, payload: metadata.encode()? });
    Ok(Step::commit(Reply::Empty, changes))
}
