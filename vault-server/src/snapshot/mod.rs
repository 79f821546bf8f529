//! Snapshots of a whole vault as an archive: written to a stream, and verified to the last byte before anything is
//! done with it. Format: docs/formats.md, "Snapshot". Why so: docs/decisions/0011.

mod read;
mod save;
pub mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use vault_core::id::VaultId;

pub use read::{IsOwn, Proof, Verified, rows, verify};
pub use save::{Facts, save};

const FORMAT: u32 = 1;

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
const SEALED_SUMS: &str = "SHA256SUMS.sealed";

/// What stands before the digits of the seal.
const SEAL_PREFIX: &str = "hmac-sha256:";

/// Says why a snapshot cannot be taken or is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is no archive of the format.
    #[error("it is not a snapshot of this format: {what}")]
    Shape {
        /// What is wrong, and where.
        what: String,
    },
    /// Something is larger than it may be.
    #[error("{what} is larger than the bound of {bytes_max} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The bound.
        bytes_max: u64,
    },
    /// A file of the archive does not fit its sum.
    #[error("{file} does not fit SHA256SUMS: the snapshot is damaged or was altered")]
    Altered {
        /// Which file.
        file: &'static str,
    },
    /// The seal is not one of this vault.
    #[error(
        "the seal is not one of this vault: the snapshot was made by another vault or was altered; only a forced restore takes it"
    )]
    Foreign,
    /// The vault was sealed meanwhile, so that its keys are gone.
    #[error("the vault was sealed meanwhile")]
    Sealed,
    /// Reading or writing failed.
    #[error("{what}")]
    Io {
        /// What failed.
        what: String,
    },
}

impl SnapshotError {
    fn shape(what: impl Into<String>) -> Self {
        Self::Shape { what: what.into() }
    }
}

/// `meta.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    format: u32,
    vault: String,
    revision: u64,
    rows: u64,
    state_bytes: u64,
    created_at: String,
    version: String,
}

fn hex(vault: VaultId) -> String {
    data_encoding::HEXLOWER.encode(&vault.0)
}

/// Writes `SHA256SUMS` for the two files before it.
fn sums(meta: &[u8; 32], state: &[u8; 32]) -> String {
    let hex = |digest: &[u8; 32]| data_encoding::HEXLOWER.encode(digest);
    format!("{}  {META}\n{}  {STATE}\n", hex(meta), hex(state))
}
