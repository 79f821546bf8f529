//! Makes a new vault: its unseal secret, its shares and its keys.

use rand_core::CryptoRng;

use super::new_seal::{NewSeal, RowsError, SealedRows};
use super::{KEYRING_ROW, SEAL_CONFIG_ROW, Unsealed};
use crate::barrier::{Barrier, BarrierError};
use crate::custody::CUSTODY_ROW;
use crate::engines::Change;
use crate::id::VaultId;
use crate::sharing::{Share, SplitError, Structure};
use crate::store::{Batch, Expect, RowKey};
use crate::time::Timestamp;

/// A new vault that nothing knows of yet.
///
/// The shares may be handed out only after a store has committed the batch.
#[must_use]
pub struct Initialised {
    /// Those that are handed out in clear, in the order of their numbers.
    pub shares: Vec<Share>,
    /// The vault, open, so that its first rows can be written.
    pub unsealed: Unsealed,
    /// Writes the seal configuration and the keyring, if neither is there.
    pub batch: Batch,
}

impl Initialised {
    /// Makes a vault of a first seal and the keys of its barrier; the caller has handed its shares out.
    ///
    /// # Errors
    /// Answers [`RowsError`] if a row cannot be written.
    pub fn make(new: NewSeal, barrier: Barrier, rng: &mut dyn CryptoRng) -> Result<Self, RowsError> {
        let SealedRows { sealed, seal_key, writes, .. } = new.into_rows(&barrier, rng)?;
        // Of two initialisations at once only one can win.
        let absent = |key: RowKey| Expect::Unchanged { key, revision: None };
        let expects = [SEAL_CONFIG_ROW, KEYRING_ROW, CUSTODY_ROW].map(absent).into();
        let batch = Batch::new(expects, writes);
        Ok(Self { shares: Vec::new(), unsealed: Unsealed::new(sealed, seal_key, barrier), batch })
    }

    /// Adds the first rows of the vault to the batch: mounts, policies, the root token.
    ///
    /// # Errors
    /// Answers [`BarrierError`] when one of them cannot be sealed.
    pub fn add_rows(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), BarrierError> {
        let (mut expects, mut writes) = std::mem::take(&mut self.batch).into_parts();
        for change in changes {
            writes.push(change.seal(&mut expects, self.unsealed.barrier(), rng)?);
        }
        self.batch = Batch::new(expects, writes);
        Ok(())
    }
}

/// Says why a vault was not made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InitialiseError {
    /// The unseal secret was not split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Its rows were not made.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// Makes the secrets of a new vault, whose shares are handed out in clear.
///
/// # Errors
/// Answers [`InitialiseError`] if a part of it fails; nothing was written then.
pub fn initialise(
    structure: impl Into<Structure>,
    vault: VaultId,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<Initialised, InitialiseError> {
    let (new, shares) = NewSeal::first(structure, vault, now, rng)?;
    let barrier = Barrier::generate(vault, now, rng);
    Ok(Initialised { shares, ..Initialised::make(new, barrier, rng)? })
}
