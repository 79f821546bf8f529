//! `sys/seal-status`: whether the vault is sealed and how many shares have come.

use http::StatusCode;
use vault_api::types::SealStatus;
use vault_core::refusal::Refusal;

use super::{Answer, Call};
use crate::driver::Status;
use crate::http::envelope;

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        let status = call.edge.vault.status().await?;
        Ok(envelope::json(StatusCode::OK, &describe(&status)))
    })
}

/// Writes a status as the Vault API does.
pub(super) fn describe(status: &Status) -> SealStatus {
    let threshold = status.config.as_ref().map(|config| config.threshold());
    SealStatus {
        kind: "shamir".to_owned(),
        initialized: status.config.is_some(),
        sealed: status.sealed,
        threshold: threshold.map_or(0, |threshold| threshold.needed().into()),
        shares: threshold.map_or(0, |threshold| threshold.total().into()),
        progress: status.attempt.as_ref().map_or(0, |progress| progress.reached.into()),
        nonce: status.attempt.as_ref().map(|progress| progress.attempt.to_string()).unwrap_or_default(),
        version: crate::VERSION.to_owned(),
        build_date: String::new(),
        cluster_name: status.vault().map(|vault| format!("keyturn-{}", vault.fingerprint())),
        cluster_id: status.vault().map(|vault| vault.to_string()),
        storage_type: Some(status.storage_kind.to_owned()),
        warnings: None,
    }
}
