//! `sys/unseal`: takes one share after another.

use http::StatusCode;
use serde::Deserialize;
use vault_core::refusal::Refusal;
use vault_core::secret::SecretText;

use super::{Answer, Call, seal_status};
use crate::http::envelope;

#[derive(Deserialize)]
struct Ask {
    key: Option<SecretText>,
    #[serde(default)]
    reset: bool,
    #[serde(default)]
    migrate: bool,
}

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let mut ask: Ask = call.parse()?;
        if ask.migrate {
            return Err(Refusal::invalid("there is no other seal to migrate to or from"));
        }
        let status = if ask.reset {
            call.edge.vault.reset_unseal(call.caller()).await?
        } else {
            let key = ask.key.take().filter(|key| !key.is_empty());
            let key = key.ok_or_else(|| Refusal::invalid("'key' must hold a share, or 'reset' must be true"))?;
            call.edge.vault.unseal(&key, call.caller()).await?
        };
        Ok(envelope::json(StatusCode::OK, &seal_status::describe(&status)))
    })
}
