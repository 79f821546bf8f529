//! Who holds the shares of a vault: the charter in force, the record of the ceremony that made the shares, and the
//! shares themselves, each sealed to its custodian.
//!
//! All of it lies in one row that a sealed vault can read. What the keyring is wrapped under covers the row's digest, so that
//! shares never open a vault whose charter was exchanged (docs/decisions/0023-custody-at-rest.md). Format:
//! docs/formats.md, "Custody".

pub mod act;
mod checkups;
mod health;
mod pending;
mod questions;
mod statement;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use data_encoding::BASE64;
use ed25519_dalek::Signer;
use serde::{Deserialize, Serialize};

pub use act::{Act, SignedAct};
pub use checkups::{CHECKUPS_ROW, CheckUps, CheckUpsError};
pub use health::{CHECKUP_SPAN, Health, Limit};
pub use pending::{Acknowledged, Pending};
pub use questions::{NotOpen, QUESTION_SPAN, Questions};
pub use statement::{Occasion, PAYLOAD_TYPE, ShareStatement, Statement};

use crate::barrier::Barrier;
use crate::charter::chain::{self, ChainProblem};
use crate::charter::{Charter, Digest, Person};
use crate::envelope::{ENVELOPE_LENGTH_BYTES_MAX, Envelope, EnvelopeError, Signature};
use crate::seal::{SEAL_FOLDER, SealConfig};
use crate::secret::SecretKey;
use crate::sharing::ShareIndex;
use crate::ssh_key::SshPublicKey;
use crate::store::{RowKey, RowKind};
use crate::time::Timestamp;

/// Where the custody record lies.
pub const CUSTODY_ROW: RowKey = RowKey::new(SEAL_FOLDER, RowKind::Entry, *b"custody\0\0\0\0\0\0\0\0\0");

/// Longest sealed share in bytes; an age file for one recipient has some hundreds.
pub const SEALED_SHARE_LENGTH_BYTES_MAX: usize = 4096;

/// Longest custody record in bytes: two envelopes and 255 sealed shares.
pub const CUSTODY_LENGTH_BYTES_MAX: usize = 8 << 20;

const CUSTODY_FORMAT: u32 = 1;

/// Gives where the charter of an epoch lies, in its envelope.
pub fn charter_row(epoch: u32) -> RowKey {
    let mut id = *b"charter\0\0\0\0\0\0\0\0\0";
    if let Some(end) = id.last_chunk_mut() {
        *end = epoch.to_be_bytes();
    }
    RowKey::new(SEAL_FOLDER, RowKind::Entry, id)
}

/// A charter that enough people have signed.
#[derive(Clone, Debug)]
pub struct SignedCharter {
    charter: Charter,
    envelope: Envelope,
}

impl SignedCharter {
    /// Takes a charter as the one after `before`, or as a first one.
    ///
    /// # Errors
    /// Answers [`ChainProblem`] if it is not the next one, or if signatures are bad or missing.
    pub fn judge(envelope: Envelope, before: Option<&Charter>) -> Result<Self, ChainProblem> {
        let charter = chain::accept(&envelope, before)?.charter;
        Ok(Self { charter, envelope })
    }

    /// Gives the charter.
    pub const fn charter(&self) -> &Charter {
        &self.charter
    }

    /// Gives the charter with its signatures.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Gives the custodian of each share, in the order of their numbers.
    pub fn custodians(&self) -> impl Iterator<Item = (ShareIndex, &Person)> {
        custodians(&self.charter)
    }
}

fn custodians(charter: &Charter) -> impl Iterator<Item = (ShareIndex, &Person)> {
    let slots = charter.shares().slots().into_iter();
    slots.filter_map(|slot| Some((ShareIndex::new(slot.number)?, charter.person(slot.person)?)))
}

/// Signs the records of ceremonies in the name of the vault.
pub struct CeremonyKey(ed25519_dalek::SigningKey);

impl CeremonyKey {
    pub(crate) fn new(seed: &SecretKey) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    fn public(&self) -> SshPublicKey {
        SshPublicKey::from_ed25519(&self.0.verifying_key())
    }

    fn sign(&self, envelope: &mut Envelope) {
        let bytes = self.0.sign(&envelope.signed_bytes()).to_bytes().to_vec();
        envelope.add(Signature { key_id: self.public().fingerprint(), bytes });
    }
}

/// The custody of a vault.
#[derive(Debug)]
pub struct Custody {
    row: Arc<[u8]>,
    charter: SignedCharter,
    record: Envelope,
    statement: Statement,
    /// In the order of their numbers; none where they are not kept.
    sealed_shares: Vec<Vec<u8>>,
}

/// Says why a custody record is not believed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CustodyError {
    /// It is far too long.
    #[error("it has {length_bytes} bytes; at most {CUSTODY_LENGTH_BYTES_MAX} are allowed")]
    TooLong {
        /// Length as found.
        length_bytes: usize,
    },
    /// It is no JSON of the expected shape.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// What the parser said.
        reason: String,
    },
    /// Another version of the program wrote it.
    #[error("it has format {found}, this program reads format {CUSTODY_FORMAT}")]
    Format {
        /// The format that it names.
        found: u32,
    },
    /// The charter in it is none.
    #[error("its charter: {0}")]
    Charter(#[from] crate::charter::CharterError),
    /// An envelope or the signature of the vault is bad.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// What the parts say does not agree.
    #[error("its parts do not agree: {what}")]
    Disagrees {
        /// On what.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustodyRecord {
    format: u32,
    charter: String,
    record: String,
    sealed_shares: Vec<String>,
}

/// What a ceremony made, before the vault signs for it.
pub struct Handout<'a> {
    /// Why shares were made.
    pub occasion: Occasion,
    /// The charter that names the custodians.
    pub charter: &'a SignedCharter,
    /// What is public about the shares.
    pub config: &'a SealConfig,
    /// The shares, each sealed to its custodian, in the order of their numbers.
    pub sealed_shares: Vec<Vec<u8>>,
    /// Whether they are kept beside the vault.
    pub keep: bool,
}

impl Custody {
    /// Writes down who got which share, signed by the vault.
    ///
    /// # Errors
    /// Answers [`CustodyError`] if the parts do not fit together.
    pub fn sign(handout: Handout<'_>, barrier: &Barrier, now: Timestamp) -> Result<Self, CustodyError> {
        let key = barrier.ceremony_key();
        let statement = Statement::new(&handout, key.public().to_string(), now)?;
        let mut record = Envelope::new(PAYLOAD_TYPE, &statement.to_json()?);
        key.sign(&mut record);
        let sealed = handout.sealed_shares.iter().filter(|_| handout.keep);
        let row = CustodyRecord {
            format: CUSTODY_FORMAT,
            charter: handout.charter.envelope.to_json(),
            record: record.to_json(),
            sealed_shares: sealed.map(|share| BASE64.encode(share)).collect(),
        };
        let row = serde_json::to_vec(&row).map_err(|error| CustodyError::Unreadable { reason: error.to_string() })?;
        // What is written is what will be read: every check of reading is one of writing too.
        Self::read(&row)
    }

    /// Reads a row. Its signatures are not what makes it believed: the keyring does not open beside another one.
    ///
    /// # Errors
    /// Answers [`CustodyError`] for what is no custody record, and if its parts do not agree.
    pub fn read(row: &[u8]) -> Result<Self, CustodyError> {
        if row.len() > CUSTODY_LENGTH_BYTES_MAX {
            return Err(CustodyError::TooLong { length_bytes: row.len() });
        }
        let record: CustodyRecord =
            serde_json::from_slice(row).map_err(|error| CustodyError::Unreadable { reason: error.to_string() })?;
        if record.format != CUSTODY_FORMAT {
            return Err(CustodyError::Format { found: record.format });
        }
        let envelope = Envelope::parse(record.charter.as_bytes())?;
        let charter = SignedCharter { charter: Charter::parse(envelope.payload())?, envelope };
        let signed = Envelope::parse(record.record.as_bytes())?;
        let statement = Statement::verify(&signed)?;
        statement.check_charter(&charter)?;
        let decode = |text: &String| BASE64.decode(text.as_bytes()).ok();
        let sealed_shares: Option<Vec<Vec<u8>>> = record.sealed_shares.iter().map(decode).collect();
        let sealed_shares = sealed_shares.ok_or(CustodyError::Disagrees { what: "a sealed share is not base64" })?;
        statement.check_sealed_shares(&sealed_shares)?;
        Ok(Self { row: row.into(), charter, record: signed, statement, sealed_shares })
    }

    /// Checks that it speaks of the shares of this seal.
    ///
    /// # Errors
    /// Answers [`CustodyError::Disagrees`] otherwise.
    pub fn check_seal(&self, config: &SealConfig) -> Result<(), CustodyError> {
        self.statement.check_seal(config)
    }

    /// Gives the bytes of the row.
    pub const fn row(&self) -> &Arc<[u8]> {
        &self.row
    }

    /// Gives the digest of the row.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.row)
    }

    /// Gives the charter in force.
    pub const fn charter(&self) -> &SignedCharter {
        &self.charter
    }

    /// Gives the record of the ceremony, signed by the vault.
    pub const fn record(&self) -> &Envelope {
        &self.record
    }

    /// Gives what the record says.
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Gives the custodian of a share.
    pub fn custodian(&self, index: ShareIndex) -> Option<&Person> {
        custodians(&self.charter.charter).find(|(own, _)| *own == index).map(|(_, person)| person)
    }

    /// Gives the shares of the person with a fingerprint; none for whoever the charter does not know.
    pub fn shares_of(&self, fingerprint: &str) -> Vec<ShareIndex> {
        let theirs =
            custodians(&self.charter.charter).filter(|(_, person)| person.signing_key.fingerprint() == fingerprint);
        theirs.map(|(index, _)| index).collect()
    }

    /// Gives every share as it was sealed, in the order of their numbers; none where they are not kept here.
    pub fn sealed_shares(&self) -> &[Vec<u8>] {
        &self.sealed_shares
    }

    /// Gives a share as it was sealed to its custodian, if it is kept here.
    pub fn sealed_share(&self, index: ShareIndex) -> Option<&[u8]> {
        self.sealed_shares.get(usize::from(index.get()) - 1).map(Vec::as_slice)
    }
}

/// Longest text of an envelope within a record, which bounds what is read of it.
const _: () = assert!(2 * ENVELOPE_LENGTH_BYTES_MAX < CUSTODY_LENGTH_BYTES_MAX);
