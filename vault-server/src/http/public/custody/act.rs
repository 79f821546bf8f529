//! `sys/custody/act`: a request that stewards have signed together goes the way of every other request.

use std::sync::Arc;

use vault_core::custody::SignedAct;
use vault_core::custody::act::ActRequest;
use vault_core::refusal::Refusal;
use vault_core::reply::Reply;
use vault_core::request::{Operation, Request};

use crate::driver::Handled;
use crate::http::envelope;
use crate::http::public::{Answer, Call};

pub(in crate::http::public) fn answer(call: Call<'_>) -> Answer<'_> {
    Box::pin(async move {
        if !call.is_write() {
            return Err(Refusal::unsupported());
        }
        let request = read(&call)?;
        let path = request.path.clone();
        let Handled { reply, receipt } = call.edge.vault.handle(request).await?;
        match reply {
            Reply::Snapshot(_) | Reply::Restore(_) => {
                Err(Refusal::invalid("snapshots are streams, which no act can carry"))
            }
            reply => Ok(envelope::with_receipt(envelope::reply(call.id, &path, reply), receipt.as_ref())),
        }
    })
}

fn read(call: &Call<'_>) -> Result<Request, Refusal> {
    let invalid = |error: vault_core::custody::act::ActError| Refusal::invalid(error.to_string());
    let body = call.body.as_ref().map_or(&[][..], |body| body.expose());
    let signed = SignedAct::parse(body).map_err(invalid)?;
    let ActRequest { operation, path, parameters, body } = signed.request().map_err(invalid)?;
    let path = if operation == Operation::List { path.into_folder() } else { path };
    Ok(Request {
        id: call.id,
        operation,
        path,
        parameters,
        body,
        token: None,
        act: Some(Arc::new(signed)),
        redeems: None,
        reason: None,
        wrap_ttl: None,
        certificates: Arc::default(),
        remote: call.remote,
        received_at: call.edge.vault.environment().now(),
        attempt: 1,
    })
}
