//! `renew`, `renew-self` and `renew-accessor`.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::Value;

use super::{Call, Step, Subject};
use crate::auth::token::lifetime::{self, Bounds};
use crate::auth::token::{Kind, Token};
use crate::engines::{self, Change, Renewal};
use crate::field::span;
use crate::refusal::Refusal;
use crate::reply::{Content, Grant, Reply};
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    increment: Option<Value>,
}

pub(super) fn presented(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let subject = super::presented(call, view)?;
    renew(call, subject, view)
}

pub(super) fn own(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    renew(call, super::own(call)?, view)
}

pub(super) fn by_accessor(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let subject = super::by_accessor(call, view)?;
    renew(call, subject, view)
}

fn renew(call: &Call<'_>, subject: Subject, view: &mut View) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let increment = span("increment", ask.increment.as_ref())?;
    let Subject { id, mut token, text } = subject;
    if token.kind == Kind::Batch {
        return Err(Refusal::invalid("batch tokens cannot be renewed").into());
    }
    if !token.renewable || token.expires_at.is_none() {
        return Err(Refusal::invalid("lease is not renewable").into());
    }
    let bounds = bounds(call, &token, view)?;
    let end = lifetime::renewed(&token, increment, bounds, call.now);
    token.expires_at = Some(end);
    token.last_renewed_at = Some(call.now);
    if call.sender.identity().is_some_and(|identity| id == *identity.token_id()) {
        // The use that this call spends is written in the same batch, before this row, which must not undo it.
        token.uses_left = token.uses_left.map(|left| left.saturating_sub(1));
    }
    let text = text.unwrap_or_else(|| SecretText::new(String::new()));
    let auth = Some(Grant::of(text, &token, call.now.until(end)));
    let change = Change::Put { slot: id.slot(call.names), payload: token.encode()? };
    Ok(Step::commit(Reply::Content(Content { auth, ..Content::default() }), vec![change]))
}

/// Asks the auth method that made the token, and gives the bounds of its mount.
fn bounds(call: &Call<'_>, token: &Token, view: &mut View) -> Result<Bounds, Interrupt> {
    let Some(id) = token.mount else { return Ok(Bounds::of(&call.mount.settings)) };
    let mount = call.tables.mounts().find(|mount| mount.id == id).ok_or_else(Refusal::denied)?;
    if let Some(method) = engines::find(&mount.kind) {
        method.check_renewal(&Renewal { call, mount, token }, view)?;
    }
    let bounds = Bounds::of(&mount.settings);
    let max_ttl = if token.max_ttl.is_zero() { bounds.max_ttl } else { token.max_ttl.min(bounds.max_ttl) };
    Ok(Bounds { max_ttl, ..bounds })
}
