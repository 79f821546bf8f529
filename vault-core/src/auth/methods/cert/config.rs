//! `config`: what tokens are bound to, and what identity learns of certificates.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::engines::{Call, Change, Step};
use crate::mounts::Mount;
use crate::names::{Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

const SETTINGS_VERSION: u8 = 1;

/// Settings of Vault that would change what happens, if they did anything.
const REFUSED: [&str; 3] = ["ocsp_cache_size", "role_cache_size", "enable_metadata_on_failures"];

/// What is stored of the settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Whether tokens are renewed without the certificate that they were made for.
    pub(super) disable_binding: bool,
    /// Whether the alias bears what the token's metadata says.
    pub(super) enable_identity_alias_metadata: bool,
}

/// Finds the folder of a mount's settings.
pub(super) fn folder(mount: &Mount, names: &Names) -> Folder {
    names.folder(&mount.root(names), "config")
}

fn slot(mount: &Mount, names: &Names) -> Slot {
    names.entry(&folder(mount, names), "config")
}

/// Reads a mount's settings; what was never set has its default.
pub(super) fn load(mount: &Mount, names: &Names, view: &mut View) -> Result<Settings, Interrupt> {
    match view.entry(&slot(mount, names))? {
        None => Ok(Settings::default()),
        Some(row) => Ok(record_format::decode(SETTINGS_VERSION, &row.payload)?),
    }
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let settings = load(call.mount, call.names, view)?;
    Ok(Step::answer(Reply::data(&json!({
        "disable_binding": settings.disable_binding,
        "enable_identity_alias_metadata": settings.enable_identity_alias_metadata,
    }))?))
}

#[derive(Deserialize)]
struct Ask {
    disable_binding: Option<bool>,
    enable_identity_alias_metadata: Option<bool>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    refuse_set(&ask.rest, |name| REFUSED.contains(&name))?;
    let mut settings = load(call.mount, call.names, view)?;
    settings.disable_binding = ask.disable_binding.unwrap_or(settings.disable_binding);
    settings.enable_identity_alias_metadata =
        ask.enable_identity_alias_metadata.unwrap_or(settings.enable_identity_alias_metadata);
    let payload = record_format::encode(SETTINGS_VERSION, &settings)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot: slot(call.mount, call.names), payload }]))
}

/// Refuses fields that are not supported and would mean something as they are given.
pub(super) fn refuse_set(fields: &Map<String, Value>, refused: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => matches!(text.as_str(), "" | "0" | "false"),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    };
    match fields.iter().find(|(name, value)| refused(name) && !empty(value)) {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::invalid(format!("{name} is not supported: leave it out"))),
    }
}
