//! Ends the bootstrap phase of a vault whose shares were handed out in clear: a quorum of its custodians agrees to a first
//! charter, new shares are sealed to the people that it names, and once these have acknowledged them it is in service.

use std::sync::Arc;

use vault_core::audit::Ceremony;
use vault_core::charter::Digest;
use vault_core::custody::{Occasion, SignedCharter};
use vault_core::id::AttemptId;
use vault_core::refusal::Refusal;
use vault_core::seal::attempts::{Attempts, Quorum, Taken};
use vault_core::seal::renew::NewSeal;
use vault_core::secret::SecretText;

use super::rekey::draw_refusal;
use super::{CharterAsk, HandedOut, judge};
use crate::driver::ceremonies::{CeremonyCaller, Standing};
use crate::driver::{Caller, Open, Vault};

/// What the custodians of a bootstrap are asked to agree to.
pub(in crate::driver) struct Bootstrap {
    charter: SignedCharter,
    keep: bool,
}

/// How far an attempt is.
pub struct BootstrapStatus {
    /// Names it; `None` if none is running.
    pub nonce: Option<AttemptId>,
    /// The digest of the charter that it is for.
    pub charter: Option<Digest>,
    /// How many shares have come.
    pub progress: u8,
    /// How many are needed.
    pub required: u8,
}

/// What a share led to.
pub enum BootstrapOutcome {
    /// More are needed.
    More(BootstrapStatus),
    /// New shares are handed out and wait for their custodians.
    HandedOut(HandedOut),
}

impl Vault {
    /// Tells how far an attempt is, the one that is named or the one that is shown.
    ///
    /// # Errors
    /// Refuses while the vault is sealed.
    pub async fn bootstrap_status(&self, named: Option<AttemptId>) -> Result<BootstrapStatus, Refusal> {
        let (ceremonies, open) = self.ceremonies().await?;
        Ok(describe(&open, &ceremonies.bootstraps, named))
    }

    /// Begins an attempt with a first charter.
    ///
    /// # Errors
    /// Refuses while the vault is sealed or has a charter, a charter that too few have signed, and when there is no
    /// room.
    pub async fn begin_bootstrap(&self, ask: CharterAsk, asking: CeremonyCaller) -> Result<BootstrapStatus, Refusal> {
        let charter = judge(&ask.envelope, None)?;
        let standing = self.standing(asking).await?;
        let (mut ceremonies, open) = self.ceremonies().await?;
        let purpose = Bootstrap { charter, keep: ask.keep };
        let place = (Ceremony::Bootstrap, &mut ceremonies.bootstraps);
        let id = self.begin_attempt(&open, place, purpose, &standing).await?;
        Ok(describe(&open, &ceremonies.bootstraps, Some(id)))
    }

    /// Takes a present share; the one that completes the quorum has new ones handed out.
    ///
    /// # Errors
    /// Refuses a share that is not good, saying why, and when the new ones cannot be sealed or stored.
    pub async fn give_bootstrap_share(
        self: &Arc<Self>,
        nonce: Option<AttemptId>,
        key: SecretText,
        caller: Caller,
    ) -> Result<BootstrapOutcome, Refusal> {
        let vault = Arc::clone(self);
        self.to_its_end(async move { vault.take_bootstrap_share(nonce, &key, caller).await }).await
    }

    async fn take_bootstrap_share(
        &self,
        nonce: Option<AttemptId>,
        key: &SecretText,
        caller: Caller,
    ) -> Result<BootstrapOutcome, Refusal> {
        let standing = Standing::stranger(caller);
        let (mut ceremonies, open) = self.ceremonies().await?;
        let place = (Ceremony::Bootstrap, &mut ceremonies.bootstraps);
        match self.offer(&open, place, nonce, key, &standing).await? {
            Taken::More => Ok(BootstrapOutcome::More(describe(&open, &ceremonies.bootstraps, nonce))),
            Taken::Enough(quorum) => self.agree(&open, &quorum, &standing).await.map(BootstrapOutcome::HandedOut),
        }
    }

    async fn agree(&self, open: &Open, quorum: &Quorum<Bootstrap>, standing: &Standing) -> Result<HandedOut, Refusal> {
        let Bootstrap { charter, keep } = quorum.purpose();
        let structure = charter.charter().shares().structure();
        let structure = structure.map_err(|error| Refusal::invalid(error.to_string()))?;
        let (config, now) = (open.unsealed.config(), self.environment.now());
        let drawn = NewSeal::draw(quorum, &config, structure, now, &mut self.environment.rng());
        let drawn = drawn.map_err(|error| draw_refusal(&error))?;
        self.hand_out_pending(open, (Occasion::Rekey, charter), drawn, *keep, standing).await
    }
}

fn describe(open: &Open, attempts: &Attempts<Bootstrap>, named: Option<AttemptId>) -> BootstrapStatus {
    let config = open.unsealed.config();
    let shown = attempts.shown(named);
    BootstrapStatus {
        nonce: shown.as_ref().map(|shown| shown.id),
        charter: shown.as_ref().map(|shown| shown.purpose.charter.charter().digest()),
        progress: shown.map_or(0, |shown| config.progress(shown.shares)),
        required: config.threshold().needed(),
    }
}
