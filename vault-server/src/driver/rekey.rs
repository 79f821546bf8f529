//! New shares by the will of a quorum of custodians, with or without a verification that the new ones are kept.

use std::sync::Arc;
use std::time::Duration;

use vault_core::audit::{Ceremony, CeremonyEvent};
use vault_core::id::AttemptId;
use vault_core::refusal::{Class, Refusal};
use vault_core::seal::SEAL_CONFIG_ROW;
use vault_core::seal::attempts::{OfferError, Quorum, Taken};
use vault_core::seal::renew::{NewSeal, Rekey};
use vault_core::seal::verification::{Verification, Verified};
use vault_core::secret::SecretText;
use vault_core::sharing::{Share, Threshold};
use vault_core::store::Write;
use vault_core::time::Timestamp;

use crate::driver::ceremonies::{Ceremonies, CeremonyCaller, Standing};
use crate::driver::rotation::{renew_refusal, seal_commit_refusal};
use crate::driver::{Caller, Open, Vault};
use crate::storage::CommitError;

/// How often the row is read back after a commit that was not answered, before the outcome counts as unknown.
const READ_BACK_TRIES: u32 = 10;

/// How long between two of them.
const READ_BACK_PAUSE: Duration = Duration::from_millis(200);

/// What a rekey is asked to make.
#[derive(Clone, Copy, Debug)]
pub struct RekeyAsk {
    /// How many shares, and how many of them open.
    pub threshold: Threshold,
    /// Whether the new shares must be given back before they count.
    pub verify: bool,
}

/// A verification with the attempt that it ends.
pub(super) struct PendingVerification {
    attempt: AttemptId,
    ask: RekeyAsk,
    verification: Verification,
}

impl PendingVerification {
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.verification.is_over(now)
    }
}

/// How far an attempt is.
pub struct RekeyStatus {
    /// Names it; `None` if none is running.
    pub nonce: Option<AttemptId>,
    /// What it is to make.
    pub ask: Option<RekeyAsk>,
    /// How many shares have come.
    pub progress: u8,
    /// How many are needed.
    pub required: u8,
    /// Names the verification that waits for the new shares.
    pub verification: Option<AttemptId>,
}

/// New shares.
pub struct NewShares {
    /// Names the attempt that made them.
    pub nonce: AttemptId,
    /// One for each custodian.
    pub shares: Vec<Share>,
    /// Names the verification that they must be given back to.
    pub verification: Option<AttemptId>,
    /// Whether the store told that they are in force. If it did not, both sets must be kept.
    pub is_certain: bool,
}

/// What a share led to.
pub enum RekeyOutcome {
    /// More are needed.
    More(RekeyStatus),
    /// New shares were made.
    Made(NewShares),
}

/// How far the verification of new shares is.
pub struct VerificationStatus {
    /// Names it.
    pub nonce: AttemptId,
    /// How many new shares there are, and how many of them open.
    pub threshold: Threshold,
    /// How many have been given back.
    pub progress: u8,
}

/// What a share that was given back led to.
pub enum VerificationOutcome {
    /// More are needed.
    More(VerificationStatus),
    /// The new shares are in force; names the verification, which is over.
    Done(AttemptId),
}

/// How a commit ended.
pub(super) enum Settled {
    Certainly,
    Perhaps,
}

impl Vault {
    /// Tells how far an attempt is, the one that is named or the one that is shown.
    ///
    /// # Errors
    /// Refuses while the vault is sealed.
    pub async fn rekey_status(&self, named: Option<AttemptId>) -> Result<RekeyStatus, Refusal> {
        let (ceremonies, open) = self.ceremonies().await?;
        Ok(describe(&open, &ceremonies, named))
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// Refuses while the vault is sealed and when there is no room.
    pub async fn begin_rekey(&self, ask: RekeyAsk, asking: CeremonyCaller) -> Result<RekeyStatus, Refusal> {
        let standing = self.standing(asking).await?;
        let (mut ceremonies, open) = self.ceremonies().await?;
        let id = self.begin_attempt(&open, (Ceremony::Rekey, &mut ceremonies.rekeys), ask, &standing).await?;
        Ok(describe(&open, &ceremonies, Some(id)))
    }

    /// Gives up an attempt, the one that is named or the one that is shown, or the verification that ends it.
    ///
    /// # Errors
    /// Refuses while the vault is sealed, and a stranger who cancels what is not theirs.
    pub async fn cancel_rekey(&self, named: Option<AttemptId>, asking: CeremonyCaller) -> Result<(), Refusal> {
        let standing = self.standing(asking).await?;
        let (mut ceremonies, open) = self.ceremonies().await?;
        let Some(pending) = pending(&ceremonies, named) else {
            return self.cancel_attempt(&open, (Ceremony::Rekey, &mut ceremonies.rekeys), named, &standing).await;
        };
        let place = (Ceremony::RekeyVerification, Some(pending.verification.nonce()));
        if !standing.is_privileged() {
            return Err(self.refuse_cancel(&open, place, &standing).await);
        }
        self.record_ceremony(&open, place, CeremonyEvent::Cancel, &standing).await?;
        ceremonies.verification = None;
        Ok(())
    }

    /// Takes a share; the one that completes the quorum makes new shares.
    ///
    /// # Errors
    /// Refuses a share that is not good, saying why, and when the new seal cannot be stored: then the old shares stay
    /// in force.
    pub async fn give_rekey_share(
        self: &Arc<Self>,
        nonce: Option<AttemptId>,
        key: SecretText,
        caller: Caller,
    ) -> Result<RekeyOutcome, Refusal> {
        let vault = Arc::clone(self);
        self.to_its_end(async move { vault.take_rekey_share(nonce, &key, caller).await }).await
    }

    async fn take_rekey_share(
        &self,
        nonce: Option<AttemptId>,
        key: &SecretText,
        caller: Caller,
    ) -> Result<RekeyOutcome, Refusal> {
        let standing = Standing::stranger(caller);
        let (mut ceremonies, open) = self.ceremonies().await?;
        let taken = self.offer(&open, (Ceremony::Rekey, &mut ceremonies.rekeys), nonce, key, &standing).await?;
        match (taken, nonce) {
            (Taken::Enough(quorum), Some(attempt)) => {
                self.make_shares(&open, &mut ceremonies, quorum, attempt, &standing).await.map(RekeyOutcome::Made)
            }
            _ => Ok(RekeyOutcome::More(describe(&open, &ceremonies, nonce))),
        }
    }

    async fn make_shares(
        &self,
        open: &Open,
        ceremonies: &mut Ceremonies,
        quorum: Quorum<RekeyAsk>,
        attempt: AttemptId,
        standing: &Standing,
    ) -> Result<NewShares, Refusal> {
        let ask = *quorum.purpose();
        let now = self.environment.now();
        let drawn = NewSeal::draw(&quorum, &open.unsealed.config(), ask.threshold, now, &mut self.environment.rng());
        let (new, shares) = drawn.map_err(|error| Refusal::internal(error.to_string()))?;
        if !ask.verify {
            let committed =
                self.commit_rekey(open, (new, Vec::new()), (Ceremony::Rekey, Some(attempt)), standing).await?;
            ceremonies.clear();
            let is_certain = matches!(committed, Settled::Certainly);
            return Ok(NewShares { nonce: attempt, shares, verification: None, is_certain });
        }
        let nonce = AttemptId::random(&mut self.environment.rng());
        let displaced = ceremonies.verification.as_ref().map(|pending| pending.verification.nonce());
        let event = CeremonyEvent::Begin { displaced };
        self.record_ceremony(open, (Ceremony::RekeyVerification, Some(nonce)), event, standing).await?;
        let verification = Verification::begin(nonce, new, now.after(self.settings.seal.attempt_span));
        ceremonies.verification = Some(PendingVerification { attempt, ask, verification });
        Ok(NewShares { nonce: attempt, shares, verification: Some(nonce), is_certain: true })
    }

    /// Tells how far the verification of new shares is.
    ///
    /// # Errors
    /// Refuses while the vault is sealed and when none is running.
    pub async fn verification_status(&self) -> Result<VerificationStatus, Refusal> {
        let (ceremonies, _open) = self.ceremonies().await?;
        ceremonies.verification.as_ref().map(|pending| verified(&pending.verification)).ok_or_else(nothing_to_verify)
    }

    /// Begins the verification anew under another nonce; the new shares stay what they are.
    ///
    /// # Errors
    /// Refuses while the vault is sealed, when none is running, and strangers.
    pub async fn restart_verification(&self, asking: CeremonyCaller) -> Result<VerificationStatus, Refusal> {
        let standing = self.standing(asking).await?;
        let (mut ceremonies, open) = self.ceremonies().await?;
        let pending = ceremonies.verification.as_mut().ok_or_else(nothing_to_verify)?;
        let place = (Ceremony::RekeyVerification, Some(pending.verification.nonce()));
        if !standing.is_privileged() {
            return Err(self.refuse_cancel(&open, place, &standing).await);
        }
        self.record_ceremony(&open, place, CeremonyEvent::Restart, &standing).await?;
        let nonce = AttemptId::random(&mut self.environment.rng());
        pending.verification.restart(nonce, self.environment.now().after(self.settings.seal.attempt_span));
        Ok(verified(&pending.verification))
    }

    /// Takes a new share back; the one that completes the quorum puts the new shares in force.
    ///
    /// # Errors
    /// Refuses a share that is not good, saying why, and when the new seal cannot be stored: then the old shares stay
    /// in force.
    pub async fn give_new_share(
        self: &Arc<Self>,
        nonce: Option<AttemptId>,
        key: SecretText,
        caller: Caller,
    ) -> Result<VerificationOutcome, Refusal> {
        let vault = Arc::clone(self);
        self.to_its_end(async move { vault.take_new_share(nonce, &key, caller).await }).await
    }

    async fn take_new_share(
        &self,
        nonce: Option<AttemptId>,
        key: &SecretText,
        caller: Caller,
    ) -> Result<VerificationOutcome, Refusal> {
        let standing = Standing::stranger(caller);
        let (mut ceremonies, open) = self.ceremonies().await?;
        let place = (Ceremony::RekeyVerification, nonce);
        let pending = ceremonies.verification.as_ref().ok_or_else(nothing_to_verify)?;
        let share = Share::parse(key.expose());
        let index = share.as_ref().ok().map(|share| share.index().get());
        let checked = match (nonce, share) {
            (Some(id), Ok(share)) => pending.verification.check(id, share, self.environment.now()),
            (Some(id), Err(error)) if id == pending.verification.nonce() => Err(OfferError::Share(error)),
            _ => Err(OfferError::NoSuchAttempt),
        };
        let returned = match checked {
            Ok(returned) => returned,
            Err(error) => return Err(self.refuse_offer(&open, place, index, &error, &standing).await),
        };
        let event = CeremonyEvent::ShareTaken { index: returned.index(), displaced: None };
        self.record_ceremony(&open, place, event, &standing).await?;
        let PendingVerification { attempt, ask, verification } =
            ceremonies.verification.take().ok_or_else(nothing_to_verify)?;
        let done = verification.nonce();
        let new = match verification.take(returned) {
            Verified::More(verification) => {
                let status = verified(&verification);
                ceremonies.verification = Some(PendingVerification { attempt, ask, verification });
                return Ok(VerificationOutcome::More(status));
            }
            Verified::Enough(new) => new,
            Verified::Faulty => return Err(Refusal::internal("the new shares do not combine; the old ones stay")),
        };
        match self.commit_rekey(&open, (new, Vec::new()), place, &standing).await? {
            Settled::Certainly => {
                ceremonies.clear();
                Ok(VerificationOutcome::Done(done))
            }
            Settled::Perhaps => Err(Refusal::new(
                Class::Unavailable,
                "the store did not tell whether the new shares are in force: keep both sets until one has unsealed",
            )),
        }
    }

    /// Commits a new seal, with other writes in the same batch, and goes on under it.
    pub(super) async fn commit_rekey(
        &self,
        open: &Open,
        (new, also): (NewSeal, Vec<Write>),
        place: (Ceremony, Option<AttemptId>),
        standing: &Standing,
    ) -> Result<Settled, Refusal> {
        self.record_ceremony(open, place, CeremonyEvent::Complete, standing).await?;
        let rows = self.seal_rows(open).await?;
        let mut rekey =
            open.unsealed.rekey(new, &rows, &mut self.environment.rng()).map_err(|error| renew_refusal(&error))?;
        also.into_iter().for_each(|write| rekey.also(write));
        let batch = std::mem::take(&mut rekey.batch);
        let (refusal, reason, told) = match self.storage.commit(batch).await {
            Ok(_) => {
                open.unsealed.adopt_rekey(rekey);
                return Ok(Settled::Certainly);
            }
            Err(error @ CommitError::Conflict { .. }) => (seal_commit_refusal(&error), error.to_string(), Some(false)),
            Err(error) => (seal_commit_refusal(&error), error.to_string(), self.read_back(&rekey).await),
        };
        match told {
            Some(true) => {
                open.unsealed.adopt_rekey(rekey);
                return Ok(Settled::Certainly);
            }
            Some(false) => {}
            None => return Ok(Settled::Perhaps),
        }
        self.record_ceremony(open, place, CeremonyEvent::Failed { reason: &reason }, standing).await?;
        Err(refusal)
    }

    /// Finds out whether a commit happened that the store did not answer for; `None` if the store cannot be read.
    async fn read_back(&self, rekey: &Rekey) -> Option<bool> {
        for _ in 0..READ_BACK_TRIES {
            if let Ok(row) = self.storage.get(&SEAL_CONFIG_ROW).await {
                return Some(rekey.is_committed(row.as_ref()));
            }
            tokio::time::sleep(READ_BACK_PAUSE).await;
        }
        None
    }
}

fn nothing_to_verify() -> Refusal {
    Refusal::invalid("no rekey verification is in progress")
}

/// Finds the verification that is meant: the one of the attempt that is named, or the one there is, since a quorum
/// stands behind it.
fn pending(ceremonies: &Ceremonies, named: Option<AttemptId>) -> Option<&PendingVerification> {
    ceremonies.verification.as_ref().filter(|pending| named.is_none_or(|id| id == pending.attempt))
}

fn describe(open: &Open, ceremonies: &Ceremonies, named: Option<AttemptId>) -> RekeyStatus {
    let config = open.unsealed.config();
    let required = config.threshold().needed();
    if let Some(pending) = pending(ceremonies, named) {
        return RekeyStatus {
            nonce: Some(pending.attempt),
            ask: Some(pending.ask),
            progress: required,
            required,
            verification: Some(pending.verification.nonce()),
        };
    }
    let shown = ceremonies.rekeys.shown(named);
    RekeyStatus {
        nonce: shown.as_ref().map(|shown| shown.id),
        ask: shown.as_ref().map(|shown| *shown.purpose),
        progress: shown.map_or(0, |shown| config.progress(shown.shares)),
        required,
        verification: None,
    }
}

fn verified(verification: &Verification) -> VerificationStatus {
    VerificationStatus {
        nonce: verification.nonce(),
        threshold: verification.config().threshold(),
        progress: verification.progress(),
    }
}
