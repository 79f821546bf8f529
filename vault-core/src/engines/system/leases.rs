//! `leases/` and its older names: the leases of tokens, by name and by what their names begin with.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Effect, Step};
use crate::auth::token::{self, Token, TokenId, lease};
use crate::engines::tree;
use crate::refusal::Refusal;
use crate::reply::{Content, Reply};
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Named {
    lease_id: Option<String>,
    prefix: Option<String>,
}

pub(super) fn lookup(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let (name, _, token) = found(call, view)?.ok_or_else(|| Refusal::invalid("invalid lease"))?;
    if !token.is_unexpired(call.now) {
        return Err(Refusal::invalid("invalid lease").into());
    }
    let data = json!({
        "id": name,
        "issue_time": token.created_at.to_string(),
        "expire_time": token.expires_at.map(|end| end.to_string()),
        "last_renewal": token.last_renewed_at.map(|at| at.to_string()),
        "renewable": token.renewable,
        "ttl": token.expires_at.map_or(0, |end| call.now.until(end).0),
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn list(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    tree::list(call, lease::root(call.names), call.capture("prefix"), view).map(Step::answer)
}

/// Lists from the top, which needs `sudo` as below a prefix, though describing a lease at the same path does not.
pub(super) fn list_all(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    if call.has_sudo()? { list(call, view, rng) } else { Err(Refusal::denied().into()) }
}

/// The leases of tokens are renewed through the token endpoints, which ask the auth method that made the token.
pub(super) fn renew(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    match found(call, view)? {
        Some(_) => Err(Refusal::invalid("tokens cannot be renewed through this endpoint").into()),
        None => Err(Refusal::invalid("lease not found").into()),
    }
}

/// Ends a lease and its token; one that is gone needs no ending.
pub(super) fn revoke(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    Ok(match found(call, view)? {
        Some((_, id, token)) => Step::commit(Reply::Empty, token::revoke(call.names, &id, &token)).then(Effect::Purge),
        None => Step::answer(Reply::Empty),
    })
}

/// Ends all leases whose names begin so. No lease of a token needs anybody else's help to end, so that ending by
/// force is the same.
pub(super) fn revoke_prefix(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let named: Named = call.request.parse()?;
    let in_path = Some(call.capture("prefix").to_owned()).filter(|prefix| !prefix.is_empty());
    let prefix = in_path.or(named.prefix).unwrap_or_default();
    if prefix.trim_matches('/').is_empty() {
        return Err(Refusal::invalid("a prefix is needed, such as auth/userpass/login").into());
    }
    Ok(Step::answer(Reply::Empty).then(Effect::RevokeLeases { prefix }))
}

pub(super) fn tidy(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let warning = "leases that have ended are being removed in the background; they could do nothing already";
    let content = Content { warnings: vec![warning.to_owned()], ..Content::default() };
    Ok(Step::answer(Reply::Content(content)).then(Effect::CollectTokens))
}

/// Every lease can be ended here, so none is irrevocable.
pub(super) fn irrevocable(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    match call.request.parameter("type") {
        Some("irrevocable") => Ok(Step::answer(Reply::data(&json!({"lease_count": 0, "counts": {}, "leases": []}))?)),
        _ => Err(Refusal::invalid("'type' must be irrevocable; list the others under leases/lookup").into()),
    }
}

/// Finds the lease that the body or the path names: its name, and its token.
fn found(call: &Call<'_>, view: &mut View) -> Result<Option<(String, TokenId, Token)>, Interrupt> {
    let named: Named = call.request.parse()?;
    let in_path = Some(call.capture("lease_id").to_owned()).filter(|name| !name.is_empty());
    let name = in_path.or(named.lease_id).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::invalid("lease_id must be specified"))?;
    let Some(id) = lease::token_id(&name) else { return Ok(None) };
    let token = token::read(&id.slot(call.names), view)?.map(|(token, _)| token);
    Ok(token.filter(|token| lease::name(&id, token).as_ref() == Some(&name)).map(|token| (name, id, token)))
}
