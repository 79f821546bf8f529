//! `sys/rekey/update`: takes one share after another towards new ones.

use serde::Serialize;
use vault_core::refusal::Refusal;
use vault_core::secret::SecretText;
use vault_core::sharing::Share;

use super::{Answer, Call, Given, rekey_init};
use crate::driver::{NewShares, RekeyOutcome};

/// What the custodians must know when the store failed at the worst moment.
const UNCERTAIN: &str = "the store did not tell whether the new shares are in force: keep both sets of shares until one \
                         of them has unsealed the vault";

#[derive(Serialize)]
struct Made<'a> {
    nonce: String,
    complete: bool,
    keys: Vec<&'a str>,
    keys_base64: Vec<&'a str>,
    pgp_fingerprints: Option<()>,
    backup: bool,
    verification_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<[&'static str; 1]>,
}

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let (nonce, key) = call.parse::<Given>()?.into_parts()?;
        match call.edge.vault.give_rekey_share(nonce, key, call.caller()).await? {
            RekeyOutcome::More(status) => Ok(call.respond(&rekey_init::describe(&status))),
            RekeyOutcome::Made(made) => Ok(write(&call, &made)),
        }
    })
}

fn write(call: &Call<'_>, made: &NewShares) -> axum::response::Response {
    let keys: Vec<SecretText> = made.shares.iter().map(Share::to_hex).collect();
    let keys_base64: Vec<SecretText> = made.shares.iter().map(Share::to_base64).collect();
    let answer = Made {
        nonce: made.nonce.to_string(),
        complete: true,
        keys: keys.iter().map(SecretText::expose).collect(),
        keys_base64: keys_base64.iter().map(SecretText::expose).collect(),
        pgp_fingerprints: None,
        backup: false,
        verification_required: made.verification.is_some(),
        verification_nonce: made.verification.map(|nonce| nonce.to_string()),
        warnings: (!made.is_certain).then_some([UNCERTAIN]),
    };
    call.respond(&answer)
}
