//! `create`, `create-orphan` and `create/<role>`.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::Value;

use super::role::{self, Role};
use super::{Call, Step};
use crate::auth::login::{KnownAs, enter, issue};
use crate::auth::policies_of;
use crate::auth::token::lifetime::{self, Bounds, Life};
use crate::auth::token::{self, DESCENT_MAX, Issuers, Kind, Token, TokenId, TokenType, draw_accessor};
use crate::engines::Change;
use crate::field::span;
use crate::identity::Entity;
use crate::refusal::{Class, Refusal};
use crate::reply::{Content, Grant, Reply};
use crate::secret::SecretText;
use crate::time::Span;
use crate::view::{Interrupt, View};

/// Bounds of what people may attach to a token.
const METADATA_KEYS_MAX: usize = 64;
const POLICIES_MAX: usize = 256;
const TEXT_LENGTH_BYTES_MAX: usize = 512;

#[derive(Deserialize)]
struct Ask {
    id: Option<SecretText>,
    #[serde(default)]
    policies: Vec<String>,
    meta: Option<BTreeMap<String, String>>,
    #[serde(default)]
    no_parent: bool,
    #[serde(default)]
    no_default_policy: bool,
    renewable: Option<bool>,
    ttl: Option<Value>,
    lease: Option<Value>,
    explicit_max_ttl: Option<Value>,
    period: Option<Value>,
    display_name: Option<String>,
    #[serde(default)]
    num_uses: u64,
    #[serde(rename = "type")]
    kind: Option<String>,
    entity_alias: Option<String>,
}

pub(super) fn child(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    create(call, None, false, view, rng)
}

pub(super) fn orphan(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    create(call, None, true, view, rng)
}

pub(super) fn by_role(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = role::load(call, call.capture("role"), view)?;
    create(call, Some(role), false, view, rng)
}

fn create(
    call: &Call<'_>,
    role: Option<Role>,
    orphan: bool,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let sudo = call.has_sudo()?;
    check_bounds(&ask)?;
    check_powers(call, &ask, role.as_ref(), sudo)?;
    let orphan = orphan || ask.no_parent || role.as_ref().is_some_and(|role| role.orphan);
    if !orphan {
        check_descent(call, view)?;
    }
    let policies = policies(call, &ask, role.as_ref(), sudo)?;
    let mut changes = Vec::new();
    let entity = entity(call, &ask, role.as_ref(), orphan, &mut changes, view, rng)?;
    let (mut token, warnings) = describe(call, &ask, role.as_ref(), orphan, policies, rng)?;
    token.entity = entity.as_ref().map(|entity| entity.id);
    let text = match &ask.id {
        Some(id) if !id.is_empty() => {
            check_unused(call, id, view)?;
            changes.extend(token::store(call.names, &TokenId::of(id, call.token_ids), &token, view)?);
            id.copy()
        }
        _ => issue(call, &token, &mut changes, view, rng)?,
    };
    let brought = entity.as_ref().map(|entity| policies_of(entity, call.tables)).unwrap_or_default();
    let identity_policies: Vec<String> = brought.into_iter().collect();
    let grant = Grant { identity_policies, ..Grant::of(text, &token, token.creation_ttl) };
    let content = Content { auth: Some(grant), warnings, ..Content::default() };
    Ok(Step::commit(Reply::Content(content), changes))
}

/// Finds the entity that the new token acts for: that of the alias asked for, if the role allows it; else a token that
/// somebody makes for themselves acts for the same entity as theirs, and an orphan for none.
fn entity(
    call: &Call<'_>,
    ask: &Ask,
    role: Option<&Role>,
    orphan: bool,
    changes: &mut Vec<Change>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Option<Entity>, Interrupt> {
    let Some(alias) = ask.entity_alias.as_deref().filter(|alias| !alias.is_empty()) else {
        return Ok(call.identity()?.entity().filter(|_| !orphan).cloned());
    };
    let role = role.ok_or_else(|| Refusal::invalid("'entity_alias' is only allowed in combination with token role"))?;
    let alias = alias.to_lowercase();
    if !role.allows_alias(&alias) || alias.chars().any(char::is_control) {
        return Err(Refusal::invalid("invalid 'entity_alias' value").into());
    }
    let entity = enter(call, &KnownAs { name: &alias, metadata: None, groups: &None }, changes, view, rng)?;
    if entity.disabled {
        let refusal = Refusal::new(Class::Denied, "entity from the given entity alias is disabled");
        return Err(refusal.into());
    }
    Ok(Some(entity))
}

/// Checks that no token has the text that somebody chose. One that is drawn has 190 random bits and meets none.
fn check_unused(call: &Call<'_>, chosen: &SecretText, view: &mut View) -> Result<(), Interrupt> {
    let slot = TokenId::of(chosen, call.token_ids).slot(call.names);
    match view.entry(&slot)? {
        None => Ok(()),
        Some(_) => Err(Refusal::invalid("cannot create a token with a duplicate ID").into()),
    }
}

fn check_bounds(ask: &Ask) -> Result<(), Refusal> {
    let too_long = |text: &String| text.len() > TEXT_LENGTH_BYTES_MAX || text.chars().any(char::is_control);
    let metadata = ask.meta.iter().flatten();
    if ask.policies.len() > POLICIES_MAX
        || ask.meta.as_ref().is_some_and(|meta| meta.len() > METADATA_KEYS_MAX)
        || ask.policies.iter().any(too_long)
        || ask.display_name.iter().any(too_long)
        || metadata.clone().any(|(key, value)| too_long(key) || too_long(value))
    {
        return Err(Refusal::invalid(format!(
            "at most {POLICIES_MAX} policies and {METADATA_KEYS_MAX} metadata keys of printable text up to \
             {TEXT_LENGTH_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// Checks what only some may ask for.
fn check_powers(call: &Call<'_>, ask: &Ask, role: Option<&Role>, sudo: bool) -> Result<(), Refusal> {
    let own = call.identity()?.token();
    if own.kind == Kind::Batch {
        return Err(Refusal::invalid("batch tokens cannot create more tokens"));
    }
    if own.uses_left.is_some() {
        return Err(Refusal::invalid("restricted use token cannot generate child tokens"));
    }
    if let Some(id) = ask.id.as_ref().filter(|id| !id.is_empty()) {
        if !sudo {
            return Err(Refusal::invalid("root or sudo privileges required to specify token id"));
        }
        let id = id.expose();
        if id.len() > TEXT_LENGTH_BYTES_MAX || id.contains('.') || id.chars().any(|c| c.is_control() || c == ' ') {
            return Err(Refusal::invalid("a token id of your own must be printable and hold no '.' and no space"));
        }
    }
    if ask.no_parent && !sudo {
        return Err(Refusal::invalid("root or sudo privileges required to create orphan token"));
    }
    if span("period", ask.period.as_ref())?.is_zero() || sudo || role.is_some_and(|role| !role.period.is_zero()) {
        Ok(())
    } else {
        Err(Refusal::invalid("root or sudo privileges required to create periodic token"))
    }
}

/// Checks that the new token would not descend from too many others.
fn check_descent(call: &Call<'_>, view: &mut View) -> Result<(), Interrupt> {
    let mut ancestor = call.identity()?.token().parent.clone();
    let mut descent = 1;
    while let Some(id) = ancestor {
        descent += 1;
        if descent >= DESCENT_MAX {
            return Err(Refusal::invalid(format!(
                "a token can descend from at most {DESCENT_MAX} others: make an orphan with create-orphan"
            ))
            .into());
        }
        ancestor = token::read(&id.slot(call.names), view)?.and_then(|(token, _)| token.parent);
    }
    Ok(())
}

/// Finds the policies of the new token, sorted and in lower case.
fn policies(call: &Call<'_>, ask: &Ask, role: Option<&Role>, sudo: bool) -> Result<Vec<String>, Refusal> {
    let own: BTreeSet<&str> = call.identity()?.token().policies.iter().map(String::as_str).collect();
    let asked: BTreeSet<String> = ask.policies.iter().map(|name| name.trim().to_lowercase()).collect();
    if asked.contains("") || asked.contains("response-wrapping") {
        return Err(Refusal::invalid("a policy name is empty or reserved"));
    }
    let limited = role.filter(|role| role.limits_policies());
    let mut policies = match limited {
        Some(role) => role.choose(&asked)?,
        None if asked.is_empty() => own.iter().map(|&name| name.to_owned()).collect(),
        None => asked,
    };
    if limited.is_none() && !sudo && !policies.iter().all(|name| own.contains(name.as_str())) {
        return Err(Refusal::invalid("child policies must be subset of parent"));
    }
    if let Some(role) = role {
        role.check_disallowed(&policies)?;
    }
    if policies.contains("root") {
        if !own.contains("root") {
            return Err(Refusal::invalid("root tokens may not be created without parent token being root"));
        }
        return Ok(vec!["root".to_owned()]);
    }
    if !ask.no_default_policy && !role.is_some_and(|role| role.no_default_policy) {
        policies.insert("default".to_owned());
    }
    if policies.is_empty() {
        return Err(Refusal::invalid("the token would have no policy at all"));
    }
    Ok(policies.into_iter().collect())
}

/// Puts the new token together, with what its owner should know.
fn describe(
    call: &Call<'_>,
    ask: &Ask,
    role: Option<&Role>,
    orphan: bool,
    policies: Vec<String>,
    rng: &mut dyn CryptoRng,
) -> Result<(Token, Vec<String>), Refusal> {
    let period = match role.map(|role| role.period).filter(|period| !period.is_zero()) {
        Some(period) => period,
        None => span("period", ask.period.as_ref())?,
    };
    let explicit =
        least(span("explicit_max_ttl", ask.explicit_max_ttl.as_ref())?, role.map(|role| role.explicit_max_ttl));
    let asked_ttl = span("ttl", ask.ttl.as_ref().or(ask.lease.as_ref()))?;
    let identity = call.identity()?;
    let parent = identity.token();
    let kind = kind(ask, role)?;
    let endless = policies == ["root"] && asked_ttl.is_zero() && period.is_zero() && explicit.is_zero();
    if endless && parent.expires_at.is_some() {
        return Err(Refusal::invalid("expiring root tokens cannot create non-expiring root tokens"));
    }
    let life = if endless {
        Life { ttl: Span::ZERO, capped: false }
    } else {
        lifetime::first(asked_ttl, period, explicit, Bounds::of(&call.mount.settings))
    };
    let uses = match (ask.num_uses, role.map_or(0, |role| role.uses)) {
        (0, role) => role,
        (asked, 0) => asked,
        (asked, role) => asked.min(role),
    };
    let name = ask.display_name.as_deref().filter(|name| !name.is_empty());
    let accessor = if kind == Kind::Batch { String::new() } else { draw_accessor(rng) };
    let token = Token {
        kind,
        parent: (!orphan).then(|| identity.token_id().clone()),
        path: path(call, role),
        display_name: name.map_or_else(|| "token".to_owned(), |name| format!("token-{name}")),
        metadata: ask.meta.clone().unwrap_or_default(),
        creation_ttl: life.ttl,
        expires_at: (!endless).then(|| call.now.after(life.ttl)),
        explicit_max_ttl: explicit,
        period,
        uses_left: (uses > 0).then_some(uses),
        renewable: kind == Kind::Service
            && !endless
            && ask.renewable.unwrap_or(true)
            && role.is_none_or(|role| role.renewable),
        role: role.map(|role| role.name.clone()),
        bound_cidrs: role.map(|role| role.bound_cidrs.clone()).unwrap_or_default(),
        // Whoever began a line of tokens made all of it, whomever those in between act for.
        made_by: parent.made_by.or_else(|| identity.entity().map(|entity| entity.id)),
        issued_by: Issuers::of(parent, call.tables),
        ..Token::new(accessor, policies, call.now)
    };
    let mut warnings = Vec::new();
    if life.capped {
        warnings.push(format!("TTL of the token was cut to {} seconds, the longest allowed", life.ttl.0));
    }
    Ok((token, warnings))
}

/// Chooses the kind of the new token. Its text is drawn or sealed, so that only service tokens can have one of their own.
fn kind(ask: &Ask, role: Option<&Role>) -> Result<Kind, Refusal> {
    let asked = match ask.kind.as_deref() {
        None | Some("" | "default") => None,
        Some("service") => Some(Kind::Service),
        Some("batch") => Some(Kind::Batch),
        Some(_) => return Err(Refusal::invalid("type is 'service' or 'batch'")),
    };
    let kind = role.map_or(TokenType::Default, |role| role.token_type).choose(asked);
    if kind == Kind::Batch && ask.id.as_ref().is_some_and(|id| !id.is_empty()) {
        return Err(Refusal::invalid("batch tokens cannot have an id of your own"));
    }
    Ok(kind)
}

fn path(call: &Call<'_>, role: Option<&Role>) -> String {
    match role.map(|role| role.path_suffix.as_str()).filter(|suffix| !suffix.is_empty()) {
        Some(suffix) => format!("{}/{suffix}", call.request.path),
        None => call.request.path.to_string(),
    }
}

fn least(asked: Span, role: Option<Span>) -> Span {
    match (asked, role.unwrap_or_default()) {
        (Span::ZERO, role) => role,
        (asked, Span::ZERO) => asked,
        (asked, role) => asked.min(role),
    }
}
