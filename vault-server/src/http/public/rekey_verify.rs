//! `sys/rekey/verify`: takes new shares back, so that they count only once they are known to be kept.

use http::Method;
use serde::Serialize;
use vault_core::refusal::Refusal;
use vault_core::request::Operation;

use super::{Answer, Call, Given};
use crate::driver::{VerificationOutcome, VerificationStatus};

#[derive(Serialize)]
struct State {
    nonce: String,
    started: bool,
    t: u8,
    n: u8,
    progress: u8,
}

#[derive(Serialize)]
struct Done {
    nonce: String,
    complete: bool,
}

pub(super) fn answer(mut call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let vault = &call.edge.vault;
        if call.is_read() {
            return Ok(call.respond(&describe(&vault.verification_status().await?)));
        }
        if *call.method == Method::DELETE {
            let caller = call.ceremony_caller(Operation::Delete);
            return Ok(call.respond(&describe(&vault.restart_verification(caller).await?)));
        }
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let (nonce, key) = call.parse::<Given>()?.into_parts()?;
        match vault.give_new_share(nonce, key, call.caller()).await? {
            VerificationOutcome::More(status) => Ok(call.respond(&describe(&status))),
            VerificationOutcome::Done(nonce) => Ok(call.respond(&Done { nonce: nonce.to_string(), complete: true })),
        }
    })
}

fn describe(status: &VerificationStatus) -> State {
    State {
        nonce: status.nonce.to_string(),
        started: true,
        t: status.threshold.needed(),
        n: status.threshold.total(),
        progress: status.progress,
    }
}
