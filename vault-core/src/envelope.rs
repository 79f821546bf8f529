//! Signed documents: DSSE envelopes (Dead Simple Signing Envelope, version 1.0.2) whose signers are people of a charter.
//!
//! A signature covers the type and the exact bytes of the payload (`pae`, the pre-authentication encoding). It is raw
//! Ed25519, or an SSH signature for agents and security keys (`sshsig`). Format: docs/formats.md, "Envelope".

mod sshsig;
#[cfg(test)]
mod tests;

use data_encoding::BASE64;
use ed25519_dalek::Signature as Ed25519;
use serde::{Deserialize, Serialize};

use crate::charter::{CHARTER_LENGTH_BYTES_MAX, Charter, PersonIndex, PersonSet};
use crate::ssh_key::{ED25519, SshPublicKey};

pub use sshsig::{NAMESPACE, SshSigError};

/// Largest envelope in bytes: the largest payload in base64 and every signature.
pub const ENVELOPE_LENGTH_BYTES_MAX: usize = 2 << 20;

/// Most signatures: as many as there can be people.
pub const SIGNATURES_MAX: usize = 255;

/// Longest signature in bytes; those of security keys have about 250.
const SIGNATURE_LENGTH_BYTES_MAX: usize = 4096;

/// Longest type of a payload and longest key id, in bytes.
const WORD_LENGTH_BYTES_MAX: usize = 256;

/// A document with signatures that nobody has verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// A signature as it stands in an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// The fingerprint of the key.
    pub key_id: String,
    /// 64 bytes of Ed25519, or an SSH signature.
    pub bytes: Vec<u8>,
}

/// Says why an envelope is not believed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The text is too long.
    #[error("the envelope has {length_bytes} bytes, at most {ENVELOPE_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as given.
        length_bytes: usize,
    },
    /// The text is no envelope.
    #[error("this is no envelope: {reason}")]
    Syntax {
        /// What the reader of JSON says, with line and column.
        reason: String,
    },
    /// A field is not base64.
    #[error("{field} is not base64")]
    Base64 {
        /// Which.
        field: &'static str,
    },
    /// A field is longer than its bound.
    #[error("{field} has {length}, at most {max} are allowed")]
    Bound {
        /// Which.
        field: &'static str,
        /// Its length or number.
        length: usize,
        /// The bound.
        max: usize,
    },
    /// A document of another type.
    #[error("the document is of type {found:?}, not {expected:?}")]
    Type {
        /// The type as written.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A key of nobody in the charter.
    #[error("the key {key_id} is of nobody in the charter of epoch {epoch}, whose people must sign")]
    UnknownKey {
        /// Its fingerprint.
        key_id: String,
        /// Of which charter.
        epoch: u32,
    },
    /// A person signed twice.
    #[error("{person} has signed twice")]
    Duplicate {
        /// Who.
        person: String,
    },
    /// A signature that does not hold.
    #[error("the signature of {person} does not hold: {reason}")]
    BadSignature {
        /// Whose it says it is.
        person: String,
        /// Why.
        reason: SignatureError,
    },
}

/// Says why a signature does not hold.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignatureError {
    /// It was made by another key, or over another document.
    #[error("it is by another key or over another document")]
    Mismatch,
    /// The SSH signature is not one that counts here.
    #[error("{0}")]
    SshSig(#[from] SshSigError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Puts a document into an envelope without signatures.
    pub fn new(payload_type: &str, payload: &[u8]) -> Self {
        Self { payload_type: payload_type.to_owned(), payload: payload.to_vec(), signatures: Vec::new() }
    }

    /// Reads an envelope; its signatures are not verified.
    ///
    /// # Errors
    /// Answers [`EnvelopeError`] for what is no envelope or exceeds a bound.
    pub fn parse(text: &[u8]) -> Result<Self, EnvelopeError> {
        if text.len() > ENVELOPE_LENGTH_BYTES_MAX {
            return Err(EnvelopeError::TooLong { length_bytes: text.len() });
        }
        let wire: Wire =
            serde_json::from_slice(text).map_err(|error| EnvelopeError::Syntax { reason: error.to_string() })?;
        bound("payloadType", wire.payload_type.len(), WORD_LENGTH_BYTES_MAX)?;
        bound("signatures", wire.signatures.len(), SIGNATURES_MAX)?;
        let payload = decode("payload", &wire.payload, CHARTER_LENGTH_BYTES_MAX)?;
        let mut signatures = Vec::with_capacity(wire.signatures.len());
        for WireSignature { keyid, sig } in wire.signatures {
            bound("keyid", keyid.len(), WORD_LENGTH_BYTES_MAX)?;
            let bytes = decode("sig", &sig, SIGNATURE_LENGTH_BYTES_MAX)?;
            signatures.push(Signature { key_id: keyid, bytes });
        }
        Ok(Self { payload_type: wire.payload_type, payload, signatures })
    }

    /// Writes the envelope as JSON.
    pub fn to_json(&self) -> String {
        let wire = Wire {
            payload: BASE64.encode(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self
                .signatures
                .iter()
                .map(|signature| WireSignature {
                    keyid: signature.key_id.clone(),
                    sig: BASE64.encode(&signature.bytes),
                })
                .collect(),
        };
        match serde_json::to_string_pretty(&wire) {
            Ok(text) => text + "\n",
            Err(_) => unreachable!("texts are always JSON"),
        }
    }

    /// Gives the document. Nobody vouches for it before [`Self::signers`] has.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Gives the type of the document.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// Gives the signatures, unverified.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature over [`Self::signed_bytes`]; it is not verified here.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    /// Gives the bytes that signatures are made over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// Checks the type of the document.
    ///
    /// # Errors
    /// Answers [`EnvelopeError::Type`] for another one.
    pub fn is_of_type(&self, expected: &'static str) -> Result<(), EnvelopeError> {
        if self.payload_type == expected {
            return Ok(());
        }
        Err(EnvelopeError::Type { found: self.payload_type.escape_debug().to_string(), expected })
    }

    /// Verifies every signature, and finds who of a charter's people made them.
    ///
    /// Whether these people are enough is for a quorum to say; nobody at all is no error here.
    ///
    /// # Errors
    /// Answers [`EnvelopeError`] for another type of document and for the first signature that is by nobody in the
    /// charter, by somebody who has signed before, or bad: one bad signature spoils the envelope, so that nothing that
    /// looks signed goes unnoticed.
    pub fn signers(&self, expected_type: &'static str, charter: &Charter) -> Result<PersonSet, EnvelopeError> {
        self.is_of_type(expected_type)?;
        let message = self.signed_bytes();
        let mut signers = PersonSet::default();
        for signature in &self.signatures {
            let person = self.signer(signature, &message, charter)?;
            if signers.contains(person) {
                let person = charter.person(person).map(|person| person.name.to_string()).unwrap_or_default();
                return Err(EnvelopeError::Duplicate { person });
            }
            signers.insert(person);
        }
        Ok(signers)
    }

    /// Tells whether there is one signature and it is by this key.
    pub fn is_signed_by(&self, key: &SshPublicKey) -> bool {
        match self.signatures.as_slice() {
            [only] => only.key_id == key.fingerprint() && verify(key, &self.signed_bytes(), &only.bytes).is_ok(),
            _ => false,
        }
    }

    fn signer(&self, signature: &Signature, message: &[u8], charter: &Charter) -> Result<PersonIndex, EnvelopeError> {
        let Some((index, person)) = charter.person_by_fingerprint(&signature.key_id) else {
            let key_id = signature.key_id.escape_debug().to_string();
            return Err(EnvelopeError::UnknownKey { key_id, epoch: charter.epoch() });
        };
        verify(&person.signing_key, message, &signature.bytes)
            .map_err(|reason| EnvelopeError::BadSignature { person: person.name.to_string(), reason })?;
        Ok(index)
    }
}

/// Verifies a signature over a message: raw Ed25519 of a key in software, or an SSH signature.
///
/// # Errors
/// Answers [`SignatureError`] with what does not hold.
pub fn verify(key: &SshPublicKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let Ok(raw) = <&[u8; 64]>::try_from(signature) else {
        return Ok(sshsig::verify(key, message, signature)?);
    };
    // A security key signs nothing but its own structure, so that raw bytes are never by one.
    if key.kind() != ED25519 {
        return Err(SignatureError::Mismatch);
    }
    key.point().verify_strict(message, &Ed25519::from_bytes(raw)).map_err(|_| SignatureError::Mismatch)
}

/// Joins type and document so that neither can pass for a part of the other (DSSE, "Pre-Authentication Encoding").
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn bound(field: &'static str, length: usize, max: usize) -> Result<(), EnvelopeError> {
    if length > max { Err(EnvelopeError::Bound { field, length, max }) } else { Ok(()) }
}

fn decode(field: &'static str, text: &str, max: usize) -> Result<Vec<u8>, EnvelopeError> {
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| EnvelopeError::Base64 { field })?;
    bound(field, bytes.len(), max)?;
    Ok(bytes)
}
