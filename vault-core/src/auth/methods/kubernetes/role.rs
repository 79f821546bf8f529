//! `role/<name>`: which service accounts may come in, and what they get.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::roles;
use crate::auth::parameters::{TokenAsk, TokenParameters};
use crate::engines::{Call, Change, Step};
use crate::field::Texts;
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

const ROLE_VERSION: u8 = 1;

/// What an account is called in the vault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) enum AliasSource {
    /// Its unique id, which a new account of the same name does not get.
    #[default]
    Uid,
    /// Its namespace and name.
    Name,
}

/// What is stored of a role.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Role {
    /// Patterns of names; never empty.
    pub(super) names: Vec<String>,
    /// Patterns of namespaces; never empty.
    pub(super) namespaces: Vec<String>,
    /// What the token must be made for; empty for the cluster's own API.
    pub(super) audience: String,
    pub(super) alias_source: AliasSource,
    pub(super) tokens: TokenParameters,
}

#[derive(Deserialize)]
struct Ask {
    bound_service_account_names: Option<Texts>,
    bound_service_account_namespaces: Option<Texts>,
    bound_service_account_namespace_selector: Option<String>,
    audience: Option<String>,
    alias_name_source: Option<String>,
    #[serde(flatten)]
    tokens: TokenAsk,
}

/// Reads a role; `None` if there is none.
pub(super) fn load(call: &Call<'_>, name: &str, view: &mut View) -> Result<Option<Role>, Interrupt> {
    let row = view.entry(&roles::slot(call.mount, call.names, name))?;
    Ok(row.map(|row| record_format::decode(ROLE_VERSION, &row.payload)).transpose()?)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = load(call, call.capture("name"), view)?.ok_or_else(Refusal::missing)?;
    let mut data = json!({
        "bound_service_account_names": role.names,
        "bound_service_account_namespaces": role.namespaces,
        "bound_service_account_namespace_selector": "",
        "audience": role.audience,
        "alias_name_source": match role.alias_source {
            AliasSource::Uid => "serviceaccount_uid",
            AliasSource::Name => "serviceaccount_name",
        },
    });
    if let Some(fields) = data.as_object_mut() {
        role.tokens.describe(fields);
    }
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let ask: Ask = call.request.parse()?;
    let name = call.capture("name");
    let mut role = load(call, name, view)?.unwrap_or_default();
    apply(&mut role, ask)?;
    let payload = record_format::encode(ROLE_VERSION, &role)?;
    let slot = roles::slot(call.mount, call.names, name);
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload }]))
}

fn apply(role: &mut Role, ask: Ask) -> Result<(), Refusal> {
    if ask.bound_service_account_namespace_selector.is_some_and(|selector| !selector.is_empty()) {
        let text = "bound_service_account_namespace_selector is not supported: name the namespaces";
        return Err(Refusal::invalid(text));
    }
    if let Some(names) = ask.bound_service_account_names {
        role.names = names.into_list();
    }
    if let Some(namespaces) = ask.bound_service_account_namespaces {
        role.namespaces = namespaces.into_list();
    }
    role.audience = ask.audience.unwrap_or_else(|| std::mem::take(&mut role.audience));
    match ask.alias_name_source.as_deref() {
        None => {}
        Some("serviceaccount_uid" | "") => role.alias_source = AliasSource::Uid,
        Some("serviceaccount_name") => role.alias_source = AliasSource::Name,
        Some(_) => {
            let text = "alias_name_source: it is neither 'serviceaccount_uid' nor 'serviceaccount_name'";
            return Err(Refusal::invalid(text));
        }
    }
    for (field, list) in
        [("bound_service_account_names", &role.names), ("bound_service_account_namespaces", &role.namespaces)]
    {
        if list.is_empty() {
            return Err(Refusal::invalid(format!("{field:?} can not be empty")));
        }
    }
    let all = |list: &[String]| list.iter().any(|pattern| pattern.chars().all(|c| c == '*'));
    if all(&role.names) && all(&role.namespaces) {
        let text = "'bound_service_account_names' and 'bound_service_account_namespaces' can not both be '*'";
        return Err(Refusal::invalid(text));
    }
    role.tokens.apply(ask.tokens)
}
