//! `sys/custody/question`, `sys/custody/check` and `sys/custody/acknowledge`: proofs that custodians hold their shares.

use data_encoding::HEXLOWER;
use http::StatusCode;
use vault_api::custody::{AcknowledgedShare, CheckedUp, PossessionRequest, Question};
use vault_core::refusal::Refusal;
use vault_core::sharing::{PossessionNonce, PossessionProof, ShareIndex};

use super::waiting_for;
use crate::driver::{AcknowledgeOutcome, CheckUp};
use crate::http::envelope;
use crate::http::public::{Answer, Call};

pub(in crate::http::public) fn question(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        let nonce = call.edge.vault.ask_possession().await;
        Ok(envelope::json(StatusCode::OK, &Question { nonce: HEXLOWER.encode(&nonce.0) }))
    })
}

pub(in crate::http::public) fn check(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let checkup = read(&call)?;
        let checked_at = call.edge.vault.check_up(checkup, call.caller()).await?;
        Ok(envelope::json(StatusCode::OK, &CheckedUp { checked_at: checked_at.to_string() }))
    })
}

pub(in crate::http::public) fn acknowledge(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        let checkup = read(&call)?;
        let answer = match call.edge.vault.acknowledge(checkup, call.caller()).await? {
            AcknowledgeOutcome::More(pending) => AcknowledgedShare {
                complete: false,
                epoch: pending.config.epoch().0,
                waiting_for: waiting_for(&pending),
            },
            AcknowledgeOutcome::Complete(custody) => {
                AcknowledgedShare { complete: true, epoch: custody.statement().share_epoch, waiting_for: Vec::new() }
            }
        };
        Ok(envelope::json(StatusCode::OK, &answer))
    })
}

fn read(call: &Call<'_>) -> Result<CheckUp, Refusal> {
    if !call.is_write() {
        return Err(Refusal::unsupported());
    }
    let PossessionRequest { nonce, share, proof } = call.parse()?;
    let nonce = HEXLOWER.decode(nonce.as_bytes()).ok().and_then(|nonce| nonce.try_into().ok());
    let nonce = nonce.ok_or_else(|| Refusal::invalid("'nonce' is not the nonce of a question"))?;
    let index = ShareIndex::new(share).ok_or_else(|| Refusal::invalid("'share' is 0, and shares count from 1"))?;
    let proof = HEXLOWER.decode(proof.as_bytes()).map_err(|_| Refusal::invalid("'proof' is not hexadecimal"))?;
    let proof = PossessionProof::from_bytes(&proof).map_err(|error| Refusal::invalid(error.to_string()))?;
    Ok(CheckUp { nonce: PossessionNonce(nonce), index, proof })
}
