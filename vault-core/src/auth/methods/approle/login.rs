//! `login`: one answer for every failure, and the use of a secret id spent in the batch that makes the token.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;

use super::ROLE_NAME;
use super::role::{self, ID_LENGTH_BYTES_MAX, Role};
use super::secret_id::{self, SecretId};
use crate::auth::login::{self, Login, check_address};
use crate::engines::{Call, Step};
use crate::id::AppRoleId;
use crate::refusal::Refusal;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    role_id: Option<String>,
    secret_id: Option<SecretText>,
}

/// Refuses a login; what went wrong is for the log only.
fn wrong(why: &str) -> Refusal {
    Refusal::invalid("invalid role or secret ID").with_private(why)
}

pub(super) fn login(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let role_id = ask.role_id.filter(|id| !id.is_empty()).ok_or_else(|| Refusal::invalid("missing role_id"))?;
    let shown = ask.secret_id.unwrap_or_else(|| SecretText::new(String::new()));
    if role_id.len() > ID_LENGTH_BYTES_MAX || shown.expose().len() > ID_LENGTH_BYTES_MAX {
        return Err(wrong("no role id or secret id is as long").into());
    }
    let role = role::by_role_id(call, &role_id, view)?;
    // A row is looked for in any case, so that the time does not tell which half was wrong.
    let key = role.as_ref().map_or(AppRoleId([0; 16]), |role| role.key);
    let found = secret_id::load(secret_id::slot(call, key, &shown), view)?;
    let role = role.ok_or_else(|| wrong("unknown role id"))?;
    check_address(call, &role.secret_id_bound_cidrs).map_err(|_| wrong("the role does not allow the address"))?;
    if !role.bind_secret_id {
        return grant(call, role, None, Vec::new(), view, rng);
    }
    let found = found.filter(|_| !shown.is_empty()).ok_or_else(|| wrong("unknown secret id"))?;
    if !found.record.is_live(call.now) {
        return Ok(Step::refuse(wrong("the secret id has ended"), found.remove(call, role.key)));
    }
    check_address(call, &found.record.cidrs).map_err(|_| wrong("the secret id does not allow the address"))?;
    let record = found.record.clone();
    let spent = found.spend(call, role.key)?;
    grant(call, role, Some(record), spent, view, rng)
}

fn grant(
    call: &Call<'_>,
    role: Role,
    secret: Option<SecretId>,
    changes: Vec<crate::engines::Change>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    check_address(call, &role.parameters.bound_cidrs).map_err(|_| wrong("the role does not allow the address"))?;
    let mut parameters = role.parameters;
    let mut metadata = BTreeMap::new();
    if let Some(secret) = secret {
        metadata = secret.metadata;
        if !secret.token_cidrs.is_empty() {
            // The role may have become narrower since the secret id was made.
            let mut cidrs = secret.token_cidrs;
            cidrs.retain(|cidr| secret_id::is_within(cidr, &parameters.bound_cidrs));
            if cidrs.is_empty() || check_address(call, &cidrs).is_err() {
                return Err(wrong("the secret id's tokens do not allow the address").into());
            }
            parameters.bound_cidrs = cidrs;
        }
    }
    // Last, so that no metadata of a secret id passes for it.
    metadata.insert(ROLE_NAME.to_owned(), role.name.clone());
    let login = Login {
        alias_name: role.role_id,
        // What a secret id says belongs to its tokens alone: it must not change what the role's other tokens may do.
        alias_metadata: BTreeMap::from([(ROLE_NAME.to_owned(), role.name.clone())]),
        groups: None,
        display_name: String::new(),
        metadata,
        role: Some(role.name),
        parameters,
        certificate: None,
    };
    login::grant(call, login, changes, view, rng)
}
