//! The barrier: seals rows before they reach a store and opens them again; the keyring holds its keys.
//!
//! Formats: docs/formats.md, "Sealed row" and "Keyring".

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::auth::token::BatchTokens;
use crate::custody::CeremonyKey;
use crate::flow::Recorded;
use crate::id::{Term, VaultId};
use crate::keys::{self, KeyedHash};
use crate::names::{Domain, Names, Slot};
use crate::secret::{SecretBytes, SecretKey};
use crate::store::RowKey;
use crate::time::Timestamp;

const BOX_FORMAT: u8 = 1;
const NONCE_LENGTH_BYTES: usize = 24;
const KEYRING_FORMAT: u8 = 2;
const KEYRING_FORMAT_WITHOUT_TIMES: u8 = 1;

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
    /// Terms are counted in 32 bits.
    #[error("the vault has had as many barrier keys as there can be")]
    TermsExhausted,
}

/// Holds every key of an unsealed vault; dropping it wipes them.
pub struct Barrier {
    vault: VaultId,
    root: SecretKey,
    terms: RwLock<Terms>,
    names: Names,
    token_ids: KeyedHash,
    batch_tokens: BatchTokens,
    audit_values: KeyedHash,
    snapshots: KeyedHash,
}

/// The terms, of which there is always one that new rows are sealed in.
struct Terms {
    newest: (Term, Arc<TermKeys>),
    older: BTreeMap<Term, Arc<TermKeys>>,
}

/// The keys of one term.
struct TermKeys {
    secret: SecretKey,
    installed_at: Timestamp,
    system: SecretKey,
    data: SecretKey,
    /// Boxes sealed since the vault was unsealed.
    encryptions: AtomicU64,
}

/// A term that is drawn but not in force: rows may be sealed in it only once a store holds the keyring with it.
#[must_use = "a term is in force once the barrier has adopted it"]
pub struct NewTerm {
    term: Term,
    keys: TermKeys,
}

/// What anybody who may ask learns of the newest term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyringFacts {
    /// The term that new rows are sealed in.
    pub term: Term,
    /// Since when.
    pub installed_at: Timestamp,
    /// How many boxes were sealed in it since the vault was unsealed.
    pub encryptions: u64,
}

/// The keyring as its bytes are laid out (postcard).
#[derive(Serialize, Deserialize)]
struct KeyringRecord {
    root: [u8; 32],
    terms: BTreeMap<Term, TermRecord>,
}

#[derive(Serialize, Deserialize)]
struct TermRecord {
    secret: [u8; 32],
    installed_at: Timestamp,
}

/// The keyring of format 1.
#[derive(Serialize, Deserialize)]
struct KeyringWithoutTimes {
    root: [u8; 32],
    terms: BTreeMap<Term, [u8; 32]>,
}

impl Drop for KeyringRecord {
    fn drop(&mut self) {
        self.root.zeroize();
        self.terms.values_mut().for_each(|term| term.secret.zeroize());
    }
}

impl Drop for KeyringWithoutTimes {
    fn drop(&mut self) {
        self.root.zeroize();
        self.terms.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Barrier {
    /// Makes the keys of a new vault.
    pub fn generate(vault: VaultId, now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let root = SecretKey::random(rng);
        let first = Arc::new(TermKeys::new(SecretKey::random(rng), now));
        Self::assemble(vault, root, Terms { newest: (Term::FIRST, first), older: BTreeMap::new() })
    }

    /// Wraps the keyring for storage beside the sealed rows, with a term that is not in force yet if there is one. It
    /// will open beside the custody record of this digest only.
    ///
    /// # Errors
    /// Answers [`BarrierError`] if it cannot be written, which would be a mistake in the program.
    pub fn wrap_keyring(
        &self,
        seal_key: &SecretKey,
        next: Option<&NewTerm>,
        custody: Option<&[u8; 32]>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, BarrierError> {
        let mut record = KeyringRecord { root: *self.root.expose(), terms: BTreeMap::new() };
        {
            let terms = self.terms();
            let known = terms.older.iter().map(|(term, keys)| (*term, keys.as_ref()));
            let newest = (terms.newest.0, terms.newest.1.as_ref());
            let next = next.map(|next| (next.term, &next.keys));
            record.terms.extend(known.chain([newest]).chain(next).map(|(term, keys)| (term, keys.record())));
        }
        let plain = Zeroizing::new(postcard::to_allocvec(&record).map_err(|_| BarrierError::Format)?);
        let sealed = seal_box(seal_key, &keys::keyring_associated_data(self.vault, custody), &plain, rng)?;
        Ok([&[KEYRING_FORMAT], sealed.as_slice()].concat())
    }

    /// Opens a wrapped keyring. `created_at` is when the vault was made: format 1, which knew one term only, does not
    /// say when that was installed.
    ///
    /// # Errors
    /// Answers [`BarrierError::Altered`] under a wrong seal key, beside another custody record and for altered bytes.
    pub fn unwrap_keyring(
        vault: VaultId,
        seal_key: &SecretKey,
        wrapped: &[u8],
        custody: Option<&[u8; 32]>,
        created_at: Timestamp,
    ) -> Result<Self, BarrierError> {
        let (&format, sealed) = wrapped.split_first().ok_or(BarrierError::Format)?;
        if !matches!(format, KEYRING_FORMAT | KEYRING_FORMAT_WITHOUT_TIMES) {
            return Err(BarrierError::Format);
        }
        let plain = open_box(seal_key, &keys::keyring_associated_data(vault, custody), sealed)?;
        let record = if format == KEYRING_FORMAT {
            postcard::from_bytes(plain.expose()).map_err(|_| BarrierError::Format)?
        } else {
            let old: KeyringWithoutTimes = postcard::from_bytes(plain.expose()).map_err(|_| BarrierError::Format)?;
            old.dated(created_at)
        };
        let terms = Terms::read(&record).ok_or(BarrierError::Format)?;
        Ok(Self::assemble(vault, copy(&record.root), terms))
    }

    fn assemble(vault: VaultId, root: SecretKey, terms: Terms) -> Self {
        Self {
            vault,
            names: Names::new(&keys::names_key(&root)),
            token_ids: KeyedHash::new(&keys::token_ids_key(&root)),
            batch_tokens: BatchTokens::new(keys::batch_tokens_key(&root), vault),
            audit_values: KeyedHash::new(&keys::audit_values_key(&root)),
            snapshots: KeyedHash::new(&keys::snapshots_key(&root)),
            root,
            terms: RwLock::new(terms),
        }
    }

    /// Draws the keys of the term that follows the newest.
    ///
    /// # Errors
    /// Answers [`BarrierError::TermsExhausted`] after the last one that there can be.
    pub fn draw_term(&self, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<NewTerm, BarrierError> {
        let number = self.terms().newest.0.0.checked_add(1).ok_or(BarrierError::TermsExhausted)?;
        Ok(NewTerm { term: Term(number), keys: TermKeys::new(SecretKey::random(rng), now) })
    }

    /// Seals in a new term from now on, once a store holds the keyring with it. A term that is there already stays.
    pub fn adopt(&self, next: NewTerm) {
        self.terms_mut().add(next.term, Arc::new(next.keys));
    }

    /// Takes over the terms that another copy of the same keyring has and this one lacks.
    pub fn absorb(&self, other: Self) {
        let Terms { newest: (term, keys), older } = other.terms.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut terms = self.terms_mut();
        older.into_iter().for_each(|(term, keys)| terms.add(term, keys));
        terms.add(term, keys);
    }

    /// Tells what is known of the newest term.
    pub fn facts(&self) -> KeyringFacts {
        let terms = self.terms();
        let (term, keys) = &terms.newest;
        let encryptions = keys.encryptions.load(Ordering::Relaxed);
        KeyringFacts { term: *term, installed_at: keys.installed_at, encryptions }
    }

    fn terms(&self) -> RwLockReadGuard<'_, Terms> {
        self.terms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn terms_mut(&self) -> RwLockWriteGuard<'_, Terms> {
        self.terms.write().unwrap_or_else(PoisonError::into_inner)
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

    /// Gives what seals batch tokens and opens them.
    pub const fn batch_tokens(&self) -> &BatchTokens {
        &self.batch_tokens
    }

    /// Gives the key that signs the records of ceremonies.
    pub fn ceremony_key(&self) -> CeremonyKey {
        CeremonyKey::new(&keys::ceremonies_seed(&self.root))
    }

    /// Gives the key that signs checkpoints of the audit log.
    pub fn checkpoint_key(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(keys::checkpoints_seed(&self.root).expose())
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
        let (term, keys) = self.terms().newest.clone();
        let associated_data = keys::row_associated_data(self.vault, slot.key(), part, term);
        let sealed = seal_box(keys.of(slot.domain()), &associated_data, plain, rng)?;
        keys.encryptions.fetch_add(1, Ordering::Relaxed);
        Ok([&[BOX_FORMAT], term.0.to_be_bytes().as_slice(), &sealed].concat())
    }

    fn open_part(&self, domain: Domain, key: &RowKey, part: u8, sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
        let (&[format, a, b, c, d], sealed) = sealed.split_first_chunk::<5>().ok_or(BarrierError::Format)?;
        if format != BOX_FORMAT {
            return Err(BarrierError::Format);
        }
        let term = Term(u32::from_be_bytes([a, b, c, d]));
        let keys = self.terms().find(term).ok_or(BarrierError::UnknownTerm { term })?;
        open_box(keys.of(domain), &keys::row_associated_data(self.vault, key, part, term), sealed)
    }
}

impl Terms {
    fn read(record: &KeyringRecord) -> Option<Self> {
        let mut older: BTreeMap<_, _> = record
            .terms
            .iter()
            .map(|(term, record)| (*term, Arc::new(TermKeys::new(copy(&record.secret), record.installed_at))))
            .collect();
        Some(Self { newest: older.pop_last()?, older })
    }

    fn find(&self, term: Term) -> Option<Arc<TermKeys>> {
        let (newest, keys) = &self.newest;
        if *newest == term { Some(Arc::clone(keys)) } else { self.older.get(&term).map(Arc::clone) }
    }

    fn add(&mut self, term: Term, keys: Arc<TermKeys>) {
        if term > self.newest.0 {
            let (former, former_keys) = std::mem::replace(&mut self.newest, (term, keys));
            self.older.insert(former, former_keys);
        } else if term < self.newest.0 {
            self.older.entry(term).or_insert(keys);
        }
    }
}

impl KeyringWithoutTimes {
    fn dated(&self, installed_at: Timestamp) -> KeyringRecord {
        let dated = |(term, secret): (&Term, &[u8; 32])| (*term, TermRecord { secret: *secret, installed_at });
        KeyringRecord { root: self.root, terms: self.terms.iter().map(dated).collect() }
    }
}

fn copy(bytes: &[u8; 32]) -> SecretKey {
    SecretKey::fill_with(|key| key.copy_from_slice(bytes))
}

impl TermKeys {
    fn new(secret: SecretKey, installed_at: Timestamp) -> Self {
        let (system, data) = (keys::barrier_system_key(&secret), keys::barrier_data_key(&secret));
        Self { secret, installed_at, system, data, encryptions: AtomicU64::new(0) }
    }

    fn record(&self) -> TermRecord {
        TermRecord { secret: *self.secret.expose(), installed_at: self.installed_at }
    }

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
pub(crate) fn seal_box(
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

/// Opens what [`seal_box`] sealed.
pub(crate) fn open_box(key: &SecretKey, associated_data: &[u8], sealed: &[u8]) -> Result<SecretBytes, BarrierError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH_BYTES>().ok_or(BarrierError::Format)?;
    let cipher = XChaCha20Poly1305::new(&Key::from(*key.expose()));
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: associated_data })
        .map(SecretBytes::new)
        .map_err(|_| BarrierError::Altered)
}

#[cfg(test)]
mod tests;
