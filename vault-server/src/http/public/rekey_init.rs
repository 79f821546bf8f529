//! `sys/rekey/init`: begins, shows and cancels attempts to make new shares.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use vault_core::refusal::Refusal;
use vault_core::request::Operation;

use super::{Answer, Call, init};
use crate::driver::{RekeyAsk, RekeyStatus};
use crate::http::envelope;

/// What may be asked. Fields of other seals and of key wrapping are named so that they are refused, not ignored.
#[derive(Deserialize)]
struct Ask {
    secret_shares: Option<u64>,
    secret_threshold: Option<u64>,
    stored_shares: Option<u64>,
    #[serde(default)]
    require_verification: bool,
    #[serde(default)]
    backup: bool,
    pgp_keys: Option<Vec<String>>,
}

#[derive(Serialize)]
struct State {
    nonce: String,
    started: bool,
    t: u8,
    n: u8,
    progress: u8,
    required: u8,
    pgp_fingerprints: Option<()>,
    backup: bool,
    verification_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_nonce: Option<String>,
}

pub(super) fn answer(mut call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if call.is_read() {
            let status = call.edge.vault.rekey_status(call.named_attempt()?).await?;
            return Ok(call.respond(&describe(&status)));
        }
        if *call.method == Method::DELETE {
            let named = call.named_attempt()?;
            let caller = call.ceremony_caller(Operation::Delete);
            call.edge.vault.cancel_rekey(named, caller).await?;
            return Ok(envelope::empty(StatusCode::NO_CONTENT));
        }
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let ask = check(&call.parse()?)?;
        let caller = call.ceremony_caller(Operation::Write);
        let status = call.edge.vault.begin_rekey(ask, caller).await?;
        Ok(call.respond(&describe(&status)))
    })
}

fn check(ask: &Ask) -> Result<RekeyAsk, Refusal> {
    if ask.backup || ask.pgp_keys.as_ref().is_some_and(|keys| !keys.is_empty()) {
        return Err(Refusal::invalid("PGP keys and backups of new keys are not supported: leave both out"));
    }
    if ask.stored_shares.is_some_and(|count| count > 0) {
        return Err(Refusal::invalid("stored shares belong to other seals: leave them out"));
    }
    let (Some(total), Some(needed)) = (ask.secret_shares, ask.secret_threshold) else {
        return Err(Refusal::invalid("secret_shares and secret_threshold are needed, each from 1 to 255"));
    };
    Ok(RekeyAsk { threshold: init::checked_threshold(needed, total)?, verify: ask.require_verification })
}

/// Writes how far an attempt is.
pub(super) fn describe(status: &RekeyStatus) -> impl Serialize {
    let threshold = status.ask.map(|ask| ask.threshold);
    State {
        nonce: status.nonce.map(|nonce| nonce.to_string()).unwrap_or_default(),
        started: status.nonce.is_some(),
        t: threshold.map_or(0, |threshold| threshold.needed()),
        n: threshold.map_or(0, |threshold| threshold.total()),
        progress: status.progress,
        required: status.required,
        pgp_fingerprints: None,
        backup: false,
        verification_required: status.ask.is_some_and(|ask| ask.verify),
        verification_nonce: status.verification.map(|nonce| nonce.to_string()),
    }
}
