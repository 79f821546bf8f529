//! `mounts/<path>/tune`: the settings of a mount.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::mounts::{auth_path, find, options};
use super::{Call, Effect, Step};
use crate::auth::methods::METHODS;
use crate::auth::token::TokenType;
use crate::field;
use crate::mounts::{Lockout, Mount, MountSettings, TTL_MAX_DEFAULT};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;
use crate::view::{Interrupt, View};

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
    token_type: Option<String>,
    user_lockout_config: Option<LockoutAsk>,
}

/// How repeated failures of logins are answered; left out or empty, a setting stays as it is.
#[derive(Deserialize, Clone)]
struct LockoutAsk {
    lockout_threshold: Option<Value>,
    lockout_duration: Option<Value>,
    lockout_counter_reset: Option<Value>,
    // The name that stock clients use.
    lockout_counter_reset_duration: Option<Value>,
    lockout_disable: Option<Value>,
}

/// The auth methods that count failures.
const LOCKOUT_KINDS: [&str; 2] = ["userpass", "approle"];

/// Writes the settings as stock clients expect them, the system's where the mount has none.
pub(super) fn describe(mount: &Mount) -> Value {
    let settings = &mount.settings;
    let mut described = json!({
        "default_lease_ttl": settings.default_lease_ttl.0,
        "max_lease_ttl": settings.max_lease_ttl.0,
        "force_no_cache": settings.force_no_cache,
        "listing_visibility": settings.listing_visibility,
    });
    add_token_type(mount, &mut described);
    if let (Value::Object(fields), Some(lockout)) = (&mut described, describe_lockout(mount)) {
        fields.insert("user_lockout_config".to_owned(), lockout);
    }
    described
}

/// Adds which tokens an auth method issues: vaultrs cannot read a listing of auth methods without it.
fn add_token_type(mount: &Mount, config: &mut Value) {
    if let Some(config) = config.as_object_mut().filter(|_| mount.path.starts_with("auth/")) {
        config.insert("token_type".to_owned(), mount.settings.token_type.word_at_last().into());
    }
}

/// Describes how failures are answered, for auth methods that count them.
fn describe_lockout(mount: &Mount) -> Option<Value> {
    let lockout = LOCKOUT_KINDS.contains(&mount.kind.as_str()).then_some(&mount.settings.lockout)?;
    Some(json!({
        "lockout_threshold": lockout.threshold,
        "lockout_duration": lockout.duration.0,
        "lockout_counter_reset": lockout.counter_reset.0,
        "lockout_disable": lockout.disabled,
        // The name under which stock clients read it.
        "disable_lockout": lockout.disabled,
    }))
}

/// Takes over how failures are answered. Zero is no setting: a lockout that never comes is asked for by name.
fn apply_lockout(kind: &str, lockout: &mut Lockout, ask: LockoutAsk) -> Result<(), Refusal> {
    if !LOCKOUT_KINDS.contains(&kind) {
        return Err(Refusal::invalid(format!(
            "tuning of user lockout configuration for auth type {kind:?} not allowed"
        )));
    }
    let given = |value: Option<Value>| value.filter(|value| !value.is_null() && value.as_str() != Some(""));
    let zero = |field: &str| Refusal::invalid(format!("{field} is not zero: lockout_disable turns the lockout off"));
    if let Some(value) = given(ask.lockout_threshold) {
        let threshold = u32::try_from(field::count("lockout_threshold", &value)?).unwrap_or(u32::MAX);
        lockout.threshold = Some(threshold).filter(|count| *count > 0).ok_or_else(|| zero("lockout_threshold"))?;
    }
    let reset = given(ask.lockout_counter_reset).or_else(|| given(ask.lockout_counter_reset_duration));
    let spans = [
        ("lockout_duration", given(ask.lockout_duration), &mut lockout.duration),
        ("lockout_counter_reset", reset, &mut lockout.counter_reset),
    ];
    for (name, asked, setting) in spans {
        if let Some(value) = asked {
            let length = field::span(name, Some(&value))?;
            *setting = Some(length).filter(|length| !length.is_zero()).ok_or_else(|| zero(name))?;
        }
    }
    if let Some(value) = given(ask.lockout_disable) {
        lockout.disabled = field::flag("lockout_disable", &value)?;
    }
    Ok(())
}

pub(super) fn read(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(show(call, call.capture("path"))?)
}

pub(super) fn read_auth(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(show(call, &auth_path(call))?)
}

pub(super) fn write(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(change(call, call.capture("path"))?)
}

pub(super) fn write_auth(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(change(call, &auth_path(call))?)
}

fn show(call: &Call<'_>, path: &str) -> Result<Step, Refusal> {
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
    if let (Value::Object(fields), Some(lockout)) = (&mut data, describe_lockout(mount)) {
        let flat = [
            ("user_lockout_threshold", json!(settings.lockout.threshold)),
            ("user_lockout_duration", json!(settings.lockout.duration.0)),
            ("user_lockout_counter_reset_duration", json!(settings.lockout.counter_reset.0)),
            ("user_lockout_disable", json!(settings.lockout.disabled)),
            ("user_lockout_config", lockout),
        ];
        fields.extend(flat.map(|(name, value)| (name.to_owned(), value)));
    }
    add_token_type(mount, &mut data);
    Ok(Step::answer(Reply::data(&data)?))
}

fn change(call: &Call<'_>, path: &str) -> Result<Step, Refusal> {
    let ask: Tune = call.request.parse()?;
    let mut mount = find(call, path)?.clone();
    if let Some(asked) = ask.options.clone() {
        check_options(&mount, &options(asked)?)?;
    }
    if let Some(description) = &ask.description {
        mount.description.clone_from(description);
    }
    apply(&mount.kind, &mut mount.settings, &ask)?;
    let changes = vec![mount.store(call.names)?];
    Ok(Step::commit(Reply::Empty, changes).then(Effect::ReloadTables))
}

/// Takes over settings, checked.
pub(super) fn apply(kind: &str, settings: &mut MountSettings, ask: &Tune) -> Result<(), Refusal> {
    if let Some(lockout) = &ask.user_lockout_config {
        apply_lockout(kind, &mut settings.lockout, lockout.clone())?;
    }
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
    if let Some(word) = ask.token_type.as_deref().filter(|word| !word.is_empty()) {
        let asked = TokenType::parse(word)?;
        if asked.prefers_batch() && !METHODS.iter().any(|method| method.kind() == kind) {
            return Err(Refusal::invalid("token_type can only be set for auth methods that people log in with"));
        }
        settings.token_type = asked;
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
fn span(name: &str, value: &Value) -> Result<Span, Refusal> {
    if value.as_str() == Some("system") { Ok(Span::ZERO) } else { field::span(name, Some(value)) }
}
