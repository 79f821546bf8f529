//! What all writes of identities check.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use crate::field::Texts;
use crate::mounts::Mount;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// Longest name of an entity, a group or an alias.
const NAME_LENGTH_BYTES_MAX: usize = 512;

/// Bounds of what people may write about an entity, a group or an alias; Vault's.
const METADATA_KEYS_MAX: usize = 64;
const METADATA_KEY_LENGTH_BYTES_MAX: usize = 128;
const METADATA_VALUE_LENGTH_BYTES_MAX: usize = 512;

/// Most policies of one entity or group, and longest name of one.
const POLICIES_MAX: usize = 256;
const POLICY_LENGTH_BYTES_MAX: usize = 256;

/// Policies that no entity and no group can have.
const RESERVED_POLICIES: [&str; 2] = ["root", "response-wrapping"];

/// Metadata as a map, or as `key=value`, which command lines send.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Metadata {
    Map(BTreeMap<String, String>),
    Pairs(Vec<String>),
    Pair(String),
}

impl Metadata {
    /// Gives the map, within bounds.
    pub(super) fn checked(self) -> Result<BTreeMap<String, String>, Refusal> {
        let pair = |text: &String| {
            let (key, value) = text.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        };
        let map = match self {
            Self::Map(map) => Some(map),
            Self::Pairs(pairs) => pairs.iter().map(pair).collect(),
            Self::Pair(text) if text.is_empty() => Some(BTreeMap::new()),
            Self::Pair(text) => pair(&text).map(|pair| BTreeMap::from([pair])),
        };
        let fits = |(key, value): (&String, &String)| {
            !key.is_empty()
                && key.len() <= METADATA_KEY_LENGTH_BYTES_MAX
                && value.len() <= METADATA_VALUE_LENGTH_BYTES_MAX
                && !key.chars().chain(value.chars()).any(char::is_control)
        };
        map.filter(|map| map.len() <= METADATA_KEYS_MAX && map.iter().all(fits)).ok_or_else(|| {
            Refusal::invalid(format!(
                "metadata has at most {METADATA_KEYS_MAX} keys of 1 to {METADATA_KEY_LENGTH_BYTES_MAX} bytes with values \
                 of at most {METADATA_VALUE_LENGTH_BYTES_MAX} bytes, all printable"
            ))
        })
    }
}

/// A yes or no, which command lines send as text.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Flag {
    Value(bool),
    Text(String),
}

impl Flag {
    /// Gives the value.
    pub(super) fn checked(&self, field: &str) -> Result<bool, Refusal> {
        match self {
            Self::Value(value) => Ok(*value),
            Self::Text(text) => text.parse().map_err(|_| Refusal::invalid(format!("{field} is either true or false"))),
        }
    }
}

/// Checks names of policies that an entity or a group is to have.
pub(super) fn policies(asked: Texts) -> Result<Vec<String>, Refusal> {
    let mut policies: Vec<String> = asked.into_list().iter().map(|name| name.to_lowercase()).collect();
    policies.sort_unstable();
    policies.dedup();
    if let Some(reserved) = policies.iter().find(|name| RESERVED_POLICIES.contains(&name.as_str())) {
        return Err(Refusal::invalid(format!("policies cannot contain {reserved}")));
    }
    let fits = |name: &String| name.len() <= POLICY_LENGTH_BYTES_MAX && !name.chars().any(char::is_control);
    if policies.len() > POLICIES_MAX || !policies.iter().all(fits) {
        return Err(Refusal::invalid(format!(
            "at most {POLICIES_MAX} policies, with names of at most {POLICY_LENGTH_BYTES_MAX} bytes"
        )));
    }
    Ok(policies)
}

/// Checks a name.
pub(super) fn name(asked: String) -> Result<String, Refusal> {
    let fits = asked.trim() == asked
        && (1..=NAME_LENGTH_BYTES_MAX).contains(&asked.len())
        && !asked.chars().any(char::is_control);
    if fits { Ok(asked) } else { Err(bad_name()) }
}

fn bad_name() -> Refusal {
    Refusal::invalid(format!("a name has 1 to {NAME_LENGTH_BYTES_MAX} printable bytes without space around them"))
}

/// Checks that a name in the path and one in the body do not contradict each other.
pub(super) fn same_name(path: &str, body: Option<&String>) -> Result<(), Refusal> {
    match body.filter(|name| !name.is_empty() && name.to_lowercase() != path.to_lowercase()) {
        None => Ok(()),
        Some(_) => Err(Refusal::invalid("the names in the path and in the body differ; rename by id")),
    }
}

/// Finds the auth method of an accessor.
pub(super) fn mount<'a>(call: &'a Call<'_>, accessor: &str) -> Result<&'a Mount, Refusal> {
    let mount = call.tables.login_mount(accessor);
    mount.map(AsRef::as_ref).ok_or_else(|| Refusal::invalid(format!("invalid mount accessor {accessor:?}")))
}

/// Describes the mount of an accessor: path and type, empty for one that was disabled.
pub(super) fn describe_mount<'a>(call: &'a Call<'_>, accessor: &str) -> (&'a str, &'a str) {
    call.tables.login_mount(accessor).map_or(("", ""), |mount| (mount.path.as_str(), mount.kind.as_str()))
}

/// Describes an alias, of an entity or of a group, as lookups of either show it.
pub(super) fn describe_alias(
    call: &Call<'_>,
    (id, canonical_id): (String, String),
    (accessor, name): (&str, &str),
    (created_at, updated_at): (Timestamp, Timestamp),
) -> Value {
    let (path, kind) = describe_mount(call, accessor);
    json!({
        "canonical_id": canonical_id,
        "creation_time": created_at.to_string(),
        "id": id,
        "last_update_time": updated_at.to_string(),
        "local": false,
        "merged_from_canonical_ids": null,
        "metadata": null,
        "mount_accessor": accessor,
        "mount_path": path,
        "mount_type": kind,
        "name": name,
        "namespace_id": "root",
    })
}

/// Takes a text that was given; stock clients send an empty one for none.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Leaves an empty map out, as Vault does.
pub(super) fn or_null(map: &BTreeMap<String, String>) -> Option<&BTreeMap<String, String>> {
    Some(map).filter(|map| !map.is_empty())
}
