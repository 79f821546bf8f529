//! Renews what seals an unsealed vault: a new term of the barrier, or a new unseal secret with new shares.
//!
//! Both are drawn first, then a store commits the batch, which expects that nobody else changed the rows of the seal,
//! and only then are they in force.

use std::sync::{Arc, PoisonError};

use rand_core::CryptoRng;

use super::attempts::Quorum;
use super::initialise::{KEYRING_LABEL, SEAL_CONFIG_LABEL};
use super::{Current, KEYRING_ROW, SEAL_CONFIG_ROW, SealConfig, SealConfigError, Sealed, Unsealed};
use crate::barrier::{Barrier, BarrierError, NewTerm};
use crate::flow::Committed;
use crate::id::{Epoch, Revision};
use crate::keys;
use crate::secret::SecretKey;
use crate::sharing::{Share, SplitError, Structure, UnsealSecret, split};
use crate::store::{Batch, Expect, Row, RowKey, Write};
use crate::time::Timestamp;

/// Says why the seal was not renewed; what was in force still is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RenewError {
    /// A row of the seal is missing or of another generation than the running vault.
    #[error("the seal in the store is not the one that the running vault was unsealed with: seal and unseal it")]
    Elsewhere,
    /// Epochs are counted in 32 bits.
    #[error("the vault has had as many generations of shares as there can be")]
    EpochsExhausted,
    /// The secret was not split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The keyring was not wrapped, or does not open.
    #[error(transparent)]
    Keyring(#[from] BarrierError),
    /// The configuration was not written.
    #[error(transparent)]
    Config(#[from] SealConfigError),
}

/// The rows of the seal as they were read: a renewal is committed only if neither has changed since.
pub struct SealRows {
    config: Revision,
    keyring: Revision,
}

impl SealRows {
    fn expects(&self) -> Vec<Expect> {
        let unchanged = |key, revision| Expect::Unchanged { key, revision: Some(revision) };
        vec![unchanged(SEAL_CONFIG_ROW, self.config), unchanged(KEYRING_ROW, self.keyring)]
    }
}

/// A new term that waits for its commit.
#[must_use = "a rotation is in force once it is committed and adopted"]
pub struct Rotation {
    next: NewTerm,
    wrapped_keyring: Arc<[u8]>,
    /// Writes the keyring, if the rows of the seal are as they were.
    pub batch: Batch,
}

/// A new unseal secret that a quorum of the old shares made; dropping it wipes it.
#[must_use = "new shares are in force once they are committed and adopted"]
pub struct NewSeal {
    config: Arc<SealConfig>,
    seal_key: SecretKey,
}

/// A new unseal secret that waits for its commit.
#[must_use = "a rekey is in force once it is committed and adopted"]
pub struct Rekey {
    new: NewSeal,
    wrapped_keyring: Arc<[u8]>,
    config_row: Arc<[u8]>,
    /// Writes both rows of the seal, if they are as they were.
    pub batch: Batch,
}

impl NewSeal {
    /// Draws a new unseal secret and its shares, by the will of a quorum of the present ones.
    ///
    /// # Errors
    /// Answers [`RenewError`] if the secret cannot be split.
    pub fn draw<P>(
        _: Quorum<P>,
        present: &SealConfig,
        structure: impl Into<Structure>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Share>), RenewError> {
        let vault = present.vault();
        let epoch = Epoch(present.epoch().0.checked_add(1).ok_or(RenewError::EpochsExhausted)?);
        let secret = UnsealSecret::random(rng);
        let (commitments, shares) = split(&secret, structure, vault.fingerprint(), epoch, rng)?;
        let key = secret.to_key();
        let config = SealConfig::new(vault, epoch, commitments, keys::key_check(&key, vault), now);
        Ok((Self { config: Arc::new(config), seal_key: keys::seal_key(&key, vault) }, shares))
    }

    /// Gives what is public about the new shares.
    pub const fn config(&self) -> &Arc<SealConfig> {
        &self.config
    }
}

impl Rekey {
    /// Tells from the row of the seal configuration whether the batch was committed, where no answer of the store
    /// told.
    pub fn is_committed(&self, config: Option<&Row>) -> bool {
        config.is_some_and(|row| row.value == self.config_row)
    }
}

impl Unsealed {
    /// Checks that the rows of a store are those that the running vault knows. Terms that were committed there, and
    /// whose commit was never answered, are taken over.
    ///
    /// # Errors
    /// Answers [`RenewError`] if they are not of this generation.
    pub fn check_rows(&self, config: Option<&Row>, keyring: Option<&Row>) -> Result<SealRows, RenewError> {
        let (Some(config), Some(keyring)) = (config, keyring) else { return Err(RenewError::Elsewhere) };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if SealConfig::from_json(&config.value)? != **current.sealed.config() {
            return Err(RenewError::Elsewhere);
        }
        if keyring.value != current.sealed.wrapped_keyring {
            let (vault, created_at) = (self.barrier.vault(), current.sealed.config().created_at());
            let stored = Barrier::unwrap_keyring(vault, &current.seal_key, &keyring.value, created_at)?;
            self.barrier.absorb(stored);
            current.sealed.wrapped_keyring = Arc::clone(&keyring.value);
        }
        Ok(SealRows { config: config.revision, keyring: keyring.revision })
    }

    /// Draws a new term and the batch that stores it.
    ///
    /// # Errors
    /// Answers [`RenewError`] if the keyring cannot be wrapped.
    pub fn rotate(&self, rows: &SealRows, now: Timestamp, rng: &mut dyn CryptoRng) -> Result<Rotation, RenewError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let next = self.barrier.draw_term(now, rng)?;
        let wrapped_keyring: Arc<[u8]> = self.barrier.wrap_keyring(&current.seal_key, Some(&next), rng)?.into();
        let write = put(KEYRING_ROW, KEYRING_LABEL, &wrapped_keyring);
        Ok(Rotation { next, wrapped_keyring, batch: Batch::new(rows.expects(), vec![write]) })
    }

    /// Seals in the new term from now on.
    pub fn adopt_rotation(&self, rotation: Rotation, _: &Committed) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.sealed.wrapped_keyring = rotation.wrapped_keyring;
        self.barrier.adopt(rotation.next);
    }

    /// Wraps the keyring under a new unseal secret and makes the batch that stores it.
    ///
    /// # Errors
    /// Answers [`RenewError`] if a row cannot be written.
    pub fn rekey(&self, new: NewSeal, rows: &SealRows, rng: &mut dyn CryptoRng) -> Result<Rekey, RenewError> {
        let wrapped_keyring: Arc<[u8]> = self.barrier.wrap_keyring(&new.seal_key, None, rng)?.into();
        let config_row: Arc<[u8]> = new.config.to_json()?.into();
        let writes = vec![
            put(SEAL_CONFIG_ROW, SEAL_CONFIG_LABEL, &config_row),
            put(KEYRING_ROW, KEYRING_LABEL, &wrapped_keyring),
        ];
        Ok(Rekey { new, wrapped_keyring, config_row, batch: Batch::new(rows.expects(), writes) })
    }

    /// Goes on under the new unseal secret: the old shares open nothing any more. The caller knows that the batch is
    /// committed, by the answer of the store or by [`Rekey::is_committed`].
    pub fn adopt_rekey(&self, rekey: Rekey) {
        let Rekey { new: NewSeal { config, seal_key }, wrapped_keyring, .. } = rekey;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current { sealed: Sealed { config, wrapped_keyring }, seal_key };
    }
}

fn put(key: RowKey, label: &[u8], value: &Arc<[u8]>) -> Write {
    Write::Put { key, label: label.into(), value: Arc::clone(value) }
}

#[cfg(test)]
mod tests;
