//! What an approval says yes to: everything that the gate checks again before it lets the request through.
//!
//! The statement is drawn up once, when the request is held back, and kept word for word. Approvals are signatures over
//! these bytes; the gate draws it up again from what is there and passes only what comes out the same. Format:
//! docs/formats.md, "Statement".

use serde::{Deserialize, Serialize};

use crate::charter::Digest;

/// The type of a signed approval in an envelope.
pub const APPROVAL_PAYLOAD_TYPE: &str = "application/vnd.keyturn.approval+json";

/// The type of a signed denial in an envelope.
pub const DENIAL_PAYLOAD_TYPE: &str = "application/vnd.keyturn.denial+json";

/// Longest reason, comment or other text that a person adds, in bytes.
pub const TEXT_LENGTH_BYTES_MAX: usize = 1024;

const FORMAT: u32 = 1;

/// A request that people decide about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub(super) format: u32,
    /// The vault's id in hexadecimal.
    pub vault: String,
    /// The charter in force; a vault may have none.
    pub charter: Option<CharterInForce>,
    /// Names the request.
    pub request: String,
    /// 32 random bytes in hexadecimal.
    pub nonce: String,
    /// Who asks.
    pub requester: StatedRequester,
    /// `read`, `list`, `write`, `patch` or `delete`.
    pub operation: String,
    /// The path, without the leading `/v1/`.
    pub path: String,
    /// The salted digest of the query parameters, if there are any.
    pub parameters: Option<String>,
    /// The salted digest of the body, if there is one.
    pub body: Option<String>,
    /// The time that the answer is to be kept for whoever shows a wrapping token.
    pub wrap_ttl_seconds: Option<u64>,
    /// The salted digest of what is there now, or `latest`.
    pub version: String,
    /// The digest of the rules that hold the request back.
    pub policy: String,
    /// Why it is wanted, in the requester's words.
    pub reason: String,
    /// How often the grant may be used.
    pub uses: u32,
    /// When it was asked for, in seconds since 1970.
    pub created_at_seconds: i64,
    /// When it ends, in seconds since 1970.
    pub expires_at_seconds: i64,
}

/// Which charter is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CharterInForce {
    /// Its epoch.
    pub epoch: u32,
    /// Its digest.
    pub digest: String,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedRequester {
    /// The entity's id.
    pub entity: String,
    /// The entity's name.
    pub name: String,
    /// The person of the charter who it is, or who answers for it.
    pub person: Option<String>,
}

/// Says why a text is no statement.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StatementError {
    /// It is not JSON with these fields.
    #[error("this is no statement: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// It is of a later format.
    #[error("the statement has format {found}; this program knows {FORMAT}")]
    Format {
        /// Which.
        found: u32,
    },
}

impl Statement {
    /// The format that is written.
    pub(super) const FORMAT: u32 = FORMAT;

    /// Puts a statement together.
    pub(super) fn new(vault: String, request: String, nonce: String, requester: StatedRequester) -> Self {
        Self {
            format: Self::FORMAT,
            vault,
            charter: None,
            request,
            nonce,
            requester,
            operation: String::new(),
            path: String::new(),
            parameters: None,
            body: None,
            wrap_ttl_seconds: None,
            version: String::new(),
            policy: String::new(),
            reason: String::new(),
            uses: 0,
            created_at_seconds: 0,
            expires_at_seconds: 0,
        }
    }

    /// Reads a statement.
    ///
    /// # Errors
    /// Answers [`StatementError`] for what is none.
    pub fn parse(text: &[u8]) -> Result<Self, StatementError> {
        let read: Self =
            serde_json::from_slice(text).map_err(|error| StatementError::Unreadable { reason: error.to_string() })?;
        if read.format == FORMAT { Ok(read) } else { Err(StatementError::Format { found: read.format }) }
    }

    /// Writes the statement as it is kept and signed.
    ///
    /// # Errors
    /// Answers [`StatementError`] if it cannot be written.
    pub fn to_json(&self) -> Result<String, StatementError> {
        serde_json::to_string_pretty(self).map_err(|error| StatementError::Unreadable { reason: error.to_string() })
    }
}

/// Digests bytes together with a salt, without which nobody can try what they might be.
pub(crate) fn salted(salt: &[u8; 32], what: &str, bytes: &[u8]) -> Digest {
    let mut all = Vec::with_capacity(salt.len() + what.len() + 1 + bytes.len());
    all.extend_from_slice(salt);
    all.extend_from_slice(what.as_bytes());
    all.push(0);
    all.extend_from_slice(bytes);
    let digest = Digest::of(&all);
    zeroize::Zeroize::zeroize(&mut all);
    digest
}

/// Tells whether the body of a statement is this one, given its salt.
pub fn is_body(statement: &Statement, salt: &[u8; 32], body: &[u8]) -> bool {
    statement.body.as_deref() == Some(salted(salt, "body", body).to_string().as_str())
}
