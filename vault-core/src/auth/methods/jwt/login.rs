//! `login`: shows a signed token.

use rand_core::CryptoRng;
use serde::Deserialize;

use super::super::roles;
use super::claims::{Expected, admit};
use super::config;
use super::keys::{denied, unfit, verify};
use super::role::{self, RoleType};
use crate::auth::login::{check_address, grant};
use crate::engines::{Call, Step};
use crate::refusal::Refusal;
use crate::secret::SecretText;
use crate::view::{Interrupt, View};

#[derive(Deserialize)]
struct Ask {
    role: Option<String>,
    jwt: Option<SecretText>,
}

pub(super) fn login(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    admitted(call, view, rng).map_err(unfit)
}

fn admitted(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let token = ask.jwt.filter(|token| !token.is_empty()).ok_or_else(|| Refusal::invalid("missing token"))?;
    let config = config::load(call, view)?.ok_or_else(|| denied("the auth method has no settings"))?;
    let name = roles::chosen(ask.role, &config.default_role)?;
    let role = role::load(call, &name, view)?.ok_or_else(|| denied(format!("there is no role {name:?}")))?;
    if role.role_type != RoleType::Jwt {
        return Err(denied(format!("the role {name:?} is for logins by way of the provider")).into());
    }
    check_address(call, &role.tokens.bound_cidrs)?;
    let (claims, issuer) = verify(&config, token.expose(), view)?;
    let login = admit(&claims, role, &name, &Expected { issuer, ..Expected::default() }, call.now)?;
    grant(call, login, Vec::new(), view, rng)
}
