//! Checks what a verified token says against what a role wants.

use std::collections::BTreeMap;

use serde_json::Value;
use subtle::ConstantTimeEq;

use super::keys::denied;
use super::role::{Role, RoleType};
use crate::auth::login::Login;
use crate::glob;
use crate::jose::Claims;
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// Vault's defaults in seconds: for clocks that differ, and for the life of a token that does not say it itself.
const CLOCK_SKEW_DEFAULT: i64 = 60;
const LIFE_DEFAULT: i64 = 150;

/// Most audiences and values of a list that are looked at.
const VALUES_MAX: usize = 1_000;

/// What the way of the login adds to what the role wants.
#[derive(Default)]
pub(super) struct Expected<'a> {
    /// The issuer that the token must name, if one is known.
    pub(super) issuer: Option<String>,
    /// The client that a provider must have made the token for.
    pub(super) client_id: Option<&'a str>,
    /// The nonce that the provider was given.
    pub(super) nonce: Option<&'a str>,
}

/// Checks a token, and puts together who its bearer is.
///
/// # Errors
/// Denies with the first thing that does not fit, for the log.
pub(super) fn admit(
    claims: &Claims,
    role: Role,
    role_name: &str,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Login, Refusal> {
    check_times(claims, &role, now.unix_seconds())?;
    if let Some(issuer) = &expected.issuer
        && claims.get("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err(denied("the token is of another issuer"));
    }
    check_audience(claims, &role, expected.client_id)?;
    if let Some(nonce) = expected.nonce {
        let shown = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
        if !bool::from(shown.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(denied("the token has another nonce"));
        }
    }
    if !role.bound_subject.is_empty() && claims.get("sub").and_then(Value::as_str) != Some(&role.bound_subject) {
        return Err(denied("the token is of another subject"));
    }
    for (claim, wanted) in &role.bound_claims()? {
        check_bound(claims, claim, wanted, role.bound_claims_glob)?;
    }
    let user = if role.user_claim_json_pointer { claims.at(&role.user_claim) } else { claims.get(&role.user_claim) };
    let user = user.and_then(Value::as_str).filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| denied(format!("the claim {:?} is no text", role.user_claim)))?.to_owned();
    let mapped = mapped(claims, &role)?;
    let mut metadata = mapped.clone();
    metadata.insert("role".to_owned(), role_name.to_owned());
    Ok(Login {
        alias_name: user.clone(),
        alias_metadata: mapped,
        groups: groups(claims, &role.groups_claim)?,
        display_name: user,
        metadata,
        role: Some(role_name.to_owned()),
        parameters: role.tokens,
        certificate: None,
        issued_by: None,
    })
}

/// Checks the times as Vault does: of `exp`, `nbf` and `iat` at least one must be there, and what is missing follows from
/// what is there.
fn check_times(claims: &Claims, role: &Role, now: i64) -> Result<(), Refusal> {
    let [exp, nbf, iat] = ["exp", "nbf", "iat"].map(|name| time(claims, name));
    let (exp, nbf, iat) = (exp?, nbf?, iat?);
    let ends_at = match (exp, iat.max(nbf)) {
        (Some(exp), _) => exp,
        (None, Some(begin)) => begin.saturating_add(role.expiration_leeway.seconds(LIFE_DEFAULT)),
        (None, None) => return Err(denied("the token has none of exp, nbf and iat")),
    };
    let begin = ends_at.saturating_sub(role.not_before_leeway.seconds(LIFE_DEFAULT));
    let begins_at = nbf.or(iat).unwrap_or(begin);
    let skew = role.clock_skew_leeway.seconds(CLOCK_SKEW_DEFAULT);
    if now >= ends_at.saturating_add(skew) {
        return Err(denied("the token has expired"));
    }
    if begins_at > now.saturating_add(skew) {
        return Err(denied("the token is not valid yet"));
    }
    if iat.is_some_and(|iat| iat > now.saturating_add(skew)) {
        return Err(denied("the token was issued in the future"));
    }
    if role.role_type == RoleType::Oidc && role.max_age_seconds > 0 {
        let max_age = i64::try_from(role.max_age_seconds).unwrap_or(i64::MAX);
        let latest = time(claims, "auth_time")?.map(|time| time.saturating_add(max_age).saturating_add(skew));
        if latest.is_none_or(|latest| now > latest) {
            return Err(denied("the person showed the provider who they are too long ago"));
        }
    }
    Ok(())
}

/// Reads a NumericDate (RFC 7519 section 2): seconds since 1970, perhaps with a fraction. Zero and null are as good as
/// missing, and anything that is no time is refused.
fn time(claims: &Claims, name: &str) -> Result<Option<i64>, Refusal> {
    let seconds = match claims.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Some(_) => None,
    };
    match seconds {
        Some(0) => Ok(None),
        Some(seconds) if seconds > 0 => Ok(Some(seconds)),
        _ => Err(denied(format!("the claim {name:?} is no time"))),
    }
}

fn whole(seconds: f64) -> Option<i64> {
    // The range is checked, so the cast cuts off nothing but the fraction.
    let representable = (0.0..1e12).contains(&seconds);
    representable.then_some(seconds as i64)
}

/// Checks for whom the token was made. A token that names somebody needs a role, or a client, that is among them.
fn check_audience(claims: &Claims, role: &Role, client_id: Option<&str>) -> Result<(), Refusal> {
    let audience = match claims.get("aud") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => texts(value).ok_or_else(|| denied("the claim \"aud\" is neither text nor texts"))?,
    };
    if let Some(client_id) = client_id {
        if !audience.contains(&client_id) {
            return Err(denied("the token was made for another client"));
        }
        // OpenID Connect Core 1.0 section 3.1.3.7, steps 4 and 5.
        match claims.get("azp") {
            None if audience.len() == 1 => {}
            Some(Value::String(party)) if party == client_id => {}
            _ => return Err(denied("the token was made for several clients, or by way of another")),
        }
    }
    let wanted = &role.bound_audiences;
    if wanted.is_empty() && (audience.is_empty() || client_id.is_some()) {
        return Ok(());
    }
    let meets = audience.iter().any(|name| wanted.iter().any(|wanted| wanted == name));
    if meets { Ok(()) } else { Err(denied("the token has an audience that the role is not bound to, or none")) }
}

/// Checks one bound claim: one of its values must be one of those wanted.
fn check_bound(claims: &Claims, claim: &str, wanted: &Value, glob: bool) -> Result<(), Refusal> {
    let found = claims.at(claim).ok_or_else(|| denied(format!("the claim {claim:?} is missing")))?;
    let equal = |wanted: &Value, found: &Value| match (wanted, found) {
        (Value::String(wanted), Value::String(found)) if glob => glob::matches(wanted, found),
        (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => !glob && wanted == found,
        (Value::Number(wanted), Value::Number(found)) => !glob && wanted.as_f64() == found.as_f64(),
        _ => false,
    };
    let met = listed(found).iter().take(VALUES_MAX).any(|found| listed(wanted).iter().any(|w| equal(w, found)));
    if met { Ok(()) } else { Err(denied(format!("the claim {claim:?} has none of the values that the role wants"))) }
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Gives a text, or the texts of a list that holds nothing else.
fn texts(value: &Value) -> Option<Vec<&str>> {
    let values = listed(value);
    (values.len() <= VALUES_MAX).then_some(())?;
    values.iter().map(Value::as_str).collect()
}

fn groups(claims: &Claims, claim: &str) -> Result<Option<Vec<String>>, Refusal> {
    if claim.is_empty() {
        return Ok(None);
    }
    let found = claims.at(claim).ok_or_else(|| denied(format!("the claim {claim:?} with groups is missing")))?;
    let names = texts(found).ok_or_else(|| denied(format!("the claim {claim:?} holds no names of groups")))?;
    Ok(Some(names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()))
}

/// Takes metadata out of claims; a claim that is missing is left out, as in Vault.
fn mapped(claims: &Claims, role: &Role) -> Result<BTreeMap<String, String>, Refusal> {
    let mut metadata = BTreeMap::new();
    for (claim, name) in &role.claim_mappings {
        match claims.at(claim) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                metadata.insert(name.clone(), text.clone());
            }
            Some(_) => return Err(denied(format!("the claim {claim:?} is no text"))),
        }
    }
    Ok(metadata)
}
