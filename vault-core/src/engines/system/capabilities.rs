//! `capabilities`, `capabilities-self` and `capabilities-accessor`: what a token may do at some paths.

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Call, Step};
use crate::auth::token::{self, Alive, TokenId};
use crate::auth::{facts_of, policies_of};
use crate::identity;
use crate::policy::Acl;
use crate::refusal::{Class, Refusal};
use crate::reply::Reply;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

/// Most paths of one call.
const PATHS_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Ask {
    token: Option<SecretText>,
    accessor: Option<String>,
    paths: Option<Value>,
    path: Option<Value>,
}

pub(super) fn own(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    Ok(describe(&ask, &call.acl()?)?)
}

pub(super) fn of_token(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let given = ask.token.as_ref().filter(|text| !text.is_empty()).ok_or_else(|| Refusal::invalid("missing token"))?;
    let found = call.reader().find(given, view);
    Ok(describe(&ask, &acl(call, found, view, "invalid token")?)?)
}

pub(super) fn of_accessor(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let given = ask.accessor.as_deref().filter(|text| !text.is_empty());
    let given = given.ok_or_else(|| Refusal::invalid("missing accessor"))?;
    let invalid = || Refusal::invalid("invalid accessor");
    let row = view.entry(&token::accessor_slot(call.names, given))?.ok_or_else(invalid)?;
    let id = TokenId::from_stored(std::str::from_utf8(row.payload.expose()).map_err(|_| invalid())?);
    let found = call.finder().find(&id, view);
    Ok(describe(&ask, &acl(call, found, view, "invalid accessor")?)?)
}

/// Compiles the rules in force for a token.
fn acl(call: &Call<'_>, found: Result<Alive, Interrupt>, view: &mut View, otherwise: &str) -> Result<Acl, Interrupt> {
    let token = match found {
        Ok(alive) => alive.token,
        Err(Interrupt::Refuse(refusal)) if refusal.class == Class::Denied => {
            return Err(Refusal::invalid(otherwise).into());
        }
        Err(interrupt) => return Err(interrupt),
    };
    let entity = match token.entity {
        Some(id) => {
            let entity = identity::find(call.names, id, view)?.filter(|entity| !entity.disabled);
            // The token of an entity that is disabled or gone may do nothing.
            Some(entity.ok_or_else(|| Refusal::invalid(otherwise))?)
        }
        None => None,
    };
    let brought = entity.as_ref().map(|entity| policies_of(entity, call.tables)).unwrap_or_default();
    let policies: Vec<String> = token.policies.into_iter().chain(brought).collect();
    let facts = entity.map(|entity| facts_of(&entity, call.tables)).unwrap_or_default();
    Ok(call.tables.acl(&policies, &facts))
}

fn describe(ask: &Ask, acl: &Acl) -> Result<Step, Refusal> {
    let mut data = Map::new();
    for path in paths(ask)? {
        let words: Vec<&str> = match acl.capabilities(&path) {
            None => vec!["root"],
            Some(granted) => granted.into_iter().map(|capability| capability.word()).collect(),
        };
        data.insert("capabilities".to_owned(), json!(words));
        data.insert(path, json!(words));
    }
    Ok(Step::answer(Reply::data(&data)?))
}

/// Reads the paths, which stock clients send as a list or as one text with commas.
fn paths(ask: &Ask) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::invalid(format!("'paths' must be a list of 1 to {PATHS_MAX} paths"));
    let paths: Vec<String> = match ask.paths.as_ref().or(ask.path.as_ref()) {
        Some(Value::String(text)) => text.split(',').map(|path| path.trim().to_owned()).collect(),
        Some(Value::Array(list)) => {
            list.iter().map(|path| path.as_str().map(str::to_owned)).collect::<Option<_>>().ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    let fits = (1..=PATHS_MAX).contains(&paths.len()) && paths.iter().all(|path| !path.is_empty());
    if fits { Ok(paths) } else { Err(wrong()) }
}
