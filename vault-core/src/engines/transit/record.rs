//! What is stored of a key: one row with its settings and all its versions, so that a use costs one read.

use std::collections::BTreeMap;
use std::fmt;

use rand_core::CryptoRng;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::kind::Kind;
use super::material;
use crate::engines::{Call, Change};
use crate::names::{Folder, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::time::{Span, Timestamp};
use crate::view::{Interrupt, View};

const KEY_VERSION: u8 = 1;

/// Most versions of a key: all lie in one row, which every use opens. A daily rotation fills it in 33 months; trimming
/// makes room.
pub(super) const VERSIONS_MAX: usize = 1_000;

/// Secret bytes as they lie in the row.
pub(super) struct Material(SecretBytes);

impl Material {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(SecretBytes::new(bytes))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl Serialize for Material {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.expose())
    }
}

impl<'de> Deserialize<'de> for Material {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Material;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Material, E> {
                Ok(Material::new(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// One version of a key.
#[derive(Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) created_at: Timestamp,
    /// The key: plain bytes, an Ed25519 seed, the scalar of a curve, or an RSA key in PKCS #8 DER.
    pub(super) material: Material,
    /// The key of `hmac/`; for the type `hmac` the same as the material.
    pub(super) hmac_key: Material,
}

impl Version {
    /// Makes a version of new key material.
    pub(super) fn generate(
        kind: Kind,
        key_bytes: u32,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Refusal> {
        let material = material::generate(kind, key_bytes, rng)?;
        Ok(Self::of(kind, material, now, rng))
    }

    /// Makes a version of given key material.
    pub(super) fn of(kind: Kind, material: Material, now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let hmac_key = match kind {
            Kind::KeyedHash => Material::new(material.expose().to_vec()),
            _ => material::random(32, rng),
        };
        Self { created_at: now, material, hmac_key }
    }
}

/// A key.
#[derive(Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) key_bytes: u32,
    pub(super) derived: bool,
    pub(super) convergent: bool,
    pub(super) exportable: bool,
    pub(super) allow_plaintext_backup: bool,
    pub(super) deletion_allowed: bool,
    pub(super) imported: bool,
    pub(super) allow_rotation: bool,
    pub(super) soft_deleted: bool,
    pub(super) auto_rotate_period: Span,
    pub(super) min_decryption_version: u32,
    pub(super) min_encryption_version: u32,
    pub(super) min_available_version: u32,
    pub(super) latest_version: u32,
    pub(super) versions: BTreeMap<u32, Version>,
}

impl Key {
    /// Describes a key without versions.
    pub(super) fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            key_bytes: 0,
            derived: false,
            convergent: false,
            exportable: false,
            allow_plaintext_backup: false,
            deletion_allowed: false,
            imported: false,
            allow_rotation: true,
            soft_deleted: false,
            auto_rotate_period: Span::ZERO,
            min_decryption_version: 1,
            min_encryption_version: 0,
            min_available_version: 0,
            latest_version: 0,
            versions: BTreeMap::new(),
        }
    }

    /// Refuses settings of derivation that the type cannot have.
    pub(super) fn check_derivation(&self) -> Result<(), Refusal> {
        if self.convergent && !self.derived {
            return Err(Refusal::invalid("convergent encryption requires derivation to be enabled"));
        }
        if self.derived && !self.kind.derives() || self.convergent && !self.kind.is_aead() {
            let kind = self.kind.name();
            return Err(Refusal::invalid(format!(
                "key derivation and convergent encryption not supported for keys of type {kind}"
            )));
        }
        Ok(())
    }

    /// Adds a version of new key material.
    pub(super) fn rotate(&mut self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<(), Refusal> {
        if !self.allow_rotation {
            return Err(Refusal::invalid("imported key does not allow rotation within the vault"));
        }
        let version = Version::generate(self.kind, self.key_bytes, now, rng)?;
        self.add(version)
    }

    /// Adds a version.
    pub(super) fn add(&mut self, version: Version) -> Result<(), Refusal> {
        if self.versions.len() >= VERSIONS_MAX {
            return Err(Refusal::invalid(format!("the key has {VERSIONS_MAX} versions: trim it first")));
        }
        let next =
            self.latest_version.checked_add(1).ok_or_else(|| Refusal::invalid("the key has no versions left"))?;
        self.versions.insert(next, version);
        self.latest_version = next;
        Ok(())
    }

    /// Tells whether its time to be rotated by itself has come.
    pub(super) fn is_rotation_due(&self, now: Timestamp) -> bool {
        !self.auto_rotate_period.is_zero()
            && self.allow_rotation
            && self.versions.len() < VERSIONS_MAX
            && self
                .versions
                .get(&self.latest_version)
                .is_some_and(|version| version.created_at.after(self.auto_rotate_period) <= now)
    }

    /// Chooses the version that makes something new; 0 asks for the newest.
    pub(super) fn version_for_new(&self, asked: u32) -> Result<(u32, &Version), Refusal> {
        let number = if asked == 0 { self.latest_version } else { asked };
        if number > self.latest_version {
            return Err(Refusal::invalid("requested version for encryption is higher than the latest key version"));
        }
        let least =
            if self.min_encryption_version == 0 { self.min_decryption_version } else { self.min_encryption_version };
        if number < least {
            let text = "requested version for encryption is less than the minimum encryption key version";
            return Err(Refusal::invalid(text));
        }
        Ok((number, self.version(number)?))
    }

    /// Chooses the version that made something old.
    pub(super) fn version_for_old(&self, number: u32) -> Result<&Version, Refusal> {
        if number > self.latest_version {
            return Err(Refusal::invalid("invalid ciphertext: version is too new"));
        }
        if number < self.min_decryption_version {
            return Err(Refusal::invalid("ciphertext or signature version is disallowed by policy (too old)"));
        }
        self.version(number)
    }

    fn version(&self, number: u32) -> Result<&Version, Refusal> {
        self.versions.get(&number).ok_or_else(|| Refusal::invalid("this version of the key is no longer available"))
    }

    /// Refuses the use of a key that was deleted softly.
    pub(super) fn check_usable(&self) -> Result<(), Refusal> {
        if self.soft_deleted { Err(Refusal::invalid("the key is soft-deleted: restore it first")) } else { Ok(()) }
    }

    /// Gives the change that stores the key.
    pub(super) fn put(&self, call: &Call<'_>) -> Result<Change, Refusal> {
        Ok(Change::Put { slot: slot(call, &self.name), payload: record_format::encode(KEY_VERSION, self)? })
    }
}

/// Checks the name of a new key: letters, digits and `_`, and `-` and `.` within, as in Vault.
pub(super) fn checked_name(name: &str) -> Result<&str, Refusal> {
    let edge = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let inside = name.chars().all(|c| edge(c) || matches!(c, '-' | '.'));
    if inside && name.starts_with(edge) && name.ends_with(edge) {
        return Ok(name);
    }
    Err(Refusal::invalid("the name of a key has letters, digits and _, and - and . within"))
}

/// Finds the folder of a mount's keys.
pub(super) fn folder(call: &Call<'_>) -> Folder {
    call.mount.folder(call.names, "keys")
}

/// Finds the row of a key.
pub(super) fn slot(call: &Call<'_>, name: &str) -> Slot {
    call.names.entry(&folder(call), name)
}

/// Reads a key, if it is there.
pub(super) fn find(call: &Call<'_>, name: &str, view: &mut View) -> Result<Option<Key>, Interrupt> {
    match view.entry(&slot(call, name))? {
        Some(row) => Ok(Some(record_format::decode(KEY_VERSION, &row.payload)?)),
        None => Ok(None),
    }
}

/// Reads a key that must be there; `missing` is what the caller is told otherwise.
pub(super) fn load(call: &Call<'_>, view: &mut View, missing: &str) -> Result<Key, Interrupt> {
    let key = find(call, call.capture("name"), view)?;
    Ok(key.ok_or_else(|| Refusal::invalid(missing))?)
}

/// Reads a key that is about to be used.
pub(super) fn load_usable(call: &Call<'_>, view: &mut View, missing: &str) -> Result<Key, Interrupt> {
    let key = load(call, view, missing)?;
    key.check_usable()?;
    Ok(key)
}

/// Rotates a key whose time has come, at the use that makes something new, and gives the change that stores it.
pub(super) fn rotate_if_due(key: &mut Key, call: &Call<'_>, rng: &mut dyn CryptoRng) -> Result<Vec<Change>, Refusal> {
    if !key.is_rotation_due(call.now) {
        return Ok(Vec::new());
    }
    key.rotate(call.now, rng)?;
    Ok(vec![key.put(call)?])
}
