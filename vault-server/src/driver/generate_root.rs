//! A root token by the will of a quorum of custodians.

use std::sync::Arc;

use vault_core::audit::{Ceremony, CeremonyEvent};
use vault_core::id::AttemptId;
use vault_core::refusal::Refusal;
use vault_core::seal::attempts::{Attempts, Quorum, Taken};
use vault_core::seal::root::{GeneratedRoot, OneTimePad};
use vault_core::secret::SecretText;

use crate::driver::ceremonies::{CeremonyCaller, Standing};
use crate::driver::rotation::seal_commit_refusal;
use crate::driver::{Caller, Open, Vault};

const CEREMONY: Ceremony = Ceremony::GenerateRoot;

/// How far an attempt is.
pub struct RootStatus {
    /// Names it; `None` if none is running.
    pub nonce: Option<AttemptId>,
    /// How many shares have come.
    pub progress: u8,
    /// How many are needed.
    pub required: u8,
}

/// An attempt just begun.
pub struct RootBegun {
    /// How far it is.
    pub status: RootStatus,
    /// The one-time pad that was drawn for a caller who brought none.
    pub pad: Option<SecretText>,
}

/// What a share led to.
pub enum RootOutcome {
    /// More are needed.
    More(RootStatus),
    /// A root token was made.
    Made {
        /// The attempt, which is over.
        status: RootStatus,
        /// The token under the one-time pad.
        encoded: SecretText,
    },
}

impl Vault {
    /// Tells how far an attempt is, the one that is named or the one that is shown.
    ///
    /// # Errors
    /// Refuses while the vault is sealed.
    pub async fn root_status(&self, named: Option<AttemptId>) -> Result<RootStatus, Refusal> {
        let (ceremonies, open) = self.ceremonies().await?;
        Ok(describe(&open, &ceremonies.roots, named))
    }

    /// Begins an attempt, with the caller's one-time pad or one that is drawn.
    ///
    /// # Errors
    /// Refuses while the vault is sealed, a pad of the wrong length, and when there is no room.
    pub async fn begin_root(&self, pad: Option<SecretText>, asking: CeremonyCaller) -> Result<RootBegun, Refusal> {
        let (pad, drawn) = match pad {
            Some(text) => (OneTimePad::new(text)?, None),
            None => {
                let pad = OneTimePad::draw(&mut self.environment.rng());
                let text = pad.text();
                (pad, Some(text))
            }
        };
        let standing = self.standing(asking).await?;
        let (mut ceremonies, open) = self.ceremonies().await?;
        let id = self.begin_attempt(&open, (CEREMONY, &mut ceremonies.roots), pad, &standing).await?;
        Ok(RootBegun { status: describe(&open, &ceremonies.roots, Some(id)), pad: drawn })
    }

    /// Gives up an attempt, the one that is named or the one that is shown.
    ///
    /// # Errors
    /// Refuses while the vault is sealed, and a stranger who cancels what is not theirs.
    pub async fn cancel_root(&self, named: Option<AttemptId>, asking: CeremonyCaller) -> Result<(), Refusal> {
        let standing = self.standing(asking).await?;
        let (mut ceremonies, open) = self.ceremonies().await?;
        self.cancel_attempt(&open, (CEREMONY, &mut ceremonies.roots), named, &standing).await
    }

    /// Takes a share; the one that completes the quorum makes a root token.
    ///
    /// # Errors
    /// Refuses a share that is not good, saying why, and when the token cannot be stored.
    pub async fn give_root_share(
        self: &Arc<Self>,
        nonce: Option<AttemptId>,
        key: SecretText,
        caller: Caller,
    ) -> Result<RootOutcome, Refusal> {
        let vault = Arc::clone(self);
        self.to_its_end(async move { vault.take_root_share(nonce, &key, caller).await }).await
    }

    async fn take_root_share(
        &self,
        nonce: Option<AttemptId>,
        key: &SecretText,
        caller: Caller,
    ) -> Result<RootOutcome, Refusal> {
        let standing = Standing::stranger(caller);
        let (mut ceremonies, open) = self.ceremonies().await?;
        match self.offer(&open, (CEREMONY, &mut ceremonies.roots), nonce, key, &standing).await? {
            Taken::More => Ok(RootOutcome::More(describe(&open, &ceremonies.roots, nonce))),
            Taken::Enough(quorum) => {
                let encoded = self.make_root(&open, quorum, nonce, &standing).await?;
                let required = open.unsealed.config().threshold().needed();
                let status = RootStatus { nonce, progress: required, required };
                Ok(RootOutcome::Made { status, encoded })
            }
        }
    }

    async fn make_root(
        &self,
        open: &Open,
        quorum: Quorum<OneTimePad>,
        nonce: Option<AttemptId>,
        standing: &Standing,
    ) -> Result<SecretText, Refusal> {
        self.record_ceremony(open, (CEREMONY, nonce), CeremonyEvent::Complete, standing).await?;
        let now = self.environment.now();
        let mut made = GeneratedRoot::make(quorum, &open.unsealed, now, &mut self.environment.rng())?;
        let Err(error) = self.storage.commit(std::mem::take(&mut made.batch)).await else { return Ok(made.encoded) };
        let refusal = seal_commit_refusal(&error);
        let reason = error.to_string();
        let event = CeremonyEvent::Failed { reason: &reason };
        self.record_ceremony(open, (CEREMONY, nonce), event, standing).await?;
        Err(refusal)
    }
}

fn describe(open: &Open, attempts: &Attempts<OneTimePad>, named: Option<AttemptId>) -> RootStatus {
    let shown = attempts.shown(named);
    let config = open.unsealed.config();
    RootStatus {
        nonce: shown.as_ref().map(|shown| shown.id),
        progress: shown.map_or(0, |shown| config.progress(shown.shares)),
        required: config.threshold().needed(),
    }
}
