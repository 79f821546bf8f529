//! Rotates the barrier's key: a term is drawn, stored with the keyring, and only then sealed in.

use vault_core::refusal::{Class, Refusal};
use vault_core::seal::renew::{RenewError, SealRows};
use vault_core::seal::rotation::RotationSettings;
use vault_core::seal::{KEYRING_ROW, SEAL_CONFIG_ROW};
use vault_core::view::{Interrupt, View};

use crate::driver::fetch::ROUNDS_MAX;
use crate::driver::{Open, Vault, store_refusal};
use crate::storage::CommitError;

impl Vault {
    /// Seals in a new term from now on. Old rows stay readable.
    pub(super) async fn rotate(&self, open: &Open) -> Result<(), Refusal> {
        // Two changes of the seal's rows follow one another.
        let _ceremonies = self.ceremonies.lock().await;
        let rows = self.seal_rows(open).await?;
        let now = self.environment.now();
        let mut rotation =
            open.unsealed.rotate(&rows, now, &mut self.environment.rng()).map_err(|error| renew_refusal(&error))?;
        match self.storage.commit(std::mem::take(&mut rotation.batch)).await {
            Ok(committed) => open.unsealed.adopt_rotation(rotation, &committed),
            Err(error) => return Err(seal_commit_refusal(&error)),
        }
        tracing::info!("the barrier's key is rotated; the term is {}", open.barrier().facts().term.0);
        Ok(())
    }

    /// Rotates if the settings say that it is time.
    pub(super) async fn rotate_if_due(&self, open: &Open) -> Result<(), Refusal> {
        let settings = self.rotation_settings(open).await?;
        if settings.is_due(&open.barrier().facts(), self.environment.now()) {
            self.record_housekeeping("rotate-keyring").await?;
            self.rotate(open).await?;
        }
        Ok(())
    }

    async fn rotation_settings(&self, open: &Open) -> Result<RotationSettings, Refusal> {
        let mut view = View::default();
        let fetcher = self.fetcher(open, None);
        for _ in 0..ROUNDS_MAX {
            match RotationSettings::read(open.barrier().names(), &mut view) {
                Ok(settings) => return Ok(settings),
                Err(Interrupt::Refuse(refusal)) => return Err(refusal),
                Err(Interrupt::Fetch) => fetcher.supply(&mut view).await?,
            }
        }
        Err(Refusal::internal("reading the settings of the rotation does not come to an end"))
    }

    /// Reads the rows of the seal, so that what is committed next expects them unchanged.
    pub(super) async fn seal_rows(&self, open: &Open) -> Result<SealRows, Refusal> {
        let config = self.storage.get(&SEAL_CONFIG_ROW).await.map_err(|error| store_refusal(&error))?;
        let keyring = self.storage.get(&KEYRING_ROW).await.map_err(|error| store_refusal(&error))?;
        open.unsealed.check_rows(config.as_ref(), keyring.as_ref()).map_err(|error| renew_refusal(&error))
    }
}

pub(super) fn renew_refusal(error: &RenewError) -> Refusal {
    match error {
        RenewError::Elsewhere => Refusal::new(Class::Unavailable, error.to_string()),
        RenewError::HasCharter => Refusal::invalid(error.to_string()),
        other => Refusal::internal(other.to_string()),
    }
}

/// Refuses because the rows of the seal were not written.
pub(super) fn seal_commit_refusal(error: &CommitError) -> Refusal {
    match error {
        CommitError::Conflict { .. } => Refusal::new(Class::Busy, "the seal was changed in the meantime; try again"),
        CommitError::Storage(error) => store_refusal(error),
    }
}
