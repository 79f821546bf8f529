//! The end of every login: the entity is found or made, and a token is made for it.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRng;

use super::parameters::TokenParameters;
use super::policies_of;
use super::token::lifetime::{self, Bounds};
use super::token::{self, Cidr, Issuers, Kind, Token, TokenId, draw_accessor, draw_token};
use crate::engines::{Call, Change, Step};
use crate::id::AliasId;
use crate::identity::{self, Alias, Entity};
use crate::refusal::Refusal;
use crate::reply::{Content, Grant, Reply};
use crate::secret::SecretText;
use crate::time::Span;
use crate::view::{Interrupt, View};

/// Longest name of an alias, and most groups that one login may claim.
const ALIAS_LENGTH_BYTES_MAX: usize = 512;
const GROUPS_MAX: usize = 1_000;

/// What an auth method found out about somebody whose evidence holds.
pub struct Login {
    /// What the mount calls them: a user's name, a role id.
    pub alias_name: String,
    /// What the mount says of them; templates of policies see it.
    pub alias_metadata: BTreeMap<String, String>,
    /// Names of the groups that they are in, for external groups; `None` leaves those of the last login.
    pub groups: Option<Vec<String>>,
    /// What people see of the token, after the mount's name.
    pub display_name: String,
    /// Facts attached to the token.
    pub metadata: BTreeMap<String, String>,
    /// The role that decided.
    pub role: Option<String>,
    /// What the token will be like.
    pub parameters: TokenParameters,
    /// The SHA-256 of the client certificate that the token is bound to, in hexadecimal.
    pub certificate: Option<String>,
    /// Who handed the evidence out; `None` for methods where it is its owner's alone.
    pub issued_by: Option<Issuers>,
}

/// Makes a token for somebody whose evidence holds. `changes` are committed with it, such as the spending of a secret id.
///
/// # Errors
/// Stops when something must be fetched first; refuses a caller from an address that the settings do not allow.
pub fn grant(
    call: &Call<'_>,
    login: Login,
    changes: Vec<Change>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    check_address(call, &login.parameters.bound_cidrs)?;
    let mut changes = changes;
    let known_as = KnownAs { name: &login.alias_name, metadata: Some(&login.alias_metadata), groups: &login.groups };
    let entity = enter(call, &known_as, &mut changes, view, rng)?;
    if entity.disabled {
        return Err(Refusal::denied().with_private("the entity is disabled").into());
    }
    let (token, warnings) = describe(call, login, &entity, rng);
    let text = issue(call, &token, &mut changes, view, rng)?;
    let identity_policies: Vec<String> = policies_of(&entity, call.tables).into_iter().collect();
    let content = Content {
        auth: Some(Grant { identity_policies, ..Grant::of(text, &token, token.creation_ttl) }),
        warnings,
        ..Content::default()
    };
    Ok(Step::commit(Reply::Content(content), changes))
}

/// Gives a new token its text: one that is drawn and whose row is added to `changes`, or one that carries the token.
///
/// # Errors
/// Stops when something must be fetched first; refuses what the token's kind cannot be.
pub(crate) fn issue(
    call: &Call<'_>,
    token: &Token,
    changes: &mut Vec<Change>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<SecretText, Interrupt> {
    match token.kind {
        Kind::Batch => Ok(call.batch_tokens.seal(token, rng)?),
        Kind::Service => {
            let text = draw_token(rng);
            changes.extend(token::store(call.names, &TokenId::of(&text, call.token_ids), token, view)?);
            Ok(text)
        }
    }
}

/// Checks that a caller comes from one of some ranges of addresses; none stand for all.
///
/// # Errors
/// Denies a caller from elsewhere.
pub fn check_address(call: &Call<'_>, cidrs: &[String]) -> Result<(), Refusal> {
    let address = call.request.remote.ip();
    let inside = |cidr: &String| Cidr::parse(cidr).is_some_and(|cidr| cidr.contains(address));
    if cidrs.is_empty() || cidrs.iter().any(inside) {
        Ok(())
    } else {
        Err(Refusal::denied().with_private("logins from this address are not allowed"))
    }
}

/// What the call's mount says of somebody.
pub(crate) struct KnownAs<'a> {
    /// What it calls them.
    pub(crate) name: &'a str,
    /// What it says of them; `None` leaves what it said last.
    pub(crate) metadata: Option<&'a BTreeMap<String, String>>,
    /// Names of their groups; `None` leaves those of the last login.
    pub(crate) groups: &'a Option<Vec<String>>,
}

/// Finds the entity of an alias at the call's mount, or makes it, and keeps the alias up to date.
///
/// # Errors
/// Stops when something must be fetched first; denies an alias without a name.
pub(crate) fn enter(
    call: &Call<'_>,
    login: &KnownAs<'_>,
    changes: &mut Vec<Change>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Entity, Interrupt> {
    if login.name.is_empty() || login.name.len() > ALIAS_LENGTH_BYTES_MAX {
        return Err(Refusal::denied().with_private("the alias's name is empty or too long").into());
    }
    let accessor = &call.mount.accessor;
    let slot = identity::alias_slot(call.names, accessor, login.name);
    let known = match identity::led(&slot, view)? {
        Some(id) => identity::find(call.names, id, view)?,
        None => None,
    };
    let mut groups: Option<Vec<String>> = login.groups.clone();
    if let Some(groups) = &mut groups {
        groups.sort_unstable();
        groups.dedup();
        groups.truncate(GROUPS_MAX);
    }
    // A row that leads to somebody whom the mount calls otherwise leads to nobody.
    let known = known.filter(|entity| entity.alias_at(accessor).is_some_and(|alias| alias.name == login.name));
    let before = known.clone();
    let mut entity = known.unwrap_or_else(|| Entity::unnamed(call.now, rng));
    if before.is_none() {
        changes.push(identity::lead(slot, entity.id));
        changes.push(identity::lead(identity::name_slot(call.names, &entity.name), entity.id));
    }
    match entity.aliases.iter_mut().find(|alias| alias.mount_accessor == *accessor) {
        Some(alias) => {
            alias.metadata = login.metadata.cloned().unwrap_or_else(|| std::mem::take(&mut alias.metadata));
            alias.groups = groups.unwrap_or_else(|| std::mem::take(&mut alias.groups));
        }
        None => {
            let alias = Alias {
                id: AliasId::random(rng),
                mount_accessor: accessor.clone(),
                name: login.name.to_owned(),
                metadata: login.metadata.cloned().unwrap_or_default(),
                custom_metadata: BTreeMap::new(),
                groups: groups.unwrap_or_default(),
                created_at: call.now,
                updated_at: call.now,
            };
            changes.push(identity::lead(identity::alias_id_slot(call.names, alias.id), entity.id));
            entity.aliases.push(alias);
        }
    }
    if before.as_ref() != Some(&entity) {
        changes.push(identity::store(call.names, &entity)?);
    }
    Ok(entity)
}

/// Puts the token together, with what its owner should know.
fn describe(call: &Call<'_>, login: Login, entity: &Entity, rng: &mut dyn CryptoRng) -> (Token, Vec<String>) {
    let parameters = login.parameters;
    let mut bounds = Bounds::of(&call.mount.settings);
    if !parameters.max_ttl.is_zero() {
        bounds.max_ttl = bounds.max_ttl.min(parameters.max_ttl);
        bounds.default_ttl = bounds.default_ttl.min(bounds.max_ttl);
    }
    let life = lifetime::first(parameters.ttl, parameters.period, parameters.explicit_max_ttl, bounds);
    let mut policies: BTreeSet<String> = parameters.policies.into_iter().collect();
    if !parameters.no_default_policy {
        policies.insert("default".to_owned());
    }
    let mount = call.mount.path.trim_start_matches("auth/").trim_end_matches('/');
    let kind = call.mount.settings.token_type.choose_at_login(parameters.token_type);
    let accessor = if kind == Kind::Batch { String::new() } else { draw_accessor(rng) };
    let token = Token {
        kind,
        path: call.request.path.as_str().trim_end_matches('/').to_owned(),
        display_name: [mount, &login.display_name].join("-").trim_end_matches('-').to_owned(),
        metadata: login.metadata,
        creation_ttl: life.ttl,
        expires_at: Some(call.now.after(life.ttl)),
        explicit_max_ttl: parameters.explicit_max_ttl,
        period: parameters.period,
        uses_left: (parameters.uses > 0).then_some(parameters.uses),
        renewable: kind == Kind::Service,
        role: login.role,
        bound_cidrs: parameters.bound_cidrs,
        entity: Some(entity.id),
        mount: Some(call.mount.id),
        max_ttl: bounds.max_ttl,
        certificate: login.certificate,
        issued_by: login.issued_by,
        ..Token::new(accessor, policies.into_iter().collect(), call.now)
    };
    let mut warnings = Vec::new();
    if life.capped && parameters.ttl > Span::ZERO {
        warnings.push(format!("TTL of the token was cut to {} seconds, the longest allowed", life.ttl.0));
    }
    (token, warnings)
}
