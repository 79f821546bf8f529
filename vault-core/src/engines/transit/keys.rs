//! `keys/`: makes, shows, lists and deletes keys.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{self, Flag, Whole};
use super::kind::Kind;
use super::material::{self, HMAC_KEY_BYTES_MAX, HMAC_KEY_BYTES_MIN};
use super::record::{self, Key};
use crate::engines::{Call, Change, Step, tree};
use crate::field::span;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::time::Span;
use crate::view::{Interrupt, View};

/// Shortest time between rotations that happen by themselves.
const AUTO_ROTATE_SECONDS_MIN: u64 = 3_600;

/// The settings that a key is made with.
#[derive(Deserialize)]
pub(super) struct Settings {
    #[serde(rename = "type")]
    kind: Option<String>,
    derived: Option<Flag>,
    convergent_encryption: Option<Flag>,
    exportable: Option<Flag>,
    allow_plaintext_backup: Option<Flag>,
    auto_rotate_period: Option<Value>,
    key_size: Option<Whole>,
    context: Option<String>,
    managed_key_name: Option<String>,
    managed_key_id: Option<String>,
}

impl Settings {
    /// Describes a new key without versions.
    pub(super) fn key(&self, name: &str) -> Result<Key, Refusal> {
        if self.managed_key_name.is_some() || self.managed_key_id.is_some() {
            return Err(Refusal::invalid("managed keys are not supported"));
        }
        let kind = match self.kind.as_deref() {
            None | Some("") => Kind::Aes256Gcm,
            Some(name) => Kind::parse(name).ok_or_else(|| Refusal::invalid(format!("unknown key type {name:?}")))?,
        };
        let set = |flag: Option<Flag>| flag.is_some_and(|flag| flag.0);
        let mut key = Key::new(record::checked_name(name)?, kind);
        key.derived = set(self.derived);
        key.convergent = set(self.convergent_encryption);
        key.exportable = set(self.exportable);
        key.allow_plaintext_backup = set(self.allow_plaintext_backup);
        key.auto_rotate_period = rotation_period(self.auto_rotate_period.as_ref())?;
        key.key_bytes = match (kind, self.key_size.unwrap_or_default().0) {
            (Kind::KeyedHash, 0) => 32,
            (Kind::KeyedHash, size) if (HMAC_KEY_BYTES_MIN..=HMAC_KEY_BYTES_MAX).contains(&(size as usize)) => size,
            (Kind::KeyedHash, _) => return Err(Refusal::invalid("invalid key_size: 32 to 512 bytes for type hmac")),
            (_, 0) => 0,
            _ => return Err(Refusal::invalid("key_size goes with type hmac only")),
        };
        key.check_derivation()?;
        Ok(key)
    }
}

/// Reads how often a key rotates by itself; zero is never.
pub(super) fn rotation_period(value: Option<&Value>) -> Result<Span, Refusal> {
    let period = span("auto_rotate_period", value)?;
    if period.is_zero() || period.0 >= AUTO_ROTATE_SECONDS_MIN {
        return Ok(period);
    }
    Err(Refusal::invalid("auto_rotate_period must be 0 to disable or at least an hour"))
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    tree::list(call, record::folder(call), "", view).map(Step::answer)
}

/// Makes a key. One that is there stays as it is, and the answer says so.
pub(super) fn create(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let settings: Settings = call.request.parse()?;
    let name = call.capture("name");
    let context = ask::context(settings.context.as_ref())?;
    if let Some(key) = record::find(call, name, view)? {
        let mut content = Content::data(&described(&key, context.as_deref())?)?;
        content.warnings.push(format!("key {name} already existed"));
        return Ok(Step::answer(Reply::Content(content)));
    }
    let mut key = settings.key(name)?;
    key.rotate(call.now, rng)?;
    Ok(stored(&key, call, context.as_deref(), Vec::new())?)
}

/// Stores a key and answers with what it is now.
pub(super) fn stored(
    key: &Key,
    call: &Call<'_>,
    context: Option<&[u8]>,
    warnings: Vec<String>,
) -> Result<Step, Refusal> {
    let mut content = Content::data(&described(key, context)?)?;
    content.warnings = warnings;
    Ok(Step::commit(Reply::Content(content), vec![key.put(call)?]))
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Ask {
        context: Option<String>,
    }
    let key = record::find(call, call.capture("name"), view)?.ok_or_else(Refusal::missing)?;
    let ask: Ask = call.request.parse()?;
    let in_query = call.request.parameter("context").map(str::to_owned);
    let context = ask::context(ask.context.or(in_query).as_ref())?;
    Ok(Step::answer(Reply::data(&described(&key, context.as_deref())?)?))
}

pub(super) fn delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("name");
    let Some(key) = record::find(call, name, view)? else {
        return Err(Refusal::invalid(format!("could not delete key; not found: {name}")).into());
    };
    if !key.deletion_allowed {
        let text = format!("error deleting policy {name}: deletion is not allowed for this policy");
        return Err(Refusal::invalid(text).into());
    }
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot: record::slot(call, name) }]))
}

/// Says what a key is, without anything secret. `context` chooses the public key of a derived one.
pub(super) fn described(key: &Key, context: Option<&[u8]>) -> Result<Value, Refusal> {
    let mut data = json!({
        "name": key.name,
        "type": key.kind.name(),
        "derived": key.derived,
        "deletion_allowed": key.deletion_allowed,
        "exportable": key.exportable,
        "allow_plaintext_backup": key.allow_plaintext_backup,
        "auto_rotate_period": key.auto_rotate_period.0,
        "imported_key": key.imported,
        "soft_deleted": key.soft_deleted,
        "latest_version": key.latest_version,
        "min_available_version": key.min_available_version,
        "min_decryption_version": key.min_decryption_version,
        "min_encryption_version": key.min_encryption_version,
        "supports_encryption": key.kind.encrypts(),
        "supports_decryption": key.kind.encrypts(),
        "supports_signing": key.kind.signs(),
        "supports_derivation": key.kind.derives(),
        "keys": versions(key, context)?,
    });
    let mut extra = Vec::new();
    if key.derived {
        extra.push(("kdf", json!("hkdf_sha256")));
        extra.push(("convergent_encryption", json!(key.convergent)));
    }
    if key.convergent {
        extra.push(("convergent_encryption_version", json!(3)));
    }
    if key.imported {
        extra.push(("imported_key_allow_rotation", json!(key.allow_rotation)));
    }
    if key.kind == Kind::KeyedHash {
        extra.push(("key_size", json!(key.key_bytes)));
    }
    if let Value::Object(fields) = &mut data {
        fields.extend(extra.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(data)
}

fn versions(key: &Key, context: Option<&[u8]>) -> Result<BTreeMap<String, Value>, Refusal> {
    let readable = key.versions.range(key.min_decryption_version..);
    let described = readable.map(|(number, version)| {
        let value = if key.kind.signs() {
            // Without a context there is no one public key of a derived key.
            let hidden = key.derived && context.is_none();
            let context = context.filter(|_| key.derived);
            let public = if hidden { None } else { material::public_text(key.kind, &version.material, context)? };
            json!({
                "name": key.kind.public_name(),
                "public_key": public.unwrap_or_default(),
                "certificate_chain": "",
                "creation_time": version.created_at.to_string(),
            })
        } else {
            json!(version.created_at.unix_seconds())
        };
        Ok((number.to_string(), value))
    });
    described.collect()
}
