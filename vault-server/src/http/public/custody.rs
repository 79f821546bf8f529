//! `sys/custody`: what a custodian wants to know before they give a share: which vault this is, how old its shares and
//! its store are, and whose shares have come.

use http::StatusCode;
use vault_api::types::{Custody, CustodyAttempt};
use vault_core::refusal::Refusal;

use super::{Answer, Call};
use crate::http::envelope;

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        let status = call.edge.vault.status().await?;
        let config = status.config.as_ref().ok_or_else(|| Refusal::invalid("server is not yet initialized"))?;
        let attempt = status.attempt.as_ref().map(|progress| CustodyAttempt {
            nonce: progress.attempt.to_string(),
            given: progress.given.iter().map(|index| index.get()).collect(),
            deadline: progress.deadline.to_string(),
        });
        let custody = Custody {
            vault: config.vault().to_string(),
            fingerprint: config.vault().fingerprint().to_string(),
            epoch: config.epoch().0,
            revision: call.edge.vault.revision().await?.0,
            sealed: status.sealed,
            threshold: config.threshold().needed(),
            shares: config.threshold().total(),
            attempt,
        };
        Ok(envelope::json(StatusCode::OK, &custody))
    })
}
