//! `sys/custody/init` and `sys/custody/rekey`: new shares, each sealed to its custodian by a signed charter.

use data_encoding::BASE64;
use http::StatusCode;
use vault_api::custody::{CharterRequest, HandedOut, SealedShare};
use vault_core::refusal::Refusal;

use super::which;
use crate::driver::{CharterAsk, HandedOut as Made};
use crate::http::envelope;
use crate::http::public::{Answer, Call};

pub(in crate::http::public) fn init(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let ask = read(&call)?;
        let made = call.edge.vault.initialise_by_charter(ask, call.caller()).await?;
        Ok(envelope::json(StatusCode::OK, &describe(&made)))
    })
}

pub(in crate::http::public) fn rekey(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let ask = read(&call)?;
        let made = call.edge.vault.begin_charter_rekey(ask, call.caller()).await?;
        Ok(envelope::json(StatusCode::OK, &describe(&made)))
    })
}

fn read(call: &Call<'_>) -> Result<CharterAsk, Refusal> {
    if !call.is_write() {
        return Err(Refusal::unsupported());
    }
    let CharterRequest { charter, keep } = call.parse()?;
    Ok(CharterAsk { envelope: charter, keep })
}

pub(super) fn describe(made: &Made) -> HandedOut {
    let (custody, statement) = (&made.custody, made.custody.statement());
    let pairs = statement.shares.iter().zip(&made.sealed_shares);
    let sealed_shares = pairs.map(|(share, sealed)| SealedShare {
        number: share.number,
        person: share.person.clone(),
        age: BASE64.encode(sealed),
    });
    HandedOut {
        vault: statement.vault.clone(),
        fingerprint: statement.vault.chars().take(16).collect(),
        epoch: statement.share_epoch,
        charter: which(custody.charter().charter()),
        record: custody.record().to_json(),
        sealed_shares: sealed_shares.collect(),
    }
}
