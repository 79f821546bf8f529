//! The endpoints of `auth/token/`. Each group has a file of its own.

mod create;
mod lookup;
mod renew;
mod revoke;
mod role;

use rand_core::CryptoRng;
use serde::Deserialize;

use super::{Call, Effect, Engine, Step};
use crate::auth::token::{self, Token, TokenId};
use crate::policy::{Acl, Ask, Capability, IdentityFacts};
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Reply};
use crate::request::Operation::{self, Delete, List, Read, Write};
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

/// The engine of type `token`.
pub(super) struct Tokens;

impl Engine for Tokens {
    fn kind(&self) -> &'static str {
        "token"
    }

    fn needs_sudo(&self, path: &str) -> bool {
        matches!(path, "create-orphan" | "revoke-orphan" | "accessors/" | "tidy")
    }

    fn handle(&self, call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
        let (endpoint, rest) = call.path.split_once('/').unwrap_or((call.path, ""));
        match (endpoint, rest, call.request.operation) {
            ("create", "", Write) => create::create(call, None, false, view, rng),
            ("create-orphan", "", Write) => create::create(call, None, true, view, rng),
            ("create", role, Write) => create::create(call, Some(role), false, view, rng),
            ("lookup", "", Write) => lookup::presented(call, view),
            ("lookup-self", "", Read | Write) => lookup::own(call, view),
            ("lookup-accessor", "", Write) => lookup::by_accessor(call, view),
            ("renew", "", Write) => renew::presented(call, view),
            ("renew-self", "", Write) => renew::own(call, view),
            ("renew-accessor", "", Write) => renew::by_accessor(call, view),
            ("revoke", "", Write) => revoke::presented(call, view),
            ("revoke-self", "", Write) => revoke::own(call),
            ("revoke-accessor", "", Write) => revoke::by_accessor(call, view),
            ("revoke-orphan", "", Write) => revoke::keeping_children(call, view),
            ("accessors", "", List) => list(view, token::accessors(call.names)),
            ("roles", "", List) => list(view, role::folder(call.names)),
            ("roles", name, Read) => role::read(call, name, view),
            ("roles", name, Write) => role::write(call, name, view),
            ("roles", name, Delete) => Ok(role::delete(call, name)),
            ("tidy", "", Write) => Ok(tidy()),
            (endpoint, _, operation) => Err(unknown(endpoint, operation).into()),
        }
    }
}

fn unknown(endpoint: &str, _: Operation) -> Refusal {
    const ENDPOINTS: [&str; 14] = [
        "create",
        "create-orphan",
        "lookup",
        "lookup-self",
        "lookup-accessor",
        "renew",
        "renew-self",
        "renew-accessor",
        "revoke",
        "revoke-self",
        "revoke-accessor",
        "revoke-orphan",
        "accessors",
        "roles",
    ];
    if ENDPOINTS.contains(&endpoint) || endpoint == "tidy" {
        Refusal::unsupported()
    } else {
        Refusal::new(Class::Missing, "unsupported path")
    }
}

fn list(view: &mut View, folder: crate::names::Folder) -> Result<Step, Interrupt> {
    let keys = view.list(&folder)?;
    if keys.is_empty() {
        return Err(Refusal::missing().into());
    }
    Ok(Step::answer(Reply::data(&serde_json::json!({ "keys": keys }))?))
}

fn tidy() -> Step {
    let warning = "dead tokens are being removed in the background; they could do nothing already";
    let content = Content { warnings: vec![warning.to_owned()], ..Content::default() };
    Step::answer(Reply::Content(content)).then(Effect::CollectTokens)
}

/// A token that a call is about.
struct Subject {
    id: TokenId,
    token: Token,
    /// The token's text, if the caller showed it.
    text: Option<SecretText>,
}

#[derive(Deserialize)]
struct Named {
    token: Option<SecretText>,
    accessor: Option<String>,
}

/// Finds the token of the caller.
fn own(call: &Call<'_>) -> Subject {
    let text = call.request.token.as_ref().map(SecretText::copy);
    Subject { id: call.identity.token_id().clone(), token: call.identity.token().clone(), text }
}

/// Finds the token that the body shows.
fn presented(call: &Call<'_>, view: &mut View) -> Result<Subject, Interrupt> {
    let named: Named = call.request.parse()?;
    let text = named.token.filter(|text| !text.is_empty()).ok_or_else(|| Refusal::invalid("missing token"))?;
    let id = TokenId::of(&text, call.token_ids);
    let token = alive(call, &id, view, "bad token")?;
    Ok(Subject { id, token, text: Some(text) })
}

/// Finds the token whose accessor the body names.
fn by_accessor(call: &Call<'_>, view: &mut View) -> Result<Subject, Interrupt> {
    let named: Named = call.request.parse()?;
    let accessor =
        named.accessor.filter(|text| !text.is_empty()).ok_or_else(|| Refusal::invalid("missing accessor"))?;
    let unknown = || Refusal::new(Class::Denied, "invalid accessor");
    let row = view.entry(&token::accessor_slot(call.names, &accessor))?.ok_or_else(unknown)?;
    let id = std::str::from_utf8(row.payload.expose()).map_err(|_| Refusal::internal("an accessor is damaged"))?;
    let id = TokenId::from_stored(id);
    let token = alive(call, &id, view, "invalid accessor")?;
    Ok(Subject { id, token, text: None })
}

/// Reads a token that is alive; a dead one answers like one that never was.
fn alive(call: &Call<'_>, id: &TokenId, view: &mut View, otherwise: &str) -> Result<Token, Interrupt> {
    match token::find_alive(id, call.names, view, call.now) {
        Ok((_, token, ..)) => Ok(token),
        Err(Interrupt::Refuse(refusal)) if refusal.class == Class::Denied => {
            Err(Refusal::new(Class::Denied, otherwise).into())
        }
        Err(interrupt) => Err(interrupt),
    }
}

/// Tells whether the caller has `sudo` at the request's path; root has.
fn has_sudo(call: &Call<'_>) -> bool {
    let acl: Acl = call.tables.acl(&call.identity.token().policies, &IdentityFacts::default());
    let path = call.request.path.as_str();
    acl.allows(&Ask { path, capability: Capability::Sudo, fields: &serde_json::Map::new(), wrapping_ttl: None })
}

#[cfg(test)]
mod tests;
