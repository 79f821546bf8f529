//! What the log of a vault shows to everybody.

use serde::{Deserialize, Serialize};

/// The newest checkpoint, and the proof that the log goes on from what it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckpointGrowth {
    /// The checkpoint, a signed note.
    pub checkpoint: String,
    /// Hashes in base64 (RFC 6962 section 2.1.2); none if the log is as it was, or shorter.
    pub growth: Vec<String>,
}

/// The proof that a record is in the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReceiptText {
    /// The receipt (C2SP tlog-proof).
    pub receipt: String,
}
