//! Makes a vault whose shares nobody ever sees in clear, and no token.

use std::sync::Arc;

use vault_core::audit::SealEvent;
use vault_core::barrier::Barrier;
use vault_core::custody::Occasion;
use vault_core::id::VaultId;
use vault_core::mounts;
use vault_core::refusal::Refusal;
use vault_core::seal::Initialised;
use vault_core::seal::renew::NewSeal;

use super::{HandedOut, judge, seal_shares};
use crate::driver::seals::{Phase, initialised_already};
use crate::driver::{Caller, Vault, store_refusal};
use crate::storage::CommitError;

/// What is to be made by a charter.
pub struct CharterAsk {
    /// The charter in its envelope.
    pub envelope: String,
    /// Whether the sealed shares are kept beside the vault.
    pub keep: bool,
}

impl Vault {
    /// Makes the vault: its keys, the first mounts and policies, and a share for each custodian, sealed to them.
    ///
    /// # Errors
    /// Refuses a charter that too few have signed, a recipient that cannot be sealed to, and when there is a vault
    /// already, also when another caller was faster.
    pub async fn initialise_by_charter(&self, ask: CharterAsk, caller: Caller) -> Result<HandedOut, Refusal> {
        let charter = judge(&ask.envelope, None)?;
        let structure = charter.charter().shares().structure();
        let structure = structure.map_err(|error| Refusal::invalid(error.to_string()))?;
        let mut phase = self.phase().await?;
        if !matches!(*phase, Phase::Uninitialised) {
            return Err(initialised_already());
        }
        self.record_seal_event(SealEvent::Initialise, caller).await?;
        let now = self.environment.now();
        let broken = |error: &dyn std::fmt::Display| Refusal::internal(error.to_string());
        let (new, shares, barrier) = {
            let mut rng = self.environment.rng();
            let vault = VaultId::random(&mut rng);
            let (new, shares) = NewSeal::first(structure, vault, now, &mut rng).map_err(|error| broken(&error))?;
            (new, shares, Barrier::generate(vault, now, &mut rng))
        };
        let sealed_shares = seal_shares(&charter, shares).await?;
        let handed_out = (sealed_shares.clone(), ask.keep);
        let custody = self.sign_handout((Occasion::Init, &charter), new.config(), handed_out, &barrier)?;
        let new = new.with_custody(custody);
        let made = {
            let mut rng = self.environment.rng();
            let mut made = Initialised::make(new, barrier, &mut rng).map_err(|error| broken(&error))?;
            let rows = mounts::initial_changes(made.unsealed.barrier().names(), &mut rng)?;
            made.add_rows(rows, &mut rng).map_err(|error| broken(&error))?;
            made
        };
        let custody = made.unsealed.custody().ok_or_else(|| Refusal::internal("the custody record is missing"))?;
        match self.storage.commit(made.batch).await {
            Ok(_) => {}
            Err(CommitError::Conflict { .. }) => return Err(initialised_already()),
            Err(CommitError::Storage(error)) => return Err(store_refusal(&error)),
        }
        *phase = Phase::Unknown;
        Ok(HandedOut { custody: Arc::clone(&custody), sealed_shares })
    }
}
