//! `sys/generate-root/update`: takes one share after another towards a root token.

use vault_core::refusal::Refusal;

use super::{Answer, Call, Given, generate_root_attempt};
use crate::driver::RootOutcome;

pub(super) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let (nonce, key) = call.parse::<Given>()?.into_parts()?;
        match call.edge.vault.give_root_share(nonce, key, call.caller()).await? {
            RootOutcome::More(status) => Ok(generate_root_attempt::describe(&call, &status, None, None)),
            RootOutcome::Made { status, encoded } => {
                Ok(generate_root_attempt::describe(&call, &status, Some(&encoded), None))
            }
        }
    })
}
