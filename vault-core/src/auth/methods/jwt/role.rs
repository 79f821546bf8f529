//! `role/<name>`: what a token must say, and what its bearer gets.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::roles;
use crate::auth::parameters::{TokenAsk, TokenParameters};
use crate::engines::{Call, Change, Step};
use crate::field::{Texts, span};
use crate::record_format;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::view::{Interrupt, View};

const ROLE_VERSION: u8 = 1;

/// Metadata that the method itself writes.
const RESERVED_METADATA: &str = "role";

/// How a login reaches the role.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum RoleType {
    /// A token is shown.
    Jwt,
    /// The provider's web pages are visited.
    Oidc,
}

/// A length of time in seconds as Vault's leeways have it: zero for the default, below zero for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Leeway(i64);

impl Leeway {
    /// Gives the seconds.
    pub(super) const fn seconds(self, default: i64) -> i64 {
        match self.0 {
            0 => default,
            set if set < 0 => 0,
            set => set,
        }
    }
}

/// What is stored of a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) role_type: RoleType,
    pub(super) bound_audiences: Vec<String>,
    pub(super) bound_subject: String,
    /// A JSON object: for each claim, or JSON pointer to one, a value or a list of values.
    bound_claims: String,
    pub(super) bound_claims_glob: bool,
    pub(super) claim_mappings: BTreeMap<String, String>,
    pub(super) user_claim: String,
    pub(super) user_claim_json_pointer: bool,
    pub(super) groups_claim: String,
    pub(super) clock_skew_leeway: Leeway,
    pub(super) expiration_leeway: Leeway,
    pub(super) not_before_leeway: Leeway,
    pub(super) allowed_redirect_uris: Vec<String>,
    pub(super) oidc_scopes: Vec<String>,
    pub(super) max_age_seconds: u64,
    pub(super) tokens: TokenParameters,
}

#[derive(Deserialize)]
struct Ask {
    role_type: Option<String>,
    bound_audiences: Option<Texts>,
    bound_subject: Option<String>,
    bound_claims: Option<Map<String, Value>>,
    bound_claims_type: Option<String>,
    claim_mappings: Option<BTreeMap<String, String>>,
    user_claim: Option<String>,
    user_claim_json_pointer: Option<bool>,
    groups_claim: Option<String>,
    clock_skew_leeway: Option<Value>,
    expiration_leeway: Option<Value>,
    not_before_leeway: Option<Value>,
    allowed_redirect_uris: Option<Texts>,
    oidc_scopes: Option<Texts>,
    max_age: Option<Value>,
    verbose_oidc_logging: Option<bool>,
    #[serde(flatten)]
    tokens: TokenAsk,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            role_type: RoleType::Oidc,
            bound_audiences: Vec::new(),
            bound_subject: String::new(),
            bound_claims: "{}".to_owned(),
            bound_claims_glob: false,
            claim_mappings: BTreeMap::new(),
            user_claim: String::new(),
            user_claim_json_pointer: false,
            groups_claim: String::new(),
            clock_skew_leeway: Leeway::default(),
            expiration_leeway: Leeway::default(),
            not_before_leeway: Leeway::default(),
            allowed_redirect_uris: Vec::new(),
            oidc_scopes: Vec::new(),
            max_age_seconds: 0,
            tokens: TokenParameters::default(),
        }
    }
}

impl Role {
    /// Gives the values that claims must have.
    ///
    /// # Errors
    /// Refuses with an internal error if the record is damaged.
    pub(super) fn bound_claims(&self) -> Result<Map<String, Value>, Refusal> {
        serde_json::from_str(&self.bound_claims).map_err(|error| Refusal::internal(format!("bound claims: {error}")))
    }
}

/// Reads a role; `None` if there is none.
pub(super) fn load(call: &Call<'_>, name: &str, view: &mut View) -> Result<Option<Role>, Interrupt> {
    let row = view.entry(&roles::slot(call.mount, call.names, name))?;
    Ok(row.map(|row| record_format::decode(ROLE_VERSION, &row.payload)).transpose()?)
}

pub(super) fn read(call: &Call<'_>, view: &mut View, _: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let role = load(call, call.capture("name"), view)?.ok_or_else(Refusal::missing)?;
    let mut data = json!({
        "role_type": match role.role_type { RoleType::Jwt => "jwt", RoleType::Oidc => "oidc" },
        "bound_audiences": role.bound_audiences,
        "bound_subject": role.bound_subject,
        "bound_claims": role.bound_claims()?,
        "bound_claims_type": if role.bound_claims_glob { "glob" } else { "string" },
        "claim_mappings": role.claim_mappings,
        "user_claim": role.user_claim,
        "user_claim_json_pointer": role.user_claim_json_pointer,
        "groups_claim": role.groups_claim,
        "clock_skew_leeway": role.clock_skew_leeway.0,
        "expiration_leeway": role.expiration_leeway.0,
        "not_before_leeway": role.not_before_leeway.0,
        "allowed_redirect_uris": role.allowed_redirect_uris,
        "oidc_scopes": role.oidc_scopes,
        "max_age": role.max_age_seconds,
        "verbose_oidc_logging": false,
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
    check(&role)?;
    let payload = record_format::encode(ROLE_VERSION, &role)?;
    let slot = roles::slot(call.mount, call.names, name);
    Ok(Step::commit(Reply::Empty, vec![Change::Put { slot, payload }]))
}

fn apply(role: &mut Role, ask: Ask) -> Result<(), Refusal> {
    if ask.verbose_oidc_logging == Some(true) {
        return Err(Refusal::invalid("verbose_oidc_logging is not supported: it would write tokens into the log"));
    }
    match ask.role_type.as_deref() {
        None => {}
        Some("jwt") => role.role_type = RoleType::Jwt,
        Some("oidc" | "") => role.role_type = RoleType::Oidc,
        Some(_) => return Err(Refusal::invalid("role_type: it is neither 'jwt' nor 'oidc'")),
    }
    match ask.bound_claims_type.as_deref() {
        None => {}
        Some("string" | "") => role.bound_claims_glob = false,
        Some("glob") => role.bound_claims_glob = true,
        Some(_) => return Err(Refusal::invalid("bound_claims_type: it is neither 'string' nor 'glob'")),
    }
    let lists = [
        (&mut role.bound_audiences, ask.bound_audiences),
        (&mut role.allowed_redirect_uris, ask.allowed_redirect_uris),
        (&mut role.oidc_scopes, ask.oidc_scopes),
    ];
    for (list, asked) in lists {
        if let Some(asked) = asked {
            *list = asked.into_list();
        }
    }
    let texts = [
        (&mut role.bound_subject, ask.bound_subject),
        (&mut role.user_claim, ask.user_claim),
        (&mut role.groups_claim, ask.groups_claim),
    ];
    for (text, asked) in texts {
        if let Some(asked) = asked {
            *text = asked;
        }
    }
    let leeways = [
        ("clock_skew_leeway", ask.clock_skew_leeway, &mut role.clock_skew_leeway),
        ("expiration_leeway", ask.expiration_leeway, &mut role.expiration_leeway),
        ("not_before_leeway", ask.not_before_leeway, &mut role.not_before_leeway),
    ];
    for (field, asked, setting) in leeways {
        if let Some(asked) = asked {
            *setting = leeway(field, &asked)?;
        }
    }
    if let Some(claims) = ask.bound_claims {
        role.bound_claims = Value::Object(claims).to_string();
    }
    if let Some(age) = ask.max_age {
        role.max_age_seconds = span("max_age", Some(&age))?.0;
    }
    role.claim_mappings = ask.claim_mappings.unwrap_or_else(|| std::mem::take(&mut role.claim_mappings));
    role.user_claim_json_pointer = ask.user_claim_json_pointer.unwrap_or(role.user_claim_json_pointer);
    role.tokens.apply(ask.tokens)
}

/// Reads a leeway: a length of time, or below zero for none.
fn leeway(field: &str, value: &Value) -> Result<Leeway, Refusal> {
    let below_zero = match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number < 0),
        Value::String(text) => text.strip_prefix('-').is_some_and(|rest| rest.parse::<u32>().is_ok_and(|n| n > 0)),
        _ => false,
    };
    if below_zero {
        return Ok(Leeway(-1));
    }
    let seconds = span(field, Some(value))?.0;
    // Longer than a day is no clock that is off, it is a mistake.
    if seconds > 86_400 {
        return Err(Refusal::invalid(format!("{field}: it is longer than a day")));
    }
    Ok(Leeway(i64::try_from(seconds).unwrap_or(0)))
}

/// Checks a role as a whole.
fn check(role: &Role) -> Result<(), Refusal> {
    if role.user_claim.is_empty() {
        return Err(Refusal::invalid("a user claim must be defined on the role"));
    }
    let bound_claims = role.bound_claims()?;
    for (claim, value) in &bound_claims {
        check_bound(claim, value, role.bound_claims_glob)?;
    }
    let mut targets: Vec<&String> = role.claim_mappings.values().collect();
    targets.sort_unstable();
    if targets.iter().any(|target| *target == RESERVED_METADATA || target.is_empty()) {
        return Err(Refusal::invalid("claim_mappings: metadata may be named neither 'role' nor nothing"));
    }
    if targets.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Refusal::invalid("claim_mappings: two claims are mapped to the same metadata"));
    }
    match role.role_type {
        RoleType::Oidc if role.allowed_redirect_uris.is_empty() => {
            let text = "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.";
            Err(Refusal::invalid(text))
        }
        RoleType::Oidc => Ok(()),
        RoleType::Jwt => {
            let bound = !role.bound_audiences.is_empty()
                || !role.bound_subject.is_empty()
                || !bound_claims.is_empty()
                || !role.tokens.bound_cidrs.is_empty();
            let text = "must have at least one bound constraint when creating/updating a role";
            if bound { Ok(()) } else { Err(Refusal::invalid(text)) }
        }
    }
}

/// Checks the values of one bound claim: plain ones, at least one, and texts where they are patterns.
fn check_bound(claim: &str, value: &Value, glob: bool) -> Result<(), Refusal> {
    let one = std::slice::from_ref(value);
    let values = value.as_array().map_or(one, Vec::as_slice);
    let plain = |value: &Value| value.is_string() || (!glob && (value.is_boolean() || value.is_number()));
    if values.is_empty() || !values.iter().all(plain) {
        return Err(Refusal::invalid(format!("bound_claims: {claim:?} needs a value or a list of values")));
    }
    Ok(())
}
