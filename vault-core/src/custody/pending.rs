//! New shares that their custodians have yet to acknowledge: the first phase of a rekey by charter.
//!
//! The new unseal secret lies sealed in a system row, so that the ceremony outlives a crash and a sealing; the old shares
//! stay in force until every new custodian has proved to hold their new one, and then one batch puts all of the new in
//! the place of all of the old.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{CheckUps, Custody};
use crate::barrier::Barrier;
use crate::engines::Change;
use crate::names::{Domain, Names, Slot};
use crate::record_format;
use crate::refusal::Refusal;
use crate::seal::SealConfig;
use crate::seal::renew::NewSeal;
use crate::secret::SecretKey;
use crate::sharing::{PossessionError, PossessionNonce, PossessionProof, ShareIndex};
use crate::store::{Batch, Row, RowKey, Write};
use crate::time::Timestamp;

const VERSION: u8 = 1;

/// New shares that are handed out and not yet in force; dropping it wipes the new key.
pub struct Pending {
    new: NewSeal,
    custody: Arc<Custody>,
    /// By the number of the share: when its holder was seen.
    acknowledged: BTreeMap<u8, i64>,
}

/// What an acknowledgement led to.
#[must_use]
pub enum Acknowledged {
    /// Other custodians have yet to come.
    More(Pending),
    /// Every custodian holds their share: the new ones can come into force.
    All {
        /// The new seal.
        new: NewSeal,
        /// When each custodian was seen.
        checkups: CheckUps,
    },
}

#[derive(Serialize, Deserialize)]
struct PendingRecord {
    config: Vec<u8>,
    seal_key: [u8; 32],
    custody: Vec<u8>,
    acknowledged: BTreeMap<u8, i64>,
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
        Ok(Self { new, custody, acknowledged: BTreeMap::new() })
    }

    /// Gives the row where pending shares lie; there is one set at most.
    pub fn row_key(names: &Names) -> RowKey {
        *Self::slot(names).key()
    }

    fn slot(names: &Names) -> Slot {
        names.entry(&names.root(Domain::System, "custody"), "pending")
    }

    /// Gives the write that removes the row.
    pub fn end(names: &Names) -> Write {
        Write::Delete { key: Self::row_key(names) }
    }

    /// Reads the row.
    ///
    /// # Errors
    /// Refuses, with an internal error, a row that is damaged.
    pub fn read(row: &Row, barrier: &Barrier) -> Result<Self, Refusal> {
        let opened = barrier.open_system(&Self::row_key(barrier.names()), &row.value);
        let opened = opened.map_err(|error| Refusal::internal(format!("the pending shares: {error}")))?;
        let record: PendingRecord = record_format::decode(VERSION, &opened)?;
        let damaged = |error: &dyn std::fmt::Display| Refusal::internal(format!("the pending shares: {error}"));
        let config = SealConfig::from_json(&record.config).map_err(|error| damaged(&error))?;
        let custody = Custody::read(&record.custody).map_err(|error| damaged(&error))?;
        custody.check_seal(&config).map_err(|error| damaged(&error))?;
        let custody = Arc::new(custody);
        let seal_key = SecretKey::fill_with(|key| key.copy_from_slice(&record.seal_key));
        let new = NewSeal::from_parts(Arc::new(config), seal_key, Some(Arc::clone(&custody)));
        Ok(Self { new, custody, acknowledged: record.acknowledged.clone() })
    }

    /// Gives the batch that stores it.
    ///
    /// # Errors
    /// Refuses, with an internal error, what cannot be written.
    pub fn store(&self, barrier: &Barrier, rng: &mut dyn CryptoRng) -> Result<Batch, Refusal> {
        let config = self.new.config().to_json().map_err(|error| Refusal::internal(error.to_string()))?;
        let record = PendingRecord {
            config,
            seal_key: *self.new.seal_key().expose(),
            custody: self.custody.row().to_vec(),
            acknowledged: self.acknowledged.clone(),
        };
        let payload = record_format::encode(VERSION, &record)?;
        let mut expects = Vec::new();
        let put = Change::Put { slot: Self::slot(barrier.names()), payload }.seal(&mut expects, barrier, rng);
        let put = put.map_err(|error| Refusal::internal(error.to_string()))?;
        Ok(Batch::new(expects, vec![put]))
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
        self.acknowledged.contains_key(&index.get())
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
    pub fn acknowledge(mut self, index: ShareIndex, now: Timestamp) -> Acknowledged {
        self.acknowledged.insert(index.get(), now.0);
        if !self.waiting_for().is_empty() {
            return Acknowledged::More(self);
        }
        let mut checkups = CheckUps::new(self.config().epoch());
        for index in self.config().threshold().indices() {
            if let Some(seen) = self.acknowledged.get(&index.get()) {
                checkups.note(index, Timestamp(*seen));
            }
        }
        Acknowledged::All { new: self.new, checkups }
    }
}
