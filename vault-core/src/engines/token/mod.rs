//! The endpoints of `auth/token/`. Each group has a file of its own.

mod create;
mod lookup;
mod renew;
mod revoke;
mod role;

use rand_core::CryptoRng;
use serde::Deserialize;

use super::{Call, Effect, Engine, Route, Step};
use crate::auth::token::{self, Alive, Token, TokenId};
use crate::mounts::Mount;
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Reply};
use crate::request::Operation::{Delete, List, Read, Write};
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

/// The engine of type `token`.
pub(super) struct Tokens;

static ROUTES: [Route; 17] = [
    Route::new("create", &[(Write, create::child)], "Makes a token"),
    Route::sudo("create-orphan", &[(Write, create::orphan)], "Makes a token without a parent"),
    Route::new("create/{role}", &[(Write, create::by_role)], "Makes a token by a role"),
    Route::new("lookup", &[(Write, lookup::presented)], "Describes the token in the body"),
    Route::new("lookup-self", &[(Read, lookup::own), (Write, lookup::own)], "Describes the caller's token"),
    Route::new("lookup-accessor", &[(Write, lookup::by_accessor)], "Describes the token of an accessor"),
    Route::new("renew", &[(Write, renew::presented)], "Renews the token in the body"),
    Route::new("renew-self", &[(Write, renew::own)], "Renews the caller's token"),
    Route::new("renew-accessor", &[(Write, renew::by_accessor)], "Renews the token of an accessor"),
    Route::new("revoke", &[(Write, revoke::presented)], "Ends the token in the body and its descendants"),
    Route::new("revoke-self", &[(Write, revoke::own)], "Ends the caller's token and its descendants"),
    Route::new("revoke-accessor", &[(Write, revoke::by_accessor)], "Ends the token of an accessor"),
    Route::sudo("revoke-orphan", &[(Write, revoke::keeping_children)], "Ends a token and keeps its children"),
    Route::sudo("accessors", &[(List, list_accessors)], "Lists accessors"),
    Route::new("roles", &[(List, list_roles)], "Lists roles"),
    Route::new("roles/{role}", &[(Read, role::read), (Write, role::write), (Delete, role::delete)], "A role"),
    Route::sudo("tidy", &[(Write, tidy)], "Removes dead tokens now"),
];

impl Engine for Tokens {
    fn kind(&self) -> &'static str {
        "token"
    }

    fn routes(&self, _: &Mount) -> &'static [Route] {
        &ROUTES
    }
}

fn list_accessors(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    list(view, token::accessors(call.names))
}

fn list_roles(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    list(view, role::folder(call.names))
}

fn list(view: &mut View, folder: crate::names::Folder) -> Result<Step, Interrupt> {
    let keys = view.list(&folder)?;
    if keys.is_empty() {
        return Err(Refusal::missing().into());
    }
    Ok(Step::answer(Reply::data(&serde_json::json!({ "keys": keys }))?))
}

fn tidy(_: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let warning = "dead tokens are being removed in the background; they could do nothing already";
    let content = Content { warnings: vec![warning.to_owned()], ..Content::default() };
    Ok(Step::answer(Reply::Content(content)).then(Effect::CollectTokens))
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
fn own(call: &Call<'_>) -> Result<Subject, Refusal> {
    let text = call.request.token.as_ref().map(SecretText::copy);
    let identity = call.identity()?;
    Ok(Subject { id: identity.token_id().clone(), token: identity.token().clone(), text })
}

/// Finds the token that the body shows.
fn presented(call: &Call<'_>, view: &mut View) -> Result<Subject, Interrupt> {
    let named: Named = call.request.parse()?;
    let text = named.token.filter(|text| !text.is_empty()).ok_or_else(|| Refusal::invalid("missing token"))?;
    let Alive { id, token, .. } = alive(call.reader().find(&text, view), "bad token")?;
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
    let token = alive(call.finder().find(&id, view), "invalid accessor")?.token;
    Ok(Subject { id, token, text: None })
}

/// Takes a token that is alive; a dead one answers like one that never was.
fn alive(found: Result<Alive, Interrupt>, otherwise: &str) -> Result<Alive, Interrupt> {
    match found {
        Ok(alive) => Ok(alive),
        Err(Interrupt::Refuse(refusal)) if refusal.class == Class::Denied => {
            Err(Refusal::new(Class::Denied, otherwise).into())
        }
        Err(interrupt) => Err(interrupt),
    }
}

#[cfg(test)]
mod tests;
