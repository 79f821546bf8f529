//! What a role or a user says of the tokens that a login makes: the `token_*` fields that all auth methods share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::token::{Cidr, TokenType};
use crate::field::{self, Texts};
use crate::refusal::Refusal;
use crate::time::Span;

/// Settings of the tokens that a login makes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
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
    /// Which kind they are of.
    pub token_type: TokenType,
}

/// The settings as records hold them. `flags` stands where `no_default_policy` alone once stood: bit 0 is that, the
/// bits above it count the token type, which is 0 in every older record.
#[derive(Serialize, Deserialize)]
struct Stored {
    ttl: Span,
    max_ttl: Span,
    explicit_max_ttl: Span,
    period: Span,
    policies: Vec<String>,
    flags: Flags,
    uses: u64,
    bound_cidrs: Vec<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Flags {
    no_default_policy: bool,
    token_type: TokenType,
}

impl From<Flags> for u8 {
    fn from(flags: Flags) -> Self {
        Self::from(flags.no_default_policy) | ((flags.token_type as Self) << 1)
    }
}

impl TryFrom<u8> for Flags {
    type Error = &'static str;

    fn try_from(byte: u8) -> Result<Self, Self::Error> {
        let token_type = TokenType::ALL.get(usize::from(byte >> 1)).ok_or("the flags are none")?;
        Ok(Self { no_default_policy: byte & 1 == 1, token_type: *token_type })
    }
}

impl From<Stored> for TokenParameters {
    fn from(stored: Stored) -> Self {
        Self {
            ttl: stored.ttl,
            max_ttl: stored.max_ttl,
            explicit_max_ttl: stored.explicit_max_ttl,
            period: stored.period,
            policies: stored.policies,
            no_default_policy: stored.flags.no_default_policy,
            uses: stored.uses,
            bound_cidrs: stored.bound_cidrs,
            token_type: stored.flags.token_type,
        }
    }
}

impl From<TokenParameters> for Stored {
    fn from(parameters: TokenParameters) -> Self {
        Self {
            ttl: parameters.ttl,
            max_ttl: parameters.max_ttl,
            explicit_max_ttl: parameters.explicit_max_ttl,
            period: parameters.period,
            policies: parameters.policies,
            flags: Flags { no_default_policy: parameters.no_default_policy, token_type: parameters.token_type },
            uses: parameters.uses,
            bound_cidrs: parameters.bound_cidrs,
        }
    }
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
        if let Some(word) = &ask.token_type {
            self.token_type = TokenType::parse(word)?;
        }
        if let Some(value) = &ask.token_no_default_policy {
            self.no_default_policy = field::flag("token_no_default_policy", value)?;
        }
        if let Some(value) = &ask.token_num_uses {
            self.uses = field::count("token_num_uses", value)?;
        }
        self.check_batch()
    }

    /// Refuses batch tokens with what only service tokens can have.
    fn check_batch(&self) -> Result<(), Refusal> {
        let text = "'token_type' cannot be 'batch' or 'default-batch' when set to generate";
        match self {
            Self { token_type, .. } if !token_type.prefers_batch() => Ok(()),
            Self { period, .. } if !period.is_zero() => Err(Refusal::invalid(format!("{text} periodic tokens"))),
            Self { uses: 0, .. } => Ok(()),
            Self { .. } => Err(Refusal::invalid(format!("{text} tokens with limited use count"))),
        }
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
            "token_type": self.token_type.word(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize)]
    struct BeforeTokenTypes {
        spans: [Span; 4],
        policies: Vec<String>,
        no_default_policy: bool,
        uses: u64,
        bound_cidrs: Vec<String>,
    }

    #[test]
    fn a_record_from_before_token_types_is_read() {
        for no_default_policy in [false, true] {
            let (policies, bound_cidrs) = (vec!["a".to_owned()], vec!["10.0.0.0/8".to_owned()]);
            let spans = [1, 2, 3, 4].map(Span);
            let old = BeforeTokenTypes { spans, policies, no_default_policy, uses: 300, bound_cidrs };
            let read: TokenParameters = postcard::from_bytes(&postcard::to_allocvec(&old).unwrap()).unwrap();
            assert_eq!((read.no_default_policy, read.token_type), (no_default_policy, TokenType::Default));
            assert_eq!((read.uses, read.period, read.bound_cidrs.len()), (300, Span(4), 1));
        }
    }

    #[test]
    fn records_keep_the_token_type() {
        for token_type in TokenType::ALL {
            let parameters = TokenParameters { token_type, no_default_policy: true, ..TokenParameters::default() };
            let bytes = postcard::to_allocvec(&parameters).unwrap();
            assert_eq!(postcard::from_bytes::<TokenParameters>(&bytes).unwrap(), parameters);
        }
    }

    proptest! {
        #[test]
        fn unknown_flags_are_refused(byte: u8) {
            match Flags::try_from(byte) {
                Ok(flags) => prop_assert_eq!(u8::from(flags), byte),
                Err(_) => prop_assert!(byte >= 10),
            }
        }
    }
}
