//! Signatures of people: raw Ed25519 with their identity file, or through ssh-keygen with agents and security keys.

mod ssh_keygen;

use ed25519_dalek::Signer as _;

pub use ssh_keygen::SshKeygen;
pub use vault_core::envelope::NAMESPACE;

use crate::identity::Identity;
use vault_core::ssh_key::SshPublicKey;

/// A signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signature {
    /// Ed25519 over the bytes themselves.
    Raw([u8; 64]),
    /// A blob as PROTOCOL.sshsig of OpenSSH describes it, without its armour.
    SshSig(Vec<u8>),
}

impl Signature {
    /// Gives the bytes as they stand in an envelope.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::SshSig(blob) => blob,
        }
    }
}

/// Signs bytes with a person's key.
pub trait Signer {
    /// Gives the key that verifies.
    fn key(&self) -> &SshPublicKey;

    /// Signs the bytes as they are given.
    ///
    /// # Errors
    /// Answers [`SignError`] where another program is needed and does not sign.
    fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError>;
}

/// Says why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The file is not one that names a key.
    #[error("{file}: {reason}")]
    Key {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The program is missing or could not be run.
    #[error("ssh-keygen could not be run: {error}; it comes with OpenSSH, version 8.2 or newer")]
    Run {
        /// What the system said.
        error: std::io::Error,
    },
    /// The program refused.
    #[error("ssh-keygen did not sign with {file}; what it said is above")]
    Refused {
        /// Which key.
        file: String,
    },
    /// What it wrote is not a signature by that key.
    #[error("what ssh-keygen wrote is not a signature by {file}: {reason}")]
    Output {
        /// Which key.
        file: String,
        /// Why.
        reason: &'static str,
    },
}

/// Signs with an opened identity file.
pub struct IdentitySigner<'a> {
    identity: &'a Identity,
    key: SshPublicKey,
}

impl<'a> IdentitySigner<'a> {
    /// Takes an identity.
    pub fn new(identity: &'a Identity) -> Self {
        Self { identity, key: identity.card().signing_key }
    }
}

impl Signer for IdentitySigner<'_> {
    fn key(&self) -> &SshPublicKey {
        &self.key
    }

    fn sign(&self, bytes: &[u8]) -> Result<Signature, SignError> {
        Ok(Signature::Raw(self.identity.signing_key().sign(bytes).to_bytes()))
    }
}

#[cfg(test)]
mod tests;
