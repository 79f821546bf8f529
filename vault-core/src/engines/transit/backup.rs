//! `backup/` and `restore/`, in the JSON form that Vault writes, so that keys go over from there and back.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use rand_core::CryptoRng;
use rsa::BoxedUint;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::ask::{self, Flag};
use super::kind::{KINDS, Kind};
use super::material::{self, damaged, with_curve};
use super::record::{self, Key, Material, VERSIONS_MAX, Version};
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::{SecretBytes, SecretText};
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

/// HKDF-SHA-256, in the numbers of Vault.
const KDF_HKDF_SHA256: i64 = 1;

/// The version of convergent encryption that derives the nonce's key beside the encryption key.
const CONVERGENT_VERSION: i64 = 3;

/// Says that each version of a key has a version of convergent encryption of its own.
const CONVERGENT_VERSION_IN_KEYS: i64 = -1;

/// Most digits of a number in a backup: more than the largest modulus has.
const DIGITS_MAX: usize = 4_096;

#[derive(Serialize, Deserialize)]
struct Backup {
    policy: Policy,
    archived_keys: Option<Archive>,
}

#[derive(Serialize, Deserialize)]
struct Archive {
    /// Versions from `min_available_version` on.
    keys: Option<Vec<Entry>>,
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Policy {
    name: String,
    keys: BTreeMap<u32, Entry>,
    derived: bool,
    kdf: i64,
    convergent_encryption: bool,
    exportable: bool,
    min_decryption_version: u32,
    min_encryption_version: u32,
    latest_version: u32,
    archive_version: u32,
    archive_min_version: u32,
    min_available_version: u32,
    deletion_allowed: bool,
    convergent_version: i64,
    #[serde(rename = "type")]
    kind: u8,
    allow_plaintext_backup: bool,
    /// In nanoseconds.
    auto_rotate_period: u64,
    #[serde(rename = "Imported")]
    imported: bool,
    #[serde(rename = "AllowImportedKeyRotation")]
    allow_rotation: bool,
    #[serde(rename = "key_size")]
    key_bytes: u32,
    soft_deleted: bool,
}

impl Default for Policy {
    fn default() -> Self {
        let (keys, off, none) = (BTreeMap::new(), false, 0);
        Self {
            name: String::new(),
            keys,
            derived: off,
            kdf: 0,
            convergent_encryption: off,
            exportable: off,
            min_decryption_version: none,
            min_encryption_version: none,
            latest_version: none,
            archive_version: none,
            archive_min_version: none,
            min_available_version: none,
            deletion_allowed: off,
            convergent_version: 0,
            kind: 0,
            allow_plaintext_backup: off,
            auto_rotate_period: 0,
            imported: off,
            allow_rotation: off,
            key_bytes: none,
            soft_deleted: off,
        }
    }
}

/// One version of a key.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Entry {
    key: Option<Bytes>,
    hmac_key: Option<Bytes>,
    time: Option<String>,
    ec_x: Option<Box<RawValue>>,
    ec_y: Option<Box<RawValue>>,
    ec_d: Option<Box<RawValue>>,
    rsa_key: Option<RsaKey>,
    public_key: String,
    convergent_version: i64,
    creation_time: i64,
}

#[derive(Serialize, Deserialize)]
struct RsaKey {
    #[serde(rename = "N")]
    modulus: Box<RawValue>,
    #[serde(rename = "E")]
    exponent: u64,
    #[serde(rename = "D")]
    private_exponent: Box<RawValue>,
    #[serde(rename = "Primes")]
    primes: Vec<Box<RawValue>>,
}

/// Secret bytes, as base64.
struct Bytes(SecretBytes);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SecretText::new(BASE64.encode(self.0.expose())).expose())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretText::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.expose().as_bytes());
        bytes.map(|bytes| Self(SecretBytes::new(bytes))).map_err(|_| serde::de::Error::custom("no base64"))
    }
}

fn decimal(number: &BoxedUint) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(number.to_string_radix_vartime(10)).map_err(damaged)
}

fn number(text: &RawValue) -> Result<BoxedUint, Refusal> {
    let digits = Some(text.get()).filter(|text| text.len() <= DIGITS_MAX && text.bytes().all(|c| c.is_ascii_digit()));
    digits.and_then(|digits| BoxedUint::from_str_radix_vartime(digits, 10).ok()).ok_or_else(|| unfit(()))
}

fn unfit<E>(_: E) -> Refusal {
    Refusal::invalid("the backup is damaged or of another kind")
}

/// Gives a backup of a key whose owner allowed that once: it holds the key in clear.
pub(super) fn backup(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("name");
    let key = record::load(call, view, &format!("key {name} not found"))?;
    if !key.exportable {
        return Err(Refusal::invalid("exporting is disallowed on the policy").into());
    }
    if !key.allow_plaintext_backup {
        return Err(Refusal::invalid("plaintext backup is disallowed on the policy").into());
    }
    let json = serde_json::to_vec(&written(&key)?).map(SecretBytes::new).map_err(damaged)?;
    let text = SecretText::new(BASE64.encode(json.expose()));
    Ok(Step::answer(Reply::data(&json!({ "backup": text.expose() }))?))
}

fn written(key: &Key) -> Result<Backup, Refusal> {
    let entries = |least: u32| {
        let versions = key.versions.range(least..);
        versions
            .map(|(number, version)| Ok((*number, entry(key, version)?)))
            .collect::<Result<BTreeMap<_, _>, Refusal>>()
    };
    let mut archive: Vec<Entry> = Vec::new();
    if key.min_available_version == 0 {
        archive.push(Entry::default());
    }
    archive.extend(entries(0)?.into_values());
    let backup_number = KINDS.iter().find(|known| known.kind == key.kind).map_or(u8::MAX, |known| known.backup_number);
    let policy = Policy {
        name: key.name.clone(),
        keys: entries(key.min_decryption_version)?,
        derived: key.derived,
        kdf: if key.derived { KDF_HKDF_SHA256 } else { 0 },
        convergent_encryption: key.convergent,
        exportable: key.exportable,
        min_decryption_version: key.min_decryption_version,
        min_encryption_version: key.min_encryption_version,
        latest_version: key.latest_version,
        archive_version: key.latest_version,
        archive_min_version: key.min_available_version,
        min_available_version: key.min_available_version,
        deletion_allowed: key.deletion_allowed,
        convergent_version: if key.convergent { CONVERGENT_VERSION_IN_KEYS } else { 0 },
        kind: backup_number,
        allow_plaintext_backup: key.allow_plaintext_backup,
        auto_rotate_period: key.auto_rotate_period.0.saturating_mul(1_000_000_000),
        imported: key.imported,
        allow_rotation: key.allow_rotation,
        key_bytes: key.key_bytes,
        soft_deleted: key.soft_deleted,
    };
    Ok(Backup { policy, archived_keys: Some(Archive { keys: Some(archive) }) })
}

fn entry(key: &Key, version: &Version) -> Result<Entry, Refusal> {
    let bytes = |bytes: &[u8]| Some(Bytes(SecretBytes::new(bytes.to_vec())));
    let mut entry = Entry {
        hmac_key: bytes(version.hmac_key.expose()),
        time: Some(version.created_at.to_string()),
        public_key: match key.kind.signs() {
            true => material::public_text(key.kind, &version.material, None)?.unwrap_or_default(),
            false => String::new(),
        },
        convergent_version: if key.convergent { CONVERGENT_VERSION } else { 0 },
        creation_time: version.created_at.unix_seconds(),
        ..Entry::default()
    };
    if key.kind == Kind::Ed25519 {
        entry.key = bytes(&material::ed25519_key(&version.material, None)?.to_keypair_bytes());
        return Ok(entry);
    }
    if key.kind.is_rsa() {
        let rsa = material::rsa_key(&version.material)?;
        entry.rsa_key = Some(RsaKey {
            modulus: decimal(rsa.n())?,
            exponent: decimal(rsa.e())?.get().parse().map_err(damaged)?,
            private_exponent: decimal(rsa.d())?,
            primes: rsa.primes().iter().map(|prime| decimal(prime)).collect::<Result<_, _>>()?,
        });
        return Ok(entry);
    }
    with_curve!(key.kind, curve => {
        let secret = curve::SecretKey::from_slice(version.material.expose()).map_err(damaged)?;
        let point = secret.public_key().to_sec1_bytes();
        let coordinates = point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        entry.ec_x = Some(decimal(&BoxedUint::from_be_slice_vartime(x))?);
        entry.ec_y = Some(decimal(&BoxedUint::from_be_slice_vartime(y))?);
        entry.ec_d = Some(decimal(&BoxedUint::from_be_slice_vartime(version.material.expose()))?);
    }, otherwise => entry.key = bytes(version.material.expose()));
    Ok(entry)
}

pub(super) fn restore(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    #[derive(Deserialize)]
    struct Ask {
        backup: Option<SecretText>,
        force: Option<Flag>,
    }
    let ask: Ask = call.request.parse()?;
    let text = ask.backup.as_ref().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Refusal::invalid("'backup' must be supplied"))?;
    let json = ask::decode_secret("backup", text)?;
    let backup: Backup = serde_json::from_slice(json.expose()).map_err(unfit)?;
    let mut key = read(backup, rng)?;
    let name = call.capture("name");
    if !name.is_empty() {
        name.clone_into(&mut key.name);
    }
    record::checked_name(&key.name)?;
    if record::find(call, &key.name, view)?.is_some() && !ask.force.is_some_and(|flag| flag.0) {
        return Err(Refusal::invalid(format!("key {:?} already exists", key.name)).into());
    }
    Ok(Step::commit(Reply::Empty, vec![key.put(call)?]))
}

fn read(backup: Backup, rng: &mut dyn CryptoRng) -> Result<Key, Refusal> {
    let Backup { policy, archived_keys } = backup;
    let known = KINDS.iter().find(|known| known.backup_number == policy.kind);
    let kind = known.ok_or_else(|| Refusal::invalid("the backup is of a key type that is not supported"))?.kind;
    if policy.derived && policy.kdf != KDF_HKDF_SHA256 {
        return Err(Refusal::invalid("the key derives with HMAC in counter mode, which is not supported"));
    }
    let mut key = Key {
        key_bytes: if kind == Kind::KeyedHash { policy.key_bytes } else { 0 },
        derived: policy.derived,
        convergent: policy.convergent_encryption,
        exportable: policy.exportable,
        allow_plaintext_backup: policy.allow_plaintext_backup,
        deletion_allowed: policy.deletion_allowed,
        imported: policy.imported,
        allow_rotation: policy.allow_rotation || !policy.imported,
        soft_deleted: policy.soft_deleted,
        auto_rotate_period: Span(policy.auto_rotate_period / 1_000_000_000),
        min_decryption_version: policy.min_decryption_version.max(1),
        min_encryption_version: policy.min_encryption_version,
        min_available_version: policy.min_available_version,
        latest_version: policy.latest_version,
        ..Key::new(&policy.name, kind)
    };
    key.check_derivation()?;
    // The archive holds every version; the policy those that decrypt.
    let archived = archived_keys.and_then(|archive| archive.keys).unwrap_or_default();
    let archived = (u64::from(policy.min_available_version)..).zip(archived);
    let archived = archived.filter_map(|(number, entry)| Some((u32::try_from(number).ok()?, entry)));
    for (number, entry) in archived.chain(policy.keys).filter(|(number, _)| *number != 0) {
        if key.convergent
            && policy.convergent_version != CONVERGENT_VERSION
            && entry.convergent_version != CONVERGENT_VERSION
        {
            return Err(Refusal::invalid(
                "the key encrypts convergently in a version before 3, which is not supported",
            ));
        }
        if number <= key.latest_version && key.versions.len() < VERSIONS_MAX {
            key.versions.insert(number, version(kind, entry, rng)?);
        }
    }
    let first = key.min_available_version.max(1);
    let is_complete = u64::from(key.latest_version) + 1 == u64::from(first) + key.versions.len() as u64
        && !key.versions.is_empty()
        && key.versions.keys().all(|number| *number >= first)
        && key.min_decryption_version <= key.latest_version
        && key.min_encryption_version <= key.latest_version;
    if !is_complete {
        return Err(Refusal::invalid("the backup lacks versions of the key, or has too many"));
    }
    Ok(key)
}

fn version(kind: Kind, entry: Entry, rng: &mut dyn CryptoRng) -> Result<Version, Refusal> {
    let material = read_material(kind, &entry)?;
    let time = entry.time.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let nanoseconds = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()).filter(|at| *at > 0);
    let created_at = Timestamp(nanoseconds.unwrap_or(entry.creation_time.saturating_mul(1_000_000_000)));
    let mut version = Version::of(kind, material, created_at, rng);
    if let Some(Bytes(hmac_key)) =
        entry.hmac_key.filter(|Bytes(key)| !key.expose().is_empty() && kind != Kind::KeyedHash)
    {
        version.hmac_key = Material::new(hmac_key.expose().to_vec());
    }
    Ok(version)
}

fn read_material(kind: Kind, entry: &Entry) -> Result<Material, Refusal> {
    let bytes = entry.key.as_ref().map(|Bytes(bytes)| bytes.expose()).unwrap_or_default();
    if kind == Kind::Ed25519 {
        let pair = bytes.try_into().map_err(unfit)?;
        let key = ed25519_dalek::SigningKey::from_keypair_bytes(pair).map_err(unfit)?;
        return Ok(Material::new(key.as_bytes().to_vec()));
    }
    if kind.is_rsa() {
        let key = entry.rsa_key.as_ref().ok_or_else(|| unfit(()))?;
        let primes = key.primes.iter().map(|prime| number(prime)).collect::<Result<Vec<_>, _>>()?;
        if primes.len() != 2 {
            return Err(Refusal::invalid("RSA keys have two primes here"));
        }
        let (modulus, private) = (number(&key.modulus)?, number(&key.private_exponent)?);
        let key = rsa::PrivateKey::from_components(modulus, BoxedUint::from(key.exponent), private, primes);
        return material::import_rsa(kind, &key.map_err(unfit)?);
    }
    let field_bytes = match kind {
        Kind::EcdsaP256 => 32,
        Kind::EcdsaP384 => 48,
        Kind::EcdsaP521 => 66,
        _ => return material::import_plain(kind, bytes),
    };
    let scalar = number(entry.ec_d.as_ref().ok_or_else(|| unfit(()))?)?.to_be_bytes();
    let start = scalar.iter().position(|byte| *byte != 0).unwrap_or(scalar.len());
    let digits = scalar.get(start..).unwrap_or_default();
    let padding = std::iter::repeat_n(0, field_bytes - digits.len().min(field_bytes));
    material::import_plain(kind, &padding.chain(digits.iter().copied()).collect::<Vec<u8>>())
}
