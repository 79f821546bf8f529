//! `keys/{name}/config`, `rotate`, `trim` and soft deletion, and the mount's `cache-config`.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Flag, Whole};
use super::keys::{rotation_period, stored};
use super::record::{self, Key};
use crate::engines::{Call, Change, Step};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::view::{Interrupt, View};

const CACHE_VERSION: u8 = 1;

/// Smallest size of a cache that Vault takes, besides 0 for one without bound.
const CACHE_ENTRIES_MIN: u32 = 10;

#[derive(Deserialize)]
struct Ask {
    min_decryption_version: Option<Whole>,
    min_encryption_version: Option<Whole>,
    deletion_allowed: Option<Flag>,
    exportable: Option<Flag>,
    allow_plaintext_backup: Option<Flag>,
    auto_rotate_period: Option<Value>,
}

fn named(call: &Call<'_>, view: &mut View) -> Result<Key, Interrupt> {
    let name = call.capture("name");
    record::load(call, view, &format!("no existing key named {name} could be found"))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let mut key = named(call, view)?;
    let mut warnings = Vec::new();
    if let Some(Whole(version)) = ask.min_decryption_version {
        if version == 0 {
            warnings.push("since Vault 0.3, transit decryption numbering starts at 1; forcing minimum to 1".to_owned());
        }
        key.min_decryption_version = version.max(1);
    }
    key.min_encryption_version = ask.min_encryption_version.map_or(key.min_encryption_version, |version| version.0);
    check_minimums(&key)?;
    key.deletion_allowed = ask.deletion_allowed.map_or(key.deletion_allowed, |flag| flag.0);
    grant(&mut key.exportable, ask.exportable, "exportable")?;
    grant(&mut key.allow_plaintext_backup, ask.allow_plaintext_backup, "allow_plaintext_backup")?;
    if let Some(value) = &ask.auto_rotate_period {
        key.auto_rotate_period = rotation_period(Some(value))?;
    }
    Ok(stored(&key, call, None, warnings)?)
}

/// Allows what can never be forbidden again: what was exported stays out.
fn grant(allowed: &mut bool, asked: Option<Flag>, name: &str) -> Result<(), Refusal> {
    match asked {
        Some(Flag(false)) if *allowed => Err(Refusal::invalid(format!("{name} cannot be disabled once it is set"))),
        asked => {
            *allowed |= asked.is_some_and(|flag| flag.0);
            Ok(())
        }
    }
}

fn check_minimums(key: &Key) -> Result<(), Refusal> {
    let (decryption, encryption) = (key.min_decryption_version, key.min_encryption_version);
    let latest = key.latest_version;
    for (what, version) in [("decryption", decryption), ("encryption", encryption)] {
        if version > latest {
            let text = format!("cannot set min {what} version of {version}, latest key version is {latest}");
            return Err(Refusal::invalid(text));
        }
        if version != 0 && version < key.min_available_version {
            return Err(Refusal::invalid(format!("min {what} version should not be less than min available version")));
        }
    }
    if encryption != 0 && encryption < decryption {
        let text = format!(
            "cannot set min encryption/decryption values; min encryption version of {encryption} must be greater than \
             or equal to min decryption version of {decryption}"
        );
        return Err(Refusal::invalid(text));
    }
    Ok(())
}

pub(super) fn rotate(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let mut key = record::load_usable(call, view, "key not found")?;
    key.rotate(call.now, rng)?;
    Ok(stored(&key, call, None, Vec::new())?)
}

/// Destroys versions for good.
pub(super) fn trim(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Trim {
        min_available_version: Option<Whole>,
    }
    let ask: Trim = call.request.parse()?;
    let mut key = record::load(call, view, "invalid key name")?;
    let Some(Whole(least)) = ask.min_available_version else {
        return Err(Refusal::invalid("missing min_available_version").into());
    };
    let reasons = [
        (
            key.min_encryption_version == 0,
            "minimum available version cannot be set when minimum encryption version is not set",
        ),
        (least == 0, "minimum available version must be positive"),
        (least < key.min_available_version, "minimum available version cannot be decremented"),
        (least > key.latest_version, "minimum available version cannot be greater than the latest version"),
        (
            least > key.min_encryption_version,
            "minimum available version cannot be greater than minimum encryption version",
        ),
        (
            least > key.min_decryption_version,
            "minimum available version cannot be greater than minimum decryption version",
        ),
    ];
    if let Some((_, reason)) = reasons.into_iter().find(|(holds, _)| *holds) {
        return Err(Refusal::invalid(reason).into());
    }
    key.min_available_version = least;
    key.versions = key.versions.split_off(&least);
    Ok(stored(&key, call, None, Vec::new())?)
}

pub(super) fn soft_delete(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    set_soft_deleted(call, view, true)
}

pub(super) fn soft_restore(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    set_soft_deleted(call, view, false)
}

fn set_soft_deleted(call: &Call<'_>, view: &mut View, deleted: bool) -> Result<Step, Interrupt> {
    let mut key = named(call, view)?;
    key.soft_deleted = deleted;
    Ok(Step::commit(Reply::Empty, vec![key.put(call)?]))
}

fn cache_slot(call: &Call<'_>) -> crate::names::Slot {
    call.names.entry(&call.mount.folder(call.names, "config"), "cache")
}

pub(super) fn read_cache(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let size: u32 = match view.entry(&cache_slot(call))? {
        Some(row) => record_format::decode(CACHE_VERSION, &row.payload)?,
        None => 0,
    };
    Ok(Step::answer(Reply::data(&json!({ "size": size }))?))
}

/// Keeps the size of the cache of keys for whoever asks for it. It changes nothing that can be seen: a key is read for
/// each call, and the answer says so.
pub(super) fn write_cache(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Cache {
        size: Option<Whole>,
    }
    let ask: Cache = call.request.parse()?;
    let size = ask.size.unwrap_or_default().0;
    if size != 0 && size < CACHE_ENTRIES_MIN {
        return Err(Refusal::invalid("size must be 0 or a value greater or equal to 10").into());
    }
    let mut content = Content::data(&json!({ "size": size }))?;
    content.warnings.push("keys are not cached: the size is kept and has no effect".to_owned());
    let payload = record_format::encode(CACHE_VERSION, &size)?;
    Ok(Step::commit(Reply::Content(content), vec![Change::Put { slot: cache_slot(call), payload }]))
}
