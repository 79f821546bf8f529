//! Finds the keys of a mount's source, and verifies tokens with them.

use serde::Deserialize;

use super::config::{Config, Source};
use crate::jose::{Claims, KeySet, KeySetError, TokenError, Unverified, VerificationKey};
use crate::question::{Answer, HttpQuestion, Question};
use crate::refusal::{Class, Refusal};
use crate::view::{Interrupt, View};

/// How old a description of a provider, and its keys, may be: a key that was taken back is trusted no longer.
pub(super) const AGE_SECONDS: u64 = 300;

/// How old keys may be when a token's key is not among older ones. It bounds how often strangers, who can name any key,
/// make the server ask.
const AGE_SECONDS_MIN: u64 = 10;

/// The status of an answer with content.
const OK: u16 = 200;

/// What a provider says of itself (OpenID Connect Discovery 1.0 section 3), as far as it is used.
#[derive(Deserialize, Clone, Debug)]
pub(super) struct Discovery {
    pub(super) issuer: String,
    pub(super) jwks_uri: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Discovery {
    /// Asks a provider for its description.
    ///
    /// # Errors
    /// Stops until it has answered; denies if it cannot be had, or describes another issuer.
    pub(super) fn ask(url: &str, authorities: &str, age: u64, view: &mut View) -> Result<Self, Interrupt> {
        let address = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
        let body = get(&address, authorities, age, view)?;
        let found: Self = serde_json::from_slice(body).map_err(|error| denied(format!("{address}: {error}")))?;
        if found.issuer != url {
            return Err(denied(format!("{address} describes the issuer {:?}, not {url:?}", found.issuer)).into());
        }
        Ok(found)
    }
}

/// Asks for a key set.
///
/// # Errors
/// Stops until it is there; denies if it cannot be had.
pub(super) fn key_set(url: &str, authorities: &str, age: u64, view: &mut View) -> Result<KeySet, Interrupt> {
    let body = get(url, authorities, age, view)?;
    Ok(KeySet::parse(body).map_err(|error| denied(format!("{url}: {error}")))?)
}

fn get<'a>(url: &str, authorities: &str, age: u64, view: &'a mut View) -> Result<&'a [u8], Interrupt> {
    let question = HttpQuestion {
        url: url.to_owned(),
        authorities: authorities.to_owned(),
        authorization: None,
        body: None,
        age_seconds_max: age,
    };
    match view.ask(Question::Http(question))? {
        Answer::Http { status: OK, body } => Ok(body.expose()),
        Answer::Http { status, .. } => Err(denied(format!("{url} answers with status {status}")).into()),
        Answer::Failed(reason) => Err(denied(format!("{url}: {reason}")).into()),
        _ => Err(Refusal::internal("something else answers an HTTP question").into()),
    }
}

/// Verifies a token with the keys of the mount. Gives its claims, and the issuer that they must name, if one is known.
///
/// # Errors
/// Stops until keys are there; denies a token that none of them signed.
pub(super) fn verify(config: &Config, token: &str, view: &mut View) -> Result<(Claims, Option<String>), Interrupt> {
    let token = Unverified::parse(token).map_err(refused)?;
    let (url, authorities, issuer) = match &config.source {
        Source::Static(pems) => {
            let keys = pems.iter().map(|pem| VerificationKey::from_pem(pem)).collect::<Result<Vec<_>, KeySetError>>();
            let keys = keys.and_then(KeySet::of).map_err(|error| Refusal::internal(error.to_string()))?;
            return Ok((token.verify(&config.algorithms, &keys).map_err(refused)?, bound_issuer(config)));
        }
        Source::KeySet { url, authorities } => (url.clone(), authorities, None),
        Source::Discovery { url, authorities } => {
            let found = Discovery::ask(url, authorities, AGE_SECONDS, view)?;
            (found.jwks_uri, authorities, Some(found.issuer))
        }
    };
    let keys = key_set(&url, authorities, AGE_SECONDS, view)?;
    let claims = match token.verify(&config.algorithms, &keys) {
        Err(error) if error.may_be_stale_keys() => {
            let keys = key_set(&url, authorities, AGE_SECONDS_MIN, view)?;
            token.verify(&config.algorithms, &keys)
        }
        outcome => outcome,
    };
    Ok((claims.map_err(refused)?, bound_issuer(config).or(issuer)))
}

fn bound_issuer(config: &Config) -> Option<String> {
    (!config.bound_issuer.is_empty()).then(|| config.bound_issuer.clone())
}

fn refused(error: TokenError) -> Refusal {
    denied(error.to_string())
}

/// Turns a denial of a login into the answer that clients know of this auth method: a malformed request, whose text is
/// the same whatever did not fit.
pub(super) fn unfit(interrupt: Interrupt) -> Interrupt {
    match interrupt {
        Interrupt::Refuse(refusal) if refusal.class == Class::Denied => {
            Refusal::invalid("error validating token").with_private(refusal.private.unwrap_or(refusal.public)).into()
        }
        other => other,
    }
}

/// The one answer for whoever is not believed; the reason is for the log.
pub(super) fn denied(reason: impl Into<String>) -> Refusal {
    Refusal::denied().with_private(reason)
}
