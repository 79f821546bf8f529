//! When each custodian last showed that they hold their share.
//!
//! The row is public, as a sealed vault takes proofs too, and not authenticated: who can write the disk can pretend
//! that a custodian was seen, and nothing beyond.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Revision};
use crate::seal::SEAL_FOLDER;
use crate::sharing::ShareIndex;
use crate::store::{Batch, Expect, RowKey, RowKind, Write};
use crate::time::Timestamp;

/// Where the check-ups lie.
pub const CHECKUPS_ROW: RowKey = RowKey::new(SEAL_FOLDER, RowKind::Entry, *b"checkups\0\0\0\0\0\0\0\0");

const CHECKUPS_FORMAT: u32 = 1;
const CHECKUPS_LENGTH_BYTES_MAX: usize = 64 * 1024;

/// The last check-up of each share of an epoch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckUps {
    format: u32,
    share_epoch: u32,
    /// By the number of the share; nanoseconds since 1970.
    checked_at_nanoseconds: BTreeMap<u8, i64>,
}

/// Says that the row is damaged; it can be removed, and check-ups begin anew.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the row of the check-ups is damaged: {reason}")]
pub struct CheckUpsError {
    reason: String,
}

impl CheckUps {
    /// Begins with none.
    pub const fn new(epoch: Epoch) -> Self {
        Self { format: CHECKUPS_FORMAT, share_epoch: epoch.0, checked_at_nanoseconds: BTreeMap::new() }
    }

    /// Reads the row; those of older shares count for nothing.
    ///
    /// # Errors
    /// Answers [`CheckUpsError`] for what is no such row.
    pub fn read(row: Option<&[u8]>, epoch: Epoch) -> Result<Self, CheckUpsError> {
        let Some(row) = row else { return Ok(Self::new(epoch)) };
        let damaged = |reason: String| CheckUpsError { reason };
        if row.len() > CHECKUPS_LENGTH_BYTES_MAX {
            return Err(damaged(format!("it has {} bytes", row.len())));
        }
        let read: Self = serde_json::from_slice(row).map_err(|error| damaged(error.to_string()))?;
        match read.format {
            CHECKUPS_FORMAT if read.share_epoch == epoch.0 => Ok(read),
            CHECKUPS_FORMAT if read.share_epoch < epoch.0 => Ok(Self::new(epoch)),
            CHECKUPS_FORMAT => Err(damaged(format!("it is of epoch {}, the shares are of {epoch}", read.share_epoch))),
            other => Err(damaged(format!("it has format {other}"))),
        }
    }

    /// Writes the row.
    ///
    /// # Errors
    /// Answers [`CheckUpsError`] if it cannot be written, which would be a mistake in the program.
    pub fn to_json(&self) -> Result<Vec<u8>, CheckUpsError> {
        serde_json::to_vec(self).map_err(|error| CheckUpsError { reason: error.to_string() })
    }

    /// Gives the write that stores them.
    ///
    /// # Errors
    /// Answers [`CheckUpsError`] as [`CheckUps::to_json`].
    pub fn put(&self) -> Result<Write, CheckUpsError> {
        Ok(Write::Put { key: CHECKUPS_ROW, label: b"checkups".as_slice().into(), value: self.to_json()?.into() })
    }

    /// Gives the batch that stores them in the place of what was read.
    ///
    /// # Errors
    /// Answers [`CheckUpsError`] as [`CheckUps::to_json`].
    pub fn store(&self, read: Option<Revision>) -> Result<Batch, CheckUpsError> {
        let unchanged = Expect::Unchanged { key: CHECKUPS_ROW, revision: read };
        Ok(Batch::new(vec![unchanged], vec![self.put()?]))
    }

    /// Notes that the holder of a share was seen.
    pub fn note(&mut self, index: ShareIndex, now: Timestamp) {
        self.checked_at_nanoseconds.insert(index.get(), now.0);
    }

    /// Tells when the holder of a share was last seen.
    pub fn last(&self, index: ShareIndex) -> Option<Timestamp> {
        self.checked_at_nanoseconds.get(&index.get()).copied().map(Timestamp)
    }
}
