//! `roles/`: prepared settings under which others may make tokens.

use std::collections::BTreeSet;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Call, Step};
use crate::auth::parameters::checked_cidrs;
use crate::auth::token::TokenType;
use crate::engines::Change;
use crate::field::{Texts, span};
use crate::glob::matches_any;
use crate::names::{Domain, Folder, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::secret::SecretBytes;
use crate::time::Span;
use crate::view::{Interrupt, View};

const ROLE_VERSION: u8 = 3;
const ROLE_VERSION_BEFORE_TOKEN_TYPES: u8 = 2;
const ROLE_VERSION_BEFORE_ENTITY_ALIASES: u8 = 1;

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
    /// Entity aliases that tokens may be made for, in lower case; `*` stands for any text.
    pub(super) allowed_entity_aliases: Vec<String>,
    /// Which kind of tokens it makes. Rows hold it behind the rest, as of version 3.
    #[serde(skip)]
    pub(super) token_type: TokenType,
}

/// The record before roles knew of entity aliases: the same without the last field.
#[derive(Serialize, Deserialize)]
struct RoleBeforeEntityAliases {
    name: String,
    allowed_policies: Vec<String>,
    allowed_policies_glob: Vec<String>,
    disallowed_policies: Vec<String>,
    disallowed_policies_glob: Vec<String>,
    orphan: bool,
    renewable: bool,
    path_suffix: String,
    explicit_max_ttl: Span,
    period: Span,
    uses: u64,
    no_default_policy: bool,
    bound_cidrs: Vec<String>,
}

impl From<RoleBeforeEntityAliases> for Role {
    fn from(old: RoleBeforeEntityAliases) -> Self {
        Self {
            name: old.name,
            allowed_policies: old.allowed_policies,
            allowed_policies_glob: old.allowed_policies_glob,
            disallowed_policies: old.disallowed_policies,
            disallowed_policies_glob: old.disallowed_policies_glob,
            orphan: old.orphan,
            renewable: old.renewable,
            path_suffix: old.path_suffix,
            explicit_max_ttl: old.explicit_max_ttl,
            period: old.period,
            uses: old.uses,
            no_default_policy: old.no_default_policy,
            bound_cidrs: old.bound_cidrs,
            allowed_entity_aliases: Vec::new(),
            token_type: TokenType::Default,
        }
    }
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
            allowed_entity_aliases: Vec::new(),
            token_type: TokenType::Default,
        }
    }

    fn decode(payload: &SecretBytes) -> Result<Self, Refusal> {
        if record_format::version(payload) == Some(ROLE_VERSION_BEFORE_ENTITY_ALIASES) {
            let old: RoleBeforeEntityAliases = record_format::decode(ROLE_VERSION_BEFORE_ENTITY_ALIASES, payload)?;
            return Ok(old.into());
        }
        if record_format::version(payload) == Some(ROLE_VERSION_BEFORE_TOKEN_TYPES) {
            return record_format::decode(ROLE_VERSION_BEFORE_TOKEN_TYPES, payload);
        }
        let (mut role, token_type): (Self, TokenType) = record_format::decode(ROLE_VERSION, payload)?;
        role.token_type = token_type;
        Ok(role)
    }

    fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(ROLE_VERSION, &(self, self.token_type))
    }

    /// Refuses batch tokens with what only service tokens can have.
    fn check_batch(&self) -> Result<(), Refusal> {
        if !self.token_type.prefers_batch() {
            return Ok(());
        }
        // A request to a role that only prefers batch tokens can ask for a service token, which may be renewed and die
        // with its parent.
        let always = self.token_type == TokenType::Batch;
        let faults = [
            (always && !self.orphan, "non-orphan tokens"),
            (!self.period.is_zero(), "periodic tokens"),
            (always && self.renewable, "renewable tokens"),
            (always && !self.explicit_max_ttl.is_zero(), "tokens with an explicit max TTL"),
            (self.uses > 0, "tokens with limited use count"),
        ];
        match faults.into_iter().find(|(is_there, _)| *is_there) {
            None => Ok(()),
            Some((_, what)) => Err(Refusal::invalid(format!(
                "'token_type' cannot be 'batch' or 'default-batch' when role is set to generate {what}"
            ))),
        }
    }

    /// Tells whether the role lets tokens be made for an entity alias, given in lower case.
    pub(super) fn allows_alias(&self, alias: &str) -> bool {
        matches_any(&self.allowed_entity_aliases, alias)
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
    Ok(Role::decode(&row.payload)?)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("role");
    let row = view.entry(&slot(call, name))?.ok_or_else(Refusal::missing)?;
    let role = Role::decode(&row.payload)?;
    let data = json!({
        "name": role.name,
        "allowed_policies": role.allowed_policies,
        "allowed_policies_glob": role.allowed_policies_glob,
        "disallowed_policies": role.disallowed_policies,
        "disallowed_policies_glob": role.disallowed_policies_glob,
        "allowed_entity_aliases": Some(&role.allowed_entity_aliases).filter(|aliases| !aliases.is_empty()),
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
        "token_type": role.token_type.word_at_last(),
    });
    Ok(Step::answer(Reply::data(&data)?))
}

pub(super) fn write(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let name = call.capture("role");
    let ask: Ask = call.request.parse()?;
    let slot = slot(call, name);
    let mut role = match view.entry(&slot)? {
        Some(row) => Role::decode(&row.payload)?,
        None => Role::new(&name.to_lowercase()),
    };
    apply(&mut role, ask)?;
    let payload = role.encode()?;
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload }]))
}

fn apply(role: &mut Role, ask: Ask) -> Result<(), Refusal> {
    if let Some(word) = &ask.token_type {
        role.token_type = TokenType::parse(word)?;
    }
    let lower = |texts: Texts| texts.into_list().into_iter().map(|name| name.to_lowercase()).collect();
    let lists = [
        (&mut role.allowed_policies, ask.allowed_policies),
        (&mut role.allowed_policies_glob, ask.allowed_policies_glob),
        (&mut role.disallowed_policies, ask.disallowed_policies),
        (&mut role.disallowed_policies_glob, ask.disallowed_policies_glob),
        (&mut role.allowed_entity_aliases, ask.allowed_entity_aliases),
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
    role.check_batch()
}

pub(super) fn delete(call: &Call<'_>, _: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let slot = slot(call, call.capture("role"));
    Ok(Step::commit(Reply::Empty, vec![Change::Delete { slot }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_first_version_is_read() {
        let old = RoleBeforeEntityAliases {
            name: "r".to_owned(),
            allowed_policies: vec!["a".to_owned()],
            allowed_policies_glob: Vec::new(),
            disallowed_policies: Vec::new(),
            disallowed_policies_glob: vec!["b*".to_owned()],
            orphan: true,
            renewable: false,
            path_suffix: String::new(),
            explicit_max_ttl: Span(1),
            period: Span(2),
            uses: 3,
            no_default_policy: true,
            bound_cidrs: vec!["10.0.0.0/8".to_owned()],
        };
        let payload = record_format::encode(ROLE_VERSION_BEFORE_ENTITY_ALIASES, &old).unwrap();
        let role = Role::decode(&payload).unwrap();
        assert_eq!((role.name.as_str(), role.uses, role.bound_cidrs.len()), ("r", 3, 1));
        assert!(!role.allows_alias("anybody") && !role.allows_alias(""));
        let typed = Role { token_type: TokenType::DefaultBatch, ..role.clone() };
        assert_eq!(Role::decode(&typed.encode().unwrap()).unwrap(), typed);
        let untyped = record_format::encode(ROLE_VERSION_BEFORE_TOKEN_TYPES, &typed).unwrap();
        assert_eq!(Role::decode(&untyped).unwrap(), role);
    }
}
