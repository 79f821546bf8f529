//! What can go wrong with a call, with what the caller needs to act on it.

use std::fmt;

/// Fails a call.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is not one that the client would send a token to.
    #[error("the address {address:?} cannot be used: {reason}")]
    Address {
        /// The address as given.
        address: String,
        /// Why not.
        reason: String,
    },
    /// A path would not reach the place that it names.
    #[error("the path {path:?} cannot be asked for: {reason}")]
    Path {
        /// The path as given.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// The token cannot be sent; it is never part of the error.
    #[error("the token holds characters that no token has: it was probably cut or pasted wrongly")]
    Token,
    /// The certificates to trust cannot be read, or none was found.
    #[error("the certificates to trust cannot be read from {source_name}: {reason}")]
    Certificates {
        /// The file, or the places looked at.
        source_name: String,
        /// Why not.
        reason: String,
    },
    /// The client cannot be set up.
    #[error("the client cannot be set up: {reason}")]
    Setup {
        /// Why not.
        reason: String,
    },
    /// Nobody answers there.
    #[error("nobody answers at {address}: {reason}")]
    Unreachable {
        /// The address of the server.
        address: String,
        /// What the network says.
        reason: String,
    },
    /// The answer took too long.
    #[error("{address} did not answer in time")]
    TimedOut {
        /// The address of the server.
        address: String,
    },
    /// The server could not prove who it is.
    #[error("no secure connection to {address}: {reason}")]
    Tls {
        /// The address of the server.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server points to another server, which does not get the token.
    #[error("{address} points to {location}, which was not followed: the token goes to no other server")]
    Redirected {
        /// The address of the server.
        address: String,
        /// Where it points to.
        location: String,
    },
    /// The answer is larger than the bound.
    #[error("the answer to {path:?} has more than {bytes_max} bytes")]
    TooLarge {
        /// What was asked for.
        path: String,
        /// The bound.
        bytes_max: usize,
    },
    /// The answer is not what the API describes.
    #[error("the answer to {path:?} cannot be read: {reason}")]
    Unintelligible {
        /// What was asked for.
        path: String,
        /// What is wrong, without a value of the answer.
        reason: String,
    },
    /// The server refused.
    #[error("{}", Refused { status: *status, errors, request_id: request_id.as_deref() })]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// What the server says; empty where there is nothing at the path.
        errors: Vec<String>,
        /// Names the request in the server's log.
        request_id: Option<String>,
    },
}

impl ApiError {
    /// Tells whether there is nothing at the path.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Tells whether the token may not do this, or is none.
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    /// Tells whether the vault refused because it is sealed or not initialised.
    pub fn is_sealed(&self) -> bool {
        match self {
            Self::Refused { status: 503, errors, .. } => errors.iter().any(|error| {
                let error = error.to_ascii_lowercase();
                error.contains("sealed") || error.contains("not initialized")
            }),
            _ => false,
        }
    }
}

/// Says what is wrong with JSON. serde_json's texts may quote a value, which can be a secret, so that only
/// messages about fields are passed on.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let harmless = ["missing field", "unknown field", "duplicate field"];
    if harmless.iter().any(|start| text.starts_with(start)) {
        text
    } else {
        format!("it is not the expected JSON at line {} column {}", error.line(), error.column())
    }
}

struct Refused<'a> {
    status: u16,
    errors: &'a [String],
    request_id: Option<&'a str>,
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.errors) {
            (404, []) => f.write_str("there is nothing at this path")?,
            (status, []) => write!(f, "the server refused with status {status}")?,
            (_, errors) => f.write_str(&errors.join("; "))?,
        }
        if let Some(request_id) = self.request_id {
            write!(f, " (request {request_id})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, errors: &[&str]) -> ApiError {
        ApiError::Refused { status, errors: errors.iter().map(|error| (*error).to_owned()).collect(), request_id: None }
    }

    #[test]
    fn a_sealed_vault_is_told_from_other_outages() {
        assert!(refused(503, &["Vault is sealed"]).is_sealed());
        assert!(!refused(503, &["the store cannot be written"]).is_sealed());
        assert!(!refused(400, &["Vault is sealed"]).is_sealed());
    }

    #[test]
    fn a_description_of_json_never_quotes_a_value() {
        let error = serde_json::from_str::<u8>("\"hunter2\"").unwrap_err();
        assert!(error.to_string().contains("hunter2"), "the premise: serde_json quotes values");
        assert!(!describe(&error).contains("hunter2"));
    }

    #[test]
    fn a_refusal_without_words_still_says_something() {
        assert_eq!(refused(404, &[]).to_string(), "there is nothing at this path");
        assert_eq!(refused(500, &[]).to_string(), "the server refused with status 500");
    }
}
