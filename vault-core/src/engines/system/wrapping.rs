//! `wrapping/`: replies that are kept for whoever shows a wrapping token first.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Step};
use crate::approval::{Bearer, HeldRequest, make_again, not_there};
use crate::auth::token::Alive;
use crate::engines::Follow;
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Reply};
use crate::secret::{SecretBytes, SecretText};
use crate::view::{Interrupt, View};
use crate::wrapping;

#[derive(Deserialize)]
struct Named {
    token: Option<SecretText>,
}

/// Keeps the body; the reply that the caller asked to have wrapped is the body itself.
pub(super) fn wrap(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    if call.request.wrap_ttl.is_none() {
        return Err(Refusal::invalid("endpoint requires response wrapping to be used").into());
    }
    let body = call.request.body.as_ref().map_or(b"{}".as_slice(), SecretBytes::expose);
    let content = Content { data: Some(SecretBytes::new(body.trim_ascii().to_vec())), ..Content::default() };
    Ok(Step::answer(Reply::Content(content)))
}

pub(super) fn lookup(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let found = wrapping_token(call, view)?;
    let wrapped = found.token.wrapped.as_ref().ok_or_else(wrapping::not_wrapping)?;
    let data = json!({
        "creation_time": found.token.created_at.to_string(),
        "creation_ttl": found.token.creation_ttl.0,
        "creation_path": wrapped.creation_path,
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn unwrap(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let found = wrapping_token(call, view)?;
    if wrapping::holds_request(call, &found, view)? {
        let held = HeldRequest::read(call.names, &found.token.accessor, view)?.ok_or_else(not_there)?;
        let own = call.sender.identity().is_some_and(|identity| *identity.token_id() != found.id);
        let bearer = if own { Bearer::Own } else { Bearer::Wrapping };
        let again = make_again(call, &held, bearer, view, rng)?;
        return Ok(Step::answer(Reply::Empty).followed_by(Follow::Instead(again)));
    }
    let (content, changes) = wrapping::take(call, &found, view)?;
    Ok(Step::commit(Reply::Content(content), changes))
}

/// Keeps the same reply under a fresh wrapping token that lives as long as the first did.
pub(super) fn rewrap(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let found = wrapping_token(call, view)?;
    if wrapping::holds_request(call, &found, view)? {
        return Err(Refusal::invalid("the token stands for a request that is held back, which keeps its token").into());
    }
    let (content, mut changes) = wrapping::take(call, &found, view)?;
    let path = found.token.wrapped.as_ref().map_or("", |wrapped| wrapped.creation_path.as_str());
    let (info, rows) = wrapping::keep(call, content, found.token.creation_ttl, path, view, rng)?;
    changes.extend(rows);
    Ok(Step::commit(Reply::Wrapped(info), changes))
}

/// Finds the wrapping token in the body, or else the one that the caller shows.
fn wrapping_token(call: &Call<'_>, view: &mut View) -> Result<Alive, Interrupt> {
    let named: Named = call.request.parse()?;
    let in_body = named.token.filter(|token| !token.is_empty());
    let text = in_body
        .as_ref()
        .or(call.request.token.as_ref())
        .ok_or_else(|| Refusal::invalid("missing \"token\" value in input"))?;
    match call.reader().find(text, view) {
        Ok(found) if found.token.wrapped.is_some() => Ok(found),
        Ok(_) => Err(wrapping::not_wrapping().into()),
        Err(Interrupt::Refuse(refusal)) if refusal.class == Class::Denied => Err(wrapping::not_wrapping().into()),
        Err(interrupt) => Err(interrupt),
    }
}
