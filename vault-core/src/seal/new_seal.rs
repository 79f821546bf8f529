//! A new unseal secret with its shares, before any row of it is written.

use std::sync::Arc;

use rand_core::CryptoRng;

use super::attempts::Quorum;
use super::{KEYRING_ROW, SEAL_CONFIG_ROW, SealConfig, SealConfigError, Sealed, custody_digest};
use crate::barrier::{Barrier, BarrierError};
use crate::custody::{CUSTODY_ROW, Custody, SignedCharter, charter_row};
use crate::id::{Epoch, VaultId};
use crate::keys;
use crate::secret::SecretKey;
use crate::sharing::{Share, SplitError, Structure, StructureError, UnsealSecret, split};
use crate::store::{RowKey, Write};
use crate::time::Timestamp;

/// A new unseal secret; dropping it wipes it.
#[must_use = "new shares are in force once they are committed and adopted"]
pub struct NewSeal {
    config: Arc<SealConfig>,
    seal_key: SecretKey,
    custody: Option<Arc<Custody>>,
}

/// Says why no new shares were made; what was in force still is.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DrawError {
    /// Epochs are counted in 32 bits.
    #[error("the vault has had as many generations of shares as there can be")]
    EpochsExhausted,
    /// The charter was judged by another one than that in force.
    #[error("the charter follows another one than that in force")]
    NotTheNext,
    /// The charter's rule is no sharing.
    #[error(transparent)]
    Structure(#[from] StructureError),
    /// The secret was not split.
    #[error(transparent)]
    Split(#[from] SplitError),
}

/// Says why the rows of a seal were not made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RowsError {
    /// The keyring was not wrapped.
    #[error(transparent)]
    Keyring(#[from] BarrierError),
    /// The configuration was not written.
    #[error(transparent)]
    Config(#[from] SealConfigError),
}

/// The rows of a seal that wait for their commit, and what the vault goes on under then.
pub(super) struct SealedRows {
    pub(super) sealed: Sealed,
    pub(super) seal_key: SecretKey,
    pub(super) config_row: Arc<[u8]>,
    pub(super) writes: Vec<Write>,
}

impl NewSeal {
    /// Draws the first secret of a vault and its shares.
    ///
    /// # Errors
    /// Answers [`SplitError`] if the secret cannot be split.
    pub fn first(
        structure: impl Into<Structure>,
        vault: VaultId,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Share>), SplitError> {
        Self::of_epoch(structure, vault, Epoch::FIRST, now, rng)
    }

    /// Draws a new secret and its shares, by the will of a quorum of the present ones.
    ///
    /// # Errors
    /// Answers [`DrawError`] if the secret cannot be split.
    pub fn draw<P>(
        _: &Quorum<P>,
        present: &SealConfig,
        structure: impl Into<Structure>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Share>), DrawError> {
        Self::next(present, structure, now, rng)
    }

    /// Draws a new secret and its shares, by the will of the people who signed the charter that follows the present
    /// one.
    ///
    /// # Errors
    /// Answers [`DrawError`] if it does not follow it, and if the secret cannot be split.
    pub fn draw_by_charter(
        next: &SignedCharter,
        present: &SealConfig,
        custody: &Custody,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Share>), DrawError> {
        if next.charter().previous() != Some(custody.charter().charter().digest()) {
            return Err(DrawError::NotTheNext);
        }
        Self::next(present, next.charter().shares().structure()?, now, rng)
    }

    fn next(
        present: &SealConfig,
        structure: impl Into<Structure>,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Share>), DrawError> {
        let epoch = Epoch(present.epoch().0.checked_add(1).ok_or(DrawError::EpochsExhausted)?);
        Ok(Self::of_epoch(structure, present.vault(), epoch, now, rng)?)
    }

    fn of_epoch(
        structure: impl Into<Structure>,
        vault: VaultId,
        epoch: Epoch,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Share>), SplitError> {
        let secret = UnsealSecret::random(rng);
        let (commitments, shares) = split(&secret, structure, vault.fingerprint(), epoch, rng)?;
        let key = secret.to_key();
        let config = SealConfig::new(vault, epoch, commitments, keys::key_check(&key, vault), now);
        Ok((Self::from_parts(Arc::new(config), keys::seal_key(&key, vault), None), shares))
    }

    pub(crate) const fn from_parts(
        config: Arc<SealConfig>,
        seal_key: SecretKey,
        custody: Option<Arc<Custody>>,
    ) -> Self {
        Self { config, seal_key, custody }
    }

    /// Adds who holds the shares.
    pub fn with_custody(self, custody: Custody) -> Self {
        Self { custody: Some(Arc::new(custody)), ..self }
    }

    /// Gives what is public about the new shares.
    pub const fn config(&self) -> &Arc<SealConfig> {
        &self.config
    }

    /// Gives who holds the shares; none where they are handed out in clear.
    pub const fn custody(&self) -> Option<&Arc<Custody>> {
        self.custody.as_ref()
    }

    pub(crate) const fn seal_key(&self) -> &SecretKey {
        &self.seal_key
    }

    /// Wraps the keyring under the new secret and makes every row of the seal.
    pub(super) fn into_rows(self, barrier: &Barrier, rng: &mut dyn CryptoRng) -> Result<SealedRows, RowsError> {
        let Self { config, seal_key, custody } = self;
        let digest = custody_digest(custody.as_ref());
        let wrapped_keyring: Arc<[u8]> = barrier.wrap_keyring(&seal_key, None, digest.as_ref(), rng)?.into();
        let config_row: Arc<[u8]> = config.to_json()?.into();
        let mut writes = vec![
            put(SEAL_CONFIG_ROW, b"seal-config", Arc::clone(&config_row)),
            put(KEYRING_ROW, KEYRING_LABEL, Arc::clone(&wrapped_keyring)),
        ];
        if let Some(custody) = &custody {
            let charter = custody.charter();
            let envelope = charter.envelope().to_json().into_bytes();
            writes.push(put(CUSTODY_ROW, b"custody", Arc::clone(custody.row())));
            writes.push(put(charter_row(charter.charter().epoch()), b"charter", envelope.into()));
        }
        Ok(SealedRows { sealed: Sealed { config, wrapped_keyring, custody }, seal_key, config_row, writes })
    }
}

pub(super) const KEYRING_LABEL: &[u8] = b"keyring";

pub(super) fn put(key: RowKey, label: &[u8], value: Arc<[u8]>) -> Write {
    Write::Put { key, label: label.into(), value }
}
