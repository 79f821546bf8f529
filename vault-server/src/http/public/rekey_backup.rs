//! `sys/rekey/backup`: shares encrypted to PGP keys, of which none is ever kept.

use http::{Method, StatusCode};
use vault_core::refusal::{Class, Refusal};

use super::{Answer, Call};
use crate::http::envelope;

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        // Answers like the other endpoints of the ceremony while the vault is sealed.
        call.edge.vault.rekey_status(None).await?;
        if call.is_read() {
            return Err(Refusal::new(Class::Missing, "no backup of shares is kept, since PGP keys are not supported"));
        }
        if *call.method == Method::DELETE {
            return Ok(envelope::empty(StatusCode::NO_CONTENT));
        }
        Err(Refusal::unsupported())
    })
}
