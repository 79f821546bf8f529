//! `sys/custody/charter`: a charter of the chain, for the people of the one in force.

use http::StatusCode;
use vault_api::custody::CharterText;
use vault_core::refusal::Refusal;

use super::name_of;
use crate::http::envelope;
use crate::http::public::{Answer, Call};

pub(in crate::http::public) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_read() {
            return Err(Refusal::unsupported());
        }
        let status = call.edge.vault.status().await?;
        // Whether there is a charter, or such an epoch, is nothing for strangers.
        let denied = Refusal::denied;
        let fingerprint = call.parameter("person").ok_or_else(denied)?;
        let pending = call.edge.vault.pending_shares().await?;
        name_of(&status, pending.as_ref(), fingerprint).ok_or_else(denied)?;
        let custody = status.custody.as_ref().ok_or_else(|| Refusal::invalid("no charter is in force yet"))?;
        let newest = custody.charter().charter().epoch();
        let epoch = match call.parameter("epoch") {
            None => newest,
            Some(text) => text.parse().map_err(|_| Refusal::invalid("'epoch' is not a number"))?,
        };
        let charter = call.edge.vault.charter_of(epoch).await?;
        let charter = charter.ok_or_else(|| {
            Refusal::invalid(format!("there is no charter of epoch {epoch}: they count from 1 to {newest}"))
        })?;
        Ok(envelope::json(StatusCode::OK, &CharterText { charter }))
    })
}
