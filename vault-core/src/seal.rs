//! The seal: sealed → collecting → unsealed, each a type of its own and each step consuming the one before.
//!
//! Formats: docs/formats.md, "Seal configuration" and "Keyring".

pub mod attempts;
mod collecting;
mod config;
mod initialise;
mod new_seal;
pub mod renew;
pub mod root;
pub mod rotation;
pub mod verification;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

pub use collecting::{Collecting, Progress, Refused, Step, Waited};
pub use config::{SEAL_CONFIG_LENGTH_BYTES_MAX, SealConfig, SealConfigError};
pub use initialise::{InitialiseError, Initialised, initialise};

use crate::barrier::{Barrier, BarrierError};
use crate::custody::Custody;
use crate::id::UnsealAttemptId;
use crate::keys;
use crate::secret::SecretKey;
use crate::sharing::{CombineError, UnsealSecret};
use crate::store::{FolderId, Row, RowKey, RowKind};
use crate::time::{Span, Timestamp};

/// The folder of the rows that a sealed vault must find: a name that is hashed with a key could not be found.
pub(crate) const SEAL_FOLDER: FolderId = FolderId([0; 16]);

/// Where the seal configuration lies.
pub const SEAL_CONFIG_ROW: RowKey = RowKey::new(SEAL_FOLDER, RowKind::Entry, *b"seal-config\0\0\0\0\0");

/// Where the wrapped keyring lies.
pub const KEYRING_ROW: RowKey = RowKey::new(SEAL_FOLDER, RowKind::Entry, *b"keyring\0\0\0\0\0\0\0\0\0");

/// How long an attempt to unseal waits for its shares, unless the settings say otherwise: people who stand by have
/// entered theirs, and shares that lie in memory unattended are a risk.
pub const ATTEMPT_SPAN: Span = Span(10 * 60);

/// What an operator may set about the seal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealSettings {
    /// How long an attempt waits for its shares before they are wiped.
    pub attempt_span: Span,
}

impl Default for SealSettings {
    fn default() -> Self {
        Self { attempt_span: ATTEMPT_SPAN }
    }
}

/// What a store holds before anything is unsealed.
#[derive(Debug)]
pub enum AtRest {
    /// No row of a seal is there.
    Uninitialised,
    /// The rows of a seal are there.
    Sealed(Sealed),
}

impl AtRest {
    /// Reads the rows [`SEAL_CONFIG_ROW`], [`KEYRING_ROW`] and [`CUSTODY_ROW`](crate::custody::CUSTODY_ROW).
    ///
    /// # Errors
    /// Answers [`SealConfigError`] if one of the first two is missing beside another or what is there is damaged: a
    /// damaged vault must not pass for one that may be initialised.
    pub fn read(config: Option<&Row>, keyring: Option<&Row>, custody: Option<&Row>) -> Result<Self, SealConfigError> {
        match (config, keyring) {
            (None, None) if custody.is_none() => Ok(Self::Uninitialised),
            (Some(config), Some(keyring)) => {
                let config = Arc::new(SealConfig::from_json(&config.value)?);
                let custody = custody.map(|row| Custody::read(&row.value)).transpose()?;
                if let Some(custody) = &custody {
                    custody.check_seal(&config)?;
                }
                let wrapped_keyring = Arc::clone(&keyring.value);
                Ok(Self::Sealed(Sealed { config, wrapped_keyring, custody: custody.map(Arc::new) }))
            }
            (None, _) => Err(SealConfigError::Missing { row: "seal configuration" }),
            (Some(_), None) => Err(SealConfigError::Missing { row: "keyring" }),
        }
    }
}

/// A sealed vault: it holds nothing that is not on the disk.
pub struct Sealed {
    config: Arc<SealConfig>,
    wrapped_keyring: Arc<[u8]>,
    /// Who holds the shares; none where they were handed out in clear.
    custody: Option<Arc<Custody>>,
}

/// Shows the configuration; the wrapped keyring is left out because it is long.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Sealed {
    /// Gives what is public about the seal.
    pub const fn config(&self) -> &Arc<SealConfig> {
        &self.config
    }

    /// Gives who holds the shares; none where they were handed out in clear.
    pub const fn custody(&self) -> Option<&Arc<Custody>> {
        self.custody.as_ref()
    }

    /// Begins an attempt to unseal, which `attempt` names.
    pub fn begin(self, attempt: UnsealAttemptId, settings: SealSettings, now: Timestamp) -> Collecting {
        Collecting::new(self, attempt, now, now.after(settings.attempt_span))
    }

    fn open(self, secret: &UnsealSecret) -> Result<Unsealed, (Self, OpenError)> {
        let key = secret.to_key();
        if !self.config.has_key_check(&keys::key_check(&key, self.config.vault())) {
            return Err((self, OpenError::KeyCheck));
        }
        let seal_key = keys::seal_key(&key, self.config.vault());
        let created_at = self.config.created_at();
        let custody = custody_digest(self.custody.as_ref());
        let (vault, custody) = (self.config.vault(), custody.as_ref());
        match Barrier::unwrap_keyring(vault, &seal_key, &self.wrapped_keyring, custody, created_at) {
            Ok(barrier) => Ok(Unsealed::new(self, seal_key, barrier)),
            Err(error) => Err((self, OpenError::Keyring(error))),
        }
    }
}

/// Says why enough genuine shares did not open the vault: something on the disk is damaged, no custodian is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OpenError {
    /// The shares were verified one by one but not together.
    #[error(
        "the shares are genuine but do not combine, so the seal configuration is damaged: restore it from a backup ({0})"
    )]
    Combine(CombineError),
    /// The secret opens its commitment but not the key check.
    #[error("the shares are genuine but the key check of the seal configuration is damaged: restore it from a backup")]
    KeyCheck,
    /// The keyring does not open under the right key.
    #[error(
        "the shares are genuine but the keyring is damaged, or it does not belong with the custody record: \
         restore both from a backup ({0})"
    )]
    Keyring(BarrierError),
}

/// An unsealed vault: it holds every key.
pub struct Unsealed {
    /// What lies in the store, and the key that wraps the keyring there; a rekey replaces them as a whole.
    current: RwLock<Current>,
    barrier: Barrier,
}

struct Current {
    sealed: Sealed,
    seal_key: SecretKey,
}

impl Unsealed {
    fn new(sealed: Sealed, seal_key: SecretKey, barrier: Barrier) -> Self {
        Self { current: RwLock::new(Current { sealed, seal_key }), barrier }
    }

    /// Gives what is public about the seal.
    pub fn config(&self) -> Arc<SealConfig> {
        Arc::clone(self.current.read().unwrap_or_else(PoisonError::into_inner).sealed.config())
    }

    /// Gives who holds the shares; none where they were handed out in clear.
    pub fn custody(&self) -> Option<Arc<Custody>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).sealed.custody.clone()
    }

    /// Gives the keys.
    pub const fn barrier(&self) -> &Barrier {
        &self.barrier
    }

    /// Seals the vault: every key is wiped.
    #[must_use]
    pub fn seal(self) -> Sealed {
        self.current.into_inner().unwrap_or_else(PoisonError::into_inner).sealed
    }
}

fn custody_digest(custody: Option<&Arc<Custody>>) -> Option<[u8; 32]> {
    custody.map(|custody| *custody.digest().as_bytes())
}
