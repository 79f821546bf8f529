//! The audit log on disk: JSON lines, made durable in groups before any of their effects.

use vault_core::audit::Record;
use vault_core::flow::Durable;

/// Why a record could not be made durable: nothing may be served.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit log cannot be written: {what}")]
pub struct AuditLogError {
    /// What failed.
    pub what: String,
}

/// Appends records.
pub struct AuditLog {}

impl AuditLog {
    /// Appends a record and answers once it is on stable storage.
    ///
    /// # Errors
    /// Answers [`AuditLogError`] when it cannot be written; then nothing of the request may happen.
    pub async fn append_durable(&self, _record: Record) -> Result<Durable, AuditLogError> {
        Err(AuditLogError { what: "not open".to_owned() })
    }

    /// Appends a record that the next sync makes durable: the outcome of something whose intent already is.
    pub fn append(&self, _record: Record) {}
}
