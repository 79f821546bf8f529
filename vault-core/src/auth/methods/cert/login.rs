//! `login`, and the renewal of what it made.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use rand_core::CryptoRng;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::chain::Shown;
use super::role::{self, Role};
use super::shown::Facts;
use super::{config, crl};
use crate::auth::login::{Login, check_address, grant};
use crate::auth::parameters::TokenParameters;
use crate::engines::{Call, Renewal, Step};
use crate::mounts::Mount;
use crate::refusal::Refusal;
use crate::view::{Interrupt, View};

/// Most reasons that the log gets of one login which tried many roles.
const REASONS_MAX: usize = 8;

#[derive(Deserialize)]
struct Ask {
    name: Option<String>,
}

/// Refuses with the one answer that a caller gets, whatever the reason.
fn refused(reason: impl Into<String>) -> Refusal {
    Refusal::invalid("invalid certificate or no client certificate supplied").with_private(reason)
}

pub(super) fn login(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let roles = candidates(call, ask.name.filter(|name| !name.is_empty()), view)?;
    let mut shown = Shown::read(&call.request.certificates, call.now).map_err(refused)?;
    let mut reasons = Vec::new();
    for role in &roles {
        match accepts(call, call.mount, role, &mut shown, view)? {
            Ok(()) => return enter(call, role, &shown, view, rng),
            Err(reason) => reasons.push(format!("role {}: {reason}", role.name)),
        }
    }
    reasons.truncate(REASONS_MAX);
    Err(refused(if reasons.is_empty() { "there is no such role".to_owned() } else { reasons.join("; ") }).into())
}

/// Reads the roles that may decide, in the order of their names.
fn candidates(call: &Call<'_>, name: Option<String>, view: &mut View) -> Result<Vec<Role>, Interrupt> {
    // Without a certificate no role is read: a stranger costs nothing.
    if call.request.certificates.is_empty() {
        return Err(refused("the connection has no client certificate").into());
    }
    if let Some(name) = name {
        return Ok(role::load(call.mount, call.names, &name, view)?.into_iter().collect());
    }
    let folder = role::folder(call.mount, call.names);
    let names: Vec<String> = view.list(&folder)?.to_vec();
    let slots: Vec<_> = names.iter().map(|name| call.names.entry(&folder, name)).collect();
    view.prefetch(&slots);
    let mut roles = Vec::with_capacity(names.len());
    for name in &names {
        roles.extend(role::load(call.mount, call.names, name, view)?);
    }
    Ok(roles)
}

/// Checks what was shown against a role. The inner error says why it does not fit.
fn accepts<'a>(
    call: &Call<'_>,
    mount: &Mount,
    role: &'a Role,
    shown: &mut Shown<'a>,
    view: &mut View,
) -> Result<Result<(), String>, Interrupt> {
    if let Err(reason) = role.constraints.check(&shown.facts) {
        return Ok(Err(reason));
    }
    let mut last = "the role trusts no certificate".to_owned();
    for trusted in &role.certificates {
        match shown.check(&trusted.der, &trusted.subject) {
            Err(reason) => last = reason,
            Ok(links) => match crl::check(mount, call.names, &links, call.now, view)? {
                Ok(()) => return Ok(Ok(())),
                Err(reason) => last = reason,
            },
        }
    }
    Ok(Err(last))
}

fn enter(
    call: &Call<'_>,
    role: &Role,
    shown: &Shown<'_>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    check_address(call, &role.tokens.bound_cidrs).map_err(|_| refused("logins from this address are not allowed"))?;
    let settings = config::load(call.mount, call.names, view)?;
    let metadata = metadata(role, &shown.facts);
    let alias_name = alias_name(&shown.facts).ok_or_else(|| refused("the certificate names nobody"))?;
    let login = Login {
        alias_name,
        alias_metadata: if settings.enable_identity_alias_metadata { metadata.clone() } else { BTreeMap::new() },
        groups: None,
        display_name: role.display_name.clone(),
        metadata,
        role: Some(role.name.clone()),
        parameters: role.tokens.clone(),
        certificate: Some(fingerprint(shown.own())),
        issued_by: None,
    };
    grant(call, login, Vec::new(), view, rng)
}

/// Chooses the name of the alias: the common name, or for certificates without one, such as those of SPIFFE, their only URI.
fn alias_name(facts: &Facts) -> Option<String> {
    match (facts.common_name.as_str(), facts.uris.as_slice()) {
        ("", [uri]) if !uri.is_empty() => Some(uri.clone()),
        ("", _) => None,
        (name, _) => Some(name.to_owned()),
    }
}

fn metadata(role: &Role, facts: &Facts) -> BTreeMap<String, String> {
    let extensions = role.allowed_metadata_extensions.iter();
    let chosen = extensions.filter_map(|oid| Some((oid.replace('.', "-"), facts.extension_text(oid)?)));
    let mut metadata: BTreeMap<String, String> = chosen.collect();
    let own = [
        ("cert_name", &role.name),
        ("common_name", &facts.common_name),
        ("serial_number", &facts.serial_decimal),
        ("subject_key_id", &facts.subject_key_id),
        ("authority_key_id", &facts.authority_key_id),
    ];
    metadata.extend(own.map(|(name, value)| (name.to_owned(), value.clone())));
    metadata
}

fn fingerprint(certificate: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(certificate))
}

/// Checks that a token may live on: its role is there, gives the same policies and, unless the binding is off, accepts the
/// certificate that the token was made for, which the connection must show again.
pub(super) fn check_renewal(renewal: &Renewal<'_>, view: &mut View) -> Result<(), Interrupt> {
    let Renewal { call, mount, token } = *renewal;
    let gone = || refused("the role that made the token is gone");
    let name = token.role.as_deref().ok_or_else(gone)?;
    let settings = config::load(mount, call.names, view)?;
    let role = role::load(mount, call.names, name, view)?.ok_or_else(gone)?;
    if policies(&role.tokens) != token.policies.iter().map(String::as_str).collect() {
        return Err(refused("the policies of the role have changed").into());
    }
    if settings.disable_binding {
        return Ok(());
    }
    let mut shown = Shown::read(&call.request.certificates, call.now).map_err(refused)?;
    if token.certificate.as_deref() != Some(fingerprint(shown.own()).as_str()) {
        return Err(refused("the token was made for another certificate").into());
    }
    accepts(call, mount, &role, &mut shown, view)?.map_err(|reason| refused(reason).into())
}

fn policies(parameters: &TokenParameters) -> BTreeSet<&str> {
    let default = (!parameters.no_default_policy).then_some("default");
    parameters.policies.iter().map(String::as_str).chain(default).collect()
}
