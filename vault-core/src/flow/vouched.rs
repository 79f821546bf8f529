//! The two facts that come from outside: only the audit log and the storage adapter vouch for them.

use crate::id::Revision;

/// Proof that an audit record is on stable storage.
#[derive(Debug)]
pub struct Durable {
    record_number: u64,
}

impl Durable {
    /// Vouches that record `record_number` is durable. Only the audit log may say so, after its sync.
    pub const fn danger_vouch(record_number: u64) -> Self {
        Self { record_number }
    }

    /// Gives the number of the record.
    pub const fn record_number(&self) -> u64 {
        self.record_number
    }
}

/// Proof that a batch is committed.
#[derive(Debug)]
pub struct Committed {
    revision: Revision,
}

impl Committed {
    /// Vouches that a batch was committed as `revision`. Only the storage adapter may say so.
    pub const fn danger_vouch(revision: Revision) -> Self {
        Self { revision }
    }

    /// Gives the revision that the batch became.
    pub const fn revision(&self) -> Revision {
        self.revision
    }
}
