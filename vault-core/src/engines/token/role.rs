//! `roles/`: prepared settings under which others may make tokens.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Call, Step};
use crate::auth::parameters::{check_type, checked_cidrs};
use crate::engines::Change;
use crate::field::{Texts, matches_glob, span};
use crate::names::{Domain, Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::time::Span;
use crate::view::{Interrupt, View};

const ROLE_VERSION: u8 = 1;

/// What is stored of a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) allowed_policies: Vec<String>,
    pub(super) allowed_policies_glob: Vec<String>,
    pub(super) disallowed_policies: Vec<String>,
    pub(super) disallowed_policies_glob: Vec<String>,
    pub(super) orphan: bool,
    pub(super) renewable: bool,
    pub(super) path_suffix: String,
    pub(super) explicit_max_ttl: Span,
    pub(super) period: Span,
    pub(super) uses: u64,
    pub(super) no_default_policy: bool,
    pub(super) bound_cidrs: Vec<String>,
}

#[derive(Deserialize)]
struct Ask {
    allowed_policies: Option<Texts>,
    allowed_policies_glob: Option<Texts>,
    disallowed_policies: Option<Texts>,
    disallowed_policies_glob: Option<Texts>,
    orphan: Option<bool>,
    renewable: Option<bool>,
    path_suffix: Option<String>,
    token_explicit_max_ttl: Option<Value>,
    explicit_max_ttl: Option<Value>,
    token_period: Option<Value>,
    period: Option<Value>,
    token_num_uses: Option<u64>,
    token_no_default_policy: Option<bool>,
    token_bound_cidrs: Option<Texts>,
    bound_cidrs: Option<Texts>,
    token_type: Option<String>,
    allowed_entity_aliases: Option<Texts>,
}

impl Role {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            allowed_policies: Vec::new(),
            allowed_policies_glob: Vec::new(),
            disallowed_policies: Vec::new(),
            disallowed_policies_glob: Vec::new(),
            orphan: false,
            renewable: true,
            path_suffix: String::new(),
            explicit_max_ttl: Span::ZERO,
            period: Span::ZERO,
            uses: 0,
            no_default_policy: false,
            bound_cidrs: Vec::new(),
        }
    }

    /// Tells whether the role says which policies its tokens may have, whoever makes them.
    pub(super) fn limits_policies(&self) -> bool {
        !self.allowed_policies.is_empty() || !self.allowed_policies_glob.is_empty()
    }

    /// Chooses among the allowed policies: what is asked, or all that are named.
    pub(super) fn choose(&self, asked: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
        if asked.is_empty() {
            return Ok(self.allowed_policies.iter().cloned().collect());
        }
        let allowed = |name: &String| {
            name == "default" || self.allowed_policies.contains(name) || matches_any(&self.allowed_policies_glob, name)
        };
        match asked.iter().find(|name| !allowed(name)) {
            None => Ok(asked.clone()),
            Some(name) => Err(Refusal::invalid(format!("policy {name:?} is not among the role's allowed policies"))),
        }
    }

    /// Checks that no policy is one that the role forbids.
    pub(super) fn check_disallowed(&self, policies: &BTreeSet<String>) -> Result<(), Refusal> {
        let forbidden = |name: &&String| {
            self.disallowed_policies.contains(name) || matches_any(&self.disallowed_policies_glob, name)
        };
        match policies.iter().find(forbidden) {
            None => Ok(()),
            Some(name) => Err(Refusal::invalid(format!("token policy {name:?} is disallowed by the role"))),
        }
    }
}

/// Tells whether a name matches one of the patterns, in which `*` stands for any text.
fn matches_any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches_glob(pattern, name))
}

/// Finds the folder of all roles.
pub(super) fn folder(names: &Names) -> Folder {
    names.root(Domain::System, "token-roles")
}

fn slot(call: &Call<'_>, name: &str) -> Slot {
    call.names.entry(&folder(call.names), &name.to_lowercase())
}

/// Reads a role that is there.
pub(super) fn load(call: &Call<'_>, name: &str, view: &mut View) -> Result<Role, Interrupt> {
    let row = view.entry(&slot(call, name))?;
    let row = row.ok_or_else(|| Refusal::invalid(format!("unknown role {name}")))?;
    Ok(record_format::decode(ROLE_VERSION, &row.payload)?)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("role");
    let row = view.entry(&slot(call, name))?.ok_or_else(Refusal::missing)?;
    let role: Role = record_format::decode(ROLE_VERSION, &row.payload)?;
    let data = json!({
        "name": role.name,
        "allowed_policies": role.allowed_policies,
        "allowed_policies_glob": role.allowed_policies_glob,
        "disallowed_policies": role.disallowed_policies,
        "disallowed_policies_glob": role.disallowed_policies_glob,
        "allowed_entity_aliases": null,
        "orphan": role.orphan,
        "renewable": role.renewable,
        "path_suffix": role.path_suffix,
        "explicit_max_ttl": role.explicit_max_ttl.0,
        "period": role.period.0,
        "token_explicit_max_ttl": role.explicit_max_ttl.0,
        "token_period": role.period.0,
        "token_num_uses": role.uses,
        "token_no_default_policy": role.no_default_policy,
        "token_bound_cidrs": role.bound_cidrs,
        "token_type": "default-service",
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("role");
    let ask: Ask = call.request.parse()?;
    let slot = slot(call, name);
    let mut role = match view.entry(&slot)? {
        Some(row) => record_format::decode(ROLE_VERSION, &row.payload)?,
        None => Role::new(&name.to_lowercase()),
    };
    apply(&mut role, ask)?;
    let payload = record_format::encode(ROLE_VERSION, &role)?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload }]))
}

fn apply(role: &mut Role, ask: Ask) -> Result<(), Refusal> {
    if ask.allowed_entity_aliases.is_some_and(|aliases| !aliases.into_list().is_empty()) {
        return Err(Refusal::invalid("entity aliases are not supported yet: leave allowed_entity_aliases out"));
    }
    check_type(ask.token_type.as_deref())?;
    let lower = |texts: Texts| texts.into_list().into_iter().map(|name| name.to_lowercase()).collect();
    let lists = [
        (&mut role.allowed_policies, ask.allowed_policies),
        (&mut role.allowed_policies_glob, ask.allowed_policies_glob),
        (&mut role.disallowed_policies, ask.disallowed_policies),
        (&mut role.disallowed_policies_glob, ask.disallowed_policies_glob),
    ];
    for (list, asked) in lists {
        if let Some(asked) = asked {
            *list = lower(asked);
        }
    }
    if let Some(cidrs) = ask.token_bound_cidrs.or(ask.bound_cidrs) {
        role.bound_cidrs = checked_cidrs("token_bound_cidrs", cidrs)?;
    }
    if let Some(value) = ask.token_explicit_max_ttl.or(ask.explicit_max_ttl) {
        role.explicit_max_ttl = span("token_explicit_max_ttl", Some(&value))?;
    }
    if let Some(value) = ask.token_period.or(ask.period) {
        role.period = span("token_period", Some(&value))?;
    }
    role.orphan = ask.orphan.unwrap_or(role.orphan);
    role.renewable = ask.renewable.unwrap_or(role.renewable);
    role.path_suffix = ask.path_suffix.unwrap_or_else(|| std::mem::take(&mut role.path_suffix));
    role.uses = ask.token_num_uses.unwrap_or(role.uses);
    role.no_default_policy = ask.token_no_default_policy.unwrap_or(role.no_default_policy);
    Ok(())
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let slot = slot(call, call.capture("role"));
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot }]))
}
