//! What the ceremonies of custodians on an unsealed vault have in common: attempts that anybody may begin, shares that
//! are checked when they come, and a durable record before each effect.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::MutexGuard;
use vault_core::audit::{Ceremony, CeremonyEvent, Record};
use vault_core::flow::Identified;
use vault_core::id::AttemptId;
use vault_core::network::Network;
use vault_core::path::RequestPath;
use vault_core::refusal::{Class, Refusal};
use vault_core::request::{Operation, Request};
use vault_core::seal::attempts::{Attempts, Full, OfferError, Party, Taken};
use vault_core::seal::root::OneTimePad;
use vault_core::secret::SecretText;
use vault_core::sharing::Share;
use vault_core::time::{Span, Timestamp};

use crate::driver::custody::Bootstrap;
use crate::driver::rekey::{PendingVerification, RekeyAsk};
use crate::driver::{Caller, Open, Vault, log_refusal};

/// The attempts of custodians; dropping it wipes their shares.
pub(super) struct Ceremonies {
    pub(super) rekeys: Attempts<RekeyAsk>,
    /// New shares that wait to be given back. There is one at most: a later quorum replaces it.
    pub(super) verification: Option<PendingVerification>,
    pub(super) roots: Attempts<OneTimePad>,
    pub(super) bootstraps: Attempts<Bootstrap>,
}

impl Ceremonies {
    pub(super) const fn new(span: Span) -> Self {
        Self {
            rekeys: Attempts::new(span),
            verification: None,
            roots: Attempts::new(span),
            bootstraps: Attempts::new(span),
        }
    }

    /// Ends every attempt: the vault is sealed or has new shares.
    pub(super) fn clear(&mut self) {
        self.rekeys.clear();
        self.verification = None;
        self.roots.clear();
        self.bootstraps.clear();
    }

    fn expire(&mut self, now: Timestamp) {
        self.rekeys.expire(now);
        self.verification.take_if(|pending| pending.is_over(now));
        self.roots.expire(now);
        self.bootstraps.expire(now);
    }
}

/// Who begins, cancels or restarts, and the token that may make them privileged.
pub struct CeremonyCaller {
    /// The request.
    pub caller: Caller,
    /// The token that was shown; one that proves nothing makes the caller a stranger, as stock clients send stale ones.
    pub token: Option<SecretText>,
    /// The path, at which policy must grant `sudo`.
    pub path: RequestPath,
    /// What is wanted there.
    pub operation: Operation,
}

/// A caller of whom it is known whether they are privileged.
pub(super) struct Standing {
    caller: Caller,
    privileged: Option<Box<Identified>>,
}

impl Standing {
    /// Takes a caller who needs no privilege.
    pub(super) const fn stranger(caller: Caller) -> Self {
        Self { caller, privileged: None }
    }

    pub(super) const fn is_privileged(&self) -> bool {
        self.privileged.is_some()
    }

    fn party(&self) -> Party {
        Party { network: Network::of(self.caller.remote.ip()), privileged: self.is_privileged() }
    }
}

impl Vault {
    /// Takes the lock of the ceremonies of a vault that is open.
    pub(super) async fn ceremonies(&self) -> Result<(MutexGuard<'_, Ceremonies>, Arc<Open>), Refusal> {
        let mut ceremonies = self.ceremonies.lock().await;
        // Sealing takes the keys away before it ends the attempts, so that none begins after it.
        let Some(open) = self.open.load_full() else {
            drop(ceremonies);
            return Err(self.closed().await);
        };
        ceremonies.expire(self.environment.now());
        Ok((ceremonies, open))
    }

    /// Wipes the shares of attempts whose time is over, even if nobody asks.
    pub(super) async fn expire_ceremonies(&self) {
        self.ceremonies.lock().await.expire(self.environment.now());
    }

    async fn closed(&self) -> Refusal {
        match self.status().await {
            Ok(status) if status.config.is_none() => Refusal::invalid("server is not yet initialized"),
            Ok(_) => Refusal::new(Class::Unavailable, "Vault is sealed"),
            Err(refusal) => refusal,
        }
    }

    /// Finds out whether a caller is privileged: a token that is alive, may be used without limit and has `sudo` at the
    /// path. A use of a limited token could not be spent together with the effect, so such a token does not count.
    pub(super) async fn standing(&self, asking: CeremonyCaller) -> Result<Standing, Refusal> {
        let CeremonyCaller { caller, token, path, operation } = asking;
        let Some(token) = token else { return Ok(Standing::stranger(caller)) };
        let Some(open) = self.open.load_full() else { return Err(self.closed().await) };
        let request = Request {
            id: caller.id,
            operation,
            path,
            parameters: Vec::new(),
            body: None,
            token: Some(token),
            act: None,
            redeems: None,
            reason: None,
            wrap_ttl: None,
            certificates: Arc::default(),
            remote: caller.remote,
            received_at: self.environment.now(),
            attempt: 1,
        };
        let rules = open.rules.current(self.storage.as_ref(), &open.unsealed).await?;
        let Ok(identified) = self.identify(&open, &rules, request).await? else {
            return Ok(Standing::stranger(caller));
        };
        let privileged = identified.sender().identity().is_some_and(|identity| {
            let path = identified.request().path.as_str();
            identity.token().uses_left.is_none() && rules.acl_of(identity).grants_sudo(path)
        });
        Ok(Standing { caller, privileged: privileged.then(|| Box::new(identified)) })
    }

    /// Makes an event of a ceremony durable before its effect.
    pub(super) async fn record_ceremony(
        &self,
        open: &Open,
        (ceremony, attempt): (Ceremony, Option<AttemptId>),
        event: CeremonyEvent<'_>,
        standing: &Standing,
    ) -> Result<(), Refusal> {
        let Caller { id, remote } = standing.caller;
        let identity = standing.privileged.as_ref().and_then(|identified| identified.sender().identity());
        let who = identity.map(|identity| (identity, open.barrier().audit_values()));
        let record = Record::of_ceremony(ceremony, attempt, &event, (id, remote), who, self.environment.now());
        self.log.append_durable(record).await.map(drop).map_err(|error| log_refusal(&error))
    }

    /// Begins an attempt and names it.
    pub(super) async fn begin_attempt<P: Send>(
        &self,
        open: &Open,
        (ceremony, attempts): (Ceremony, &mut Attempts<P>),
        purpose: P,
        standing: &Standing,
    ) -> Result<AttemptId, Refusal> {
        if open.unsealed.custody().is_some() {
            return Err(governed());
        }
        let crowded = |full: Full| Refusal::new(Class::Busy, full.to_string());
        let id = AttemptId::random(&mut self.environment.rng());
        let displaced = match attempts.displaced_by(standing.party()) {
            Ok(displaced) => displaced,
            Err(full) => {
                self.record_ceremony(open, (ceremony, None), CeremonyEvent::BeginRefused, standing).await?;
                return Err(crowded(full));
            }
        };
        self.record_ceremony(open, (ceremony, Some(id)), CeremonyEvent::Begin { displaced }, standing).await?;
        attempts.begin(id, purpose, standing.party(), self.environment.now()).map_err(crowded)?;
        Ok(id)
    }

    /// Takes a share for the attempt that `nonce` names.
    pub(super) async fn offer<P: Send>(
        &self,
        open: &Open,
        (ceremony, attempts): (Ceremony, &mut Attempts<P>),
        nonce: Option<AttemptId>,
        key: &SecretText,
        standing: &Standing,
    ) -> Result<Taken<P>, Refusal> {
        let config = open.unsealed.config();
        let share = Share::parse(key.expose());
        let index = share.as_ref().ok().map(|share| share.index().get());
        let checked = match (nonce, share) {
            (Some(id), Ok(share)) => attempts.check(id, share, &config, self.environment.now()),
            (Some(id), Err(error)) if attempts.shown(Some(id)).is_some() => Err(OfferError::Share(error)),
            _ => Err(OfferError::NoSuchAttempt),
        };
        let offered = match checked {
            Ok(offered) => offered,
            Err(error) => return Err(self.refuse_offer(open, (ceremony, nonce), index, &error, standing).await),
        };
        let event = CeremonyEvent::ShareTaken { index: offered.index(), displaced: offered.displaces() };
        self.record_ceremony(open, (ceremony, nonce), event, standing).await?;
        attempts.take(offered, &config).map_err(|error| Refusal::internal(error.to_string()))
    }

    /// Records a refused share and gives the refusal for the caller.
    pub(super) async fn refuse_offer(
        &self,
        open: &Open,
        place: (Ceremony, Option<AttemptId>),
        index: Option<u8>,
        error: &OfferError,
        standing: &Standing,
    ) -> Refusal {
        let reason = error.to_string();
        let event = CeremonyEvent::ShareRefused { index, reason: &reason };
        match self.record_ceremony(open, place, event, standing).await {
            Ok(()) => Refusal::invalid(reason),
            Err(refusal) => refusal,
        }
    }

    /// Gives up the attempt that is named, or the one that is shown; without any there is nothing to do.
    pub(super) async fn cancel_attempt<P: Send + Sync>(
        &self,
        open: &Open,
        (ceremony, attempts): (Ceremony, &mut Attempts<P>),
        named: Option<AttemptId>,
        standing: &Standing,
    ) -> Result<(), Refusal> {
        let Some(id) = attempts.shown(named).map(|shown| shown.id) else { return Ok(()) };
        if !attempts.may_cancel(id, standing.party()) {
            return Err(self.refuse_cancel(open, (ceremony, Some(id)), standing).await);
        }
        self.record_ceremony(open, (ceremony, Some(id)), CeremonyEvent::Cancel, standing).await?;
        attempts.cancel(id, standing.party());
        Ok(())
    }

    /// Records that somebody wanted to cancel what is not theirs, and gives the refusal.
    pub(super) async fn refuse_cancel(
        &self,
        open: &Open,
        place: (Ceremony, Option<AttemptId>),
        standing: &Standing,
    ) -> Refusal {
        match self.record_ceremony(open, place, CeremonyEvent::CancelRefused, standing).await {
            Ok(()) => Refusal::denied(),
            Err(refusal) => refusal,
        }
    }

    /// Runs to its end what must not stop half way when its caller goes away.
    pub(super) async fn to_its_end<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        tokio::spawn(work).await.map_err(|error| Refusal::internal(format!("a ceremony: {error}")))?
    }
}

/// Refuses the ceremonies of a vault whose shares were handed out in clear.
fn governed() -> Refusal {
    Refusal::invalid(
        "the vault has a charter: new shares come with the next charter (keyturn charter propose, then keyturn rekey), \
         and root tokens are not made",
    )
}
