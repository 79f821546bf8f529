//! What is stored of a token.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Cidr, Issuers, Kind, TokenId};
use crate::engines::Change;
use crate::id::{EntityId, MountId};
use crate::names::Slot;
use crate::record_format;
use crate::refusal::Refusal;
use crate::secret::SecretBytes;
use crate::time::{Span, Timestamp};

const VERSION: u8 = 4;
const VERSION_BEFORE_ISSUERS: u8 = 3;
const VERSION_BEFORE_MAKERS: u8 = 2;
const VERSION_BEFORE_IDENTITY: u8 = 1;

/// What a wrapping token wraps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wrapped {
    /// The path of the request whose reply is wrapped.
    pub creation_path: String,
    /// The accessor of a token in the reply; empty if there is none.
    pub accessor: String,
}

/// The record before tokens knew of entities and mounts.
#[derive(Deserialize)]
struct TokenBeforeIdentity {
    accessor: String,
    parent: Option<TokenId>,
    policies: Vec<String>,
    path: String,
    display_name: String,
    metadata: BTreeMap<String, String>,
    created_at: Timestamp,
    creation_ttl: Span,
    expires_at: Option<Timestamp>,
    explicit_max_ttl: Span,
    period: Span,
    uses_left: Option<u64>,
    renewable: bool,
    role: Option<String>,
    last_renewed_at: Option<Timestamp>,
    bound_cidrs: Vec<String>,
}

/// What is stored of a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// How it is kept; rows are those of service tokens.
    #[serde(skip)]
    pub kind: Kind,
    /// Names the token without being able to use it; empty for batch tokens, which nobody else can name.
    pub accessor: String,
    /// The token that made it; `None` for orphans.
    pub parent: Option<TokenId>,
    /// Policies in force.
    pub policies: Vec<String>,
    /// The path that made it, such as `auth/token/create`.
    pub path: String,
    /// What people see of it.
    pub display_name: String,
    /// Facts attached at creation.
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The time to live it was made with; zero without end.
    pub creation_ttl: Span,
    /// When it ends; `None` for a root token without end.
    pub expires_at: Option<Timestamp>,
    /// The end that no renewal passes; zero for the mount's.
    pub explicit_max_ttl: Span,
    /// Each renewal reaches this far; zero for tokens that are not periodic.
    pub period: Span,
    /// Uses left, this one included; `None` for as many as needed.
    pub uses_left: Option<u64>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// The role it was made by.
    pub role: Option<String>,
    /// When it was last renewed.
    pub last_renewed_at: Option<Timestamp>,
    /// Addresses it may be used from; empty for all.
    pub bound_cidrs: Vec<String>,
    /// The entity that it acts for.
    pub entity: Option<EntityId>,
    /// The auth method that made it, with which it dies; `None` for the token endpoints.
    pub mount: Option<MountId>,
    /// The life that no renewal passes, counted from its creation; zero for the mount's.
    pub max_ttl: Span,
    /// The SHA-256 of the client certificate that it was made for, in hexadecimal: only with it can it be renewed.
    pub certificate: Option<String>,
    /// What it wraps, if it is a wrapping token.
    pub wrapped: Option<Wrapped>,
    /// The entity of whoever made it, also where it descends from none: the first of a line in which each token made the next.
    /// Rows hold it behind the rest, as of version 3.
    #[serde(skip)]
    pub made_by: Option<EntityId>,
    /// Who handed its login out, or that of the token which began its line; `None` where nobody did. Rows hold it last, as of
    /// version 4.
    #[serde(skip)]
    pub issued_by: Option<Issuers>,
}

impl Token {
    /// Makes a token without end, without parent and without limits.
    pub fn new(accessor: String, policies: Vec<String>, now: Timestamp) -> Self {
        Self {
            kind: Kind::Service,
            accessor,
            parent: None,
            policies,
            path: String::new(),
            display_name: String::new(),
            metadata: BTreeMap::new(),
            created_at: now,
            creation_ttl: Span::ZERO,
            expires_at: None,
            explicit_max_ttl: Span::ZERO,
            period: Span::ZERO,
            uses_left: None,
            renewable: false,
            role: None,
            last_renewed_at: None,
            bound_cidrs: Vec::new(),
            entity: None,
            mount: None,
            max_ttl: Span::ZERO,
            certificate: None,
            wrapped: None,
            made_by: None,
            issued_by: None,
        }
    }

    /// Lays the entry out for storage.
    ///
    /// # Errors
    /// Refuses with an internal error if it cannot be written.
    pub fn encode(&self) -> Result<SecretBytes, Refusal> {
        record_format::encode(VERSION, &(self, self.made_by, &self.issued_by))
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// Refuses with an internal error if it is damaged or of an unknown version.
    pub fn decode(payload: &SecretBytes) -> Result<Self, Refusal> {
        let untold = Some(Issuers::UNTOLD);
        let (token, made_by, issued_by) = match record_format::version(payload) {
            Some(VERSION_BEFORE_IDENTITY) => {
                let old: TokenBeforeIdentity = record_format::decode(VERSION_BEFORE_IDENTITY, payload)?;
                (Self::from(old), None, untold)
            }
            Some(VERSION_BEFORE_MAKERS) => (record_format::decode(VERSION_BEFORE_MAKERS, payload)?, None, untold),
            Some(VERSION_BEFORE_ISSUERS) => {
                let (token, made_by) = record_format::decode(VERSION_BEFORE_ISSUERS, payload)?;
                (token, made_by, untold)
            }
            _ => record_format::decode(VERSION, payload)?,
        };
        Ok(Self { made_by, issued_by, ..token })
    }

    /// Tells whether the token has not ended at `now`.
    pub fn is_unexpired(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end) && self.uses_left != Some(0)
    }

    /// Gives the change that spends one use, if uses are limited. A token without uses left is dead; its row stays
    /// until it is collected with everything that belongs to it.
    pub(crate) fn spend(&self, slot: &Slot) -> Option<Change> {
        let left = self.uses_left?.saturating_sub(1);
        let spent = Self { uses_left: Some(left), ..self.clone() };
        Some(match spent.encode() {
            Ok(payload) => Change::Put { slot: slot.clone(), payload },
            Err(_) => Change::Delete { slot: slot.clone() },
        })
    }

    /// Tells whether the token may be used from an address.
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        self.bound_cidrs.is_empty()
            || self.bound_cidrs.iter().any(|cidr| Cidr::parse(cidr).is_some_and(|cidr| cidr.contains(address)))
    }
}

impl From<TokenBeforeIdentity> for Token {
    fn from(old: TokenBeforeIdentity) -> Self {
        Self {
            parent: old.parent,
            path: old.path,
            display_name: old.display_name,
            metadata: old.metadata,
            creation_ttl: old.creation_ttl,
            expires_at: old.expires_at,
            explicit_max_ttl: old.explicit_max_ttl,
            period: old.period,
            uses_left: old.uses_left,
            renewable: old.renewable,
            role: old.role,
            last_renewed_at: old.last_renewed_at,
            bound_cidrs: old.bound_cidrs,
            ..Self::new(old.accessor, old.policies, old.created_at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_from_before_issuers_does_not_tell_who_issued_its_login() {
        let token = Token { made_by: Some(EntityId([3; 16])), ..Token::new("a".to_owned(), Vec::new(), Timestamp(7)) };
        let old = record_format::encode(VERSION_BEFORE_ISSUERS, &(&token, token.made_by)).unwrap();
        let read = Token::decode(&old).unwrap();
        assert_eq!(read, Token { issued_by: Some(Issuers::UNTOLD), ..token });
        assert_eq!(Token::decode(&read.encode().unwrap()).unwrap(), read);
    }

    #[test]
    fn a_record_of_the_first_version_is_read() {
        // What version 1 wrote: a root token without end.
        let mut old = vec![VERSION_BEFORE_IDENTITY];
        let fields = ("a", None::<TokenId>, ["root"], "auth/token/root", "root");
        old.extend(postcard::to_allocvec(&fields.0).unwrap());
        old.extend(postcard::to_allocvec(&fields.1).unwrap());
        old.extend(postcard::to_allocvec(&fields.2.to_vec()).unwrap());
        old.extend(postcard::to_allocvec(&(fields.3, fields.4)).unwrap());
        let metadata = BTreeMap::from([("k", "v")]);
        old.extend(postcard::to_allocvec(&(metadata, Timestamp(7), Span(0), Some(Timestamp(9)))).unwrap());
        old.extend(postcard::to_allocvec(&(Span(1), Span(2), Some(3_u64), true, Some("role"))).unwrap());
        old.extend(postcard::to_allocvec(&(None::<Timestamp>, vec!["10.0.0.0/8"])).unwrap());
        let token = Token::decode(&SecretBytes::new(old)).unwrap();
        assert_eq!((token.accessor.as_str(), token.expires_at), ("a", Some(Timestamp(9))));
        assert_eq!((token.uses_left, token.role.as_deref(), token.entity), (Some(3), Some("role"), None));
        assert_eq!(token.issued_by, Some(Issuers::UNTOLD));
        assert_eq!(Token::decode(&token.encode().unwrap()).unwrap(), token);
    }
}
