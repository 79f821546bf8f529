//! `login`: one answer for every failure, each of them counted, and the use of a secret id spent in the batch that makes
//! the token.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;

use super::ROLE_NAME;
use super::role::{self, ID_LENGTH_BYTES_MAX, Role};
use super::secret_id::{self, SecretId};
use crate::auth::failures::Attempts;
use crate::auth::login::{self, Login, check_address};
use crate::auth::token::Issuers;
use crate::engines::{Call, Change, Step};
use crate::id::AppRoleId;
use crate::limits::FailedLogins;
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
    let attempts = Attempts::load_role(call, &role_id, view)?;
    if attempts.is_locked() {
        return Err(wrong("locked out after too many failures from this source").into());
    }
    let known = role::by_role_id(call, &role_id, view)?.map(|role| role.name);
    let failed = FailedLogins::load(call, known.as_deref(), view)?;
    let (wrong, changes) = match (admit(call, &role_id, &shown, view)?, failed.reached(call, wrong(""))) {
        (Admission::Admitted { .. }, Some(refusal)) => (refusal, Vec::new()),
        (Admission::Refused { changes, .. }, Some(refusal)) => (refusal, changes),
        (Admission::Admitted { role, secret, changes }, None) => {
            let mut forgotten = attempts.succeeded()?;
            forgotten.extend(changes);
            return grant(call, *role, secret, forgotten, view, rng);
        }
        (Admission::Refused { wrong, changes }, None) => (wrong, changes),
    };
    // Whatever was wrong leaves the same trace, so that the time that it takes tells nothing.
    let mut counted = attempts.failed()?;
    counted.extend(changes);
    counted.extend(failed.failed(call)?);
    Ok(Step::refuse(wrong, counted))
}

/// What comes of a role id and a secret id.
enum Admission {
    Admitted { role: Box<Role>, secret: Option<SecretId>, changes: Vec<Change> },
    Refused { wrong: Refusal, changes: Vec<Change> },
}

impl Admission {
    fn refused(why: &str) -> Self {
        Self::Refused { wrong: wrong(why), changes: Vec::new() }
    }
}

/// Judges a role id and a secret id, and gives the changes that spend the latter.
fn admit(call: &Call<'_>, role_id: &str, shown: &SecretText, view: &mut View) -> Result<Admission, Interrupt> {
    let role = role::by_role_id(call, role_id, view)?;
    // A row is looked for in any case, so that the time does not tell which half was wrong.
    let key = role.as_ref().map_or(AppRoleId([0; 16]), |role| role.key);
    let found = secret_id::load(secret_id::slot(call, key, shown), view)?;
    let Some(mut role) = role else { return Ok(Admission::refused("unknown role id")) };
    let allowed = |cidrs: &[String]| check_address(call, cidrs).is_ok();
    if !allowed(&role.secret_id_bound_cidrs) || !allowed(&role.parameters.bound_cidrs) {
        return Ok(Admission::refused("the role does not allow the address"));
    }
    if !role.bind_secret_id {
        return Ok(Admission::Admitted { role: Box::new(role), secret: None, changes: Vec::new() });
    }
    let Some(found) = found.filter(|_| !shown.is_empty()) else {
        return Ok(Admission::refused("unknown secret id"));
    };
    if !found.record.is_live(call.now) {
        let changes = found.remove(call, role.key);
        return Ok(Admission::Refused { wrong: wrong("the secret id has ended"), changes });
    }
    if !allowed(&found.record.cidrs) {
        return Ok(Admission::refused("the secret id does not allow the address"));
    }
    if !found.record.token_cidrs.is_empty() {
        // The role may have become narrower since the secret id was made.
        let mut cidrs = found.record.token_cidrs.clone();
        cidrs.retain(|cidr| secret_id::is_within(cidr, &role.parameters.bound_cidrs));
        if cidrs.is_empty() || !allowed(&cidrs) {
            return Ok(Admission::refused("the secret id's tokens do not allow the address"));
        }
        role.parameters.bound_cidrs = cidrs;
    }
    let secret = Some(found.record.clone());
    let changes = found.spend(call, role.key)?;
    Ok(Admission::Admitted { role: Box::new(role), secret, changes })
}

fn grant(
    call: &Call<'_>,
    role: Role,
    secret: Option<SecretId>,
    changes: Vec<Change>,
    view: &mut View,
    rng: &mut dyn CryptoRng,
) -> Result<Step, Interrupt> {
    // Without a secret id whoever has read the role id logs in.
    let issued_by = secret.as_ref().map_or(Issuers::UNKNOWN, |secret| secret.issued_by.clone());
    let mut metadata = secret.map(|secret| secret.metadata).unwrap_or_default();
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
        parameters: role.parameters,
        certificate: None,
        issued_by: Some(issued_by),
    };
    login::grant(call, login, changes, view, rng)
}
