//! The seal configuration: what is public about the shares of a vault, readable while it is sealed.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::id::{Epoch, VaultId};
use crate::sharing::{Commitments, CommitmentsError, Share, ShareError, Threshold, ThresholdError, VerifiedShare};
use crate::time::Timestamp;

/// Longest configuration in bytes; 255 commitments take 17 KiB.
pub const SEAL_CONFIG_LENGTH_BYTES_MAX: usize = 64 * 1024;

const SEAL_CONFIG_FORMAT: u32 = 1;

/// What is public about the shares of a vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealConfig {
    vault: VaultId,
    epoch: Epoch,
    threshold: Threshold,
    commitments: Commitments,
    key_check: [u8; 32],
    created_at: Timestamp,
}

/// Says why a vault's seal cannot be read; each means that the store is damaged or of another version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealConfigError {
    /// One row is there and the other is not.
    #[error("the {row} of the vault is missing although the rest is there: restore it from a backup")]
    Missing {
        /// Which one.
        row: &'static str,
    },
    /// It is far too long.
    #[error("the seal configuration has {length_bytes} bytes; at most {SEAL_CONFIG_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as found.
        length_bytes: usize,
    },
    /// It is no JSON of the expected shape.
    #[error("the seal configuration cannot be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// Another version of the program wrote it.
    #[error("the seal configuration has format {found}, this program reads format {SEAL_CONFIG_FORMAT}")]
    Format {
        /// The format that it names.
        found: u32,
    },
    /// A field does not hold what it should.
    #[error("the field {field} of the seal configuration is damaged")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// The numbers are no threshold.
    #[error("the seal configuration is damaged: {0}")]
    Threshold(#[from] ThresholdError),
    /// The list is not the commitments of the set.
    #[error("the seal configuration is damaged: {0}")]
    Commitments(#[from] CommitmentsError),
}

/// The configuration as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealConfigRecord {
    format: u32,
    vault: String,
    epoch: u32,
    needed: u64,
    total: u64,
    commitments: Vec<String>,
    key_check: String,
    created_at_nanoseconds: i64,
}

/// The one field that every format has.
#[derive(Deserialize)]
struct FormatRecord {
    format: u32,
}

impl SealConfig {
    pub(super) const fn new(
        vault: VaultId,
        epoch: Epoch,
        threshold: Threshold,
        commitments: Commitments,
        key_check: [u8; 32],
        created_at: Timestamp,
    ) -> Self {
        Self { vault, epoch, threshold, commitments, key_check, created_at }
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// Answers [`SealConfigError`] with the field that is damaged.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SealConfigError> {
        if bytes.len() > SEAL_CONFIG_LENGTH_BYTES_MAX {
            return Err(SealConfigError::TooLong { length_bytes: bytes.len() });
        }
        let unreadable = |error: serde_json::Error| SealConfigError::Unreadable { reason: error.to_string() };
        let FormatRecord { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if format != SEAL_CONFIG_FORMAT {
            return Err(SealConfigError::Format { found: format });
        }
        let record: SealConfigRecord = serde_json::from_slice(bytes).map_err(unreadable)?;
        let threshold = Threshold::new(record.needed, record.total)?;
        if record.epoch < Epoch::FIRST.0 {
            return Err(SealConfigError::Field { field: "epoch" });
        }
        Ok(Self {
            vault: VaultId(from_hex(&record.vault).ok_or(SealConfigError::Field { field: "vault" })?),
            epoch: Epoch(record.epoch),
            threshold,
            commitments: Commitments::from_hex(&record.commitments, threshold)?,
            key_check: from_hex(&record.key_check).ok_or(SealConfigError::Field { field: "key_check" })?,
            created_at: Timestamp(record.created_at_nanoseconds),
        })
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// Answers [`SealConfigError::Unreadable`] if it cannot be written, which would be a mistake in the program.
    pub fn to_json(&self) -> Result<Vec<u8>, SealConfigError> {
        let record = SealConfigRecord {
            format: SEAL_CONFIG_FORMAT,
            vault: HEXLOWER.encode(&self.vault.0),
            epoch: self.epoch.0,
            needed: u64::from(self.threshold.needed()),
            total: u64::from(self.threshold.total()),
            commitments: self.commitments.to_hex(),
            key_check: HEXLOWER.encode(&self.key_check),
            created_at_nanoseconds: self.created_at.0,
        };
        serde_json::to_vec(&record).map_err(|error| SealConfigError::Unreadable { reason: error.to_string() })
    }

    /// Checks one share alone: its vault, its epoch, its number and whether it is genuine.
    ///
    /// # Errors
    /// Answers [`ShareError`] with what is wrong.
    pub fn verify(&self, share: Share) -> Result<VerifiedShare, ShareError> {
        share.check_addressed_to(self.vault.fingerprint(), self.epoch, self.threshold)?;
        self.commitments.verify(share)
    }

    /// Gives the vault.
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// Gives the generation of the shares.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Gives how many shares there are and how many open.
    pub const fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// Gives the commitments to the shares.
    pub const fn commitments(&self) -> &Commitments {
        &self.commitments
    }

    /// Tells when the shares were made.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub(super) fn has_key_check(&self, key_check: &[u8; 32]) -> bool {
        bool::from(self.key_check.ct_eq(key_check))
    }
}

fn from_hex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
