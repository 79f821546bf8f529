//! `mounts/<path>/tune`: the settings of a mount.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::mounts::{find, options};
use super::{Call, Effect, Step};
use crate::mounts::{Mount, MountSettings, TTL_MAX_DEFAULT};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;

#[derive(Deserialize)]
pub(super) struct Tune {
    default_lease_ttl: Option<Value>,
    max_lease_ttl: Option<Value>,
    description: Option<String>,
    listing_visibility: Option<String>,
    force_no_cache: Option<bool>,
    audit_non_hmac_request_keys: Option<Vec<String>>,
    audit_non_hmac_response_keys: Option<Vec<String>>,
    options: Option<BTreeMap<String, Value>>,
}

/// Writes the settings as stock clients expect them, the system's where the mount has none.
pub(super) fn describe(mount: &Mount) -> Value {
    let settings = &mount.settings;
    let mut config = json!({
        "default_lease_ttl": settings.default_lease_ttl.0,
        "max_lease_ttl": settings.max_lease_ttl.0,
        "force_no_cache": settings.force_no_cache,
        "listing_visibility": settings.listing_visibility,
    });
    add_token_type(mount, &mut config);
    config
}

/// Adds which tokens an auth method issues: vaultrs cannot read a listing of auth methods without it.
fn add_token_type(mount: &Mount, config: &mut Value) {
    if let Some(config) = config.as_object_mut().filter(|_| mount.path.starts_with("auth/")) {
        config.insert("token_type".to_owned(), json!("default-service"));
    }
}

pub(super) fn read(call: &Call<'_>, path: &str) -> Result<Step, Refusal> {
    let mount = find(call, path)?;
    let settings = &mount.settings;
    let or_system = |span: Span| if span.is_zero() { TTL_MAX_DEFAULT.0 } else { span.0 };
    let mut data = json!({
        "default_lease_ttl": or_system(settings.default_lease_ttl),
        "max_lease_ttl": or_system(settings.max_lease_ttl),
        "force_no_cache": settings.force_no_cache,
        "description": mount.description,
        "listing_visibility": settings.listing_visibility,
        "options": Some(&mount.options).filter(|options| !options.is_empty()),
        "audit_non_hmac_request_keys": settings.audit_non_hmac_request_keys,
        "audit_non_hmac_response_keys": settings.audit_non_hmac_response_keys,
    });
    add_token_type(mount, &mut data);
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, path: &str) -> Result<Step, Refusal> {
    let ask: Tune = call.request.parse()?;
    let mut mount = find(call, path)?.clone();
    if let Some(asked) = ask.options.clone() {
        check_options(&mount, &options(asked)?)?;
    }
    if let Some(description) = &ask.description {
        mount.description.clone_from(description);
    }
    apply(&mut mount.settings, &ask)?;
    let changes = vec![mount.store(call.names)?];
    Ok(Step::commit(Reply::Empty, changes).then(Effect::ReloadTables))
}

/// Takes over settings, checked.
pub(super) fn apply(settings: &mut MountSettings, ask: &Tune) -> Result<(), Refusal> {
    if let Some(value) = &ask.default_lease_ttl {
        settings.default_lease_ttl = span("default_lease_ttl", value)?;
    }
    if let Some(value) = &ask.max_lease_ttl {
        settings.max_lease_ttl = span("max_lease_ttl", value)?;
    }
    let max = if settings.max_lease_ttl.is_zero() { TTL_MAX_DEFAULT } else { settings.max_lease_ttl };
    if settings.default_lease_ttl > max {
        return Err(Refusal::invalid("backend tune: default_lease_ttl is longer than max_lease_ttl"));
    }
    if let Some(visibility) = &ask.listing_visibility {
        if !matches!(visibility.as_str(), "" | "hidden" | "unauth") {
            return Err(Refusal::invalid("listing_visibility is 'hidden', 'unauth' or empty"));
        }
        settings.listing_visibility.clone_from(visibility);
    }
    let unhashed = [&ask.audit_non_hmac_request_keys, &ask.audit_non_hmac_response_keys];
    if unhashed.into_iter().flatten().any(|keys| !keys.is_empty()) {
        return Err(Refusal::invalid("the audit log holds no value in clear: leave audit_non_hmac_*_keys out"));
    }
    settings.force_no_cache = ask.force_no_cache.unwrap_or(settings.force_no_cache);
    Ok(())
}

/// Refuses to turn one version of KV into the other: what is stored would have to be rewritten.
fn check_options(mount: &Mount, asked: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let version =
        |options: &BTreeMap<String, String>| options.get("version").cloned().unwrap_or_else(|| "1".to_owned());
    if asked.contains_key("version") && version(asked) != version(&mount.options) {
        return Err(Refusal::invalid(
            "the version of a kv mount cannot be changed: mount the other version elsewhere and copy the secrets",
        ));
    }
    Ok(())
}

/// Reads a TTL as a number of seconds or text; empty and `system` mean the system's.
fn span(field: &str, value: &Value) -> Result<Span, Refusal> {
    let text = match value {
        Value::Null => return Ok(Span::ZERO),
        Value::String(text) if matches!(text.as_str(), "" | "system") => return Ok(Span::ZERO),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Span::parse(&text).map_err(|error| Refusal::invalid(format!("{field}: {error}")))
}
