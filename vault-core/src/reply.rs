//! Replies in the terms of the Vault API, without HTTP: the edge gives them their status code and envelope.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::auth::token::{Kind, Token};
use crate::id::EntityId;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::time::{Span, Timestamp};

/// What a call answers.
pub enum Reply {
    /// Done, and there is nothing to say (204).
    Empty,
    /// An answer with content.
    Content(Content),
    /// The vault's content as a snapshot, which the edge streams.
    Snapshot(SnapshotPermit),
    /// The vault's content may be replaced by the snapshot in the body, which the edge has not read yet.
    Restore(RestorePermit),
    /// Nothing is there, and the content says what is known of it: KV version 2 answers a deleted version so.
    Gone(Content),
    /// Some or all items of a batch failed; the content has the outcome of each.
    Partial {
        /// The outcomes.
        content: Content,
        /// The number that the caller wants as the answer's status instead of that of a malformed request.
        asked_status: Option<u16>,
    },
    /// The answer is kept for whoever shows the wrapping token first.
    Wrapped(WrapInfo),
    /// A body of its own kind, without the envelope of the API.
    Raw {
        /// The body's media type.
        media_type: &'static str,
        /// The body.
        body: SecretBytes,
    },
}

/// A wrapping token as it is handed out.
pub struct WrapInfo {
    /// The wrapping token.
    pub token: SecretText,
    /// Names the wrapping token without being able to use it.
    pub accessor: String,
    /// How long it lives.
    pub ttl: Span,
    /// When it was made.
    pub created_at: Timestamp,
    /// The path of the request whose reply is wrapped.
    pub creation_path: String,
    /// The accessor of a token in the reply; empty if there is none.
    pub wrapped_accessor: String,
    /// Whether the request was held back, so that there is no reply yet.
    pub is_held: bool,
}

/// Permits to take one snapshot. Only a request that was approved and recorded comes to one.
#[must_use = "a permit does nothing by itself"]
pub struct SnapshotPermit(());

/// Permits to replace the vault's content once. Only a request that was approved and recorded comes to one.
#[must_use = "a permit does nothing by itself"]
pub struct RestorePermit {
    proof: RestoreProof,
}

/// What a snapshot must show of its origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreProof {
    /// It was made by this very vault and not altered since.
    OwnSeal,
    /// Its sums fit, whoever made it.
    SumsOnly,
}

impl SnapshotPermit {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl RestorePermit {
    pub(crate) const fn new(proof: RestoreProof) -> Self {
        Self { proof }
    }

    /// Tells what the snapshot must show.
    pub const fn proof(&self) -> RestoreProof {
        self.proof
    }
}

/// The content of a reply.
#[derive(Default)]
pub struct Content {
    /// A JSON object, already serialized; `None` becomes `null`.
    pub data: Option<SecretBytes>,
    /// Texts for the person who called.
    pub warnings: Vec<String>,
    /// A token that was made or renewed.
    pub auth: Option<Grant>,
    /// For how long the data may be kept: `lease_duration` of KV version 1.
    pub lease_duration: Span,
}

/// A token as it is handed out.
pub struct Grant {
    /// The token.
    pub token: SecretText,
    /// Names the token without being able to use it.
    pub accessor: String,
    /// Policies in force for the token.
    pub policies: Vec<String>,
    /// Facts attached at creation.
    pub metadata: BTreeMap<String, String>,
    /// How long until it ends; zero for a root token without end.
    pub lease_duration: Span,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// Whether it outlives the token that made it.
    pub orphan: bool,
    /// How often it may be used; zero for as often as needed.
    pub uses: u64,
    /// Policies that its entity and groups bring besides.
    pub identity_policies: Vec<String>,
    /// The entity that it acts for.
    pub entity: Option<EntityId>,
    /// How it is kept.
    pub kind: Kind,
}

impl Grant {
    /// Describes a token as it is handed out.
    pub fn of(text: SecretText, token: &Token, lease_duration: Span) -> Self {
        Self {
            token: text,
            accessor: token.accessor.clone(),
            policies: token.policies.clone(),
            metadata: token.metadata.clone(),
            lease_duration,
            renewable: token.renewable,
            orphan: token.parent.is_none(),
            uses: token.uses_left.unwrap_or(0),
            identity_policies: Vec::new(),
            entity: token.entity,
            kind: token.kind,
        }
    }
}

impl Reply {
    /// Answers with `data`.
    ///
    /// # Errors
    /// Refuses with an internal error if `data` cannot be written as JSON.
    pub fn data<T: Serialize>(data: &T) -> Result<Self, Refusal> {
        Ok(Self::Content(Content::data(data)?))
    }
}

impl Content {
    /// Holds `data` as JSON.
    ///
    /// # Errors
    /// Refuses with an internal error if `data` cannot be written as JSON.
    pub fn data<T: Serialize>(data: &T) -> Result<Self, Refusal> {
        let json = serde_json::to_vec(data).map_err(|error| Refusal::internal(format!("reply: {error}")))?;
        Ok(Self { data: Some(SecretBytes::new(json)), ..Self::default() })
    }
}
