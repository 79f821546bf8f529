//! What the record of a ceremony says: who got which share. It holds no secret.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{CustodyError, Handout, SEALED_SHARE_LENGTH_BYTES_MAX, SignedCharter};
use crate::charter::Digest;
use crate::envelope::Envelope;
use crate::seal::SealConfig;
use crate::ssh_key::SshPublicKey;
use crate::time::Timestamp;

/// The type of a ceremony record in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.keyturn.ceremony+json";

const STATEMENT_FORMAT: u32 = 1;

/// Why shares were made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The vault was made.
    Init,
    /// New shares took the place of others.
    Rekey,
}

/// Says who got which share of which vault, and by which charter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    format: u32,
    /// Why shares were made.
    pub occasion: Occasion,
    /// The vault id in hexadecimal.
    pub vault: String,
    /// The key that signs for the vault, as OpenSSH writes it.
    pub vault_key: String,
    /// The generation of the shares.
    pub share_epoch: u32,
    /// The digest of the seal configuration, with the commitments to the shares.
    pub seal_config: String,
    /// The epoch of the charter.
    pub charter_epoch: u32,
    /// The digest of the charter.
    pub charter: String,
    /// When, RFC 3339.
    pub made_at: String,
    /// Each share, in the order of their numbers.
    pub shares: Vec<ShareStatement>,
}

/// Says who got a share.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareStatement {
    /// The number of the share.
    pub number: u8,
    /// Who got it.
    pub person: String,
    /// The fingerprint of their signing key.
    pub signing_key: String,
    /// To whom it was sealed.
    pub recipient: String,
    /// The digest of the sealed share.
    pub sealed: String,
}

impl Statement {
    pub(super) fn new(handout: &Handout<'_>, vault_key: String, now: Timestamp) -> Result<Self, CustodyError> {
        let charter = handout.charter.charter();
        let pairs = handout.charter.custodians().zip(&handout.sealed_shares);
        let shares: Vec<ShareStatement> = pairs
            .map(|((index, person), sealed)| ShareStatement {
                number: index.get(),
                person: person.name.to_string(),
                signing_key: person.signing_key.fingerprint(),
                recipient: person.recipient.to_string(),
                sealed: Digest::of(sealed).to_string(),
            })
            .collect();
        if shares.len() != handout.sealed_shares.len() {
            return Err(CustodyError::Disagrees { what: "there are more shares than custodians" });
        }
        Ok(Self {
            format: STATEMENT_FORMAT,
            occasion: handout.occasion,
            vault: HEXLOWER.encode(&handout.config.vault().0),
            vault_key,
            share_epoch: handout.config.epoch().0,
            seal_config: seal_digest(handout.config)?.to_string(),
            charter_epoch: charter.epoch(),
            charter: charter.digest().to_string(),
            made_at: now.to_string(),
            shares,
        })
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, CustodyError> {
        serde_json::to_vec_pretty(self).map_err(|error| CustodyError::Unreadable { reason: error.to_string() })
    }

    /// Reads a record whose signature is by the key that it names. Whether that is the vault's key is for the reader to
    /// compare.
    ///
    /// # Errors
    /// Answers [`CustodyError`] for another document and for a bad signature.
    pub fn verify(record: &Envelope) -> Result<Self, CustodyError> {
        record.is_of_type(PAYLOAD_TYPE)?;
        let statement: Self = serde_json::from_slice(record.payload())
            .map_err(|error| CustodyError::Unreadable { reason: error.to_string() })?;
        if statement.format != STATEMENT_FORMAT {
            return Err(CustodyError::Format { found: statement.format });
        }
        let key = SshPublicKey::parse(&statement.vault_key)
            .map_err(|_| CustodyError::Disagrees { what: "the key of the vault is none" })?;
        if record.is_signed_by(&key) {
            Ok(statement)
        } else {
            Err(CustodyError::Disagrees { what: "the signature of the vault does not hold" })
        }
    }

    pub(super) fn check_charter(&self, signed: &SignedCharter) -> Result<(), CustodyError> {
        let charter = signed.charter();
        if self.charter != charter.digest().to_string() || self.charter_epoch != charter.epoch() {
            return Err(CustodyError::Disagrees { what: "the ceremony was held by another charter" });
        }
        let mut count = 0;
        for ((index, person), share) in signed.custodians().zip(&self.shares) {
            count += 1;
            let is_theirs = share.number == index.get()
                && share.person == person.name.to_string()
                && share.signing_key == person.signing_key.fingerprint()
                && share.recipient == person.recipient.to_string();
            if !is_theirs {
                return Err(CustodyError::Disagrees { what: "a share is of another custodian than the charter says" });
            }
        }
        if count == self.shares.len() && count == signed.custodians().count() {
            Ok(())
        } else {
            Err(CustodyError::Disagrees { what: "there are not as many shares as custodians" })
        }
    }

    pub(super) fn check_sealed_shares(&self, sealed_shares: &[Vec<u8>]) -> Result<(), CustodyError> {
        if sealed_shares.is_empty() {
            return Ok(());
        }
        if sealed_shares.iter().any(|sealed| sealed.len() > SEALED_SHARE_LENGTH_BYTES_MAX) {
            return Err(CustodyError::Disagrees { what: "a sealed share is too long" });
        }
        let digests = sealed_shares.iter().map(|sealed| Digest::of(sealed).to_string());
        if digests.eq(self.shares.iter().map(|share| share.sealed.clone())) {
            Ok(())
        } else {
            Err(CustodyError::Disagrees { what: "a sealed share is not the one that was handed out" })
        }
    }

    pub(super) fn check_seal(&self, config: &SealConfig) -> Result<(), CustodyError> {
        let agrees = self.vault == HEXLOWER.encode(&config.vault().0)
            && self.share_epoch == config.epoch().0
            && self.seal_config == seal_digest(config)?.to_string()
            && self.shares.len() == usize::from(config.threshold().total());
        if agrees { Ok(()) } else { Err(CustodyError::Disagrees { what: "it is of other shares than the seal" }) }
    }
}

fn seal_digest(config: &SealConfig) -> Result<Digest, CustodyError> {
    let json = config.to_json().map_err(|error| CustodyError::Unreadable { reason: error.to_string() })?;
    Ok(Digest::of(&json))
}
