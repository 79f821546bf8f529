//! The barrier: seals rows before they reach a store and opens them again; the keyring holds its keys.
//!
//! Formats: docs/formats.md, "Sealed row" and "Keyring".

use std::collections::BTreeMap;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::flow::Recorded;
use crate::id::{Term, VaultId};
use crate::keys::{self, KeyedHash};
use crate::names::{Domain, Names, Slot};
use crate::secret::{SecretBytes, SecretKey};
use crate::store::RowKey;

const BOX_FORMAT: u8 = 1;
const NONCE_LENGTH_BYTES: usize = 24;
const KEYRING_FORMAT: u8 = 1;

const PART_LABEL: u8 = b'n';
const PART_VALUE: u8 = b'v';

/// Says why a sealed row or keyring does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BarrierError {
    /// The bytes are no sealed box of a known format.
    #[error("the row is not in a known format: it was written by another version or damaged")]
    Format,
    /// The keyring has no key of that term.
    #[error("the row was sealed in term {}, which the keyring does not hold", term.0)]
    UnknownTerm {
        /// The term that the row names.
        term: Term,
    },
    /// The authentication tag does not match: another key, another place, or altered bytes.
    #[error("the row does not authenticate: it was altered, moved or sealed under another key")]
    Altered,
}

/// Holds every key of an unsealed vault; dropping it wipes them.
pub struct Barrier {
    vault: VaultId,
    keyring: Keyring,
    terms: BTreeMap<Term, TermKeys>,
    names: Names,
    token_ids: KeyedHash,
    audit_values: KeyedHash,
    snapshots: KeyedHash,
}

struct TermKeys {
    system: SecretKey,
    data: SecretKey,
}

/// What the seal key wraps: the root of the derived keys and the barrier secrets by term.
struct Keyring {
    root: SecretKey,
    terms: BTreeMap<Term, SecretKey>,
}

/// The keyring as its bytes are laid out (postcard).
#[derive(Serialize, Deserialize)]
struct KeyringRecord {
    root: [u8; 32],
    terms: BTreeMap<Term, [u8; 32]>,
}

impl Drop for KeyringRecord {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.root.zeroize();
        self.terms.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Barrier {
    /// Makes the keys of a new vault.
    pub fn generate(vault: VaultId, rng: &mut dyn CryptoRng) -> Self {
        let root = SecretKey::random(rng);
        let terms = BTreeMap::from([(Term::FIRST, SecretKey::random(rng))]);
        Self::from_keyring(vault, Keyring { root, terms })
    }

    /// Wraps the keyring for storage beside the sealed rows.
    pub fn wrap_keyring(&self, seal_key: &SecretKey, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, BarrierError> {
        let record = KeyringRecord {
            root: *self.keyring.root.expose(),
            terms: self.keyring.terms.iter().map(|(term, key)| (*term, *key.expose())).collect(),
        };
        let plain = Zeroizing::new(postcard::to_allocvec(&record).map_err(|_| BarrierError::Format)?);
        let sealed = seal_box(seal_key, &keys::keyring_associated_data(self.vault), &plain, rng)?;
        Ok([&[KEYRING_FORMAT], sealed.as_slice()].concat())
    }

    /// Opens a wrapped keyring.
    ///
    /// # Errors
    /// Answers [`BarrierError::Altered`] under a wrong seal key and for altered bytes.
    pub fn unwrap_keyring(vault: VaultId, seal_key: &SecretKey, wrapped: &[u8]) -> Result<Self, BarrierError> {
        let Some((&KEYRING_FORMAT, sealed)) = wrapped.split_first() else { return Err(BarrierError::Format) };
        let plain = open_box(seal_key, &keys::keyring_associated_data(vault), sealed)?;
        let record: KeyringRecord = postcard::from_bytes(plain.expose()).map_err(|_| BarrierError::Format)?;
        if record.terms.is_empty() {
            return Err(BarrierError::Format);
        }
        let terms = record.terms.iter().map(|(term, key)| (*term, SecretKey::fill_with(|copy| *copy = *key))).collect();
        let root = SecretKey::fill_with(|copy| *copy = record.root);
        Ok(Self::from_keyring(vault, Keyring { root, terms }))
    }

    fn from_keyring(vault: VaultId, keyring: Keyring) -> Self {
        let terms = keyring
            .terms
            .iter()
            .map(|(term, secret)| {
                let keys = TermKeys { system: keys::barrier_system_key(secret), data: keys::barrier_data_key(secret) };
                (*term, keys)
            })
            .collect();
        Self {
            vault,
            terms,
            names: Names::new(&keys::names_key(&keyring.root)),
            token_ids: KeyedHash::new(&keys::token_ids_key(&keyring.root)),
            audit_values: KeyedHash::new(&keys::audit_values_key(&keyring.root)),
            snapshots: KeyedHash::new(&keys::snapshots_key(&keyring.root)),
            keyring,
        }
    }

    /// Gives the vault that the keys belong to.
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// Gives the hasher that turns names into storage keys.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Gives the hasher under which tokens are stored.
    pub const fn token_ids(&self) -> &KeyedHash {
        &self.token_ids
    }

    /// Gives the hasher that stands in for secret values in the audit log.
    pub const fn audit_values(&self) -> &KeyedHash {
        &self.audit_values
    }

    /// Gives the hasher that seals the sums of snapshots, so that the vault knows its own.
    pub const fn snapshots(&self) -> &KeyedHash {
        &self.snapshots
    }

    /// Opens the value of a system row; a data row does not open here, its key is another.
    ///
    /// # Errors
    /// Answers [`BarrierError`] for rows that are damaged, moved or of an unknown term.
    pub fn open_system(&self, key: &RowKey, sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
        self.open_part(Domain::System, key, PART_VALUE, sealed)
    }

    /// Opens the name of a system row.
    ///
    /// # Errors
    /// Answers [`BarrierError`] for rows that are damaged, moved or of an unknown term.
    pub fn open_system_label(&self, key: &RowKey, sealed: &[u8]) -> Result<String, BarrierError> {
        text(self.open_part(Domain::System, key, PART_LABEL, sealed)?)
    }

    /// Opens the value of a row of either domain, for a request whose record is durable.
    ///
    /// # Errors
    /// Answers [`BarrierError`] for rows that are damaged, moved or of an unknown term.
    pub fn open(&self, _: &Recorded, domain: Domain, key: &RowKey, sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
        self.open_part(domain, key, PART_VALUE, sealed)
    }

    /// Opens the name of a row of either domain, for a request whose record is durable.
    ///
    /// # Errors
    /// Answers [`BarrierError`] for rows that are damaged, moved or of an unknown term.
    pub fn open_label(
        &self,
        _: &Recorded,
        domain: Domain,
        key: &RowKey,
        sealed: &[u8],
    ) -> Result<String, BarrierError> {
        text(self.open_part(domain, key, PART_LABEL, sealed)?)
    }

    /// Seals both halves of a row in the newest term: (label, value).
    pub(crate) fn seal(
        &self,
        slot: &Slot,
        payload: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Vec<u8>), BarrierError> {
        let label = self.seal_part(slot, PART_LABEL, slot.name().as_bytes(), rng)?;
        let value = self.seal_part(slot, PART_VALUE, payload, rng)?;
        Ok((label, value))
    }

    fn seal_part(&self, slot: &Slot, part: u8, plain: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, BarrierError> {
        let (&term, keys) = self.terms.last_key_value().ok_or(BarrierError::Format)?;
        let associated_data = keys::row_associated_data(self.vault, slot.key(), part, term);
        let sealed = seal_box(keys.of(slot.domain()), &associated_data, plain, rng)?;
        Ok([&[BOX_FORMAT], term.0.to_be_bytes().as_slice(), &sealed].concat())
    }

    fn open_part(&self, domain: Domain, key: &RowKey, part: u8, sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
        let (&[format, a, b, c, d], sealed) = sealed.split_first_chunk::<5>().ok_or(BarrierError::Format)?;
        if format != BOX_FORMAT {
            return Err(BarrierError::Format);
        }
        let term = Term(u32::from_be_bytes([a, b, c, d]));
        let keys = self.terms.get(&term).ok_or(BarrierError::UnknownTerm { term })?;
        open_box(keys.of(domain), &keys::row_associated_data(self.vault, key, part, term), sealed)
    }
}

impl TermKeys {
    const fn of(&self, domain: Domain) -> &SecretKey {
        match domain {
            Domain::System => &self.system,
            Domain::Data => &self.data,
        }
    }
}

fn text(bytes: SecretBytes) -> Result<String, BarrierError> {
    String::from_utf8(bytes.expose().to_vec()).map_err(|_| BarrierError::Format)
}

/// Seals `plain` as nonce (24 bytes) ‖ ciphertext ‖ tag (16 bytes) with XChaCha20-Poly1305.
fn seal_box(
    key: &SecretKey,
    associated_data: &[u8],
    plain: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, BarrierError> {
    let mut nonce = [0; NONCE_LENGTH_BYTES];
    rng.fill_bytes(&mut nonce);
    let cipher = XChaCha20Poly1305::new(&Key::from(*key.expose()));
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: associated_data })
        .map_err(|_| BarrierError::Format)?;
    let mut output = Vec::with_capacity(NONCE_LENGTH_BYTES + sealed.len());
    output.extend_from_slice(&nonce);
    output.extend_from_slice(&sealed);
    Ok(output)
}

fn open_box(key: &SecretKey, associated_data: &[u8], sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH_BYTES>().ok_or(BarrierError::Format)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key.expose()));
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: associated_data })
        .map(SecretBytes::new)
        .map_err(|_| BarrierError::Altered)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::flow::{Durable, Recorded};

    const VAULT: VaultId = VaultId([9; 16]);

    fn barrier(seed: u64) -> (Barrier, StdRng) {
        let mut rng = StdRng::seed_from_u64(seed);
        (Barrier::generate(VAULT, &mut rng), rng)
    }

    fn recorded() -> Recorded {
        Recorded::housekeeping(Durable::danger_vouch(0))
    }

    fn slot(barrier: &Barrier, domain: Domain, name: &str) -> Slot {
        barrier.names().entry(&barrier.names().root(domain, "test"), name)
    }

    #[test]
    fn a_row_opens_at_its_own_place_only() {
        let (barrier, mut rng) = barrier(1);
        let here = slot(&barrier, Domain::Data, "here");
        let there = slot(&barrier, Domain::Data, "there");
        let (label, value) = barrier.seal(&here, b"payload", &mut rng).unwrap();
        let open = |slot: &Slot, sealed: &[u8]| barrier.open(&recorded(), Domain::Data, slot.key(), sealed);
        assert_eq!(open(&here, &value).unwrap().expose(), b"payload");
        assert_eq!(barrier.open_label(&recorded(), Domain::Data, here.key(), &label).unwrap(), "here");
        assert_eq!(open(&there, &value).err(), Some(BarrierError::Altered));
        assert_eq!(open(&here, &label).err(), Some(BarrierError::Altered), "a label is no value");
    }

    #[test]
    fn a_data_row_does_not_open_as_a_system_row() {
        let (barrier, mut rng) = barrier(1);
        let data = slot(&barrier, Domain::Data, "x");
        let (label, value) = barrier.seal(&data, b"payload", &mut rng).unwrap();
        assert_eq!(barrier.open_system(data.key(), &value).err(), Some(BarrierError::Altered));
        assert_eq!(barrier.open_system_label(data.key(), &label).err(), Some(BarrierError::Altered));
    }

    #[test]
    fn another_vault_or_term_opens_nothing() {
        let (ours, mut rng) = barrier(1);
        let (theirs, _) = barrier(2);
        let place = slot(&ours, Domain::System, "x");
        let (_, mut value) = ours.seal(&place, b"payload", &mut rng).unwrap();
        assert_eq!(theirs.open_system(place.key(), &value).err(), Some(BarrierError::Altered));
        value[4] = 7;
        assert_eq!(ours.open_system(place.key(), &value).err(), Some(BarrierError::UnknownTerm { term: Term(7) }));
    }

    #[test]
    fn a_keyring_opens_under_its_own_seal_key_only() {
        let (barrier, mut rng) = barrier(1);
        let seal_key = SecretKey::random(&mut rng);
        let wrapped = barrier.wrap_keyring(&seal_key, &mut rng).unwrap();
        let place = slot(&barrier, Domain::System, "x");
        let (_, value) = barrier.seal(&place, b"payload", &mut rng).unwrap();
        let again = Barrier::unwrap_keyring(VAULT, &seal_key, &wrapped).unwrap();
        assert_eq!(again.names().entry(&again.names().root(Domain::System, "test"), "x"), place);
        assert_eq!(again.open_system(place.key(), &value).unwrap().expose(), b"payload");
        let wrong = SecretKey::random(&mut rng);
        assert_eq!(Barrier::unwrap_keyring(VAULT, &wrong, &wrapped).err(), Some(BarrierError::Altered));
        assert_eq!(Barrier::unwrap_keyring(VaultId([8; 16]), &seal_key, &wrapped).err(), Some(BarrierError::Altered));
        assert_eq!(Barrier::unwrap_keyring(VAULT, &seal_key, &[]).err(), Some(BarrierError::Format));
    }

    proptest! {
        #[test]
        fn every_flipped_bit_and_every_cut_is_noticed(
            payload in proptest::collection::vec(any::<u8>(), 0..80),
            position in any::<prop::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let (barrier, mut rng) = barrier(1);
            let place = slot(&barrier, Domain::System, "x");
            let (_, sealed) = barrier.seal(&place, &payload, &mut rng).unwrap();
            let opened = barrier.open_system(place.key(), &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &payload[..]);
            let mut flipped = sealed.clone();
            flipped[position.index(sealed.len())] ^= 1 << bit;
            prop_assert!(barrier.open_system(place.key(), &flipped).is_err());
            prop_assert!(barrier.open_system(place.key(), &sealed[..position.index(sealed.len())]).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let (barrier, _) = barrier(1);
            let place = slot(&barrier, Domain::System, "x");
            prop_assert!(barrier.open_system(place.key(), &bytes).is_err());
            prop_assert!(Barrier::unwrap_keyring(VAULT, &SecretKey::fill_with(|_| ()), &bytes).is_err());
        }
    }
}
