//! Renews what seals an unsealed vault: a new term of the barrier, or a new unseal secret with new shares.
//!
//! Both are drawn first, then a store commits the batch, which expects that nobody else changed the rows of the seal,
//! and only then are they in force.

use std::sync::{Arc, PoisonError};

use rand_core::CryptoRng;

pub use super::new_seal::{DrawError, NewSeal, RowsError};
use super::new_seal::{KEYRING_LABEL, SealedRows, put};
use super::{Current, KEYRING_ROW, SEAL_CONFIG_ROW, SealConfig, SealConfigError, Unsealed, custody_digest};
use crate::barrier::{Barrier, BarrierError, NewTerm};
use crate::flow::Committed;
use crate::id::Revision;
use crate::store::{Batch, Expect, Row, Write};
use crate::time::Timestamp;

/// Says why the seal was not renewed; what was in force still is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RenewError {
    /// A row of the seal is missing or of another generation than the running vault.
    #[error("the seal in the store is not the one that the running vault was unsealed with: seal and unseal it")]
    Elsewhere,
    /// Shares in clear would take the place of sealed ones.
    #[error("the vault has a charter: new shares are made by the charter that follows it")]
    HasCharter,
    /// The keyring does not open.
    #[error(transparent)]
    Keyring(#[from] BarrierError),
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] SealConfigError),
    /// The rows were not made.
    #[error(transparent)]
    Rows(#[from] RowsError),
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

/// A new unseal secret that waits for its commit.
#[must_use = "a rekey is in force once it is committed and adopted"]
pub struct Rekey {
    next: Current,
    config_row: Arc<[u8]>,
    /// Writes the rows of the seal, if they are as they were.
    pub batch: Batch,
}

impl Rekey {
    /// Tells from the row of the seal configuration whether the batch was committed, where no answer of the store
    /// told.
    pub fn is_committed(&self, config: Option<&Row>) -> bool {
        config.is_some_and(|row| row.value == self.config_row)
    }

    /// Adds a write to the same batch.
    pub fn also(&mut self, write: Write) {
        let (expects, mut writes) = std::mem::take(&mut self.batch).into_parts();
        writes.push(write);
        self.batch = Batch::new(expects, writes);
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
            let custody = custody_digest(current.sealed.custody());
            let stored =
                Barrier::unwrap_keyring(vault, &current.seal_key, &keyring.value, custody.as_ref(), created_at)?;
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
        let custody = custody_digest(current.sealed.custody());
        let wrapped = self.barrier.wrap_keyring(&current.seal_key, Some(&next), custody.as_ref(), rng)?;
        let wrapped_keyring: Arc<[u8]> = wrapped.into();
        let write = put(KEYRING_ROW, KEYRING_LABEL, Arc::clone(&wrapped_keyring));
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
    /// Answers [`RenewError`] if a row cannot be written, and where shares in clear would take the place of sealed ones.
    pub fn rekey(&self, new: NewSeal, rows: &SealRows, rng: &mut dyn CryptoRng) -> Result<Rekey, RenewError> {
        if new.custody().is_none() && self.custody().is_some() {
            return Err(RenewError::HasCharter);
        }
        let SealedRows { sealed, seal_key, config_row, writes } = new.into_rows(&self.barrier, rng)?;
        Ok(Rekey { next: Current { sealed, seal_key }, config_row, batch: Batch::new(rows.expects(), writes) })
    }

    /// Goes on under the new unseal secret: the old shares open nothing any more. The caller knows that the batch is
    /// committed, by the answer of the store or by [`Rekey::is_committed`].
    pub fn adopt_rekey(&self, rekey: Rekey) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = rekey.next;
    }
}

#[cfg(test)]
mod tests;
