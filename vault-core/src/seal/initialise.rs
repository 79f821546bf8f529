//! Makes a new vault: its unseal secret, its shares and its keys.

use std::sync::Arc;

use rand_core::CryptoRng;

use super::{KEYRING_ROW, SEAL_CONFIG_ROW, SealConfig, SealConfigError, Sealed, Unsealed};
use crate::barrier::{Barrier, BarrierError};
use crate::engines::Change;
use crate::id::{Epoch, VaultId};
use crate::keys;
use crate::sharing::{Share, SplitError, Structure, UnsealSecret, split};
use crate::store::{Batch, Expect, RowKey, Write};
use crate::time::Timestamp;

pub(super) const SEAL_CONFIG_LABEL: &[u8] = b"seal-config";
pub(super) const KEYRING_LABEL: &[u8] = b"keyring";

/// A new vault that nothing knows of yet.
///
/// The shares may be handed out only after a store has committed the batch.
#[must_use]
pub struct Initialised {
    /// One for each custodian, in the order of their numbers.
    pub shares: Vec<Share>,
    /// The vault, open, so that its first rows can be written.
    pub unsealed: Unsealed,
    /// Writes the seal configuration and the keyring, if neither is there.
    pub batch: Batch,
}

impl Initialised {
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
    /// The keyring was not wrapped.
    #[error(transparent)]
    Keyring(#[from] BarrierError),
    /// The configuration was not written.
    #[error(transparent)]
    Config(#[from] SealConfigError),
}

/// Makes the secrets of a new vault.
///
/// # Errors
/// Answers [`InitialiseError`] if a part of it fails; nothing was written then.
pub fn initialise(
    structure: impl Into<Structure>,
    vault: VaultId,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<Initialised, InitialiseError> {
    let secret = UnsealSecret::random(rng);
    let epoch = Epoch::FIRST;
    let (commitments, shares) = split(&secret, structure, vault.fingerprint(), epoch, rng)?;
    let key = secret.to_key();
    let barrier = Barrier::generate(vault, now, rng);
    let seal_key = keys::seal_key(&key, vault);
    let wrapped_keyring: Arc<[u8]> = barrier.wrap_keyring(&seal_key, None, rng)?.into();
    let config = SealConfig::new(vault, epoch, commitments, keys::key_check(&key, vault), now);
    let batch = first_batch(config.to_json()?.into(), Arc::clone(&wrapped_keyring));
    let sealed = Sealed { config: Arc::new(config), wrapped_keyring };
    Ok(Initialised { shares, unsealed: Unsealed::new(sealed, seal_key, barrier), batch })
}

/// Expects that neither row is there, so that of two initialisations at once only one can win.
fn first_batch(config: Arc<[u8]>, wrapped_keyring: Arc<[u8]>) -> Batch {
    let absent = |key: RowKey| Expect::Unchanged { key, revision: None };
    let put = |key: RowKey, label: &[u8], value| Write::Put { key, label: label.into(), value };
    Batch::new(
        vec![absent(SEAL_CONFIG_ROW), absent(KEYRING_ROW)],
        vec![put(SEAL_CONFIG_ROW, SEAL_CONFIG_LABEL, config), put(KEYRING_ROW, KEYRING_LABEL, wrapped_keyring)],
    )
}
