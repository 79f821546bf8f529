//! Acts of stewards: one request each, which enough people of the charter have signed.
//!
//! What is signed is the whole request, with its vault, its charter, an end and a nonce, so that it does one thing, once.
//! Format: docs/formats.md, "Act"; reasons: docs/decisions/0024-acts-of-stewards.md.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::Custody;
use crate::charter::Digest;
use crate::charter::chain::missing_text;
use crate::envelope::{Envelope, EnvelopeError};
use crate::id::VaultId;
use crate::path::RequestPath;
use crate::request::Operation;
use crate::secret::SecretBytes;
use crate::time::{Span, Timestamp};

/// The type of an act in an envelope.
pub const ACT_PAYLOAD_TYPE: &str = "application/vnd.keyturn.act+json";

/// Longest time that an act may wait for its signatures and to be sent.
pub const ACT_SPAN_MAX: Span = Span(30 * 24 * 60 * 60);

/// Longest reason in bytes.
pub const REASON_LENGTH_BYTES_MAX: usize = 1024;

const ACT_FORMAT: u32 = 1;

/// A request that stewards make together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    format: u32,
    /// The vault id in hexadecimal.
    pub vault: String,
    /// The digest of the charter in force.
    pub charter: String,
    /// 32 random bytes in hexadecimal.
    pub nonce: String,
    /// When it ends, in seconds since 1970.
    pub expires_at_seconds: i64,
    /// Why it is wanted.
    pub reason: String,
    /// `read`, `list`, `write`, `patch` or `delete`.
    pub operation: String,
    /// The path, without the leading `/v1/`.
    pub path: String,
    /// Query parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The body of the request.
    #[serde(default)]
    pub body: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Says why an act is not carried out.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ActError {
    /// The envelope is none, or a signature is bad.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// The document in it is no act.
    #[error("this is no act: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// A field does not hold what it should.
    #[error("the field {field} of the act is not right")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// It is for another vault.
    #[error("the act is for another vault")]
    OtherVault,
    /// Another charter is in force.
    #[error("the act was signed under another charter than that in force: propose it anew")]
    OtherCharter,
    /// Its time is over.
    #[error("the act has expired: propose it anew")]
    Expired,
    /// It waits longer than may be.
    #[error("the act ends more than {} days from now", ACT_SPAN_MAX.0 / 86_400)]
    TooLong,
    /// Too few have signed.
    #[error("signatures are missing: {missing} (quorum `change`)")]
    Missing {
        /// How many of which teams.
        missing: String,
    },
}

impl Act {
    /// Makes an act.
    pub fn new(vault: VaultId, charter: &Digest, nonce: [u8; 32], request: (Operation, &str)) -> Self {
        Self {
            format: ACT_FORMAT,
            vault: HEXLOWER.encode(&vault.0),
            charter: charter.to_string(),
            nonce: HEXLOWER.encode(&nonce),
            expires_at_seconds: 0,
            reason: String::new(),
            operation: request.0.word().to_owned(),
            path: request.1.to_owned(),
            parameters: BTreeMap::new(),
            body: None,
        }
    }

    /// Reads the document of an envelope; its signatures are not verified.
    ///
    /// # Errors
    /// Answers [`ActError`] for what is no act.
    pub fn parse(envelope: &Envelope) -> Result<Self, ActError> {
        envelope.is_of_type(ACT_PAYLOAD_TYPE)?;
        let act: Self = serde_json::from_slice(envelope.payload())
            .map_err(|error| ActError::Unreadable { reason: error.to_string() })?;
        let field = |field| Err(ActError::Field { field });
        match () {
            () if act.format != ACT_FORMAT => field("format"),
            () if act.nonce_bytes().is_none() => field("nonce"),
            () if act.operation().is_none() => field("operation"),
            () if act.reason.trim().is_empty() || act.reason.len() > REASON_LENGTH_BYTES_MAX => field("reason"),
            () if RequestPath::parse(act.path.as_bytes()).is_err() => field("path"),
            () => Ok(act),
        }
    }

    /// Puts the act into an envelope without signatures.
    ///
    /// # Errors
    /// Answers [`ActError`] for an act that would not be read back.
    pub fn envelope(&self) -> Result<Envelope, ActError> {
        let json =
            serde_json::to_vec_pretty(self).map_err(|error| ActError::Unreadable { reason: error.to_string() })?;
        let envelope = Envelope::new(ACT_PAYLOAD_TYPE, &json);
        Self::parse(&envelope)?;
        Ok(envelope)
    }

    fn operation(&self) -> Option<Operation> {
        let all = [Operation::Read, Operation::List, Operation::Write, Operation::Patch, Operation::Delete];
        all.into_iter().find(|operation| operation.word() == self.operation)
    }

    fn nonce_bytes(&self) -> Option<[u8; 32]> {
        HEXLOWER.decode(self.nonce.as_bytes()).ok()?.try_into().ok()
    }
}

/// An act as it is sent, with signatures that nobody has verified.
pub struct SignedAct {
    act: Act,
    envelope: Envelope,
}

impl SignedAct {
    /// Reads an envelope.
    ///
    /// # Errors
    /// Answers [`ActError`] for what is no act.
    pub fn parse(text: &[u8]) -> Result<Self, ActError> {
        let envelope = Envelope::parse(text)?;
        Ok(Self { act: Act::parse(&envelope)?, envelope })
    }

    /// Gives what is wanted.
    pub const fn act(&self) -> &Act {
        &self.act
    }

    /// Gives the digest of the signed document, which names the act in records.
    pub fn digest(&self) -> Digest {
        Digest::of(self.envelope.payload())
    }

    /// Takes the request apart: operation, path, query parameters and body.
    ///
    /// # Errors
    /// Answers [`ActError`] for a field that makes no request.
    pub fn request(&self) -> Result<ActRequest, ActError> {
        let operation = self.act.operation().ok_or(ActError::Field { field: "operation" })?;
        let path = RequestPath::parse(self.act.path.as_bytes()).map_err(|_| ActError::Field { field: "path" })?;
        let body = self.act.body.as_ref().map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| ActError::Unreadable { reason: error.to_string() })?;
        let parameters = self.act.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(ActRequest { operation, path, parameters, body: body.map(SecretBytes::new) })
    }

    /// Judges the act: for this vault, under the charter in force, in time, and signed by its quorum `change`. Gives the
    /// names of those who signed.
    ///
    /// # Errors
    /// Answers [`ActError`] with what is wrong.
    pub fn judge(&self, custody: &Custody, vault: VaultId, now: Timestamp) -> Result<Vec<String>, ActError> {
        let charter = custody.charter().charter();
        let ends = Timestamp(self.act.expires_at_seconds.saturating_mul(1_000_000_000));
        if self.act.vault != HEXLOWER.encode(&vault.0) {
            return Err(ActError::OtherVault);
        }
        if self.act.charter != charter.digest().to_string() {
            return Err(ActError::OtherCharter);
        }
        if now >= ends {
            return Err(ActError::Expired);
        }
        if ends > now.after(ACT_SPAN_MAX) {
            return Err(ActError::TooLong);
        }
        let signers = self.envelope.signers(ACT_PAYLOAD_TYPE, charter)?;
        if !charter.change().is_met_by(&signers) {
            return Err(ActError::Missing { missing: missing_text(&charter.change().missing(&signers)) });
        }
        let names = signers.iter().filter_map(|index| charter.person(index));
        Ok(names.map(|person| person.name.to_string()).collect())
    }
}

/// The request that an act makes.
pub struct ActRequest {
    /// What is wanted.
    pub operation: Operation,
    /// Where.
    pub path: RequestPath,
    /// Query parameters.
    pub parameters: Vec<(String, String)>,
    /// The body.
    pub body: Option<SecretBytes>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn act() -> Act {
        let mut act = Act::new(VaultId([1; 16]), &Digest::of(b"charter"), [2; 32], (Operation::Write, "sys/mounts/kv"));
        act.reason = "because".to_owned();
        act
    }

    #[test]
    fn an_act_comes_back_as_it_was_proposed() {
        let mut proposed = act();
        proposed.body = serde_json::json!({"type": "kv"}).as_object().cloned();
        let signed = SignedAct::parse(proposed.envelope().unwrap().to_json().as_bytes()).unwrap();
        assert_eq!(signed.act(), &proposed);
        let request = signed.request().unwrap();
        assert_eq!((request.operation, request.path.as_str()), (Operation::Write, "sys/mounts/kv"));
        assert_eq!(request.body.unwrap().expose(), br#"{"type":"kv"}"#);
    }

    #[test]
    fn what_is_no_act_is_refused_by_field() {
        let refused = |change: &dyn Fn(&mut Act)| {
            let mut act = act();
            change(&mut act);
            act.envelope().err()
        };
        let field = |field| Some(ActError::Field { field });
        assert_eq!(refused(&|act| act.format = 2), field("format"));
        assert_eq!(refused(&|act| act.nonce = "00".to_owned()), field("nonce"));
        assert_eq!(refused(&|act| act.operation = "Write".to_owned()), field("operation"));
        assert_eq!(refused(&|act| act.reason = "  ".to_owned()), field("reason"));
        assert_eq!(refused(&|act| act.reason = "x".repeat(REASON_LENGTH_BYTES_MAX + 1)), field("reason"));
        assert_eq!(refused(&|act| act.path = "../sys".to_owned()), field("path"));
        let other = Envelope::new("application/json", act().envelope().unwrap().payload());
        assert!(matches!(Act::parse(&other), Err(ActError::Envelope(EnvelopeError::Type { .. }))));
    }

    proptest! {
        #[test]
        fn any_payload_is_an_act_or_refused(payload in ".{0,200}") {
            let envelope = Envelope::new(ACT_PAYLOAD_TYPE, payload.as_bytes());
            prop_assert!(Act::parse(&envelope).is_err());
        }
    }
}
