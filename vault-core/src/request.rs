//! A request as the door hands it in: parsed within bounds, not yet known to be anybody's.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::approval::Redemption;
use crate::custody::SignedAct;
use crate::id::RequestId;
use crate::path::RequestPath;
use crate::refusal::Refusal;
use crate::secret::{SecretBytes, SecretText};
use crate::time::{Span, Timestamp};

/// What the caller wants done at a path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// GET.
    Read,
    /// LIST, or GET with `list=true`.
    List,
    /// POST or PUT; whether it creates or updates is decided by what is there.
    Write,
    /// PATCH with `application/merge-patch+json` (RFC 7396).
    Patch,
    /// DELETE.
    Delete,
}

impl Operation {
    /// Gives the word that audit records use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// A request within bounds.
pub struct Request {
    /// Names the request in replies and records.
    pub id: RequestId,
    /// What is wanted.
    pub operation: Operation,
    /// Where.
    pub path: RequestPath,
    /// Query parameters in the order given, percent-decoded.
    pub parameters: Vec<(String, String)>,
    /// The body: a JSON object, or nothing.
    pub body: Option<SecretBytes>,
    /// The token presented, not yet checked.
    pub token: Option<SecretText>,
    /// What stewards have signed, not yet checked; whoever makes such a request shows no token.
    pub act: Option<Arc<SignedAct>>,
    /// That the request was held back and is made again; the door leaves it empty.
    pub redeems: Option<Arc<Redemption>>,
    /// Why it is wanted, for those who may have to agree.
    pub reason: Option<String>,
    /// For how long the reply is to be kept for whoever shows a wrapping token, instead of being given.
    pub wrap_ttl: Option<Span>,
    /// The certificates that the other end showed in the TLS handshake, in DER, its own first; it has proved that it
    /// holds the first one's key, and nothing else about them is checked yet.
    pub certificates: Arc<[Vec<u8>]>,
    /// The other end of the connection.
    pub remote: SocketAddr,
    /// When the request came in, on the server's clock.
    pub received_at: Timestamp,
    /// Counts from 1 how often the request was begun: a conflict with another writer makes it start over, with a
    /// record of its own.
    pub attempt: u32,
}

impl Request {
    /// Makes the request that reads what this one would change.
    pub(crate) fn reading(&self) -> Self {
        Self {
            id: self.id,
            operation: Operation::Read,
            path: self.path.clone(),
            parameters: Vec::new(),
            body: None,
            token: None,
            act: None,
            redeems: None,
            reason: None,
            wrap_ttl: None,
            certificates: Arc::clone(&self.certificates),
            remote: self.remote,
            received_at: self.received_at,
            attempt: self.attempt,
        }
    }

    /// Gives the value of a query parameter, the first if it was given twice.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the body as `T`; a missing body reads as an empty object.
    ///
    /// # Errors
    /// Refuses with the field and the reason when the body does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse_body(self.body.as_ref())
    }

    /// Reads the body as `T`, which may borrow from it; a missing body reads as an empty object.
    ///
    /// # Errors
    /// Refuses with the field and the reason when the body does not fit.
    pub fn parse_borrowed<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Refusal> {
        let body = self.body.as_ref().map_or(b"{}".as_slice(), SecretBytes::expose);
        serde_json::from_slice(body).map_err(|error| Refusal::invalid(describe(&error)))
    }
}

/// Reads a body as `T`; a missing body reads as an empty object.
///
/// # Errors
/// Refuses with the field and the reason when the body does not fit.
pub fn parse_body<T: DeserializeOwned>(body: Option<&SecretBytes>) -> Result<T, Refusal> {
    let body = body.map_or(b"{}".as_slice(), SecretBytes::expose);
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(describe(&error)))
}

/// Says where a body does not fit. serde_json's texts may quote a value of the body, which can be a secret, so
/// that only messages about missing or unknown fields are passed on.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let harmless = ["missing field", "unknown field", "duplicate field"];
    if harmless.iter().any(|start| text.starts_with(start)) {
        format!("the body does not fit: {text}")
    } else {
        format!("the body does not fit: a value of the wrong type at line {} column {}", error.line(), error.column())
    }
}
