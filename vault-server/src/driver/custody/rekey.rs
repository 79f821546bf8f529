//! Replaces charter and shares in two phases: new shares are handed out first, and come into force once every new
//! custodian has acknowledged theirs. The pending ones lie in a row, so that the ceremony outlives a crash.

use std::sync::Arc;

use vault_core::audit::{Ceremony, CeremonyEvent};
use vault_core::custody::{Acknowledged, Custody, Occasion, Pending, SignedCharter};
use vault_core::id::AttemptId;
use vault_core::refusal::{Class, Refusal};
use vault_core::seal::SealConfig;
use vault_core::seal::renew::{DrawError, NewSeal};
use vault_core::sharing::{Share, ShareIndex};

use super::{CharterAsk, CheckUp, HandedOut, judge, seal_shares};
use crate::driver::ceremonies::Standing;
use crate::driver::rekey::Settled;
use crate::driver::rotation::seal_commit_refusal;
use crate::driver::{Caller, Open, Vault, store_refusal};

/// New shares that wait for their custodians.
pub struct PendingStatus {
    /// Who is to hold them.
    pub custody: Arc<Custody>,
    /// What is public about them.
    pub config: Arc<SealConfig>,
    /// The shares that are not acknowledged yet.
    pub waiting_for: Vec<ShareIndex>,
}

/// What an acknowledgement led to.
pub enum AcknowledgeOutcome {
    /// Others have yet to come.
    More(PendingStatus),
    /// The new shares are in force.
    Complete(Arc<Custody>),
}

/// Tells whether shares by this very charter wait already and can be handed out again.
fn is_handed_out(pending: &Pending, charter: &SignedCharter) -> bool {
    let custody = pending.custody();
    custody.charter().charter().digest() == charter.charter().digest() && !custody.sealed_shares().is_empty()
}

fn describe(pending: &Pending) -> PendingStatus {
    PendingStatus {
        custody: Arc::clone(pending.custody()),
        config: Arc::clone(pending.config()),
        waiting_for: pending.waiting_for(),
    }
}

impl Vault {
    /// Hands out new shares by the charter that follows the one in force. They take the place of other pending ones.
    ///
    /// # Errors
    /// Refuses while the vault is sealed or has no charter, and a charter that is not the next one or that too few
    /// have signed.
    pub async fn begin_charter_rekey(self: &Arc<Self>, ask: CharterAsk, caller: Caller) -> Result<HandedOut, Refusal> {
        let vault = Arc::clone(self);
        self.to_its_end(async move { vault.hand_out_next(ask, caller).await }).await
    }

    async fn hand_out_next(&self, ask: CharterAsk, caller: Caller) -> Result<HandedOut, Refusal> {
        let standing = Standing::stranger(caller);
        let (_ceremonies, open) = self.ceremonies().await?;
        let present = open.unsealed.custody().ok_or_else(without_charter)?;
        let charter = judge(&ask.envelope, Some(present.charter().charter()))?;
        if let Some(pending) = self.read_pending(&open).await?.filter(|pending| is_handed_out(pending, &charter)) {
            // Whoever sends the same charter again, or missed the answer, takes nobody's acknowledgement away.
            let custody = Arc::clone(pending.custody());
            return Ok(HandedOut { sealed_shares: custody.sealed_shares().to_vec(), custody });
        }
        let now = self.environment.now();
        let config = open.unsealed.config();
        let drawn = NewSeal::draw_by_charter(&charter, &config, &present, now, &mut self.environment.rng());
        let drawn = drawn.map_err(|error| draw_refusal(&error))?;
        self.hand_out_pending(&open, (Occasion::Rekey, &charter), drawn, ask.keep, &standing).await
    }

    /// Seals new shares to their custodians and stores them with their key, to wait for acknowledgements.
    pub(super) async fn hand_out_pending(
        &self,
        open: &Open,
        (occasion, charter): (Occasion, &SignedCharter),
        (new, shares): (NewSeal, Vec<Share>),
        keep: bool,
        standing: &Standing,
    ) -> Result<HandedOut, Refusal> {
        let place = (Ceremony::CharterRekey, Some(AttemptId::random(&mut self.environment.rng())));
        self.record_ceremony(open, place, CeremonyEvent::Begin { displaced: None }, standing).await?;
        let sealed_shares = seal_shares(charter, shares).await?;
        let handed_out = (sealed_shares.clone(), keep);
        let custody = self.sign_handout((occasion, charter), new.config(), handed_out, open.barrier())?;
        let pending = Pending::begin(new.with_custody(custody))?;
        self.store_pending(open, &pending).await?;
        Ok(HandedOut { custody: Arc::clone(pending.custody()), sealed_shares })
    }

    /// Tells whether new shares wait for their custodians; nobody can tell while the vault is sealed.
    ///
    /// # Errors
    /// Refuses when the store cannot be read.
    pub async fn pending_shares(&self) -> Result<Option<PendingStatus>, Refusal> {
        let Some(open) = self.open.load_full() else { return Ok(None) };
        Ok(self.read_pending(&open).await?.as_ref().map(describe))
    }

    /// Takes a proof that a custodian holds their new share; the last one puts all of them in force.
    ///
    /// # Errors
    /// Refuses while the vault is sealed or nothing is pending, a proof that does not hold, and when the store
    /// cannot be written: then the old shares stay in force.
    pub async fn acknowledge(
        self: &Arc<Self>,
        checkup: CheckUp,
        caller: Caller,
    ) -> Result<AcknowledgeOutcome, Refusal> {
        let vault = Arc::clone(self);
        self.to_its_end(async move { vault.take_acknowledgement(checkup, caller).await }).await
    }

    async fn take_acknowledgement(&self, checkup: CheckUp, caller: Caller) -> Result<AcknowledgeOutcome, Refusal> {
        let standing = Standing::stranger(caller);
        let (mut ceremonies, open) = self.ceremonies().await?;
        let pending = self.read_pending(&open).await?.ok_or_else(nothing_pending)?;
        let now = self.environment.now();
        let mut questions = self.questions.lock().await;
        questions.check(&checkup.nonce, now).map_err(|error| Refusal::invalid(error.to_string()))?;
        let place = (Ceremony::CharterRekey, None);
        if let Err(error) = pending.check(checkup.index, &checkup.nonce, &checkup.proof) {
            let reason = error.to_string();
            let event = CeremonyEvent::ShareRefused { index: Some(checkup.index.get()), reason: &reason };
            self.record_ceremony(&open, place, event, &standing).await?;
            return Err(Refusal::invalid(reason));
        }
        let event = CeremonyEvent::ShareTaken { index: checkup.index.get(), displaced: None };
        self.record_ceremony(&open, place, event, &standing).await?;
        questions.close(&checkup.nonce, now);
        match pending.acknowledge(checkup.index, now) {
            Acknowledged::More(pending) => {
                self.store_pending(&open, &pending).await?;
                Ok(AcknowledgeOutcome::More(describe(&pending)))
            }
            Acknowledged::All { new, checkups } => {
                let put = checkups.put().map_err(|error| Refusal::internal(error.to_string()))?;
                let also = vec![Pending::end(open.barrier().names()), put];
                match self.commit_rekey(&open, (new, also), place, &standing).await? {
                    Settled::Certainly => {
                        ceremonies.clear();
                        open.rules.expire();
                        self.note_charter(caller);
                    }
                    Settled::Perhaps => return Err(unknown_standing()),
                }
                let custody = open.unsealed.custody();
                custody.map(AcknowledgeOutcome::Complete).ok_or_else(|| Refusal::internal("no custody after a rekey"))
            }
        }
    }

    async fn read_pending(&self, open: &Open) -> Result<Option<Pending>, Refusal> {
        let key = Pending::row_key(open.barrier().names());
        let row = self.storage.get(&key).await.map_err(|error| store_refusal(&error))?;
        row.map(|row| Pending::read(&row, open.barrier())).transpose()
    }

    async fn store_pending(&self, open: &Open, pending: &Pending) -> Result<(), Refusal> {
        let batch = pending.store(open.barrier(), &mut self.environment.rng())?;
        self.storage.commit(batch).await.map(drop).map_err(|error| seal_commit_refusal(&error))
    }
}

pub(super) fn draw_refusal(error: &DrawError) -> Refusal {
    match error {
        DrawError::NotTheNext | DrawError::Structure(_) => Refusal::invalid(error.to_string()),
        other => Refusal::internal(other.to_string()),
    }
}

fn without_charter() -> Refusal {
    Refusal::invalid("the vault has no charter, its shares were handed out in clear: keyturn bootstrap finish")
}

fn nothing_pending() -> Refusal {
    Refusal::invalid("no new shares wait to be acknowledged: they may be in force already")
}

fn unknown_standing() -> Refusal {
    Refusal::new(
        Class::Unavailable,
        "the store did not tell whether the new shares are in force: keep both sets until one has unsealed",
    )
}
