//! `sys/generate-root/attempt`: begins, shows and cancels attempts to make a root token.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use vault_core::auth::token::TOKEN_LENGTH_BYTES;
use vault_core::refusal::Refusal;
use vault_core::request::Operation;
use vault_core::secret::SecretText;

use super::{Answer, Call};
use crate::driver::RootStatus;
use crate::http::envelope;

/// What may be asked; a PGP key is named so that it is refused, not ignored.
#[derive(Deserialize)]
struct Ask {
    otp: Option<SecretText>,
    pgp_key: Option<String>,
}

#[derive(Serialize)]
struct State<'a> {
    nonce: String,
    started: bool,
    progress: u8,
    required: u8,
    complete: bool,
    encoded_token: &'a str,
    encoded_root_token: &'a str,
    pgp_fingerprint: &'static str,
    otp: &'a str,
    otp_length: usize,
}

pub(super) fn answer(mut call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if call.is_read() {
            let status = call.edge.vault.root_status(call.named_attempt()?).await?;
            return Ok(describe(&call, &status, None, None));
        }
        if *call.method == Method::DELETE {
            let named = call.named_attempt()?;
            let caller = call.ceremony_caller(Operation::Delete);
            call.edge.vault.cancel_root(named, caller).await?;
            return Ok(envelope::empty(StatusCode::NO_CONTENT));
        }
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let ask: Ask = call.parse()?;
        if ask.pgp_key.is_some_and(|key| !key.is_empty()) {
            return Err(Refusal::invalid("PGP keys are not supported: leave pgp_key out and use a one-time pad"));
        }
        let caller = call.ceremony_caller(Operation::Write);
        let begun = call.edge.vault.begin_root(ask.otp.filter(|otp| !otp.is_empty()), caller).await?;
        Ok(describe(&call, &begun.status, None, begun.pad.as_ref()))
    })
}

/// Writes how far an attempt is, with what it has come to or the one-time pad that was drawn for it.
pub(super) fn describe(
    call: &Call<'_>,
    status: &RootStatus,
    encoded: Option<&SecretText>,
    pad: Option<&SecretText>,
) -> axum::response::Response {
    let encoded_token = encoded.map_or("", SecretText::expose);
    let state = State {
        nonce: status.nonce.map(|nonce| nonce.to_string()).unwrap_or_default(),
        started: status.nonce.is_some(),
        progress: status.progress,
        required: status.required,
        complete: encoded.is_some(),
        encoded_token,
        encoded_root_token: encoded_token,
        pgp_fingerprint: "",
        otp: pad.map_or("", SecretText::expose),
        otp_length: TOKEN_LENGTH_BYTES,
    };
    call.respond(&state)
}
