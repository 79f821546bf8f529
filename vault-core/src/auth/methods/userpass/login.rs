//! `login/`: one answer for every failure, and as much work for a user who is not there as for one who is.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::Deserialize;

use super::user::{self, PASSWORD_LENGTH_BYTES_MAX, Password};
use super::{USERNAME, name};
use crate::auth::failures::Attempts;
use crate::auth::login::{self, Login};
use crate::engines::{Call, Step};
use crate::limits::FailedLogins;
use crate::refusal::Refusal;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    password: Option<SecretText>,
}

/// Refuses a login; what went wrong is for the log only.
fn wrong(why: &str) -> Refusal {
    Refusal::invalid("invalid username or password").with_private(why)
}

pub(super) fn login(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let shown = ask.password.filter(|shown| !shown.is_empty()).ok_or_else(|| Refusal::invalid("missing password"))?;
    let asked = call.capture(USERNAME);
    // Other ways to write a name count for the same user, but do not log in.
    let counted = asked.trim();
    if !name::is_valid(counted) || shown.expose().len() > PASSWORD_LENGTH_BYTES_MAX {
        return Err(wrong("no user can have such a name or password").into());
    }
    let name = name::canonical(counted)?;
    view.prefetch(&[user::slot(call.mount, call.names, &name)]);
    let attempts = Attempts::load(call, &name, view)?;
    if attempts.is_locked() {
        return Err(wrong("locked out after too many failures").into());
    }
    let known = user::load(call.mount, call.names, &name, view)?;
    let failed = FailedLogins::load(call, known.as_ref().map(|_| name.as_str()), view)?;
    let known = known.filter(|_| asked == counted);
    let nobody = Password::nobodys();
    let right = known.as_ref().map_or(&nobody, |user| &user.password).is(&shown, view)?;
    let refused = failed.reached(call, wrong(""));
    let mut user = match known {
        Some(user)
            if right && refused.is_none() && login::check_address(call, &user.parameters.bound_cidrs).is_ok() =>
        {
            user
        }
        known => {
            let why = if known.is_some() && right { "the address is not allowed" } else { "wrong user or password" };
            let mut changes = attempts.failed()?;
            changes.extend(failed.failed(call)?);
            return Ok(Step::refuse(refused.unwrap_or_else(|| wrong(why)), changes));
        }
    };
    let mut changes = attempts.succeeded()?;
    if user.password.is_outdated() {
        user.password = Password::new(call, &name, &shown, view)?;
        changes.push(user::put(call, &name, &user)?);
    }
    let facts = BTreeMap::from([(USERNAME.to_owned(), name.clone())]);
    let login = Login {
        alias_name: name.clone(),
        alias_metadata: facts.clone(),
        groups: None,
        display_name: name,
        metadata: facts,
        role: None,
        parameters: user.parameters,
        certificate: None,
        issued_by: None,
    };
    login::grant(call, login, changes, view, rng)
}
