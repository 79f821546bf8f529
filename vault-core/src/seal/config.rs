//! The seal configuration: what is public about the shares of a vault, readable while it is sealed.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::custody::CustodyError;
use crate::id::{Epoch, VaultId};
use crate::sharing::{
    Commitments, CommitmentsError, EpochEnd, Node, Share, ShareError, Structure, StructureError, Threshold,
    ThresholdError, VerifiedShare,
};
use crate::time::Timestamp;

/// Longest configuration in bytes; the largest sharing takes 48 KiB.
pub const SEAL_CONFIG_LENGTH_BYTES_MAX: usize = 64 * 1024;

/// A plain threshold, as every vault had it at first.
const THRESHOLD_FORMAT: u32 = 1;

/// A sharing of thresholds within thresholds.
const NESTED_FORMAT: u32 = 2;

/// What is public about the shares of a vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealConfig {
    vault: VaultId,
    epoch: Epoch,
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
    #[error("the seal configuration has format {found}, this program reads format 1 and 2")]
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
    /// The tree is no sharing.
    #[error("the seal configuration is damaged: {0}")]
    Structure(#[from] StructureError),
    /// The custody record that goes with it is not to be believed.
    #[error("the custody record is damaged: {0}")]
    Custody(#[from] CustodyError),
    /// The list is not the commitments of the set.
    #[error("the seal configuration is damaged: {0}")]
    Commitments(#[from] CommitmentsError),
}

/// What both formats begin with.
#[derive(Deserialize)]
struct FormatRecord {
    format: u32,
}

/// The configuration as it is written for a plain threshold.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdRecord {
    format: u32,
    vault: String,
    epoch: u32,
    needed: u64,
    total: u64,
    commitments: Vec<String>,
    key_check: String,
    created_at_nanoseconds: i64,
}

/// The configuration as it is written for a nested sharing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NestedRecord {
    format: u32,
    vault: String,
    epoch: u32,
    structure: Node,
    commitments: Vec<Vec<String>>,
    key_check: String,
    created_at_nanoseconds: i64,
}

impl SealConfig {
    pub(super) const fn new(
        vault: VaultId,
        epoch: Epoch,
        commitments: Commitments,
        key_check: [u8; 32],
        created_at: Timestamp,
    ) -> Self {
        Self { vault, epoch, commitments, key_check, created_at }
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// Answers [`SealConfigError`] with the field that is damaged.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SealConfigError> {
        if bytes.len() > SEAL_CONFIG_LENGTH_BYTES_MAX {
            return Err(SealConfigError::TooLong { length_bytes: bytes.len() });
        }
        let FormatRecord { format } = from_slice(bytes)?;
        match format {
            THRESHOLD_FORMAT => from_slice::<ThresholdRecord>(bytes)?.read(),
            NESTED_FORMAT => from_slice::<NestedRecord>(bytes)?.read(),
            found => Err(SealConfigError::Format { found }),
        }
    }

    /// Writes the configuration: a plain threshold as format 1, anything else as format 2.
    ///
    /// # Errors
    /// Answers [`SealConfigError::Unreadable`] if it cannot be written, which would be a mistake in the program.
    pub fn to_json(&self) -> Result<Vec<u8>, SealConfigError> {
        let structure = self.commitments.structure();
        let (vault, key_check) = (HEXLOWER.encode(&self.vault.0), HEXLOWER.encode(&self.key_check));
        let (epoch, created_at_nanoseconds) = (self.epoch.0, self.created_at.0);
        let written = if structure.is_flat() {
            serde_json::to_vec(&ThresholdRecord {
                format: THRESHOLD_FORMAT,
                vault,
                epoch,
                needed: structure.threshold().needed().into(),
                total: structure.threshold().total().into(),
                commitments: self.commitments.to_hex().concat(),
                key_check,
                created_at_nanoseconds,
            })
        } else {
            serde_json::to_vec(&NestedRecord {
                format: NESTED_FORMAT,
                vault,
                epoch,
                structure: structure.root().clone(),
                commitments: self.commitments.to_hex(),
                key_check,
                created_at_nanoseconds,
            })
        };
        written.map_err(|error| SealConfigError::Unreadable { reason: error.to_string() })
    }

    /// Checks one share alone: its vault, its epoch, its number and whether it is genuine.
    ///
    /// # Errors
    /// Answers [`ShareError`] with what is wrong.
    pub fn verify(&self, share: Share) -> Result<VerifiedShare, ShareError> {
        let addressed = share.check_addressed_to(self.vault.fingerprint(), self.epoch, self.threshold());
        addressed.map_err(|error| self.dated(error))?;
        self.commitments.verify(share)
    }

    /// Adds to the refusal of an old share when its epoch ended.
    fn dated(&self, error: ShareError) -> ShareError {
        match error {
            ShareError::OfOlderEpoch { index, share, current, .. } => {
                let was_last = share.0.checked_add(1) == Some(current.0);
                let ended = if was_last { EpochEnd::On } else { EpochEnd::Before }(self.created_at);
                ShareError::OfOlderEpoch { index, share, current, ended }
            }
            other => other,
        }
    }

    /// Gives the vault.
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// Gives the generation of the shares.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Gives how many shares there are, and how many open at least.
    pub const fn threshold(&self) -> Threshold {
        self.commitments.threshold()
    }

    /// Gives how far these shares lead, from 0 up to the number of shares that are needed at least.
    pub fn progress(&self, given: &[VerifiedShare]) -> u8 {
        self.threshold().needed().saturating_sub(self.commitments.missing(given))
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

impl ThresholdRecord {
    fn read(&self) -> Result<SealConfig, SealConfigError> {
        let threshold = Threshold::new(self.needed, self.total)?;
        let commitments = Commitments::from_hex(std::slice::from_ref(&self.commitments), threshold)?;
        read_fields(&self.vault, self.epoch, commitments, &self.key_check, self.created_at_nanoseconds)
    }
}

impl NestedRecord {
    fn read(self) -> Result<SealConfig, SealConfigError> {
        let structure = Structure::new(self.structure)?;
        if structure.is_flat() {
            // There is one way to write each configuration.
            return Err(SealConfigError::Field { field: "structure" });
        }
        let commitments = Commitments::from_hex(&self.commitments, structure)?;
        read_fields(&self.vault, self.epoch, commitments, &self.key_check, self.created_at_nanoseconds)
    }
}

fn read_fields(
    vault: &str,
    epoch: u32,
    commitments: Commitments,
    key_check: &str,
    created_at_nanoseconds: i64,
) -> Result<SealConfig, SealConfigError> {
    if epoch < Epoch::FIRST.0 {
        return Err(SealConfigError::Field { field: "epoch" });
    }
    let vault = VaultId(from_hex(vault).ok_or(SealConfigError::Field { field: "vault" })?);
    let key_check = from_hex(key_check).ok_or(SealConfigError::Field { field: "key_check" })?;
    Ok(SealConfig::new(vault, Epoch(epoch), commitments, key_check, Timestamp(created_at_nanoseconds)))
}

fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, SealConfigError> {
    serde_json::from_slice(bytes).map_err(|error| SealConfigError::Unreadable { reason: error.to_string() })
}

fn from_hex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
