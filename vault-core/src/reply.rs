//! Replies in the terms of the Vault API, without HTTP: the edge gives them their status code and envelope.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::time::Span;

/// What a call answers.
pub enum Reply {
    /// Done, and there is nothing to say (204).
    Empty,
    /// An answer with content.
    Content(Content),
    /// Nothing is there, and the content says what is known of it: KV version 2 answers a deleted version so.
    Gone(Content),
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
