//! `mounts` and `auth`: what is mounted where.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::tune::{self, Tune};
use super::{Call, Effect, Step};
use crate::auth::methods::METHODS;
use crate::engines::{Change, ENGINES, Engine};
use crate::mounts::{self, MOUNTS_MAX, Mount};
use crate::purge;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// What the paths of auth methods begin with.
const AUTH: &str = "auth/";

#[derive(Deserialize)]
struct Enable {
    #[serde(rename = "type")]
    kind: Option<String>,
    description: Option<String>,
    config: Option<Tune>,
    options: Option<BTreeMap<String, Value>>,
    external_entropy_access: Option<bool>,
    plugin_name: Option<String>,
}

/// Writes a mount as stock clients expect it.
pub(super) fn describe(mount: &Mount) -> Value {
    json!({
        "accessor": mount.accessor,
        "config": tune::describe(mount),
        "deprecation_status": "supported",
        "description": mount.description,
        "external_entropy_access": false,
        "local": mount.kind == "cubbyhole",
        "options": Some(&mount.options).filter(|options| !options.is_empty()),
        "plugin_version": "",
        "running_plugin_version": "",
        "running_sha256": "",
        "seal_wrap": false,
        "type": mount.kind,
        "uuid": mount.id.to_string(),
    })
}

pub(super) fn list_secrets(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let secrets = call.tables.mounts().filter(|mount| !mount.path.starts_with(AUTH));
    Ok(answer(secrets.map(|mount| (mount.path.clone(), describe(mount))).collect())?)
}

pub(super) fn list_auth(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let auth = call.tables.mounts().filter_map(|mount| Some((mount.path.strip_prefix(AUTH)?.to_owned(), mount)));
    Ok(answer(auth.map(|(path, mount)| (path, describe(mount))).collect())?)
}

fn answer(mounts: Map<String, Value>) -> Result<Step, Refusal> {
    Ok(Step::answer(Reply::data(&mounts)?))
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(&describe(find(call, call.capture("path"))?))?))
}

pub(super) fn read_auth(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(Step::answer(Reply::data(&describe(find(call, &auth_path(call))?))?))
}

/// Gives the path of the auth method that the request names.
pub(super) fn auth_path(call: &Call<'_>) -> String {
    format!("{AUTH}{}", call.capture("path"))
}

/// Finds a mount by a path with or without its trailing slash.
pub(super) fn find<'a>(call: &'a Call<'_>, path: &str) -> Result<&'a Mount, Refusal> {
    let path = format!("{}/", path.trim_matches('/'));
    let mount = call.tables.mount(&path);
    mount.map(AsRef::as_ref).ok_or_else(|| Refusal::invalid(format!("No secret engine mount at {path}")))
}

pub(super) fn enable(call: &Call<'_>, _: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let path = mounts::check_path(call.tables, call.capture("path"))?;
    Ok(mount(call, &path, ENGINES, rng)?)
}

pub(super) fn enable_auth(call: &Call<'_>, _: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let path = mounts::check_auth_path(call.tables, call.capture("path"))?;
    Ok(mount(call, &path, METHODS, rng)?)
}

fn mount(call: &Call<'_>, path: &str, known: &[&dyn Engine], rng: &mut dyn CryptoRng) -> Result<Step, Refusal> {
    let ask: Enable = call.request.parse()?;
    if ask.external_entropy_access == Some(true) {
        return Err(Refusal::invalid("external_entropy_access is not supported: leave it out"));
    }
    if call.tables.mounts().count() >= MOUNTS_MAX {
        return Err(Refusal::invalid(format!("there are {MOUNTS_MAX} mounts already; disable one first")));
    }
    let asked = ask.kind.filter(|kind| !kind.is_empty()).or(ask.plugin_name).unwrap_or_default();
    let (kind, version) = match asked.as_str() {
        "kv-v2" => ("kv", Some("2")),
        "kv-v1" | "generic" => ("kv", Some("1")),
        kind => (kind, None),
    };
    if !known.iter().any(|engine| engine.kind() == kind) {
        let known: Vec<&str> = known.iter().map(|engine| engine.kind()).collect();
        return Err(Refusal::invalid(format!("unknown type {asked:?}: take one of {}", known.join(", "))));
    }
    let mut mount = Mount::new(path, kind, &ask.description.unwrap_or_default(), rng);
    mount.options = options(ask.options.unwrap_or_default())?;
    if let Some(version) = version {
        mount.options.insert("version".to_owned(), version.to_owned());
    }
    check_version(&mount)?;
    if let Some(config) = &ask.config {
        tune::apply(kind, &mut mount.settings, config)?;
    }
    let changes = vec![mount.store(call.names)?];
    Ok(Step::commit(Reply::Empty, changes).then(Effect::ReloadTables))
}

/// Reads options, whose values stock clients send as texts or numbers.
pub(super) fn options(asked: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Refusal> {
    asked
        .into_iter()
        .map(|(name, value)| match (name.as_str(), value) {
            ("version", Value::String(text)) => Ok((name, text)),
            ("version", Value::Number(number)) => Ok((name, number.to_string())),
            (_, Value::Null) => Err(Refusal::invalid(format!("option {name:?} has no value"))),
            _ => Err(Refusal::invalid(format!("option {name:?} is not known; kv knows 'version'"))),
        })
        .collect()
}

fn check_version(mount: &Mount) -> Result<(), Refusal> {
    match mount.option("version") {
        None | Some("1" | "2") => Ok(()),
        Some(other) => Err(Refusal::invalid(format!("version {other:?} of kv is not known: take 1 or 2"))),
    }
}

pub(super) fn disable(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(unmount(call, call.capture("path"), ENGINES)?)
}

/// Takes an auth method away. The tokens that it made end with it.
pub(super) fn disable_auth(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(unmount(call, &auth_path(call), METHODS)?)
}

/// Takes a mount away. Its data is out of reach at once and removed in the background.
fn unmount(call: &Call<'_>, path: &str, known: &[&dyn Engine]) -> Result<Step, Refusal> {
    let path = format!("{path}/");
    let Some(mount) = call.tables.mount(&path) else { return Ok(Step::answer(Reply::Empty)) };
    let Some(engine) = known.iter().find(|engine| engine.kind() == mount.kind) else {
        return Err(Refusal::invalid(format!("cannot take {path:?} away: it is built in")));
    };
    let mut changes = vec![Change::Delete { slot: mounts::mount_slot(call.names, &path) }];
    changes.extend(engine.folders(mount, call.names).iter().map(|root| purge::enqueue(call.names, root)));
    Ok(Step::commit(Reply::Empty, changes).then(Effect::ReloadTables).then(Effect::Purge))
}
