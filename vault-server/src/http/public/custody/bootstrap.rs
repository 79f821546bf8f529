//! `sys/custody/bootstrap`: the custodians of shares in clear agree to a first charter.

use http::StatusCode;
use vault_api::custody::{Bootstrap, CharterRequest};
use vault_core::refusal::Refusal;
use vault_core::request::Operation;

use super::handout;
use crate::driver::{BootstrapOutcome, BootstrapStatus, CharterAsk};
use crate::http::envelope;
use crate::http::public::{Answer, Call, Given};

pub(in crate::http::public) fn answer(mut call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if call.is_read() {
            let status = call.edge.vault.bootstrap_status(call.named_attempt()?).await?;
            return Ok(envelope::json(StatusCode::OK, &describe(&status)));
        }
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let CharterRequest { charter, keep } = call.parse()?;
        let caller = call.ceremony_caller(Operation::Write);
        let ask = CharterAsk { envelope: charter, keep };
        let status = call.edge.vault.begin_bootstrap(ask, caller).await?;
        Ok(envelope::json(StatusCode::OK, &describe(&status)))
    })
}

pub(in crate::http::public) fn update(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let (nonce, key) = call.parse::<Given>()?.into_parts()?;
        let answer = match call.edge.vault.give_bootstrap_share(nonce, key, call.caller()).await? {
            BootstrapOutcome::More(status) => describe(&status),
            BootstrapOutcome::HandedOut(made) => {
                Bootstrap { handed_out: Some(handout::describe(&made)), ..Bootstrap::default() }
            }
        };
        Ok(envelope::json(StatusCode::OK, &answer))
    })
}

fn describe(status: &BootstrapStatus) -> Bootstrap {
    Bootstrap {
        nonce: status.nonce.map(|nonce| nonce.to_string()).unwrap_or_default(),
        charter: status.charter.map(|digest| digest.to_string()).unwrap_or_default(),
        progress: status.progress,
        required: status.required,
        handed_out: None,
    }
}
