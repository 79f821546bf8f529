//! Derives every key and lists every label. No other file of the project derives a key.
//!
//! ```text
//! unseal secret s ──HKDF-SHA-512, salt = vault id──┬─ seal-key    wraps the keyring
//!                                                  └─ key-check   tells a right s from a wrong one
//! keyring root (random) ──HKDF-SHA-512─┬─ names        keyed hashes of storage names
//!                                      ├─ token-ids    keyed hashes of tokens
//!                                      ├─ batch-tokens seals the texts of batch tokens
//!                                      ├─ audit-values keyed hashes of values in the audit log
//!                                      ├─ snapshots    seal the sums of snapshots
//!                                      ├─ ceremonies   signs the records of ceremonies
//!                                      └─ checkpoints  signs checkpoints of the audit log
//! barrier term (random) ──HKDF-SHA-512─┬─ system       seals what the vault itself needs
//!                                      └─ data         seals what it protects
//! ```
//!
//! Other labels derive no key: they give the second generator of the share commitments, the checksum of shares, and what
//! proofs of possession hash.

use curve25519_dalek::{RistrettoPoint, Scalar};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac, SimpleHmac};
use sha2::digest::common::BlockSizeUser;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::id::{Term, VaultId};
use crate::secret::{SecretBytes, SecretKey};
use crate::store::RowKey;

const LABEL_SEAL_KEY: &[u8] = b"keyturn/v1/seal-key";
const LABEL_KEY_CHECK: &[u8] = b"keyturn/v1/key-check";
const LABEL_NAMES: &[u8] = b"keyturn/v1/names";
const LABEL_TOKEN_IDS: &[u8] = b"keyturn/v1/token-ids";
const LABEL_BATCH_TOKENS: &[u8] = b"keyturn/v1/batch-tokens";
const LABEL_AUDIT_VALUES: &[u8] = b"keyturn/v1/audit-values";
const LABEL_SNAPSHOTS: &[u8] = b"keyturn/v1/snapshots";
const LABEL_CEREMONIES: &[u8] = b"keyturn/v1/ceremonies";
const LABEL_CHECKPOINTS: &[u8] = b"keyturn/v1/checkpoints";
const LABEL_BARRIER_SYSTEM: &[u8] = b"keyturn/v1/barrier/system";
const LABEL_BARRIER_DATA: &[u8] = b"keyturn/v1/barrier/data";
const LABEL_ROW: &[u8] = b"keyturn/v1/row";
const LABEL_KEYRING: &[u8] = b"keyturn/v1/keyring";
const LABEL_BLINDING_GENERATOR: &[u8] = b"keyturn/v1/share/blinding-generator";
const LABEL_SHARE_CHECKSUM: &[u8] = b"keyturn/v1/share/checksum";
const LABEL_POSSESSION_CHALLENGE: &[u8] = b"keyturn/v1/possession/challenge";
const LABEL_POSSESSION_ONE_TIME: &[u8] = b"keyturn/v1/possession/one-time";
const LABEL_POSSESSION_NONCE: &[u8] = b"keyturn/v1/possession/nonce";
const LABEL_IDENTITY_FILE: &[u8] = b"keyturn/v1/identity-file";

/// Derives the key that wraps the keyring from the 32 bytes of the unseal secret.
pub fn seal_key(unseal_secret: &SecretKey, vault: VaultId) -> SecretKey {
    derive(unseal_secret, Some(vault), LABEL_SEAL_KEY)
}

/// Derives the public value by which a combined unseal secret is told from a wrong one.
pub fn key_check(unseal_secret: &SecretKey, vault: VaultId) -> [u8; 32] {
    *derive(unseal_secret, Some(vault), LABEL_KEY_CHECK).expose()
}

/// Derives the key of the keyed hashes that name rows on disk.
pub fn names_key(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_NAMES)
}

/// Derives the key of the keyed hashes under which tokens are stored.
pub fn token_ids_key(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_TOKEN_IDS)
}

/// Derives the key that seals the texts of batch tokens.
pub fn batch_tokens_key(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_BATCH_TOKENS)
}

/// Derives the key of the keyed hashes that stand for secret values in the audit log.
pub fn audit_values_key(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_AUDIT_VALUES)
}

/// Derives the key of the keyed hashes by which a vault knows its own snapshots.
pub fn snapshots_key(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_SNAPSHOTS)
}

/// Derives the seed of the Ed25519 key that signs the records of ceremonies in the name of the vault.
pub fn ceremonies_seed(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_CEREMONIES)
}

/// Derives the seed of the Ed25519 key that signs checkpoints of the audit log.
pub fn checkpoints_seed(keyring_root: &SecretKey) -> SecretKey {
    derive(keyring_root, None, LABEL_CHECKPOINTS)
}

/// Derives the key that seals system rows of one term.
pub fn barrier_system_key(term_secret: &SecretKey) -> SecretKey {
    derive(term_secret, None, LABEL_BARRIER_SYSTEM)
}

/// Derives the key that seals data rows of one term.
pub fn barrier_data_key(term_secret: &SecretKey) -> SecretKey {
    derive(term_secret, None, LABEL_BARRIER_DATA)
}

/// Gives the associated data of one half of a row: label ‖ vault id ‖ row key ‖ part ‖ term (big-endian).
pub(crate) fn row_associated_data(vault: VaultId, row: &RowKey, part: u8, term: Term) -> Vec<u8> {
    let mut data = Vec::with_capacity(LABEL_ROW.len() + 16 + RowKey::LENGTH_BYTES + 5);
    data.extend_from_slice(LABEL_ROW);
    data.extend_from_slice(&vault.0);
    data.extend_from_slice(row.as_bytes());
    data.push(part);
    data.extend_from_slice(&term.0.to_be_bytes());
    data
}

/// Gives the associated data of the wrapped keyring: label ‖ vault id, and the digest of the custody record if there is
/// one, so that the keyring does not open beside another.
pub(crate) fn keyring_associated_data(vault: VaultId, custody: Option<&[u8; 32]>) -> Vec<u8> {
    [LABEL_KEYRING, &vault.0, custody.map_or(&[], |digest| digest.as_slice())].concat()
}

/// Gives the associated data of the sealed part of a person's identity file: label ‖ header.
pub fn identity_file_associated_data(header: &[u8]) -> Vec<u8> {
    [LABEL_IDENTITY_FILE, header].concat()
}

/// Gives the associated data of a batch token: label ‖ vault id ‖ format.
pub(crate) fn batch_token_associated_data(vault: VaultId, format: u8) -> Vec<u8> {
    [LABEL_BATCH_TOKENS, &vault.0, &[format]].concat()
}

/// Gives the second generator of the share commitments: the label hashed with SHA-512 and mapped to the group
/// (RFC 9496 section 4.3.4), so that nobody knows its logarithm to the first.
pub(crate) fn blinding_generator() -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&Sha512::digest(LABEL_BLINDING_GENERATOR).into())
}

/// Gives the checksum that tells a mistyped share: the first 4 bytes of SHA-256 over label ‖ bytes.
pub(crate) fn share_checksum(bytes: &[u8]) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::new().chain_update(LABEL_SHARE_CHECKSUM).chain_update(bytes).finalize().into();
    *digest.first_chunk().unwrap_or(&[0; 4])
}

/// Gives the challenge of a proof of possession: SHA-512 over label ‖ statement ‖ a, reduced to a scalar. The statement
/// and `a` have fixed lengths.
pub(crate) fn possession_challenge(statement: &[u8], a: &[u8; 32]) -> Scalar {
    let hash = Sha512::new().chain_update(LABEL_POSSESSION_CHALLENGE).chain_update(statement).chain_update(a);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// Gives the two one-time numbers of a proof of possession: SHA-512 over label ‖ which ‖ fresh randomness ‖ opening ‖
/// statement, reduced to scalars. They are secret as long as either the randomness or the opening is.
pub(crate) fn possession_one_time(fresh: &[u8; 32], opening: [&Scalar; 2], statement: &[u8]) -> Zeroizing<[Scalar; 2]> {
    let [value, blinding] = opening;
    let one = |which: u8| {
        let mut hash = Sha512::new();
        for part in [LABEL_POSSESSION_ONE_TIME, &[which], fresh, value.as_bytes(), blinding.as_bytes(), statement] {
            hash.update(part);
        }
        let wide: Zeroizing<[u8; 64]> = Zeroizing::new(hash.finalize().into());
        Scalar::from_bytes_mod_order_wide(&wide)
    };
    Zeroizing::new([one(1), one(2)])
}

/// Binds the nonce of a proof of possession to a charter: SHA-256 over label ‖ nonce ‖ digest.
pub(crate) fn bound_possession_nonce(nonce: &[u8; 32], charter: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(LABEL_POSSESSION_NONCE).chain_update(nonce).chain_update(charter).finalize().into()
}

/// Computes keyed hashes (HMAC-SHA-256) with the key schedule done once.
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// Prepares the hash for `key`.
    pub fn new(key: &SecretKey) -> Self {
        // HMAC pads a key with zeros to the 64-byte block of SHA-256 (RFC 2104 section 2).
        let mut block = Zeroizing::new([0; 64]);
        let (start, _) = block.split_at_mut(SecretKey::LENGTH_BYTES);
        start.copy_from_slice(key.expose());
        Self(<Hmac<Sha256> as KeyInit>::new((&*block).into()))
    }

    /// Hashes the concatenation of `parts`; the caller sees to it that the parts cannot be read in two ways.
    pub fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Tells in constant time whether `hash` is the hash of the concatenation of `parts`.
    pub fn verify(&self, parts: &[&[u8]], hash: &[u8; 32]) -> bool {
        bool::from(self.hash(parts).ct_eq(hash))
    }
}

/// Derives `length_bytes` bytes from a derived transit key and the caller's context: HKDF-SHA-256 without salt, the
/// context as info. Vault derives so, and ciphertexts made there must open here; the context takes the label's place.
///
/// # Errors
/// Answers `None` beyond HKDF's bound of 255 blocks.
pub(crate) fn transit_derived_key(material: &[u8], context: &[u8], length_bytes: usize) -> Option<SecretBytes> {
    let mut derived = Zeroizing::new(vec![0; length_bytes]);
    Hkdf::<Sha256>::new(None, material).expand(context, &mut derived).ok()?;
    Some(SecretBytes::new(std::mem::take(&mut *derived)))
}

/// Computes HMAC with the hash function `D` under a transit key, of any length.
pub(crate) fn keyed_digest<D: Digest + BlockSizeUser>(key: &[u8], message: &[u8]) -> Vec<u8> {
    match <SimpleHmac<D> as KeyInit>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
        Err(_) => unreachable!("HMAC takes a key of any length"),
    }
}

fn derive(secret: &SecretKey, salt: Option<VaultId>, label: &[u8]) -> SecretKey {
    let salt = salt.map(|vault| vault.0);
    let hkdf = Hkdf::<Sha512>::new(salt.as_ref().map(|bytes| bytes.as_slice()), secret.expose());
    SecretKey::fill_with(|key| {
        // 32 bytes are far below HKDF's bound of 255 blocks, so the expansion cannot fail; should that ever
        // change, the assertion stops the process instead of going on with a key of zeros.
        assert!(hkdf.expand(label, key).is_ok(), "HKDF refused 32 bytes");
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_gives_another_key() {
        let secret = SecretKey::fill_with(|key| key.fill(7));
        let vault = VaultId([1; 16]);
        let keys = [
            seal_key(&secret, vault),
            SecretKey::fill_with(|key| *key = key_check(&secret, vault)),
            names_key(&secret),
            token_ids_key(&secret),
            batch_tokens_key(&secret),
            audit_values_key(&secret),
            snapshots_key(&secret),
            ceremonies_seed(&secret),
            checkpoints_seed(&secret),
            barrier_system_key(&secret),
            barrier_data_key(&secret),
            seal_key(&secret, VaultId([2; 16])),
        ];
        for (position, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(position + 1).all(|other| !key.same_as(other)), "key {position}");
        }
    }
}
