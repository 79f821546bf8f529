//! Takes proofs that custodians hold their shares, sealed or not.

use vault_core::audit::SealEvent;
use vault_core::custody::{CHECKUPS_ROW, CheckUps, Health, Limit};
use vault_core::refusal::{Class, Refusal};
use vault_core::seal::SealConfig;
use vault_core::sharing::{PossessionNonce, PossessionProof, ShareIndex};
use vault_core::time::Timestamp;

use crate::driver::{Caller, Status, Vault, store_refusal};
use crate::storage::CommitError;

/// A proof as it comes.
pub struct CheckUp {
    /// The question that it answers.
    pub nonce: PossessionNonce,
    /// The number of the share.
    pub index: ShareIndex,
    /// The proof.
    pub proof: PossessionProof,
}

impl Vault {
    /// Asks a question that a proof of possession can answer.
    pub async fn ask_possession(&self) -> PossessionNonce {
        let questions = self.questions.lock().await;
        questions.ask(self.environment.now(), &mut self.environment.rng())
    }

    /// Takes a proof of possession of a share that is in force, and notes that its custodian was seen.
    ///
    /// # Errors
    /// Refuses a proof that does not hold, and when neither log nor store can be written.
    pub async fn check_up(&self, checkup: CheckUp, caller: Caller) -> Result<Timestamp, Refusal> {
        let status = self.status().await?;
        // Of two proofs at once one would overwrite what the other noted.
        let mut questions = self.questions.lock().await;
        let config = status.config.as_ref().ok_or_else(|| Refusal::invalid("server is not yet initialized"))?;
        let now = self.environment.now();
        questions.check(&checkup.nonce, now).map_err(|error| Refusal::invalid(error.to_string()))?;
        let custodian = status.custodian(checkup.index);
        let index = checkup.index.get();
        if let Err(error) = verify(config, &checkup) {
            let reason = error.to_string();
            let event = SealEvent::CheckUpRefused { index, custodian: custodian.as_deref(), reason: &reason };
            self.record_seal_event(event, caller).await?;
            return Err(Refusal::invalid(reason));
        }
        let event = SealEvent::CheckedUp { index, custodian: custodian.as_deref() };
        self.record_seal_event(event, caller).await?;
        self.note_checkup(config, checkup.index, now).await?;
        questions.close(&checkup.nonce, now);
        drop(questions);
        if let Err(refusal) = self.watch_custodians().await {
            tracing::warn!("the check-ups: {}", refusal.private.unwrap_or(refusal.public));
        }
        Ok(now)
    }

    /// Tells when custodians were seen last.
    pub(crate) async fn checkups(&self, status: &Status) -> Result<Option<CheckUps>, Refusal> {
        let Some(config) = &status.config else { return Ok(None) };
        let row = self.storage.get(&CHECKUPS_ROW).await.map_err(|error| store_refusal(&error))?;
        let read = CheckUps::read(row.as_ref().map(|row| row.value.as_ref()), config.epoch());
        read.map(Some).map_err(|error| Refusal::internal(error.to_string()))
    }

    /// Judges when custodians were seen last; none where shares have no custodians.
    pub(crate) fn custody_health(&self, status: &Status, checkups: Option<&CheckUps>) -> Option<Health> {
        let (custody, config) = (status.custody.as_ref()?, status.config.as_ref()?);
        let (now, span) = (self.environment.now(), self.settings.checkup_span);
        Some(custody.health(config.created_at(), checkups?, now, span))
    }

    /// Shows in metrics how it stands with the custodians, and logs when a limit is breached or kept again.
    pub(in crate::driver) async fn watch_custodians(&self) -> Result<(), Refusal> {
        let status = self.status().await?;
        let checkups = self.checkups(&status).await?;
        let Some(health) = self.custody_health(&status, checkups.as_ref()) else { return Ok(()) };
        let overdue = health.overdue.join(", ");
        if self.metrics.custody_is(&health) {
            match health.limit {
                Limit::Kept => tracing::info!("every custodian has checked in"),
                Limit::Soft => tracing::warn!("custodians have not checked in for too long: {overdue}"),
                Limit::Hard => tracing::error!(
                    "one more custodian to lose, and the vault may never open again; not checked in for too long: {overdue}"
                ),
            }
        }
        Ok(())
    }

    async fn note_checkup(&self, config: &SealConfig, index: ShareIndex, now: Timestamp) -> Result<(), Refusal> {
        let row = self.storage.get(&CHECKUPS_ROW).await.map_err(|error| store_refusal(&error))?;
        let read = CheckUps::read(row.as_ref().map(|row| row.value.as_ref()), config.epoch());
        let mut checkups = read.map_err(|error| Refusal::internal(error.to_string()))?;
        checkups.note(index, now);
        let batch =
            checkups.store(row.map(|row| row.revision)).map_err(|error| Refusal::internal(error.to_string()))?;
        match self.storage.commit(batch).await {
            Ok(_) => {
                // Limits on the age of check-ups go by what is in memory.
                if let Some(open) = self.open.load_full() {
                    open.rules.expire();
                }
                Ok(())
            }
            Err(CommitError::Conflict { .. }) => Err(Refusal::new(Class::Busy, "another check-up came; try again")),
            Err(CommitError::Storage(error)) => Err(store_refusal(&error)),
        }
    }
}

fn verify(config: &SealConfig, checkup: &CheckUp) -> Result<(), vault_core::sharing::PossessionError> {
    let (vault, epoch) = (config.vault().fingerprint(), config.epoch());
    config.commitments().verify_possession(vault, epoch, checkup.index, &checkup.nonce, &checkup.proof)
}
