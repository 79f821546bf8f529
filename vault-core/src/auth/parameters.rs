//! What a role or a user says of the tokens that a login makes: the `token_*` fields that all auth methods share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::token::Cidr;
use crate::field::{self, Texts};
use crate::refusal::Refusal;
use crate::time::Span;

/// Settings of the tokens that a login makes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TokenParameters {
    /// First time to live; zero for the mount's.
    pub ttl: Span,
    /// Longest life through renewals; zero for the mount's.
    pub max_ttl: Span,
    /// The end that no renewal passes; zero for none of its own.
    pub explicit_max_ttl: Span,
    /// Each renewal reaches this far; zero for tokens that are not periodic.
    pub period: Span,
    /// Policies of the tokens.
    pub policies: Vec<String>,
    /// Whether the policy `default` is left out.
    pub no_default_policy: bool,
    /// How often a token may be used; zero for as often as needed.
    pub uses: u64,
    /// Addresses that logins and tokens may come from; empty for all.
    pub bound_cidrs: Vec<String>,
}

/// The fields of a body that set them; left out, a setting stays as it is.
#[derive(Deserialize, Default)]
pub struct TokenAsk {
    token_ttl: Option<Value>,
    token_max_ttl: Option<Value>,
    token_explicit_max_ttl: Option<Value>,
    token_period: Option<Value>,
    token_policies: Option<Texts>,
    token_no_default_policy: Option<Value>,
    token_num_uses: Option<Value>,
    token_bound_cidrs: Option<Texts>,
    token_type: Option<String>,
    // Older names of some of them.
    ttl: Option<Value>,
    max_ttl: Option<Value>,
    period: Option<Value>,
    policies: Option<Texts>,
    bound_cidrs: Option<Texts>,
}

/// Most policies of one token.
const POLICIES_MAX: usize = 256;

impl TokenParameters {
    /// Takes over what is asked, checked.
    ///
    /// # Errors
    /// Refuses with the field that does not fit.
    pub fn apply(&mut self, ask: TokenAsk) -> Result<(), Refusal> {
        let spans = [
            ("token_ttl", ask.token_ttl.or(ask.ttl), &mut self.ttl),
            ("token_max_ttl", ask.token_max_ttl.or(ask.max_ttl), &mut self.max_ttl),
            ("token_explicit_max_ttl", ask.token_explicit_max_ttl, &mut self.explicit_max_ttl),
            ("token_period", ask.token_period.or(ask.period), &mut self.period),
        ];
        for (name, asked, setting) in spans {
            if let Some(value) = asked {
                *setting = field::span(name, Some(&value))?;
            }
        }
        if !self.max_ttl.is_zero() && self.ttl > self.max_ttl {
            return Err(Refusal::invalid("token_ttl is longer than token_max_ttl"));
        }
        if let Some(policies) = ask.token_policies.or(ask.policies) {
            self.policies = checked_policies(policies)?;
        }
        if let Some(cidrs) = ask.token_bound_cidrs.or(ask.bound_cidrs) {
            self.bound_cidrs = checked_cidrs("token_bound_cidrs", cidrs)?;
        }
        check_type(ask.token_type.as_deref())?;
        if let Some(value) = &ask.token_no_default_policy {
            self.no_default_policy = field::flag("token_no_default_policy", value)?;
        }
        if let Some(value) = &ask.token_num_uses {
            self.uses = field::count("token_num_uses", value)?;
        }
        Ok(())
    }

    /// Adds the fields to a description.
    pub fn describe(&self, into: &mut Map<String, Value>) {
        let fields = json!({
            "token_ttl": self.ttl.0,
            "token_max_ttl": self.max_ttl.0,
            "token_explicit_max_ttl": self.explicit_max_ttl.0,
            "token_period": self.period.0,
            "token_policies": self.policies,
            "token_no_default_policy": self.no_default_policy,
            "token_num_uses": self.uses,
            "token_bound_cidrs": self.bound_cidrs,
            "token_type": "default",
        });
        if let Value::Object(fields) = fields {
            into.extend(fields);
        }
    }
}

/// Checks names of policies that a token is to have; `root` is never among them.
///
/// # Errors
/// Refuses names that are empty, reserved or too many.
pub fn checked_policies(asked: Texts) -> Result<Vec<String>, Refusal> {
    let mut policies: Vec<String> = asked.into_list().iter().map(|name| name.to_lowercase()).collect();
    policies.sort_unstable();
    policies.dedup();
    if let Some(reserved) = policies.iter().find(|name| matches!(name.as_str(), "root" | "response-wrapping")) {
        return Err(Refusal::invalid(format!("policy {reserved:?} cannot be given to a login")));
    }
    if policies.len() > POLICIES_MAX {
        return Err(Refusal::invalid(format!("at most {POLICIES_MAX} policies")));
    }
    Ok(policies)
}

/// Checks ranges of addresses.
///
/// # Errors
/// Refuses with the one that is none.
pub fn checked_cidrs(name: &str, asked: Texts) -> Result<Vec<String>, Refusal> {
    let cidrs = asked.into_list();
    match cidrs.iter().find(|cidr| Cidr::parse(cidr).is_none()) {
        None => Ok(cidrs),
        Some(bad) => Err(Refusal::invalid(format!("{name}: {bad:?} is no range of addresses"))),
    }
}

/// Refuses kinds of tokens that are not made.
///
/// # Errors
/// Refuses everything but service tokens.
pub fn check_type(kind: Option<&str>) -> Result<(), Refusal> {
    match kind {
        None | Some("" | "service" | "default" | "default-service") => Ok(()),
        Some(_) => Err(Refusal::invalid("only tokens of type 'service' are made; batch tokens could not be revoked")),
    }
}
