//! New shares that their custodians have yet to acknowledge: the first phase of a rekey by charter.
//!
//! The new unseal secret lies sealed in a system row, so that the ceremony outlives a crash and a sealing; the old shares
//! stay in force until every new custodian has proved to hold their new one, and then one batch puts all of the new in
//! the place of all of the old.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::Custody;
use crate::engines::Change;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::seal::SealConfig;
use crate::seal::renew::NewSeal;
use crate::secret::{SecretBytes, SecretKey};
use crate::sharing::{PossessionError, PossessionNonce, PossessionProof, ShareIndex};

const VERSION: u8 = 1;

/// New shares that are handed out and not yet in force; dropping it wipes the new key.
pub struct Pending {
    new: NewSeal,
    custody: Arc<Custody>,
    acknowledged: BTreeSet<u8>,
}

/// What an acknowledgement led to.
#[must_use]
pub enum Acknowledged {
    /// Other custodians have yet to come.
    More(Pending),
    /// Every custodian holds their share: the new ones can come into force.
    All(NewSeal),
}

#[derive(Serialize, Deserialize)]
struct PendingRecord {
    config: Vec<u8>,
    seal_key: [u8; 32],
    custody: Vec<u8>,
    acknowledged: BTreeSet<u8>,
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        self.seal_key.zeroize();
    }
}

impl Pending {
    /// Begins with new shares that nobody has acknowledged.
    ///
    /// # Errors
    /// Refuses, with an internal error, shares that were handed out in clear.
    pub fn begin(new: NewSeal) -> Result<Self, Refusal> {
        let custody = new.custody().cloned();
        let custody = custody.ok_or_else(|| Refusal::internal("shares without custodians cannot be acknowledged"))?;
        Ok(Self { new, custody, acknowledged: BTreeSet::new() })
    }

    /// Gives where pending shares lie; there is one set at most.
    pub fn slot(names: &Names) -> Slot {
        names.entry(&names.root(Domain::System, "custody"), "pending")
    }

    /// Reads the row.
    ///
    /// # Errors
    /// Refuses, with an internal error, a row that is damaged.
    pub fn load(payload: &SecretBytes) -> Result<Self, Refusal> {
        let record: PendingRecord = record_format::decode(VERSION, payload)?;
        let damaged = |error: &dyn std::fmt::Display| Refusal::internal(format!("the pending shares: {error}"));
        let config = SealConfig::from_json(&record.config).map_err(|error| damaged(&error))?;
        let custody = Custody::read(&record.custody).map_err(|error| damaged(&error))?;
        custody.check_seal(&config).map_err(|error| damaged(&error))?;
        let custody = Arc::new(custody);
        let seal_key = SecretKey::fill_with(|key| key.copy_from_slice(&record.seal_key));
        let new = NewSeal::from_parts(Arc::new(config), seal_key, Some(Arc::clone(&custody)));
        Ok(Self { new, custody, acknowledged: record.acknowledged.clone() })
    }

    /// Gives the change that stores it.
    ///
    /// # Errors
    /// Refuses, with an internal error, what cannot be written.
    pub fn store(&self, names: &Names) -> Result<Change, Refusal> {
        let config = self.new.config().to_json().map_err(|error| Refusal::internal(error.to_string()))?;
        let record = PendingRecord {
            config,
            seal_key: *self.new.seal_key().expose(),
            custody: self.custody.row().to_vec(),
            acknowledged: self.acknowledged.clone(),
        };
        Ok(Change::Put { slot: Self::slot(names), payload: record_format::encode(VERSION, &record)? })
    }

    /// Gives who is to hold the new shares.
    pub const fn custody(&self) -> &Arc<Custody> {
        &self.custody
    }

    /// Gives what is public about the new shares.
    pub const fn config(&self) -> &Arc<SealConfig> {
        self.new.config()
    }

    /// Tells whether the holder of a share has acknowledged it.
    pub fn is_acknowledged(&self, index: ShareIndex) -> bool {
        self.acknowledged.contains(&index.get())
    }

    /// Gives the shares that are not acknowledged yet.
    pub fn waiting_for(&self) -> Vec<ShareIndex> {
        let indices = self.config().threshold().indices();
        indices.filter(|index| !self.is_acknowledged(*index)).collect()
    }

    /// Checks a proof that somebody holds a new share. The nonce is bound to the charter by
    /// [`PossessionNonce::bound_to`], so that no proof counts for another rekey than the one that its maker saw.
    ///
    /// # Errors
    /// Answers [`PossessionError`] for a proof that does not hold.
    pub fn check(
        &self,
        index: ShareIndex,
        nonce: &PossessionNonce,
        proof: &PossessionProof,
    ) -> Result<(), PossessionError> {
        let config = self.config();
        let nonce = nonce.bound_to(&self.custody.charter().charter().digest());
        config.commitments().verify_possession(config.vault().fingerprint(), config.epoch(), index, &nonce, proof)
    }

    /// Counts an acknowledgement whose proof was checked.
    pub fn acknowledge(mut self, index: ShareIndex) -> Acknowledged {
        self.acknowledged.insert(index.get());
        if self.waiting_for().is_empty() { Acknowledged::All(self.new) } else { Acknowledged::More(self) }
    }
}
