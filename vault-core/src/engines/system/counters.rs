//! `internal/counters/`, and what the caller may do everywhere.

use rand_core::CryptoRng;
use serde_json::json;

use super::{Call, Step};
use crate::auth::token;
use crate::identity;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

/// Counts service tokens, dead ones that are not yet collected included.
pub(super) fn tokens(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let total = view.list(&token::folder(call.names))?.len();
    Ok(Step::answer(Reply::data(&json!({ "counters": { "service_tokens": { "total": total } } }))?))
}

/// Counts entities.
pub(super) fn entities(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let total = view.list(&identity::entities(call.names))?.len();
    Ok(Step::answer(Reply::data(&json!({ "counters": { "entities": { "total": total } } }))?))
}

pub(super) fn refuse(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Err(Refusal::invalid("clients are not counted for billing; the audit log has every request").into())
}
