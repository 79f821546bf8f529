//! `renew`, `renew-self` and `renew-accessor`.

use serde::Deserialize;
use serde_json::Value;

use super::create::{grant, span};
use super::{Call, Step, Subject};
use crate::auth::token::lifetime::{self, Bounds};
use crate::engines::Change;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    increment: Option<Value>,
}

pub(super) fn presented(call: &Call<'_>, view: &mut View) -> Result<Step, Interrupt> {
    let subject = super::presented(call, view)?;
    Ok(renew(call, subject)?)
}

pub(super) fn own(call: &Call<'_>, _: &mut View) -> Result<Step, Interrupt> {
    Ok(renew(call, super::own(call))?)
}

pub(super) fn by_accessor(call: &Call<'_>, view: &mut View) -> Result<Step, Interrupt> {
    let subject = super::by_accessor(call, view)?;
    Ok(renew(call, subject)?)
}

fn renew(call: &Call<'_>, subject: Subject) -> Result<Step, Refusal> {
    let ask: Ask = call.request.parse()?;
    let increment = span("increment", ask.increment.as_ref())?;
    let Subject { id, mut token, text } = subject;
    if !token.renewable || token.expires_at.is_none() {
        return Err(Refusal::invalid("lease is not renewable"));
    }
    let end = lifetime::renewed(&token, increment, Bounds::of(&call.mount.settings), call.now);
    token.expires_at = Some(end);
    token.last_renewed_at = Some(call.now);
    if id == *call.identity.token_id() {
        // The use that this call spends is written in the same batch, before this row, which must not undo it.
        token.uses_left = token.uses_left.map(|left| left.saturating_sub(1));
    }
    let text = text.unwrap_or_else(|| SecretText::new(String::new()));
    let auth = Some(grant(text, &token, call.now.until(end)));
    let change = Change::Put { slot: id.slot(call.names), payload: token.encode()? };
    Ok(Step::commit(Reply::Content(Content { auth, ..Content::default() }), vec![change]))
}
