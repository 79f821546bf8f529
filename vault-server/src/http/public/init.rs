//! `sys/init`: makes the vault, once, and hands out its shares and root token.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use vault_core::refusal::Refusal;
use vault_core::secret::SecretText;
use vault_core::sharing::{Share, Threshold};

use super::{Answer, Call};
use crate::http::envelope;

#[derive(Serialize)]
struct State {
    initialized: bool,
}

/// What may be asked. Fields of other seals and of key wrapping are named so that they are refused, not ignored.
#[derive(Deserialize)]
struct Ask {
    secret_shares: Option<u64>,
    secret_threshold: Option<u64>,
    stored_shares: Option<u64>,
    recovery_shares: Option<u64>,
    recovery_threshold: Option<u64>,
    pgp_keys: Option<Vec<String>>,
    recovery_pgp_keys: Option<Vec<String>>,
    root_token_pgp_key: Option<String>,
}

#[derive(Serialize)]
struct Made<'a> {
    keys: Vec<&'a str>,
    keys_base64: Vec<&'a str>,
    root_token: &'a str,
}

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if *call.method == Method::GET {
            let initialized = call.edge.vault.status().await?.config.is_some();
            return Ok(envelope::json(StatusCode::OK, &State { initialized }));
        }
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let ask: Ask = call.parse()?;
        let threshold = threshold(&ask)?;
        let made = call.edge.vault.initialise(threshold, call.caller()).await?;
        let keys: Vec<_> = made.shares.iter().map(Share::to_hex).collect();
        let keys_base64: Vec<_> = made.shares.iter().map(Share::to_base64).collect();
        let answer = Made {
            keys: keys.iter().map(SecretText::expose).collect(),
            keys_base64: keys_base64.iter().map(SecretText::expose).collect(),
            root_token: made.root_token.expose(),
        };
        Ok(envelope::json(StatusCode::OK, &answer))
    })
}

fn threshold(ask: &Ask) -> Result<Threshold, Refusal> {
    let wraps = [&ask.pgp_keys, &ask.recovery_pgp_keys].into_iter().flatten().any(|keys| !keys.is_empty());
    if wraps || ask.root_token_pgp_key.as_ref().is_some_and(|key| !key.is_empty()) {
        return Err(Refusal::invalid("PGP keys are not supported: leave pgp_keys and root_token_pgp_key out"));
    }
    let other_seals = [ask.stored_shares, ask.recovery_shares, ask.recovery_threshold];
    if other_seals.into_iter().flatten().any(|count| count > 0) {
        return Err(Refusal::invalid("stored and recovery shares belong to other seals: leave them out"));
    }
    let (Some(total), Some(needed)) = (ask.secret_shares, ask.secret_threshold) else {
        return Err(Refusal::invalid("secret_shares and secret_threshold are needed, each from 1 to 255"));
    };
    checked_threshold(needed, total)
}

/// Checks how many shares are to be made and how many of them open.
pub(super) fn checked_threshold(needed: u64, total: u64) -> Result<Threshold, Refusal> {
    if needed == 1 && total > 1 {
        return Err(Refusal::invalid(
            "a threshold of 1 with several shares would let each custodian unseal alone; take 2 or more",
        ));
    }
    Threshold::new(needed, total).map_err(|error| Refusal::invalid(error.to_string()))
}
